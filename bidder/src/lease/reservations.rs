//! Money held for bids in flight, by impression. Only the node that bid holds and releases it.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use decision::ids::{ImpressionId, LeaseId};
use decision::money::Nanos;
use decision::time::Micros;
use foldhash::fast::FixedState;
use hashbrown::HashMap;

use super::Lease;
use crate::limits::{RESERVATION_SHARDS, RESERVATIONS_MAX, RESERVATIONS_ROOM_MIN};

/// The open reservations of this node.
#[derive(Debug)]
pub struct Reservations {
    shards: Box<[Mutex<Shard>]>,
    /// What retired leases have left, for the keeper to hand back.
    left_over: Mutex<Vec<(Arc<Lease>, Nanos)>>,
}

#[derive(Debug, Default)]
struct Shard {
    held: HashMap<ImpressionId, Held, FixedState>,
    /// Every deadline that may be due; one that was moved since is looked at and put back.
    deadlines: BinaryHeap<Reverse<(Micros, ImpressionId)>>,
}

#[derive(Debug)]
struct Held {
    lease: Arc<Lease>,
    amount: Nanos,
    deadline: Micros,
}

impl Shard {
    /// After many were open at once, as when notices are late, the room that they took is given back.
    fn give_room_back(&mut self) {
        let roomy = |room: usize, taken: usize| room > RESERVATIONS_ROOM_MIN && room / 8 >= taken;
        if roomy(self.held.capacity(), self.held.len()) {
            self.held.shrink_to(2 * self.held.len());
        }
        if roomy(self.deadlines.capacity(), self.deadlines.len()) {
            self.deadlines.shrink_to(2 * self.deadlines.len());
        }
    }
}

impl Default for Reservations {
    fn default() -> Self {
        Self { shards: (0..RESERVATION_SHARDS).map(|_| Mutex::default()).collect(), left_over: Mutex::default() }
    }
}

impl Reservations {
    /// Holds `amount`, which was just taken from `lease`, for `impression` until `deadline`. `false` where too many are
    /// open: the money is back in the lease then, and the bid must not be sent.
    #[must_use]
    pub fn hold(&self, impression: ImpressionId, lease: Arc<Lease>, amount: Nanos, deadline: Micros) -> bool {
        let mut shard = self.shard(impression);
        if shard.held.len() >= RESERVATIONS_MAX / RESERVATION_SHARDS {
            drop(shard);
            self.put_back(lease, amount);
            return false;
        }
        shard.held.insert(impression, Held { lease, amount, deadline });
        shard.deadlines.push(Reverse((deadline, impression)));
        true
    }

    /// The bid was won: its money is held until `deadline` instead, if it is held here.
    pub fn extend(&self, impression: ImpressionId, deadline: Micros) {
        if let Some(held) = self.shard(impression).held.get_mut(&impression) {
            held.deadline = held.deadline.max(deadline);
        }
    }

    /// The bid was lost: its money is free again, if it is held here.
    pub fn release(&self, impression: ImpressionId) {
        let held = self.shard(impression).held.remove(&impression);
        if let Some(held) = held {
            self.put_back(held.lease, held.amount);
        }
    }

    /// Releases what was neither won nor lost in time; how many there were.
    pub fn release_due(&self, now: Micros) -> usize {
        (0..self.shards.len()).map(|at| self.release_due_in(at, now)).sum()
    }

    fn release_due_in(&self, at: usize, now: Micros) -> usize {
        let mut due = Vec::new();
        let mut shard = lock(&self.shards[at]);
        while let Some(Reverse((deadline, impression))) = shard.deadlines.peek().copied()
            && deadline <= now
        {
            shard.deadlines.pop();
            match shard.held.get(&impression).map(|held| held.deadline) {
                Some(moved) if moved > now => shard.deadlines.push(Reverse((moved, impression))),
                Some(_) => due.extend(shard.held.remove(&impression)),
                None => {}
            }
        }
        shard.give_room_back();
        drop(shard);
        let released = due.len();
        due.into_iter().for_each(|held| self.put_back(held.lease, held.amount));
        released
    }

    /// The ledger charged impressions of `lease`: takes them out and returns what was held for them. Those of another
    /// lease, or not held here, count nothing.
    pub(super) fn settle(&self, lease: LeaseId, impressions: &[ImpressionId]) -> Nanos {
        let held = impressions.iter().filter_map(|impression| {
            let mut shard = self.shard(*impression);
            let ours = shard.held.get(impression).is_some_and(|held| held.lease.id == lease);
            if ours { shard.held.remove(impression) } else { None }
        });
        held.fold(Nanos::ZERO, |sum, held| sum.saturating_add(held.amount))
    }

    /// Gives `amount` back to its lease.
    pub(super) fn put_back(&self, lease: Arc<Lease>, amount: Nanos) {
        let left = lease.put_back(amount);
        self.hand_back(lease, left);
    }

    /// Notes what a retired lease has left.
    pub(super) fn hand_back(&self, lease: Arc<Lease>, left: Nanos) {
        if left > Nanos::ZERO {
            lock(&self.left_over).push((lease, left));
        }
    }

    /// What retired leases have left since the last call.
    pub(super) fn take_left_over(&self) -> Vec<(Arc<Lease>, Nanos)> {
        std::mem::take(&mut *lock(&self.left_over))
    }

    /// How many are open.
    pub fn len(&self) -> usize {
        self.shards.iter().map(|shard| lock(shard).held.len()).sum()
    }

    /// For how many there is room.
    #[cfg(test)]
    pub(super) fn room(&self) -> usize {
        let room = |shard: MutexGuard<'_, Shard>| shard.held.capacity().max(shard.deadlines.capacity());
        self.shards.iter().map(|shard| room(lock(shard))).sum()
    }

    /// Whether none is open.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn shard(&self, impression: ImpressionId) -> MutexGuard<'_, Shard> {
        lock(&self.shards[usize::from(impression.0[0]) % self.shards.len()])
    }
}

/// No code that can panic runs under these locks, so a poisoned one still guards whole data.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
