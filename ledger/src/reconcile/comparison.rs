//! What both sides come to, and what of it is alarming.

use std::collections::BTreeMap;

use decision::ids::{Currency, ExchangeName};

use super::Options;
use super::day::Day;
use super::differing::{DifferingList, Way};
use super::group::{Figures, Key};
use super::names::Names;
use super::tolerance::Tolerance;

/// Both sides, group by group. Shown as text; [`Comparison::json_lines`] has the same.
#[derive(Debug)]
pub struct Comparison<'n> {
    /// How it was compared.
    pub options: Options,
    /// The first and the last day that the report covers.
    pub days: (Day, Day),
    /// Every group that either side has, by its key.
    pub groups: Vec<Group>,
    /// Impressions that differ, in every way there is; empty where the report is not by impression.
    pub differing: Vec<(Way, DifferingList)>,
    pub(super) names: &'n Names,
}

/// One group.
#[derive(Clone, Debug)]
pub struct Group {
    /// What it is.
    pub key: Key,
    /// What both sides have.
    pub figures: Figures,
    /// Why it is alarming; empty where it is not.
    pub alarms: Vec<Alarm>,
    /// Where one side lacks it: a currency in which that side has the same day, exchange and campaign, and this one
    /// has not.
    pub in_currency: Option<Currency>,
}

/// Why a group is alarming.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Alarm {
    /// The report has it, and we booked nothing of it.
    OnlyTheirs,
    /// We booked it, and the report has no line of it.
    OnlyOurs,
    /// The counts differ by more than the tolerance.
    Impressions,
    /// The money differs by more than the tolerance.
    Spend,
}

impl Alarm {
    fn all_of(figures: &Figures, tolerance: Tolerance) -> Vec<Self> {
        let (ours, difference) = (figures.ours, figures.difference());
        let Some(theirs) = figures.theirs else { return vec![Self::OnlyOurs] };
        if ours.impressions == 0 && !theirs.is_nothing() {
            return vec![Self::OnlyTheirs];
        }
        let impressions = tolerance.is_exceeded(difference.impressions, ours.impressions);
        let spend = tolerance.is_exceeded(difference.spend.get(), ours.spend.get());
        [(impressions, Self::Impressions), (spend, Self::Spend)]
            .into_iter()
            .filter_map(|(is, why)| is.then_some(why))
            .collect()
    }
}

impl<'n> Comparison<'n> {
    pub(super) fn new(
        options: Options,
        days: (Day, Day),
        groups: Vec<(Key, Figures)>,
        differing: Vec<(Way, DifferingList)>,
        names: &'n Names,
    ) -> Self {
        // Of what nobody bills, a late notice is nothing to dispute.
        let billed = |figures: &Figures| figures.theirs.is_some() || figures.ours.impressions > 0;
        let groups = groups.into_iter().filter(|(_, figures)| billed(figures)).map(|(key, figures)| {
            let alarms = Alarm::all_of(&figures, options.tolerance);
            Group { key, figures, alarms, in_currency: None }
        });
        let mut groups: Vec<Group> = groups.collect();
        groups.chunk_by_mut(|one, other| differ_in_currency(&one.key, &other.key)).for_each(tell_currencies);
        Self { options, days, groups, differing, names }
    }

    /// How many groups are alarming.
    pub fn alarming(&self) -> usize {
        self.groups.iter().filter(|group| !group.alarms.is_empty()).count()
    }

    /// What both sides have of each exchange and currency.
    pub fn totals(&self) -> BTreeMap<(ExchangeName, Currency), Figures> {
        let mut totals: BTreeMap<_, Figures> = BTreeMap::new();
        for group in &self.groups {
            *totals.entry((group.key.exchange, group.key.currency)).or_default() += group.figures;
        }
        totals
    }
}

/// Whether two groups are the same or would be in one currency.
fn differ_in_currency(one: &Key, other: &Key) -> bool {
    (one.day, one.exchange, &one.campaign) == (other.day, other.exchange, &other.campaign)
}

/// Tells groups that one side lacks in which currency it has them.
fn tell_currencies(groups: &mut [Group]) {
    let with = |alarm| groups.iter().find(|group| group.alarms.contains(&alarm)).map(|group| group.key.currency);
    let (theirs, ours) = (with(Alarm::OnlyTheirs), with(Alarm::OnlyOurs));
    for group in groups {
        match group.alarms.first() {
            Some(Alarm::OnlyTheirs) => group.in_currency = ours,
            Some(Alarm::OnlyOurs) => group.in_currency = theirs,
            Some(Alarm::Impressions | Alarm::Spend) | None => {}
        }
    }
}
