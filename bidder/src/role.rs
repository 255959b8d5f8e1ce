//! The bidder as a running role: its serving cores, and the tasks that keep them supplied.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::num::NonZeroUsize;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use decision::ids::NodeId;
use decision::money::Rates;
use decision::time::Micros;
use event_log::{Appending, EventLog, ReadError, Stream};
use proto::record;
use proto::wire::{LeaseRecord, lease_record::Event};
use segment_store::{IdHasher, Profiles};
use tokio::sync::watch;
use tracing::{error, warn};

use crate::admin::Admin;
use crate::bidder::{Bidder, Core};
use crate::campaigns::Campaigns;
use crate::events::Events;
use crate::exchange::dialect::Dialect;
use crate::handler::Routes;
use crate::lease::{Keeper, KeeperStatus, Reservations};
use crate::limits::{LEASE_TICK_MS, LEASE_WANT_TICKS};
use crate::metrics::Metrics;
use crate::server::{self, Readiness, ServerCounters};
use crate::token::Keys;

/// What a bidder is started with; the configuration has checked it.
pub struct Setup {
    /// Where bid requests and notices arrive.
    pub listener: TcpListener,
    /// Serving cores.
    pub cores: NonZeroUsize,
    /// This process, new at every start.
    pub node: NodeId,
    /// The exchanges it answers.
    pub exchanges: Vec<Dialect>,
    /// The exchange rates in force.
    pub rates: Rates,
    /// What seals and opens notice URLs.
    pub keys: Keys,
    /// How ids become keys of profiles.
    pub hasher: IdHasher,
    /// Where exchanges and browsers reach it, without a final slash.
    pub public_url: String,
    /// What request ids are hashed with.
    pub seed_key: u64,
    /// One request in so many is recorded whole.
    pub sampled_one_in: u32,
    /// The streams.
    pub log: EventLog,
    /// The profiles.
    pub profiles: Profiles,
    /// The wall clock.
    pub clock: fn() -> Micros,
}

/// A bidder that is running.
pub struct Running {
    /// For the admin port.
    pub admin: Admin,
    server: JoinHandle<std::io::Result<()>>,
    events: JoinHandle<()>,
    keeper: tokio::task::JoinHandle<()>,
    drained: watch::Sender<bool>,
    feed: tokio::task::JoinHandle<()>,
}

/// Starts a bidder on its own threads, and its tasks on the runtime this is called on. It drains when `shutdown` turns
/// true; `failed` is told why, where it cannot go on.
///
/// # Errors
/// Where a thread cannot be started.
pub fn start(
    setup: Setup,
    shutdown: watch::Receiver<bool>,
    failed: tokio::sync::mpsc::UnboundedSender<String>,
) -> std::io::Result<Running> {
    let Setup { listener, cores, clock, .. } = setup;
    let (events, producer) = Events::start(setup.log.clone())?;
    let reservations = Arc::new(Reservations::default());
    let campaigns = Campaigns::new(setup.rates.clone());
    let bidder = Arc::new(Bidder {
        node: setup.node,
        exchanges: setup.exchanges.into_iter().map(|d| (d.name.to_string(), d)).collect::<BTreeMap<_, _>>(),
        campaigns: campaigns.clone(),
        profiles: setup.profiles,
        hasher: setup.hasher,
        keys: setup.keys,
        reservations: Arc::clone(&reservations),
        events,
        log: setup.log.clone(),
        deaf: AtomicBool::new(false),
        metrics: Metrics::new(cores.get()),
        public_url: setup.public_url,
        seed_key: setup.seed_key,
        sampled_one_in: setup.sampled_one_in,
    });
    let readiness = Arc::new(Readiness::default());
    let counters = Arc::new(ServerCounters::default());
    let feed = tokio::spawn(follow(campaigns, setup.log.clone(), setup.rates, failed.clone()));
    let status = Arc::new(Mutex::new(KeeperStatus::default()));
    let (drained, served) = watch::channel(false);
    let supply = Supply {
        keeper: Keeper::new(setup.node, reservations),
        wanted: None,
        ticks: 0,
        bidder: Arc::clone(&bidder),
        readiness: Arc::clone(&readiness),
        status: Arc::clone(&status),
        clock,
    };
    let keeper = tokio::spawn(async move {
        if let Err(problem) = supply.run(served).await {
            error!(%problem, "the stream leases cannot be read");
            let _nobody_listens = failed.send(format!("the stream leases cannot be read: {problem}"));
        }
    });
    let serving = (Arc::clone(&bidder), Arc::clone(&counters), Arc::clone(&readiness));
    let server = std::thread::Builder::new().name("acceptor".into()).spawn(move || {
        let (bidder, counters, readiness) = serving;
        let handler = |core| Routes::new(Core::new(Arc::clone(&bidder), core));
        server::serve(listener, cores, handler, counters, readiness, async move { turned(&mut shutdown.clone()).await })
    })?;
    let supply: Arc<dyn Fn() -> KeeperStatus + Send + Sync> =
        Arc::new(move || status.lock().unwrap_or_else(PoisonError::into_inner).clone());
    let admin = Admin { bidder, readiness, counters, supply, clock };
    Ok(Running { admin, server, events: producer, keeper, drained, feed })
}

