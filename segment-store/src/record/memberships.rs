//! The field of memberships, written by whoever computes or imports them.
//!
//! ```text
//! 1 byte    version of this form: 1
//! 8 bytes   version of the record, little endian: a lower or equal one never replaces it
//! 16 bytes  person key
//! varint    how many memberships; then for each, by ascending segment:
//!   varint    2 × (segment - the one before) + (1 where a confidence follows)
//!   varint    zigzag of (until - the one before), modulo 2^32
//!   1 byte    confidence in percent; 100 where it does not follow
//! ```

use decision::ids::{PersonKey, SegmentId};
use decision::profile::Membership;
use decision::time::Seconds;

use super::Corrupt;
use super::bytes::{Reader, put_varint, unzigzag, zigzag};
use crate::limits::MEMBERSHIPS_MAX;

const FORM: u8 = 1;
const CERTAIN: u8 = 100;

/// What stands before the memberships.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) version: u64,
    pub(crate) person: PersonKey,
}

/// Appends the field to `out`. `memberships` are ascending by segment, each segment once, at most
/// [`MEMBERSHIPS_MAX`], with a confidence of at most 100.
pub(crate) fn encode(head: Head, memberships: &[Membership], out: &mut Vec<u8>) {
    out.push(FORM);
    out.extend_from_slice(&head.version.to_le_bytes());
    out.extend_from_slice(&head.person.0);
    put_varint(out, memberships.len() as u64);
    let (mut segment, mut until) = (0, 0);
    for membership in memberships {
        let unsure = membership.confidence != CERTAIN;
        put_varint(out, u64::from(membership.segment.0 - segment) << 1 | u64::from(unsure));
        put_varint(out, zigzag(membership.until.0, until).into());
        if unsure {
            out.push(membership.confidence);
        }
        (segment, until) = (membership.segment.0, membership.until.0);
    }
}

/// Reads the field into `memberships`, whose former content goes. After an error it is in part filled.
pub(crate) fn decode(bytes: &[u8], memberships: &mut Vec<Membership>) -> Result<Head, Corrupt> {
    memberships.clear();
    let mut reader = Reader::new(bytes);
    if reader.u8()? != FORM {
        return Err(Corrupt);
    }
    let head = Head { version: reader.u64()?, person: PersonKey(reader.array()?) };
    let count = reader.count(MEMBERSHIPS_MAX)?;
    let (mut segment, mut until) = (0_u64, 0);
    for at in 0..count {
        let step = reader.varint()?;
        if at > 0 && step >> 1 == 0 {
            return Err(Corrupt);
        }
        segment += step >> 1;
        until = unzigzag(reader.varint_u32()?, until);
        let confidence = if step & 1 == 0 { CERTAIN } else { reader.u8()? };
        if step & 1 == 1 && confidence >= CERTAIN {
            return Err(Corrupt);
        }
        let segment = SegmentId(u32::try_from(segment).map_err(|_| Corrupt)?);
        memberships.push(Membership { segment, until: Seconds(until), confidence });
    }
    reader.end()?;
    Ok(head)
}

#[cfg(test)]
mod tests;
