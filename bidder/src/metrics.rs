//! What is counted, and how Prometheus reads it. Every counter is found once, at start; counting is one atomic.

use std::fmt::Write;
use std::sync::{Mutex, PoisonError};

use decision::ids::SegmentId;
use decision::outcome::NoBidReason;
use decision::privacy::Restriction;
use decision::profile::UnknownWhy;
use hdrhistogram::Histogram;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

use crate::limits::LATENCY_US_MAX;
use crate::token::NoticeKind;

/// What became of a bid request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestOutcome {
    /// Answered with at least one bid.
    Bid,
    /// Answered with none.
    NoBid,
    /// Answered with none, because the exchange's time was over.
    Late,
    /// Answered with none and not even read, because it had waited too long for its turn.
    Shed,
    /// Answered with none, because the log takes no more notices.
    Deaf,
    /// Not a bid request.
    Malformed,
    /// No exchange of that name.
    UnknownExchange,
}

impl RequestOutcome {
    const ALL: [Self; 7] =
        [Self::Bid, Self::NoBid, Self::Late, Self::Shed, Self::Deaf, Self::Malformed, Self::UnknownExchange];

    const fn label(self) -> &'static str {
        match self {
            Self::Bid => "bid",
            Self::NoBid => "no_bid",
            Self::Late => "late",
            Self::Shed => "shed",
            Self::Deaf => "deaf",
            Self::Malformed => "malformed",
            Self::UnknownExchange => "unknown_exchange",
        }
    }
}

/// What became of a notice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoticeOutcome {
    /// Durable and acknowledged.
    Taken,
    /// Durable and acknowledged, but a macro was replaced by `AUDIT`: an exchange's check of the creative. Nothing follows.
    Audit,
    /// Durable and acknowledged, but without the price that it must carry. Nothing follows.
    Unpriced,
    /// Its token is not one of ours: 403.
    Forged,
    /// Its token's time is over: 410.
    Expired,
    /// It could not be made durable: 503, so that the exchange's retry is safe.
    Unavailable,
}

impl NoticeOutcome {
    const ALL: [Self; 6] = [Self::Taken, Self::Audit, Self::Unpriced, Self::Forged, Self::Expired, Self::Unavailable];

    const fn label(self) -> &'static str {
        match self {
            Self::Taken => "taken",
            Self::Audit => "audit",
            Self::Unpriced => "unpriced",
            Self::Forged => "forged",
            Self::Expired => "expired",
            Self::Unavailable => "unavailable",
        }
    }
}

/// What was counted for people in one micro-segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SegmentCount {
    /// Bids sent.
    Bids,
    /// Ghost bids logged.
    Ghosts,
    /// Win notices taken, repeated ones included: `outcomes` has each once.
    Wins,
    /// View notices taken, likewise.
    Views,
    /// Click notices taken, likewise.
    Clicks,
}

/// One label: its name and its value.
type Labelled = [(&'static str, &'static str); 1];

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct NoticeLabels {
    kind: &'static str,
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct SegmentLabels {
    segment: u32,
}

/// One counter for each case of a closed set.
#[derive(Debug)]
struct Cases<const N: usize>([Counter; N]);

impl<const N: usize> Cases<N> {
    /// `help` begins with what is counted; `label` names what the cases are.
    fn register(
        registry: &mut Registry,
        name: &str,
        label: &'static str,
        help: &str,
        cases: [&'static str; N],
    ) -> Self {
        let family = Family::<Labelled, Counter>::default();
        registry.register(name, help, family.clone());
        Self(cases.map(|case| family.get_or_create_owned(&[(label, case)])))
    }
}

/// The counters of a bidder.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    requests: Cases<{ RequestOutcome::ALL.len() }>,
    no_bids: Cases<{ NoBidReason::ALL.len() }>,
    restrictions: Cases<{ Restriction::ALL.len() }>,
    lookups: Cases<6>,
    notices: [[Counter; NoticeOutcome::ALL.len()]; NoticeKind::ALL.len()],
    segments: [Family<SegmentLabels, Counter>; 5],
    cap_events: Cases<5>,
    latency: Box<[Mutex<Histogram<u64>>]>,
}

/// How a look-up went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LookUp {
    /// The person is in at least one segment.
    Member,
    /// The person is in none.
    Stranger,
    /// Nothing is known.
    Unknown(UnknownWhy),
}

