//! Processes that are ended with whoever started them.

use std::fs::File;
use std::io::{self, Error};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use crate::usage::{TICK, ticks};

/// Time between two looks at something that is waited for.
pub(crate) const POLL: Duration = Duration::from_millis(20);
/// How long a server may take for one answer to an operator.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);

/// A running process. It is killed when this is dropped, also where it was stopped by a signal.
#[derive(Debug)]
pub(crate) struct Process(Child);

impl Process {
    /// Starts a process whose output goes to the end of `log`.
    pub(crate) fn start(command: &mut Command, log: &Path) -> io::Result<Self> {
        let log = File::options().create(true).append(true).open(log)?;
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let started = command.spawn();
        let program = command.get_program().display();
        started.map(Self).map_err(|error| Error::new(error.kind(), format!("{program}: {error}")))
    }

    /// Runs it to its end.
    pub(crate) async fn finish(mut self) -> io::Result<ExitStatus> {
        self.ended().await
    }

    /// Waits until it has ended.
    pub(crate) async fn ended(&mut self) -> io::Result<ExitStatus> {
        loop {
            if let Some(status) = self.0.try_wait()? {
                return Ok(status);
            }
            sleep(POLL).await;
        }
    }

    /// Its number.
    pub(crate) fn id(&self) -> u32 {
        self.0.id()
    }

    /// Ends it at once, as a power cut does.
    pub(crate) fn kill(&mut self) -> io::Result<()> {
        self.0.kill()?;
        self.0.wait().map(drop)
    }

    /// The processor time it has used, its own and the system's on its behalf.
    pub(crate) fn cpu(&self) -> io::Result<Duration> {
        let [user, system] = ticks(self.id())?;
        Ok(TICK * user + TICK * system)
    }

    /// Sends a signal by its name, such as `STOP`.
    pub(crate) fn signal(&self, name: &str) -> io::Result<()> {
        let status = Command::new("kill").args(["-s", name, &self.id().to_string()]).status()?;
        status.success().then_some(()).ok_or_else(|| Error::other(format!("kill -s {name}: {status}")))
    }

    /// No file of it grows above so many bytes from now on: to write more is an error.
    pub(crate) fn limit_files(&self, bytes: u64) -> io::Result<()> {
        let (id, limit) = (self.id().to_string(), format!("--fsize={bytes}:"));
        let status = Command::new("prlimit").args(["--pid", &id, &limit]).status()?;
        status.success().then_some(()).ok_or_else(|| Error::other(format!("prlimit {limit}: {status}")))
    }

    /// An error where it has ended.
    pub(crate) fn check(&mut self) -> io::Result<()> {
        let ended = self.0.try_wait()?;
        ended.map_or(Ok(()), |status| Err(Error::other(format!("it ended: {status}"))))
    }

    /// Waits until the server at `address`, which is this process, answers `question` with something that has `expected`
    /// in it, at most `time_max`. Returns the answer.
    pub(crate) async fn answers(
        &mut self,
        address: SocketAddr,
        question: &str,
        expected: &str,
        time_max: Duration,
    ) -> io::Result<String> {
        let mut last = String::new();
        let wait = async {
            loop {
                self.check()?;
                match ask(address, question, expected).await {
                    Ok(answer) if answer.contains(expected) => return Ok(answer),
                    Ok(answer) => last = answer,
                    Err(error) => last = error.to_string(),
                }
                sleep(POLL).await;
            }
        };
        let waited = timeout(time_max, wait).await;
        waited.unwrap_or_else(|_| Err(Error::other(format!("{address} never says {expected:?}; at last: {last}"))))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // One that has ended by itself needs no end.
        let _ended = self.kill();
    }
}

/// What a server says to `question` until it ends the connection, or has said `expected`.
async fn ask(address: SocketAddr, question: &str, expected: &str) -> io::Result<String> {
    let mut bytes = Vec::new();
    let asked = async {
        let mut stream = TcpStream::connect(address).await?;
        stream.write_all(question.as_bytes()).await?;
        while stream.read_buf(&mut bytes).await? > 0 && !String::from_utf8_lossy(&bytes).contains(expected) {}
        Ok(())
    };
    let ended: io::Result<()> = timeout(ANSWER_TIMEOUT, asked).await.unwrap_or(Ok(()));
    ended.map(|()| String::from_utf8_lossy(&bytes).into_owned())
}

/// A command that keeps to a processor, as `taskset` names it, or to none.
pub(crate) fn pinned(program: &Path, processor: Option<&str>) -> Command {
    let Some(processor) = processor else { return Command::new(program) };
    let mut command = Command::new("taskset");
    command.args(["-c", processor]).arg(program);
    command
}

/// A command that a file which may not grow does not end, so that it sees an error as it does where the disk is full.
pub(crate) fn unsignalled(command: &Command) -> Command {
    let mut shell = Command::new("sh");
    shell.args(["-c", "trap '' XFSZ; exec \"$0\" \"$@\""]).arg(command.get_program()).args(command.get_args());
    shell
}

/// A request for a page of an operator's port.
pub(crate) fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nhost: vernier\r\nconnection: close\r\n\r\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(name: &str) -> std::path::PathBuf {
        std::env::temp_dir().join(format!("vernier-{}-{name}", std::process::id()))
    }

    #[test]
    fn a_process_ends_with_its_owner_also_while_it_is_stopped() {
        let log = log("stopped");
        let process = Process::start(Command::new("sleep").arg("600"), &log).unwrap();
        process.signal("STOP").unwrap();
        let id = process.id().to_string();
        drop(process);
        let there = Command::new("kill").args(["-0", &id]).stderr(Stdio::null()).status().unwrap();
        assert!(!there.success(), "{id} is still there");
        std::fs::remove_file(log).unwrap();
    }

    #[test]
    fn processor_time_is_that_of_the_process() {
        let log = log("busy");
        let mut process = Process::start(Command::new("sh").args(["-c", "while :; do :; done"]), &log).unwrap();
        while process.cpu().unwrap() < 5 * TICK {
            process.check().unwrap();
        }
        let idle = Process::start(Command::new("sleep").arg("600"), &log).unwrap();
        assert!(idle.cpu().unwrap() < 5 * TICK);
        std::fs::remove_file(log).unwrap();
    }

    #[tokio::test]
    async fn a_program_that_is_not_there_is_named_and_one_that_ended_is_not_waited_for() {
        let log = log("ended");
        let missing = Process::start(&mut Command::new("/no/such/program"), &log).unwrap_err();
        assert!(missing.to_string().starts_with("/no/such/program: "), "{missing}");
        let mut ended = Process::start(&mut Command::new("true"), &log).unwrap();
        let [nowhere] = crate::servers::ports::free_addresses().unwrap();
        let waited = ended.answers(nowhere, "?", "!", Duration::from_secs(600)).await.unwrap_err();
        assert!(waited.to_string().starts_with("it ended: "), "{waited}");
        std::fs::remove_file(log).unwrap();
    }
}
