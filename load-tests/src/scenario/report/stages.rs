//! A load stage by stage: what each rate made of it.

use std::fmt::Write;

use serde::Serialize;

use crate::load::{Second, Stage, Times};
use crate::scenario::Sample;

/// Of this share of requests may come no answer in time where all is well.
const LATE_MAX: f64 = 0.001;
/// And the 99th percentile may be so many times that of the first stage.
const P99_TIMES_MAX: f64 = 2.0;

/// Where so many seconds in a row are well, it is said to be.
const SETTLED_S: usize = 5;

/// One stage; rates by the second, shares of the requests that were due.
#[derive(Clone, Debug, Serialize)]
pub(in crate::scenario) struct Row {
    pub(in crate::scenario) rate: u32,
    pub(in crate::scenario) seconds: u32,
    /// Answers with bids in time.
    pub(in crate::scenario) good: f64,
    /// Answers without bids in time.
    pub(in crate::scenario) empty: f64,
    /// Sent, and not answered in time.
    pub(in crate::scenario) late_share: f64,
    /// Not sent, since no connection was free in time.
    pub(in crate::scenario) unsent_share: f64,
    /// The median over its seconds.
    pub(in crate::scenario) p50_ms: f64,
    /// Likewise.
    pub(in crate::scenario) p99_ms: f64,
    /// Processors that the bidder kept busy.
    pub(in crate::scenario) cores: f64,
    /// The most there was.
    pub(in crate::scenario) memory_mib: f64,
    /// Its first seconds, until it went on for [`SETTLED_S`] as in the first stage: none late, and not much slower.
    pub(in crate::scenario) settled_after_s: Option<usize>,
}

/// The stages of a load.
pub(in crate::scenario) fn rows(stages: &[Stage], seconds: &[Second], samples: &[Sample]) -> Vec<Row> {
    let (mut rows, mut from, mut normal) = (Vec::new(), 0, None);
    for stage in stages {
        let until = from + stage.seconds as usize;
        let own = &seconds[from.min(seconds.len())..until.min(seconds.len())];
        let p99_ms = *normal.get_or_insert_with(|| median(own, 0.99));
        let sampled = samples.iter().filter(|sample| (from as f64..until as f64 + 0.5).contains(&sample.at));
        rows.push(row(*stage, own, &sampled.collect::<Vec<_>>(), P99_TIMES_MAX * p99_ms));
        from = until;
    }
    rows
}

fn row(stage: Stage, seconds: &[Second], samples: &[&Sample], p99_ms_max: f64) -> Row {
    let by_second = |of: fn(&Second) -> u64| sum(seconds, of) / f64::from(stage.seconds.max(1));
    let cores = samples.first().zip(samples.last()).map_or(0.0, |(first, last)| {
        let time = last.at - first.at;
        if time > 0.0 { last.usage.since(&first.usage).cpu_ns() as f64 / 1e9 / time } else { 0.0 }
    });
    let memory = samples.iter().map(|sample| sample.usage.memory).max().unwrap_or_default();
    let settled = |second: &Second| {
        let in_time = share(std::slice::from_ref(second), |second| second.late) <= LATE_MAX;
        in_time && second.times.as_ref().is_some_and(|times| times.ms(0.99) <= p99_ms_max)
    };
    Row {
        rate: stage.rate,
        seconds: stage.seconds,
        good: by_second(|second| second.good),
        empty: by_second(|second| second.empty),
        late_share: share(seconds, |second| second.late - second.unsent),
        unsent_share: share(seconds, |second| second.unsent),
        p50_ms: median(seconds, 0.5),
        p99_ms: median(seconds, 0.99),
        cores,
        memory_mib: memory as f64 / f64::from(1 << 20),
        settled_after_s: seconds.windows(SETTLED_S.min(seconds.len()).max(1)).position(|row| row.iter().all(settled)),
    }
}

/// The median over seconds of a quantile of their times.
fn median(seconds: &[Second], quantile: f64) -> f64 {
    let times = seconds.iter().filter_map(|second| second.times.as_ref());
    let mut times: Vec<f64> = times.map(|times: &Times| times.ms(quantile)).collect();
    times.sort_by(f64::total_cmp);
    times.get(times.len() / 2).copied().unwrap_or_default()
}

