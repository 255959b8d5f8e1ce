//! By what a bid is charged, and what a charge is made of.

use decision::money::{Fees, Nanos, Parts, Rate};
use proto::wire::{self, Outcome};

/// By what a bid is charged.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BidTerms {
    /// What was bid, in the currency of the exchange.
    bid: Nanos,
    rate: Rate,
    fees: Fees,
}

impl BidTerms {
    /// Those of a bid of this price, in the currency of the exchange. `None`: there can be no such bid, or it would cost more than
    /// an amount can be.
    pub(super) fn new(bid: i64, rate: i64, fees: Option<&wire::Fees>) -> Option<Self> {
        let bid = Some(Nanos::new(bid)).filter(|bid| *bid >= Nanos::ZERO)?;
        let terms = Self { bid, rate: Rate::new(rate)?, fees: proto::fees::fees(fees)? };
        terms.fees.parts(terms.rate.invert_up(bid)).map(|_| terms)
    }

    /// Those of what was booked, as they were sealed into the bid.
    pub(crate) fn of(original: &Outcome) -> Option<Self> {
        Self::new(original.bid_price, original.rate, original.fees.as_ref())
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
    pub(super) fn parts(&self, charged: Nanos) -> Parts {
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

    /// The price, in the currency of the exchange, that comes to `charged`: the one that is `told`, if it does, or else the
    /// highest.
    pub(super) fn price(&self, charged: Nanos, told: Option<Nanos>) -> Nanos {
        let highest = || self.rate.convert_down(self.parts(charged).media).min(self.bid);
        let comes_to_it = |price: &Nanos| *price >= Nanos::ZERO && self.charge(*price).gross() == charged;
        told.filter(|price| *price <= self.bid).filter(comes_to_it).unwrap_or_else(highest)
    }

    /// Whether what was booked is what these terms come to.
    pub(crate) fn lead_to(&self, original: &Outcome) -> bool {
        let price = original.notice_price.map(Nanos::new).filter(|price| *price >= Nanos::ZERO);
        price.is_some_and(|price| {
            let parts = self.charge(price);
            (original.charged, original.parts) == (parts.gross().get(), self.shown(parts))
        })
    }

    /// As outcomes show parts: those of a bid without fees are media alone.
    pub(super) fn shown(&self, parts: Parts) -> Option<wire::Parts> {
        (!self.fees.is_none()).then(|| proto::fees::parts_record(parts))
    }

    /// As outcomes show them.
    pub(super) fn fees(&self) -> Option<wire::Fees> {
        proto::fees::record(self.fees)
    }
}