/// What was reported to the frequency caps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CapOutcome {
    /// A bid that may become an impression.
    Pending,
    /// A bid that was won.
    Won,
    /// An impression.
    Confirmed,
    /// A bid that was lost.
    Released,
    /// A bid that a held-out person would have got.
    Ghost,
}

impl Metrics {
    /// Counters for a bidder of `cores` cores.
    ///
    /// # Panics
    /// Never: the bounds of the histograms are constants that are valid.
    pub fn new(cores: usize) -> Self {
        let mut registry = Registry::with_prefix("vernier");
        let r = &mut registry;
        let requests = RequestOutcome::ALL.map(RequestOutcome::label);
        let requests = Cases::register(r, "requests", "outcome", "Bid requests by what became of them", requests);
        let reasons = std::array::from_fn(|at| NoBidReason::ALL[at].label());
        let no_bids = Cases::register(r, "no_bids", "reason", "Impressions without a bid, by reason", reasons);
        let restrictions = Restriction::ALL.map(Restriction::label);
        let restrictions =
            Cases::register(r, "restricted", "signal", "Requests by the signal that restricts them", restrictions);
        let [a, b, c, d] = UnknownWhy::ALL.map(UnknownWhy::label);
        let lookups = Cases::register(r, "lookups", "result", "Profile look-ups", ["member", "stranger", a, b, c, d]);
        let caps = ["pending", "won", "confirmed", "released", "ghost"];
        let cap_events = Cases::register(r, "cap_events", "event", "What was reported to frequency caps", caps);
        let family = Family::<NoticeLabels, Counter>::default();
        r.register("notices", "Notices by kind and by what became of them", family.clone());
        let notices = NoticeKind::ALL.map(|kind| {
            NoticeOutcome::ALL.map(|outcome| {
                family.get_or_create_owned(&NoticeLabels { kind: kind.label(), outcome: outcome.label() })
            })
        });
        let segments = ["bids", "ghost_bids", "win_notices", "view_notices", "click_notices"].map(|name| {
            let family = Family::<SegmentLabels, Counter>::default();
            r.register(
                format!("segment_{name}"),
                "By the micro-segment that set the price; 0: none did",
                family.clone(),
            );
            family
        });
        let histogram = || Histogram::new_with_max(LATENCY_US_MAX, 3).expect("the bounds are valid");
        let latency = (0..cores).map(|_| Mutex::new(histogram())).collect();
        Self { registry, requests, no_bids, restrictions, lookups, notices, segments, cap_events, latency }
    }

    /// A bid request was answered.
    pub fn request(&self, outcome: RequestOutcome) {
        self.requests.0[outcome as usize].inc();
    }

    /// How many bid requests had this outcome.
    pub fn requests(&self, outcome: RequestOutcome) -> u64 {
        self.requests.0[outcome as usize].get()
    }

    /// An impression got no bid.
    pub fn no_bid(&self, reason: NoBidReason) {
        self.no_bids.0[reason as usize].inc();
    }

    /// A request was restricted.
    pub fn restricted(&self, by: Restriction) {
        self.restrictions.0[by as usize].inc();
    }

    /// A profile was looked up, or could not be.
    pub fn looked_up(&self, result: LookUp) {
        let place = match result {
            LookUp::Member => 0,
            LookUp::Stranger => 1,
            LookUp::Unknown(why) => 2 + why as usize,
        };
        self.lookups.0[place].inc();
    }

    /// Frequency caps were told.
    pub fn cap_event(&self, outcome: CapOutcome) {
        self.cap_events.0[outcome as usize].inc();
    }

    /// A notice was handled.
    pub fn notice(&self, kind: NoticeKind, outcome: NoticeOutcome) {
        self.notices[kind as usize][outcome as usize].inc();
    }

    /// Something happened for people in `segment`.
    pub fn segment(&self, count: SegmentCount, segment: Option<SegmentId>) {
        let segment = segment.map_or(0, |segment| segment.0);
        self.segments[count as usize].get_or_create(&SegmentLabels { segment }).inc();
    }

