//! Reading a stream as it grows.

use crate::error::ReadError;
use crate::local::LocalTail;
use crate::stream::{Offset, Record};
use crate::wait::block_on;

/// A reader's place in a stream.
#[derive(Debug)]
pub enum Tail {
    /// Of files.
    Local(LocalTail),
}

impl Tail {
    /// The next records, at least one: those that are durable, in order, up to the batch that reaches
    /// [`READ_RECORDS`](crate::limits::READ_RECORDS) or [`READ_BYTES`](crate::limits::READ_BYTES). Waits until there
    /// is one. A dropped future reads nothing, so nothing is lost.
    ///
    /// Files are read on the calling thread, so consumers of old records belong off the threads that serve requests.
    ///
    /// # Errors
    /// The place is kept: the next call tries again.
    pub async fn next(&mut self) -> Result<Vec<Record>, ReadError> {
        match self {
            Self::Local(tail) => tail.next().await,
        }
    }

    /// As [`Tail::next`], but blocks the calling thread: not for async code.
    ///
    /// # Errors
    /// As [`Tail::next`].
    pub fn next_blocking(&mut self) -> Result<Vec<Record>, ReadError> {
        block_on(self.next())
    }

    /// As [`Tail::next`], but returns no records where it would wait.
    ///
    /// # Errors
    /// As [`Tail::next`].
    pub fn try_next(&mut self) -> Result<Vec<Record>, ReadError> {
        match self {
            Self::Local(tail) => tail.try_next(),
        }
    }

    /// The offset of the record that is read next.
    pub fn offset(&self) -> Offset {
        match self {
            Self::Local(tail) => tail.offset(),
        }
    }
}
