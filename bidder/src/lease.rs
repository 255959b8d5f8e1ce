//! The money this node may spend: leases from the ledger, and reservations for bids in flight.
//!
//! `available = granted - charged - returned - held` for every lease, where `held` is the sum of its open reservations. The hot
//! path touches one atomic of a lease, two where a bid holds less than its price, and one shard of the reservations.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwapOption;
use decision::ids::{CampaignId, LeaseId, ShardId};
use decision::money::{Nanos, ONE_PPM};
use decision::time::Micros;
use event_log::Partition;
use proto::wire::LeaseGrant;

use crate::limits::{LEASE_RENEW_S, LEASE_RENEW_SHARE};
use odds::Counts;
use shortage::Answer;

mod keeper;
mod odds;
mod reservations;
mod shortage;
mod supply;
#[cfg(test)]
mod tests;

pub use keeper::{Keeper, KeeperStatus, Wanted};
pub use reservations::{Reservations, Windows};
pub use shortage::Shortage;

/// What one campaign may spend on this node.
#[derive(Debug)]
pub struct Account {
    campaign: CampaignId,
    current: ArcSwapOption<Lease>,
    /// Nanos that bids wanted, got or not, since the keeper last asked: how fast the campaign would buy here.
    wanted: AtomicI64,
    /// The lowest of their prices in nanos, over minutes; `i64::MAX`: nobody bid.
    least: AtomicI64,
    /// What the ledger has prices multiplied by, in millionths.
    pace_ppm: AtomicU32,
    /// What part of its price a bid holds at the least, in millionths.
    held_ppm: AtomicU32,
    counts: Arc<Counts>,
    answer: Mutex<Answer>,
}

impl Account {
    /// An account with no money yet.
    pub fn new(campaign: CampaignId) -> Self {
        let (current, wanted, least) = (ArcSwapOption::empty(), AtomicI64::new(0), AtomicI64::new(i64::MAX));
        let [pace_ppm, held_ppm] = [(); 2].map(|()| AtomicU32::new(ONE_PPM));
        let (counts, answer) = (Arc::default(), Mutex::new(Answer::None));
        Self { campaign, current, wanted, least, pace_ppm, held_ppm, counts, answer }
    }

    /// Sets aside what a bid of `amount` is expected to cost at the most, at an exchange that tells of losses or does not.
    /// `None`: there is no lease, it has ended, or it has not enough left.
    pub fn reserve(&self, amount: Nanos, losses: Losses, now: Micros) -> Option<Taken> {
        self.wanted.fetch_add(amount.get(), Ordering::Relaxed);
        if amount.get() < self.least.load(Ordering::Relaxed) {
            self.least.fetch_min(amount.get(), Ordering::Relaxed);
        }
        let lease = self.current.load();
        let lease = lease.as_ref()?;
        let held = self.held(lease, amount, losses);
        let lease = Some(lease).filter(|lease| lease.take(held, amount, now)).map(Arc::clone)?;
        Some(Taken { lease, amount, held, losses })
    }

    /// What a bid of `amount` takes of a lease. Where losses are told, a bid that is still open has the better odds the longer it
    /// is, so it holds its price; and not for long. A lease of less than the price is not bid on: a win could not be
    /// charged to it.
    fn held(&self, lease: &Lease, amount: Nanos, losses: Losses) -> Nanos {
        if losses == Losses::Told || amount > lease.granted {
            return amount;
        }
        match self.held_ppm.load(Ordering::Relaxed).max(lease.spare_ppm) {
            ONE_PPM.. => amount,
            share_ppm => amount.scaled(share_ppm).max(Nanos::new(1)),
        }
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

    /// What is left of its lease.
    #[cfg(test)]
    fn available(&self, now: Micros) -> Nanos {
        let lease = self.current.load();
        lease.as_ref().filter(|lease| now < lease.until).map_or(Nanos::ZERO, |lease| lease.available())
    }

    /// Why `amount` cannot be reserved; `None` where it can.
    pub fn shortage(&self, amount: Nanos, losses: Losses, now: Micros) -> Option<Shortage> {
        let lease = self.current.load();
        let lent = lease.as_ref().filter(|lease| now < lease.until);
        if lent.is_some_and(|lease| lease.available() >= self.held(lease, amount, losses)) {
            return None;
        }
        Some(match *self.answer.lock().unwrap_or_else(PoisonError::into_inner) {
            Answer::None => Shortage::Unanswered,
            Answer::Refused(refusal) => Shortage::Refused(refusal),
            Answer::Rest | Answer::Whole if lent.is_none() => Shortage::Lapsed,
            Answer::Rest | Answer::TooLittle => Shortage::Rest,
            Answer::Whole => Shortage::UsedUp,
        })
    }

    fn heard(&self, answer: Answer) {
        *self.answer.lock().unwrap_or_else(PoisonError::into_inner) = answer;
    }
}

/// Who tells of a lease: records of one shard of the ledger in one partition of `leases` are read in the order in which they were
/// written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Teller {
    /// The shard.
    pub shard: ShardId,
    /// The partition.
    pub partition: Partition,
}

