//! Starts the roles of one process, in order, and ends them in the opposite one.

use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bidder::campaigns::Campaigns;
use bidder::role::{Running, Setup};
use control_plane::ControlPlane;
use decision::ids::NodeId;
use decision::time::Micros;
use event_log::{EventLog, LocalLog};
use ledger::LedgerHandle;
use segment_store::{IdHasher, LocalProfiles, Profiles};
use tokio::sync::{mpsc, watch};

use crate::config::Config;
use crate::secrets;
use crate::summary::{self, Demonstration};

/// Seconds between two looks for memberships that have ended.
const SWEEP_S: u64 = 60;

/// Which roles a process has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Roles {
    bidder: bool,
    ledger: bool,
    segments: bool,
    campaigns: bool,
    traffic: bool,
    name: &'static str,
}

impl Roles {
    const NONE: Self =
        Self { bidder: false, ledger: false, segments: false, campaigns: false, traffic: false, name: "" };
    /// Answers exchanges and takes notices.
    pub(crate) const BIDDER: Self = Self { bidder: true, name: "bidder", ..Self::NONE };
    /// Lends and charges money.
    pub(crate) const LEDGER: Self = Self { ledger: true, name: "ledger", ..Self::NONE };
    /// Writes profiles.
    pub(crate) const SEGMENTS: Self = Self { segments: true, name: "segments", ..Self::NONE };

    /// Everything, with or without a simulated exchange.
    pub(crate) const fn up(traffic: bool) -> Self {
        Self { bidder: true, ledger: true, segments: true, campaigns: true, traffic, name: "up" }
    }
}

/// What the roles share.
pub(crate) struct Shared {
    pub(crate) config: Config,
    pub(crate) log: EventLog,
    pub(crate) profiles: Profiles,
    pub(crate) hasher: IdHasher,
    pub(crate) books: LedgerHandle,
    shutdown: watch::Receiver<bool>,
    failed: mpsc::UnboundedSender<String>,
}

/// The wall clock.
pub(crate) fn clock() -> Micros {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}

/// Runs `roles` until the process is told to end or one of them cannot go on.
///
/// # Errors
/// Why it could not start, or had to end.
pub(crate) fn run(config: Config, roles: Roles) -> Result<(), String> {
    let said = |problem: &dyn std::fmt::Display| problem.to_string();
    std::fs::create_dir_all(&config.data_dir).map_err(|problem| format!("{}: {problem}", config.data_dir.display()))?;
    let secrets = secrets::in_force(&config.secrets, &config.data_dir)?;
    let log = EventLog::from(LocalLog::open(config.events.clone()).map_err(|problem| said(&problem))?);
    let profiles = open_profiles(&config.data_dir)?;
    // Only now: whoever connects earlier is refused at once, instead of waiting for what is being opened.
    let bid = roles.bidder.then(|| listen(config.bid.listen, "bid.listen")).transpose()?;
    let admin = listen(config.admin_listen, "admin.listen")?;
    let (stop, shutdown) = watch::channel(false);
    let (failed, failures) = mpsc::unbounded_channel();
    let hasher = IdHasher::new(secrets.id_key);
    let shared = Shared { config, log, profiles, hasher, books: LedgerHandle::default(), shutdown, failed };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name("tasks")
        .enable_all()
        .build()
        .map_err(|problem| said(&problem))?;
    let ended = runtime.block_on(serve(&shared, roles, &secrets, bid, admin, stop, failures));
    runtime.shutdown_timeout(Duration::from_secs(1));
    let Shared { log, profiles, .. } = shared;
    drop(profiles);
    log.close();
    ended
}

fn listen(address: SocketAddr, setting: &str) -> Result<TcpListener, String> {
    TcpListener::bind(address).map_err(|problem| format!("{setting} {address}: {problem}"))
}

