//! Profiles on one machine: all records in memory, durable in an embedded store that the hot path never touches.

mod shards;
mod writer;

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use decision::ids::{IdHash, PersonKey, SegmentId};
use decision::profile::{Membership, UnknownWhy};
use decision::time::{Micros, Seconds};

use crate::buffer::ProfileBuffer;
use crate::caps::{CapEvent, Caps};
use crate::id_hash::stranger;
use crate::limits::{IDS_MAX, MEMBERSHIPS_MAX};
use crate::profiles::{Join, Refusal, Stats, StoreError, Swept};
use crate::record::memberships::{self, Head};
use crate::record::{self, Corrupt};
use shards::Shards;
use writer::Writer;

/// All records in memory over one directory of the disk, which one process at a time may open.
///
/// Every change is made in memory first and then written by one thread, so the order on disk is the order in memory.
/// Dropping it writes what is left.
#[derive(Debug)]
pub struct LocalProfiles {
    shards: Arc<Shards>,
    /// Held while a person's memberships are changed, so that what is read from several records still holds when they
    /// are written.
    changing: Mutex<()>,
    corrupt: AtomicU64,
    forgotten: AtomicU64,
    writer: Writer,
}

/// A person's memberships, put together from the records of their ids.
struct Person {
    head: Option<Head>,
    memberships: Vec<Membership>,
}

impl LocalProfiles {
    /// Opens the store in directory `path`, creating it where it is missing, and reads every record into memory: this
    /// takes a while (it blocks).
    ///
    /// # Errors
    /// [`StoreError::Failed`]: the directory cannot be read or written, is open elsewhere, or is no store.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let shards = Arc::new(Shards::default());
        let writer = Writer::start(path, Arc::clone(&shards))?;
        Ok(Self { shards, changing: Mutex::new(()), corrupt: AtomicU64::new(0), forgotten: AtomicU64::new(0), writer })
    }

    pub(crate) fn read(&self, ids: &[IdHash], now: Micros, buffer: &mut ProfileBuffer) -> Result<(), UnknownWhy> {
        for id in ids {
            let shard = self.shards.lock(id);
            match shard.get(id) {
                Some(record) => buffer.push(&record.memberships, &record.caps),
                None => buffer.push(&[], &[]),
            }
        }
        buffer.resolve(ids, now.seconds()).map_err(|Corrupt| {
            self.corrupt.fetch_add(1, Ordering::Relaxed);
            UnknownWhy::Failed
        })
    }

    pub(crate) fn count(&self, ids: &[IdHash], event: &CapEvent, now: Micros) {
        let (mut caps, mut bytes) = (Caps::default(), Vec::new());
        for id in ids {
            let mut shard = self.shards.lock(id);
            let stored = shard.get(id).map_or(&[][..], |record| &record.caps);
            caps.clear();
            if !stored.is_empty() && record::caps::decode(stored, &mut caps).is_err() {
                // Left as it is: look-ups fail, so nobody takes the person for one who has seen nothing.
                self.corrupt.fetch_add(1, Ordering::Relaxed);
                continue;
            }
            let forgotten = caps.apply(event, now.seconds());
            self.forgotten.fetch_add(forgotten as u64, Ordering::Relaxed);
            bytes.clear();
            if !caps.is_empty() {
                record::caps::encode(&caps, &mut bytes);
            }
            if *bytes != *stored {
                shard.change(id, |record| record.set_caps(&bytes));
            }
        }
    }

    /// Makes the change in memory; [`Self::flush`] makes it durable.
    pub(crate) fn join(&self, join: &Join<'_>, now: Micros) -> Result<(), Refusal> {
        let Some(first) = join.ids.first() else { return Ok(()) };
        let _changing = self.changing();
        let mut person = self.person(join.ids, now.seconds())?;
        merge(&mut person.memberships, join.memberships);
        person.memberships.retain(|membership| membership.until > now.seconds());
        let key = join.person.or(person.head.map(|head| head.person)).unwrap_or_else(|| stranger(*first));
        self.replace(join.ids, Head { version: person.next_version(), person: key }, &person.memberships)
    }

    /// Makes the change in memory; [`Self::flush`] makes it durable.
    pub(crate) fn leave(&self, ids: &[IdHash], segments: &[SegmentId], now: Micros) -> Result<(), Refusal> {
        let _changing = self.changing();
        let mut person = self.person(ids, now.seconds())?;
        let Some(head) = person.head else { return Ok(()) };
        person.memberships.retain(|membership| !segments.contains(&membership.segment));
        self.replace(ids, Head { version: person.next_version(), ..head }, &person.memberships)
    }

    /// Makes the change in memory; [`Self::flush`] makes it durable.
    pub(crate) fn put(
        &self,
        ids: &[IdHash],
        version: u64,
        person: PersonKey,
        memberships: &[Membership],
    ) -> Result<usize, Refusal> {
        check_ids(ids)?;
        let _changing = self.changing();
        let mut scratch = Vec::new();
        let mut takers = Vec::with_capacity(ids.len());
        for id in ids {
            let stored = self.fields_of(id, &mut scratch)?;
            takers.extend(stored.is_none_or(|head| head.version < version).then_some(*id));
        }
        let mut merged = Vec::with_capacity(memberships.len());
        merge(&mut merged, memberships);
        self.replace(&takers, Head { version, person }, &merged)?;
        Ok(takers.len())
    }

    /// Makes the change in memory; [`Self::flush`] makes it durable.
    pub(crate) fn remove(&self, ids: &[IdHash]) {
        let _changing = self.changing();
        ids.iter().for_each(|id| self.shards.lock(id).remove(id));
    }

    /// Returns when all that was changed before is durable.
    pub(crate) async fn flush(&self) -> Result<(), StoreError> {
        self.writer.flush().await
    }

    pub(crate) fn sweep(&self, now: Micros) -> Swept {
        let now = now.seconds();
        let mut swept = Swept::default();
        let mut scratch = shards::Scratch::default();
        for mut shard in self.shards.iter() {
            let of_shard = shard.sweep(now, &mut scratch);
            swept.memberships += of_shard.memberships;
            swept.records += of_shard.records;
        }
        swept
    }

    pub(crate) fn stats(&self) -> Stats {
        Stats {
            records: self.shards.len(),
            corrupt: self.corrupt.load(Ordering::Relaxed),
            forgotten_impressions: self.forgotten.load(Ordering::Relaxed),
            failed: self.writer.failed(),
        }
    }
}

