//! A Kafka of a scenario's own: one broker, its own controller.

use std::fs;
use std::io::{self, Error};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use tokio::time::{sleep, timeout};

use super::process::{POLL, Process, free_addresses};
use crate::proxy::Proxy;

/// How long a broker may take until it serves.
const READY_TIME_MAX: Duration = Duration::from_secs(90);
/// What it says then.
const SERVES: &str = "Kafka Server started";
/// The configuration of the broker that tests run against, which this one shares.
const PROPERTIES: &str = include_str!("../../../deploy/local/kafka.properties");
/// Any; there is nothing to be confused with.
const CLUSTER_ID: &str = "dmVybmllci1mYXVsdHMtMQ";

/// A running broker, or one that was ended and can be started again on its data.
#[derive(Debug)]
pub(super) struct Kafka {
    libraries: PathBuf,
    folder: PathBuf,
    proxy: Proxy,
    process: Process,
}

impl Kafka {
    /// Starts one from the Java archives in `libraries` that keeps its data in `folder`, behind a proxy.
    pub(super) async fn start(libraries: &Path, folder: PathBuf) -> io::Result<Self> {
        fs::create_dir_all(&folder)?;
        let [broker, controller] = free_addresses()?;
        let proxy = Proxy::start(broker).await?;
        // Clients go to where a broker says it is, so it says that it is where the proxy is.
        let properties = [
            ("@DATA@", folder.join("data").display().to_string()),
            ("@KAFKA@", broker.port().to_string()),
            ("@ADVERTISED@", proxy.address().port().to_string()),
            ("@CONTROLLER@", controller.port().to_string()),
        ];
        let properties = properties.iter().fold(PROPERTIES.to_owned(), |text, (name, value)| text.replace(name, value));
        fs::write(folder.join("server.properties"), properties)?;
        let mut format = java(libraries);
        format.args(["kafka.tools.StorageTool", "format", "--standalone", "-t", CLUSTER_ID, "-c", "server.properties"]);
        let formatted = Process::start(format.current_dir(&folder), &folder.join("format.log"))?.finish().await?;
        if !formatted.success() {
            return Err(Error::other(format!(
                "Kafka cannot use its folder: see {}",
                folder.join("format.log").display()
            )));
        }
        let process = launch(libraries, &folder)?;
        let mut kafka = Self { libraries: libraries.to_owned(), folder, proxy, process };
        kafka.ready().await?;
        Ok(kafka)
    }

    /// Where clients reach it.
    pub(super) fn address(&self) -> SocketAddr {
        self.proxy.address()
    }

    /// What stands before it.
    pub(super) fn proxy(&self) -> &Proxy {
        &self.proxy
    }

    /// Ends it at once.
    pub(super) fn kill(&mut self) -> io::Result<()> {
        self.process.kill()
    }

    /// Ends it as an operator does; returns before it has ended.
    pub(super) fn end(&self) -> io::Result<()> {
        self.process.signal("TERM")
    }

    /// Starts it again on what it had, and waits until it serves.
    pub(super) async fn start_again(&mut self) -> io::Result<()> {
        self.process.kill()?;
        self.process = launch(&self.libraries, &self.folder)?;
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
        waited.unwrap_or_else(|_| Err(Error::other(format!("Kafka does not start: see {}", log.display()))))
    }
}

fn log(folder: &Path) -> PathBuf {
    folder.join("kafka.log")
}

fn java(libraries: &Path) -> Command {
    let mut command = Command::new("java");
    command.arg("-cp").arg(libraries.join("*"));
    command
}

fn launch(libraries: &Path, folder: &Path) -> io::Result<Process> {
    let mut command = java(libraries);
    command
        .current_dir(folder)
        .args(["-Xmx512m", "-Xms256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"])
        .args(["-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"])
        .args(["-Dorg.slf4j.simpleLogger.log.kafka.server.KafkaRaftServer=info"])
        .args(["kafka.Kafka", "server.properties"]);
    fs::write(log(folder), "")?;
    Process::start(&mut command, &log(folder))
}
