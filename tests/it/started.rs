//! A running `vernier` as a shell starts it, with everything it says.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

/// A process that a shell started on ports that were free, and what it said first.
pub(crate) struct Started {
    pub(crate) data: TempDir,
    pub(crate) child: Child,
    pub(crate) said: String,
}

impl Started {
    /// Runs `vernier` with `arguments` behind `before`, until it says `last`.
    pub(crate) fn new(before: &str, arguments: &str, last: &str) -> Self {
        Self::on(tempfile::tempdir().expect("a directory"), before, arguments, last)
    }

    /// The same on data that is there.
    pub(crate) fn on(data: TempDir, before: &str, arguments: &str, last: &str) -> Self {
        let mut child = Command::new("sh")
            .args(["-c", &format!("{before} exec '{}' {arguments} 2>&1", env!("CARGO_BIN_EXE_vernier"))])
            .env("VERNIER_DATA_DIR", data.path().join("its data"))
            .env("VERNIER_BID_LISTEN", "127.0.0.1:0")
            .env("VERNIER_ADMIN_LISTEN", "127.0.0.1:0")
            .stdout(Stdio::piped())
            .spawn()
            .expect("a shell runs");
        let mut lines = BufReader::new(child.stdout.take().expect("its output"));
        let mut said = String::new();
        while !said.contains(last) {
            assert!(lines.read_line(&mut said).expect("text") > 0, "it ended: {said}");
        }
        child.stdout = Some(lines.into_inner());
        Self { data, child, said }
    }

    /// The first address behind `what` that it printed.
    pub(crate) fn address(&self, what: &str) -> &str {
        let behind = self.said.split_once(what).expect("it is printed").1;
        let address = behind.split_once("http://").expect("an address").1;
        address.split(['/', ' ', '\n', ',']).next().expect("an address")
    }
}

impl Started {
    /// Its data, once it has ended.
    pub(crate) fn keep(mut self) -> TempDir {
        let _ended_already = self.child.kill();
        self.child.wait().expect("it has ended");
        std::mem::replace(&mut self.data, tempfile::tempdir().expect("a directory"))
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        let _ended_already = self.child.kill();
        let _ended_already = self.child.wait();
    }
}

/// The answer to one request, head and body.
pub(crate) fn request(address: &str, head: &str, body: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).expect("it listens");
    let head = format!("{head} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {}\r\n\r\n", body.len());
    stream.write_all(head.as_bytes()).expect("the head is sent");
    stream.write_all(body).expect("the body is sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("text");
    answer
}
