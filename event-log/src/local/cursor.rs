//! A reader's place in the files of a stream.

use std::io;

use super::disk::Disk;
use super::frames::{Found, Frames};
use super::segment;
use crate::error::ReadError;
use crate::limits::{READ_BYTES, READ_RECORDS};
use crate::stream::{Offset, Record};

/// Reads the files of a stream from an offset on. It keeps its file open, and its place in it.
pub(crate) struct Cursor<D: Disk> {
    disk: D,
    /// Of the record that is read next.
    offset: Offset,
    at: Option<Place<D::File>>,
}

struct Place<F> {
    /// Where the segment starts.
    first: Offset,
    frames: Frames<F>,
}

impl<D: Disk> Cursor<D> {
    pub(crate) fn new(disk: D, offset: Offset) -> Self {
        Self { disk, offset, at: None }
    }

    /// The offset of the record that is read next.
    pub(crate) fn offset(&self) -> Offset {
        self.offset
    }

    /// The next records before `end`, which is behind the offset and durable: at least one, and no more once the
    /// limits of a read are reached. A batch is split only where the reader started in its middle.
    ///
    /// # Errors
    /// The place is kept.
    pub(crate) fn read(&mut self, end: Offset) -> Result<Vec<Record>, ReadError> {
        let mut records = Vec::new();
        let mut bytes = 0;
        let mut offset = self.offset;
        let mut place = match self.at.take() {
            Some(mut place) => {
                place.frames.refresh();
                place
            }
            None => self.locate()?,
        };
        while offset < end && records.len() < READ_RECORDS && bytes < READ_BYTES {
            let byte = place.frames.position();
            match place.frames.next() {
                Ok(Found::Frame(frame)) if frame.first <= offset => {
                    for record in frame.records().filter(|record| record.offset >= offset) {
                        bytes += record.key.len() + record.value.len();
                        records.push(record.to_record());
                    }
                    offset = offset.max(frame.end());
                }
                // What was read is handed over first; whatever stands here shows at the next read.
                _ if !records.is_empty() => {
                    self.offset = offset;
                    return Ok(records);
                }
                Ok(Found::End) => place = self.follow(place.first)?,
                Ok(Found::Frame(_)) => return Err(self.corruption(place.first, byte, segment::MISPLACED)),
                Ok(Found::Bad(_)) => return Err(self.corruption(place.first, byte, segment::NOT_WHOLE)),
                Err(error) => return Err(error.into()),
            }
        }
        self.offset = offset;
        self.at = Some(place);
        Ok(records)
    }

    /// The start of the segment that holds the offset.
    fn locate(&self) -> Result<Place<D::File>, ReadError> {
        loop {
            let firsts = segment::list(&self.disk)?;
            let Some(&first) = firsts.iter().rev().find(|first| **first <= self.offset) else {
                let start = firsts.first().copied().unwrap_or_default();
                return Err(ReadError::Trimmed { asked: self.offset, start });
            };
            match self.disk.open(&segment::name(first)) {
                Ok(file) => return Ok(Place { first, frames: Frames::new(file) }),
                // It was removed since it was listed, because the stream keeps only so much.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// The segment after the one that starts at `first`, which was read to its end.
    fn follow(&self, first: Offset) -> Result<Place<D::File>, ReadError> {
        let place = self.locate()?;
        if place.first == first {
            return Err(self.corruption(self.offset, 0, segment::MISSING));
        }
        Ok(place)
    }

    fn corruption(&self, first: Offset, byte: u64, why: &'static str) -> ReadError {
        segment::corruption(&self.disk, first, byte, why).into()
    }
}

#[cfg(test)]
mod tests;
