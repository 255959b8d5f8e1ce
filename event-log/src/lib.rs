//! Durable, ordered streams of keyed bytes: what happened, written once and read by everyone.
//!
//! A [`Stream`] is a sequence of [`Record`]s with dense offsets. An append is acknowledged only when it is durable,
//! a reader sees only what is durable, and what a reader saw once stays.
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use event_log::{EventLog, LocalLog, LocalOptions, Offset, Stream};
//!
//! # let dir = tempfile::tempdir()?;
//! # let dir = dir.path();
//! let log = EventLog::from(LocalLog::open(LocalOptions::new(dir))?);
//! let offset = log.append(Stream::Notices, "impression 1", "won").wait()?;
//! assert_eq!(offset, Offset(0));
//! let mut tail = log.read_from(Stream::Notices, offset);
//! assert_eq!(tail.next_blocking()?[0].value, b"won");
//! log.close();
//! # Ok(())
//! # }
//! ```

mod appending;
mod error;
pub mod limits;
mod local;
mod stream;
mod tail;
mod wait;

pub use appending::Appending;
pub use error::{AppendError, Corruption, Failure, OpenError, ReadError};
pub use local::{LocalLog, LocalOptions, LocalTail, read_directory};
pub use stream::{Class, KeyValue, Offset, Record, Stream};
pub use tail::Tail;

/// The streams of one installation. Clones are cheap and share everything.
#[derive(Clone, Debug)]
pub enum EventLog {
    /// Files of one process on one machine.
    Local(LocalLog),
}

impl From<LocalLog> for EventLog {
    fn from(log: LocalLog) -> Self {
        Self::Local(log)
    }
}

impl EventLog {
    /// Appends one record. It is queued before this returns, in the order of the calls; the answer resolves to the
    /// record's offset once it is durable. A full queue answers [`AppendError::Overloaded`] at once.
    pub fn append(&self, stream: Stream, key: impl Into<Vec<u8>>, value: impl Into<Vec<u8>>) -> Appending {
        self.append_all(stream, vec![(key.into(), value.into())])
    }

    /// Appends records with consecutive offsets that readers, also those after a crash, see all at once or not at all.
    /// The answer resolves to the offset of the last one.
    pub fn append_all(&self, stream: Stream, records: Vec<KeyValue>) -> Appending {
        match self {
            Self::Local(log) => log.append_all(stream, records),
        }
    }

    /// Appends one record of telemetry, without an answer. `false`: it was dropped, because the queue is full or the
    /// stream takes no more, and counted in [`EventLog::dropped`].
    ///
    /// # Panics
    /// On a money stream, of which nothing may be dropped.
    pub fn offer(&self, stream: Stream, key: impl Into<Vec<u8>>, value: impl Into<Vec<u8>>) -> bool {
        assert_eq!(stream.class(), Class::Telemetry, "{stream} is not telemetry: it must be appended, not offered");
        match self {
            Self::Local(log) => log.offer(stream, key.into(), value.into()),
        }
    }

    /// How many records were offered to `stream` since the start of this process, and dropped.
    pub fn dropped(&self, stream: Stream) -> u64 {
        match self {
            Self::Local(log) => log.dropped(stream),
        }
    }

    /// The offset after the last durable record of `stream`.
    pub fn end(&self, stream: Stream) -> Offset {
        match self {
            Self::Local(log) => log.end(stream),
        }
    }

    /// The offset of the oldest record of `stream` that is kept.
    pub fn start(&self, stream: Stream) -> Offset {
        match self {
            Self::Local(log) => log.start(stream),
        }
    }

    /// Reads `stream` from `offset` on. An offset that is not there shows at the first read.
    pub fn read_from(&self, stream: Stream, offset: Offset) -> Tail {
        match self {
            Self::Local(log) => Tail::Local(log.read_from(stream, offset)),
        }
    }

    /// Whether every stream still takes appends.
    ///
    /// # Errors
    /// The first stream, in the order of [`Stream::ALL`], whose storage failed. It takes no appends until a restart.
    pub fn health(&self) -> Result<(), Failure> {
        match self {
            Self::Local(log) => log.health(),
        }
    }

    /// Makes what is queued durable, answers every append and ends the threads; blocks until then. Clones may go on
    /// reading; their appends answer [`AppendError::Closed`]. Dropping the last clone does the same.
    pub fn close(self) {
        match self {
            Self::Local(log) => log.close(),
        }
    }
}
