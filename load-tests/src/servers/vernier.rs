//! The bidder that is measured: the released binary, all roles in one process or each in its own.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Error};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use tokio::time::{sleep, timeout};

use super::ports::free_addresses;
use super::process::{POLL, Process, get, pinned, unsignalled};

/// How long it may take until it is ready, or does what it is told.
const READY_TIME_MAX: Duration = Duration::from_secs(60);
/// What all processes of an installation have alike.
const SHARED: &str = "secrets.id_key = \"00000000000000000000000000000001\"
secrets.token_keys = [\"1:00000000000000000000000000000002\"]
";
/// Money for ten minutes, since the ledger lends none while Kafka is away.
pub(crate) const LONG_LEASES: &str = "ledger.lease_s = 600\n";

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
    /// How many bidders there are, where each role is a process of its own.
    pub(crate) bidders: usize,
    /// The bidder of that number reaches Kafka there.
    pub(crate) detour: Option<(usize, SocketAddr)>,
}

/// One process.
#[derive(Debug)]
struct Role {
    name: String,
    admin: SocketAddr,
    /// Where it takes bid requests, if it does.
    bid: SocketAddr,
    /// Where it reaches Kafka, where that is not where the others do.
    kafka: Option<SocketAddr>,
    process: Process,
}

/// A running installation.
#[derive(Debug)]
pub(crate) struct Vernier {
    program: PathBuf,
    folder: PathBuf,
    exchange: &'static str,
    processor: Option<&'static str>,
    roles: Vec<Role>,
}