    /// How often that happened; segment `None` is the default price.
    pub fn segment_count(&self, count: SegmentCount, segment: Option<SegmentId>) -> u64 {
        let segment = segment.map_or(0, |segment| segment.0);
        self.segments[count as usize].get_or_create(&SegmentLabels { segment }).get()
    }

    /// A bid request took `micros` from its complete head to its answer, on `core`.
    pub fn took(&self, core: usize, micros: u64) {
        let mut histogram = self.latency[core].lock().unwrap_or_else(PoisonError::into_inner);
        histogram.saturating_record(micros);
    }

    /// The latency of bid requests, all cores together, in microseconds.
    pub fn latency(&self) -> Histogram<u64> {
        let mut all = Histogram::new_with_max(LATENCY_US_MAX, 3).expect("the bounds are valid");
        for core in &self.latency {
            let core = core.lock().unwrap_or_else(PoisonError::into_inner);
            all.add(&*core).expect("the bounds are the same");
        }
        all
    }

    /// Appends everything in the Prometheus text format (OpenMetrics), with `gauges` read by the caller at this moment.
    ///
    /// # Errors
    /// Never, when writing to a `String`.
    pub fn encode(&self, out: &mut String, gauges: &[Gauge]) -> std::fmt::Result {
        let mut counters = String::new();
        prometheus_client::encoding::text::encode_registry(&mut counters, &self.registry)?;
        in_order(&counters, out);
        self.encode_latency(out)?;
        for gauge in gauges {
            let Gauge { name, help, kind, .. } = gauge;
            let kind = kind.label();
            writeln!(out, "# HELP vernier_{name} {help}.\n# TYPE vernier_{name} {kind}")?;
            let suffix = if kind == "counter" { "_total" } else { "" };
            for (labels, value) in &gauge.values {
                writeln!(out, "vernier_{name}{suffix}{labels} {value}")?;
            }
        }
        prometheus_client::encoding::text::encode_eof(out)
    }

    fn encode_latency(&self, out: &mut String) -> std::fmt::Result {
        const BUCKETS_US: [u64; 13] =
            [50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 1_000_000];
        let latency = self.latency();
        let name = "vernier_request_duration_seconds";
        writeln!(out, "# HELP {name} From a bid request's complete head to its answer.\n# TYPE {name} histogram")?;
        for bound in BUCKETS_US {
            let count = latency.count_between(0, bound);
            writeln!(out, "{name}_bucket{{le=\"{}\"}} {count}", bound as f64 / 1e6)?;
        }
        writeln!(out, "{name}_bucket{{le=\"+Inf\"}} {}", latency.len())?;
        writeln!(out, "{name}_sum {}\n{name}_count {}", latency.mean() * latency.len() as f64 / 1e6, latency.len())
    }
}

/// Appends `metrics` with the series of each in the order of their labels: the registry has them in that of a randomly
/// seeded map.
fn in_order(metrics: &str, out: &mut String) {
    let mut lines: Vec<&str> = metrics.split_inclusive('\n').collect();
    for run in lines.chunk_by_mut(|a, b| a.starts_with('#') == b.starts_with('#')) {
        if !run[0].starts_with('#') {
            run.sort_unstable();
        }
    }
    out.extend(lines);
}

/// Numbers that are read when they are asked for.
#[derive(Clone, Debug)]
pub struct Gauge {
    /// The name after `vernier_`.
    pub name: &'static str,
    /// What it tells, without a final dot.
    pub help: &'static str,
    /// Whether it only grows.
    pub kind: GaugeKind,
    /// Labels such as `{stream="bids"}` (or nothing) with their values.
    pub values: Vec<(String, i64)>,
}

/// Whether a number only grows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GaugeKind {
    /// It goes up and down.
    Gauge,
    /// It only grows.
    Counter,
}

impl GaugeKind {
    const fn label(self) -> &'static str {
        match self {
            Self::Gauge => "gauge",
            Self::Counter => "counter",
        }
    }
}

#[cfg(test)]
mod tests;
