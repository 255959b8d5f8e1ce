//! Whether a scenario went as it must.

use serde::Serialize;

use crate::faults::campaigns::Campaign;
use crate::faults::measure::{Answers, Bids, Second};
use crate::faults::point::{Point, percent};

/// The share of people who must be known while nothing is wrong; frequency caps keep a few from being bid for.
const KNOWN_SHARE_MIN: f64 = 0.95;
/// The share of chances that a campaign must take that bids for people of whom nothing is known.
const STRANGERS_SHARE_MIN: f64 = 0.99;
/// Chances that a campaign needs before it is judged.
const CHANCES_MIN: usize = 50;
/// Seconds after the return of what failed, in which people must be known again.
const RECOVERY_S_MAX: f64 = 5.0;
/// The share of those known before who must be known from then on.
const KNOWN_AGAIN_MIN: f64 = 0.99;

/// What was measured of a scenario.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Figures {
    /// Before the fault.
    pub(super) before: Answers,
    /// From the onset of the fault to the end.
    pub(super) since: Answers,
    /// The share of people who were known: before the fault, during it, and from the recovery on. `None`: of nobody it
    /// shows.
    pub(super) known: [Option<f64>; 3],
    /// What campaigns did before the fault.
    pub(super) bids_before: Vec<Bids>,
    /// What they did during it.
    pub(super) bids_during: Vec<Bids>,
    /// What they did from the recovery on.
    pub(super) bids_after: Vec<Bids>,
    /// Bids for people whom the campaign excludes, at any time.
    pub(super) excluded_bids: usize,
    /// Seconds from the return of what failed until people were known again; `None`: they were not.
    pub(super) recovery_s: Option<f64>,
    /// Answers that broke a rule of the exchange.
    pub(super) invalid: u64,
    /// Notices that the bidder did not take.
    pub(super) given_up: u64,
    /// Every second, for people.
    pub(super) timeline: Vec<Second>,
}

/// What must hold of a scenario, with what was seen.
pub(super) fn judge(figures: &Figures) -> Vec<Point> {
    let Figures { since, known: [before, _, after], bids_during, recovery_s, .. } = figures;
    let shown = |share: Option<f64>| share.map_or_else(|| "nobody".to_owned(), percent);
    let again = after.zip(*before).is_some_and(|(after, before)| after >= KNOWN_AGAIN_MIN * before);
    let (as_told, told) = strangers(bids_during);
    let excluded = chances_to_exclude(figures);
    vec![
        Point::new("known before", before.is_some_and(|share| share >= KNOWN_SHARE_MIN), shown(*before)),
        Point::in_time(since),
        Point::new("as when_audience_unknown says", as_told, told),
        Point::new(
            "exclusions hold",
            figures.excluded_bids == 0 && excluded >= CHANCES_MIN,
            format!("{} bids, {excluded} chances", figures.excluded_bids),
        ),
        Point::new(
            "recovers",
            recovery_s.is_some_and(|s| s <= RECOVERY_S_MAX),
            recovery_s.map_or_else(|| "never".to_owned(), |s| format!("{s:.1} s")),
        ),
        Point::new("known again", again, shown(*after)),
        Point::by_the_rules(figures.invalid),
        Point::taken(figures.given_up),
    ]
}

/// Whether every campaign did what it says for people of whom nothing is known, and what those did that did not.
fn strangers(bids: &[Bids]) -> (bool, String) {
    let as_told = |group: &Bids| {
        let right = if group.for_strangers { group.share() >= STRANGERS_SHARE_MIN } else { group.bids == 0 };
        right && group.chances >= CHANCES_MIN
    };
    let wrong = bids.iter().filter(|group| !as_told(group));
    let wrong: Vec<String> =
        wrong.map(|group| format!("{} bids {} of {}", group.campaign, group.bids, group.chances)).collect();
    let right = wrong.is_empty() && !bids.is_empty();
    (right, if right { "all do".to_owned() } else { wrong.join("; ") })
}

/// How often the campaign with an exclusion was asked to bid for somebody it excludes.
fn chances_to_exclude(figures: &Figures) -> usize {
    let all = [&figures.bids_before, &figures.bids_during, &figures.bids_after];
    let excluding =
        all.into_iter().flatten().filter(|group| group.campaign == Campaign::NotBuyers.name() && !group.for_known);
    excluding.map(|group| group.chances).sum()
}

#[cfg(test)]
mod tests;
