//! Corrections: other money is booked for an impression than was.
//!
//! Days are closed for good and outcomes are never edited, so a mistake is booked beside what it was: as the difference,
//! which any sum of charges takes in by itself. A correction carries what it corrects, since an impression is forgotten long
//! before its exchange credits it, and what that came to before it: where that is no longer so, somebody else corrected it
//! meanwhile, or it is the same correction again, and nothing is booked.

use decision::ids::CampaignId;
use decision::money::{Nanos, Parts};
use decision::time::Micros;
use proto::wire::{self, Correction, Outcome, OutcomeKind};

use super::account::day_of;
use super::days::wire_day;
use super::terms::BidTerms;
use super::{Effects, Ledger};
use crate::tally::Oddity;

/// Whether an outcome is what was booked for an impression at first.
pub(crate) fn stands_for_money(outcome: &Outcome) -> bool {
    matches!(outcome.kind(), OutcomeKind::Charge | OutcomeKind::Unmatched)
}

/// Each part of `now` beyond that of `before`.
fn beyond(now: Parts, before: Parts) -> wire::Parts {
    let (now, before) = (proto::fees::parts_record(now), proto::fees::parts_record(before));
    wire::Parts {
        media: now.media - before.media,
        exchange_fee: now.exchange_fee - before.exchange_fee,
        data_fee: now.data_fee - before.data_fee,
        margin: now.margin - before.margin,
    }
}

impl Ledger {
    pub(super) fn correct(&mut self, correction: &Correction, effects: &mut Effects) {
        let original = correction.original.as_deref().and_then(|original| Some((original, BidTerms::of(original)?)));
        let Some((original, terms)) = original.filter(|(original, terms)| self.accepts(original, terms, correction))
        else {
            return self.tally.odd(Oddity::RefusedCorrection);
        };
        let (campaign, charged) = (CampaignId(original.campaign), Nanos::new(correction.charged));
        let difference = charged.saturating_sub(Nanos::new(correction.before));
        self.corrected.insert(original.sequence, charged);
        let account = self.accounts.get_mut(&campaign).expect("only what is in the books is accepted");
        let advertiser = self.advertisers.entry(account.advertiser).or_default();
        let is_open = account.days.takes_more(original.day);
        let day = if is_open { i64::from(original.day) } else { account.day(self.now) };
        // Budgets are of the day on which the notice arrived: what was spent on another one changes nothing of today's.
        let arrived = Micros(original.at).min(self.now);
        let spent_on = account.day(arrived);
        account.today.amend(spent_on, difference);
        advertiser.today.amend(day_of(arrived), difference);
        advertiser.spent += i128::from(difference.get());
        account.sums.correct(difference);
        self.total.correct(difference);
        let own = self.pacing.pacers.get_mut(&campaign).into_iter();
        for pacer in own.chain(self.pacing.advertisers.get_mut(&account.advertiser)) {
            pacer.corrected(difference.get());
        }
        // Whoever writes corrections counts days.
        let counted = self.with_days(campaign, |account| account.days.add(day, difference));
        let day = wire_day(counted.expect("only what is in the books is accepted"));
        let [now, before] = [charged, Nanos::new(correction.before)].map(|amount| terms.parts(amount));
        effects.outcomes.push(Outcome {
            shard: self.shard.0,
            sequence: self.sequence,
            kind: OutcomeKind::Correction.into(),
            at: self.now.0,
            notice_price: Some(terms.price(charged, correction.price.map(Nanos::new)).get()),
            charged: difference.get(),
            parts: original.parts.map(|_| beyond(now, before)),
            late: false,
            overdrawn: false,
            above_bid: false,
            corrects: Some(original.sequence),
            day,
            reason: correction.reason.clone(),
            ..original.clone()
        });
    }

    /// Whether the correction is of what these books have, and of what it comes to now.
    fn accepts(&self, original: &Outcome, terms: &BidTerms, correction: &Correction) -> bool {
        let Correction { before, charged, .. } = *correction;
        let is_ours = original.shard == self.shard.0 && (1..self.sequence).contains(&original.sequence);
        let present = self.corrected.get(&original.sequence).map_or(original.charged, |charged| charged.get());
        let possible = 0..=terms.most().get();
        let is_news = present == before && before != charged;
        let is_possible = possible.contains(&before) && possible.contains(&charged);
        // Money is not trusted to whoever wrote the correction: nobody gets back what was not spent.
        let account = self.accounts.get(&CampaignId(original.campaign));
        let difference = i128::from(charged) - i128::from(before);
        let is_covered = account.is_some_and(|account| account.sums.spent + difference >= 0);
        let is_booked = stands_for_money(original) && terms.lead_to(original);
        is_booked && is_ours && is_news && is_possible && is_covered
    }
}
