//! A running `vernier` and a plain HTTP/1.1 client.

use std::fs::{self, OpenOptions};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Output, Stdio};
use std::time::{Duration, Instant};

use load_tests::servers::ports::free_addresses;
use serde_json::Value;
use tempfile::TempDir;

const BINARY: &str = env!("CARGO_BIN_EXE_vernier");
/// The file in the directory of a process that it prints its errors to.
const COMPLAINTS: &str = "complaints.txt";

/// A running process with its own data and ports.
pub(crate) struct Vernier {
    pub(crate) data: TempDir,
    bid: u16,
    admin: u16,
    arguments: Vec<String>,
    child: Option<(Child, BufReader<ChildStdout>)>,
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: String,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|_| panic!("no JSON: {}", String::from_utf8_lossy(&self.body)))
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.headers.lines().filter_map(|line| line.split_once(": "));
        lines.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
    }
}

impl Vernier {
    /// `vernier up --no-traffic`, ready.
    pub(crate) fn up() -> Self {
        Self::ready(tempfile::tempdir().expect("a directory"), &[])
    }

    /// The same with a configuration of its own.
    pub(crate) fn up_with(configuration: &str) -> Self {
        let data = tempfile::tempdir().expect("a directory");
        let file = write(data.path(), "vernier.toml", configuration);
        Self::ready(data, &["--config", &file])
    }

    fn ready(data: TempDir, more: &[&str]) -> Self {
        let arguments = [&["up", "--no-traffic"], more].concat().into_iter().map(str::to_owned).collect();
        let [bid, admin] = free_addresses().expect("free ports").map(|address| address.port());
        let mut vernier = Self { data, bid, admin, arguments, child: None };
        vernier.start();
        vernier
    }

    /// Starts it again on the same data.
    pub(crate) fn start(&mut self) {
        let complaints = OpenOptions::new().create(true).append(true).open(self.data.path().join(COMPLAINTS));
        let mut command = Command::new(BINARY);
        command.args(&self.arguments).stdout(Stdio::piped()).stderr(complaints.expect("a file"));
        self.environment(&mut command);
        let mut child = command.spawn().expect("the binary starts");
        let mut stdout = BufReader::new(child.stdout.take().expect("its output"));
        let mut line = String::new();
        while !line.starts_with("vernier is up") {
            line.clear();
            assert!(stdout.read_line(&mut line).expect("its output") > 0, "it ended before it was up");
        }
        self.child = Some((child, stdout));
    }

    /// What it has printed as errors since its first start.
    pub(crate) fn complaints(&self) -> String {
        fs::read_to_string(self.data.path().join(COMPLAINTS)).expect("text")
    }

    fn environment(&self, command: &mut Command) {
        command
            .env("VERNIER_DATA_DIR", self.data.path().join("data"))
            // Experiments split people by keys derived from this, so the same people are held out in every run.
            .env("VERNIER_SECRETS_ID_KEY", "00000000000000000000000000000001")
            .env("VERNIER_BID_LISTEN", format!("127.0.0.1:{}", self.bid))
            .env("VERNIER_ADMIN_LISTEN", format!("127.0.0.1:{}", self.admin));
    }

    /// Ends it at once, as a power cut does to a process.
    pub(crate) fn kill(&mut self) {
        let (mut child, _) = self.child.take().expect("it runs");
        child.kill().expect("it is killed");
        child.wait().expect("it has ended");
    }

    /// Ends it as an operator does; what it said last.
    pub(crate) fn terminate(&mut self) -> String {
        let (mut child, mut stdout) = self.child.take().expect("it runs");
        signal(&child, "TERM");
        let mut said = String::new();
        stdout.read_to_string(&mut said).expect("its output");
        assert!(child.wait().expect("it has ended").success(), "it drains without an error");
        said
    }

    /// Stops it, as a machine does that has no time for it; it goes on after what is done.
    pub(crate) fn while_it_stands_still<T>(&self, done: impl FnOnce(SocketAddr) -> T) -> T {
        let (child, _) = self.child.as_ref().expect("it runs");
        signal(child, "STOP");
        let done = done(SocketAddr::from(([127, 0, 0, 1], self.bid)));
        signal(child, "CONT");
        done
    }

    /// Runs a subcommand against it.
    pub(crate) fn command(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(BINARY);
        command.args(arguments);
        self.environment(&mut command);
        command.output().expect("the binary runs")
    }

    /// Runs a subcommand with the address of its admin port, and expects it to succeed.
    pub(crate) fn ask(&self, arguments: &[&str]) -> String {
        let admin = self.admin_address();
        let output = self.command(&[arguments, &["--admin", &admin]].concat());
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {error}");
        String::from_utf8(output.stdout).expect("text")
    }

    pub(crate) fn admin_address(&self) -> String {
        format!("127.0.0.1:{}", self.admin)
    }

