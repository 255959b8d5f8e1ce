//! Why the ledger cannot go on.

use event_log::{AppendError, Offset, OpenError, ReadError, Stream};
use proto::record::RecordError;

use crate::ledger::JournalError;

/// Why the ledger cannot go on. What is journalled stays valid: a restart continues from there.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The journal cannot be folded.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// Effects of entries were published that are not in the journal: it belongs to other streams, or lost its end.
    #[error("stream {stream} shows effects of journal entry {published}, but the journal ends at {sequence}")]
    Behind {
        /// Where effects were found.
        stream: Stream,
        /// The entry they follow from.
        published: u64,
        /// The last entry there is.
        sequence: u64,
    },
    /// Shards were added or taken away.
    #[error("the journal was begun with {begun} shards and has {there} partitions: that must stay what it was")]
    Shards {
        /// How many there were at first.
        begun: u32,
        /// How many there are.
        there: u32,
    },
    /// The shards cannot be shared with other processes.
    #[error("cannot take part in the group of ledgers: {0}")]
    Group(ReadError),
    /// Nothing can be written.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// A stream cannot be written.
    #[error("cannot append to {stream}: {source}")]
    Append {
        /// The stream.
        stream: Stream,
        /// Why.
        source: AppendError,
    },
    /// A stream cannot be read.
    #[error("cannot read {stream}: {source}")]
    Read {
        /// The stream.
        stream: Stream,
        /// Why.
        source: ReadError,
    },
    /// A record that may be about money is not understood. Passing over it could lose money.
    #[error("record {offset} of {stream} is not understood: {source}")]
    Unreadable {
        /// The stream.
        stream: Stream,
        /// Which record.
        offset: Offset,
        /// Why.
        source: RecordError,
    },
}

impl ServeError {
    /// Whether it may help to take up the books anew: the servers of the streams were away, and with them what became
    /// of the last batch.
    pub(super) fn may_pass(&self) -> bool {
        let unknown = matches!(self, Self::Append { source: AppendError::Unknown { .. }, .. });
        let away = matches!(self, Self::Open(OpenError::Kafka(_)) | Self::Read { source: ReadError::Kafka(_), .. });
        unknown || away
    }

    /// Whether somebody else took over.
    pub(super) fn is_fenced(&self) -> bool {
        matches!(self, Self::Append { source: AppendError::Fenced { .. }, .. })
    }
}
