//! The money this node may spend: leases from the ledger, and reservations for bids in flight.
//!
//! `available = granted - charged - held` for every lease, where `held` is the sum of its open reservations. The hot
//! path touches one atomic of a lease and one shard of the reservations.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwapOption;
use decision::ids::{CampaignId, LeaseId};
use decision::money::{Nanos, ONE_PPM};
use decision::time::Micros;

use crate::limits::{LEASE_RENEW_S, LEASE_RENEW_SHARE};
use shortage::Answer;

mod hearing;
mod keeper;
mod reservations;
mod shortage;
mod supply;
#[cfg(test)]
mod tests;

pub use keeper::{Keeper, KeeperStatus, Wanted};
pub use reservations::Reservations;
pub use shortage::Shortage;

/// What one campaign may spend on this node.
#[derive(Debug)]
pub struct Account {
    campaign: CampaignId,
    current: ArcSwapOption<Lease>,
    /// Nanos that bids wanted, got or not, since the keeper last asked: how fast the campaign would buy here.
    wanted: AtomicI64,
    /// What the ledger has prices multiplied by, in millionths.
    pace_ppm: AtomicU32,
    answer: Mutex<Answer>,
}

impl Account {
    /// An account with no money yet.
    pub fn new(campaign: CampaignId) -> Self {
        let (current, wanted) = (ArcSwapOption::empty(), AtomicI64::new(0));
        let pace_ppm = AtomicU32::new(ONE_PPM);
        Self { campaign, current, wanted, pace_ppm, answer: Mutex::new(Answer::None) }
    }

    /// Sets `amount` aside, and names the lease it is of. `None`: there is no lease, it has ended, or it has not enough
    /// left.
    pub fn reserve(&self, amount: Nanos, now: Micros) -> Option<Arc<Lease>> {
        self.wanted.fetch_add(amount.get(), Ordering::Relaxed);
        let lease = self.current.load();
        lease.as_ref().filter(|lease| lease.take(amount, now)).map(Arc::clone)
    }

    /// What prices are multiplied by so that the budget lasts, in millionths: 1 to 1,000,000. It may change at any
    /// moment.
    pub fn pace_ppm(&self) -> u32 {
        self.pace_ppm.load(Ordering::Relaxed)
    }

    /// Takes what the ledger says; 0: nothing is paced. The wire is not trusted: a price is never raised.
    fn set_pace(&self, multiplier_ppm: u32) {
        let pace_ppm = if multiplier_ppm == 0 { ONE_PPM } else { multiplier_ppm.min(ONE_PPM) };
        self.pace_ppm.store(pace_ppm, Ordering::Relaxed);
    }

    /// What can still be reserved.
    pub fn available(&self, now: Micros) -> Nanos {
        let lease = self.current.load();
        lease.as_ref().filter(|lease| now < lease.until).map_or(Nanos::ZERO, |lease| lease.available())
    }

    /// Why `amount` cannot be reserved; `None` where it can.
    pub fn shortage(&self, amount: Nanos, now: Micros) -> Option<Shortage> {
        if self.available(now) >= amount {
            return None;
        }
        let lent = self.current.load().as_ref().is_some_and(|lease| now < lease.until);
        Some(match *self.answer.lock().unwrap_or_else(PoisonError::into_inner) {
            Answer::None => Shortage::Unanswered,
            Answer::Refused(refusal) => Shortage::Refused(refusal),
            Answer::Rest | Answer::Whole if !lent => Shortage::Lapsed,
            Answer::Rest => Shortage::Rest,
            Answer::Whole => Shortage::UsedUp,
        })
    }

    fn heard(&self, answer: Answer) {
        *self.answer.lock().unwrap_or_else(PoisonError::into_inner) = answer;
    }
}

/// Money lent by the ledger to this node for one campaign until a time.
#[derive(Debug)]
#[repr(align(128))]
pub struct Lease {
    available: AtomicI64,
    retired: AtomicBool,
    /// The ledger's number for it.
    pub id: LeaseId,
    /// Whose money it is.
    pub campaign: CampaignId,
    /// No bid is made on it from then on.
    pub until: Micros,
    /// From when on the next one is asked for.
    renew_at: Micros,
    granted: Nanos,
}

impl Lease {
    /// A lease that is granted at `now`.
    fn new(id: LeaseId, campaign: CampaignId, granted: Nanos, now: Micros, until: Micros) -> Self {
        // The next lease must not be due as soon as a short one is there.
        let share = until.0.saturating_sub(now.0) / LEASE_RENEW_SHARE;
        let renew_at = until.plus_seconds(-LEASE_RENEW_S).max(Micros(until.0.saturating_sub(share)));
        let (available, retired) = (AtomicI64::new(granted.get()), AtomicBool::new(false));
        Self { available, retired, id, campaign, until, renew_at, granted }
    }

    /// Of what was granted: with less the next one is asked for.
    fn half(&self) -> Nanos {
        Nanos::new(self.granted.get() / 2)
    }

    fn available(&self) -> Nanos {
        Nanos::new(self.available.load(Ordering::Acquire))
    }

    fn take(&self, amount: Nanos, now: Micros) -> bool {
        let enough = |available: i64| available.checked_sub(amount.get()).filter(|left| *left >= 0);
        now < self.until
            && !self.retired.load(Ordering::Acquire)
            && self.available.fetch_update(Ordering::AcqRel, Ordering::Acquire, enough).is_ok()
    }

    /// Puts `amount` back, which may be negative where more was charged than was held. What a retired lease has left
    /// is the ledger's again and is returned to the caller.
    #[must_use = "what a retired lease has left must be handed back to the ledger"]
    fn put_back(&self, amount: Nanos) -> Nanos {
        self.available.fetch_add(amount.get(), Ordering::AcqRel);
        if self.retired.load(Ordering::Acquire) { self.take_all() } else { Nanos::ZERO }
    }

    /// Ends the lease for bidding and takes what is not held.
    #[must_use = "what a retired lease has left must be handed back to the ledger"]
    fn retire(&self) -> Nanos {
        self.retired.store(true, Ordering::Release);
        self.take_all()
    }

    fn take_all(&self) -> Nanos {
        let positive = |available: i64| (available > 0).then_some(0);
        let taken = self.available.fetch_update(Ordering::AcqRel, Ordering::Acquire, positive);
        Nanos::new(taken.unwrap_or(0))
    }
}
