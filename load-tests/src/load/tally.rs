//! What came of a load.

use std::collections::BTreeMap;
use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Serialize;

/// The longest time that is told apart, in microseconds; a longer one counts as this.
const US_MAX: u64 = 120_000_000;
/// Answers that broke a rule which are kept to be shown.
const FAULTS_MAX: usize = 10;

/// Times, in microseconds, in a histogram (HdrHistogram).
#[derive(Clone, Debug)]
pub struct Times(Histogram<u64>);

impl Default for Times {
    /// To three digits.
    fn default() -> Self {
        Self::to_digits(3)
    }
}

impl Times {
    fn to_digits(digits: u8) -> Self {
        Self(Histogram::new_with_bounds(1, US_MAX, digits).expect("bounds that a histogram may have"))
    }

    /// To two digits: a tenth of the room.
    fn coarse() -> Self {
        Self::to_digits(2)
    }

    pub(crate) fn add(&mut self, time: Duration) {
        self.0.saturating_record(u64::try_from(time.as_micros()).unwrap_or(u64::MAX));
    }

    pub(super) fn merge(&mut self, other: &Self) {
        self.0.add(&other.0).expect("all have the same bounds");
    }

    /// Milliseconds within which a share of the answers came; 0 where none came.
    pub fn ms(&self, share: f64) -> f64 {
        self.0.value_at_quantile(share) as f64 / 1e3
    }

    /// The longest one, in milliseconds.
    pub fn max_ms(&self) -> f64 {
        self.0.max() as f64 / 1e3
    }

    /// Milliseconds by the share of answers that took no longer: a curve from the fastest to the slowest.
    pub fn curve(&self) -> Vec<(f64, f64)> {
        self.0.iter_quantiles(4).map(|step| (step.quantile(), step.value_iterated_to() as f64 / 1e3)).collect()
    }
}

/// The requests that were due in one second of a load.
#[derive(Clone, Debug, Default)]
pub struct Second {
    /// How many.
    pub due: u64,
    /// Those answered with a bid, in time.
    pub good: u64,
    /// Those answered, in time or not.
    pub answered: u64,
    /// Those answered within `tmax`, without a bid.
    pub empty: u64,
    /// Those not answered within `tmax`, those not sent among them.
    pub late: u64,
    /// Those that were not sent.
    pub unsent: u64,
    /// From when they were due to their answers; `None`: there were none.
    pub times: Option<Times>,
}

impl Second {
    pub(super) fn took(&mut self, time: Duration) {
        self.times.get_or_insert_with(Times::coarse).add(time);
    }
}

/// Everything that came of a load.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// From when requests were due to their whole answers: what an exchange sees. Those that were not sent, or failed, are
    /// among them, with the time for which they had to wait.
    pub from_due: Times,
    /// From when they were sent: what a generator sees that waits for one answer before it asks again.
    pub from_sent: Times,
    /// Requests that were due.
    pub due: u64,
    /// Those that were not sent: no connection was free in time.
    pub unsent: u64,
    /// Those whose connection failed, or that had no answer at the end.
    pub failed: u64,
    /// Answers by status.
    pub statuses: BTreeMap<u16, u64>,
    /// Requests that had no answer within their `tmax`, those not sent or failed among them.
    pub late: u64,
    /// Answers with bids in time.
    pub good: u64,
    /// Answers that were looked at as a strict exchange does.
    pub checked: u64,
    /// Those of them that broke a rule.
    pub invalid: u64,
    /// The first of these, for people.
    pub faults: Vec<String>,
    /// Notices, views and clicks.
    pub calls: Calls,
    /// Connections that were opened.
    pub connections: u64,
    /// By the second in which requests were due.
    pub seconds: Vec<Second>,
}

/// Notices, views and clicks.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Calls {
    /// Those answered 2xx or 302.
    pub taken: u64,
    /// Those answered otherwise.
    pub refused: u64,
    /// Those whose connection failed.
    pub failed: u64,
    /// Those that were due after the end, and not sent.
    pub left: u64,
}

impl Tally {
    pub(super) fn second(&mut self, at: Duration) -> &mut Second {
        let at = at.as_secs() as usize;
        if self.seconds.len() <= at {
            self.seconds.resize_with(at + 1, Second::default);
        }
        &mut self.seconds[at]
    }

    /// Something broke a rule.
    pub(super) fn fault(&mut self, fault: String) {
        if self.faults.len() < FAULTS_MAX {
            self.faults.push(fault);
        }
    }

    /// Answers of any status.
    pub fn answered(&self) -> u64 {
        self.statuses.values().sum()
    }

    /// The share of answers with bids.
    pub fn bid_rate(&self) -> f64 {
        share(self.statuses.get(&200).copied().unwrap_or_default(), self.answered())
    }

    /// The share of requests that were not answered in time; all where none was due, since nothing was seen to be.
    pub fn late_share(&self) -> f64 {
        if self.due == 0 { 1.0 } else { share(self.late, self.due) }
    }

    /// Adds what came of another load that was played after this one.
    pub fn merge(&mut self, other: &Self) {
        self.from_due.merge(&other.from_due);
        self.from_sent.merge(&other.from_sent);
        for (sum, more) in [
            (&mut self.due, other.due),
            (&mut self.unsent, other.unsent),
            (&mut self.failed, other.failed),
            (&mut self.late, other.late),
            (&mut self.good, other.good),
            (&mut self.checked, other.checked),
            (&mut self.invalid, other.invalid),
            (&mut self.connections, other.connections),
            (&mut self.calls.taken, other.calls.taken),
            (&mut self.calls.refused, other.calls.refused),
            (&mut self.calls.failed, other.calls.failed),
            (&mut self.calls.left, other.calls.left),
        ] {
            *sum += more;
        }
        for (status, count) in &other.statuses {
            *self.statuses.entry(*status).or_default() += count;
        }
        self.seconds.extend(other.seconds.iter().cloned());
        other.faults.iter().for_each(|fault| self.fault(fault.clone()));
    }
}

fn share(part: u64, of: u64) -> f64 {
    if of == 0 { 0.0 } else { part as f64 / of as f64 }
}
