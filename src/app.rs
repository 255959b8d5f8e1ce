//! Starts the roles of one process, in order, and ends them in the opposite one.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use bidder::campaigns::Campaigns;
use bidder::limits::CONNECTIONS_QUEUED_MAX;
use bidder::role::{Running, Setup};
use bidder::server::Moment;
use control_plane::ControlPlane;
use decision::ids::NodeId;
use decision::time::Micros;
use event_log::{EventLog, KafkaLog, KafkaOptions, LocalLog, Notices, OpenError};
use ledger::LedgerHandle;
use segment_store::{IdHasher, LocalProfiles, Profiles, RedisProfiles};
use tokio::net::TcpSocket;
use tokio::sync::{mpsc, watch};

use crate::admin;
use crate::config::Config;
use crate::secrets;
use crate::signal::told_to_end;
use crate::summary::{Demonstration, Tally};

/// Seconds between two looks for memberships that have ended.
const SWEEP_S: u64 = 60;

/// Seconds between two looks at whether the process can still do its work.
const FITNESS_LOOK_S: u64 = 1;

/// Which roles a process has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Roles {
    bidder: bool,
    pub(crate) ledger: bool,
    pub(crate) segments: bool,
    campaigns: bool,
    /// The sample where there are no campaigns, and a summary of what happens.
    demonstration: bool,
    traffic: bool,
    name: &'static str,
}

impl Roles {
    const NONE: Self = Self {
        bidder: false,
        ledger: false,
        segments: false,
        campaigns: false,
        demonstration: false,
        traffic: false,
        name: "",
    };
    /// Answers exchanges and takes notices.
    pub(crate) const BIDDER: Self = Self { bidder: true, name: "bidder", ..Self::NONE };
    /// Lends and charges money.
    pub(crate) const LEDGER: Self = Self { ledger: true, name: "ledger", ..Self::NONE };
    /// Writes profiles.
    pub(crate) const SEGMENTS: Self = Self { segments: true, name: "segments", ..Self::NONE };

    /// Publishes campaigns.
    pub(crate) const CONTROL: Self = Self { campaigns: true, name: "control", ..Self::NONE };

    /// Everything, with or without a simulated exchange.
    pub(crate) const fn up(traffic: bool) -> Self {
        let demonstration = true;
        Self { bidder: true, ledger: true, segments: true, campaigns: true, demonstration, traffic, name: "up" }
    }

    /// Whether it reads or writes profiles.
    const fn has_profiles(self) -> bool {
        self.bidder || self.segments
    }

    /// What a process of its own must have alike with the others and `config` leaves open: files are one process's
    /// alone, and so is a secret that is generated.
    ///
    /// # Errors
    /// Says which settings.
    pub(crate) fn check(self, config: &Config) -> Result<(), String> {
        let settings = [
            ("kafka.brokers", config.kafka.is_none()),
            ("profiles.redis", self.has_profiles() && config.redis.is_none()),
            ("secrets.id_key", self.has_profiles() && config.secrets.id_key.is_none()),
            ("secrets.token_keys", self.bidder && config.secrets.token_keys.is_empty()),
        ];
        let open: Vec<&str> =
            settings.into_iter().filter_map(|(setting, is_open)| is_open.then_some(setting)).collect();
        if self.demonstration || open.is_empty() {
            return Ok(());
        }
        let settings = open.join(", ");
        Err(format!(
            "`vernier {}` works with other processes: set {settings}, alike for all of them (`vernier up` needs none)",
            self.name
        ))
    }
}

/// What the roles share.
pub(crate) struct Shared {
    pub(crate) config: Config,
    pub(crate) log: EventLog,
    /// Where a role needs them.
    profiles: Option<Profiles>,
    pub(crate) hasher: IdHasher,
    pub(crate) books: LedgerHandle,
    shutdown: watch::Receiver<bool>,
    failed: mpsc::UnboundedSender<String>,
}

impl Shared {
    /// The profiles, for roles that have them.
    pub(crate) fn profiles(&self) -> &Profiles {
        self.profiles.as_ref().expect("they are opened for every role that has them")
    }
}

/// The wall clock.
pub(crate) fn clock() -> Micros {
    Moment::now().wall
}

