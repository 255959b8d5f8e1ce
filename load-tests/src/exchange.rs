//! A simulated exchange with its publishers, its other bidders and its people.
//!
//! It asks at a steady rate, whether answers come or not; holds first- and second-price auctions against seeded competitors;
//! checks every answer like a strict exchange; sends notices, some twice and some again after a failure; and keeps a journal
//! of everything it was given a 2xx for (302 for clicks), so that a bidder's books can be checked against it.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use tokio::sync::mpsc;
use tokio::task::LocalSet;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};

pub mod answer;
pub mod auction;
pub mod audit;
mod http;
pub mod journal;
pub mod notices;
pub mod request;

use answer::{Fault, Offer};
use auction::Sale;
use journal::Journal;
use request::Asked;

/// What to play.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where bid requests go, such as `http://127.0.0.1:8080/bid/demo`: to each node of the bidder in turn.
    pub bid_urls: Vec<String>,
    /// How often notices are sent.
    pub repeats: Repeats,
    /// Bid requests a second.
    pub requests_per_s: u32,
    /// How many different people there are.
    pub people: u32,
    /// The id of the person of a number.
    pub person_id: fn(u32) -> String,
    /// The same seed asks the same requests.
    pub seed: u64,
    /// Where acknowledged notices are written; `None`: nowhere.
    pub journal: Option<PathBuf>,
    /// Requests and notices on their way at once; more are counted as skipped.
    pub in_flight_max: usize,
    /// How long notices that are on their way are waited for at the end.
    pub end_timeout: Duration,
    /// Requests after which it ends by itself; `None`: never.
    pub requests_max: Option<u64>,
    /// Milliseconds that answers may take; `None`: another time for each request.
    pub tmax_ms: Option<u32>,
    /// Who is told what became of each request. What they do not take piles up.
    pub watch: Option<mpsc::UnboundedSender<Seen>>,
}

/// How often a notice is sent that was acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repeats {
    /// One in twenty is sent twice.
    Rare,
    /// Each is sent one to three times.
    Common,
}

/// What became of one bid request.
#[derive(Clone, Debug)]
pub struct Seen {
    /// When the steady rate had it sent; a sender that is behind sends it later.
    pub due: Instant,
    /// How much later it was sent: the sender was behind.
    pub sent_after: Duration,
    /// From when it was due until the whole answer was there. `None`: it was not sent, or not answered.
    pub took: Option<Duration>,
    /// The number of the person it names, where no privacy signal speaks against looking them up.
    pub person: Option<u32>,
    /// The impressions it asks for.
    pub imps: Vec<SeenImp>,
}

/// One impression that was asked for.
#[derive(Clone, Debug)]
pub struct SeenImp {
    /// Sizes that fit, as width and height.
    pub sizes: Vec<(i32, i32)>,
    /// The campaign (`cid`) that bid.
    pub campaign: Option<String>,
}

impl Settings {
    /// Fifty requests a second for a thousand people, until it is told to end.
    pub fn new(bid_url: String) -> Self {
        Self {
            bid_urls: vec![bid_url],
            repeats: Repeats::Rare,
            requests_per_s: 50,
            people: 1_000,
            person_id: |number| format!("person-{number}"),
            seed: 1,
            journal: None,
            in_flight_max: 1_024,
            end_timeout: END_TIMEOUT,
            requests_max: None,
            tmax_ms: None,
            watch: None,
        }
    }
}

/// Declares what is counted, each with the name it is shown by.
macro_rules! totals {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// What happened so far. Amounts are nanos of US dollars.
        #[derive(Debug, Default)]
        pub struct Totals { $($(#[$doc])* pub $name: AtomicU64,)* }

        impl Totals {
            /// Everything, by name.
            pub fn all(&self) -> Vec<(&'static str, u64)> {
                vec![$((stringify!($name), self.$name.load(Ordering::Relaxed)),)*]
            }
        }
    };
}

totals! {
    /// Bid requests sent.
    requests,
    /// Bid requests that were not sent, since too many were on their way.
    skipped,
    /// Bid requests without an answer: the connection failed.
    unanswered,
    /// Answers after `tmax`, counted from when the request was due.
    late,
    /// Answers without a bid.
    no_bids,
    /// Bids.
    bids,
    /// Answers that break a rule.
    invalid,
    /// Auctions won by a bid.
    wins,
    /// Bids that lost.
    losses,
    /// Billing notices acknowledged, repetitions not counted.
    billed,
    /// What was billed.
    spend_nanos,
    /// Views acknowledged.
    views,
    /// Clicks that led somewhere.
    clicks,
    /// Notices that were given up.
    given_up,
}

fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

/// Why an exchange cannot play.
#[derive(Debug)]
pub enum ExchangeError {
    /// The bid URL is no `http://host:port/path`.
    Url(String),
    /// The journal cannot be opened.
    Journal(std::io::Error),
}

impl std::fmt::Display for ExchangeError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Url(url) => write!(f, "{url} is no http://host:port/path"),
            Self::Journal(problem) => write!(f, "the journal cannot be written: {problem}"),
        }
    }
}

impl std::error::Error for ExchangeError {}

/// What everything under way shares.
struct Exchange {
    settings: Settings,
    totals: Arc<Totals>,
    client: http::Client,
    journal: Journal,
    random: RefCell<SmallRng>,
    /// The first things that were wrong, for people.
    faults: RefCell<VecDeque<String>>,
}

/// Faults that are kept to be shown.
const FAULTS_KEPT: usize = 16;
/// How long an answer is waited for at all.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
/// How long notices that are on their way are waited for at the end, unless more is wanted.
const END_TIMEOUT: Duration = Duration::from_secs(5);

