//! What is written of a load.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Sample, Scenario};
use crate::load::{Tally, Times, length};
use crate::subject::Counters;
use crate::usage::{KAFKA_THREADS, load_average};

pub(super) mod stages;

#[derive(Debug, Serialize)]
pub(super) struct Report {
    pub(super) name: String,
    pub(super) scenario: Scenario,
    /// What the generator said of itself.
    self_test: String,
    load_average: Option<f64>,
    /// Everything by name; times in milliseconds, processor time in microseconds a request.
    pub(super) figures: BTreeMap<&'static str, f64>,
    /// Answers by status.
    statuses: BTreeMap<u16, u64>,
    /// The first answers that broke a rule.
    faults: Vec<String>,
    pub(super) stages: Vec<stages::Row>,
    pub(super) seconds: Vec<Second>,
    pub(super) samples: Vec<Sample>,
}

/// The requests that were due in one second.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Second {
    pub(super) due: u64,
    pub(super) answered: u64,
    pub(super) good: u64,
    pub(super) late: u64,
    pub(super) p50_ms: f64,
    pub(super) p99_ms: f64,
}

impl Report {
    pub(super) fn new(
        name: String,
        scenario: Scenario,
        self_test: String,
        tally: &Tally,
        samples: &[Sample],
        counted: Option<&Counters>,
    ) -> Self {
        let stages = stages::rows(&scenario.stages, &tally.seconds, samples);
        let mut figures = traffic(&scenario, tally);
        figures.extend(processor(tally, samples));
        figures.extend(counted.into_iter().flat_map(Counters::checks).map(|(name, value, _)| (name, value)));
        let seconds = tally.seconds.iter().map(|second| {
            let ms = |share| second.times.as_ref().map_or(0.0, |times: &Times| times.ms(share));
            let (due, answered, good, late) = (second.due, second.answered, second.good, second.late);
            Second { due, answered, good, late, p50_ms: ms(0.5), p99_ms: ms(0.99) }
        });
        Self {
            name,
            scenario,
            self_test,
            load_average: load_average(),
            figures,
            statuses: tally.statuses.clone(),
            faults: tally.faults.clone(),
            stages,
            seconds: seconds.collect(),
            samples: samples.to_vec(),
        }
    }

    pub(super) fn print(&self) {
        println!("{}: {}", self.name, self.scenario.title);
        self.figures.iter().for_each(|(name, value)| println!("{name:<34} {value:>14.3}"));
        print!("{}", stages::table(&self.stages));
        println!("answers by status: {:?}; load average {}", self.statuses, self.load_average.unwrap_or_default());
        self.faults.iter().for_each(|fault| println!("{fault}"));
    }
}

fn traffic(scenario: &Scenario, tally: &Tally) -> BTreeMap<&'static str, f64> {
    let seconds = length(&scenario.stages).as_secs_f64();
    let (due, sent) = (&tally.from_due, &tally.from_sent);
    BTreeMap::from([
        ("requests due", tally.due as f64),
        ("requests not sent", tally.unsent as f64),
        ("requests failed", tally.failed as f64),
        ("achieved 1/s", tally.answered() as f64 / seconds),
        ("bid rate %", 100.0 * tally.bid_rate()),
        ("late or not sent %", 100.0 * tally.late_share()),
        ("good answers 1/s", tally.good as f64 / seconds),
        ("p50 ms", due.ms(0.5)),
        ("p99 ms", due.ms(0.99)),
        ("p99.9 ms", due.ms(0.999)),
        ("longest ms", due.max_ms()),
        ("p99 ms from when it was sent", sent.ms(0.99)),
        ("answers looked at", tally.checked as f64),
        ("answers against the rules", tally.invalid as f64),
        ("notices and views taken", tally.calls.taken as f64),
        ("notices and views refused", tally.calls.refused as f64),
        ("notices and views failed", tally.calls.failed as f64),
        ("connections opened", tally.connections as f64),
    ])
}

/// What the bidder's process used and holds.
fn processor(tally: &Tally, samples: &[Sample]) -> BTreeMap<&'static str, f64> {
    let (Some(first), Some(last)) = (samples.first(), samples.last()) else { return BTreeMap::new() };
    let used = last.usage.since(&first.usage);
    let requests = (tally.answered() + tally.calls.taken + tally.calls.refused).max(1) as f64;
    let us = |ns: u64| ns as f64 / 1e3 / requests;
    let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
    BTreeMap::from([
        ("cpu us of all requests and notices", us(used.cpu_ns())),
        ("cpu us user", us(used.user_ns)),
        ("cpu us system", us(used.system_ns)),
        ("cpu us of Kafka's library", us(used.threads(KAFKA_THREADS))),
        ("memory MiB at the start", mib(first.usage.memory)),
        ("memory MiB at the end", mib(last.usage.memory)),
        ("memory slope %/h of the last half", slope(samples)),
        ("descriptors at the start", first.usage.descriptors as f64),
        ("descriptors at the end", last.usage.descriptors as f64),
    ])
}

/// How much memory grows in an hour, in percent of what there is in the mean: a line through the last half of the samples,
/// by least squares.
fn slope(samples: &[Sample]) -> f64 {
    let half = &samples[samples.len() / 2..];
    let count = half.len() as f64;
    let mean = |of: &dyn Fn(&Sample) -> f64| half.iter().map(of).sum::<f64>() / count;
    let memory = |sample: &Sample| sample.usage.memory as f64;
    let (at_mean, memory_mean) = (mean(&|sample| sample.at), mean(&memory));
    let spread: f64 = half.iter().map(|sample| (sample.at - at_mean).powi(2)).sum();
    let along: f64 = half.iter().map(|sample| (sample.at - at_mean) * (memory(sample) - memory_mean)).sum();
    if spread == 0.0 { 0.0 } else { 100.0 * 3_600.0 * along / spread / memory_mean }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::usage::Usage;

    #[test]
    fn memory_that_grows_by_a_percent_an_hour_is_told_so() {
        let sample = |at: u32| {
            let memory = (1e9 * (1.0 + 0.01 * f64::from(at) / 3_600.0)) as u64;
            Sample { at: at.into(), usage: Usage { memory, ..Usage::default() } }
        };
        let samples: Vec<Sample> = (0..1_800).map(sample).collect();
        assert!((slope(&samples) - 1.0).abs() < 0.02, "{}", slope(&samples));
        assert_eq!(slope(&samples[..1]), 0.0);
    }
}