fn sum(seconds: &[Second], of: impl Fn(&Second) -> u64) -> f64 {
    seconds.iter().map(of).sum::<u64>() as f64
}

/// Of the requests that were due.
fn share(seconds: &[Second], of: impl Fn(&Second) -> u64) -> f64 {
    sum(seconds, of) / sum(seconds, |second| second.due).max(1.0)
}

/// For people: one line a stage.
pub(super) fn table(rows: &[Row]) -> String {
    let mut table = format!(
        "{:>9} {:>4} {:>9} {:>9} {:>8} {:>8} {:>7} {:>7} {:>6} {:>7} {:>8}\n",
        "due 1/s", "s", "bids 1/s", "none 1/s", "late %", "unsent %", "p50 ms", "p99 ms", "cores", "MiB", "well in s"
    );
    for row in rows {
        let settled = row.settled_after_s.map_or_else(|| "never".to_owned(), |seconds| seconds.to_string());
        let _infallible = writeln!(
            table,
            "{:>9} {:>4} {:>9.0} {:>9.0} {:>8.3} {:>8.2} {:>7.1} {:>7.1} {:>6.2} {:>7.0} {settled:>8}",
            row.rate,
            row.seconds,
            row.good,
            row.empty,
            100.0 * row.late_share,
            100.0 * row.unsent_share,
            row.p50_ms,
            row.p99_ms,
            row.cores,
            row.memory_mib,
        );
    }
    table
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::usage::Usage;

    fn second(due: u64, good: u64, late: u64, unsent: u64, ms: u64) -> Second {
        let mut times = Times::default();
        times.add(Duration::from_millis(ms));
        Second { due, good, late, unsent, answered: due - unsent, empty: due - good - late, times: Some(times) }
    }

    #[test]
    fn each_stage_is_told_by_itself() {
        let stages = [(100, 2), (200, 2), (100, 8)].map(|(rate, seconds)| Stage { rate, seconds });
        let seconds = [
            second(100, 80, 0, 0, 4),
            second(100, 80, 0, 0, 5),
            second(200, 90, 20, 10, 70),
            second(200, 110, 20, 10, 70),
            second(100, 80, 0, 0, 40),
            second(100, 80, 1, 0, 4),
            second(100, 60, 0, 0, 9),
            second(100, 80, 0, 0, 4),
            second(100, 80, 0, 0, 4),
            second(100, 80, 0, 0, 4),
            second(100, 80, 0, 0, 4),
            second(100, 80, 0, 0, 11),
        ];
        let sample = |at: u32| {
            let busy = if at < 3 { 0 } else { 1_000_000_000 };
            let threads_ns = [("http-0".to_owned(), u64::from(at) * 500_000_000 + busy)].into();
            Sample { at: at.into(), usage: Usage { memory: u64::from(at) << 20, threads_ns, ..Usage::default() } }
        };
        let samples: Vec<Sample> = (0..13).map(sample).collect();
        let rows = rows(&stages, &seconds, &samples);
        let told = rows.iter().map(|row| (row.good, row.empty, row.late_share, row.unsent_share, row.settled_after_s));
        let expected = [
            (80.0, 20.0, 0.0, 0.0, Some(0)),
            (100.0, 80.0, 0.05, 0.05, None),
            (77.5, 22.375, 1.0 / 800.0, 0.0, Some(2)),
        ];
        assert_eq!(told.collect::<Vec<_>>(), expected);
        let held = rows.iter().map(|row| (row.p99_ms, row.cores, row.memory_mib));
        assert_eq!(held.collect::<Vec<_>>(), [(5.003, 0.5, 2.0), (70.015, 1.0, 4.0), (4.001, 0.5, 12.0)]);
        assert!(table(&rows).lines().nth(2).unwrap().ends_with("never"), "{}", table(&rows));
    }

    #[test]
    fn a_stage_that_nobody_saw_is_empty() {
        let rows = rows(&[Stage { rate: 100, seconds: 2 }], &[], &[]);
        assert_eq!((rows[0].good, rows[0].settled_after_s), (0.0, None));
    }
}
