//! Days: which one a charge counts on, and when one is over for good.
//!
//! Notices come late: those of a day's last bids within a token's life, and a node may keep them for longer where Kafka is
//! away. So a day stays open for a while after its midnight. Once it is closed nothing is added to it any more, which is
//! what an analyst needs to know before adding it up; what comes later still counts on the day after. So does what is corrected
//! of it, which may make the sum of a day negative.

use std::collections::BTreeMap;

use decision::ids::CampaignId;
use decision::money::Nanos;
use decision::time::Micros;
use proto::wire::{ClosedDay, Outcome, OutcomeKind};

use super::account::Account;
use super::{Effects, Ledger};
use crate::limits::{DAY_OPEN_S, FOLD_RULES};

/// From these rules of the fold on days are counted and closed.
const RULES_WITH_DAYS: u32 = 1;
const _: () = assert!(FOLD_RULES >= RULES_WITH_DAYS);

/// What was booked on one day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct DayTotal {
    pub(super) charges: u64,
    pub(super) charged: i128,
}

/// The days of a campaign, by its clock.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Days {
    /// Those that are not closed and on which anything was booked.
    pub(super) open: BTreeMap<i64, DayTotal>,
    /// Those before this one are closed; `None`: none is.
    pub(super) open_from: Option<i64>,
}

impl Days {
    /// Whether more may count on `day`, on which something does; 0: on none, since it was booked before days were counted.
    pub(super) fn takes_more(&self, day: u32) -> bool {
        day > 0 && self.open_from.is_none_or(|first| first <= day.into())
    }

    /// Books on `day`, or on the first one that is not closed; which one that was.
    pub(super) fn add(&mut self, day: i64, amount: Nanos) -> i64 {
        let day = self.open_from.map_or(day, |first| first.max(day)).clamp(0, u32::MAX.into());
        let total = self.open.entry(day).or_default();
        total.charges += 1;
        total.charged += i128::from(amount.get());
        day
    }
}

impl Account {
    /// When its first open day is closed.
    pub(super) fn closes_at(&self) -> Option<Micros> {
        let (day, _) = self.days.open.first_key_value()?;
        Some(self.day_start(day.saturating_add(1)).plus_seconds(DAY_OPEN_S.into()))
    }
}

impl Ledger {
    /// Books on a day of the campaign, or on its first one that is not closed; which one that was, as outcomes have it: 0 where
    /// days are not counted. What was booked before they were counted is of no day, since it was published like that.
    pub(super) fn count_day(&mut self, campaign: CampaignId, day: i64, amount: Nanos) -> u32 {
        if self.rules < RULES_WITH_DAYS {
            return 0;
        }
        wire_day(self.with_days(campaign, |account| account.days.add(day, amount)).expect("it was just booked to"))
    }

    /// Changes an account in a way that may change when its first open day is closed.
    pub(super) fn with_days<T>(&mut self, campaign: CampaignId, change: impl FnOnce(&mut Account) -> T) -> Option<T> {
        let account = self.accounts.get_mut(&campaign)?;
        let before = account.closes_at();
        let changed = change(account);
        let after = account.closes_at();
        if before != after {
            before.map(|at| self.day_closings.remove(&(at, campaign)));
            self.day_closings.extend(after.map(|at| (at, campaign)));
        }
        Some(changed)
    }

    /// Whether a day is to be closed.
    pub(super) fn is_day_over(&self, now: Micros) -> bool {
        self.rules >= RULES_WITH_DAYS && self.day_closings.first().is_some_and(|(at, _)| *at <= now)
    }

    /// Closes the days that are over, in the order in which they are.
    pub(super) fn close_days(&mut self, effects: &mut Effects) {
        if self.rules < RULES_WITH_DAYS {
            return;
        }
        while let Some((_, campaign)) = self.day_closings.first().filter(|(at, _)| *at <= self.now).copied() {
            let closed = self.with_days(campaign, |account| {
                let (day, total) = account.days.open.pop_first().expect("a day that is over was open");
                account.days.open_from = Some(day.saturating_add(1));
                (account.advertiser, day, total)
            });
            let (advertiser, day, total) = closed.expect("a day that is over is of an account");
            let mut outcome = Outcome {
                kind: OutcomeKind::DayClosed.into(),
                at: self.now.0,
                campaign: campaign.0,
                advertiser: advertiser.0,
                day: wire_day(day),
                closed: Some(ClosedDay {
                    charges: total.charges,
                    charged: total.charged.clamp(i64::MIN.into(), i64::MAX.into()) as i64,
                }),
                ..Outcome::default()
            };
            self.complete(&mut outcome);
            effects.outcomes.push(outcome);
        }
    }
}

/// Days before 1970 are none.
pub(super) fn wire_day(day: i64) -> u32 {
    u32::try_from(day.max(0)).unwrap_or(u32::MAX)
}
