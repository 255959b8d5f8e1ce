//! The bidder that a scenario is played against: the released binary with all of its roles.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Error};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::campaigns::{self, Campaign, EXCHANGE};
use super::process::{Process, free_addresses, get};

/// How long it may take until it is ready.
const READY_TIME_MAX: Duration = Duration::from_secs(60);

/// A running `vernier up`, with the campaigns and people of the scenarios.
#[derive(Debug)]
pub(super) struct Vernier {
    bid: SocketAddr,
    admin: SocketAddr,
    process: Process,
    data: PathBuf,
}

impl Vernier {
    /// Starts it with profiles on the Redis at these addresses, and gives it campaigns and `people`. What it says goes to
    /// `vernier.log` in `folder`. Variables of the environment such as `VERNIER_PROFILES_LOOKUP_TIMEOUT_MS` reach it.
    pub(super) async fn start(program: &Path, folder: &Path, redis: &[SocketAddr], people: u32) -> io::Result<Self> {
        let [bid, admin] = free_addresses()?;
        let urls: Vec<String> = redis.iter().map(|address| format!("\"redis://{address}\"")).collect();
        let file = folder.join("vernier.toml");
        let settings = format!(
            "profiles.redis = [{}]\ntraffic.people = 1\n[[exchange]]\nname = \"{EXCHANGE}\"\nuser_ids = \"ours\"\n",
            urls.join(", ")
        );
        fs::write(&file, settings)?;
        let (data, log) = (folder.join("data"), folder.join("vernier.log"));
        let mut command = Command::new(program);
        command.args(["up", "--no-traffic", "--config"]).arg(&file);
        command.env("VERNIER_BID_LISTEN", bid.to_string()).env("VERNIER_ADMIN_LISTEN", admin.to_string());
        command.env("VERNIER_DATA_DIR", &data);
        let process = Process::start(&mut command, &log)?;
        let mut vernier = Self { bid, admin, process, data };
        vernier.ready().await?;
        for (name, text, verb) in [
            ("campaigns.yaml", campaigns::file(), &["apply"][..]),
            ("people.jsonl", campaigns::people(people), &["segments", "import"]),
        ] {
            let file = folder.join(name);
            fs::write(&file, text)?;
            let mut command = Command::new(program);
            command.args(verb).arg(&file).args(["--admin", &admin.to_string()]);
            let status = Process::start(&mut command, &log)?.finish().await?;
            if !status.success() {
                return Err(Error::other(format!("vernier {verb:?}: {status}: see {}", log.display())));
            }
        }
        vernier.ready().await?;
        Ok(vernier)
    }

    async fn ready(&mut self) -> io::Result<()> {
        self.process.answers(self.admin, &get("/readyz"), "HTTP/1.1 200", READY_TIME_MAX).await.map(drop)
    }

    /// Where bid requests go.
    pub(super) fn bid_url(&self) -> String {
        format!("http://{}/bid/{EXCHANGE}", self.bid)
    }

    /// What the campaigns are called in bids.
    pub(super) async fn names(&mut self) -> io::Result<BTreeMap<String, Campaign>> {
        let page = self.process.answers(self.admin, &get("/campaigns"), "}],\"revision\"", READY_TIME_MAX).await?;
        let body = page.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        let listed: serde_json::Value = serde_json::from_str(body)?;
        let named = Campaign::ALL.into_iter().map(|campaign| {
            let mut all = listed["campaigns"].as_array().into_iter().flatten();
            let number = all.find(|one| one["name"] == campaign.name()).and_then(|one| one["number"].as_u64());
            let number = number.ok_or_else(|| Error::other(format!("{} was not published", campaign.name())))?;
            Ok((number.to_string(), campaign))
        });
        named.collect()
    }

    /// Its figures, in OpenMetrics text.
    pub(super) async fn metrics(&mut self) -> io::Result<String> {
        self.process.answers(self.admin, &get("/metrics"), "# EOF", READY_TIME_MAX).await
    }
}

impl Drop for Vernier {
    fn drop(&mut self) {
        let _ended_already = self.process.kill();
        // Its streams are large, and nobody reads them.
        let _never_written = fs::remove_dir_all(&self.data);
    }
}
