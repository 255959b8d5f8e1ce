//! What the streams say at the end, against what the exchange was promised.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::Value;

use crate::exchange::audit::{Report, audit};
use crate::exchange::journal::{Line, Notice};

/// Failures that are named.
const NAMED_MAX: usize = 16;

/// The books of a scenario.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Books {
    /// Notices that were acknowledged, by kind.
    pub(super) acknowledged: BTreeMap<&'static str, u64>,
    /// Records of the stream `notices`, repetitions among them.
    pub(super) notices: usize,
    /// Impressions of the stream `outcomes` that are charged.
    pub(super) charges: u64,
    /// What they are charged, in nanos.
    pub(super) charged_nanos: i128,
    /// What the exchange billed and had acknowledged, in nanos.
    pub(super) billed_nanos: i128,
    /// Notices that were acknowledged and are not in the streams, and charges that are wrong.
    pub(super) failures: usize,
    /// The first of them, for people.
    pub(super) named: Vec<String>,
    /// Notices that came into the stream before one of the same impression that was acknowledged earlier.
    pub(super) out_of_order: usize,
    /// Bids that the exchange was made.
    pub(super) bids: usize,
    /// Those of them that are not in the stream `bids`.
    pub(super) bids_missing: usize,
    /// Records of bids that the bidder says it dropped.
    pub(super) bids_dropped: u64,
}

impl Books {
    /// Of the exchange's journal, of streams as `vernier events cat` prints them, and of how many bids the bidder says
    /// it dropped.
    pub(super) fn of(journal: &[Line], notices: &[Value], outcomes: &[Value], bids: &[Value], dropped: u64) -> Self {
        let Report { acknowledged, charges, charged_nanos, billed_nanos, failures, .. } =
            audit(journal, notices, outcomes);
        let recorded: BTreeSet<&str> = bids.iter().filter_map(|bid| bid["impression"].as_str()).collect();
        let made = journal.iter().filter_map(|line| match line {
            Line::Bid { bid, .. } => Some(bid.as_str()),
            Line::Acknowledged { .. } | Line::Sent { .. } => None,
        });
        let made: BTreeSet<&str> = made.collect();
        Self {
            acknowledged,
            notices: notices.len(),
            charges,
            charged_nanos,
            billed_nanos,
            failures: failures.len(),
            named: failures.into_iter().take(NAMED_MAX).collect(),
            out_of_order: out_of_order(journal, notices),
            bids: made.len(),
            bids_missing: made.difference(&recorded).count(),
            bids_dropped: dropped,
        }
    }
}

/// The exchange sends the notices of an impression one after the other, so the first record of each must stand in the
/// stream in the order of their acknowledgements. Streams keep the order of an impression.
fn out_of_order(journal: &[Line], notices: &[Value]) -> usize {
    let mut first = BTreeMap::new();
    for (at, notice) in notices.iter().enumerate() {
        if let (Some(impression), Some(kind)) = (notice["impression"].as_str(), notice["kind"].as_str()) {
            first.entry((impression, kind)).or_insert(at);
        }
    }
    let mut last: BTreeMap<&str, usize> = BTreeMap::new();
    let mut count = 0;
    for line in journal {
        let Line::Acknowledged { bid, notice, .. } = line else { continue };
        let Some(at) = first.get(&(bid.as_str(), Notice::label(*notice))) else { continue };
        let last = last.entry(bid).or_default();
        count += usize::from(at < last);
        *last = (*last).max(*at);
    }
    count
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn bid(id: &str) -> Line {
        Line::Bid { bid: id.into(), price_cpm: 500, cid: "1".into(), node: 0, at_ms: 0 }
    }

    fn acknowledged(id: &str, notice: Notice) -> Line {
        Line::Acknowledged { bid: id.into(), notice, price_cpm: Some(400), status: 204, node: 0, at_ms: 0 }
    }

    fn notice(id: &str, kind: &str) -> Value {
        json!({"impression": id, "kind": kind})
    }

    #[test]
    fn the_order_of_an_impression_is_that_of_its_acknowledgements() {
        let journal = [Notice::Win, Notice::Billing, Notice::View].map(|notice| acknowledged("a", notice));
        let check = |kinds: &[&str], expected| {
            let notices: Vec<Value> = kinds.iter().map(|kind| notice("a", kind)).collect();
            assert_eq!(out_of_order(&journal, &notices), expected, "{kinds:?}");
        };
        check(&["win", "billing", "view"], 0);
        check(&["win", "billing", "win", "view", "billing"], 0);
        check(&["billing", "win", "view"], 1);
        check(&["view", "billing", "win"], 2);
        let other = [notice("b", "billing"), notice("a", "win"), notice("b", "win")];
        assert_eq!(out_of_order(&journal, &other), 0, "of another impression");
    }

    #[test]
    fn bids_are_there_or_missing() {
        let journal = [bid("a"), bid("b"), bid("c"), acknowledged("a", Notice::Win)];
        let books = Books::of(&journal, &[], &[], &[json!({"impression": "b"}), json!({"impression": "d"})], 7);
        assert_eq!((books.bids, books.bids_missing, books.bids_dropped), (3, 2, 7));
        assert_eq!(
            (books.failures, &books.named[..]),
            (1, &["win of a was acknowledged and is not in notices".to_owned()][..])
        );
    }
}