impl Vernier {
    /// Starts it, and gives it campaigns and people. What it says goes to `ROLE.log` in `folder`. Variables of the
    /// environment such as `VERNIER_PROFILES_LOOKUP_TIMEOUT_MS` reach it.
    pub(crate) async fn start(program: &Path, folder: &Path, engines: &Engines, setup: Setup) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        let kafka = engines.kafka.map(|address| format!("kafka.brokers = [\"{address}\"]\n"));
        let settings = configuration(&engines.redis, &kafka.unwrap_or_default(), &setup);
        fs::write(folder.join("vernier.toml"), settings)?;
        let Setup { exchange, campaigns, people, processor, bidders, detour, .. } = setup;
        let (program, folder) = (program.to_owned(), folder.to_owned());
        let mut vernier = Self { program, folder, exchange, processor, roles: Vec::new() };
        if engines.kafka.is_some() {
            for name in ["control", "ledger", "segments"] {
                vernier.add(name.to_owned(), None)?;
            }
            for number in 0..bidders {
                let kafka = detour.filter(|(bidder, _)| *bidder == number).map(|(_, address)| address);
                vernier.add(bidder_name(number), kafka)?;
            }
        } else {
            vernier.add("up".to_owned(), None)?;
        }
        vernier.all_ready().await?;
        let (applied, imported) = (vernier.folder.join("campaigns"), vernier.folder.join("people.jsonl"));
        fs::create_dir_all(&applied)?;
        for (number, text) in campaigns.iter().enumerate() {
            fs::write(applied.join(format!("{number}.yaml")), text)?;
        }
        fs::write(&imported, people)?;
        vernier.tell("control", &["apply"], &applied).await?;
        vernier.tell("segments", &["segments", "import"], &imported).await?;
        vernier.all_ready().await?;
        Ok(vernier)
    }

    fn add(&mut self, name: String, kafka: Option<SocketAddr>) -> io::Result<()> {
        let [admin, bid] = free_addresses()?;
        let process = self.launch(&name, admin, bid, kafka)?;
        self.roles.push(Role { name, admin, bid, kafka, process });
        Ok(())
    }

    fn launch(&self, name: &str, admin: SocketAddr, bid: SocketAddr, kafka: Option<SocketAddr>) -> io::Result<Process> {
        let mut command = pinned(&self.program, self.processor.filter(|_| is_bidder(name)));
        let role = name.split_once('-').map_or(name, |(role, _)| role);
        command.args([role, "--config"]).arg(self.folder.join("vernier.toml"));
        command.args((role == "up").then_some("--no-traffic"));
        let mut command = if is_bidder(name) { unsignalled(&command) } else { command };
        command.env("VERNIER_BID_LISTEN", bid.to_string()).env("VERNIER_ADMIN_LISTEN", admin.to_string());
        command.envs(kafka.map(|address| ("VERNIER_KAFKA_BROKERS", address.to_string())));
        Process::start(command.env("VERNIER_DATA_DIR", self.data(name)), &self.log(name))
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

    async fn all_ready(&mut self) -> io::Result<()> {
        for name in self.names() {
            self.ready(&name).await?;
        }
        Ok(())
    }

    /// The names of all processes: of roles, and of bidders where there are several.
    pub(crate) fn names(&self) -> Vec<String> {
        self.roles.iter().map(|role| role.name.clone()).collect()
    }

    /// Waits until it serves.
    pub(crate) async fn ready(&mut self, role: &str) -> io::Result<()> {
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

    /// Where bid requests go; of several bidders, to the first.
    pub(crate) fn bid_url(&self) -> String {
        self.bid_urls().swap_remove(0)
    }

    /// Where bid requests go: to each bidder.
    pub(crate) fn bid_urls(&self) -> Vec<String> {
        let bidders = self.roles.iter().filter(|role| is_bidder(&role.name));
        bidders.map(|role| format!("http://{}/bid/{}", role.bid, self.exchange)).collect()
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

    /// Ends a process at once.
    pub(crate) fn kill(&mut self, name: &str) -> io::Result<()> {
        self.role(name).process.kill()
    }

    /// Stops a process without ending it: connections stay, and nothing answers.
    pub(crate) fn pause(&mut self, name: &str) -> io::Result<()> {
        self.role(name).process.signal("STOP")
    }

    /// Lets it go on.
    pub(crate) fn go_on(&mut self, name: &str) -> io::Result<()> {
        self.role(name).process.signal("CONT")
    }

    /// From now on none of the files of a process grows: what it writes at their ends fails, as where the disk is full.
    pub(crate) fn fill_disk(&mut self, name: &str) -> io::Result<()> {
        let folder = self.data(name).join("notices");
        let bytes = largest_file(&folder)?;
        self.role(name).process.limit_files(bytes)
    }

    /// Waits until a process has ended by itself; whether it says that it could not go on.
    pub(crate) async fn ended(&mut self, name: &str) -> io::Result<bool> {
        let process = &mut self.role(name).process;
        let ended = timeout(READY_TIME_MAX, process.ended()).await;
        ended.map_err(|_| Error::other(format!("{name} does not end")))?.map(|status| !status.success())
    }

    /// Starts a process again, where it was and on what it had.
    pub(crate) async fn start_again(&mut self, name: &str) -> io::Result<()> {
        let Role { admin, bid, kafka, .. } = *self.role(name);
        self.role(name).process = self.launch(name, admin, bid, kafka)?;
        self.ready(name).await
    }

    /// Processes that are started from now on are of this program.
    pub(crate) fn upgrade(&mut self, program: &Path) {
        program.clone_into(&mut self.program);
    }

    /// Ends a role as an operator does.
    pub(crate) async fn end(&mut self, role: &str) -> io::Result<()> {
        let process = &mut self.role(role).process;
        process.signal("TERM")?;
        let ended = timeout(READY_TIME_MAX, process.ended()).await;
        match ended.map_err(|_| Error::other(format!("{role} does not end")))?? {
            status if status.success() => Ok(()),
            status => Err(Error::other(format!("{role} ended: {status}: see {}", self.log(role).display()))),
        }
    }

    fn cat(&self, stream: &str) -> Command {
        let mut command = self.command(&["events", "cat", stream, "--config"]);
        command.arg(self.folder.join("vernier.toml")).env("VERNIER_DATA_DIR", self.data("commands"));
        command
    }

    /// Writes a stream to a file as `vernier events cat` prints it.
    pub(crate) async fn save_events(&self, stream: &str, file: &Path) -> io::Result<()> {
        let mut command = self.cat(stream);
        command.stdin(Stdio::null()).stdout(File::create(file)?);
        let output = tokio::task::spawn_blocking(move || command.output()).await??;
        output.status.success().then_some(()).ok_or_else(|| said(stream, &output))
    }

    /// The ledger's books.
    pub(crate) async fn books(&mut self) -> io::Result<serde_json::Value> {
        let Role { admin, process, .. } = self.role("ledger");
        let page = process.answers(*admin, &get("/books"), "}]}", READY_TIME_MAX).await?;
        Ok(serde_json::from_str(page.split_once("\r\n\r\n").map_or("", |(_, body)| body))?)
    }

    /// A stream as `vernier events cat` prints it.
    pub(crate) async fn events(&self, stream: &str) -> io::Result<Vec<serde_json::Value>> {
        let mut command = self.cat(stream);
        let output = tokio::task::spawn_blocking(move || command.output()).await??;
        if !output.status.success() {
            return Err(said(stream, &output));
        }
        let lines = output.stdout.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        lines.map(|line| serde_json::from_slice(line).map_err(io::Error::from)).collect()
    }
}

/// The configuration that all of its processes share.
fn configuration(redis: &[SocketAddr], kafka: &str, setup: &Setup) -> String {
    let urls: Vec<String> = redis.iter().map(|address| format!("\"redis://{address}\"")).collect();
    let redis = if urls.is_empty() { String::new() } else { format!("profiles.redis = [{}]\n", urls.join(", ")) };
    let shared = if kafka.is_empty() { "" } else { SHARED };
    let Setup { settings, exchange, .. } = setup;
    format!(
        "{redis}traffic.people = 1\n{kafka}{shared}{settings}[[exchange]]\nname = \"{exchange}\"\nuser_ids = \"ours\"\n"
    )
}

fn said(stream: &str, output: &Output) -> Error {
    Error::other(format!("{stream}: {}", String::from_utf8_lossy(&output.stderr)))
}

/// Bytes of the largest file in a folder and those in it.
fn largest_file(folder: &Path) -> io::Result<u64> {
    let mut largest = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let bytes = if entry.file_type()?.is_dir() { largest_file(&entry.path())? } else { entry.metadata()?.len() };
        largest = largest.max(bytes);
    }
    Ok(largest)
}

/// The name of the process of a bidder, counted from zero.
pub(crate) fn bidder_name(number: usize) -> String {
    if number == 0 { "bidder".to_owned() } else { format!("bidder-{}", number + 1) }
}

/// Whether a process of this name takes bid requests.
fn is_bidder(name: &str) -> bool {
    name == "up" || name.starts_with("bidder")
}

impl Drop for Vernier {
    fn drop(&mut self) {
        let roles = std::mem::take(&mut self.roles);
        for Role { name, process, .. } in roles {
            drop(process);
            // Its streams are large, and nobody reads them.
            let _never_written = fs::remove_dir_all(self.data(&name));
        }
    }
}