/// Runs `roles` until the process is told to end or one of them cannot go on.
///
/// # Errors
/// Why it could not start, or had to end.
pub(crate) fn run(mut config: Config, roles: Roles) -> Result<(), String> {
    let said = |problem: &dyn std::fmt::Display| problem.to_string();
    std::fs::create_dir_all(&config.data_dir).map_err(|problem| format!("{}: {problem}", config.data_dir.display()))?;
    let secrets = secrets::in_force(&config.secrets, &config.data_dir)?;
    let log = open_log(&config, roles).map_err(|problem| said(&problem))?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name("tasks")
        .enable_all()
        .build()
        .map_err(|problem| said(&problem))?;
    let profiles = if roles.has_profiles() { Some(runtime.block_on(open_profiles(&config))?) } else { None };
    // Only now: whoever connects earlier is refused at once, instead of waiting for what is being opened.
    let inside = runtime.enter();
    let bid = roles.bidder.then(|| listen(&mut config.bid.listen, "bid.listen")).transpose()?;
    let admin = listen(&mut config.admin_listen, "admin.listen")?;
    drop(inside);
    let (stop, shutdown) = watch::channel(false);
    let (failed, failures) = mpsc::unbounded_channel();
    let hasher = IdHasher::new(secrets.id_key);
    let shared = Shared { config, log, profiles, hasher, books: LedgerHandle::default(), shutdown, failed };
    let ended = runtime.block_on(serve(&shared, roles, &secrets, bid, admin, stop, failures));
    runtime.shutdown_timeout(Duration::from_secs(1));
    let Shared { log, profiles, .. } = shared;
    drop(profiles);
    log.close();
    ended
}

/// Listens at `address`, and leaves there the real one: port 0 asks for any that is free. Called inside a runtime.
fn listen(address: &mut SocketAddr, setting: &str) -> Result<TcpListener, String> {
    let at = |problem: std::io::Error| format!("{setting} {address}: {problem}");
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }.map_err(at)?;
    // What connections of the process before left behind does not stand in the way.
    socket.set_reuseaddr(true).map_err(at)?;
    socket.bind(*address).map_err(at)?;
    let listener = socket.listen(CONNECTIONS_QUEUED_MAX).and_then(|listener| listener.into_std()).map_err(at)?;
    *address = listener.local_addr().map_err(at)?;
    Ok(listener)
}

fn open_log(config: &Config, roles: Roles) -> Result<EventLog, OpenError> {
    match &config.kafka {
        None => LocalLog::open(config.events.clone()).map(EventLog::from),
        // Only those who take notices have a place for them.
        Some(kafka) if roles.bidder => KafkaLog::open(kafka.clone()).map(EventLog::from),
        Some(kafka) => KafkaLog::open(KafkaOptions { notices: Notices::Broker, ..kafka.clone() }).map(EventLog::from),
    }
}

async fn open_profiles(config: &Config) -> Result<Profiles, String> {
    let opened = match &config.redis {
        Some(redis) => RedisProfiles::open(redis.clone()).await.map(Profiles::Redis),
        None => LocalProfiles::open(&config.data_dir.join("profiles")).map(|local| Profiles::Local(Arc::new(local))),
    };
    opened.map_err(|problem| problem.to_string())
}

async fn serve(
    shared: &Shared,
    roles: Roles,
    secrets: &secrets::InForce,
    bid: Option<TcpListener>,
    admin: TcpListener,
    stop: watch::Sender<bool>,
    mut failures: mpsc::UnboundedReceiver<String>,
) -> Result<(), String> {
    // Before anything is started: what happens from now on is what this process tells of.
    let tally = if roles.demonstration { Some(Tally::new(&shared.log).await?) } else { None };
    let (end_ledger, ledger_end) = watch::channel(false);
    let control = roles.campaigns.then(|| open_campaigns(&shared.log, roles.demonstration)).transpose()?;
    let ledger = roles.ledger.then(|| start_ledger(shared, ledger_end)).transpose()?;
    let bidder = bid.map(|listener| start_bidder(shared, secrets, listener)).transpose()?;
    let names = segment_names(shared, bidder.as_ref());
    let routes = admin::routes(shared, roles, control.as_ref(), bidder.as_ref(), &names);
    let admin = admin::serve(admin, routes)?;
    let sweeper = roles.segments.then(|| tokio::spawn(sweep(shared.profiles().clone())));
    let summary = match (&bidder, tally) {
        (Some(bidder), Some(tally)) => {
            let demonstration = Demonstration::new(shared, bidder, roles.traffic, tally);
            Some(tokio::spawn(demonstration.run(shared.shutdown.clone(), shared.failed.clone())))
        }
        (bidder, _) => {
            let bid =
                bidder.as_ref().map_or_else(String::new, |_| format!("http://{}/bid/, ", shared.config.bid.listen));
            eprintln!("vernier {}: {bid}admin on http://{}", roles.name, shared.config.admin_listen);
            None
        }
    };
    let failure = tokio::select! {
        failure = failures.recv() => failure,
        failure = unfit(&shared.log, control.as_ref()) => Some(failure),
        () = told_to_end() => None,
    };
    stop.send_replace(true);
    let drained = match bidder {
        Some(bidder) => bidder.finished().await.map_err(|problem| problem.to_string()),
        None => Ok(()),
    };
    let tally = match summary {
        Some(summary) => Some(summary.await.map_err(|problem| problem.to_string())?),
        None => None,
    };
    sweeper.inspect(tokio::task::JoinHandle::abort);
    end_ledger.send_replace(true);
    if let Some(ledger) = ledger {
        let joined = tokio::task::spawn_blocking(move || ledger.join()).await.map_err(|problem| problem.to_string())?;
        joined.map_err(|_| "the ledger panicked".to_owned())?;
    }
    if let Some((bidder, mut tally)) = tally {
        if let Err(problem) = tally.catch_up(&shared.log).await {
            tracing::warn!(%problem, "the summary may leave out what happened last");
        }
        tally.last(&bidder, &shared.books.books(clock()));
    }
    admin.abort();
    // What the last notices told the caps.
    let drained = match &shared.profiles {
        Some(profiles) => drained.and(profiles.flush().await.map_err(|problem| problem.to_string())),
        None => drained,
    };
    failure.map_or(drained, |failure| Err(cause(failure, &shared.log)))
}

