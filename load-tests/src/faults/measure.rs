//! What an exchange's log says: how many answers were late, who bid for whom, and when people were known again.

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Duration;

use serde::Serialize;
use tokio::time::Instant;

use super::campaigns::Campaign;
use crate::exchange::Seen;

/// Time over which it is told whether people are known.
const BUCKET: Duration = Duration::from_millis(100);
/// So many of them in a row make a recovery; what comes later is judged by its share.
const STEADY_BUCKETS: u32 = 10;
/// People are known again where this share of those is who were known before.
const KNOWN_AGAIN: f64 = 0.9;

/// One impression that only one campaign may bid for, asked for a person who may be looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Chance {
    /// When the request was due.
    pub(super) due: Instant,
    /// Whose size it is.
    pub(super) campaign: Campaign,
    /// The person's number.
    pub(super) person: u32,
    /// Whether the campaign bid.
    pub(super) bid: bool,
}

impl Chance {
    /// Whether the person was known, where the campaign does one thing for this person and another for strangers.
    fn shows(&self) -> Option<bool> {
        let known = self.campaign.bids_for(self.person);
        (known != self.campaign.bids_for_strangers()).then_some(self.bid == known)
    }
}

/// The chances in a log; `names` are those of campaigns in bids.
pub(super) fn chances(seen: &[Seen], names: &BTreeMap<String, Campaign>) -> Vec<Chance> {
    let of = |seen: &Seen| {
        let (due, person) = (seen.due, seen.took.and(seen.person));
        let chances = seen.imps.iter().filter_map(|imp| {
            let [size] = imp.sizes[..] else { return None };
            let campaign = Campaign::ALL.into_iter().find(|campaign| campaign.size() == size)?;
            let bid = imp.campaign.as_ref().and_then(|name| names.get(name)) == Some(&campaign);
            Some(Chance { due, campaign, person: person?, bid })
        });
        chances.collect::<Vec<_>>()
    };
    seen.iter().flat_map(of).collect()
}

/// Bids for people whom the campaign excludes, on whatever impression.
pub(super) fn excluded_bids(seen: &[Seen], names: &BTreeMap<String, Campaign>) -> usize {
    let excluded = |seen: &Seen| {
        let campaigns = seen.imps.iter().filter_map(|imp| imp.campaign.as_ref().and_then(|name| names.get(name)));
        let not_buyers = campaigns.filter(|campaign| **campaign == Campaign::NotBuyers).count();
        let excluded = seen.person.is_some_and(|person| !Campaign::NotBuyers.bids_for(person));
        if excluded { not_buyers } else { 0 }
    };
    seen.iter().map(excluded).sum()
}

/// Answers of a time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub(super) struct Answers {
    /// Requests that were due.
    pub(super) requests: usize,
    /// Requests that were not answered within `tmax`, those not sent or not answered at all among them.
    pub(super) late: usize,
    /// Those of them that the exchange sent so late that no answer could have been in time: it is the machine that was
    /// busy or stood still.
    pub(super) sent_too_late: usize,
    /// Milliseconds until half, 99 % and 99.9 % of the answers were there.
    pub(super) ms: [f64; 3],
}

impl Answers {
    pub(super) fn of(seen: &[Seen], time: &Range<Instant>, tmax: Duration) -> Self {
        let due: Vec<_> = seen.iter().filter(|seen| time.contains(&seen.due)).collect();
        let mut took: Vec<Duration> = due.iter().filter_map(|seen| seen.took).collect();
        took.sort_unstable();
        let late = due.iter().filter(|seen| seen.took.is_none_or(|took| took > tmax)).count();
        let sent_too_late = due.iter().filter(|seen| seen.sent_after > tmax).count();
        let ms = [0.5, 0.99, 0.999].map(|part| {
            let at = (took.len() as f64 * part) as usize;
            took.get(at).map_or(0.0, |took| took.as_micros() as f64 / 1e3)
        });
        Self { requests: due.len(), late, sent_too_late, ms }
    }

