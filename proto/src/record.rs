//! A record of a stream: one version byte, then a protobuf message.

use prost::Message;
use thiserror::Error;

use crate::wire::{
    Bid, CampaignsRecord, JournalEntry, LeaseRecord, LedgerSnapshot, Notice, OpportunityRecord, Outcome,
};

/// The one version there is. A message that can no longer be read as an older one gets the next.
pub const VERSION: u8 = 1;

/// The message that the records of one stream hold.
pub trait StreamRecord: Message + Default {
    /// The name of the stream.
    const STREAM: &'static str;
}

/// What the keys of a stream are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeyForm {
    /// The 16 bytes of an id.
    Id,
    /// Text.
    Text,
}

/// A stream as the schemas know it.
pub(crate) struct StreamSchema {
    pub(crate) stream: &'static str,
    pub(crate) message: &'static str,
    pub(crate) key: KeyForm,
}

/// Names the stream of each message, once.
macro_rules! streams {
    ($($message:ident: $stream:literal by $key:ident;)*) => {
        $(impl StreamRecord for $message {
            const STREAM: &'static str = $stream;
        })*

        /// Every stream whose records are described here.
        pub const STREAMS: &[&str] = &[$($stream),*];

        pub(crate) const SCHEMAS: &[StreamSchema] =
            &[$(StreamSchema { stream: $stream, message: stringify!($message), key: KeyForm::$key }),*];
    };
}

streams! {
    CampaignsRecord: "campaigns" by Text;
    OpportunityRecord: "opportunities" by Id;
    Bid: "bids" by Id;
    Notice: "notices" by Id;
    Outcome: "outcomes" by Text;
    LeaseRecord: "leases" by Text;
    JournalEntry: "ledger-journal" by Text;
    LedgerSnapshot: "ledger-snapshots" by Text;
}

/// Why bytes are no record.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum RecordError {
    /// There is not even a version.
    #[error("the record is empty")]
    Empty,
    /// Written by a newer program, or no record at all.
    #[error("the record has version {0}; this program reads version {VERSION}")]
    UnknownVersion(u8),
    /// The version is known, but what follows is not its message.
    #[error("the record is malformed: {0}")]
    Malformed(#[from] prost::DecodeError),
}

/// The record of `message`.
pub fn encode<M: StreamRecord>(message: &M) -> Vec<u8> {
    let mut record = Vec::new();
    encode_into(message, &mut record);
    record
}

/// Appends the record of `message` to `out`, so that a caller can use one buffer again and again.
pub fn encode_into<M: StreamRecord>(message: &M, out: &mut Vec<u8>) {
    out.reserve(1 + message.encoded_len());
    out.push(VERSION);
    message.encode_raw(out);
}

/// The message of `record`. Fields that a newer program added are left out.
pub fn decode<M: StreamRecord>(record: &[u8]) -> Result<M, RecordError> {
    Ok(M::decode(message_bytes(record)?)?)
}

/// What follows the version.
pub(crate) fn message_bytes(record: &[u8]) -> Result<&[u8], RecordError> {
    match record {
        [] => Err(RecordError::Empty),
        [VERSION, message @ ..] => Ok(message),
        [version, ..] => Err(RecordError::UnknownVersion(*version)),
    }
}
