//! Redis servers of a test's own, on ports of their own, each ended with it.

use std::env::consts::ARCH;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};

use tempfile::TempDir;

pub(crate) struct Server {
    process: Child,
    pub(crate) port: u16,
    output: BufReader<ChildStdout>,
    _folder: TempDir,
}

impl Server {
    /// Starts a Redis that keeps nothing, with `options` besides. It takes connections when this returns.
    pub(crate) fn start(options: &[&str]) -> Self {
        let [port] = free_ports();
        Self::start_in(tempfile::tempdir().unwrap(), port, options)
    }

    /// Starts the two masters of a cluster, each with half of the slots. They know one another from the start.
    pub(crate) fn cluster() -> [Self; 2] {
        let free: [u16; 4] = free_ports();
        let (ports, buses) = free.split_at(2);
        let mut masters = [0, 1].map(|own| {
            let folder = tempfile::tempdir().unwrap();
            let nodes = [0, 1].map(|at| {
                let (port, bus, myself) = (ports[at], buses[at], if at == own { "myself," } else { "" });
                let (first, last) = (8_192 * at, 8_192 * at + 8_191);
                format!("{at:040x} 127.0.0.1:{port}@{bus} {myself}master - 0 0 {at} connected {first}-{last}\n")
            });
            let known = nodes.concat() + "vars currentEpoch 1 lastVoteEpoch 0\n";
            std::fs::write(folder.path().join("nodes.conf"), known).unwrap();
            let bus = buses[own].to_string();
            Self::start_in(folder, ports[own], &["--cluster-enabled", "yes", "--cluster-port", &bus])
        });
        masters.iter_mut().for_each(|master| master.wait_until_it_says("Cluster state changed: ok"));
        masters
    }

    fn start_in(folder: TempDir, port: u16, options: &[&str]) -> Self {
        let binary = binary();
        // Debian's package that was unpacked and not installed has its libraries beside it.
        let libraries = binary.parent().unwrap().with_file_name("lib").join(format!("{ARCH}-linux-gnu"));
        let mut process = Command::new(&binary)
            .args(["--bind", "127.0.0.1", "--save", "", "--port", &port.to_string()])
            .args(options)
            .current_dir(&folder)
            .env("LD_LIBRARY_PATH", libraries)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{}: {error}: run deploy/local/services up", binary.display()));
        let output = BufReader::new(process.stdout.take().unwrap());
        let mut server = Self { process, port, output, _folder: folder };
        server.wait_until_it_says("Ready to accept connections");
        server
    }

    fn wait_until_it_says(&mut self, what: &str) {
        let mut said = String::new();
        while !said.contains(what) {
            assert_ne!(self.output.read_line(&mut said).unwrap(), 0, "redis-server ended: {said}");
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // One that has ended by itself needs no end.
        let _ended = self.process.kill();
        let _status = self.process.wait();
    }
}

/// Ports that are free at this moment, each another one, below those that systems give to clients unasked.
pub(crate) fn free_ports<const N: usize>() -> [u16; N] {
    let listener = || std::iter::repeat_with(|| rand::random_range(18_000..32_000)).find_map(bound).unwrap();
    let listeners: [TcpListener; N] = std::array::from_fn(|_| listener());
    listeners.map(|listener| listener.local_addr().unwrap().port())
}

fn bound(port: u16) -> Option<TcpListener> {
    TcpListener::bind(("127.0.0.1", port)).ok()
}

/// The `redis-server` of the environment, or the one that `deploy/local/services` unpacked, or that of the system.
#[expect(clippy::disallowed_methods, reason = "tests are told where the servers are")]
fn binary() -> PathBuf {
    if let Ok(given) = std::env::var("REDIS_SERVER") {
        return given.into();
    }
    // This program is `target/release/deps/…`.
    let target = std::env::current_exe().unwrap().ancestors().nth(3).unwrap().to_owned();
    let unpacked = target.join("services/redis/unpacked/usr/bin/redis-server");
    let folders = std::env::var("PATH").unwrap_or_default();
    let installed = std::env::split_paths(&folders).map(|folder| folder.join("redis-server"));
    installed.chain([unpacked]).find(|path| path.exists()).expect("a redis-server: run deploy/local/services up")
}
