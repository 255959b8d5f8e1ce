//! Holds a bidder's books against the exchange's journal.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::journal::{Line, Notice};

/// What was compared, and everything that is wrong.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Notices of the journal that were acknowledged, by kind.
    pub acknowledged: BTreeMap<&'static str, u64>,
    /// Charges in the books.
    pub charges: u64,
    /// What they sum up to, in nanos.
    pub charged_nanos: i128,
    /// What the exchange billed and had acknowledged, in nanos.
    pub billed_nanos: i128,
    /// Charges the exchange has no acknowledgement for: it was killed, or the answer was lost, before it could note one.
    pub unacknowledged_charges: u64,
    /// What must not be.
    pub failures: Vec<String>,
}

/// Compares a journal with the streams `notices` and `outcomes`, as `vernier events cat` prints them.
pub fn audit(journal: &[Line], notices: &[Value], outcomes: &[Value]) -> Report {
    let mut report = Report::default();
    let recorded: BTreeSet<(&str, &str)> =
        notices.iter().filter_map(|notice| Some((text(notice, "impression")?, text(notice, "kind")?))).collect();
    let charges = charges(outcomes, &mut report);
    let mut billed: BTreeMap<&str, i64> = BTreeMap::new();
    let mut offered: BTreeMap<&str, i64> = BTreeMap::new();
    for line in journal {
        match line {
            Line::Bid { bid, price_cpm, .. } => {
                offered.insert(bid, *price_cpm);
            }
            Line::Acknowledged { bid, notice, price_cpm, .. } => {
                *report.acknowledged.entry(notice.label()).or_default() += 1;
                if !recorded.contains(&(bid.as_str(), notice.label())) {
                    report.failures.push(format!("{} of {bid} was acknowledged and is not in notices", notice.label()));
                }
                if *notice == Notice::Billing {
                    billed.insert(bid, price_cpm.unwrap_or(0));
                }
            }
            Line::Sent { .. } => {}
        }
    }
    for (bid, price) in &billed {
        report.billed_nanos += i128::from(*price);
        match charges.get(bid) {
            None => report.failures.push(format!("{bid} was billed at {price} and is not charged")),
            Some(charged) if charged != price => {
                report.failures.push(format!("{bid} was billed at {price} and is charged {charged}"));
            }
            Some(_) => {}
        }
    }
    for (bid, charged) in &charges {
        report.unacknowledged_charges += u64::from(!billed.contains_key(bid));
        match offered.get(bid) {
            None => report.failures.push(format!("{bid} is charged and was never bid")),
            Some(price) if charged > price => {
                report.failures.push(format!("{bid} is charged {charged}, above its bid of {price}"));
            }
            Some(_) => {}
        }
    }
    report
}

/// Charges by impression; a second one for the same impression is a failure.
fn charges<'v>(outcomes: &'v [Value], report: &mut Report) -> BTreeMap<&'v str, i64> {
    let mut charges = BTreeMap::new();
    let mut sequences: BTreeMap<(u64, u64), &str> = BTreeMap::new();
    for outcome in outcomes.iter().filter(|outcome| text(outcome, "kind") == Some("charge")) {
        let number = |key: &str| outcome[key].as_u64().or_else(|| outcome[key].as_str()?.parse().ok()).unwrap_or(0);
        let (Some(impression), Some(nanos)) = (text(outcome, "impression"), nanos(&outcome["charged"])) else {
            report.failures.push(format!("not understood: {outcome}"));
            continue;
        };
        // The same outcome may stand in the stream twice after a crash; it is the same by shard and sequence.
        if sequences.insert((number("shard"), number("sequence")), impression).is_some() {
            continue;
        }
        report.charges += 1;
        report.charged_nanos += i128::from(nanos);
        if charges.insert(impression, nanos).is_some() {
            report.failures.push(format!("{impression} is charged twice"));
        }
    }
    charges
}

fn text<'v>(value: &'v Value, key: &str) -> Option<&'v str> {
    value[key].as_str()
}

/// Nanos from a whole number, or from a decimal text in units.
fn nanos(value: &Value) -> Option<i64> {
    if let Some(nanos) = value.as_i64() {
        return Some(nanos);
    }
    decimal_nanos(value.as_str()?)
}

/// Billionths from a decimal text in units that is not below zero.
pub(crate) fn decimal_nanos(text: &str) -> Option<i64> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let part = format!("{part:0<9}");
    whole.parse::<i64>().ok()?.checked_mul(1_000_000_000)?.checked_add(part.get(..9)?.parse().ok()?)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn journal() -> Vec<Line> {
        let bid = |bid: &str| Line::Bid { bid: bid.into(), price_cpm: 500, cid: "1".into(), node: 0, at_ms: 0 };
        let billing = |bid: &str| Line::Acknowledged {
            bid: bid.into(),
            notice: Notice::Billing,
            price_cpm: Some(400),
            status: 204,
            node: 0,
            at_ms: 0,
        };
        vec![bid("a"), bid("b"), billing("a"), billing("b")]
    }

    fn notice(bid: &str) -> Value {
        json!({"impression": bid, "kind": "billing"})
    }

    fn charge(sequence: u64, bid: &str, charged: &str) -> Value {
        json!({"kind": "charge", "impression": bid, "charged": charged, "shard": 0, "sequence": sequence})
    }

    fn check(notices: &[Value], outcomes: &[Value], failures: &[&str]) {
        assert_eq!(audit(&journal(), notices, outcomes).failures, failures);
    }

    #[test]
    fn books_that_agree_are_without_failures() {
        let outcomes = [charge(1, "a", "0.000000400"), charge(2, "b", "0.0000004"), charge(2, "b", "0.0000004")];
        check(&[notice("a"), notice("b")], &outcomes, &[]);
        let report = audit(&journal(), &[notice("a"), notice("b")], &outcomes);
        assert_eq!((report.charges, report.charged_nanos, report.billed_nanos), (2, 800, 800));
    }

    #[test]
    fn every_kind_of_disagreement_is_a_failure() {
        let good = [charge(1, "a", "0.0000004"), charge(2, "b", "0.0000004")];
        let both = [notice("a"), notice("b")];
        check(&[notice("a")], &good, &["billing of b was acknowledged and is not in notices"]);
        check(&both, &good[..1], &["b was billed at 400 and is not charged"]);
        check(&both, &[good[0].clone(), charge(2, "b", "0.0000003")], &["b was billed at 400 and is charged 300"]);
        check(&both, &[good[0].clone(), good[1].clone(), charge(3, "b", "0.0000004")], &["b is charged twice"]);
        check(
            &both,
            &[good[0].clone(), good[1].clone(), charge(3, "c", "0.0000004")],
            &["c is charged and was never bid"],
        );
    }
}
