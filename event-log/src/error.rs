//! What can go wrong.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use crate::stream::{Offset, Stream};

/// Why records were not appended.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AppendError {
    /// Too much waits to be written. Nothing of this append was.
    #[error("too many appends wait to be written")]
    Overloaded,
    /// The record or batch is larger than any may be. Nothing of it was written.
    #[error("a record or batch of {bytes} bytes: at most {bytes_max} are allowed")]
    TooLarge {
        /// How large it is.
        bytes: usize,
        /// How large it may be.
        bytes_max: usize,
    },
    /// The batch has no records.
    #[error("a batch without records")]
    EmptyBatch,
    /// The storage failed. The records may be there after a restart, whole, or not: appending them again must be
    /// harmless.
    #[error(transparent)]
    Failed(#[from] Failure),
    /// Another process, or part of this one, writes under the same name now, and this one may no longer. Nothing of
    /// this append was written.
    #[error("another `{name}` has taken over: this one may write no more")]
    Fenced {
        /// The name of the writer.
        name: Arc<str>,
    },
    /// Kafka did not say whether it has the batch, and now nobody can ask. This writer takes no more: another one must
    /// be opened, and what is there be read.
    #[error("Kafka did not say whether it has a batch of {stream}: {cause}")]
    Unknown {
        /// The stream.
        stream: Stream,
        /// What is known of it.
        cause: Arc<str>,
    },
    /// Kafka did not say in time that it has the record. It may have it.
    #[error("Kafka did not acknowledge a record of {stream}: {cause}")]
    Unacknowledged {
        /// The stream.
        stream: Stream,
        /// What is known of it.
        cause: Arc<str>,
    },
    /// The log was closed before. Nothing of this append was written.
    #[error("the log is closed")]
    Closed,
}

/// The storage of a stream failed: it takes no more appends until a restart, because after a failed write or sync
/// nobody knows what the disk holds, and a second sync would claim success without writing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("stream {stream} takes no more appends: {cause}")]
pub struct Failure {
    /// The stream.
    pub stream: Stream,
    /// What failed first.
    pub cause: Arc<str>,
}

/// Why records could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The record was removed because the stream keeps only so much. Reading may go on at `start`.
    #[error("offset {asked} is no longer kept: the oldest is {start}")]
    Trimmed {
        /// The offset that was to be read.
        asked: Offset,
        /// The oldest one kept.
        start: Offset,
    },
    /// The offset was never given out: whoever remembers it does not belong to this log, or the log lost its files.
    #[error("offset {asked} was never written: the stream ends at {end}")]
    Beyond {
        /// The offset that was to be read.
        asked: Offset,
        /// The end of the stream.
        end: Offset,
    },
    /// The servers cannot be asked.
    #[error("Kafka cannot be asked: {0}")]
    Kafka(Arc<str>),
    /// Everything durable was read, and the failed stream takes no more.
    #[error(transparent)]
    Failed(#[from] Failure),
    /// Everything was read, and the log is closed.
    #[error("the log is closed")]
    Closed,
    /// The bytes are not those that were written.
    #[error(transparent)]
    Corrupt(#[from] Corruption),
    /// The storage cannot be read.
    #[error("cannot read the stream: {0}")]
    Io(#[from] io::Error),
}

/// Bytes that were acknowledged are not there, or not those that were written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}: byte {byte}: {why}", .file.display())]
pub struct Corruption {
    /// The file.
    pub file: PathBuf,
    /// Where in the file, in bytes.
    pub byte: u64,
    /// What is wrong.
    pub why: &'static str,
}

/// Why a log could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has it open.
    #[error("{} is in use by another process: several processes can share streams only through Kafka", .dir.display())]
    InUse {
        /// The directory.
        dir: PathBuf,
    },
    /// Acknowledged bytes are damaged. Nothing was changed.
    #[error(transparent)]
    Corrupt(#[from] Corruption),
    /// Kafka, or what is set for it, does not serve.
    #[error("Kafka: {0}")]
    Kafka(String),
    /// The files cannot be read or written.
    #[error("cannot open {}: {source}", .path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}
