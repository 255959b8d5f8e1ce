//! What one campaign is supplied with on this node: when money is asked for, and how much.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use decision::ids::LeaseId;
use decision::money::{Nanos, ONE_PPM};
use decision::time::Micros;
use proto::wire::{LeaseAsk, LeaseRefusal};

use super::odds::Odds;
use super::shortage::Answer;
use super::{Account, Lease, Reservations, Wanted};
use crate::limits::{
    LEASE_ASK_AGAIN_S, LEASE_IDLE_S_MAX, LEASE_IDLE_S_MIN, LEASE_LEAST_S, LEASE_REFUSED_AGAIN_S, LEASE_ROOM,
    LEASE_SPEND_S,
};

/// One campaign's supply.
#[derive(Debug)]
pub(super) struct Supply {
    pub(super) want: Wanted,
    pub(super) ask: Ask,
    /// How much the last ask was for.
    pub(super) asked: Nanos,
    pub(super) answered: bool,
    /// The last answer was less than what was asked for: a budget ends.
    is_scarce: bool,
    /// The lowest price of a bid, in nanos, in the minutes up to `least_until`; `i64::MAX`: nobody bid.
    least_before: i64,
    least_until: Micros,
    /// An ask was left unanswered, and none was answered since.
    pub(super) missed: bool,
    /// How long the last lease was to last, in microseconds; 0: there was none.
    pub(super) lease_us: i64,
    /// Its leases that are not closed.
    pub(super) leases: BTreeSet<LeaseId>,
    /// When the last ask was, or when the campaign began here.
    asked_at: Micros,
    /// Before this nothing is asked for unless somebody bids, so that nobody is busy with money that nobody needs.
    idle_until: Micros,
    /// How many seconds that is after the next ask.
    idle_s: i64,
    spend: Spend,
    odds: Odds,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ask {
    /// Nothing is under way; the next one may be sent from then on.
    NotBefore(Micros),
    /// Sent then, not answered.
    Sent(Micros),
}

impl Supply {
    pub(super) fn new(want: Wanted, now: Micros) -> Self {
        want.account.counts.forget();
        Self {
            want,
            ask: Ask::NotBefore(now),
            asked: Nanos::ZERO,
            answered: false,
            is_scarce: false,
            least_before: i64::MAX,
            least_until: now,
            missed: false,
            lease_us: 0,
            leases: BTreeSet::new(),
            asked_at: now,
            idle_until: now,
            idle_s: LEASE_IDLE_S_MIN,
            spend: Spend { nanos_per_s: 0.0, at: now },
            odds: Odds::new(now),
        }
    }

    /// The same on other terms.
    pub(super) fn wanted_as(self, want: Wanted) -> Self {
        Self { want, ..self }
    }

    /// The clock was set back to `now`.
    pub(super) fn set_back(&mut self, now: Micros) {
        let (Ask::NotBefore(then) | Ask::Sent(then)) = &mut self.ask;
        for then in [then, &mut self.asked_at, &mut self.idle_until, &mut self.least_until, &mut self.spend.at] {
            *then = now.min(*then);
        }
        self.odds.set_back(now);
    }

    /// Whether to ask now: nothing is under way, and the money is short and needed.
    pub(super) fn is_due(&self, now: Micros) -> bool {
        let may = match self.ask {
            Ask::NotBefore(then) => now >= then,
            // An ask or its answer may be lost with a node or a stream; a second grant for it only replaces the first.
            Ask::Sent(then) => now >= then.plus_seconds(LEASE_ASK_AGAIN_S),
        };
        let account = &self.want.account;
        let needed = now >= self.idle_until || account.wanted.load(Ordering::Relaxed) > 0;
        may && needed && (runs_short(account, now) || self.useless_rest().is_some())
    }

    /// Notes an ask at `now`, and says how much it is for and what bids since the last one would have come to before pacing.
    /// `held` is what bids in flight hold.
    pub(super) fn send(&mut self, now: Micros, held: Nanos) -> LeaseAsk {
        let account = &self.want.account;
        if let Ask::Sent(_) = self.ask {
            self.missed = true;
            account.heard(Answer::None);
        }
        self.ask = Ask::Sent(now);
        let wanted = Nanos::new(account.wanted.swap(0, Ordering::Relaxed));
        if wanted > Nanos::ZERO {
            self.idle_s = LEASE_IDLE_S_MIN;
        }
        self.idle_until = now.plus_seconds(self.idle_s);
        self.idle_s = (2 * self.idle_s).min(LEASE_IDLE_S_MAX);
        let needed = self.lacked(wanted).max(self.lasting(now, held));
        self.asked = needed.max(self.want.ask_min).min(self.want.ask_max);
        // The multiplier moves little from one ask to the next.
        let demand = i128::from(wanted.get()) * i128::from(ONE_PPM) / i128::from(account.pace_ppm());
        let since = std::mem::replace(&mut self.asked_at, now);
        LeaseAsk {
            amount: self.asked.get(),
            demand: i64::try_from(demand).unwrap_or(i64::MAX),
            demand_us: now.0.saturating_sub(since.0).max(0).unsigned_abs(),
            ..LeaseAsk::default()
        }
    }

