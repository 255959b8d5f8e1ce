//! What was booked comes to, where it was corrected.

use std::collections::BTreeMap;

use decision::money::Nanos;
use proto::wire::{Outcome, OutcomeKind};

/// The corrections among all outcomes: an impression counts where it was booked, at the price of its last correction, which
/// may come long after it. So they must be known before the first outcome is counted.
#[derive(Clone, Debug, Default)]
pub struct Corrections {
    /// By shard and sequence of what is corrected.
    corrected: BTreeMap<(u32, u64), Corrected>,
}

/// What an impression comes to by its corrections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Now {
    /// Nothing: all of it was taken back.
    TakenBack,
    /// To a price, in the currency of the bid.
    Price(Nanos),
}

/// What all corrections of an impression come to.
#[derive(Clone, Copy, Debug, Default)]
struct Corrected {
    /// The sequence of the last one, and the price by that, in the currency of the bid.
    latest: (u64, Nanos),
    /// What is charged more than was booked, or less.
    difference: i128,
}

impl Corrections {
    /// Takes in an outcome, in any order.
    pub fn learn(&mut self, outcome: &Outcome) {
        if let Some((corrected, price)) = Self::read(outcome) {
            let corrected = self.corrected.entry((outcome.shard, corrected)).or_default();
            corrected.latest = corrected.latest.max((outcome.sequence, price));
            corrected.difference += i128::from(outcome.charged);
        }
    }

    /// The sequence of what a correction corrects, and the price by it; `None`: it is none.
    pub(super) fn read(outcome: &Outcome) -> Option<(u64, Nanos)> {
        let is_one = outcome.kind() == OutcomeKind::Correction;
        let price = outcome.notice_price.map(Nanos::new).filter(|price| is_one && *price >= Nanos::ZERO)?;
        Some((outcome.corrects?, price))
    }

    /// What was booked comes to, where it was corrected.
    pub(super) fn now(&self, booked: &Outcome) -> Option<Now> {
        let corrected = self.corrected.get(&(booked.shard, booked.sequence))?;
        let (_, price) = corrected.latest;
        // What data costs may be charged at a price of 0 as well.
        let is_taken_back = price == Nanos::ZERO && i128::from(booked.charged) + corrected.difference == 0;
        Some(if is_taken_back { Now::TakenBack } else { Now::Price(price) })
    }
}
