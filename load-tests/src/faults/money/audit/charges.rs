//! Each impression by itself: what was promised, and what was charged.

use std::collections::BTreeSet;

use super::{Billed, Facts, Point, in_campaign_currency};
use crate::exchange::journal::{Line, Notice};
use crate::faults::money::history::History;

/// Every notice that was acknowledged is in the stream. Who clicks is led on also where that cannot be written down, so a
/// click is no promise.
pub(super) fn acknowledged_notices_are_there(history: &History) -> Point {
    let there: BTreeSet<(&str, &str)> =
        history.notices.iter().map(|notice| (notice.impression.as_str(), notice.kind.as_str())).collect();
    let acknowledged: Vec<(&str, &str)> = history
        .journal
        .iter()
        .filter_map(|line| match line {
            Line::Acknowledged { notice: Notice::Click, .. } => None,
            Line::Acknowledged { bid, notice, .. } => Some((bid.as_str(), notice.label())),
            Line::Bid { .. } | Line::Sent { .. } => None,
        })
        .collect();
    let lost = acknowledged.iter().filter(|notice| !there.contains(notice));
    let lost = lost.map(|(bid, kind)| format!("{kind} of {bid}")).collect();
    Point::new(super::NOTICES, acknowledged.len(), lost)
}

/// Every billing notice that was acknowledged is charged, at its price.
pub(super) fn billed_is_charged(facts: &Facts<'_>) -> Point {
    let acknowledged: Vec<_> = facts.billed.iter().filter(|(_, billed)| billed.acknowledged).collect();
    let wrong = acknowledged.iter().filter_map(|(bid, Billed { price, .. })| {
        let Some(charge) = facts.charges.get(*bid).and_then(|charges| charges.first()) else {
            return Some(format!("{bid} was billed at {price} and is not charged"));
        };
        let due = in_campaign_currency(*price, charge.rate);
        let right = i128::from(charge.charged) == due;
        (!right).then(|| format!("{bid} was billed at {due} and is charged {}", charge.charged))
    });
    Point::new(super::BILLED, acknowledged.len(), wrong.collect())
}

/// No impression is charged twice.
pub(super) fn charged_once(facts: &Facts<'_>) -> Point {
    let twice = facts.charges.iter().filter(|(_, charges)| charges.len() > 1);
    let twice = twice.map(|(bid, charges)| format!("{bid} is charged {} times", charges.len())).collect();
    Point::new(super::TWICE, facts.charges.len(), twice)
}

/// What is charged was bid, by that campaign.
pub(super) fn charged_was_bid(facts: &Facts<'_>) -> Point {
    let wrong = facts.all_charges().filter_map(|charge| {
        let bid = &charge.impression;
        match facts.made.get(bid.as_str()) {
            None => Some(format!("{bid} is charged and was never bid")),
            Some(made) if made.campaign != charge.campaign.to_string() => {
                Some(format!("{bid} is charged to {} and was bid by {}", charge.campaign, made.campaign))
            }
            Some(_) => None,
        }
    });
    Point::new("what is charged was bid", facts.all_charges().count(), wrong.collect())
}

/// Nothing is charged above its bid.
pub(super) fn charged_is_not_above_the_bid(facts: &Facts<'_>) -> Point {
    let wrong = facts.all_charges().filter_map(|charge| {
        let bid = in_campaign_currency(facts.made.get(charge.impression.as_str())?.price, charge.rate);
        let above = i128::from(charge.charged) > bid;
        above.then(|| format!("{} is charged {}, above its bid of {bid}", charge.impression, charge.charged))
    });
    Point::new("nothing is charged above its bid", facts.all_charges().count(), wrong.collect())
}

/// What is charged was billed, also where the exchange did not hear that it was taken.
pub(super) fn charged_was_billed(facts: &Facts<'_>) -> Point {
    let wrong = facts.all_charges().filter_map(|charge| match facts.billed.get(charge.impression.as_str()) {
        None => Some(format!("{} is charged and was not billed", charge.impression)),
        Some(billed) => {
            let due = in_campaign_currency(billed.price, charge.rate);
            let right = due == i128::from(charge.charged);
            (!right).then(|| format!("{} is charged {} and was billed at {due}", charge.impression, charge.charged))
        }
    });
    Point::new("what is charged was billed", facts.all_charges().count(), wrong.collect())
}

/// The stream `bids` says of a bid what the exchange saw. It may lack some: it is telemetry.
pub(super) fn bids_are_those_made(history: &History, facts: &Facts<'_>) -> Point {
    let both: Vec<_> =
        history.bids.iter().filter_map(|bid| Some((bid, facts.made.get(bid.impression.as_str())?))).collect();
    let wrong = both.iter().filter(|(bid, made)| {
        // Billionths of a thousand impressions' price are a thousand times those of one's.
        made.campaign != bid.campaign.to_string() || i128::from(bid.price.bid_cpm) != i128::from(made.price) * 1_000
    });
    let wrong = wrong.map(|(bid, made)| {
        format!(
            "{} is recorded with {} for {}, and was bid {}",
            bid.impression, bid.price.bid_cpm, bid.campaign, made.price
        )
    });
    Point::new("recorded bids are those that were made", both.len(), wrong.collect())
}
