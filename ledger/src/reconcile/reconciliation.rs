//! Our side, outcome by outcome.

use decision::money::Nanos;
use proto::wire::Outcome;

use super::billed::{Billed, Effect, Unreadable};
use super::comparison::Comparison;
use super::corrections::{Corrections, Now};
use super::differing::{Difference, NotOurs, Part};
use super::group::Sum;
use super::names::Names;
use super::report::{Found, Report};

/// A report, and what of our outcomes was held against it so far.
#[derive(Debug)]
pub struct Reconciliation {
    report: Report,
    corrections: Corrections,
}

impl Reconciliation {
    /// Before the first outcome. `corrections` are those among all that follow.
    pub const fn new(report: Report, corrections: Corrections) -> Self {
        Self { report, corrections }
    }

    /// Takes in an outcome, in any order; each is to come once.
    ///
    /// # Errors
    /// It says too little to be compared; it is not counted.
    pub fn take(&mut self, outcome: &Outcome) -> Result<(), Unreadable> {
        let Some(mut billed) = Billed::read(outcome, &self.report.options)? else { return Ok(()) };
        match self.corrections.now(outcome).filter(|_| billed.effect == Effect::Booked) {
            Some(Now::Price(price)) => (billed.price, billed.cut) = (price, Nanos::ZERO),
            Some(Now::TakenBack) => {
                self.find(&billed, Found::TakenBack);
                return Ok(());
            }
            None => {}
        }
        let group = self.report.covers(&billed.key).then(|| self.report.groups.place(&billed.key));
        if let Some(group) = group {
            let figures = self.report.groups.figures(group);
            let sum = Sum::new(1, billed.price);
            match billed.effect {
                Effect::Expired => figures.expired += sum,
                Effect::Booked => {
                    figures.ours += sum;
                    if billed.cut.get() > 0 {
                        figures.above_bid += Sum::new(1, billed.cut);
                    }
                }
            }
        }
        match billed.effect {
            Effect::Expired => self.find(&billed, Found::Expired),
            Effect::Booked => self.pair(&billed, group),
        }
        Ok(())
    }

    /// Notes what we have of the report's impression, where that is nothing booked.
    fn find(&mut self, billed: &Billed, found: Found) {
        let impressions = self.report.impressions.as_mut();
        if let Some(claimed) = impressions.and_then(|impressions| impressions.get_mut(&billed.impression)) {
            claimed.found = claimed.found.max(found);
        }
    }

    /// Finds the report's impression for one that we booked in `group`; `None`: in one that is not compared.
    fn pair(&mut self, billed: &Billed, group: Option<usize>) {
        let Report { groups, impressions: Some(impressions), differing, .. } = &mut self.report else { return };
        let sum = Sum::new(1, billed.price);
        let ours = Part { key: billed.key.clone(), spend: billed.price };
        let open = impressions.get_mut(&billed.impression).filter(|claimed| claimed.found != Found::Booked);
        let Some(claimed) = open else {
            if let Some(group) = group {
                groups.figures(group).matching.only_ours += sum;
                differing.note(billed.impression, Difference::OnlyOurs(ours));
            }
            return;
        };
        claimed.found = Found::Booked;
        let theirs = Part { key: groups.key(claimed.group).clone(), spend: claimed.spend };
        let their_sum = Sum::new(1, claimed.spend);
        if group != Some(claimed.group) {
            groups.figures(claimed.group).matching.elsewhere_theirs += their_sum;
            if let Some(group) = group {
                groups.figures(group).matching.elsewhere_ours += sum;
            }
            differing.note(billed.impression, Difference::Elsewhere { theirs, ours });
        } else if theirs.spend != ours.spend {
            let spend = (their_sum - sum).spend;
            groups.figures(claimed.group).matching.other_price += Sum { impressions: 1, spend };
            differing.note(billed.impression, Difference::OtherPrice { theirs, ours });
        }
    }

    /// What both sides come to, after the last outcome.
    pub fn finish(self, names: &Names) -> Comparison<'_> {
        let Report { options, mut groups, days, impressions, mut differing, .. } = self.report;
        let by_impression = impressions.is_some();
        for (impression, claimed) in impressions.unwrap_or_default() {
            let why = match claimed.found {
                Found::Booked => continue,
                Found::Expired => NotOurs::Expired,
                Found::TakenBack => NotOurs::TakenBack,
                Found::Nothing => NotOurs::Unheard,
            };
            groups.figures(claimed.group).matching.only_theirs += Sum::new(1, claimed.spend);
            let theirs = Part { key: groups.key(claimed.group).clone(), spend: claimed.spend };
            differing.note(impression, Difference::OnlyTheirs(theirs, why));
        }
        let lists = if by_impression { differing.into_lists() } else { Vec::new() };
        Comparison::new(options, days, groups.into_sorted(), lists, names)
    }
}
