//! Where a look-up's answer is put together.

use std::ops::Range;

use decision::ids::{IdHash, PersonKey};
use decision::profile::{Impression, Membership, Profile};
use decision::time::Seconds;

use crate::caps::{self, Caps};
use crate::id_hash::stranger;
use crate::limits::IDS_MAX;
use crate::record::{self, Corrupt};

/// Holds the answer of one look-up at a time. Used again and again it stops allocating.
#[derive(Debug, Default)]
pub struct ProfileBuffer {
    person: PersonKey,
    memberships: Vec<Membership>,
    impressions: Vec<Impression>,
    /// The fields as they were read, one after the other.
    bytes: Vec<u8>,
    /// Where the fields of each id's record stand in `bytes`; empty where there is none.
    records: [Fields; IDS_MAX],
    filled: usize,
    /// Of one record, while its fields are compared with those before.
    one: One,
}

#[derive(Clone, Debug, Default)]
struct Fields {
    memberships: Range<usize>,
    caps: Range<usize>,
}

#[derive(Debug, Default)]
struct One {
    memberships: Vec<Membership>,
    caps: Caps,
    impressions: Vec<Impression>,
    merged: Vec<Impression>,
}

impl ProfileBuffer {
    /// An empty buffer.
    pub fn new() -> Self {
        Self::default()
    }

    /// What the last look-up found; empty after one that failed.
    pub fn profile(&self) -> Profile<'_> {
        Profile { person: self.person, memberships: &self.memberships, impressions: &self.impressions }
    }

    /// The record of the id at that place, as the last look-up read it; empty where there is none. `None` after a look-up
    /// that failed.
    pub(crate) fn record(&self, at: usize) -> Option<Vec<u8>> {
        let Fields { memberships, caps } = self.records[..self.filled].get(at)?;
        Some(record::whole::join(&self.bytes[memberships.clone()], &self.bytes[caps.clone()]))
    }

    pub(crate) fn clear(&mut self) {
        self.person = PersonKey::default();
        self.memberships.clear();
        self.impressions.clear();
        self.bytes.clear();
        self.filled = 0;
    }

    /// Takes in the fields of the next id's record, empty where there is none. There are at most [`IDS_MAX`].
    pub(crate) fn push(&mut self, memberships: &[u8], caps: &[u8]) {
        let mut copy = |field: &[u8]| {
            let start = self.bytes.len();
            self.bytes.extend_from_slice(field);
            start..self.bytes.len()
        };
        self.records[self.filled] = Fields { memberships: copy(memberships), caps: copy(caps) };
        self.filled += 1;
    }

    /// Makes one person of the records that were taken in for `ids`: the memberships of the newest record, and the
    /// larger count of impressions.
    pub(crate) fn resolve(&mut self, ids: &[IdHash], now: Seconds) -> Result<(), Corrupt> {
        let resolved = self.newest_memberships(ids).and_then(|()| self.larger_counts(now));
        if resolved.is_err() {
            self.clear();
        }
        resolved
    }

    fn newest_memberships(&mut self, ids: &[IdHash]) -> Result<(), Corrupt> {
        self.person = ids.first().copied().map(stranger).unwrap_or_default();
        let mut newest = None;
        for fields in &self.records[..self.filled] {
            let bytes = &self.bytes[fields.memberships.clone()];
            if bytes.is_empty() {
                continue;
            }
            let head = record::memberships::decode(bytes, &mut self.one.memberships)?;
            if newest < Some(head.version) {
                newest = Some(head.version);
                self.person = head.person;
                std::mem::swap(&mut self.memberships, &mut self.one.memberships);
            }
        }
        Ok(())
    }

    fn larger_counts(&mut self, now: Seconds) -> Result<(), Corrupt> {
        let one = &mut self.one;
        let mut before: &[u8] = &[];
        for fields in &self.records[..self.filled] {
            let bytes = &self.bytes[fields.caps.clone()];
            // Events go to each id, so most often the records say the same.
            if bytes.is_empty() || bytes == before {
                continue;
            }
            before = bytes;
            record::caps::decode(bytes, &mut one.caps)?;
            one.caps.impressions(now, &mut one.impressions);
            caps::larger(&self.impressions, &one.impressions, &mut one.merged);
            std::mem::swap(&mut self.impressions, &mut one.merged);
        }
        Ok(())
    }
}
