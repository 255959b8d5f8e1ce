//! Which impressions were heard of, so that a notice that comes again changes nothing.

use std::collections::BTreeMap;
use std::sync::Arc;

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
    /// Shared with copies of the books, so that a copy costs nothing before something changes.
    groups: BTreeMap<i64, Arc<Group>>,
    /// Groups before this one are forgotten for good.
    first: i64,
}

impl Memory {
    /// What was heard of the impression; `None` where that is forgotten, so that a repeat could not be told.
    pub(super) fn recall(&mut self, impression: ImpressionId, expires_at: Micros) -> Option<&mut Seen> {
        let group = group_of(expires_at);
        (group >= self.first)
            .then(|| Arc::make_mut(self.groups.entry(group).or_default()).entry(impression).or_default())
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
        self.groups.values().map(|group| group.len()).sum()
    }

    /// No impressions, and those whose tokens ended before `from` forgotten.
    pub(super) fn starting(from: Micros) -> Self {
        Self { groups: BTreeMap::new(), first: group_of(from) }
    }

    /// Tokens of what may be remembered end no earlier.
    pub(super) fn from(&self) -> Micros {
        start_of(self.first)
    }

    /// The impressions in bytes, [`PACKED_BYTES`] each, up to `most` at a time, with when the tokens of these end at the
    /// earliest: by that time, then by id.
    pub(super) fn packed(&self, most: usize) -> impl Iterator<Item = (Micros, Vec<u8>)> {
        self.groups.iter().flat_map(move |(group, impressions)| {
            let mut sorted: Vec<(ImpressionId, Seen)> = impressions.iter().map(|(id, seen)| (*id, *seen)).collect();
            sorted.sort_unstable_by_key(|(id, _)| *id);
            let chunks: Vec<_> = sorted.chunks(most).map(|some| (start_of(*group), pack(some))).collect();
            chunks
        })
    }

    /// Takes in what [`Memory::packed`] made; `None` where the bytes are not whole impressions.
    pub(super) fn unpack(&mut self, minute: Micros, packed: &[u8]) -> Option<()> {
        let (impressions, []) = packed.as_chunks::<PACKED_BYTES>() else { return None };
        let group = Arc::make_mut(self.groups.entry(group_of(minute)).or_default());
        group.reserve(impressions.len());
        group.extend(impressions.iter().map(unpack));
        Some(())
    }
}

/// The bytes of an impression: its id, its marks, its price.
const PACKED_BYTES: usize = 16 + 1 + 8;

fn pack(impressions: &[(ImpressionId, Seen)]) -> Vec<u8> {
    let mut packed = Vec::with_capacity(impressions.len() * PACKED_BYTES);
    for (id, Seen { marks, price }) in impressions {
        packed.extend_from_slice(&id.0);
        packed.push(*marks);
        packed.extend_from_slice(&price.get().to_le_bytes());
    }
    packed
}

fn unpack(bytes: &[u8; PACKED_BYTES]) -> (ImpressionId, Seen) {
    let (id, rest) = bytes.split_first_chunk().expect("an id");
    let (marks, rest) = rest.split_first().expect("marks");
    let price = i64::from_le_bytes(*rest.first_chunk().expect("a price"));
    (ImpressionId(*id), Seen { marks: *marks, price: Nanos::new(price) })
}

/// When a group begins: its very first moment, but for the one before which there is no time.
fn start_of(group: i64) -> Micros {
    Micros(group.saturating_mul(i64::from(MEMORY_GROUP_S) * 1_000_000))
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