    /// The share of requests that were late; all where there were none, since nothing was seen to be in time.
    pub(super) fn late_share(&self) -> f64 {
        if self.requests == 0 { 1.0 } else { self.late as f64 / self.requests as f64 }
    }
}

/// What one campaign did for people who are alike to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Bids {
    /// The campaign's name.
    pub(super) campaign: &'static str,
    /// Whether it must bid for these people where they are known.
    pub(super) for_known: bool,
    /// Whether it must bid for them where nothing is known.
    pub(super) for_strangers: bool,
    /// Impressions it could bid for.
    pub(super) chances: usize,
    /// Those it bid for.
    pub(super) bids: usize,
}

impl Bids {
    /// The share of chances that were bid for.
    pub(super) fn share(&self) -> f64 {
        self.bids as f64 / self.chances as f64
    }
}

/// What the campaigns did in a time, by campaign, for people it does not bid for first.
pub(super) fn bids(chances: &[Chance], time: &Range<Instant>) -> Vec<Bids> {
    let groups = Campaign::ALL.into_iter().flat_map(|campaign| [(campaign, false), (campaign, true)]);
    let counted = groups.map(|(campaign, for_known)| {
        let alike = chances.iter().filter(|chance| {
            let alike = chance.campaign == campaign && campaign.bids_for(chance.person) == for_known;
            alike && time.contains(&chance.due)
        });
        let (chances, bids) = alike.fold((0, 0), |(all, bids), chance| (all + 1, bids + usize::from(chance.bid)));
        let (name, for_strangers) = (campaign.name(), campaign.bids_for_strangers());
        Bids { campaign: name, for_known, for_strangers, chances, bids }
    });
    counted.filter(|group| group.campaign != Campaign::Everybody.name() || group.for_known).collect()
}

/// The share of people who were known, of those of whom it shows; `None` where it shows of nobody.
pub(super) fn known(chances: &[Chance], time: &Range<Instant>) -> Option<f64> {
    let shown: Vec<bool> =
        chances.iter().filter(|chance| time.contains(&chance.due)).filter_map(Chance::shows).collect();
    (!shown.is_empty()).then(|| shown.iter().filter(|known| **known).count() as f64 / shown.len() as f64)
}

/// How long after the start of `time` people are known again: the first tenth of a second from which on, for a second,
/// nearly as many are in each as were `before`. `None` where there is no such second, or nothing shows.
pub(super) fn recovery(chances: &[Chance], time: &Range<Instant>, before: f64) -> Option<Duration> {
    let mut buckets = BTreeMap::<u32, Vec<Chance>>::new();
    for chance in chances.iter().filter(|chance| time.contains(&chance.due)) {
        let bucket = (chance.due - time.start).as_millis() / BUCKET.as_millis();
        buckets.entry(bucket as u32).or_default().push(*chance);
    }
    let (last, _) = buckets.last_key_value()?;
    let unknown = |chances: &Vec<Chance>| known(chances, time).is_some_and(|share| share < KNOWN_AGAIN * before);
    let unknown = buckets.iter().filter(|(_, chances)| unknown(chances)).map(|(bucket, _)| *bucket);
    let mut from = 0;
    for bucket in unknown.chain([last + 1]) {
        if bucket >= from + STEADY_BUCKETS {
            return Some(BUCKET * from);
        }
        from = bucket + 1;
    }
    None
}

/// One second of a scenario.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Second {
    /// Seconds since the measuring began.
    pub(super) at: u32,
    /// Its answers.
    #[serde(flatten)]
    pub(super) answers: Answers,
    /// The share of people who were known.
    pub(super) known: Option<f64>,
}

/// Each second of a time.
pub(super) fn timeline(seen: &[Seen], chances: &[Chance], time: &Range<Instant>, tmax: Duration) -> Vec<Second> {
    let seconds = (time.end - time.start).as_secs() as u32;
    let second = |at: u32| {
        let from = time.start + Duration::from_secs(at.into());
        let second = from..from + Duration::from_secs(1);
        Second { at, answers: Answers::of(seen, &second, tmax), known: known(chances, &second) }
    };
    (0..seconds).map(second).collect()
}

#[cfg(test)]
mod tests;
