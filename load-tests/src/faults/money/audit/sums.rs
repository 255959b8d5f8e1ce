//! Sums of campaigns and leases: those of outcomes, of the ledger's books, and of the exchange.

use std::collections::BTreeMap;

use super::{Facts, Point, in_campaign_currency};
use crate::faults::money::history::{Account, History};

/// What a campaign comes to.
#[derive(Default)]
struct Sums {
    /// By outcomes: what is booked to leases, and what is not.
    charged: i128,
    late: i128,
    /// By the exchange, of the same impressions.
    billed: i128,
    granted: i128,
}

/// The sums of each campaign are the same on all sides, to the nano.
pub(super) fn agree(history: &History, facts: &Facts<'_>) -> Point {
    let mut sums = BTreeMap::<u32, Sums>::new();
    for charge in facts.all_charges() {
        let sums = sums.entry(charge.campaign).or_default();
        *(if charge.late { &mut sums.late } else { &mut sums.charged }) += i128::from(charge.charged);
        let billed = facts.billed.get(charge.impression.as_str());
        sums.billed += billed.map_or(0, |billed| in_campaign_currency(billed.price, charge.rate));
    }
    for (campaign, amount) in grants(history).values() {
        sums.entry(*campaign).or_default().granted += amount;
    }
    let mut wrong = Vec::new();
    for account in &history.books.campaigns {
        disagreements(account, &sums.remove(&account.campaign).unwrap_or_default(), &mut wrong);
    }
    wrong.extend(sums.keys().map(|campaign| format!("{campaign} is not in the books")));
    Point::new("sums of outcomes, books and exchange agree", history.books.campaigns.len(), wrong)
}

fn disagreements(account: &Account, sums: &Sums, wrong: &mut Vec<String>) {
    let Account { granted_nanos, charged_nanos, returned_nanos, outstanding_nanos, late_nanos, spent_nanos, .. } =
        account;
    let pairs = [
        ("charged by the books and by outcomes", *charged_nanos, sums.charged),
        ("late by the books and by outcomes", *late_nanos, sums.late),
        ("spent by the books and billed by the exchange", *spent_nanos, sums.billed),
        ("spent and charged or late", *spent_nanos, charged_nanos + late_nanos),
        ("granted by the books and in leases", *granted_nanos, sums.granted),
        ("granted and what became of it", *granted_nanos, charged_nanos + returned_nanos + outstanding_nanos),
    ];
    let different = pairs.into_iter().filter(|(_, one, other)| one != other);
    wrong.extend(different.map(|(what, one, other)| format!("{}, {what}: {one}, {other}", account.campaign)));
}

/// Campaign and amount of each lease.
fn grants(history: &History) -> BTreeMap<&str, (u32, i128)> {
    let grants = history.leases.iter().filter_map(|record| record.grant.as_ref());
    grants.filter_map(|grant| Some((grant.lease.as_deref()?, (grant.campaign, i128::from(grant.amount))))).collect()
}

/// What was charged to each lease.
fn charged<'h>(facts: &Facts<'h>) -> BTreeMap<&'h str, (u32, i128)> {
    let mut charged = BTreeMap::new();
    for charge in facts.all_charges().filter(|charge| !charge.late) {
        let lease = charge.lease.as_deref().unwrap_or_default();
        charged.entry(lease).or_insert((charge.campaign, 0)).1 += i128::from(charge.charged);
    }
    charged
}

/// No lease is charged more than it was granted, or for another campaign.
pub(super) fn leases_hold(history: &History, facts: &Facts<'_>) -> Point {
    let (grants, charged) = (grants(history), charged(facts));
    let wrong = charged.iter().filter_map(|(lease, (campaign, amount))| match grants.get(lease) {
        None => Some(format!("lease {lease} was never granted and is charged {amount}")),
        Some((other, _)) if other != campaign => Some(format!("lease {lease} of {other} is charged for {campaign}")),
        Some((_, granted)) => (amount > granted).then(|| format!("lease {lease} of {granted} is charged {amount}")),
    });
    Point::new("leases hold what is charged to them", charged.len(), wrong.collect())
}

/// The nodes were told of everything that was charged to their leases.
pub(super) fn nodes_were_told(history: &History, facts: &Facts<'_>) -> Point {
    let mut told = BTreeMap::<&str, i128>::new();
    for settled in history.leases.iter().filter_map(|record| record.settled.as_ref()) {
        let most = told.entry(&settled.lease).or_default();
        *most = (*most).max(i128::from(settled.charged));
    }
    let charged = charged(facts);
    let wrong = charged.iter().filter_map(|(lease, (_, amount))| {
        let told = told.get(lease).copied().unwrap_or_default();
        (told != *amount).then(|| format!("lease {lease} is charged {amount}, and its node was told of {told}"))
    });
    Point::new("nodes are told what is charged", charged.len(), wrong.collect())
}
