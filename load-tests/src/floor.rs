//! The floor: a bare hyper server that reads each body to its end and answers with bytes it was given. What a bidder
//! takes beyond this is its own work.

use std::cell::Cell;
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use tokio::task::{LocalSet, spawn_local};

use crate::load::{Kept, Target};
use crate::servers::ports::free_addresses;
use crate::servers::process::{Process, get, pinned};

/// How long it may take to start.
const READY_TIME_MAX: Duration = Duration::from_secs(10);

/// An answer to a bid request.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub(crate) struct Canned {
    pub(crate) status: u16,
    pub(crate) body: String,
}

impl Canned {
    /// An answer as it came; only text can be kept.
    pub(crate) fn of(kept: &Kept) -> io::Result<Self> {
        let body = String::from_utf8(kept.body.clone()).map_err(io::Error::other)?;
        Ok(Self { status: kept.status, body })
    }
}

/// Writes answers, one a line.
fn write(path: &Path, answers: &[Canned]) -> io::Result<()> {
    let lines: Result<Vec<String>, _> = answers.iter().map(serde_json::to_string).collect();
    std::fs::write(path, lines?.join("\n"))
}

/// Serves the answers of a file at `address`, each in its turn, until the process ends; on one thread, as one core of a
/// bidder does. What is no POST is answered 204.
///
/// # Errors
/// The file has no answers, or the address cannot be had.
pub fn serve(address: SocketAddr, answers: &Path) -> io::Result<()> {
    let text = std::fs::read_to_string(answers)?;
    let answers: Result<Vec<Canned>, _> = text.lines().map(serde_json::from_str).collect();
    let answers: Vec<(StatusCode, Bytes)> = answers?
        .into_iter()
        .map(|canned| Ok((StatusCode::from_u16(canned.status).map_err(io::Error::other)?, canned.body.into())))
        .collect::<io::Result<_>>()?;
    if answers.is_empty() {
        return Err(io::Error::other("no answers"));
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let turns = Rc::new(Turns { answers, next: Cell::new(0) });
    LocalSet::new().block_on(&runtime, async {
        let listener = TcpListener::bind(address).await?;
        println!("floor: http://{address}/");
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            let turns = Rc::clone(&turns);
            spawn_local(async move {
                let service = service_fn(|request| turns.answer(request));
                // A client that breaks its connection has nothing to be told.
                let _broken = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
            });
        }
    })
}

struct Turns {
    answers: Vec<(StatusCode, Bytes)>,
    next: Cell<usize>,
}

/// That server as a process of its own.
#[derive(Debug)]
pub(crate) struct Floor {
    pub(crate) target: Target,
    pub(crate) process: Process,
}

impl Floor {
    /// Starts it on some processor, as `taskset` names it, or on any. What it writes is in `folder`.
    pub(crate) async fn start(folder: &Path, answers: &[Canned], processor: Option<&str>) -> io::Result<Self> {
        let (file, log) = (folder.join("floor-answers.jsonl"), folder.join("floor.log"));
        write(&file, answers)?;
        let [address] = free_addresses()?;
        let mut command = pinned(&std::env::current_exe()?, processor);
        command.args(["floor", "--listen", &address.to_string(), "--answers"]).arg(&file);
        let mut process = Process::start(&mut command, &log)?;
        process.answers(address, &get("/"), "HTTP/1.1 204", READY_TIME_MAX).await?;
        let target = Target::new(&format!("http://{address}/bid/floor")).map_err(io::Error::other)?;
        Ok(Self { target, process })
    }
}

impl Turns {
    async fn answer(&self, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
        let asks = request.method() == Method::POST;
        // A body that breaks off ends the connection by itself.
        let _body = request.into_body().collect().await;
        let mut response = Response::new(Full::default());
        *response.status_mut() = StatusCode::NO_CONTENT;
        if asks {
            let turn = self.next.replace((self.next.get() + 1) % self.answers.len());
            let (status, body) = &self.answers[turn];
            *response.status_mut() = *status;
            let headers = response.headers_mut();
            if !body.is_empty() {
                headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8"));
            }
            headers.insert(HeaderName::from_static("x-openrtb-version"), HeaderValue::from_static("2.5"));
            *response.body_mut() = Full::new(body.clone());
        }
        Ok(response)
    }
}