impl Running {
    /// Waits until the bidder has drained: every request answered, unused money handed back, telemetry in the log.
    ///
    /// # Errors
    /// Where the bid port failed.
    pub async fn finished(self) -> std::io::Result<()> {
        let Self { admin, server, events, keeper, drained, feed } = self;
        let joined = tokio::task::spawn_blocking(move || server.join()).await;
        joined.map_err(std::io::Error::other)?.map_err(|_| std::io::Error::other("the acceptor panicked"))??;
        drained.send_replace(true);
        keeper.await.map_err(std::io::Error::other)?;
        feed.abort();
        let queue = admin.bidder.events.clone();
        let close = move || {
            queue.close();
            events.join()
        };
        tokio::task::spawn_blocking(close)
            .await
            .map_err(std::io::Error::other)?
            .map_err(|_| std::io::Error::other("the thread of events panicked"))?;
        Ok(())
    }
}

/// Waits until `flag` is true.
async fn turned(flag: &mut watch::Receiver<bool>) {
    // A sender that is gone means the process is ending as well.
    let _gone = flag.wait_for(|turned| *turned).await.map(drop);
}

async fn follow(campaigns: Campaigns, log: EventLog, rates: Rates, failed: tokio::sync::mpsc::UnboundedSender<String>) {
    if let Err(problem) = campaigns.follow(log, rates).await {
        error!(%problem, "the stream campaigns cannot be read");
        let _nobody_listens = failed.send(format!("the stream campaigns cannot be read: {problem}"));
    }
}

/// The task that keeps the node supplied with money.
struct Supply {
    keeper: Keeper,
    /// The version of the campaigns that were looked at for who wants money.
    wanted: Option<u64>,
    ticks: u32,
    bidder: Arc<Bidder>,
    readiness: Arc<Readiness>,
    status: Arc<Mutex<KeeperStatus>>,
    clock: fn() -> Micros,
}

impl Supply {
    /// Ends once everything is `served`, or no money can come any more.
    async fn run(mut self, mut served: watch::Receiver<bool>) -> Result<(), ReadError> {
        // This process is new, so nothing in the stream so far is for it.
        let end = self.bidder.log.ends(Stream::Leases).await?;
        let mut tail = self.bidder.log.read_from(Stream::Leases, &end);
        let mut tick = tokio::time::interval(Duration::from_millis(LEASE_TICK_MS));
        loop {
            tokio::select! {
                records = tail.next() => records?.iter().for_each(|record| self.take(&record.value)),
                _ = tick.tick() => {
                    let now = (self.clock)();
                    if self.bidder.campaigns.caught_up() {
                        self.want(now);
                        let said = self.keeper.tick(now);
                        self.say(said).await;
                        self.report(now);
                    }
                }
                () = turned(&mut served) => break,
            }
        }
        let said = self.keeper.drain((self.clock)());
        self.say(said).await;
        Ok(())
    }

    /// Looks at who wants money where campaigns were published, and now and then, since flights begin and end.
    fn want(&mut self, now: Micros) {
        let snapshot = self.bidder.campaigns.load();
        let version = Some(snapshot.index.version());
        self.ticks += 1;
        if self.wanted != version || self.ticks.is_multiple_of(LEASE_WANT_TICKS) {
            self.wanted = version;
            self.keeper.want(now, snapshot.wanted(now));
        }
    }

    fn take(&mut self, value: &[u8]) {
        match record::decode::<LeaseRecord>(value) {
            Ok(record) => self.keeper.take(&record, (self.clock)()),
            Err(problem) => warn!(%problem, "record of the stream leases cannot be read"),
        }
    }

    async fn say(&self, records: Vec<LeaseRecord>) {
        let append = |record| self.bidder.log.append(Stream::Leases, key(record), record::encode(record));
        // All are queued before the first answer is waited for.
        let queued: Vec<Appending> = records.iter().map(append).collect();
        for answer in queued {
            if let Err(problem) = answer.await {
                // What is lost is said again: asks by the clock, returns because they are cumulative.
                warn!(%problem, "the ledger cannot be told");
            }
        }
    }

    fn report(&self, now: Micros) {
        let status = self.keeper.status(now);
        if status.unanswered == 0 {
            self.readiness.warmed();
        }
        *self.status.lock().unwrap_or_else(PoisonError::into_inner) = status;
    }
}

/// The key of the stream: the campaign.
fn key(record: &LeaseRecord) -> Vec<u8> {
    let campaign = match &record.event {
        Some(Event::Ask(ask)) => ask.campaign,
        Some(Event::Grant(grant)) => grant.campaign,
        Some(Event::Return(back)) => back.campaign,
        Some(Event::Settled(settled)) => settled.campaign,
        Some(Event::Pace(pace)) => pace.campaign,
        Some(Event::Correction(_)) | None => 0,
    };
    campaign.to_string().into_bytes()
}
