//! What operators and managers ask a bidder, on the admin port.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use decision::time::Micros;
use event_log::Stream;
use serde::{Deserialize, Serialize};

use crate::bidder::Bidder;
use crate::explain;
use crate::lease::{KeeperStatus, Shortage};
use crate::limits::EXPLAIN_BYTES_MAX;
use crate::metrics::{Gauge, GaugeKind};
use crate::server::{Count, Readiness, ServerCounters};

/// What the admin routes read.
#[derive(Clone)]
pub struct Admin {
    /// The bidder.
    pub bidder: Arc<Bidder>,
    /// Whether requests should be sent here.
    pub readiness: Arc<Readiness>,
    /// What the bid port counted.
    pub counters: Arc<ServerCounters>,
    /// How the node is supplied with money.
    pub supply: Arc<dyn Fn() -> KeeperStatus + Send + Sync>,
    /// The wall clock.
    pub clock: fn() -> Micros,
}

/// What `/readyz` says beside its status: 200 when requests should be sent here, else 503.
#[derive(Debug, Serialize)]
struct Ready {
    ready: bool,
    campaigns: usize,
    campaigns_caught_up: bool,
    events_healthy: bool,
    profiles: Option<usize>,
    /// Campaigns that the ledger has not answered yet.
    leases_unanswered: usize,
    /// Campaigns without money to bid with, by name, and why.
    no_lease: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct ExplainQuery {
    exchange: String,
}

/// `/healthz`, `/readyz`, `/metrics` and `POST /explain?exchange=NAME`.
pub fn routes(admin: Admin) -> Router {
    Router::new()
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .route("/explain", post(explain_request))
        .layer(DefaultBodyLimit::max(EXPLAIN_BYTES_MAX))
        .with_state(admin)
}

async fn ready(State(admin): State<Admin>) -> Response {
    let supply = (admin.supply)();
    let snapshot = admin.bidder.campaigns.load();
    let name = |(campaign, shortage): &(_, Shortage)| {
        let name = snapshot.index.slot_of(*campaign).map_or("?", |slot| &snapshot.index.campaign(slot).name);
        format!("{name}: {}", shortage.label())
    };
    let ready = Ready {
        ready: is_ready(&admin),
        campaigns: snapshot.index.campaigns().len(),
        campaigns_caught_up: admin.bidder.campaigns.caught_up(),
        events_healthy: admin.bidder.log.health().is_ok(),
        profiles: admin.bidder.profiles.stats().records,
        leases_unanswered: supply.unanswered,
        no_lease: supply.without_lease.iter().map(name).collect(),
    };
    let status = if ready.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(ready)).into_response()
}

/// Whether requests should be sent here. A log that failed takes no notices, so nothing is bid any more.
fn is_ready(admin: &Admin) -> bool {
    admin.readiness.ready() && admin.bidder.log.health().is_ok()
}

async fn metrics(State(admin): State<Admin>) -> Response {
    let mut text = String::with_capacity(32 * 1024);
    match admin.bidder.metrics.encode(&mut text, &gauges(&admin)) {
        Ok(()) => ([(header::CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")], text)
            .into_response(),
        Err(problem) => (StatusCode::INTERNAL_SERVER_ERROR, problem.to_string()).into_response(),
    }
}

const CAP_EVENTS_LOST: &str = "Events that no frequency cap counts, because too many waited for Redis";

fn gauges(admin: &Admin) -> Vec<Gauge> {
    let bidder = &admin.bidder;
    let supply = (admin.supply)();
    let whole = |value: usize| i64::try_from(value).unwrap_or(i64::MAX);
    let count = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
    let one = |name, help, value| Gauge { name, help, kind: GaugeKind::Gauge, values: vec![(String::new(), value)] };
    let dropped = [Stream::Bids, Stream::Opportunities]
        .map(|stream| (format!("{{where=\"{}\"}}", stream.name()), count(bidder.log.dropped(stream))));
    let mut dropped = Vec::from(dropped);
    dropped.push(("{where=\"queue\"}".to_owned(), count(bidder.events.dropped())));
    let server = Count::ALL.iter().map(|c| (format!("{{what=\"{}\"}}", c.label()), count(admin.counters.read(*c))));
    let stats = bidder.profiles.stats();
    let lost = vec![(String::new(), count(stats.lost_events))];
    let mut gauges = vec![
        Gauge { name: "cap_events_lost", help: CAP_EVENTS_LOST, kind: GaugeKind::Counter, values: lost },
        Gauge { name: "events_dropped", help: "Telemetry that was dropped", kind: GaugeKind::Counter, values: dropped },
        Gauge { name: "server", help: "What the bid port counted", kind: GaugeKind::Counter, values: server.collect() },
        one("notices_waiting", "Notices that are durable here and not in Kafka yet", count(bidder.log.waiting())),
        one("connections_open", "Connections of the bid port", count(admin.counters.connections_open())),
        one("ready", "Whether requests should be sent here", i64::from(is_ready(admin))),
        one("campaigns", "Campaigns in force", whole(bidder.campaigns.load().index.campaigns().len())),
        without_lease(&supply),
        one("leases_open", "Leases of this node that are not closed", whole(supply.open_leases)),
        one("reservations_open", "Bids in flight with money held", whole(bidder.reservations.len())),
    ];
    gauges.extend(stats.records.map(|records| one("profiles", "Profile records", whole(records))));
    gauges
}

/// Every reason is told, also where no campaign has it, so that an alert has a series to watch.
fn without_lease(supply: &KeeperStatus) -> Gauge {
    let values = Shortage::ALL.map(|why| {
        let count = supply.without_lease.iter().filter(|(_, shortage)| *shortage == why).count();
        (format!("{{why=\"{}\"}}", why.label()), i64::try_from(count).unwrap_or(i64::MAX))
    });
    let (name, help) = ("campaigns_without_lease", "Campaigns without money to bid with on this node, and why");
    Gauge { name, help, kind: GaugeKind::Gauge, values: values.into() }
}

async fn explain_request(State(admin): State<Admin>, Query(query): Query<ExplainQuery>, body: Bytes) -> Response {
    match explain::explain(&admin.bidder, &query.exchange, &body, (admin.clock)()).await {
        Ok(explanation) => Json(explanation).into_response(),
        Err(problem) => {
            (StatusCode::UNPROCESSABLE_ENTITY, Json(serde_json::json!({ "error": problem }))).into_response()
        }
    }
}
