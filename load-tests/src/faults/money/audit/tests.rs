use std::collections::BTreeMap;

use super::*;
use crate::faults::money::Fault;
use crate::faults::money::history::{Account, Bid, Books, Grant, Lease, Notice as Recorded, Price, Settled};
use crate::faults::money::plan::{Campaign, Plan, Terms};
use crate::faults::money::{history, stage};

const EURO_RATE: i64 = 1_084_500_000;

fn plan() -> Plan {
    let campaign = |name: &str, daily_nanos| Campaign {
        name: name.into(),
        advertiser: "north".into(),
        size: (300, 250),
        cpm: 5,
        daily_nanos,
        terms: Terms::Asap,
    };
    let campaigns = vec![campaign("dollars", 1_000), campaign("euros", 1_000)];
    Plan { run: 1, seed: 1, fault: Fault::BidderKilled, victim: 0, rate: 1, seconds: [1.0; 3], campaigns }
}

/// Billed at 100 of a bid of 120, in dollars by campaign 1 (`a`, `b`) and in euros by campaign 2 (`c`).
fn good() -> History {
    let bid = |bid: &str, cid: &str| Line::Bid { bid: bid.into(), price_cpm: 120, cid: cid.into(), node: 0, at_ms: 1 };
    let billed = |bid: &str| {
        let notice = Notice::Billing;
        Line::Acknowledged { bid: bid.into(), notice, price_cpm: Some(100), status: 204, node: 1, at_ms: 2 }
    };
    // Nobody heard that the last one was taken.
    let unheard =
        Line::Sent { bid: "b".into(), notice: Notice::Billing, price_cpm: Some(100), status: None, node: 1, at_ms: 2 };
    let charge = |impression: &str, campaign, lease: &str, rate, charged| Outcome {
        kind: "charge".into(),
        impression: impression.into(),
        at: "2026-03-01T12:00:00.250000Z".into(),
        campaign,
        lease: Some(lease.into()),
        rate,
        charged,
        late: false,
    };
    let record = |grant, settled| Lease { at: "2026-03-01T11:00:00.000000Z".into(), grant, settled };
    let grant = |campaign, lease: &str| record(Some(Grant { campaign, lease: Some(lease.into()), amount: 300 }), None);
    let settled = |lease: &str, charged| record(None, Some(Settled { lease: lease.into(), charged }));
    let account = |campaign, charged_nanos| Account {
        campaign,
        granted_nanos: 300,
        charged_nanos,
        returned_nanos: 50,
        outstanding_nanos: 250 - charged_nanos,
        late_nanos: 0,
        spent_nanos: charged_nanos,
    };
    let recorded =
        |impression: &str, campaign| Bid { impression: impression.into(), campaign, price: Price { bid_cpm: 120_000 } };
    let notice = |impression: &str| Recorded { impression: impression.into(), kind: "billing".into() };
    History {
        run: history::Recorded {
            plan: plan(),
            numbers: BTreeMap::from([("dollars".to_owned(), "1".to_owned()), ("euros".to_owned(), "2".to_owned())]),
            happened: vec![stage::Happened { what: "it failed".into(), at_ms: 3 }],
        },
        journal: vec![bid("a", "1"), bid("b", "1"), bid("c", "2"), billed("a"), unheard, billed("c")],
        notices: ["a", "b", "c"].map(notice).into(),
        outcomes: vec![
            charge("a", 1, "10", 1_000_000_000, 100),
            charge("b", 1, "10", 1_000_000_000, 100),
            charge("c", 2, "20", EURO_RATE, 93),
        ],
        bids: vec![recorded("a", 1), recorded("c", 2)],
        leases: vec![grant(1, "10"), grant(2, "20"), settled("10", 100), settled("10", 200), settled("20", 93)],
        books: Books { campaigns: vec![account(1, 200), account(2, 93)] },
    }
}

/// The points that do not hold once `doctor` was at a history in which all is well.
fn check_doctored(doctor: impl Fn(&mut History), expected: &[&str]) {
    let mut history = good();
    doctor(&mut history);
    let audit = check(&history);
    let failed: Vec<_> = audit.points.iter().filter(|point| !point.holds()).map(|point| point.name).collect();
    assert_eq!(failed, expected, "{audit}");
}

const BID: &str = "what is charged was bid";
const ABOVE: &str = "nothing is charged above its bid";
const UNBILLED: &str = "what is charged was billed";
const RECORDED: &str = "recorded bids are those that were made";
const SUMS: &str = "sums of outcomes, books and exchange agree";
const LEASES: &str = "leases hold what is charged to them";
const TOLD: &str = "nodes are told what is charged";
const EXCESS: &str = "what exceeds a budget is late or of earlier leases";

#[test]
fn a_history_in_which_all_is_well_passes_and_an_empty_one_does_not() {
    check_doctored(|_| {}, &[]);
    let mut history = good();
    history.journal.clear();
    history.outcomes.clear();
    assert!(!check(&history).passed());
}

#[test]
fn what_is_lost_is_found() {
    check_doctored(|h| drop(h.notices.remove(0)), &[NOTICES]);
    check_doctored(|h| h.notices[2].kind = "win".into(), &[NOTICES]);
    check_doctored(|h| drop(h.outcomes.remove(0)), &[BILLED, SUMS, TOLD]);
    check_doctored(|h| h.outcomes[0].kind = "expired".into(), &[BILLED, SUMS, TOLD]);
    check_doctored(|h| h.outcomes[2].charged = 92, &[BILLED, UNBILLED, SUMS, TOLD]);
}

