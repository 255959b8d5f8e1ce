//! Corrections: other money is booked for an impression than was.
//!
//! Days are closed for good and outcomes are never edited, so a mistake is booked beside what it was: as the difference,
//! which any sum of charges takes in by itself. A correction carries what it corrects, since an impression is forgotten long
//! before its exchange credits it, and what that came to before it: where that is no longer so, somebody else corrected it
//! meanwhile, or it is the same correction again, and nothing is booked.

use decision::ids::CampaignId;
use decision::money::{Fees, Nanos, Parts, Rate};
use decision::time::Micros;
use proto::wire::{self, Correction, Outcome, OutcomeKind};

use super::account::day_of;
use super::days::wire_day;
use super::{Effects, Ledger};
use crate::tally::Oddity;

/// Whether an outcome is what was booked for an impression at first.
pub(crate) fn stands_for_money(outcome: &Outcome) -> bool {
    matches!(outcome.kind(), OutcomeKind::Charge | OutcomeKind::Unmatched)
}

/// By what a bid is charged.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terms {
    /// What was bid, in the currency of the exchange.
    bid: Nanos,
    rate: Rate,
    fees: Fees,
}

impl Terms {
    /// Those of what was booked, as they were sealed into the bid; `None`: there can be no such bid.
    pub(crate) fn of(original: &Outcome) -> Option<Self> {
        let bid = Some(Nanos::new(original.bid_price)).filter(|bid| *bid >= Nanos::ZERO)?;
        let terms = Self { bid, rate: Rate::new(original.rate)?, fees: proto::fees::fees(original.fees.as_ref())? };
        terms.fees.parts(terms.rate.invert_up(bid)).map(|_| terms)
    }

    /// What a price in the currency of the exchange is charged as; above the bid none is paid.
    pub(crate) fn charge(&self, price: Nanos) -> Parts {
        let media = self.rate.invert_up(price.min(self.bid));
        self.fees.parts(media).expect("the whole bid is an amount, and this is no more")
    }

    /// The most that an impression may come to, in the currency of its campaign.
    pub(crate) fn most(&self) -> Nanos {
        self.charge(self.bid).gross()
    }

    /// What `charged` is made of: as much media as it pays for with its fees, and what rounding leaves is margin. What fees
    /// alone come to is for the data first.
    fn parts(&self, charged: Nanos) -> Parts {
        let media = self.fees.net(charged).max(Nanos::ZERO);
        match self.fees.parts(media).filter(|parts| parts.gross() <= charged) {
            Some(parts) => {
                Parts { margin: parts.margin.saturating_add(charged.saturating_sub(parts.gross())), ..parts }
            }
            None => {
                let data_fee = self.fees.data_cpm().min(charged);
                Parts { data_fee, margin: charged.saturating_sub(data_fee), ..Parts::default() }
            }
        }
    }

    /// The highest price, in the currency of the exchange, that comes to `charged`.
    fn price(&self, charged: Nanos) -> Nanos {
        self.rate.convert_down(self.parts(charged).media).min(self.bid)
    }

    /// Whether what was booked is what these terms come to.
    fn lead_to(&self, original: &Outcome) -> bool {
        let price = original.notice_price.map(Nanos::new).filter(|price| *price >= Nanos::ZERO);
        price.is_some_and(|price| {
            let parts = self.charge(price);
            let shown = (!self.fees.is_none()).then(|| proto::fees::parts_record(parts));
            (original.charged, original.parts) == (parts.gross().get(), shown)
        })
    }
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
        let original = correction.original.as_deref().and_then(|original| Some((original, Terms::of(original)?)));
        let Some((original, terms)) = original.filter(|(original, terms)| self.accepts(original, terms, correction))
        else {
            return self.tally.odd(Oddity::RefusedCorrection);
        };
        let (campaign, charged) = (CampaignId(original.campaign), Nanos::new(correction.charged));
        let difference = charged.saturating_sub(Nanos::new(correction.before));
        self.corrected.insert(original.sequence, charged);
        let account = self.accounts.get_mut(&campaign).expect("only what is in the books is accepted");
        let advertiser = self.advertisers.entry(account.advertiser).or_default();
        // What a day may spend does not change by what was spent on one that is closed.
        let is_open = account.days.takes_more(original.day);
        let day = if is_open { i64::from(original.day) } else { account.day(self.now) };
        if is_open {
            let arrived = Micros(original.at).min(self.now);
            let spent_on = account.day(arrived);
            account.today.add(spent_on, difference);
            advertiser.today.add(day_of(arrived), difference);
        }
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
            notice_price: Some(terms.price(charged).get()),
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
    fn accepts(&self, original: &Outcome, terms: &Terms, correction: &Correction) -> bool {
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
