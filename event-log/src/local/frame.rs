//! One batch of records as bytes.
//!
//! | bytes | what, little endian |
//! |---|---|
//! | 4 | length of what follows the checksum |
//! | 4 | CRC-32 (IEEE 802.3) of the length and of what follows here |
//! | 1 | format version |
//! | 8 | offset of the first record |
//! | 4 | number of records |
//! | 4, 4, n, m | for each record: length of its key, length of its value, key, value |
//!
//! A batch is one frame under one checksum: that is what makes it atomic. The offset in the frame makes bytes of
//! another place useless, and a run of zeros is no frame. Length, checksum and version stand here in every version.

use crate::limits::BATCH_BYTES_MAX;
use crate::stream::{KeyValue, Offset, Partition, Record};

/// What this code writes, and the only version it reads.
const VERSION: u8 = 1;
/// Length and checksum.
const PREFIX: usize = 8;
/// Everything before the first record.
const HEADER: usize = PREFIX + 13;
/// The lengths before each record.
const LENGTHS: usize = 8;

/// Why bytes are not a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bad {
    /// There are fewer bytes than the frame needs; with `needed` bytes more can be said.
    Short {
        /// From the start of the frame.
        needed: usize,
    },
    /// They are not what was written.
    Torn,
    /// Another version of this program wrote them.
    Version,
}

/// A frame that is whole.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Frame<'a> {
    /// The offset of its first record.
    pub(crate) first: Offset,
    count: u32,
    records: &'a [u8],
}

/// How many bytes `records` take as a frame.
pub(crate) fn length(records: &[KeyValue]) -> usize {
    HEADER + records.iter().map(|(key, value)| LENGTHS + key.len() + value.len()).sum::<usize>()
}

/// Appends `records`, the first of which has the offset `first`, to `bytes` as one frame. It must not be longer than
/// [`BATCH_BYTES_MAX`].
pub(crate) fn encode(first: Offset, records: &[KeyValue], bytes: &mut Vec<u8>) {
    let start = bytes.len();
    let length = length(records);
    assert!(length <= BATCH_BYTES_MAX && !records.is_empty(), "batches are checked before they are queued");
    bytes.extend_from_slice(&((length - PREFIX) as u32).to_le_bytes());
    bytes.extend_from_slice(&[0; 4]);
    bytes.push(VERSION);
    bytes.extend_from_slice(&first.0.to_le_bytes());
    bytes.extend_from_slice(&(records.len() as u32).to_le_bytes());
    for (key, value) in records {
        bytes.extend_from_slice(&(key.len() as u32).to_le_bytes());
        bytes.extend_from_slice(&(value.len() as u32).to_le_bytes());
        bytes.extend_from_slice(key);
        bytes.extend_from_slice(value);
    }
    seal(&mut bytes[start..]);
}

/// Puts the checksum into `frame`.
pub(crate) fn seal(frame: &mut [u8]) {
    let sum = checksum(frame);
    frame[4..PREFIX].copy_from_slice(&sum.to_le_bytes());
}

/// How long the whole frame at the start of `bytes` is.
pub(crate) fn check(bytes: &[u8]) -> Result<usize, Bad> {
    if bytes.len() < PREFIX {
        return Err(Bad::Short { needed: HEADER });
    }
    let length = number(bytes, 0) as usize + PREFIX;
    if !(HEADER..=BATCH_BYTES_MAX).contains(&length) {
        return Err(Bad::Torn);
    }
    let frame = bytes.get(..length).ok_or(Bad::Short { needed: length })?;
    if checksum(frame) != number(frame, 4) {
        return Err(Bad::Torn);
    }
    if frame[PREFIX] != VERSION {
        return Err(Bad::Version);
    }
    let frame = Frame::of(frame);
    let mut records = frame.records();
    let whole = records.by_ref().count() == frame.count as usize && records.rest.is_empty() && frame.count > 0;
    if whole { Ok(length) } else { Err(Bad::Torn) }
}

impl<'a> Frame<'a> {
    /// The frame that `bytes` are, once they passed [`check`].
    pub(crate) fn of(bytes: &'a [u8]) -> Self {
        let first = u64::from(number(bytes, 9)) | u64::from(number(bytes, 13)) << 32;
        Self { first: Offset(first), count: number(bytes, 17), records: &bytes[HEADER..] }
    }

    /// The offset after its last record.
    pub(crate) fn end(&self) -> Offset {
        Offset(self.first.0.saturating_add(u64::from(self.count)))
    }

    /// Its records, in order.
    pub(crate) fn records(&self) -> Records<'a> {
        Records { offset: self.first, left: self.count, rest: self.records }
    }
}

/// The records of a frame. Ends early where the bytes do.
pub(crate) struct Records<'a> {
    offset: Offset,
    left: u32,
    rest: &'a [u8],
}

impl<'a> Iterator for Records<'a> {
    type Item = RecordView<'a>;

    fn next(&mut self) -> Option<RecordView<'a>> {
        if self.left == 0 || self.rest.len() < LENGTHS {
            return None;
        }
        let (key, value) = (number(self.rest, 0) as usize, number(self.rest, 4) as usize);
        let (key, rest) = self.rest[LENGTHS..].split_at_checked(key)?;
        let (value, rest) = rest.split_at_checked(value)?;
        let record = RecordView { offset: self.offset, key, value };
        (self.offset, self.left, self.rest) = (self.offset.next(), self.left - 1, rest);
        Some(record)
    }
}

/// A record in the bytes of its frame.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RecordView<'a> {
    pub(crate) offset: Offset,
    pub(crate) key: &'a [u8],
    pub(crate) value: &'a [u8],
}

impl RecordView<'_> {
    pub(crate) fn to_record(self) -> Record {
        Record { partition: Partition(0), offset: self.offset, key: self.key.to_vec(), value: self.value.to_vec() }
    }
}

fn checksum(frame: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&frame[..4]);
    hasher.update(&frame[PREFIX..]);
    hasher.finalize()
}

/// Four bytes of `bytes`, which are there.
fn number(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

#[cfg(test)]
mod tests;
