//! Reading a stream as it grows.

use crate::error::ReadError;
use crate::kafka::KafkaTail;
use crate::local::LocalTail;
use crate::stream::{Offsets, Record};
use crate::wait::block_on;

/// A reader's place in a stream.
#[derive(Debug)]
pub enum Tail {
    /// Of files.
    Local(LocalTail),
    /// Of Kafka.
    Kafka(KafkaTail),
}

impl Tail {
    /// The next records: those that are durable, those of a partition in order, up to the batch that reaches
    /// [`READ_RECORDS`](crate::limits::READ_RECORDS) or [`READ_BYTES`](crate::limits::READ_BYTES). Waits until there
    /// is one, or the place moved on without: some offsets are nobody's. A dropped future reads nothing, so nothing is
    /// lost.
    ///
    /// Files are read on the calling thread, so consumers of old records belong off the threads that serve requests.
    ///
    /// # Errors
    /// The place is kept: the next call tries again.
    pub async fn next(&mut self) -> Result<Vec<Record>, ReadError> {
        match self {
            Self::Local(tail) => tail.next().await,
            Self::Kafka(tail) => tail.next().await,
        }
    }

    /// As [`Tail::next`], but blocks the calling thread: not for async code.
    ///
    /// # Errors
    /// As [`Tail::next`].
    pub fn next_blocking(&mut self) -> Result<Vec<Record>, ReadError> {
        block_on(self.next())
    }

    /// As [`Tail::next`], but returns no records where it would wait, also for those that are still on their way from
    /// Kafka.
    ///
    /// # Errors
    /// As [`Tail::next`].
    pub fn try_next(&mut self) -> Result<Vec<Record>, ReadError> {
        match self {
            Self::Local(tail) => tail.try_next(),
            Self::Kafka(tail) => tail.try_next(),
        }
    }

    /// Sees to it that [`Tail::next`] returns once everything before `goal` was read, also where the last offsets
    /// before it are nobody's. `goal` must be within the stream, as [`EventLog::ends`](crate::EventLog::ends) are.
    pub fn aim(&mut self, goal: &Offsets) {
        match self {
            // In files every offset is somebody's.
            Self::Local(_) => {}
            Self::Kafka(tail) => tail.aim(goal),
        }
    }

    /// Behind what was read: reading goes on here.
    pub fn offsets(&self) -> Offsets {
        match self {
            Self::Local(tail) => tail.offsets(),
            Self::Kafka(tail) => tail.offsets(),
        }
    }

    /// Reads everything before `goal`, in parts, for `each`.
    ///
    /// # Errors
    /// The stream cannot be read, or `each` refuses.
    pub async fn read_to<E: From<ReadError>>(
        &mut self,
        goal: &Offsets,
        mut each: impl FnMut(Vec<Record>) -> Result<(), E>,
    ) -> Result<(), E> {
        self.aim(goal);
        while !self.offsets().reached(goal) {
            each(self.next().await?)?;
        }
        Ok(())
    }
}