impl Person {
    fn next_version(&self) -> u64 {
        self.head.map_or(0, |head| head.version).saturating_add(1)
    }
}

impl LocalProfiles {
    fn changing(&self) -> impl Drop + '_ {
        self.changing.lock().expect("nobody panics while changing a person")
    }

    fn fields_of(&self, id: &IdHash, memberships: &mut Vec<Membership>) -> Result<Option<Head>, Refusal> {
        let shard = self.shards.lock(id);
        let Some(bytes) = shard.get(id).map(|record| &record.memberships).filter(|bytes| !bytes.is_empty()) else {
            return Ok(None);
        };
        memberships::decode(bytes, memberships).map(Some).map_err(|Corrupt| {
            self.corrupt.fetch_add(1, Ordering::Relaxed);
            Refusal::Unreadable
        })
    }

    /// Of each person that `ids` lead to, the newest record; all of them together, without what has ended.
    fn person(&self, ids: &[IdHash], now: Seconds) -> Result<Person, Refusal> {
        check_ids(ids)?;
        let mut records = Vec::with_capacity(ids.len());
        for id in ids {
            let mut memberships = Vec::new();
            records.extend(self.fields_of(id, &mut memberships)?.map(|head| (head, memberships)));
        }
        records.sort_by_key(|(head, _)| std::cmp::Reverse(head.version));
        let mut person = Person { head: None, memberships: Vec::new() };
        let mut seen = Vec::with_capacity(records.len());
        for (head, memberships) in records {
            if seen.contains(&head.person) {
                continue;
            }
            seen.push(head.person);
            person.head = person.head.or(Some(head));
            for other in memberships.into_iter().filter(|other| other.until > now) {
                match person.memberships.binary_search_by_key(&other.segment, |own| own.segment) {
                    Ok(at) if person.memberships[at].until >= other.until => {}
                    Ok(at) => person.memberships[at] = other,
                    Err(at) => person.memberships.insert(at, other),
                }
            }
        }
        Ok(person)
    }

    fn replace(&self, ids: &[IdHash], head: Head, memberships: &[Membership]) -> Result<(), Refusal> {
        if memberships.len() > MEMBERSHIPS_MAX {
            return Err(Refusal::TooManyMemberships);
        }
        if memberships.iter().any(|membership| membership.confidence > 100) {
            return Err(Refusal::Confidence);
        }
        let mut bytes = Vec::new();
        memberships::encode(head, memberships, &mut bytes);
        ids.iter().for_each(|id| self.shards.lock(id).change(id, |record| record.set_memberships(&bytes)));
        Ok(())
    }
}

/// Adds `new` to memberships by ascending segment; of one segment the last holds.
fn merge(memberships: &mut Vec<Membership>, new: &[Membership]) {
    for new in new {
        match memberships.binary_search_by_key(&new.segment, |old| old.segment) {
            Ok(at) => memberships[at] = *new,
            Err(at) => memberships.insert(at, *new),
        }
    }
}

fn check_ids(ids: &[IdHash]) -> Result<(), Refusal> {
    if ids.len() > IDS_MAX { Err(Refusal::TooManyIds) } else { Ok(()) }
}

#[cfg(test)]
mod tests;
