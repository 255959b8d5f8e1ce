//! Connections to one server, each with one request on its way at most.

use std::io::{self, ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::time::Instant;

use mio::net::TcpStream;
use mio::{Interest, Registry, Token};

use super::wire;

/// How much is read at once; most answers are shorter.
const READ_BYTES: usize = 16 * 1024;

/// Connections whose requests are of one kind; `T` is what is remembered of a request until its answer is there.
#[derive(Debug)]
pub(super) struct Lane<T> {
    address: SocketAddr,
    /// The number of its first connection among those of all lanes.
    first: usize,
    connections: Vec<Connection<T>>,
    idle: Vec<usize>,
    opened: u64,
}

#[derive(Debug)]
struct Connection<T> {
    /// Opened when it is first needed, and again when it was closed.
    stream: Option<TcpStream>,
    out: Vec<u8>,
    written: usize,
    read: Vec<u8>,
    job: Option<(T, Instant)>,
}

/// What became of a request.
#[derive(Debug)]
pub(super) struct Done<'a, T> {
    pub(super) job: T,
    pub(super) sent: Instant,
    /// Status and body; `None`: the connection failed.
    pub(super) answer: Option<(u16, &'a [u8])>,
}

impl<T> Lane<T> {
    pub(super) fn new(address: SocketAddr, first: usize, connections: usize) -> Self {
        let connection = |_| Connection { stream: None, out: Vec::new(), written: 0, read: Vec::new(), job: None };
        let (connections, idle) = ((0..connections).map(connection).collect(), (0..connections).rev().collect());
        Self { address, first, connections, idle, opened: 0 }
    }

    /// Whether a request could be sent now.
    pub(super) fn has_room(&self) -> bool {
        !self.idle.is_empty()
    }

    /// Requests on their way.
    pub(super) fn in_flight(&self) -> usize {
        self.connections.len() - self.idle.len()
    }

    /// Connections that were opened.
    pub(super) fn opened(&self) -> u64 {
        self.opened
    }

    /// Sends a request whose bytes `fill` appends, over the connection that was last used, as pools of connections do.
    /// There must be room for it.
    pub(super) fn send(
        &mut self,
        registry: &Registry,
        job: T,
        now: Instant,
        fill: impl FnOnce(&mut Vec<u8>),
        done: impl FnOnce(Done<'_, T>),
    ) {
        let number = self.idle.pop().expect("there is room");
        let connection = &mut self.connections[number];
        connection.out.clear();
        connection.written = 0;
        connection.read.clear();
        fill(&mut connection.out);
        connection.job = Some((job, now));
        let opened = match connection.stream {
            Some(_) => Ok(()),
            None => open(self.address, registry, Token(self.first + number)).map(|stream| {
                self.opened += 1;
                connection.stream = Some(stream);
            }),
        };
        if opened.and_then(|()| connection.write()).is_err() {
            self.failed(number, done);
        }
    }

    /// Goes on with a connection of which something was heard.
    pub(super) fn heard(&mut self, number: usize, done: impl FnOnce(Done<'_, T>)) {
        let number = number - self.first;
        let connection = &mut self.connections[number];
        if connection.write().and_then(|()| connection.receive()).is_err() {
            return self.failed(number, done);
        }
        match wire::answer(&connection.read) {
            Ok(None) => {}
            Ok(Some(answer)) => {
                // An answer that nobody asked for, or two for one.
                if answer.bytes != connection.read.len() {
                    return self.failed(number, done);
                }
                let Some((job, sent)) = connection.job.take() else { return self.failed(number, done) };
                if answer.closes {
                    connection.stream = None;
                }
                self.idle.push(number);
                done(Done { job, sent, answer: Some((answer.status, &connection.read[answer.body])) });
                connection.read.clear();
            }
            Err(wire::NoAnswer) => self.failed(number, done),
        }
    }

    /// Gives a connection up. One that was idle is opened again when it is needed.
    fn failed(&mut self, number: usize, done: impl FnOnce(Done<'_, T>)) {
        let connection = &mut self.connections[number];
        connection.stream = None;
        connection.read.clear();
        if let Some((job, sent)) = connection.job.take() {
            self.idle.push(number);
            done(Done { job, sent, answer: None });
        }
    }

    /// Those that are still on their way, given up.
    pub(super) fn abandon(&mut self, mut done: impl FnMut(Done<'_, T>)) {
        for connection in &mut self.connections {
            if let Some((job, sent)) = connection.job.take() {
                connection.stream = None;
                done(Done { job, sent, answer: None });
            }
        }
    }
}

impl<T> Connection<T> {
    /// Writes what the system takes.
    fn write(&mut self) -> io::Result<()> {
        let Some(stream) = &mut self.stream else { return Ok(()) };
        while self.written < self.out.len() {
            match stream.write(&self.out[self.written..]) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(taken) => self.written += taken,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                // It is told when more can be written; so it is where the connection is not there yet.
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::NotConnected) => break,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Reads what is there.
    fn receive(&mut self) -> io::Result<()> {
        let Some(stream) = &mut self.stream else { return Ok(()) };
        loop {
            let before = self.read.len();
            self.read.resize(before + READ_BYTES, 0);
            let outcome = stream.read(&mut self.read[before..]);
            self.read.truncate(before + *outcome.as_ref().unwrap_or(&0));
            match outcome {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                // Less than asked for is all there is: what comes later is told.
                Ok(taken) if taken < READ_BYTES => return Ok(()),
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::NotConnected) => return Ok(()),
                Err(error) => return Err(error),
            }
        }
    }
}

fn open(address: SocketAddr, registry: &Registry, token: Token) -> io::Result<TcpStream> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    registry.register(&mut stream, token, Interest::READABLE | Interest::WRITABLE)?;
    Ok(stream)
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::thread;

    use mio::{Events, Poll};

    use super::*;

    /// Asks a server that answers with these bytes: the status, or `None` where the connection failed. In any case something
    /// is heard of the request, and there is room for another one.
    fn check(answer: &'static [u8], expected: Option<u16>) {
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = server.local_addr().unwrap();
        let server = thread::spawn(move || {
            let (mut client, _) = server.accept().unwrap();
            client.read_exact(&mut [0; 3]).unwrap();
            client.write_all(answer).unwrap();
            client
        });
        let (mut poll, mut events) = (Poll::new().unwrap(), Events::with_capacity(8));
        let (mut lane, mut heard) = (Lane::new(address, 0, 1), None);
        lane.send(poll.registry(), "job", Instant::now(), |out| out.extend(b"ask"), |_| unreachable!("it is sent"));
        while heard.is_none() {
            poll.poll(&mut events, None).unwrap();
            for _ in &events {
                lane.heard(0, |done| heard = Some((done.job, done.answer.map(|(status, _)| status))));
            }
        }
        assert_eq!(heard, Some(("job", expected)));
        assert!(lane.has_room() && lane.in_flight() == 0);
        server.join().unwrap();
    }

    #[test]
    fn a_request_has_one_answer() {
        check(b"HTTP/1.1 204 No Content\r\n\r\n", Some(204));
        check(b"HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n", None);
        check(b"HTTP/1.1 204 No Content\r\ncontent-length: 1\r\n\r\nx", None);
        check(b"not HTTP\r\n\r\n", None);
    }
}
