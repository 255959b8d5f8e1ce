//! What was measured, one object a figure.

use serde::Serialize;

use super::{IDLE, Turn};
use crate::load::Tally;
use crate::subject::Counters;
use crate::usage::{KAFKA_THREADS, Usage};

/// That of the threads that answer requests.
const SERVING_THREADS: &str = "http-";

/// A thread that takes less than this in an idle second, in milliseconds, is not named.
const IDLE_MS_TOLD: f64 = 0.1;

/// One figure.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Figure {
    pub(super) name: String,
    /// The median of the turns, where it was taken in each.
    pub(super) value: f64,
    pub(super) unit: &'static str,
    /// How many times the floor's it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) ratio_to_floor: Option<Ratio>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) note: Option<String>,
}

/// A ratio of each turn to the floor's turns beside it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(super) struct Ratio {
    median: f64,
    min: f64,
    max: f64,
}

impl std::fmt::Display for Ratio {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:.2} times the floor ({:.2} to {:.2})", self.median, self.min, self.max)
    }
}

impl Figure {
    fn new(name: &str, value: f64, unit: &'static str) -> Self {
        Self { name: name.to_owned(), value, unit, ratio_to_floor: None, note: None }
    }

    fn with_note(self, note: String) -> Self {
        Self { note: Some(note), ..self }
    }

    /// The median of what `of` finds in each turn of the bidder, and its ratio to what it finds in the floor's.
    fn of_turns(
        name: &str,
        unit: &'static str,
        floors: &[Turn],
        bidders: &[Turn],
        of: impl Fn(&Turn) -> Option<f64>,
    ) -> Option<Self> {
        let values: Vec<f64> = bidders.iter().filter_map(&of).collect();
        let floors: Vec<f64> = floors.iter().filter_map(&of).collect();
        let ratios = values.iter().zip(floors.windows(2)).map(|(value, beside)| 2.0 * value / (beside[0] + beside[1]));
        let ratios = sorted(ratios.collect());
        let ratio =
            ratios.first().zip(ratios.last()).map(|(min, max)| Ratio { median: median(&ratios), min: *min, max: *max });
        let value = (!values.is_empty()).then(|| median(&sorted(values)))?;
        Some(Self { ratio_to_floor: ratio, ..Self::new(name, value, unit) })
    }
}

/// All figures of some turns: those of the floor are one more, before, between and after those of the bidder.
pub(super) fn all(
    floors: &[Turn],
    bidders: &[Turn],
    counted: Option<&Counters>,
    eligible: Option<f64>,
    idle: Option<&Usage>,
) -> Vec<Figure> {
    let of =
        |name: &str, unit, find: &dyn Fn(&Turn) -> Option<f64>| Figure::of_turns(name, unit, floors, bidders, find);
    let cpu = |part: fn(&Usage) -> u64| {
        move |turn: &Turn| Some(part(turn.usage.as_ref()?) as f64 / 1e3 / turn.tally.answered() as f64)
    };
    let threads = |prefix: &'static str| {
        move |turn: &Turn| Some(turn.usage.as_ref()?.threads(prefix) as f64 / 1e3 / turn.tally.answered() as f64)
    };
    let ms = |share: f64| move |turn: &Turn| Some(turn.tally.from_due.ms(share));
    let bare = |figure: Option<Figure>| figure.map(|figure| Figure { ratio_to_floor: None, ..figure });
    let floor = Figure::of_turns("floor_cpu_per_request", "us", &[], floors, cpu(Usage::cpu_ns));
    let mut figures = vec![
        of("cpu_per_request", "us", &cpu(Usage::cpu_ns)),
        floor,
        bare(of("cpu_per_request_user", "us", &cpu(|usage| usage.user_ns))),
        bare(of("cpu_per_request_system", "us", &cpu(|usage| usage.system_ns))),
        bare(of("cpu_per_request_serving", "us", &threads(SERVING_THREADS))),
        bare(of("cpu_per_request_kafka_library", "us", &threads(KAFKA_THREADS))),
        bare(of("switches_per_request", "", &|turn| {
            Some(turn.usage.as_ref()?.switches as f64 / turn.tally.answered() as f64)
        })),
        of("p50", "ms", &ms(0.5)),
        of("p99", "ms", &ms(0.99)),
        of("p999", "ms", &ms(0.999)),
    ];
    figures.extend(threads_of(bidders).into_iter().map(Some));
    figures.extend(traffic(floors, bidders).into_iter().map(Some));
    let checks = counted.into_iter().flat_map(Counters::checks);
    figures.extend(checks.map(|(name, value, unit)| Some(Figure::new(name, value, unit))));
    figures.push(eligible.map(|eligible| Figure::new("eligible_campaigns_per_imp", eligible, "")));
    figures.extend(idle.into_iter().flat_map(idle_of).map(Some));
    let memory =
        bidders.last().and_then(|turn| turn.usage.as_ref()).map(|usage| usage.memory as f64 / f64::from(1 << 20));
    figures.push(memory.map(|memory| Figure::new("memory", memory, "MiB")));
    figures.into_iter().flatten().collect()
}