/// Plays until `shutdown` completes or all requests were sent; then waits a little for the notices on their way. Returns the
/// first faults of answers.
///
/// # Errors
/// Where it cannot begin.
pub async fn run(
    settings: Settings,
    totals: Arc<Totals>,
    shutdown: impl Future<Output = ()>,
) -> Result<Vec<String>, ExchangeError> {
    let client = http::Client::new(&settings.bid_urls).map_err(ExchangeError::Url)?;
    let journal = Journal::open(settings.journal.as_deref()).map_err(ExchangeError::Journal)?;
    let random = RefCell::new(SmallRng::seed_from_u64(settings.seed ^ 0x5eed));
    let exchange = Rc::new(Exchange { settings, totals, client, journal, random, faults: RefCell::default() });
    let (local, end_timeout) = (LocalSet::new(), exchange.settings.end_timeout);
    local.run_until(ask(Rc::clone(&exchange), shutdown)).await;
    let _some_notices_may_be_left = timeout(end_timeout, local).await;
    Ok(exchange.faults.take().into())
}

async fn ask(exchange: Rc<Exchange>, shutdown: impl Future<Output = ()>) {
    let settings = &exchange.settings;
    let mut requests =
        request::Requests::new(settings.seed, settings.people, settings.person_id).with_tmax(settings.tmax_ms);
    let mut every = interval(Duration::from_secs(1) / settings.requests_per_s.max(1));
    every.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let mut shutdown = std::pin::pin!(shutdown);
    let mut sent = 0;
    while settings.requests_max.is_none_or(|max| sent < max) {
        let due = tokio::select! {
            biased;
            () = &mut shutdown => return,
            due = every.tick() => due,
        };
        let asked = requests.next_request();
        sent += 1;
        if Rc::strong_count(&exchange) > settings.in_flight_max {
            count(&exchange.totals.skipped);
            exchange.tell(&asked, due, Duration::ZERO, None, &[]);
            continue;
        }
        let exchange = Rc::clone(&exchange);
        tokio::task::spawn_local(async move { exchange.auction(asked, due).await });
    }
}

impl Exchange {
    /// One auction from the request, which was to be sent at `due`, to the last notice.
    async fn auction(self: Rc<Self>, asked: Asked, due: Instant) {
        count(&self.totals.requests);
        let sent_after = due.elapsed();
        let node = self.client.next_node();
        let answer = timeout(ANSWER_TIMEOUT, self.client.bid(node, &asked)).await;
        let Ok(Ok(answer)) = answer else {
            count(&self.totals.unanswered);
            self.tell(&asked, due, sent_after, None, &[]);
            return;
        };
        let took = due.elapsed();
        if took > Duration::from_millis(asked.tmax_ms) {
            count(&self.totals.late);
        }
        let (offers, faults) = answer::check(&asked, answer.status, &answer.body);
        for fault in faults {
            self.fault(&asked, &fault, &answer.body);
        }
        if offers.is_empty() {
            count(&self.totals.no_bids);
        }
        self.tell(&asked, due, sent_after, Some(took), &offers);
        let sales: Vec<(Offer, Sale)> = offers.into_iter().map(|offer| self.hold(&asked, offer)).collect();
        for (offer, sale) in sales {
            count(&self.totals.bids);
            self.journal.bid(&offer, node);
            let exchange = Rc::clone(&self);
            tokio::task::spawn_local(async move { exchange.settle(offer, sale).await });
        }
    }

    /// Tells whoever watches what became of a request.
    fn tell(&self, asked: &Asked, due: Instant, sent_after: Duration, took: Option<Duration>, offers: &[Offer]) {
        let Some(watch) = &self.settings.watch else { return };
        let campaign = |imp| offers.iter().find(|offer| offer.imp == imp).map(|offer| offer.cid.clone());
        let imps = asked.imps.iter().enumerate();
        let imps = imps.map(|(at, imp)| SeenImp { sizes: imp.sizes.clone(), campaign: campaign(at) }).collect();
        let _nobody_watches_any_more = watch.send(Seen { due, sent_after, took, person: asked.person, imps });
    }

    fn hold(&self, asked: &Asked, offer: Offer) -> (Offer, Sale) {
        let imp = &asked.imps[offer.imp];
        let competitors = auction::competitors(&mut *self.random.borrow_mut());
        let sale = auction::hold(asked.second_price, imp.floor_cpm, offer.price_cpm, &competitors);
        (offer, sale)
    }

    async fn settle(self: Rc<Self>, offer: Offer, sale: Sale) {
        match sale {
            Sale::Lost { reason, to_win_cpm } => {
                count(&self.totals.losses);
                self.lost(&offer, reason, to_win_cpm).await;
            }
            Sale::Won { price_cpm } => {
                count(&self.totals.wins);
                self.won(&offer, price_cpm).await;
            }
        }
    }

    fn fault(&self, asked: &Asked, fault: &Fault, body: &Bytes) {
        count(&self.totals.invalid);
        let mut faults = self.faults.borrow_mut();
        if faults.len() < FAULTS_KEPT {
            faults.push_back(format!("{fault}: {} answered {}", asked.id, String::from_utf8_lossy(body)));
        }
    }

    /// Whether something of this probability happens.
    fn happens(&self, probability: f64) -> bool {
        self.random.borrow_mut().random_bool(probability)
    }

    /// Any of so many things.
    fn any(&self, count: usize) -> usize {
        if count > 1 { self.random.borrow_mut().random_range(0..count) } else { 0 }
    }

    fn delay(&self, ms_max: u64) -> Duration {
        Duration::from_millis(self.random.borrow_mut().random_range(0..=ms_max))
    }
}
