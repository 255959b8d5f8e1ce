//! Reading a segment file frame by frame.

use std::io;

use super::disk::DiskFile;
use super::frame::{self, Bad, Frame};
use crate::limits::{BATCH_BYTES_MAX, READ_AHEAD_BYTES};

/// What stands at a position of a segment.
pub(crate) enum Found<'a> {
    /// A whole frame. The position is now behind it.
    Frame(Frame<'a>),
    /// The end of the file, exactly.
    End,
    /// No whole frame. The position is still before it.
    Bad(Bad),
}

/// A position in a segment file, with what was read ahead of it.
pub(crate) struct Frames<F> {
    file: F,
    /// Where in the file the next frame starts.
    position: u64,
    /// Bytes of the file; those from `next` on stand at `position`.
    ahead: Vec<u8>,
    next: usize,
}

impl<F: DiskFile> Frames<F> {
    /// At the start of `file`.
    pub(crate) fn new(file: F) -> Self {
        Self { file, position: 0, ahead: Vec::new(), next: 0 }
    }

    /// Where in the file the next frame starts, in bytes.
    pub(crate) fn position(&self) -> u64 {
        self.position
    }

    /// Drops what was read ahead: the writer may have written there since.
    pub(crate) fn refresh(&mut self) {
        self.ahead.clear();
        self.next = 0;
    }

    /// What stands at the position.
    pub(crate) fn next(&mut self) -> io::Result<Found<'_>> {
        let length = loop {
            match frame::check(&self.ahead[self.next..]) {
                Ok(length) => break length,
                Err(Bad::Short { needed }) => {
                    if !self.read_ahead(needed)? {
                        let is_end = self.next == self.ahead.len();
                        return Ok(if is_end { Found::End } else { Found::Bad(Bad::Short { needed }) });
                    }
                }
                Err(bad) => return Ok(Found::Bad(bad)),
            }
        };
        let start = self.next;
        self.next += length;
        self.position += length as u64;
        Ok(Found::Frame(Frame::of(&self.ahead[start..self.next])))
    }

    /// Reads until `needed` bytes from the position on are there, and more at once where frames are small. `false`:
    /// the file ends before.
    fn read_ahead(&mut self, needed: usize) -> io::Result<bool> {
        debug_assert!(needed <= BATCH_BYTES_MAX);
        self.ahead.drain(..self.next);
        self.next = 0;
        let mut filled = self.ahead.len();
        self.ahead.resize(needed.max(READ_AHEAD_BYTES), 0);
        while filled < needed {
            let read = match self.file.read_at(&mut self.ahead[filled..], self.position + filled as u64) {
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => {
                    self.ahead.truncate(filled);
                    return Err(error);
                }
            };
            filled += read;
            if read == 0 {
                break;
            }
        }
        self.ahead.truncate(filled);
        Ok(filled >= needed)
    }
}