/// What each kind of thread of the bidder takes.
fn threads_of(bidders: &[Turn]) -> Vec<Figure> {
    let requests: u64 = bidders.iter().map(|turn| turn.tally.answered()).sum();
    let mut threads = std::collections::BTreeMap::<&str, u64>::new();
    for (name, ns) in bidders.iter().filter_map(|turn| turn.usage.as_ref()).flat_map(|usage| &usage.threads_ns) {
        *threads.entry(name).or_default() += ns;
    }
    let figure =
        |(name, ns): (&str, u64)| Figure::new(&format!("thread {name}"), ns as f64 / 1e3 / requests as f64, "us");
    threads.into_iter().filter(|(_, ns)| *ns > 0).map(figure).collect()
}

/// What a bidder takes in a second without requests, in all and by kind of thread.
fn idle_of(used: &Usage) -> Vec<Figure> {
    let ms = |ns: u64| ns as f64 / 1e6 / IDLE.as_secs_f64();
    let threads = used.threads_ns.iter().map(|(name, ns)| (format!("idle thread {name}"), ms(*ns)));
    let threads = threads.filter(|(_, ms)| *ms >= IDLE_MS_TOLD).map(|(name, ms)| Figure::new(&name, ms, "ms/s"));
    std::iter::once(Figure::new("cpu_idle", ms(used.cpu_ns()), "ms/s")).chain(threads).collect()
}

fn traffic(floors: &[Turn], bidders: &[Turn]) -> Vec<Figure> {
    let sum = |turns: &[Turn]| {
        let mut sum = Tally::default();
        turns.iter().for_each(|turn| sum.merge(&turn.tally));
        sum
    };
    let (floor, bidder) = (sum(floors), sum(bidders));
    let seconds = bidders.iter().map(|turn| turn.tally.seconds.len()).sum::<usize>() as f64;
    let faults = bidder.faults.first().cloned().unwrap_or_default();
    vec![
        Figure::new("requests_per_second", bidder.answered() as f64 / seconds, "1/s"),
        Figure::new("bid_rate", 100.0 * bidder.bid_rate(), "%"),
        Figure::new("floor_bid_rate", 100.0 * floor.bid_rate(), "%"),
        Figure::new("late", 100.0 * bidder.late_share(), "%"),
        Figure::new("floor_late", 100.0 * floor.late_share(), "%"),
        Figure::new("answers_against_the_rules", bidder.invalid as f64, "")
            .with_note(format!("of {} looked at {faults}", bidder.checked)),
    ]
}

fn sorted(mut values: Vec<f64>) -> Vec<f64> {
    values.sort_by(f64::total_cmp);
    values
}

/// The middle of sorted values, of which there is at least one.
fn median(values: &[f64]) -> f64 {
    let middle = values.len() / 2;
    if values.len().is_multiple_of(2) { values[middle - 1].midpoint(values[middle]) } else { values[middle] }
}
