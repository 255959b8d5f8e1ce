//! Corrections: other money is booked for an impression than was.
//!
//! Days are closed for good and outcomes are never edited, so a mistake is booked beside what it was: as the difference,
//! which any sum of charges takes in by itself. A correction carries what it corrects, since an impression is forgotten long
//! before its exchange credits it, and what that came to before it: where that is no longer so, somebody else corrected it
//! meanwhile, or it is the same correction again, and nothing is booked.

use decision::ids::CampaignId;
use decision::money::{Nanos, Rate};
use decision::time::Micros;
use proto::wire::{Correction, Outcome, OutcomeKind, Parts};

use super::account::day_of;
use super::days::wire_day;
use super::{Effects, Ledger};
use crate::tally::Oddity;

/// Whether an outcome is what was booked for an impression at first.
pub(crate) fn stands_for_money(outcome: &Outcome) -> bool {
    matches!(outcome.kind(), OutcomeKind::Charge | OutcomeKind::Unmatched)
}

/// The most that an impression may come to, in the currency of its campaign: what was bid for it, with fees as they were
/// booked, in proportion.
pub(crate) fn most(original: &Outcome) -> Option<Nanos> {
    let bid = Some(Nanos::new(original.bid_price)).filter(|bid| *bid >= Nanos::ZERO)?;
    let media = Rate::new(original.rate)?.invert_up(bid).get();
    Some(match &original.parts {
        None => Nanos::new(media),
        Some(parts) if parts.media > 0 => in_proportion(media, original.charged, parts.media),
        // What fees another price has nothing says.
        Some(_) => Nanos::new(original.charged),
    })
}

/// The highest price, in the currency of the bid, that comes to `charged`.
fn price(original: &Outcome, charged: Nanos) -> Option<Nanos> {
    let media = parts(original, charged).map_or(charged, |parts| Nanos::new(parts.media));
    Some(Rate::new(original.rate)?.convert_down(media).min(Nanos::new(original.bid_price)))
}

/// What `charged` is made of, in the proportion of what was booked first; `None` where that had no fees.
fn parts(original: &Outcome, charged: Nanos) -> Option<Parts> {
    let first = original.parts?;
    let part = |amount: i64| in_proportion(charged.get(), amount, original.charged).get();
    let (media, exchange_fee, data_fee) = (part(first.media), part(first.exchange_fee), part(first.data_fee));
    // What rounding leaves is in the last one, so that the sum is right to the nano.
    let margin = charged.get() - media - exchange_fee - data_fee;
    Some(Parts { media, exchange_fee, data_fee, margin })
}

/// `amount * of / to`, rounded down; nothing of nothing.
fn in_proportion(amount: i64, of: i64, to: i64) -> Nanos {
    let whole = (i128::from(amount) * i128::from(of)).checked_div(i128::from(to)).unwrap_or(0);
    i64::try_from(whole).map_or(Nanos::MAX, Nanos::new)
}

/// Whether the parts of what was booked are its parts.
fn is_whole(original: &Outcome) -> bool {
    original.parts.is_none_or(|Parts { media, exchange_fee, data_fee, margin }| {
        let parts = [media, exchange_fee, data_fee, margin];
        parts.iter().all(|part| *part >= 0) && parts.map(i128::from).iter().sum::<i128>() == original.charged.into()
    })
}

impl Ledger {
    pub(super) fn correct(&mut self, correction: &Correction, effects: &mut Effects) {
        let original = correction.original.as_deref().filter(|original| self.accepts(original, correction));
        let Some(original) = original else {
            return self.tally.odd(Oddity::RefusedCorrection);
        };
        let (campaign, charged) = (CampaignId(original.campaign), Nanos::new(correction.charged));
        let difference = charged.saturating_sub(Nanos::new(correction.before));
        self.corrected.insert(original.sequence, charged);
        let account = self.accounts.get_mut(&campaign).expect("only what is in the books is accepted");
        let advertiser = self.advertisers.entry(account.advertiser).or_default();
        // Budgets are of the day on which the notice arrived, unless that is closed.
        let (day, at) = if account.days.takes_more(original.day) {
            (i64::from(original.day), Micros(original.at).min(self.now))
        } else {
            (account.day(self.now), self.now)
        };
        let spent_on = account.day(at);
        account.today.add(spent_on, difference);
        advertiser.today.add(day_of(at), difference);
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
        let [now, before] = [charged, Nanos::new(correction.before)].map(|amount| parts(original, amount));
        effects.outcomes.push(Outcome {
            shard: self.shard.0,
            sequence: self.sequence,
            kind: OutcomeKind::Correction.into(),
            at: self.now.0,
            notice_price: price(original, charged).map(Nanos::get),
            charged: difference.get(),
            parts: now.zip(before).map(|(now, before)| Parts {
                media: now.media - before.media,
                exchange_fee: now.exchange_fee - before.exchange_fee,
                data_fee: now.data_fee - before.data_fee,
                margin: now.margin - before.margin,
            }),
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
    fn accepts(&self, original: &Outcome, correction: &Correction) -> bool {
        let Correction { before, charged, .. } = *correction;
        let is_ours = original.shard == self.shard.0 && (1..self.sequence).contains(&original.sequence);
        let present = self.corrected.get(&original.sequence).map_or(original.charged, |charged| charged.get());
        let possible = 0..=most(original).unwrap_or_default().get();
        let is_news = present == before && before != charged;
        let is_possible = possible.contains(&before) && possible.contains(&charged);
        // Money is not trusted to whoever wrote the correction: nobody gets back what was not spent.
        let account = self.accounts.get(&CampaignId(original.campaign));
        let difference = i128::from(charged) - i128::from(before);
        let is_covered = account.is_some_and(|account| account.sums.spent + difference >= 0);
        stands_for_money(original) && is_whole(original) && is_ours && is_news && is_possible && is_covered
    }
}