/// Whether an exchange tells of bids that lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Losses {
    /// It calls `lurl`.
    Told,
    /// A bid is lost when its auction window is over.
    Untold,
}

/// What is set aside for a bid.
#[derive(Debug)]
pub struct Taken {
    /// Of which lease.
    pub lease: Arc<Lease>,
    /// What the bid costs at the most.
    pub amount: Nanos,
    held: Nanos,
    losses: Losses,
}

impl Taken {
    /// What is taken of the lease for the bid, until it is won.
    pub fn held(&self) -> Nanos {
        self.held
    }
}

/// Money lent by the ledger to this node for one campaign until a time.
#[derive(Debug)]
#[repr(align(128))]
pub struct Lease {
    available: AtomicI64,
    /// By how much the prices of open bids exceed what they hold.
    at_risk: AtomicI64,
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
    /// The most that an impression of the campaign costs.
    price_max: Nanos,
    /// What part of its price a bid holds at the least, in millionths: of a small lease there are few bids, which may be luckier
    /// than many.
    spare_ppm: u32,
    teller: Teller,
    counts: Arc<Counts>,
}

impl Lease {
    /// A lease that `teller` grants at `now`, for impressions that cost up to `price_max`.
    fn new(grant: &LeaseGrant, price_max: Nanos, teller: Teller, counts: Arc<Counts>, now: Micros) -> Self {
        let (id, campaign) = (LeaseId(grant.lease), CampaignId(grant.campaign));
        let (granted, until) = (Nanos::new(grant.amount), Micros(grant.until));
        let prices = granted.get().max(1) as f64 / price_max.get().max(1) as f64;
        let spare_ppm = (odds::spare(prices) * f64::from(ONE_PPM)) as u32;
        // The next lease must not be due as soon as a short one is there.
        let share = until.0.saturating_sub(now.0) / LEASE_RENEW_SHARE;
        let renew_at = until.plus_seconds(-LEASE_RENEW_S).max(Micros(until.0.saturating_sub(share)));
        let [available, at_risk] = [granted.get(), 0].map(AtomicI64::new);
        let retired = AtomicBool::new(false);
        Self {
            available,
            at_risk,
            retired,
            id,
            campaign,
            until,
            renew_at,
            granted,
            price_max,
            spare_ppm,
            teller,
            counts,
        }
    }

    /// Of what was granted: with less the next one is asked for.
    fn half(&self) -> Nanos {
        Nanos::new(self.granted.get() / 2)
    }

    fn available(&self) -> Nanos {
        Nanos::new(self.available.load(Ordering::Acquire))
    }

    /// Takes `held` for a bid that costs up to `amount`.
    fn take(&self, held: Nanos, amount: Nanos, now: Micros) -> bool {
        let enough = |available: i64| available.checked_sub(held.get()).filter(|left| *left >= 0);
        if now >= self.until || self.retired.load(Ordering::Acquire) {
            return false;
        }
        // First, so that whoever ends the lease meanwhile leaves enough.
        let more = amount.saturating_sub(held);
        self.risk(more);
        let is_taken = self.available.fetch_update(Ordering::AcqRel, Ordering::Acquire, enough).is_ok();
        if !is_taken {
            self.risk_no_more(more);
        }
        is_taken
    }

    /// Puts `amount` back, which may be negative where more was charged than was held. What a retired lease has left
    /// is the ledger's again and is returned to the caller.
    #[must_use = "what a retired lease has left must be handed back to the ledger"]
    fn put_back(&self, amount: Nanos) -> Nanos {
        self.available.fetch_add(amount.get(), Ordering::SeqCst);
        if self.retired.load(Ordering::SeqCst) { self.take_rest() } else { Nanos::ZERO }
    }

    /// Ends the lease for bidding and takes the rest of it.
    #[must_use = "what a retired lease has left must be handed back to the ledger"]
    fn retire(&self) -> Nanos {
        // Whoever puts money back meanwhile sees this, or this sees the money: both look after they have written.
        self.retired.store(true, Ordering::SeqCst);
        self.take_rest()
    }

    /// Takes more for a bid that was won, also where that is more than there is.
    fn take_more(&self, amount: Nanos) {
        self.available.fetch_sub(amount.get(), Ordering::AcqRel);
    }

    /// A bid costs so much more than it holds if it is won.
    fn risk(&self, more: Nanos) {
        if more > Nanos::ZERO {
            self.at_risk.fetch_add(more.get(), Ordering::SeqCst);
        }
    }

    /// It was lost, or won and holds all of it.
    fn risk_no_more(&self, more: Nanos) {
        if more > Nanos::ZERO {
            self.at_risk.fetch_sub(more.get(), Ordering::SeqCst);
        }
    }

    /// Takes what is available, but for what open bids may cost more than they hold, or a highest price if that is less: that
    /// several of them are still to be won is rare.
    fn take_rest(&self) -> Nanos {
        let kept = self.at_risk.load(Ordering::SeqCst).clamp(0, self.price_max.get());
        let above = |available: i64| (available > kept).then_some(kept);
        let taken = self.available.fetch_update(Ordering::SeqCst, Ordering::SeqCst, above);
        Nanos::new(taken.map_or(0, |available| available - kept))
    }
}
