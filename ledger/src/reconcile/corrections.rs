//! What was booked comes to, where it was corrected.

use std::collections::BTreeMap;

use decision::money::Nanos;
use proto::wire::{Outcome, OutcomeKind};

/// The corrections among all outcomes: an impression counts where it was booked, at the price of its last correction, which
/// may come long after it. So they must be known before the first outcome is counted.
#[derive(Clone, Debug, Default)]
pub struct Corrections {
    /// By shard and sequence of what is corrected: the sequence of its last correction, and the price by that, in the
    /// currency of the bid.
    latest: BTreeMap<(u32, u64), (u64, Nanos)>,
}

impl Corrections {
    /// Takes in an outcome, in any order.
    pub fn learn(&mut self, outcome: &Outcome) {
        if let Some((corrected, price)) = Self::read(outcome) {
            let new = (outcome.sequence, price);
            let latest = self.latest.entry((outcome.shard, corrected)).or_insert(new);
            *latest = (*latest).max(new);
        }
    }

    /// The sequence of what a correction corrects, and the price by it; `None`: it is none.
    pub(super) fn read(outcome: &Outcome) -> Option<(u64, Nanos)> {
        let is_one = outcome.kind() == OutcomeKind::Correction;
        let price = outcome.notice_price.map(Nanos::new).filter(|price| is_one && *price >= Nanos::ZERO)?;
        Some((outcome.corrects?, price))
    }

    /// The price of what was booked, where it was corrected.
    pub(super) fn price(&self, booked: &Outcome) -> Option<Nanos> {
        self.latest.get(&(booked.shard, booked.sequence)).map(|(_, price)| *price)
    }
}
