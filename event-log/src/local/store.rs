//! The files of one stream, written by one thread.
//!
//! Durable is what lies before `end`. A group of batches is one write and one sync, and only then does `end` move.
//! Everything before the last segment is durable when that segment is created, and at most one group in it is not.
//! After the first failure nothing is written any more: only a new start looks at what the disk really holds.
//!
//! Files grow with each group. Space laid out ahead would make a sync about a quarter cheaper (`benches/append.rs`
//! measures it), but recovery could no longer tell it from acknowledged bytes that the disk lost as zeros.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;

use super::disk::{Disk, DiskFile, write_all_at};
use super::frame;
use super::segment;
use crate::stream::{KeyValue, Offset};

mod recover;

/// How large things may get, in bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// A segment that would grow above this is followed by a new one.
    pub(crate) segment: u64,
    /// The most that is written before it is synced.
    pub(crate) group: u64,
    /// What is kept.
    pub(crate) retention: Retention,
}

/// What a stream keeps, in whole segments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Retention {
    /// Everything.
    All,
    /// So many bytes at least.
    Bytes(u64),
    /// What was not released.
    Unreleased,
}

#[derive(Clone, Copy, Debug)]
struct Segment {
    first: Offset,
    /// How many of its bytes are durable.
    bytes: u64,
}

/// The files of one stream.
pub(crate) struct Store<D: Disk> {
    disk: D,
    bounds: Bounds,
    /// Those before the one that is written, oldest first.
    sealed: VecDeque<Segment>,
    active: Segment,
    file: D::File,
    end: Offset,
    failed: Option<Arc<str>>,
    /// The group as it is written.
    bytes: Vec<u8>,
}

impl<D: Disk> Store<D> {
    /// The offset after the last durable record.
    pub(crate) fn end(&self) -> Offset {
        self.end
    }

    /// The offset of the oldest record that is kept.
    pub(crate) fn start(&self) -> Offset {
        self.sealed.front().unwrap_or(&self.active).first
    }

    /// How many files there are.
    #[cfg(test)]
    pub(crate) fn segments(&self) -> usize {
        self.sealed.len() + 1
    }

    /// Makes `batches`, together no longer than a group, durable and returns the new end. Each batch is atomic.
    ///
    /// # Errors
    /// What failed, now or before. What is on the disk of these batches is not known.
    pub(crate) fn commit<'a>(&mut self, batches: impl Iterator<Item = &'a [KeyValue]>) -> Result<Offset, Arc<str>> {
        self.unless_failed("append", |store| store.try_commit(batches))?;
        Ok(self.end)
    }

    fn try_commit<'a>(&mut self, batches: impl Iterator<Item = &'a [KeyValue]>) -> io::Result<()> {
        self.bytes.clear();
        let mut end = self.end;
        for batch in batches {
            frame::encode(end, batch, &mut self.bytes);
            end.0 += batch.len() as u64;
        }
        let length = self.bytes.len() as u64;
        assert!(length <= self.bounds.group, "recovery would take a longer group for damage");
        if self.active.bytes > 0 && self.active.bytes + length > self.bounds.segment {
            self.roll()?;
        }
        write_all_at(&self.file, &self.bytes, self.active.bytes)?;
        self.file.sync()?;
        self.active.bytes += length;
        self.end = end;
        Ok(())
    }

    /// Goes on in a new segment. The old one is durable to its end.
    fn roll(&mut self) -> io::Result<()> {
        self.file = self.disk.create(&segment::name(self.end))?;
        self.disk.sync()?;
        self.sealed.push_back(self.active);
        self.active = Segment { first: self.end, bytes: 0 };
        Ok(())
    }

    /// Where the stream is to start, unless it starts there: a segment goes once all of it was `released`, or those
    /// after it hold as much as is to be kept.
    pub(crate) fn due_start(&self, released: Offset) -> Option<Offset> {
        let due = match self.bounds.retention {
            Retention::All => return None,
            Retention::Bytes(bytes) => self.start_of(bytes),
            Retention::Unreleased => {
                let firsts = self.sealed.iter().chain([&self.active]).map(|segment| segment.first);
                firsts.take_while(|first| *first <= released).last()?
            }
        };
        Some(due).filter(|start| *start > self.start())
    }

    /// The start of the last segment that is needed to keep so many bytes.
    fn start_of(&self, retention: u64) -> Offset {
        let mut later = self.sealed.iter().map(|segment| segment.bytes).sum::<u64>() + self.active.bytes;
        let oldest_kept = self.sealed.iter().find(|segment| {
            later -= segment.bytes;
            later < retention
        });
        oldest_kept.unwrap_or(&self.active).first
    }

    /// Removes the segments before `start`.
    ///
    /// # Errors
    /// What failed, now or before.
    pub(crate) fn trim(&mut self, start: Offset) -> Result<(), Arc<str>> {
        self.unless_failed("remove old records", |store| {
            while let Some(oldest) = store.sealed.front().filter(|segment| segment.first < start) {
                store.disk.remove(&segment::name(oldest.first))?;
                // One at a time: a crash that undoes an older removal and keeps a newer one would leave a gap.
                store.disk.sync()?;
                store.sealed.pop_front();
            }
            Ok(())
        })
    }

    fn unless_failed(&mut self, what: &str, act: impl FnOnce(&mut Self) -> io::Result<()>) -> Result<(), Arc<str>> {
        if let Some(cause) = &self.failed {
            return Err(cause.clone());
        }
        act(self).map_err(|error| {
            let cause: Arc<str> = format!("cannot {what} in {}: {error}", self.disk.path("").display()).into();
            self.failed = Some(cause.clone());
            cause
        })
    }
}
