//! Reading and writing of a record's parts.

use super::Corrupt;

/// What is left to read of a record. Never panics, whatever the bytes.
pub(crate) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], Corrupt> {
        let (head, rest) = self.0.split_first_chunk().ok_or(Corrupt)?;
        self.0 = rest;
        Ok(*head)
    }

    pub(crate) fn u8(&mut self) -> Result<u8, Corrupt> {
        self.array().map(|[byte]| byte)
    }

    pub(crate) fn u32(&mut self) -> Result<u32, Corrupt> {
        self.array().map(u32::from_le_bytes)
    }

    pub(crate) fn u64(&mut self) -> Result<u64, Corrupt> {
        self.array().map(u64::from_le_bytes)
    }

    /// A number in groups of seven bits, lowest first (LEB128), of at most 35 bits and without superfluous groups.
    pub(crate) fn varint(&mut self) -> Result<u64, Corrupt> {
        let mut value = 0;
        for shift in (0..35).step_by(7) {
            let byte = self.u8()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return if byte == 0 && shift > 0 { Err(Corrupt) } else { Ok(value) };
            }
        }
        Err(Corrupt)
    }

    pub(crate) fn varint_u32(&mut self) -> Result<u32, Corrupt> {
        u32::try_from(self.varint()?).map_err(|_| Corrupt)
    }

    /// A count of things that follow.
    pub(crate) fn count(&mut self, max: usize) -> Result<usize, Corrupt> {
        usize::try_from(self.varint()?).ok().filter(|count| *count <= max).ok_or(Corrupt)
    }

    /// All that follows.
    pub(crate) fn rest(self) -> &'a [u8] {
        self.0
    }

    /// Nothing may follow.
    pub(crate) fn end(self) -> Result<(), Corrupt> {
        if self.0.is_empty() { Ok(()) } else { Err(Corrupt) }
    }
}

/// Writes what [`Reader::varint`] reads; `value` has at most 35 bits.
pub(crate) fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// A difference, modulo 2^32, so that small ones of both signs are small numbers (as protobuf's `sint32`).
pub(crate) fn zigzag(value: u32, before: u32) -> u32 {
    let difference = value.wrapping_sub(before) as i32;
    (difference << 1 ^ difference >> 31) as u32
}

/// The value whose difference from `before` is `zigzag`.
pub(crate) fn unzigzag(zigzag: u32, before: u32) -> u32 {
    before.wrapping_add((zigzag >> 1) ^ (zigzag & 1).wrapping_neg())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn numbers_survive(value in 0_u64..1 << 35, a: u32, b: u32) {
            let mut bytes = Vec::new();
            put_varint(&mut bytes, value);
            let mut reader = Reader::new(&bytes);
            prop_assert_eq!(reader.varint(), Ok(value));
            prop_assert_eq!(reader.end(), Ok(()));
            prop_assert_eq!(unzigzag(zigzag(a, b), b), a);
        }
    }

    #[test]
    fn superfluous_and_missing_groups_are_corrupt() {
        for bytes in [&[0x80, 0x00][..], &[0x80], &[], &[0xff; 6]] {
            assert_eq!(Reader::new(bytes).varint(), Err(Corrupt), "{bytes:?}");
        }
    }
}
