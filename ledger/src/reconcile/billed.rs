//! What a billable notice came to, as far as an exchange's report can know of it.

use decision::ids::{CampaignId, Currency, ExchangeName, ImpressionId};
use decision::money::Nanos;
use decision::time::Micros;
use proto::wire::{Outcome, OutcomeKind};
use thiserror::Error;

use super::corrections::Corrections;
use super::day::Day;
use super::group::{Campaign, Key};
use super::{DayOf, Options};

/// An outcome that nothing can be compared with: no ledger of this version writes one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("outcome {sequence} of shard {shard} {what}")]
pub struct Unreadable {
    /// Its shard.
    pub shard: u32,
    /// Its sequence.
    pub sequence: u64,
    /// What is wrong.
    pub what: &'static str,
}

/// What a billable notice did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    Booked,
    /// Came too late to be booked.
    Expired,
}

impl Effect {
    /// `None`: of a kind that never books.
    pub(super) fn of(outcome: &Outcome) -> Result<Option<Self>, Unreadable> {
        let unreadable = |what| Unreadable { shard: outcome.shard, sequence: outcome.sequence, what };
        match OutcomeKind::try_from(outcome.kind) {
            Ok(OutcomeKind::Charge | OutcomeKind::Unmatched) => Ok(Some(Self::Booked)),
            Ok(OutcomeKind::Expired) => Ok(Some(Self::Expired)),
            Ok(OutcomeKind::Win | OutcomeKind::Loss | OutcomeKind::View | OutcomeKind::Click) => Ok(None),
            // A sum of others, and how far they are whole.
            Ok(OutcomeKind::DayClosed | OutcomeKind::Watermark) => Ok(None),
            // What was booked comes to something else: `Corrections` know to what.
            Ok(OutcomeKind::Correction) if Corrections::read(outcome).is_some() => Ok(None),
            Ok(OutcomeKind::Correction) => Err(unreadable("does not say what it corrects to what")),
            Ok(OutcomeKind::Unspecified) | Err(_) => {
                Err(unreadable("is of a kind that this program does not know, so it may be spend"))
            }
        }
    }
}

/// One billable notice.
#[derive(Debug)]
pub(super) struct Billed {
    pub(super) effect: Effect,
    pub(super) key: Key,
    pub(super) impression: ImpressionId,
    /// Media that was or would have been booked, in the currency of the bid: fees and margin are none of the exchange's.
    pub(super) price: Nanos,
    /// What the notice's price was above that.
    pub(super) cut: Nanos,
}

impl Billed {
    /// `None` where the outcome is of a kind that never books.
    pub(super) fn read(outcome: &Outcome, options: &Options) -> Result<Option<Self>, Unreadable> {
        let Some(effect) = Effect::of(outcome)? else { return Ok(None) };
        let without = |what| move || Unreadable { shard: outcome.shard, sequence: outcome.sequence, what };
        let at = match options.day_of {
            DayOf::Notice => outcome.at,
            DayOf::Bid => outcome.bid_at,
        };
        let key = Key {
            day: Day::of(Micros(at), options.utc_offset),
            exchange: ExchangeName::new(&outcome.exchange).ok_or_else(without("names no exchange"))?,
            campaign: Campaign::Number(CampaignId(outcome.campaign)),
            currency: Currency::new(&outcome.currency).ok_or_else(without("names no currency"))?,
        };
        let impression = proto::ids::impression(&outcome.impression).ok_or_else(without("names no impression"))?;
        let notice = outcome.notice_price.filter(|price| *price >= 0).ok_or_else(without("has no price"))?;
        let bid = Some(outcome.bid_price).filter(|price| *price >= 0).ok_or_else(without("has no bid"))?;
        let (notice, bid) = (Nanos::new(notice), Nanos::new(bid));
        let price = notice.min(bid);
        Ok(Some(Self { effect, key, impression, price, cut: notice.saturating_sub(price) }))
    }
}