fn open_profiles(data_dir: &Path) -> Result<Profiles, String> {
    let local = LocalProfiles::open(&data_dir.join("profiles")).map_err(|problem| problem.to_string())?;
    Ok(Profiles::Local(Arc::new(local)))
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
    let (end_ledger, ledger_end) = watch::channel(false);
    let control = roles.campaigns.then(|| open_campaigns(&shared.log)).transpose()?;
    let ledger = roles.ledger.then(|| start_ledger(shared, ledger_end)).transpose()?;
    let bidder = bid.map(|listener| start_bidder(shared, secrets, listener)).transpose()?;
    let names = segment_names(shared, bidder.as_ref());
    let routes = routes(shared, roles, control.as_ref(), bidder.as_ref(), &names);
    let admin = serve_admin(admin, routes)?;
    let sweeper = roles.segments.then(|| tokio::spawn(sweep(shared.profiles.clone())));
    let summary = match (&bidder, roles.campaigns) {
        (Some(bidder), true) => {
            let demonstration = Demonstration::new(shared, bidder, roles.traffic);
            Some(tokio::spawn(demonstration.run(shared.shutdown.clone(), shared.failed.clone())))
        }
        _ => {
            eprintln!("vernier {}: admin on http://{}", roles.name, shared.config.admin_listen);
            None
        }
    };
    let failure = tokio::select! {
        failure = failures.recv() => failure,
        () = told_to_end() => None,
    };
    stop.send_replace(true);
    let drained = match bidder {
        Some(bidder) => bidder.finished().await.map_err(|problem| problem.to_string()),
        None => Ok(()),
    };
    if let Some(summary) = summary {
        summary.await.map_err(|problem| problem.to_string())?;
    }
    sweeper.inspect(tokio::task::JoinHandle::abort);
    end_ledger.send_replace(true);
    if let Some(ledger) = ledger {
        let joined = tokio::task::spawn_blocking(move || ledger.join()).await.map_err(|problem| problem.to_string())?;
        joined.map_err(|_| "the ledger panicked".to_owned())?;
    }
    if roles.bidder && roles.campaigns {
        summary::last(&shared.books.books(clock()));
    }
    admin.abort();
    failure.map_or(drained, Err)
}

fn open_campaigns(log: &EventLog) -> Result<ControlPlane, String> {
    let control = ControlPlane::open(log.clone(), clock).map_err(|problem| problem.to_string())?;
    if control.revision().map_err(|problem| problem.to_string())?.is_none() {
        control.apply(&control_plane::sample(), "sample", false).map_err(|problem| problem.to_string())?;
    }
    Ok(control)
}

/// The ledger reads files and folds on a thread of its own.
fn start_ledger(shared: &Shared, mut end: watch::Receiver<bool>) -> Result<JoinHandle<()>, String> {
    let (log, policy, books) = (shared.log.clone(), shared.config.ledger, shared.books.clone());
    let failed = shared.failed.clone();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|problem| problem.to_string())?;
    let work = move || {
        let end = async move { drop(end.wait_for(|end| *end).await) };
        if let Err(problem) = runtime.block_on(ledger::serve(log, policy, clock, books, end)) {
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
        profiles: shared.profiles.clone(),
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

fn routes(
    shared: &Shared,
    roles: Roles,
    control: Option<&ControlPlane>,
    bidder: Option<&Running>,
    names: &Campaigns,
) -> axum::Router {
    let mut routes = match bidder {
        Some(running) => bidder::admin::routes(running.admin.clone()),
        None => alone(shared, roles),
    };
    if roles.segments {
        let names = names.clone();
        routes = routes.merge(segment_store::admin::router(segment_store::admin::Admin {
            profiles: shared.profiles.clone(),
            hasher: shared.hasher,
            segments: Arc::new(move |name: &str| names.load().segment_named(name)),
            clock: Arc::new(clock),
        }));
    }
    if let Some(control) = control {
        routes = routes.merge(control_plane::admin::routes(control.clone()));
    }
    routes
}

/// Health of a role that has no bidder beside it.
fn alone(shared: &Shared, roles: Roles) -> axum::Router {
    let (log, books) = (shared.log.clone(), shared.books.clone());
    let ready = async move || {
        let ready = log.health().is_ok() && (!roles.ledger || books.caught_up());
        let status = if ready { axum::http::StatusCode::OK } else { axum::http::StatusCode::SERVICE_UNAVAILABLE };
        (status, axum::Json(serde_json::json!({ "ready": ready })))
    };
    axum::Router::new()
        .route("/healthz", axum::routing::get(async || "ok\n"))
        .route("/readyz", axum::routing::get(ready))
}

/// Health and metrics are answered through the drain; the task ends with the process.
fn serve_admin(listener: TcpListener, routes: axum::Router) -> Result<tokio::task::JoinHandle<()>, String> {
    listener.set_nonblocking(true).map_err(|problem| problem.to_string())?;
    let listener = tokio::net::TcpListener::from_std(listener).map_err(|problem| problem.to_string())?;
    Ok(tokio::spawn(async move {
        if let Err(problem) = axum::serve(listener, routes).await {
            tracing::error!(%problem, "the admin port failed");
        }
    }))
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

/// Waits for an interrupt or a termination. A second one ends the process at once.
async fn told_to_end() {
    let mut terminate = match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
        Ok(terminate) => terminate,
        Err(problem) => {
            tracing::error!(%problem, "termination cannot be listened for");
            return;
        }
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
    }
    tokio::spawn(async move {
        tokio::select! {
            _ = tokio::signal::ctrl_c() => {}
            _ = terminate.recv() => {}
        }
        std::process::exit(130);
    });
}
