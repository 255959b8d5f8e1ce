//! Accounts: sums of money that must agree after every step.

use std::collections::BTreeMap;

use decision::campaign::Pacing;
use decision::ids::{AdvertiserId, Currency, NodeId};
use decision::money::Nanos;
use decision::time::{LocalTime, Micros};
use proto::wire::CampaignBudget;

use super::days::Days;

/// Sums of money in nanos. Invariant: `granted = charged + returned + outstanding` and `spent = charged + late + corrected`,
/// none but `corrected` below zero. Checked after every step, in production too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sums {
    /// Lent to nodes.
    pub granted: i128,
    /// Booked to leases.
    pub charged: i128,
    /// Handed back by nodes, or taken back from closed leases.
    pub returned: i128,
    /// Lent, and neither charged nor returned.
    pub outstanding: i128,
    /// Booked, but not to a lease.
    pub late: i128,
    /// What corrections changed of what was booked: mostly below zero.
    pub corrected: i128,
    /// Booked.
    pub spent: i128,
}

impl Sums {
    pub(super) fn grant(&mut self, amount: Nanos) {
        self.granted += i128::from(amount.get());
        self.outstanding += i128::from(amount.get());
        self.check();
    }

    pub(super) fn charge(&mut self, amount: Nanos) {
        self.outstanding -= i128::from(amount.get());
        self.charged += i128::from(amount.get());
        self.spent += i128::from(amount.get());
        self.check();
    }

    pub(super) fn book_late(&mut self, amount: Nanos) {
        self.late += i128::from(amount.get());
        self.spent += i128::from(amount.get());
        self.check();
    }

    pub(super) fn correct(&mut self, difference: Nanos) {
        self.corrected += i128::from(difference.get());
        self.spent += i128::from(difference.get());
        self.check();
    }

    pub(super) fn give_back(&mut self, amount: Nanos) {
        self.outstanding -= i128::from(amount.get());
        self.returned += i128::from(amount.get());
        self.check();
    }

    fn check(&self) {
        self.agree().unwrap_or_else(|problem| panic!("money was lost or made: {problem}"));
    }

    /// Whether the sums keep to the invariant.
    pub(super) fn agree(&self) -> Result<(), String> {
        let agree = self.granted == self.charged + self.returned + self.outstanding
            && self.spent == self.charged + self.late + self.corrected;
        let least = [self.granted, self.charged, self.returned, self.outstanding, self.late, self.spent];
        let least = least.into_iter().min().unwrap_or_default();
        if agree && least >= 0 { Ok(()) } else { Err(format!("{self:?}")) }
    }
}

impl std::ops::AddAssign for Sums {
    fn add_assign(&mut self, other: Self) {
        self.granted += other.granted;
        self.charged += other.charged;
        self.returned += other.returned;
        self.outstanding += other.outstanding;
        self.late += other.late;
        self.corrected += other.corrected;
        self.spent += other.spent;
    }
}

/// What was spent on the latest day on which anything was, by the clock of whoever spends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct DaySpend {
    pub(super) day: i64,
    pub(super) amount: i128,
}

/// The UTC day a moment is in, counted from 1970-01-01.
pub(super) fn day_of(at: Micros) -> i64 {
    at.0.div_euclid(86_400 * 1_000_000)
}

/// When a day begins, but for the one before which there is no time.
pub(super) fn start_of(day: i64) -> Micros {
    Micros(day.saturating_mul(86_400 * 1_000_000))
}

impl DaySpend {
    pub(super) fn on(&self, day: i64) -> i128 {
        if self.day == day { self.amount } else { 0 }
    }

    /// The day that was `old` is `new` from now on.
    pub(super) fn renumber(&mut self, old: i64, new: i64) {
        if self.day >= old {
            self.day = new;
        }
    }

    /// What was spent before comes to something else. No day begins by that.
    pub(super) fn amend(&mut self, day: i64, difference: Nanos) {
        if day == self.day {
            self.amount += i128::from(difference.get());
        }
    }

    /// Spend of a day before the latest one no longer limits anything.
    pub(super) fn add(&mut self, day: i64, amount: Nanos) {
        if day > self.day {
            *self = Self { day, amount: 0 };
        }
        if day == self.day {
            self.amount += i128::from(amount.get());
        }
    }
}

/// The budget of a campaign as it was last published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Budget {
    pub(super) name: String,
    pub(super) advertiser: AdvertiserId,
    pub(super) currency: Currency,
    pub(super) daily: Nanos,
    pub(super) total: Nanos,
    pub(super) from: Micros,
    pub(super) until: Micros,
    pub(super) pacing: Pacing,
    /// What its days go by.
    pub(super) clock: LocalTime,
}

impl Budget {
    /// `None` where it cannot be kept to.
    pub(super) fn read(wire: &CampaignBudget) -> Option<Self> {
        let sound = wire.campaign > 0 && wire.daily >= 0 && wire.total >= 0 && wire.advertiser_daily.unwrap_or(0) >= 0;
        Some(Self {
            name: wire.name.clone(),
            advertiser: AdvertiserId(wire.advertiser),
            currency: Currency::new(&wire.currency).filter(|_| sound)?,
            daily: Nanos::new(wire.daily),
            total: Nanos::new(wire.total),
            from: Micros(wire.from),
            until: Micros(wire.until),
            pacing: proto::campaign::pacing(wire.pacing)?,
            clock: proto::campaign::local_time(wire.local_time.as_ref())?,
        })
    }
}

/// Money of one campaign.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Account {
    /// Who pays: by the budget, or by the bid of an unmatched charge.
    pub(super) advertiser: AdvertiserId,
    /// `None`: it was never published to this ledger and has unmatched charges only.
    pub(super) budget: Option<Budget>,
    /// No grants until its budget is published again.
    pub(super) stopped: bool,
    pub(super) sums: Sums,
    pub(super) today: DaySpend,
    pub(super) days: Days,
    /// The last ask of each node, and when it was answered.
    pub(super) asks: BTreeMap<NodeId, (u64, Micros)>,
}

impl Account {
    pub(super) fn new(advertiser: AdvertiserId, budget: Option<Budget>) -> Self {
        let (sums, today, days) = (Sums::default(), DaySpend::default(), Days::default());
        Self { advertiser, budget, stopped: false, sums, today, days, asks: BTreeMap::new() }
    }

    /// The day of the campaign's clock that a moment is in.
    pub(super) fn day(&self, at: Micros) -> i64 {
        self.budget.as_ref().map_or_else(|| day_of(at), |budget| budget.clock.day(at))
    }

    /// When a day of it begins.
    pub(super) fn day_start(&self, day: i64) -> Micros {
        self.budget.as_ref().map_or_else(|| start_of(day), |budget| budget.clock.day_start(day))
    }
}

/// Money of one advertiser, over all its campaigns.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct AdvertiserAccount {
    /// `None`: no limit.
    pub(super) daily: Option<Nanos>,
    pub(super) today: DaySpend,
    pub(super) outstanding: i128,
    pub(super) spent: i128,
}