    /// The records of a stream.
    pub(crate) fn events(&self, stream: &str) -> Vec<Value> {
        let output = self.command(&["events", "cat", stream]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let lines = output.stdout.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        lines.map(|line| serde_json::from_slice(line).expect("JSON")).collect()
    }

    /// What the stream has of impressions.
    pub(crate) fn outcomes(&self) -> Vec<Value> {
        self.events("outcomes").into_iter().filter(|outcome| outcome["kind"] != "watermark").collect()
    }

    pub(crate) fn post_bid(&self, exchange: &str, body: &[u8]) -> Answer {
        request(self.bid, "POST", &format!("/bid/{exchange}"), &[], body)
    }

    pub(crate) fn post_bid_with(&self, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        request(self.bid, "POST", "/bid/demo", headers, body)
    }

    pub(crate) fn get_admin(&self, path: &str) -> Answer {
        request(self.admin, "GET", path, &[], b"")
    }

    /// Follows a notice URL as an exchange does.
    pub(crate) fn call(&self, url: &str) -> Answer {
        let path = url.strip_prefix(&format!("http://127.0.0.1:{}", self.bid)).expect("a URL of ours");
        request(self.bid, "GET", path, &[], b"")
    }

    /// The price of the bid on a request of `user`.
    pub(crate) fn price(&self, user: &str) -> f64 {
        self.bid(user)["price"].as_f64().expect("a price")
    }

    /// The one bid on a request of `user`.
    pub(crate) fn bid(&self, user: &str) -> Value {
        let answer = self.post_bid("demo", &bid_request(user));
        assert_eq!(answer.status, 200, "{user} gets a bid");
        answer.json()["seatbid"][0]["bid"][0].clone()
    }
}

impl Drop for Vernier {
    fn drop(&mut self) {
        if let Some((mut child, _)) = self.child.take() {
            let _ended_already = child.kill();
            let _ended_already = child.wait();
        }
        if std::thread::panicking() {
            eprintln!("{}", self.complaints());
        }
    }
}

fn signal(child: &Child, name: &str) {
    let told = Command::new("kill").args(["-s", name, &child.id().to_string()]).status().expect("kill runs");
    assert!(told.success());
}

/// The servers that a variable of the environment names, or those of `deploy/local/services`.
#[expect(clippy::disallowed_methods, reason = "tests are told where the servers are")]
pub(crate) fn servers(variable: &str, default: &str) -> Vec<String> {
    let given = std::env::var(variable).unwrap_or_else(|_| default.to_owned());
    given.split(',').map(str::to_owned).collect()
}

/// A part of a server that a variable of the environment names, for servers of a test's own.
pub(crate) fn server_part(variable: &str, default: &str) -> PathBuf {
    std::env::var_os(variable).map_or_else(|| default.into(), PathBuf::from)
}

/// A banner request of 300x250.
pub(crate) fn bid_request(user: &str) -> Vec<u8> {
    format!(
        r#"{{"id":"r-{user}","imp":[{{"id":"1","banner":{{"w":300,"h":250}},"bidfloor":0.1}}],"tmax":10000,"site":{{"domain":"news.example"}},"user":{{"id":"{user}"}}}}"#
    )
    .into_bytes()
}

fn request(port: u16, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("it listens");
    let mut head =
        format!("{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {}\r\n", body.len());
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    stream.write_all(format!("{head}\r\n").as_bytes()).expect("the head is sent");
    stream.write_all(body).expect("the body is sent");
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).expect("an answer");
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n").expect("a head");
    let headers = String::from_utf8(bytes[..end].to_vec()).expect("text");
    let status = headers.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    let body = bytes.split_off(end + 4);
    let chunked = headers.to_ascii_lowercase().contains("transfer-encoding: chunked");
    Answer { status, headers, body: if chunked { unchunked(&body) } else { body } }
}

fn unchunked(mut bytes: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    loop {
        let end = bytes.windows(2).position(|window| window == b"\r\n").expect("a chunk");
        let length = std::str::from_utf8(&bytes[..end]).ok().and_then(|text| usize::from_str_radix(text, 16).ok());
        let length = length.expect("a length");
        if length == 0 {
            return body;
        }
        body.extend_from_slice(&bytes[end + 2..end + 2 + length]);
        bytes = &bytes[end + 4 + length..];
    }
}

/// Waits for a change that travels through a stream. Each look asks a process, so it ends when that does; a change that
/// never comes is caught by a bound far beyond what any takes.
pub(crate) fn until(holds: impl Fn() -> bool, shown: &dyn Fn() -> String) {
    let started = Instant::now();
    while !holds() {
        assert!(started.elapsed() < Duration::from_secs(120), "never: {}", shown());
        std::thread::park_timeout(Duration::from_millis(2));
    }
}

/// What a campaign does, by an explanation: its first word.
pub(crate) fn result<'e>(explained: &'e str, campaign: &str) -> &'e str {
    let mut lines = explained.lines().map(str::split_whitespace);
    let result = lines.find_map(|mut words| (words.next() == Some(campaign)).then(|| words.next()));
    result.flatten().unwrap_or_default().trim_end_matches(';')
}

/// Writes a file and returns its path as text.
pub(crate) fn write(dir: &Path, name: &str, text: &str) -> String {
    let path = dir.join(name);
    fs::write(&path, text).expect("the file is written");
    path.to_str().expect("text").to_owned()
}