#[test]
fn what_is_booked_and_should_not_be_is_found() {
    check_doctored(|h| h.outcomes.push(h.outcomes[0].clone()), &[TWICE, SUMS, TOLD]);
    let never_bid = |h: &mut History| drop(h.journal.remove(1));
    check_doctored(never_bid, &[BID]);
    check_doctored(|h| h.outcomes[0].campaign = 2, &[BID, SUMS, LEASES]);
    let never_billed = |h: &mut History| drop(h.journal.remove(4));
    check_doctored(never_billed, &[UNBILLED, SUMS]);
    check_doctored(|h| h.outcomes[1].charged = 121, &[ABOVE, UNBILLED, SUMS, TOLD]);
    check_doctored(|h| h.bids[0].price.bid_cpm = 119_000, &[RECORDED]);
    check_doctored(|h| h.bids[1].campaign = 1, &[RECORDED]);
}

#[test]
fn books_that_differ_are_found() {
    check_doctored(|h| h.books.campaigns[0].spent_nanos += 1, &[SUMS]);
    check_doctored(|h| h.books.campaigns[0].granted_nanos += 1, &[SUMS]);
    check_doctored(|h| h.books.campaigns[1].outstanding_nanos += 1, &[SUMS]);
    check_doctored(|h| h.books.campaigns[1].late_nanos += 1, &[SUMS]);
    check_doctored(|h| h.books.campaigns.truncate(1), &[SUMS]);
    check_doctored(|h| h.outcomes[0].late = true, &[SUMS, TOLD]);
    check_doctored(|h| drop(h.leases.pop()), &[TOLD]);
    check_doctored(|h| drop(h.leases.remove(1)), &[SUMS, LEASES]);
    let short = |h: &mut History| {
        h.leases[0].grant.as_mut().expect("a grant").amount = 199;
        h.books.campaigns[0].granted_nanos = 199;
        h.books.campaigns[0].returned_nanos = 0;
        h.books.campaigns[0].outstanding_nanos = -1;
    };
    check_doctored(short, &[LEASES]);
}

#[test]
fn what_is_overspent_is_found_and_told_from_what_may_be() {
    // One bid a node is 480: of 200 that were spent, so much may be above the budget where it is late or of yesterday.
    let budget = |daily_nanos| move |h: &mut History| h.run.plan.campaigns[0].daily_nanos = daily_nanos;
    check_doctored(budget(200), &[]);
    check_doctored(budget(199), &[EXCESS]);
    let yesterday = |h: &mut History| {
        budget(150)(h);
        h.leases[0].at = "2026-02-28T23:59:59.999999Z".into();
    };
    check_doctored(yesterday, &[]);
    let late = |h: &mut History| {
        budget(150)(h);
        h.outcomes[0].late = true;
        (h.books.campaigns[0].late_nanos, h.books.campaigns[0].charged_nanos) = (100, 100);
        h.books.campaigns[0].outstanding_nanos += 100;
        drop(h.leases.remove(3));
    };
    check_doctored(late, &[]);
    let much = |h: &mut History| {
        yesterday(h);
        for line in &mut h.journal {
            if let Line::Bid { price_cpm, .. } = line {
                *price_cpm = 10;
            }
        }
        h.bids.iter_mut().for_each(|bid| bid.price.bid_cpm = 10_000);
    };
    check_doctored(much, &[ABOVE, BUDGETS]);
    let another_day = |h: &mut History| {
        budget(100)(h);
        h.outcomes[0].at = "2026-03-02T12:00:00.250000Z".into();
    };
    check_doctored(another_day, &[]);
}

/// Thirty impressions at 10 in the first half of a run, so 600 were to be bought in all.
#[test]
fn what_could_be_spent_is_told_of_whole_days_only() {
    let mut h = good();
    h.run.plan.campaigns[0].daily_nanos = 1_000_000;
    for number in 0..30 {
        let (bid, notice) = (format!("more-{number}"), Notice::Billing);
        h.journal.push(Line::Bid { bid: bid.clone(), price_cpm: 10, cid: "1".into(), node: 0, at_ms: 1 });
        h.journal.push(Line::Acknowledged { bid, notice, price_cpm: Some(10), status: 204, node: 1, at_ms: 2 });
    }
    h.journal.push(Line::Bid { bid: "last".into(), price_cpm: 10, cid: "2".into(), node: 0, at_ms: 5 });
    let demands = |h: &History| -> Vec<Option<i128>> {
        let spends = budgets::spends(h, &Facts::of(h));
        spends.iter().filter(|spend| spend.campaign == "dollars").map(|spend| spend.demand).collect()
    };
    assert_eq!(demands(&h), [Some((100 + 30 * 10) * 4 / 2)]);
    h.outcomes[0].at = "2026-03-02T12:00:00.250000Z".into();
    assert_eq!(demands(&h), [None, None]);
}

#[test]
fn a_euro_is_charged_rounded_up() {
    assert_eq!([100, 0, 1_084_500_000].map(|price| in_campaign_currency(price, EURO_RATE)), [93, 0, 1_000_000_000]);
    assert_eq!(in_campaign_currency(123, 1_000_000_000), 123);
}
