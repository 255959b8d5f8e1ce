//! Which impressions were heard of, so that a notice that comes again changes nothing.

use std::collections::BTreeMap;

use decision::ids::ImpressionId;
use decision::money::Nanos;
use decision::time::Micros;
use foldhash::fast::FixedState;

use crate::limits::MEMORY_GROUP_S;

/// Impression ids are random numbers that only our own tokens carry, so a fixed seed invites no collisions.
#[expect(clippy::disallowed_types, reason = "seeded with a constant, and never iterated")]
type Group = std::collections::HashMap<ImpressionId, Seen, FixedState>;

/// What was heard of impressions, in groups by the end of their tokens. All tokens of an impression end together, so a
/// notice leads to its group by itself, and a group is forgotten as a whole.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Memory {
    groups: BTreeMap<i64, Group>,
    /// Groups before this one are forgotten for good.
    first: i64,
}

impl Memory {
    /// What was heard of the impression; `None` where that is forgotten, so that a repeat could not be told.
    pub(super) fn recall(&mut self, impression: ImpressionId, expires_at: Micros) -> Option<&mut Seen> {
        let group = group_of(expires_at);
        (group >= self.first).then(|| self.groups.entry(group).or_default().entry(impression).or_default())
    }

    /// Forgets impressions whose tokens all ended before `then`.
    pub(super) fn forget(&mut self, then: Micros) {
        self.first = self.first.max(group_of(then));
        self.groups = self.groups.split_off(&self.first);
    }

    /// Whether [`Memory::forget`] would forget anything.
    pub(super) fn is_due(&self, then: Micros) -> bool {
        self.groups.first_key_value().is_some_and(|(group, _)| *group < group_of(then))
    }

    /// Impressions remembered.
    pub(super) fn len(&self) -> usize {
        self.groups.values().map(Group::len).sum()
    }
}

fn group_of(at: Micros) -> i64 {
    at.0.div_euclid(i64::from(MEMORY_GROUP_S) * 1_000_000)
}

/// What was heard of one impression.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Seen {
    marks: u8,
    price: Nanos,
}

/// Things that are remembered to have been heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mark {
    Win = 1,
    Loss = 2,
    View = 4,
    Click = 8,
    Expired = 16,
    Charged = 32,
}

impl Seen {
    /// Sets the mark; whether it was not set before.
    pub(super) fn mark(&mut self, mark: Mark) -> bool {
        let new = self.marks & mark as u8 == 0;
        self.marks |= mark as u8;
        new
    }

    /// Remembers the price that was charged.
    pub(super) fn charge(&mut self, price: Nanos) {
        self.mark(Mark::Charged);
        self.price = price;
    }

    /// The price that was charged.
    pub(super) fn charged(&self) -> Option<Nanos> {
        (self.marks & Mark::Charged as u8 != 0).then_some(self.price)
    }
}
