//! The bidder that is measured: the released binary, all roles in one process or each in its own.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Error};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use tokio::time::{sleep, timeout};

use super::process::{POLL, Process, free_addresses, get, pinned};

/// How long it may take until it is ready, or does what it is told.
const READY_TIME_MAX: Duration = Duration::from_secs(60);
/// What all processes of an installation have alike; and money for ten minutes, since the ledger lends none while Kafka
/// is away.
const SHARED: &str = "secrets.id_key = \"00000000000000000000000000000001\"
secrets.token_keys = [\"1:00000000000000000000000000000002\"]
ledger.lease_s = 600
";

/// The servers it uses.
#[derive(Clone, Debug)]
pub(crate) struct Engines {
    /// Where profiles are; none: on this machine, for one process.
    pub(crate) redis: Vec<SocketAddr>,
    /// Where streams are; `None`: in files, and all roles are one process.
    pub(crate) kafka: Option<SocketAddr>,
}

/// What it is to do, and for whom.
#[derive(Clone, Debug)]
pub(crate) struct Setup {
    /// The name of its exchange.
    pub(crate) exchange: &'static str,
    /// Campaigns and what they refer to, as files for `vernier apply`.
    pub(crate) campaigns: Vec<String>,
    /// People, as a file for `vernier segments import`.
    pub(crate) people: String,
    /// Lines of its configuration besides, before all tables.
    pub(crate) settings: &'static str,
    /// The processor that the bidder must keep to, as `taskset` names it; `None`: any.
    pub(crate) processor: Option<&'static str>,
}

/// One process.
#[derive(Debug)]
struct Role {
    name: &'static str,
    admin: SocketAddr,
    process: Process,
}

/// A running installation.
#[derive(Debug)]
pub(crate) struct Vernier {
    program: PathBuf,
    folder: PathBuf,
    exchange: &'static str,
    processor: Option<&'static str>,
    bid: SocketAddr,
    roles: Vec<Role>,
}

impl Vernier {
    /// Starts it, and gives it campaigns and people. What it says goes to `ROLE.log` in `folder`. Variables of the
    /// environment such as `VERNIER_PROFILES_LOOKUP_TIMEOUT_MS` reach it.
    pub(crate) async fn start(program: &Path, folder: &Path, engines: &Engines, setup: Setup) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        let Setup { exchange, campaigns, people, settings, processor } = setup;
        let urls: Vec<String> = engines.redis.iter().map(|address| format!("\"redis://{address}\"")).collect();
        let redis = if urls.is_empty() { String::new() } else { format!("profiles.redis = [{}]\n", urls.join(", ")) };
        let kafka = engines.kafka.map(|address| format!("kafka.brokers = [\"{address}\"]\n{SHARED}"));
        let settings = format!(
            "{redis}traffic.people = 1\n{}{settings}[[exchange]]\nname = \"{exchange}\"\nuser_ids = \"ours\"\n",
            kafka.unwrap_or_default()
        );
        fs::write(folder.join("vernier.toml"), settings)?;
        let [bid] = free_addresses()?;
        let (program, folder) = (program.to_owned(), folder.to_owned());
        let mut vernier = Self { program, folder, exchange, processor, bid, roles: Vec::new() };
        let names = if engines.kafka.is_some() { &["control", "ledger", "segments", "bidder"][..] } else { &["up"] };
        for name in names {
            let [admin] = free_addresses()?;
            let process = vernier.launch(name, admin)?;
            vernier.roles.push(Role { name, admin, process });
        }
        for name in names {
            vernier.ready(name).await?;
        }
        let (applied, imported) = (vernier.folder.join("campaigns"), vernier.folder.join("people.jsonl"));
        fs::create_dir_all(&applied)?;
        for (number, text) in campaigns.iter().enumerate() {
            fs::write(applied.join(format!("{number}.yaml")), text)?;
        }
        fs::write(&imported, people)?;
        vernier.tell("control", &["apply"], &applied).await?;
        vernier.tell("segments", &["segments", "import"], &imported).await?;
        vernier.ready("bidder").await?;
        Ok(vernier)
    }

    fn launch(&self, role: &str, admin: SocketAddr) -> io::Result<Process> {
        let mut command = pinned(&self.program, self.processor.filter(|_| is_bidder(role)));
        command.args([role, "--config"]).arg(self.folder.join("vernier.toml"));
        command.args((role == "up").then_some("--no-traffic"));
        command.env("VERNIER_BID_LISTEN", self.bid.to_string()).env("VERNIER_ADMIN_LISTEN", admin.to_string());
        Process::start(command.env("VERNIER_DATA_DIR", self.data(role)), &self.log(role))
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.args(words);
        command
    }

    fn data(&self, role: &str) -> PathBuf {
        self.folder.join(format!("data-{role}"))
    }

    fn log(&self, role: &str) -> PathBuf {
        self.folder.join(format!("{role}.log"))
    }

    /// The process with that role.
    fn role(&mut self, name: &str) -> &mut Role {
        let at = self.roles.iter().position(|role| role.name == name).unwrap_or(0);
        &mut self.roles[at]
    }

    async fn ready(&mut self, role: &str) -> io::Result<()> {
        let page = if is_bidder(role) { "/readyz" } else { "/healthz" };
        let Role { admin, process, .. } = self.role(role);
        process.answers(*admin, &get(page), "HTTP/1.1 200", READY_TIME_MAX).await.map(drop)
    }

    /// Hands a process files. It may not know of segments yet that another published, so it is told until it takes them.
    async fn tell(&mut self, role: &str, verb: &[&str], path: &Path) -> io::Result<()> {
        let admin = self.role(role).admin.to_string();
        let log = self.log("commands");
        let telling = async {
            loop {
                let mut command = self.command(verb);
                let told = Process::start(command.arg(path).args(["--admin", &admin]), &log)?.finish().await?;
                if told.success() {
                    return Ok(());
                }
                sleep(10 * POLL).await;
            }
        };
        let told = timeout(READY_TIME_MAX, telling).await;
        told.unwrap_or_else(|_| Err(Error::other(format!("vernier {verb:?} is refused: see {}", log.display()))))
    }

    /// Where bid requests go.
    pub(crate) fn bid_url(&self) -> String {
        format!("http://{}/bid/{}", self.bid, self.exchange)
    }

    /// What campaigns are called in bids, by their names.
    pub(crate) async fn numbers(&mut self) -> io::Result<BTreeMap<String, String>> {
        let Role { admin, process, .. } = self.role("control");
        let page = process.answers(*admin, &get("/campaigns"), "}],\"revision\"", READY_TIME_MAX).await?;
        let body = page.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        let listed: serde_json::Value = serde_json::from_str(body)?;
        let all = listed["campaigns"].as_array().into_iter().flatten();
        let numbers =
            all.filter_map(|one| Some((one["name"].as_str()?.to_owned(), one["number"].as_u64()?.to_string())));
        Ok(numbers.collect())
    }

    /// What the bidder says of a bid request: `vernier explain` as JSON.
    pub(crate) async fn explain(&mut self, request: &str) -> io::Result<serde_json::Value> {
        let head = "content-type: application/json\r\nconnection: close\r\nhost: vernier\r\n";
        let (path, length) = (format!("/explain?exchange={}", self.exchange), request.len());
        let question = format!("POST {path} HTTP/1.1\r\n{head}content-length: {length}\r\n\r\n{request}");
        let Role { admin, process, .. } = self.role("bidder");
        let page = process.answers(*admin, &question, "]}]}", READY_TIME_MAX).await?;
        Ok(serde_json::from_str(page.split_once("\r\n\r\n").map_or("", |(_, body)| body))?)
    }

    /// A role's figures, in OpenMetrics text.
    pub(crate) async fn metrics(&mut self, role: &str) -> io::Result<String> {
        let Role { admin, process, .. } = self.role(role);
        process.answers(*admin, &get("/metrics"), "# EOF", READY_TIME_MAX).await
    }

    /// The processor time that the bidder's process has used.
    pub(crate) fn cpu(&mut self) -> io::Result<Duration> {
        self.role("bidder").process.cpu()
    }

    /// The bidder's process.
    pub(crate) fn bidder_process(&mut self) -> u32 {
        self.role("bidder").process.id()
    }

    /// Ends the bidder at once.
    pub(crate) fn kill_bidder(&mut self) -> io::Result<()> {
        self.role("bidder").process.kill()
    }

    /// Starts the bidder again, where it was and on what it had.
    pub(crate) async fn start_bidder_again(&mut self) -> io::Result<()> {
        let admin = self.role("bidder").admin;
        self.role("bidder").process = self.launch("bidder", admin)?;
        self.ready("bidder").await
    }

    /// Ends a role as an operator does.
    pub(crate) async fn end(&mut self, role: &'static str) -> io::Result<()> {
        let process = &mut self.role(role).process;
        process.signal("TERM")?;
        let ended = timeout(READY_TIME_MAX, process.ended()).await;
        match ended.map_err(|_| Error::other(format!("{role} does not end")))?? {
            status if status.success() => Ok(()),
            status => Err(Error::other(format!("{role} ended: {status}: see {}", self.log(role).display()))),
        }
    }

    /// A stream as `vernier events cat` prints it.
    pub(crate) async fn events(&self, stream: &str) -> io::Result<Vec<serde_json::Value>> {
        let mut command = self.command(&["events", "cat", stream, "--config"]);
        command.arg(self.folder.join("vernier.toml")).env("VERNIER_DATA_DIR", self.data("commands"));
        let output = tokio::task::spawn_blocking(move || command.output()).await??;
        if !output.status.success() {
            return Err(Error::other(format!("{stream}: {}", String::from_utf8_lossy(&output.stderr))));
        }
        let lines = output.stdout.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        lines.map(|line| serde_json::from_slice(line).map_err(io::Error::from)).collect()
    }
}

/// Whether a process of this role takes bid requests.
fn is_bidder(role: &str) -> bool {
    matches!(role, "bidder" | "up")
}

impl Drop for Vernier {
    fn drop(&mut self) {
        let roles = std::mem::take(&mut self.roles);
        for Role { name, process, .. } in roles {
            drop(process);
            // Its streams are large, and nobody reads them.
            let _never_written = fs::remove_dir_all(self.data(name));
        }
    }
}
