//! Whether money is right in a history: nothing lost, nothing booked twice, nothing overspent. It reads files only, and
//! knows of the product no more than what its streams say.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use serde::Serialize;

use super::history::{History, Outcome};
use crate::exchange::journal::{Line, Notice};

mod budgets;
mod charges;
mod sums;
#[cfg(test)]
mod tests;

pub use budgets::Spend;

/// The points that summaries tell of by themselves.
pub(super) const NOTICES: &str = "acknowledged notices are in the stream";
pub(super) const BILLED: &str = "what was billed and acknowledged is charged at its price";
pub(super) const TWICE: &str = "nothing is charged twice";
pub(super) const BUDGETS: &str = "campaigns keep to their budgets";

/// Failures that are named.
const NAMED_MAX: usize = 16;

/// One thing that must hold, of so many.
#[derive(Clone, Debug, Serialize)]
pub struct Point {
    /// What it is about.
    pub name: &'static str,
    /// How many were looked at; of none nothing is shown.
    pub checked: usize,
    /// How many were wrong.
    pub wrong: usize,
    /// The first of those, for people.
    pub named: Vec<String>,
}

impl Point {
    fn new(name: &'static str, checked: usize, wrong: Vec<String>) -> Self {
        let count = wrong.len();
        Self { name, checked, wrong: count, named: wrong.into_iter().take(NAMED_MAX).collect() }
    }

    /// Whether it held.
    pub fn holds(&self) -> bool {
        self.checked > 0 && self.wrong == 0
    }
}

/// What a history shows.
#[derive(Clone, Debug, Serialize)]
pub struct Audit {
    /// What must hold.
    pub points: Vec<Point>,
    /// What was spent, by campaign and day.
    pub spends: Vec<Spend>,
}

impl Audit {
    /// Whether every point held.
    pub fn passed(&self) -> bool {
        self.points.iter().all(Point::holds)
    }

    /// How many were wrong of a point.
    pub fn wrong(&self, name: &str) -> usize {
        self.points.iter().filter(|point| point.name == name).map(|point| point.wrong).sum()
    }
}

impl std::fmt::Display for Audit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for Point { name, checked, wrong, named } in &self.points {
            writeln!(f, "{name}: {checked} checked, {wrong} wrong")?;
            named.iter().try_for_each(|failure| writeln!(f, "    {failure}"))?;
        }
        self.spends.iter().try_for_each(|spend| writeln!(f, "{spend}"))
    }
}

/// Checks the history in a folder.
///
/// # Errors
/// Where it cannot be read, or is none.
pub fn audit(folder: &Path) -> io::Result<Audit> {
    Ok(check(&History::read(folder)?))
}

fn check(history: &History) -> Audit {
    let facts = Facts::of(history);
    let points = vec![
        charges::acknowledged_notices_are_there(history),
        charges::billed_is_charged(&facts),
        charges::charged_once(&facts),
        charges::charged_was_bid(&facts),
        charges::charged_is_not_above_the_bid(&facts),
        charges::charged_was_billed(&facts),
        charges::bids_are_those_made(history, &facts),
        sums::agree(history, &facts),
        sums::leases_hold(history, &facts),
        sums::nodes_were_told(history, &facts),
        budgets::kept(history, &facts),
        budgets::excess_is_explained(history, &facts),
    ];
    Audit { points, spends: budgets::spends(history, &facts) }
}

/// What a bid was, as the exchange saw it.
struct Made<'h> {
    price: i64,
    campaign: &'h str,
}

/// A billing notice, as the exchange sent it.
#[derive(Clone, Copy)]
struct Billed {
    price: i64,
    acknowledged: bool,
}

/// What both sides say of each impression.
struct Facts<'h> {
    made: BTreeMap<&'h str, Made<'h>>,
    billed: BTreeMap<&'h str, Billed>,
    /// Every record that books money, by impression.
    charges: BTreeMap<&'h str, Vec<&'h Outcome>>,
}

impl<'h> Facts<'h> {
    fn of(history: &'h History) -> Self {
        let (mut made, mut billed) = (BTreeMap::new(), BTreeMap::<&str, Billed>::new());
        for line in &history.journal {
            match line {
                Line::Bid { bid, price_cpm, cid, .. } => {
                    made.insert(bid.as_str(), Made { price: *price_cpm, campaign: cid });
                }
                Line::Acknowledged { bid, notice: Notice::Billing, price_cpm, .. } => {
                    billed.insert(bid, Billed { price: price_cpm.unwrap_or(0), acknowledged: true });
                }
                Line::Sent { bid, notice: Notice::Billing, price_cpm, .. } => {
                    let unheard = Billed { price: price_cpm.unwrap_or(0), acknowledged: false };
                    billed.entry(bid).or_insert(unheard);
                }
                Line::Acknowledged { .. } | Line::Sent { .. } => {}
            }
        }
        let mut charges = BTreeMap::<&str, Vec<&Outcome>>::new();
        for outcome in history.outcomes.iter().filter(|outcome| books_money(outcome)) {
            charges.entry(&outcome.impression).or_default().push(outcome);
        }
        Self { made, billed, charges }
    }

    /// The charges, all of them.
    fn all_charges(&self) -> impl Iterator<Item = &'h Outcome> {
        self.charges.values().flatten().copied()
    }
}

fn books_money(outcome: &Outcome) -> bool {
    matches!(outcome.kind.as_str(), "charge" | "unmatched")
}

/// A price of the exchange's currency in that of a campaign: what is not a whole nano is a nano more.
fn in_campaign_currency(price: i64, rate: i64) -> i128 {
    let (price, rate) = (i128::from(price) * 1_000_000_000, i128::from(rate.max(1)));
    price.div_euclid(rate) + i128::from(price.rem_euclid(rate) > 0)
}
