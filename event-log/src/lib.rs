//! Durable, ordered streams of keyed bytes: what happened, written once and read by everyone.
//!
//! A [`Stream`] is made of [`Partition`]s, and each of these is a sequence of [`Record`]s with ascending [`Offset`]s. An
//! append is acknowledged only when it is durable, a reader sees only what is durable, and what a reader saw once stays.
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
//! let mut tail = log.read_from(Stream::Notices, &offset.into());
//! assert_eq!(tail.next_blocking()?[0].value, b"won");
//! log.close();
//! # Ok(())
//! # }
//! ```

mod appending;
mod error;
mod kafka;
pub mod limits;
mod local;
mod membership;
mod stream;
mod tail;
mod wait;
mod writer;

pub use appending::Appending;
pub use error::{AppendError, Corruption, Failure, OpenError, ReadError};
pub use kafka::{KafkaLog, KafkaOptions, KafkaTail, Notices, Sasl, Tls, Topic};
pub use local::{LocalLog, LocalOptions, LocalTail, read_directory};
pub use membership::Membership;
pub use stream::{Class, KeyValue, Offset, Offsets, Partition, Record, Stream};
pub use tail::Tail;
pub use wait::block_on;
pub use writer::Writer;

/// The streams of one installation. Clones are cheap and share everything.
#[derive(Clone, Debug)]
pub enum EventLog {
    /// Files of one process on one machine.
    Local(LocalLog),
    /// Topics of Kafka, for many processes on many machines.
    Kafka(KafkaLog),
}

impl From<LocalLog> for EventLog {
    fn from(log: LocalLog) -> Self {
        Self::Local(log)
    }
}

impl From<KafkaLog> for EventLog {
    fn from(log: KafkaLog) -> Self {
        Self::Kafka(log)
    }
}

impl EventLog {
    /// Appends one record. It is queued before this returns; those of one key that one thread queues keep their order.
    /// The answer resolves to the record's offset once it is durable. A full queue answers [`AppendError::Overloaded`]
    /// at once.
    ///
    /// Notices before Kafka may be durable in files of this process first ([`Notices::Spool`]): then the offset is
    /// theirs, and the stream has the record later.
    pub fn append(&self, stream: Stream, key: impl Into<Vec<u8>>, value: impl Into<Vec<u8>>) -> Appending {
        match self {
            Self::Local(log) => log.append_all(stream, vec![(key.into(), value.into())]),
            Self::Kafka(log) => log.append(stream, key.into(), value.into()),
        }
    }

    /// The writer by that name, of batches that readers see all at once or not at all. Those opened before under the
    /// same name, also in other processes, can write no more: for parts of which there must be one.
    ///
    /// # Errors
    /// Kafka does not serve.
    pub async fn writer(&self, name: &str) -> Result<Writer, OpenError> {
        match self {
            Self::Local(log) => Ok(Writer::Local(log.writer(name))),
            Self::Kafka(log) => log.writer(name).await.map(Writer::Kafka),
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
            Self::Kafka(log) => log.offer(stream, &key.into(), &value.into()),
        }
    }

    /// How many records were offered to `stream` since the start of this process, and dropped: at once, or later
    /// because Kafka did not take them in time.
    pub fn dropped(&self, stream: Stream) -> u64 {
        match self {
            Self::Local(log) => log.dropped(stream),
            Self::Kafka(log) => log.dropped(stream),
        }
    }

    /// How many appended notices are durable in files of this process and not in their stream yet.
    pub fn waiting(&self) -> u64 {
        match self {
            Self::Local(_) => 0,
            Self::Kafka(log) => log.waiting(),
        }
    }

    /// How many partitions `stream` has.
    pub fn partitions(&self, stream: Stream) -> u32 {
        match self {
            Self::Local(_) => 1,
            Self::Kafka(log) => log.partitions(stream),
        }
    }

    /// Where records of `key` are.
    pub fn partition_of(&self, stream: Stream, key: &[u8]) -> Partition {
        match self {
            Self::Local(_) => Partition(0),
            Self::Kafka(log) => log.partition_of(stream, key),
        }
    }

    /// The offsets after the last durable records of `stream`.
    ///
    /// # Errors
    /// Kafka does not answer.
    pub async fn ends(&self, stream: Stream) -> Result<Offsets, ReadError> {
        match self {
            Self::Local(log) => Ok(log.end(stream).into()),
            Self::Kafka(log) => log.bounds(stream).await.map(|bounds| bounds.ends),
        }
    }

    /// The offsets of the oldest records of `stream` that are kept.
    ///
    /// # Errors
    /// Kafka does not answer.
    pub async fn starts(&self, stream: Stream) -> Result<Offsets, ReadError> {
        match self {
            Self::Local(log) => Ok(log.start(stream).into()),
            Self::Kafka(log) => log.bounds(stream).await.map(|bounds| bounds.starts),
        }
    }

    /// Joins the group by that name, whose members share the partitions of `stream`. Files have one process: its member has
    /// them all.
    ///
    /// # Errors
    /// Kafka does not serve.
    pub fn join(&self, group: &str, stream: Stream) -> Result<Membership, OpenError> {
        match self {
            Self::Local(_) => Ok(Membership::of_all(self.partitions(stream))),
            Self::Kafka(log) => log.join(group, stream).map(Membership::Kafka),
        }
    }

    /// Lets go of the records of `stream` that are before `before`: they may be gone from now on.
    ///
    /// # Errors
    /// Kafka does not answer or refuses: they stay.
    ///
    /// # Panics
    /// On another stream than one of [`Class::Derived`], of which alone a reader may say that.
    pub async fn release(&self, stream: Stream, before: &Offsets) -> Result<(), ReadError> {
        assert_eq!(stream.class(), Class::Derived, "{stream} cannot be made anew: nothing of it is released");
        match self {
            Self::Local(log) => {
                log.release(stream, before.of(Partition(0)));
                Ok(())
            }
            Self::Kafka(log) => log.release(stream, before).await,
        }
    }

    /// Reads `stream` from there on. An offset that is not there shows at the first read.
    pub fn read_from(&self, stream: Stream, from: &Offsets) -> Tail {
        match self {
            Self::Local(log) => Tail::Local(log.read_from(stream, from)),
            Self::Kafka(log) => Tail::Kafka(log.read_from(stream, from)),
        }
    }

    /// Whether every stream still takes appends. That Kafka is away for a while is not a failure.
    ///
    /// # Errors
    /// The first stream, in the order of [`Stream::ALL`], whose storage failed. It takes no appends until a restart.
    pub fn health(&self) -> Result<(), Failure> {
        match self {
            Self::Local(log) => log.health(),
            Self::Kafka(log) => log.health(),
        }
    }

    /// Makes what is queued durable, answers every append and ends the threads; blocks until then, with Kafka a few
    /// seconds at most. Clones may go on reading; their appends answer [`AppendError::Closed`]. Dropping the last clone
    /// does the same.
    pub fn close(self) {
        match self {
            Self::Local(log) => log.close(),
            Self::Kafka(log) => log.close(),
        }
    }
}
