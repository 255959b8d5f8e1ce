//! Profiles on one machine: all records in memory, durable in an embedded store that the hot path never touches.

mod shards;
mod writer;

use std::cell::RefCell;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use decision::ids::{IdHash, SegmentId};
use decision::profile::{Membership, UnknownWhy};
use decision::time::Micros;

use crate::buffer::ProfileBuffer;
use crate::caps::{CapEvent, Caps};
use crate::person::{self, check_ids};
use crate::profiles::{Join, Refusal, Stats, StoreError, Swept};
use crate::record::memberships::Head;
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

thread_local! {
    /// Used again and again it stops allocating.
    static COUNTED: RefCell<Counted> = RefCell::default();
}

/// What events make of the caps of one person.
#[derive(Default)]
struct Counted {
    /// Whether what follows is there.
    is_read: bool,
    before: Vec<u8>,
    after: Vec<u8>,
    /// Impressions that had to be forgotten for want of room.
    forgotten: usize,
    caps: Caps,
}

impl Counted {
    /// Takes the caps of one of the person's records. Events go to each of them, so most often they all say the same.
    fn take(&mut self, stored: &[u8], events: &[CapEvent], now: Micros) -> Result<(), Corrupt> {
        if self.is_read && self.before == stored {
            return Ok(());
        }
        let Self { is_read, before, after, forgotten, caps } = self;
        (*is_read, *forgotten) = (false, 0);
        caps.clear();
        if !stored.is_empty() {
            record::caps::decode(stored, caps)?;
        }
        for event in events.iter().filter(|event| event.counts()) {
            *forgotten += caps.apply(event, now.seconds());
        }
        before.clear();
        before.extend_from_slice(stored);
        after.clear();
        if !caps.is_empty() {
            record::caps::encode(caps, after);
        }
        *is_read = true;
        Ok(())
    }
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

    pub(crate) fn count(&self, ids: &[IdHash], events: &[CapEvent], now: Micros) {
        COUNTED.with_borrow_mut(|counted| {
            counted.is_read = false;
            for id in ids {
                let mut shard = self.shards.lock(id);
                let stored = shard.get(id).map_or(&[][..], |record| &record.caps);
                if counted.take(stored, events, now).is_err() {
                    // Left as it is: look-ups fail, so nobody takes the person for one who has seen nothing.
                    self.corrupt.fetch_add(1, Ordering::Relaxed);
                    continue;
                }
                self.forgotten.fetch_add(counted.forgotten as u64, Ordering::Relaxed);
                if counted.after != counted.before {
                    shard.change(id, |record| record.set_caps(&counted.after));
                }
            }
        });
    }

    /// Makes the change in memory; [`Self::flush`] makes it durable.
    pub(crate) fn join(&self, join: &Join<'_>, now: Micros) -> Result<(), Refusal> {
        self.change(join.ids, |records| person::joined(join, records, now.seconds())).map(|_| ())
    }

    /// Makes the change in memory; [`Self::flush`] makes it durable.
    pub(crate) fn leave(&self, ids: &[IdHash], segments: &[SegmentId], now: Micros) -> Result<(), Refusal> {
        self.change(ids, |records| person::left(segments, records, now.seconds())).map(|_| ())
    }

    /// Makes the change in memory; [`Self::flush`] makes it durable.
    pub(crate) fn put(&self, ids: &[IdHash], head: Head, memberships: &[Membership]) -> Result<usize, Refusal> {
        self.change(ids, |records| person::put(head, memberships, records))
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
            records: Some(self.shards.len()),
            corrupt: self.corrupt.load(Ordering::Relaxed),
            forgotten_impressions: self.forgotten.load(Ordering::Relaxed),
            lost_events: 0,
            failed: self.writer.failed(),
        }
    }
}

impl LocalProfiles {
    /// Replaces the memberships of a person by what `change` makes of those stored; how many ids took them.
    fn change(
        &self,
        ids: &[IdHash],
        change: impl FnOnce(&[&[u8]]) -> Result<Vec<Option<Vec<u8>>>, Refusal>,
    ) -> Result<usize, Refusal> {
        check_ids(ids)?;
        let _changing = self.changing();
        let stored: Vec<Box<[u8]>> = ids.iter().map(|id| self.memberships_of(id)).collect();
        let stored: Vec<&[u8]> = stored.iter().map(|bytes| &**bytes).collect();
        let new = change(&stored).inspect_err(|refusal| {
            self.corrupt.fetch_add(u64::from(*refusal == Refusal::Unreadable), Ordering::Relaxed);
        })?;
        let changed = ids.iter().zip(&new).filter_map(|(id, new)| Some((id, new.as_ref()?)));
        Ok(changed.map(|(id, new)| self.shards.lock(id).change(id, |record| record.set_memberships(new))).count())
    }

    fn changing(&self) -> impl Drop + '_ {
        self.changing.lock().expect("nobody panics while changing a person")
    }

    fn memberships_of(&self, id: &IdHash) -> Box<[u8]> {
        self.shards.lock(id).get(id).map(|record| record.memberships.clone()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests;
