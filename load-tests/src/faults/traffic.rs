//! The exchange's traffic, on a thread of its own.

use std::io::{self, Error};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::{self, JoinHandle};

use tokio::sync::{mpsc, oneshot};

use super::campaigns::person_id;
use crate::exchange::{self, ExchangeError, Seen, Settings, Totals};

/// Requests and notices on their way at once. Notices of seconds of bids are under way at any time; requests that pile
/// up to this were late long before.
const IN_FLIGHT_MAX: usize = 15_000;

/// How requests are made.
#[derive(Clone, Copy, Debug)]
pub(super) struct Load {
    /// Requests a second.
    pub(super) rate: u32,
    /// How many different people there are.
    pub(super) people: u32,
    /// The same seed asks the same.
    pub(super) seed: u64,
    /// Milliseconds that an answer may take.
    pub(super) tmax_ms: u32,
}

/// What an exchange has seen.
#[derive(Debug)]
pub(super) struct Log {
    /// Each request.
    pub(super) seen: Vec<Seen>,
    /// Answers that broke a rule.
    pub(super) invalid: u64,
    /// The first of them, for people.
    pub(super) faults: Vec<String>,
    /// Notices that were given up.
    pub(super) given_up: u64,
}

/// An exchange that asks at a steady rate, whatever is answered. It ends when this is dropped.
#[derive(Debug)]
pub(super) struct Traffic {
    end: oneshot::Sender<()>,
    seen: mpsc::UnboundedReceiver<Seen>,
    totals: Arc<Totals>,
    thread: JoinHandle<Result<Vec<String>, ExchangeError>>,
}

impl Traffic {
    /// With a `journal`, what was acknowledged is written there.
    pub(super) fn start(bid_url: String, load: Load, journal: Option<PathBuf>) -> io::Result<Self> {
        Self::play(Settings { journal, ..Settings::new(bid_url) }, load)
    }

    /// With these settings, as far as they are not those of the load.
    pub(super) fn play(settings: Settings, load: Load) -> io::Result<Self> {
        let (watch, seen) = mpsc::unbounded_channel();
        let settings = Settings {
            requests_per_s: load.rate,
            people: load.people,
            person_id,
            seed: load.seed,
            in_flight_max: IN_FLIGHT_MAX,
            tmax_ms: Some(load.tmax_ms),
            watch: Some(watch),
            ..settings
        };
        let (end, ended) = oneshot::channel::<()>();
        let totals = Arc::<Totals>::default();
        let counted = Arc::clone(&totals);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let play = move || runtime.block_on(exchange::run(settings, counted, async move { drop(ended.await) }));
        let thread = thread::Builder::new().name("exchange".into()).spawn(play)?;
        Ok(Self { end, seen, totals, thread })
    }

    /// Ends it, and waits a little for answers and notices that are on their way.
    pub(super) async fn finish(self) -> io::Result<Log> {
        let Self { end, mut seen, totals, thread } = self;
        drop(end);
        let joined = tokio::task::spawn_blocking(|| thread.join()).await?;
        let faults = joined.map_err(|_| Error::other("the exchange ended badly"))?.map_err(Error::other)?;
        let mut all = Vec::new();
        while let Ok(one) = seen.try_recv() {
            all.push(one);
        }
        let total = |counter: &std::sync::atomic::AtomicU64| counter.load(Ordering::Relaxed);
        Ok(Log { seen: all, invalid: total(&totals.invalid), faults, given_up: total(&totals.given_up) })
    }
}
