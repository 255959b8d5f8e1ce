//! What must hold of a scenario, and what was seen of it.

use serde::Serialize;

use super::measure::Answers;

/// The share of answers that may be late.
pub(super) const LATE_SHARE_MAX: f64 = 0.001;

/// One thing that must hold.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Point {
    /// What it is about.
    pub(super) name: &'static str,
    /// Whether it held.
    pub(super) holds: bool,
    /// What was seen.
    pub(super) seen: String,
}

impl Point {
    pub(super) fn new(name: &'static str, holds: bool, seen: String) -> Self {
        Self { name, holds, seen }
    }

    /// Whether no more answers were late than may be.
    pub(super) fn in_time(answers: &Answers) -> Self {
        let Answers { late, sent_too_late, .. } = answers;
        let share = answers.late_share();
        let seen = format!("{} late, {sent_too_late} of {late} sent too late", percent(share));
        Self::new("in time", share <= LATE_SHARE_MAX, seen)
    }

    /// Whether no answer broke a rule of the exchange.
    pub(super) fn by_the_rules(invalid: u64) -> Self {
        Self::new("answers keep to the rules", invalid == 0, format!("{invalid} do not"))
    }

    /// Whether the bidder took every notice in the end.
    pub(super) fn taken(given_up: u64) -> Self {
        Self::new("notices are taken", given_up == 0, format!("{given_up} are not"))
    }
}

/// The names of those that do not hold.
#[cfg(test)]
pub(super) fn failed(points: &[Point]) -> Vec<&'static str> {
    points.iter().filter(|point| !point.holds).map(|point| point.name).collect()
}

pub(super) fn percent(share: f64) -> String {
    format!("{:.2} %", 100.0 * share)
}