/// Why this process can no longer do its work, once it cannot.
async fn unfit(log: &EventLog, control: Option<&ControlPlane>) -> String {
    let mut looks = tokio::time::interval(Duration::from_secs(FITNESS_LOOK_S));
    loop {
        looks.tick().await;
        if let Err(failed) = log.health() {
            return failed.to_string();
        }
        if control.is_some_and(ControlPlane::is_superseded) {
            return "another `control` has taken over".to_owned();
        }
    }
}

/// What a failure comes from: a log that failed is met in many places, each of which tells of it in its own words.
fn cause(failure: String, log: &EventLog) -> String {
    log.health().err().map_or(failure, |failed| {
        format!(
            "the log failed: {failed}\nwhat was acknowledged is on disk; mend what failed (free the disk where it is full) \
             and start again"
        )
    })
}

fn open_campaigns(log: &EventLog, with_sample: bool) -> Result<ControlPlane, String> {
    let control = ControlPlane::open(log.clone(), clock).map_err(|problem| problem.to_string())?;
    if with_sample && control.revision().map_err(|problem| problem.to_string())?.is_none() {
        control.apply(&control_plane::sample(), "sample", false).map_err(|problem| problem.to_string())?;
    }
    Ok(control)
}

/// The ledger reads files and folds on a thread of its own.
fn start_ledger(shared: &Shared, mut end: watch::Receiver<bool>) -> Result<JoinHandle<()>, String> {
    let (log, settings, books) = (shared.log.clone(), shared.config.ledger, shared.books.clone());
    let failed = shared.failed.clone();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|problem| problem.to_string())?;
    let work = move || {
        let end = async move { drop(end.wait_for(|end| *end).await) };
        if let Err(problem) = runtime.block_on(ledger::serve(log, settings, clock, books, end)) {
            // Without a ledger no money is lent any more: the process must not look well.
            let _already_ending = failed.send(format!("the ledger cannot go on: {problem}"));
        }
    };
    std::thread::Builder::new().name("ledger".into()).spawn(work).map_err(|problem| problem.to_string())
}

fn start_bidder(shared: &Shared, secrets: &secrets::InForce, listener: TcpListener) -> Result<Running, String> {
    let config = &shared.config;
    let setup = Setup {
        listener,
        cores: config.bid.cores,
        node: NodeId(rand::random()),
        exchanges: config.exchanges.clone(),
        rates: config.rates.clone(),
        keys: secrets.keys.clone(),
        hasher: shared.hasher,
        public_url: config.bid.public_url.clone().unwrap_or_else(|| format!("http://{}", config.bid.listen)),
        seed_key: secrets.seed_key,
        sampled_one_in: config.bid.sampled_one_in,
        log: shared.log.clone(),
        profiles: shared.profiles().clone(),
        clock,
    };
    bidder::role::start(setup, shared.shutdown.clone(), shared.failed.clone()).map_err(|problem| problem.to_string())
}

/// The names of segments, from the bidder's campaigns, or from a feed of our own where there is no bidder.
fn segment_names(shared: &Shared, bidder: Option<&Running>) -> Campaigns {
    if let Some(running) = bidder {
        return running.admin.bidder.campaigns.clone();
    }
    let campaigns = Campaigns::new(shared.config.rates.clone());
    let follow = campaigns.clone().follow(shared.log.clone(), shared.config.rates.clone());
    let failed = shared.failed.clone();
    tokio::spawn(async move {
        if let Err(problem) = follow.await {
            let _already_ending = failed.send(format!("the stream campaigns cannot be read: {problem}"));
        }
    });
    campaigns
}

async fn sweep(profiles: Profiles) {
    let mut every = tokio::time::interval(Duration::from_secs(SWEEP_S));
    loop {
        every.tick().await;
        let profiles = profiles.clone();
        let swept = tokio::task::spawn_blocking(move || profiles.sweep(clock())).await;
        tracing::debug!(?swept, "memberships swept");
    }
}
