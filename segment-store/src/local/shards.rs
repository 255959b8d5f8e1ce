//! All records in memory: a map in many parts, each behind its own lock, which is held for the copy of one record.

use std::sync::{Mutex, MutexGuard};

use decision::ids::IdHash;
use decision::profile::Membership;
use decision::time::Seconds;
use hashbrown::HashTable;

use crate::caps::Caps;
use crate::limits::SHARDS;
use crate::profiles::Swept;
use crate::record;

/// The map. Its keys are hashes already, so their bytes pick the part and the place.
#[derive(Debug)]
pub(super) struct Shards(Box<[Mutex<Shard>]>);

#[derive(Debug, Default)]
pub(super) struct Shard {
    records: HashTable<Record>,
    /// The records that are not on disk as they are here, each once.
    changed: Vec<IdHash>,
}

/// What stands under one id. A field that is empty is absent; a record without either is about to be dropped.
#[derive(Debug)]
pub(super) struct Record {
    pub(super) id: IdHash,
    pub(super) memberships: Box<[u8]>,
    pub(super) caps: Box<[u8]>,
    pub(super) memberships_changed: bool,
    pub(super) caps_changed: bool,
}

/// Memory that a sweep uses again and again.
#[derive(Default)]
pub(super) struct Scratch {
    memberships: Vec<Membership>,
    caps: Caps,
    bytes: Vec<u8>,
}

impl Default for Shards {
    fn default() -> Self {
        Self((0..SHARDS).map(|_| Mutex::default()).collect())
    }
}

impl Shards {
    pub(super) fn lock(&self, id: &IdHash) -> MutexGuard<'_, Shard> {
        let [low, high, ..] = id.0;
        lock(&self.0[usize::from(u16::from_le_bytes([low, high])) % SHARDS])
    }

    /// Each part in turn, locked while it is looked at.
    pub(super) fn iter(&self) -> impl Iterator<Item = MutexGuard<'_, Shard>> {
        self.0.iter().map(lock)
    }

    pub(super) fn len(&self) -> usize {
        self.iter().map(|shard| shard.records.len()).sum()
    }
}

fn lock(shard: &Mutex<Shard>) -> MutexGuard<'_, Shard> {
    shard.lock().expect("nobody panics while holding a shard")
}

fn place(id: &IdHash) -> u64 {
    let [.., a, b, c, d, e, f, g, h] = id.0;
    u64::from_le_bytes([a, b, c, d, e, f, g, h])
}

impl Record {
    pub(super) fn set_memberships(&mut self, bytes: &[u8]) {
        self.memberships = bytes.into();
        self.memberships_changed = true;
    }

    pub(super) fn set_caps(&mut self, bytes: &[u8]) {
        self.caps = bytes.into();
        self.caps_changed = true;
    }

    fn is_changed(&self) -> bool {
        self.memberships_changed || self.caps_changed
    }

    /// Drops what has ended and says how many memberships that were. What cannot be read stays.
    fn sweep(&mut self, now: Seconds, scratch: &mut Scratch) -> usize {
        let Scratch { memberships, caps, bytes } = scratch;
        memberships.clear();
        caps.clear();
        let head = if self.memberships.is_empty() {
            None
        } else {
            let Ok(head) = record::memberships::decode(&self.memberships, memberships) else { return 0 };
            Some(head)
        };
        if !self.caps.is_empty() && record::caps::decode(&self.caps, caps).is_err() {
            return 0;
        }
        let before = memberships.len();
        memberships.retain(|membership| membership.until > now);
        caps.settle(now);

        bytes.clear();
        if let Some(head) = head.filter(|_| !memberships.is_empty() || !caps.is_empty()) {
            record::memberships::encode(head, memberships, bytes);
        }
        if **bytes != *self.memberships {
            self.set_memberships(bytes);
        }
        bytes.clear();
        if !caps.is_empty() {
            record::caps::encode(caps, bytes);
        }
        if **bytes != *self.caps {
            self.set_caps(bytes);
        }
        before - memberships.len()
    }
}

impl Shard {
    pub(super) fn get(&self, id: &IdHash) -> Option<&Record> {
        self.records.find(place(id), |record| record.id == *id)
    }

    fn entry(&mut self, id: &IdHash) -> &mut Record {
        let empty = || Record {
            id: *id,
            memberships: Box::default(),
            caps: Box::default(),
            memberships_changed: false,
            caps_changed: false,
        };
        let entry = self.records.entry(place(id), |record| record.id == *id, |record| place(&record.id));
        entry.or_insert_with(empty).into_mut()
    }

    /// Changes the record of `id`, which is empty where there was none, and remembers that it has to be written.
    pub(super) fn change(&mut self, id: &IdHash, change: impl FnOnce(&mut Record)) {
        let record = self.entry(id);
        let waits = record.is_changed();
        change(record);
        if record.is_changed() && !waits {
            self.changed.push(*id);
        }
    }

    /// Sets what the disk holds already.
    pub(super) fn load(&mut self, id: &IdHash, set: impl FnOnce(&mut Record)) {
        set(self.entry(id));
    }

    /// Empties the record of `id`; it is dropped once the disk knows.
    pub(super) fn remove(&mut self, id: &IdHash) {
        if self.get(id).is_some() {
            self.change(id, |record| {
                record.set_memberships(&[]);
                record.set_caps(&[]);
            });
        }
    }

    /// Hands each changed record to `write`, and drops those that are empty.
    pub(super) fn drain(&mut self, mut write: impl FnMut(&Record)) {
        for id in self.changed.drain(..) {
            let Ok(mut entry) = self.records.find_entry(place(&id), |record| record.id == id) else { continue };
            let record = entry.get_mut();
            write(record);
            (record.memberships_changed, record.caps_changed) = (false, false);
            if record.memberships.is_empty() && record.caps.is_empty() {
                entry.remove();
            }
        }
    }

    /// Drops what has ended.
    pub(super) fn sweep(&mut self, now: Seconds, scratch: &mut Scratch) -> Swept {
        let mut swept = Swept::default();
        for record in &mut self.records {
            let (waits, emptied) = (record.is_changed(), record.memberships.is_empty() && record.caps.is_empty());
            swept.memberships += record.sweep(now, scratch);
            swept.records += usize::from(!emptied && record.memberships.is_empty() && record.caps.is_empty());
            if record.is_changed() && !waits {
                self.changed.push(record.id);
            }
        }
        swept
    }
}
