//! A Redis of one's own.

use std::env::consts::ARCH;
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::ports::free_addresses;
use super::process::Process;

/// How long a Redis may take until it answers, or until a replica has all that its master has.
const READY_TIME_MAX: Duration = Duration::from_secs(20);

/// A running Redis, or one that was killed and can be started again on its data.
#[derive(Debug)]
pub(crate) struct Redis {
    program: PathBuf,
    folder: PathBuf,
    address: SocketAddr,
    master: Option<SocketAddr>,
    process: Process,
}

impl Redis {
    /// Starts one that keeps its data in `folder`; with a `master` it is a replica, and has all that its master has when
    /// this returns.
    pub(crate) async fn start(program: &Path, folder: PathBuf, master: Option<SocketAddr>) -> io::Result<Self> {
        fs::create_dir_all(&folder)?;
        let [address] = free_addresses()?;
        let process = launch(program, &folder, address, master)?;
        let mut redis = Self { program: program.to_owned(), folder, address, master, process };
        redis.wait().await?;
        Ok(redis)
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Ends it at once.
    pub(crate) fn kill(&mut self) -> io::Result<()> {
        self.process.kill()
    }

    /// Starts it again where it was, on what it had.
    pub(crate) fn start_again(&mut self) -> io::Result<()> {
        self.process = launch(&self.program, &self.folder, self.address, self.master)?;
        Ok(())
    }

    /// Stops it without ending it: connections stay, and nothing answers.
    pub(crate) fn pause(&self) -> io::Result<()> {
        self.process.signal("STOP")
    }

    /// Lets it go on.
    pub(crate) fn go_on(&self) -> io::Result<()> {
        self.process.signal("CONT")
    }

    /// Makes a master of a replica.
    pub(crate) async fn promote(&mut self) -> io::Result<()> {
        self.master = None;
        self.process.answers(self.address, "REPLICAOF NO ONE\r\n", "+OK", READY_TIME_MAX).await.map(drop)
    }

    async fn wait(&mut self) -> io::Result<()> {
        let (question, expected) = match self.master {
            None => ("PING\r\n", "+PONG"),
            Some(_) => ("INFO replication\r\n", "master_link_status:up"),
        };
        self.process.answers(self.address, question, expected, READY_TIME_MAX).await.map(drop)
    }
}

fn launch(program: &Path, folder: &Path, address: SocketAddr, master: Option<SocketAddr>) -> io::Result<Process> {
    let mut command = Command::new(program);
    // Debian's package that was unpacked and not installed has its libraries beside it.
    if let Some(libraries) = program.parent().map(|bin| bin.with_file_name("lib").join(format!("{ARCH}-linux-gnu")))
        && libraries.exists()
    {
        command.env("LD_LIBRARY_PATH", libraries);
    }
    let port = address.port().to_string();
    command
        .current_dir(folder)
        .args(["--bind", "127.0.0.1", "--port", &port, "--save", "", "--appendonly", "yes"])
        .args(["--repl-diskless-sync-delay", "0"]);
    if let Some(master) = master {
        command.args(["--replicaof", &format!("{} {}", master.ip(), master.port())]);
    }
    Process::start(&mut command, &folder.join("redis.log"))
}
