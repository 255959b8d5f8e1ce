//! Both fields of a record in one value, for a store that has one for each id.
//!
//! ```text
//! 1 byte    version of this form: 1
//! varint    bytes of the field of memberships, 0 where there is none
//!           the field of memberships, then that of caps; not both are empty, since nothing is stored then
//! ```

use super::Corrupt;
use super::bytes::{Reader, put_varint};

const FORM: u8 = 1;

/// The record of two fields; empty where both are.
pub(crate) fn join(memberships: &[u8], caps: &[u8]) -> Vec<u8> {
    if memberships.is_empty() && caps.is_empty() {
        return Vec::new();
    }
    // The length of any field that fits in memory has at most five bytes.
    let mut record = Vec::with_capacity(6 + memberships.len() + caps.len());
    record.push(FORM);
    put_varint(&mut record, memberships.len() as u64);
    record.extend_from_slice(memberships);
    record.extend_from_slice(caps);
    record
}

/// Memberships and caps of a record that [`join`] made. They may be corrupt in turn.
pub(crate) fn split(record: &[u8]) -> Result<[&[u8]; 2], Corrupt> {
    if record.is_empty() {
        return Ok([&[], &[]]);
    }
    let mut reader = Reader::new(record);
    if reader.u8()? != FORM {
        return Err(Corrupt);
    }
    let length = reader.varint()?;
    let fields = reader.rest();
    let split = usize::try_from(length).ok().and_then(|length| fields.split_at_checked(length));
    match split {
        Some((memberships, caps)) if !fields.is_empty() => Ok([memberships, caps]),
        _ => Err(Corrupt),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What was once written must be read forever: a line here is never changed, only added.
    #[test]
    fn golden_bytes() {
        let check = |memberships: &[u8], caps: &[u8], golden: &[u8]| {
            assert_eq!(join(memberships, caps), golden);
            assert_eq!(split(golden), Ok([memberships, caps]));
        };
        check(&[], &[], &[]);
        check(&[7, 8], &[9], &[1, 2, 7, 8, 9]);
        check(&[7], &[], &[1, 1, 7]);
        check(&[], &[9], &[1, 0, 9]);
        check(&[7; 200], &[9], &[&[1, 0xc8, 1][..], &[7; 200], &[9]].concat());
    }

    #[test]
    fn corrupt() {
        for bytes in
            [&[2, 1, 7][..], &[1], &[1, 0], &[1, 2, 7], &[1, 0x80, 0, 7], &[1, 0xff, 0xff, 0xff, 0xff, 0x7f, 7]]
        {
            assert_eq!(split(bytes), Err(Corrupt), "{bytes:?}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_one_record_or_none(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            if let Ok([memberships, caps]) = split(&bytes) {
                prop_assert_eq!(join(memberships, caps), bytes);
            }
        }
    }
}
