//! Which path leads where on the bid port.

use std::rc::Rc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, StatusCode};

use crate::bid::{self, Answer};
use crate::bidder::Core;
use crate::exchange::dialect::Version;
use crate::metrics::RequestOutcome;
use crate::notice;
use crate::server::{Fields, Handler, Inbound, Post, Reply};
use crate::token::NoticeKind;

/// Answers everything that arrives on the bid port of one core.
#[derive(Clone, Debug)]
pub struct Routes {
    core: Rc<Core>,
}

impl Routes {
    /// The routes of one core.
    pub fn new(core: Core) -> Self {
        Self { core: Rc::new(core) }
    }
}

const JSON: HeaderValue = HeaderValue::from_static("application/json; charset=utf-8");
const GIF: HeaderValue = HeaderValue::from_static("image/gif");

/// The version of OpenRTB we answer in (2.6 section 2.1 recommends it in responses).
static OPENRTB_2_5: [(HeaderName, HeaderValue); 1] = openrtb("2.5");
static OPENRTB_2_6: [(HeaderName, HeaderValue); 1] = openrtb("2.6");

const fn openrtb(version: &'static str) -> [(HeaderName, HeaderValue); 1] {
    [(HeaderName::from_static("x-openrtb-version"), HeaderValue::from_static(version))]
}

/// The smallest transparent GIF.
static PIXEL: [u8; 43] = *b"GIF89a\x01\x00\x01\x00\x80\x00\x00\x00\x00\x00\xff\xff\xff\x21\xf9\x04\x01\x00\x00\x00\
\x00\x2c\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02\x44\x01\x00\x3b";

impl Handler for Routes {
    async fn handle(&self, request: Inbound) -> Reply {
        let mut parts = request.path().split('/').skip(1);
        match (parts.next(), parts.next(), parts.next(), parts.next()) {
            (Some("bid"), Some(exchange), None, None) => self.bid(&request, exchange).await,
            (Some("n"), Some(kind), Some(token), None) => self.notice(&request, kind, token).await,
            _ => Reply::empty(StatusCode::NOT_FOUND),
        }
    }

    fn patience(&self, post: &Post<'_>) -> Option<Duration> {
        bid::patience(&self.core, post.path.strip_prefix("/bid/")?, post)
    }

    fn own_time(&self) -> Duration {
        self.core.own_time.get()
    }

    fn turned_away(&self) {
        self.core.bidder.metrics.request(RequestOutcome::Shed);
        self.core.own_time.turned_away();
    }

    /// The version of OpenRTB, whatever became of a bid request: that of the exchange, or the newest where none is known.
    fn fields(&self, path: &str) -> Fields {
        let mut parts = path.split('/').skip(1);
        if parts.next() != Some("bid") {
            return &[];
        }
        let dialect = parts.next().and_then(|exchange| self.core.bidder.exchanges.get(exchange));
        match dialect.map_or(Version::V2_6, |dialect| dialect.version) {
            Version::V2_5 => &OPENRTB_2_5,
            Version::V2_6 => &OPENRTB_2_6,
        }
    }
}

impl Routes {
    async fn bid(&self, request: &Inbound, exchange: &str) -> Reply {
        if request.method != Method::POST {
            return Reply::empty(StatusCode::METHOD_NOT_ALLOWED);
        }
        let begun = Instant::now();
        let answer = bid::bid(&self.core, exchange, &request.body, request.accepted).await;
        let metrics = &self.core.bidder.metrics;
        metrics.request(answer.outcome());
        if !matches!(answer, Answer::Deaf | Answer::Malformed | Answer::UnknownExchange) {
            self.core.own_time.learn(begun.elapsed());
        }
        let took = request.accepted.clock.elapsed();
        metrics.took(self.core.number, u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
        match answer {
            Answer::Bids(body) => Reply::ok(JSON, body),
            Answer::NoBid | Answer::Late | Answer::Deaf => Reply::empty(StatusCode::NO_CONTENT),
            Answer::Malformed => Reply::empty(StatusCode::BAD_REQUEST),
            Answer::UnknownExchange => Reply::empty(StatusCode::NOT_FOUND),
        }
    }

    /// Exchanges call notice URLs by GET or POST; browsers by GET.
    async fn notice(&self, request: &Inbound, kind: &str, token: &str) -> Reply {
        let Some(kind) = NoticeKind::of_label(kind) else { return Reply::empty(StatusCode::NOT_FOUND) };
        if ![Method::GET, Method::POST].contains(&request.method) {
            return Reply::empty(StatusCode::METHOD_NOT_ALLOWED);
        }
        let query = request.query().unwrap_or_default();
        match notice::take(&self.core.bidder, kind, token, query, request.accepted.wall).await {
            notice::Answer::Acknowledged => Reply::empty(StatusCode::NO_CONTENT),
            notice::Answer::Pixel => Reply::ok(GIF, Bytes::from_static(&PIXEL)),
            notice::Answer::Redirect(url) => HeaderValue::try_from(url)
                .map_or_else(|_| Reply::empty(StatusCode::INTERNAL_SERVER_ERROR), Reply::redirect),
            notice::Answer::Forged => Reply::empty(StatusCode::FORBIDDEN),
            notice::Answer::Expired => Reply::empty(StatusCode::GONE),
            notice::Answer::Unavailable => Reply::empty(StatusCode::SERVICE_UNAVAILABLE),
        }
    }
}
