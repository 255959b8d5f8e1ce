//! A Kafka of one's own: one broker, its own controller.

use std::fs;
use std::io::{self, Error};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use tokio::time::{sleep, timeout};

use super::ports::free_addresses;
use super::process::{POLL, Process};
use crate::proxy::Proxy;

/// How long a broker may take until it serves.
const READY_TIME_MAX: Duration = Duration::from_secs(90);
/// What it says then.
const SERVES: &str = "Kafka Server started";
/// The configuration of the broker that tests run against, which this one shares.
const PROPERTIES: &str = include_str!("../../../deploy/local/kafka.properties");
/// Of a broker that lets others go first (nice(1)).
const NICENESS: &str = "10";
/// Any; there is nothing to be confused with.
const CLUSTER_ID: &str = "dmVybmllci1mYXVsdHMtMQ";

/// Who may use a broker, and how. By default everybody, for everything, without encryption.
#[derive(Clone, Debug, Default)]
pub struct Access {
    /// Further lines of its properties, in force over those that all brokers of tests have. `@KAFKA@`, `@ADVERTISED@`
    /// and `@CONTROLLER@` stand for the ports of the listeners there are; `@INSIDE@` is one more that is free.
    pub properties: String,
    /// Whether clients reach it without a proxy between, which cannot fail then.
    pub direct: bool,
    /// Whether it lets others on its processor go first, as if it had a machine of its own.
    pub yields: bool,
    /// Users that are known by SCRAM, as Kafka's `--add-scram` has them.
    pub users: Vec<String>,
}

/// A running broker, or one that was ended and can be started again on its data.
#[derive(Debug)]
pub struct Kafka {
    libraries: PathBuf,
    folder: PathBuf,
    inside: SocketAddr,
    address: SocketAddr,
    proxy: Option<Proxy>,
    yields: bool,
    process: Process,
}

impl Kafka {
    /// Starts one from the Java archives in `libraries` that keeps its data in `folder`, behind a proxy or not.
    ///
    /// # Errors
    /// What is missing, or where it says why it does not start.
    pub async fn start(libraries: &Path, folder: PathBuf, access: &Access) -> io::Result<Self> {
        fs::create_dir_all(&folder)?;
        let [broker, inside, controller] = free_addresses()?;
        let proxy = if access.direct { None } else { Some(Proxy::start(broker).await?) };
        let address = proxy.as_ref().map_or(broker, Proxy::address);
        // Clients go to where a broker says it is, so it says that it is where the proxy is.
        let properties = [
            ("@DATA@", folder.join("data").display().to_string()),
            ("@KAFKA@", broker.port().to_string()),
            ("@ADVERTISED@", address.port().to_string()),
            ("@INSIDE@", inside.port().to_string()),
            ("@CONTROLLER@", controller.port().to_string()),
        ];
        // Of settings that are made twice the last is in force.
        let template = format!("{PROPERTIES}{}", access.properties);
        let properties = properties.iter().fold(template, |text, (name, value)| text.replace(name, value));
        fs::write(folder.join("server.properties"), properties)?;
        let format = ["format", "--standalone", "-t", CLUSTER_ID, "-c", "server.properties"];
        let users = access.users.iter().flat_map(|user| ["--add-scram", user]);
        let format: Vec<&str> = format.into_iter().chain(users).collect();
        tool(libraries, &folder, "kafka.tools.StorageTool", &format).await?;
        let (libraries, yields) = (libraries.to_owned(), access.yields);
        let process = launch(&libraries, &folder, yields)?;
        let mut kafka = Self { libraries, folder, inside, address, proxy, yields, process };
        kafka.ready().await?;
        Ok(kafka)
    }

    /// Runs one of Kafka's own programs, a class of its archives.
    ///
    /// # Errors
    /// It fails; says where it says why.
    pub async fn tool(&self, class: &str, arguments: &[&str]) -> io::Result<()> {
        tool(&self.libraries, &self.folder, class, arguments).await
    }

    /// Where its listener at the port `@INSIDE@` is, if it was given one.
    pub fn inside(&self) -> SocketAddr {
        self.inside
    }

    /// Where clients reach it.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What stands before it, if anything does.
    pub fn proxy(&self) -> Option<&Proxy> {
        self.proxy.as_ref()
    }

    /// Ends it at once.
    pub fn kill(&mut self) -> io::Result<()> {
        self.process.kill()
    }

    /// Ends it as an operator does; returns before it has ended.
    pub fn end(&self) -> io::Result<()> {
        self.process.signal("TERM")
    }

    /// Starts it again on what it had, and waits until it serves.
    pub async fn start_again(&mut self) -> io::Result<()> {
        self.process.kill()?;
        self.process = launch(&self.libraries, &self.folder, self.yields)?;
        self.ready().await
    }

    /// What it says is written anew at each start.
    async fn ready(&mut self) -> io::Result<()> {
        let log = log(&self.folder);
        let wait = async {
            while !fs::read_to_string(&log)?.contains(SERVES) {
                self.process.check()?;
                sleep(POLL).await;
            }
            Ok(())
        };
        let waited = timeout(READY_TIME_MAX, wait).await;
        waited.unwrap_or_else(|_| {
            Err(Error::other(format!("Kafka does not start: {}", fs::read_to_string(&log).unwrap_or_default())))
        })
    }
}

async fn tool(libraries: &Path, folder: &Path, class: &str, arguments: &[&str]) -> io::Result<()> {
    let log = folder.join("tools.log");
    let mut command = java(libraries, false);
    command.current_dir(folder).arg(class).args(arguments);
    let status = Process::start(&mut command, &log)?.finish().await?;
    if status.success() {
        return Ok(());
    }
    Err(Error::other(format!("{class}: {status}: {}", fs::read_to_string(log)?)))
}

fn log(folder: &Path) -> PathBuf {
    folder.join("kafka.log")
}

fn java(libraries: &Path, yields: bool) -> Command {
    let mut command = Command::new(if yields { "nice" } else { "java" });
    if yields {
        command.args(["-n", NICENESS, "java"]);
    }
    command.arg("-cp").arg(libraries.join("*"));
    command
}

fn launch(libraries: &Path, folder: &Path, yields: bool) -> io::Result<Process> {
    let mut command = java(libraries, yields);
    command
        .current_dir(folder)
        .args(["-Xmx512m", "-Xms256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"])
        .args(["-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"])
        .args(["-Dorg.slf4j.simpleLogger.log.kafka.server.KafkaRaftServer=info"])
        .args(["kafka.Kafka", "server.properties"]);
    fs::write(log(folder), "")?;
    Process::start(&mut command, &log(folder))
}
