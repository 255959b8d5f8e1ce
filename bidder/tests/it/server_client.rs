//! A server on loopback with a handler that echoes, and a client that sees the wire.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use bidder::server::{Fields, Handler, Inbound, Post, Readiness, Reply, ServerCounters, serve};
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, StatusCode};
use tokio::sync::oneshot;

static FIELDS: [(HeaderName, HeaderValue); 1] =
    [(HeaderName::from_static("x-always"), HeaderValue::from_static("there"))];

/// Answers with the body it was sent, or as the path says.
struct Echo;

impl Handler for Echo {
    async fn handle(&self, request: Inbound) -> Reply {
        assert!(request.accepted.wall.0 > 1_700_000_000_000_000, "microseconds since 1970");
        let text = |body: Bytes| Reply::ok(HeaderValue::from_static("text/plain"), body);
        match (request.method, request.uri.path()) {
            (Method::POST, "/bid/demo") => text(request.body),
            (Method::POST, "/length") => text(request.body.len().to_string().into()),
            (Method::POST, "/nobid") => Reply::empty(StatusCode::NO_CONTENT),
            (Method::POST, "/not-a-bid-request") => Reply::empty(StatusCode::BAD_REQUEST),
            (Method::GET | Method::HEAD, "/page") => text("x".repeat(2_000).into()),
            (Method::GET, "/query") => text(request.uri.query().unwrap_or_default().to_owned().into()),
            (Method::GET, "/click") => Reply::redirect(HeaderValue::from_static("https://a.test/?b")),
            (Method::GET, "/panic") => panic!("asked to"),
            (Method::OPTIONS, _) => Reply::empty(StatusCode::METHOD_NOT_ALLOWED),
            _ => Reply::empty(StatusCode::NOT_FOUND),
        }
    }

    fn patience(&self, _: &Post<'_>) -> Option<Duration> {
        None
    }

    fn own_time(&self) -> Duration {
        Duration::ZERO
    }

    fn turned_away(&self) {}

    fn fields(&self, path: &str) -> Fields {
        if path == "/query" { &[] } else { &FIELDS }
    }
}

/// A server that runs until it is told to stop, or until the test process ends.
pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    pub(crate) counters: Arc<ServerCounters>,
    pub(crate) readiness: Arc<Readiness>,
    stop: oneshot::Sender<()>,
    thread: JoinHandle<io::Result<()>>,
}

impl Running {
    pub(crate) fn start(cores: usize) -> Self {
        Self::with(cores, |_| Echo)
    }

    /// A server of other handlers.
    pub(crate) fn with<H: Handler>(cores: usize, make: impl Fn(usize) -> H + Send + Sync + 'static) -> Self {
        let cores = NonZeroUsize::new(cores).expect("at least one core");
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
        let address = listener.local_addr().expect("it is bound");
        let (counters, readiness) = (Arc::<ServerCounters>::default(), Arc::<Readiness>::default());
        readiness.warmed();
        let (stop, stopped) = oneshot::channel();
        let (its_counters, its_readiness) = (Arc::clone(&counters), Arc::clone(&readiness));
        let thread = thread::spawn(move || {
            let shutdown = async { stopped.await.unwrap_or(()) };
            serve(listener, cores, make, its_counters, its_readiness, shutdown)
        });
        Self { address, counters, readiness, stop, thread }
    }

    pub(crate) fn client(&self) -> Client {
        Client::connect(self.address).expect("the server accepts")
    }

    /// Begins the drain. What is returned waits for its end.
    pub(crate) fn stop(self) -> JoinHandle<io::Result<()>> {
        self.stop.send(()).expect("the server runs");
        self.thread
    }
}

/// One connection, as its client sees it.
pub(crate) struct Client(BufReader<TcpStream>);

pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// The value of a header field.
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }

    pub(crate) fn closes(&self) -> bool {
        self.field("connection") == Some("close")
    }
}

impl Client {
    pub(crate) fn connect(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        Ok(Self(BufReader::new(stream)))
    }

    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.0.get_mut().write_all(bytes.as_ref()).expect("the server reads");
    }

    /// Reads an answer with `content-length`, or one whose status has no body.
    pub(crate) fn answer(&mut self) -> Answer {
        self.try_answer(true).expect("the server answers")
    }

    pub(crate) fn try_answer(&mut self, has_body: bool) -> io::Result<Answer> {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if self.0.read_line(&mut head)? == 0 {
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, format!("after {head:?}")));
            }
        }
        let status = head[9..12].parse().expect("a status line");
        let mut answer = Answer { status, head, body: Vec::new() };
        let length = answer.field("content-length").map_or(0, |length| length.parse().expect("a length"));
        answer.body = vec![0; if has_body { length } else { 0 }];
        self.0.read_exact(&mut answer.body)?;
        Ok(answer)
    }

    pub(crate) fn ask(&mut self, bytes: impl AsRef<[u8]>) -> Answer {
        self.send(bytes);
        self.answer()
    }

    /// What still comes until the server closes.
    pub(crate) fn rest(mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        self.0.read_to_end(&mut rest).expect("the server closes in order");
        rest
    }
}

/// A POST request with more header fields, each ending its line.
pub(crate) fn post(path: &str, fields: &str, body: &[u8]) -> Vec<u8> {
    let head = format!("POST {path} HTTP/1.1\r\nhost: a\r\n{fields}content-length: {}\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

/// A chunked POST request in chunks of `size` bytes.
pub(crate) fn chunked(path: &str, body: &[u8], size: usize) -> Vec<u8> {
    let mut request = format!("POST {path} HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n").into_bytes();
    for chunk in body.chunks(size) {
        request.extend(format!("{:x}\r\n", chunk.len()).as_bytes());
        request.extend(chunk);
        request.extend(b"\r\n");
    }
    request.extend(b"0\r\n\r\n");
    request
}
