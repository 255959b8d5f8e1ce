//! Reading the files of a stream from outside, whether a process writes them or not.

use std::io;
use std::path::Path;

use super::disk::{Directory, Disk};
use super::frames::{Found, Frames};
use super::segment;
use crate::error::ReadError;
use crate::stream::{Offset, Record, Stream};

/// The records of `stream` in the files of the log at `dir`, from `from` or the oldest one kept on. Takes no lock and
/// changes nothing, so another process may be writing: the last records may not be durable yet. Ends before a batch
/// that is not whole at the end of the files, which is what a crash or a write in progress leaves there.
///
/// # Errors
/// There is no such log, or its files cannot be read. The iterator ends with its first error.
pub fn read_directory(
    dir: &Path,
    stream: Stream,
    from: Offset,
) -> Result<impl Iterator<Item = Result<Record, ReadError>> + use<>, ReadError> {
    let mut batches = Some(Batches::open(Directory(dir.join(stream.name())), from)?);
    let batches = std::iter::from_fn(move || {
        let next = batches.as_mut()?.next();
        if !matches!(next, Ok(Some(_))) {
            batches = None;
        }
        next.transpose()
    });
    Ok(batches.flat_map(|batch| {
        let (records, error) = match batch {
            Ok(records) => (records, None),
            Err(error) => (Vec::new(), Some(Err(error))),
        };
        records.into_iter().map(Ok).chain(error)
    }))
}

/// The batches of a stream's files, as one finds them.
pub(crate) struct Batches<D: Disk> {
    disk: D,
    /// The segment that is read, and its first offset; `None`: the stream has no files.
    at: Option<(Offset, Frames<D::File>)>,
    /// Of the next record.
    offset: Offset,
    from: Offset,
}

impl<D: Disk> Batches<D> {
    pub(crate) fn open(disk: D, from: Offset) -> Result<Self, ReadError> {
        loop {
            let firsts = segment::list(&disk)?;
            let Some(&first) = firsts.iter().rev().find(|first| **first <= from).or(firsts.first()) else {
                return Ok(Self { disk, at: None, offset: from, from });
            };
            if let Some(frames) = frames(&disk, first)? {
                return Ok(Self { disk, at: Some((first, frames)), offset: first, from });
            }
            // It was removed since it was listed, because the stream keeps only so much.
        }
    }

    /// The records of the next batch that has some from `from` on.
    pub(crate) fn next(&mut self) -> Result<Option<Vec<Record>>, ReadError> {
        // Whether a later segment was there before the last look: what is not whole then never will be.
        let mut followed = false;
        while let Some((first, frames)) = &mut self.at {
            let byte = frames.position();
            let found = frames.next()?;
            if let Found::Frame(frame) = &found
                && frame.first == self.offset
            {
                self.offset = frame.end();
                followed = false;
                let wanted = frame.records().filter(|record| record.offset >= self.from);
                let records: Vec<Record> = wanted.map(|record| record.to_record()).collect();
                if !records.is_empty() {
                    return Ok(Some(records));
                }
            } else if !followed {
                followed = segment::list(&self.disk)?.last().is_some_and(|last| last > first);
                if !followed {
                    return Ok(None);
                }
                frames.refresh();
            } else if let Found::End = found {
                self.follow()?;
                followed = false;
            } else {
                return Err(segment::corruption(&self.disk, *first, byte, segment::NOT_WHOLE).into());
            }
        }
        Ok(None)
    }

    /// Goes on in the segment that starts at the offset.
    fn follow(&mut self) -> Result<(), ReadError> {
        if let Some(frames) = frames(&self.disk, self.offset)? {
            self.at = Some((self.offset, frames));
            return Ok(());
        }
        match segment::list(&self.disk)?.first() {
            Some(&start) if start > self.offset => Err(ReadError::Trimmed { asked: self.offset, start }),
            _ => Err(segment::corruption(&self.disk, self.offset, 0, segment::MISSING).into()),
        }
    }
}

/// The segment that starts at `first`; `None`: there is none.
fn frames<D: Disk>(disk: &D, first: Offset) -> io::Result<Option<Frames<D::File>>> {
    match disk.open(&segment::name(first)) {
        Ok(file) => Ok(Some(Frames::new(file))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
