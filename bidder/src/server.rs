//! HTTP: connections within limits, in front of handlers.
//!
//! One acceptor hands each connection to the least-loaded of several single-threaded runtimes, one a core; each core
//! builds its own [`Handler`]. Limits are kept here, routing and meaning belong to the handler. A handler sees whole
//! requests only: body complete, inflated and within limits. What breaks a limit is answered here with an empty body:
//! 400 (two body lengths, broken body, not gzip), 408 (body late), 413 (body or inflated body too large), 415 (unknown
//! content encoding), 500 (the handler panicked), 503 (too many connections); 400, 414 and 431 for heads are hyper's.
//!
//! On a busy core, requests in a hurry wait for their turn, and are answered 204 where it does not come in time.
//!
//! **Draining** goes on accepting and answering, says `Connection: close` with every answer, and closes the listener
//! last. A connection that stays silent is closed after [`limits::DRAIN_IDLE`](crate::limits::DRAIN_IDLE), so only a
//! request that crosses that close on the wire can fail.

mod acceptor;
mod body;
mod connection;
mod counters;
mod encoding;
mod framing;
mod gate;
mod load;
mod post;
mod readiness;
mod reply;
mod turnstile;
mod watch;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use decision::time::Micros;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};
use tokio::time::Instant;

pub use acceptor::serve;
pub use counters::{Count, ServerCounters};
pub use encoding::{InflateError, inflate};
pub use framing::Framing;
pub use post::Post;
pub use readiness::Readiness;
pub use reply::Reply;

/// Answers requests on one core. It is built and called on that core's thread only, so it needs no locks; the futures
/// of one core's requests take turns.
pub trait Handler: 'static {
    /// Answers one request whose head was complete at [`Inbound::accepted`].
    ///
    /// It is not cancelled when the client leaves: what it began is finished, except where a drain runs out of time.
    /// A panic is answered 500 and counted.
    fn handle(&self, request: Inbound) -> impl Future<Output = Reply>;

    /// How long whoever sent this waits for the answer; `None`: as long as it takes. Asked on a busy core only: there,
    /// whoever would be answered too late is turned away, with 204 and unread.
    fn patience(&self, post: &Post<'_>) -> Option<Duration>;

    /// How long answers to those take that were begun, but for one in a hundred.
    fn own_time(&self) -> Duration;

    /// One was turned away.
    fn turned_away(&self);

    /// Header fields of every answer to a request for `path`, the handler's and those that are given here without it.
    fn fields(&self, path: &str) -> Fields;
}

/// Header fields that never change.
pub type Fields = &'static [(HeaderName, HeaderValue)];

/// A whole request, within limits.
#[derive(Clone, Debug)]
pub struct Inbound {
    /// The method.
    pub method: Method,
    /// The request target. Its path is not percent-decoded.
    pub uri: Uri,
    /// The header fields. `content-encoding` and `content-length` describe the body as it was sent.
    pub headers: HeaderMap,
    /// The body, inflated.
    pub body: Bytes,
    /// When the head was complete, also where it had to wait after that.
    pub accepted: Moment,
}

/// A moment on the wall, to be recorded, and on the clock that never jumps, to measure from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// Microseconds since 1970.
    pub wall: Micros,
    /// On the monotonic clock.
    pub clock: Instant,
}

impl Moment {
    /// Now.
    pub fn now() -> Self {
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { wall: Micros(i64::try_from(since_1970.as_micros()).unwrap_or(i64::MAX)), clock: Instant::now() }
    }
}

impl Inbound {
    /// The path, from its first slash, not percent-decoded.
    pub fn path(&self) -> &str {
        self.uri.path()
    }

    /// What stands behind the question mark, not percent-decoded.
    pub fn query(&self) -> Option<&str> {
        self.uri.query()
    }
}