    /// The ledger lent nothing, for this reason.
    pub(super) fn refused(&mut self, refusal: LeaseRefusal, now: Micros) {
        self.is_scarce = true;
        self.want.account.heard(Answer::Refused(refusal));
        self.ask = Ask::NotBefore(now.plus_seconds(LEASE_REFUSED_AGAIN_S));
    }

    /// The ledger lent `amount`: whether that is enough for a bid, by what bids wanted lately. Where it is not, it is better back at
    /// the ledger, since the rests that several nodes have may come to a bid together.
    pub(super) fn lent(&mut self, amount: Nanos, now: Micros) -> bool {
        self.is_scarce = amount < self.asked;
        let is_enough = !self.is_too_little(amount);
        let (answer, wait_s) = if !is_enough {
            (Answer::TooLittle, LEASE_REFUSED_AGAIN_S)
        } else if self.is_scarce {
            (Answer::Rest, 0)
        } else {
            (Answer::Whole, 0)
        };
        self.want.account.heard(answer);
        self.ask = Ask::NotBefore(now.plus_seconds(wait_s));
        is_enough
    }

    /// Where a budget ends, hands back what the lease has left if it is less than any bid wanted, so that the ledger lends it
    /// together with what else is left. Not again while the ledger is silent.
    pub(super) fn give_up_rest(&self, reservations: &Reservations) {
        if let (Ask::NotBefore(_), Some(lease)) = (self.ask, self.useless_rest()) {
            let rest = lease.take_rest();
            reservations.hand_back(lease, rest);
        }
    }

    /// The lease that has too little left.
    fn useless_rest(&self) -> Option<Arc<Lease>> {
        self.want.account.current.load_full().filter(|lease| self.is_too_little(lease.available()))
    }

    /// Whether a budget ends and `amount` is less than the lowest price that a bid wanted lately.
    fn is_too_little(&self, amount: Nanos) -> bool {
        let least = self.want.account.least.load(Ordering::Relaxed).min(self.least_before);
        self.is_scarce && least < i64::MAX && amount.get() < least
    }

    /// What a lease holds that lasts as long as it may, so that bidding outlives an absence of the ledger: what is spent in
    /// that time, and what bids in flight hold at any moment.
    fn lasting(&self, now: Micros, held: Nanos) -> Nanos {
        let spent = self.spend.in_time(now, self.lease_us);
        Nanos::new(((spent + held.get() as f64) * LEASE_ROOM) as i64)
    }

    /// Twice what the last lease was too small for, so that a campaign that begins to buy soon has enough; nothing where it
    /// was large enough. `wanted` is what bids wanted since the last ask.
    fn lacked(&self, wanted: Nanos) -> Nanos {
        let current = self.want.account.current.load();
        let twice = |amount: Nanos| amount.saturating_add(amount);
        match current.as_ref() {
            Some(lease) if lease.available() >= lease.half() => Nanos::ZERO,
            Some(lease) if lease.available() >= self.want.price_max => twice(lease.granted),
            _ => twice(wanted),
        }
    }

    /// Sees to it that bids hold what they are expected to cost, and every few minutes begins to note anew how little they want.
    pub(super) fn weigh(&mut self, now: Micros) {
        let account = &self.want.account;
        let price_max = self.want.price_max;
        self.odds.count(&account.counts, price_max, now);
        account.held_ppm.store(self.odds.share_ppm(price_max), Ordering::Relaxed);
        if now >= self.least_until.plus_seconds(LEASE_LEAST_S) {
            self.least_before = account.least.swap(i64::MAX, Ordering::Relaxed);
            self.least_until = now;
        }
    }

    /// The ledger charged so much more to its leases.
    pub(super) fn spent(&mut self, amount: Nanos, now: Micros) {
        self.spend.add(amount, now);
    }
}

/// Whether an account needs a new lease: it has none, more than half is held or spent, or its end is near.
fn runs_short(account: &Account, now: Micros) -> bool {
    let current = account.current.load();
    current.as_ref().is_none_or(|lease| lease.available() < lease.half() || now >= lease.renew_at)
}

/// How fast money is spent here: an exponential mean.
#[derive(Clone, Copy, Debug)]
struct Spend {
    nanos_per_s: f64,
    at: Micros,
}

impl Spend {
    fn at(&self, now: Micros) -> f64 {
        let passed_s = now.0.saturating_sub(self.at.0).max(0) as f64 / 1e6;
        self.nanos_per_s * (-passed_s / LEASE_SPEND_S).exp()
    }

    fn add(&mut self, amount: Nanos, now: Micros) {
        let nanos_per_s = self.at(now) + amount.get() as f64 / LEASE_SPEND_S;
        *self = Self { nanos_per_s, at: self.at.max(now) };
    }

    /// Nanos that are spent in so many microseconds where it goes on like this.
    fn in_time(&self, now: Micros, time_us: i64) -> f64 {
        self.at(now) * time_us.max(0) as f64 / 1e6
    }
}
