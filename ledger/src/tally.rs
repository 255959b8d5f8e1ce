//! What became of notices, and what was odd about inputs: closed lists, counted since the journal began.

/// Declares an enum whose values are counted, each with its name in metrics.
macro_rules! counted {
    ($(#[$doc:meta])* $name:ident { $($(#[$value_doc:meta])* $value:ident = $label:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum $name {
            $($(#[$value_doc])* $value,)*
        }

        impl $name {
            /// Every value, in the order of declaration.
            pub const ALL: &[Self] = &[$(Self::$value,)*];

            /// The name in metrics and summaries.
            pub const fn label(self) -> &'static str {
                match self {
                    $(Self::$value => $label,)*
                }
            }
        }
    };
}

counted! {
    /// What becomes of a notice that its exchange's dialect names as billable.
    Charge {
        /// Booked to its lease.
        Made = "made",
        /// Booked, though its lease was closed or is not known.
        Late = "late",
        /// Booked, though its lease did not hold as much: the node spent more than it was lent.
        Overdrawn = "overdrawn",
        /// Booked to a campaign that was never published to this ledger.
        Unmatched = "unmatched",
        /// The same notice came before. Exchanges retry, so this is normal.
        Repeated = "repeated",
        /// The impression was charged before at another price. The first price stands.
        Contradicted = "contradicted",
        /// It arrived after its token's end, or so late that the impression is forgotten: shown, not booked.
        Expired = "expired",
        /// It carries no readable price and books nothing. One with a price may still come.
        Unpriced = "unpriced",
    }
}

counted! {
    /// What was odd about an input. None of these loses money; each is worth a look when it grows.
    Oddity {
        /// A charge was cut to the price bid.
        AboveBid = "above_bid",
        /// A win, loss, view or click that came before.
        RepeatedEvent = "repeated_event",
        /// A win, loss, view or click after its token's end.
        ExpiredEvent = "expired_event",
        /// A notice, ask or return that lacks what it needs.
        Malformed = "malformed",
        /// A node asked again with a number that was answered.
        RepeatedAsk = "repeated_ask",
        /// A notice from which nothing follows: an audit, or one without the price that it must carry.
        Void = "void",
        /// A node handed back a lease that is closed or not its own.
        UnknownLease = "unknown_lease",
        /// A node handed back more than was outstanding.
        OverReturned = "over_returned",
        /// A budget that cannot be kept to, or with another advertiser or currency than before: the campaign is stopped.
        RefusedBudget = "refused_budget",
        /// A journal entry of a writer that was replaced.
        Fenced = "fenced",
        /// An input that was journalled before.
        Refolded = "refolded",
        /// A correction of what is none of these books', cannot come to that, or was corrected meanwhile.
        RefusedCorrection = "refused_correction",
    }
}

/// How often each thing happened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    charges: [u64; Charge::ALL.len()],
    oddities: [u64; Oddity::ALL.len()],
}

impl Tally {
    /// Notices that became of this.
    pub fn charges(&self, charge: Charge) -> u64 {
        self.charges[charge as usize]
    }

    /// Inputs that were odd in this way.
    pub fn oddities(&self, oddity: Oddity) -> u64 {
        self.oddities[oddity as usize]
    }

    /// How often each thing happened, in the order of the lists.
    pub(crate) fn counts(&self) -> (&[u64], &[u64]) {
        (&self.charges, &self.oddities)
    }

    /// What [`Tally::counts`] told; `None`: of other lists. Lists only grow at their ends, so what shorter ones lack never
    /// happened.
    pub(crate) fn of(charges: &[u64], oddities: &[u64]) -> Option<Self> {
        let mut tally = Self::default();
        tally.charges.get_mut(..charges.len())?.copy_from_slice(charges);
        tally.oddities.get_mut(..oddities.len())?.copy_from_slice(oddities);
        Some(tally)
    }

    pub(crate) fn charge(&mut self, charge: Charge) {
        self.charges[charge as usize] += 1;
    }

    pub(crate) fn odd(&mut self, oddity: Oddity) {
        self.oddities[oddity as usize] += 1;
    }
}

impl std::ops::AddAssign<&Self> for Tally {
    fn add_assign(&mut self, other: &Self) {
        self.charges.iter_mut().zip(other.charges).for_each(|(sum, count)| *sum += count);
        self.oddities.iter_mut().zip(other.oddities).for_each(|(sum, count)| *sum += count);
    }
}
