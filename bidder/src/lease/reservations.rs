//! Money held for bids in flight, by impression. Only the node that bid holds and releases it.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use decision::ids::{ImpressionId, LeaseId};
use decision::money::Nanos;
use decision::time::Micros;
use foldhash::fast::FixedState;
use hashbrown::HashMap;
use hashbrown::hash_map::Entry;

use super::{Lease, Losses, Taken, Teller};
use crate::limits::{RESERVATION_SHARDS, RESERVATIONS_MAX, RESERVATIONS_ROOM_MIN};

/// By when the bid must be won, and once it is won, billed.
#[derive(Clone, Copy, Debug)]
pub struct Windows {
    /// The end of the auction window.
    pub won_by: Micros,
    /// The end of the billing window behind it.
    pub billed_by: Micros,
}

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
    /// Every deadline that may be due, by who tells of it; one that was moved since is looked at and put back.
    deadlines: BTreeMap<Teller, Deadlines>,
}

type Deadlines = BinaryHeap<Reverse<(Micros, ImpressionId)>>;

#[derive(Debug)]
struct Held {
    lease: Arc<Lease>,
    /// What the bid costs at the most.
    amount: Nanos,
    /// What is taken of the lease for it: all, once it is won.
    held: Nanos,
    stage: Stage,
    losses: Losses,
    deadline: Micros,
    billed_by: Micros,
}

/// What is known to have become of a bid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    Open,
    Won,
    /// The ledger will charge it, whatever else is said of it.
    Billed,
}

impl Held {
    /// The bid was won, and perhaps billed, as is known now.
    fn come_to(&mut self, stage: Stage) {
        if self.stage == Stage::Open {
            if self.losses == Losses::Untold {
                self.lease.counts.won(self.amount);
            }
            let more = self.amount.saturating_sub(self.held);
            self.lease.take_more(more);
            self.lease.risk_no_more(more);
            self.held = self.amount;
        }
        self.stage = self.stage.max(stage);
    }

    /// The bid was lost, as far as is known: what comes back.
    fn lose(self) -> (Arc<Lease>, Nanos) {
        if self.stage == Stage::Open && self.losses == Losses::Untold {
            self.lease.counts.lost(self.amount);
        }
        self.lease.risk_no_more(self.amount.saturating_sub(self.held));
        (self.lease, self.held)
    }
}

impl Shard {
    /// After many were open at once, as when notices are late, the room that they took is given back.
    fn give_room_back(&mut self) {
        let roomy = |room: usize, taken: usize| room > RESERVATIONS_ROOM_MIN && room / 8 >= taken;
        if roomy(self.held.capacity(), self.held.len()) {
            self.held.shrink_to(2 * self.held.len());
        }
        for deadlines in self.deadlines.values_mut().filter(|them| roomy(them.capacity(), them.len())) {
            deadlines.shrink_to(2 * deadlines.len());
        }
    }
}

impl Default for Reservations {
    fn default() -> Self {
        Self { shards: (0..RESERVATION_SHARDS).map(|_| Mutex::default()).collect(), left_over: Mutex::default() }
    }
}

impl Reservations {
    /// Holds what was just `taken` for `impression` as long as `windows` say. `false` where too many are open: the money is back in
    /// the lease then, and the bid must not be sent.
    #[must_use]
    pub fn hold(&self, impression: ImpressionId, taken: Taken, windows: Windows) -> bool {
        let Taken { lease, amount, held, losses } = taken;
        let Windows { won_by, billed_by } = windows;
        let mut shard = self.shard(impression);
        if shard.held.len() >= RESERVATIONS_MAX / RESERVATION_SHARDS {
            drop(shard);
            lease.risk_no_more(amount.saturating_sub(held));
            self.put_back(lease, held);
            return false;
        }
        if losses == Losses::Untold {
            lease.counts.made(amount);
        }
        shard.deadlines.entry(lease.teller).or_default().push(Reverse((won_by, impression)));
        let held = Held { lease, amount, held, stage: Stage::Open, losses, deadline: won_by, billed_by };
        shard.held.insert(impression, held);
        true
    }

    /// The bid was won: its money is held until it must be billed, if it is held here.
    pub fn win(&self, impression: ImpressionId) {
        if let Some(held) = self.shard(impression).held.get_mut(&impression) {
            held.come_to(Stage::Won);
            held.deadline = held.deadline.max(held.billed_by);
        }
    }

    /// The bid was billed: its money is held until `deadline` instead, if it is held here, or until it is charged.
    pub fn bill(&self, impression: ImpressionId, deadline: Micros) {
        if let Some(held) = self.shard(impression).held.get_mut(&impression) {
            held.come_to(Stage::Billed);
            held.deadline = held.deadline.max(deadline);
        }
    }

    /// The bid was lost: its money is free again, if it is held here and was not billed before. (An exchange may take back that a
    /// bid won; what is billed is charged.)
    pub fn release(&self, impression: ImpressionId) {
        let held = match self.shard(impression).held.entry(impression) {
            Entry::Occupied(held) if held.get().stage < Stage::Billed => Some(held.remove()),
            Entry::Occupied(_) | Entry::Vacant(_) => None,
        };
        if let Some((lease, amount)) = held.map(Held::lose) {
            self.put_back(lease, amount);
        }
    }

    /// Releases what was neither won nor lost by `told`, up to when `teller` has told everything; how many there were.
    pub(super) fn release_due(&self, teller: Teller, told: Micros) -> usize {
        (0..self.shards.len()).map(|at| self.release_due_in(at, teller, told)).sum()
    }

    fn release_due_in(&self, at: usize, teller: Teller, told: Micros) -> usize {
        let mut due = Vec::new();
        let mut shard = lock(&self.shards[at]);
        let Shard { held, deadlines } = &mut *shard;
        let Some(deadlines) = deadlines.get_mut(&teller) else { return 0 };
        while let Some(Reverse((deadline, impression))) = deadlines.peek().copied()
            && deadline <= told
        {
            deadlines.pop();
            match held.get(&impression).map(|held| held.deadline) {
                Some(moved) if moved > told => deadlines.push(Reverse((moved, impression))),
                Some(_) => due.extend(held.remove(&impression)),
                None => {}
            }
        }
        shard.give_room_back();
        drop(shard);
        let released = due.len();
        due.into_iter().map(Held::lose).for_each(|(lease, amount)| self.put_back(lease, amount));
        released
    }

    /// The ledger charged impressions of `lease`: takes them out and returns what was taken of it for them. Those of another
    /// lease, or not held here, count nothing.
    pub(super) fn settle(&self, lease: LeaseId, impressions: impl Iterator<Item = ImpressionId>) -> Nanos {
        let held = impressions.filter_map(|impression| {
            let mut shard = self.shard(impression);
            let ours = shard.held.get(&impression).is_some_and(|held| held.lease.id == lease);
            if ours { shard.held.remove(&impression) } else { None }
        });
        let taken = held.map(|mut held| {
            held.come_to(Stage::Won);
            held.held
        });
        taken.fold(Nanos::ZERO, Nanos::saturating_add)
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
        let deadlines = |shard: &Shard| shard.deadlines.values().map(Deadlines::capacity).sum::<usize>();
        let room = |shard: MutexGuard<'_, Shard>| shard.held.capacity().max(deadlines(&shard));
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
