//! One connection, from its first byte to its last.

use std::any::Any;
use std::cell::RefCell;
use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::{Semaphore, watch};
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::body::{Refusal, receive};
use super::counters::{Count, ServerCounters};
use super::encoding::{Gzip, accepts_gzip};
use super::gate::Gated;
use super::post::Post;
use super::readiness::Readiness;
use super::reply::Reply;
use super::turnstile::{Turn, Turnstile};
use super::watch::{Watch, Watched};
use super::{Handler, Inbound, Moment};
use crate::limits::{BUFFER_BYTES_MAX, GZIP_BYTES_MIN, HEAD_BYTES_MAX, IDLE_TIME_MAX, LINGER_TIME_MAX, PUSHED_PAUSE};

/// What the connections of one core share.
#[derive(Debug)]
pub(super) struct Core<H> {
    pub(super) number: usize,
    pub(super) handler: H,
    pub(super) counters: Arc<ServerCounters>,
    pub(super) readiness: Arc<Readiness>,
    /// When the drain began, once it has.
    pub(super) drain: watch::Receiver<Option<Instant>>,
    pub(super) gzip: RefCell<Gzip>,
    pub(super) turnstile: Turnstile,
    /// For one request at a time that did not wait for the answer to the one ahead of it.
    pub(super) pushed: Semaphore,
}

impl<H: Handler> Core<H> {
    fn count(&self, what: Count) {
        self.counters.add(self.number, what, 1);
    }

    /// Serves one connection until either side ends it or something takes too long.
    pub(super) async fn serve(&self, io: impl AsyncRead + AsyncWrite + Unpin) {
        let watch = Watch::new();
        let io = TokioIo::new(Watched { io: Gated::new(io, &watch, self), watch: &watch });
        let mut connection = builder().serve_connection(io, service_fn(|request| self.answer(&watch, request)));
        let mut drain = self.drain.clone();
        let mut drain = pin!(async move { drain.wait_for(Option::is_some).await.map_or(None, |began| *began) });
        let mut draining = None;
        let mut sleep = pin!(sleep_until(Instant::now() + IDLE_TIME_MAX));
        let ended = loop {
            tokio::select! {
                // The clock is asked after the connection has had its turn.
                biased;
                ended = &mut connection => break ended,
                late = watch.expired(draining, sleep.as_mut()) => return self.count(late),
                began = &mut drain, if draining.is_none() => draining = Some(began.unwrap_or_else(Instant::now)),
            }
        };
        if let Err(error) = ended {
            self.count(if error.is_parse() { Count::HeadRefused } else { Count::Broken });
        }
        linger(connection.into_parts().io.into_inner().io.io).await;
    }

    /// Takes note of a connection that the runtime could not take in.
    pub(super) fn not_served(&self, error: &io::Error) {
        self.count(Count::AcceptFailed);
        tracing::error!(%error, "no connection could be served");
    }

    async fn answer(&self, watch: &Watch, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
        let told = watch.told();
        let accepted = told.map_or_else(Moment::now, |(arrived, _)| arrived);
        self.count(Count::Requests);
        if watch.is_pushed() {
            self.let_others_first().await;
        }
        let (gzip, fields) = (accepts_gzip(request.headers()), self.handler.fields(request.uri().path()));
        let mut reply = match self.inbound(watch, request, accepted).await {
            Ok(inbound) => self.take_turn(told.map(|(_, turn)| turn), inbound).await,
            Err(refusal) => {
                self.count(refusal.count());
                refusal.reply()
            }
        };
        // Requests that came right behind this one are still answered.
        reply.close |= self.readiness.draining() && !watch.has_more();
        let compressed = if gzip && reply.body.len() >= GZIP_BYTES_MIN {
            self.gzip.borrow_mut().compress(&reply.body)
        } else {
            None
        };
        watch.answered();
        Ok(reply.into_response(fields, compressed))
    }

    /// Holds up a request that did not wait for the answer to the one ahead of it. No exchange sends such, and a client that
    /// asks on and on without taking its answers must not cost those who wait for theirs.
    async fn let_others_first(&self) {
        // It is closed only with the core.
        let _turn = self.pushed.acquire().await;
        sleep(PUSHED_PAUSE).await;
    }

    /// Takes note of a request that was answered 204 in front of hyper.
    pub(super) fn turned_away(&self) {
        self.count(Count::Requests);
        self.handler.turned_away();
    }

    /// Handles a request when it is its turn, unless it was turned away.
    async fn take_turn(&self, told: Option<Turn>, request: Inbound) -> Reply {
        let turn = match told {
            Some(turn) => turn,
            None => self.turn(&request).await,
        };
        match turn {
            Turn::Begin => self.handle(request).await,
            Turn::TurnAway => {
                self.handler.turned_away();
                Reply::empty(StatusCode::NO_CONTENT)
            }
        }
    }

    /// Waits until it is this request's turn, if it has to.
    async fn turn(&self, request: &Inbound) -> Turn {
        // Whatever is posted takes a place: only where there is none does it matter what it is.
        if request.method != Method::POST || self.turnstile.begins() {
            return Turn::Begin;
        }
        let post = Post { path: request.path(), body: &request.body, encoded: false };
        match self.handler.patience(&post) {
            Some(patience) => self.turnstile.queue(request.accepted, patience).told().await,
            None => Turn::Begin,
        }
    }

    async fn inbound(&self, watch: &Watch, request: Request<Incoming>, accepted: Moment) -> Result<Inbound, Refusal> {
        if !watch.request() {
            return Err(Refusal::LengthAmbiguous);
        }
        let (head, body) = request.into_parts();
        let body = receive(&head.headers, body).await?;
        Ok(Inbound { method: head.method, uri: head.uri, headers: head.headers, body, accepted })
    }

    async fn handle(&self, inbound: Inbound) -> Reply {
        match caught(self.handler.handle(inbound)).await {
            Ok(reply) => reply,
            Err(panic) => {
                self.count(Count::Panicked);
                tracing::error!(panic = text_of(panic.as_ref()), "handler panicked");
                Reply::closing(StatusCode::INTERNAL_SERVER_ERROR)
            }
        }
    }
}

fn builder() -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        // hyper's one clock for heads cannot tell silence from slowness: `Watch` does.
        .header_read_timeout(None)
        // A client may end its side and still wait for the answer.
        .half_close(true)
        .max_header_size(HEAD_BYTES_MAX)
        .max_buf_size(BUFFER_BYTES_MAX);
    builder
}

/// Ends our side and waits a while until the client has ended its own.
async fn linger(mut io: impl AsyncRead + AsyncWrite + Unpin) {
    let closing = async {
        io.shutdown().await?;
        let mut unread = vec![0; 4096];
        while io.read(&mut unread).await? > 0 {}
        io::Result::Ok(())
    };
    // The client has closed, is gone, or does not close: nothing is left to do in any case.
    let _ = timeout(LINGER_TIME_MAX, closing).await;
}

/// What `future` gives, or what it panicked with.
async fn caught<F: Future>(future: F) -> Result<F::Output, Box<dyn Any + Send>> {
    let mut future = pin!(future);
    poll_fn(|cx| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx))) {
        Ok(poll) => poll.map(Ok),
        Err(panic) => std::task::Poll::Ready(Err(panic)),
    })
    .await
}

fn text_of(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("not a text")
}

#[cfg(test)]
mod tests;
