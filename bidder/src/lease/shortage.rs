//! Why there is no money to bid with: what tells a spent budget from a silent ledger.

use proto::wire::LeaseRefusal;

/// What the ledger last said of a campaign's money.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// Nothing, or nothing to the last ask.
    None,
    /// It lent what was asked for.
    Whole,
    /// It lent less: all that is left of a budget.
    Rest,
    /// It lent too little for a bid, so that was handed back.
    TooLittle,
    /// It lent nothing.
    Refused(LeaseRefusal),
}

/// Why a campaign has too little money on this node for a bid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shortage {
    /// The ledger does not answer.
    Unanswered,
    /// The ledger lends nothing, for this reason.
    Refused(LeaseRefusal),
    /// The ledger lent all that is left of a budget, and that is too little.
    Rest,
    /// The lease is used up, which has the next one asked for.
    UsedUp,
    /// The last lease ended while nobody bid. The next bid has one asked for.
    Lapsed,
}

impl Shortage {
    /// Every one, in the order of metrics.
    pub const ALL: [Self; 11] = [
        Self::Unanswered,
        Self::Refused(LeaseRefusal::None),
        Self::Refused(LeaseRefusal::UnknownCampaign),
        Self::Refused(LeaseRefusal::Stopped),
        Self::Refused(LeaseRefusal::NotInFlight),
        Self::Refused(LeaseRefusal::DailyBudget),
        Self::Refused(LeaseRefusal::TotalBudget),
        Self::Refused(LeaseRefusal::AdvertiserBudget),
        Self::Rest,
        Self::UsedUp,
        Self::Lapsed,
    ];

    /// The name in metrics.
    pub const fn label(self) -> &'static str {
        self.names().0
    }

    /// The phrase in explanations.
    pub const fn phrase(self) -> &'static str {
        self.names().1
    }

    const fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::Unanswered => ("unanswered", "the ledger does not answer"),
            Self::Refused(refusal) => match refusal {
                LeaseRefusal::None => ("refused", "the ledger lends nothing"),
                LeaseRefusal::UnknownCampaign => ("unknown_campaign", "the ledger does not know the campaign"),
                LeaseRefusal::Stopped => ("stopped", "the campaign was stopped"),
                LeaseRefusal::NotInFlight => ("not_in_flight", "the flight has not begun or is over"),
                LeaseRefusal::DailyBudget => ("daily_budget", "the daily budget is spent or lent"),
                LeaseRefusal::TotalBudget => ("total_budget", "the total budget is spent or lent"),
                LeaseRefusal::AdvertiserBudget => {
                    ("advertiser_budget", "the advertiser's daily budget is spent or lent")
                }
            },
            Self::Rest => ("budget_rest", "what is left of a budget is too little"),
            Self::UsedUp => ("used_up", "the lease is used up and the next one not here yet"),
            Self::Lapsed => ("lapsed", "the last lease ended unused: the next bid has one asked for"),
        }
    }
}
