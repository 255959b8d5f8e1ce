//! What campaigns spent in a day, against what they may.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use super::{Facts, Point, in_campaign_currency};
use crate::exchange::journal::{Line, Notice};
use crate::faults::money::history::{History, Outcome};
use crate::faults::money::plan::{BIDDERS, Campaign, Terms};

/// The part of a daily budget that may be spent above it, where that is more than one bid of each node.
const OVERSPEND_MAX: f64 = 0.01;

/// Impressions before the fault by which it is told what a campaign buys.
const SHOWN_MIN: u32 = 30;

/// What one campaign spent in one day. Amounts are nanos of its currency.
#[derive(Clone, Debug, Serialize)]
pub struct Spend {
    /// Its name.
    pub campaign: String,
    /// The UTC day.
    pub day: String,
    /// Its budget of a day.
    pub daily: i64,
    /// What was booked.
    pub spent: i128,
    /// What of that was not booked to a lease.
    pub late: i128,
    /// Its highest bid.
    pub bid_max: i128,
    /// What the traffic would have had it spend, by the rate of the time before the fault; `None`: it is paced or capped, had
    /// spent its budget by then, or bought too little by then to tell, or there was a midnight in the run, which has no whole day.
    pub demand: Option<i128>,
}

impl Spend {
    /// What was spent above the budget.
    pub fn over(&self) -> i128 {
        (self.spent - i128::from(self.daily)).max(0)
    }

    /// The most that may be.
    fn over_max(&self) -> i128 {
        let part = (self.daily as f64 * OVERSPEND_MAX) as i128;
        part.max(self.bid_max * BIDDERS as i128)
    }

    /// The part of the budget, or of what there was to buy if that was less, that was not spent.
    pub fn under(&self) -> Option<f64> {
        let due = self.demand?.min(self.daily.into());
        Some(1.0 - self.spent.min(due) as f64 / due.max(1) as f64)
    }
}

impl fmt::Display for Spend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { campaign, day, daily, spent, late, .. } = self;
        let part = 100.0 * *spent as f64 / *daily as f64;
        write!(f, "{campaign} spent {spent} of {daily} nanos ({part:.2} %) on {day}, {late} late")?;
        self.under().map_or(Ok(()), |under| write!(f, ", {:.1} % of what it could not spent", 100.0 * under))
    }
}

/// What campaigns spent, by campaign and day.
pub(super) fn spends(history: &History, facts: &Facts<'_>) -> Vec<Spend> {
    let mut all = Vec::new();
    for campaign in &history.run.plan.campaigns {
        let number = history.run.numbers.get(&campaign.name).map_or("", String::as_str);
        let mut days = BTreeMap::<&str, (i128, i128)>::new();
        let charges: Vec<&Outcome> =
            facts.all_charges().filter(|charge| charge.campaign.to_string() == number).collect();
        for charge in &charges {
            let (spent, late) = days.entry(day(&charge.at)).or_default();
            *spent += i128::from(charge.charged);
            *late += if charge.late { i128::from(charge.charged) } else { 0 };
        }
        let rate = charges.first().map_or(1_000_000_000, |charge| charge.rate);
        let bids = facts.made.values().filter(|made| made.campaign == number);
        let bid_max = bids.map(|made| in_campaign_currency(made.price, rate)).max().unwrap_or_default();
        let demand = if days.len() == 1 { demand(history, campaign, number, rate) } else { None };
        all.extend(days.into_iter().map(|(day, (spent, late))| {
            let (campaign, day, daily) = (campaign.name.clone(), day.to_owned(), campaign.daily_nanos);
            Spend { campaign, day, daily, spent, late, bid_max, demand }
        }));
    }
    all
}

/// What a campaign that buys whatever it can would have spent in all, if all had gone on as it did before the fault.
fn demand(history: &History, campaign: &Campaign, number: &str, rate: i64) -> Option<i128> {
    let struck = history.run.happened.first()?.at_ms;
    let times = history.journal.iter().filter_map(|line| match line {
        Line::Bid { at_ms, .. } => Some(*at_ms),
        Line::Acknowledged { .. } | Line::Sent { .. } => None,
    });
    let (first, last) = times.fold((u64::MAX, 0), |(first, last), at_ms| (first.min(at_ms), last.max(at_ms)));
    let before = history.journal.iter().filter_map(|line| match line {
        Line::Acknowledged { bid, notice: Notice::Billing, price_cpm, at_ms, .. } if *at_ms < struck => {
            Some((bid.as_str(), price_cpm.unwrap_or_default()))
        }
        _ => None,
    });
    let ours: std::collections::BTreeSet<&str> = history
        .journal
        .iter()
        .filter_map(|line| match line {
            Line::Bid { bid, cid, .. } if cid == number => Some(bid.as_str()),
            _ => None,
        })
        .collect();
    let prices = before.filter(|(bid, _)| ours.contains(bid)).map(|(_, price)| in_campaign_currency(price, rate));
    let (count, spent) = prices.fold((0, 0), |(count, sum), price| (count + 1, sum + price));
    let buys = campaign.terms == Terms::Asap && spent < i128::from(campaign.daily_nanos) / 2;
    let shows = buys && count >= SHOWN_MIN && struck > first;
    shows.then(|| spent * i128::from(last - first) / i128::from(struck - first))
}

/// The day of an RFC 3339 time.
fn day(at: &str) -> &str {
    at.get(..10).unwrap_or(at)
}

/// No campaign spends more above its budget than it may.
pub(super) fn kept(history: &History, facts: &Facts<'_>) -> Point {
    let spends = spends(history, facts);
    let over = spends.iter().filter(|spend| spend.over() > spend.over_max());
    let over = over.map(|spend| format!("{spend}: more than {} above", spend.over_max())).collect();
    Point::new(super::BUDGETS, spends.len(), over)
}

/// What is spent above a budget is late, or was lent on an earlier day.
pub(super) fn excess_is_explained(history: &History, facts: &Facts<'_>) -> Point {
    let granted =
        history.leases.iter().filter_map(|record| Some((record.grant.as_ref()?.lease.as_deref()?, &record.at)));
    let granted: BTreeMap<&str, &str> = granted.map(|(lease, at)| (lease, day(at))).collect();
    let earlier = |spend: &Spend| -> i128 {
        let number = history.run.numbers.get(&spend.campaign);
        let of_day = facts.all_charges().filter(|charge| {
            let lent = charge.lease.as_deref().and_then(|lease| granted.get(lease));
            let ours = number.is_some_and(|number| *number == charge.campaign.to_string());
            ours && !charge.late && day(&charge.at) == spend.day && lent.is_some_and(|lent| **lent < *spend.day)
        });
        of_day.map(|charge| i128::from(charge.charged)).sum()
    };
    let spends = spends(history, facts);
    let wrong = spends.iter().filter(|spend| spend.over() > spend.late + earlier(spend));
    let wrong = wrong.map(|spend| format!("{spend}: {} is neither late nor of earlier leases", spend.over())).collect();
    Point::new("what exceeds a budget is late or of earlier leases", spends.len(), wrong)
}
