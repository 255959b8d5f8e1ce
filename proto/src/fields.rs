//! Writes protobuf messages from borrowed parts: the bytes that the generated messages would give, without building one.

/// The fields of one message, appended in the order of their numbers. Those that have their default value are left out,
/// as proto3 has it.
pub(crate) struct Fields<'o>(pub(crate) &'o mut Vec<u8>);

/// Wire types (protobuf, "Message structure").
const VARINT: u32 = 0;
const FIXED64: u32 = 1;
const LENGTH_DELIMITED: u32 = 2;

impl Fields<'_> {
    /// An unsigned number, or the number of an enumeration.
    pub(crate) fn number(&mut self, field: u32, value: impl Into<u64>) {
        let value = value.into();
        if value != 0 {
            self.present(field, value);
        }
    }

    /// A signed number.
    pub(crate) fn signed(&mut self, field: u32, value: i64) {
        self.number(field, value.cast_unsigned());
    }

    /// A signed number that is written wherever it is there, also where it is 0.
    pub(crate) fn optional_signed(&mut self, field: u32, value: Option<i64>) {
        if let Some(value) = value {
            self.present(field, value.cast_unsigned());
        }
    }

    /// Eight bytes that are no number.
    pub(crate) fn fixed64(&mut self, field: u32, value: u64) {
        if value != 0 {
            self.key(field, FIXED64);
            self.0.extend_from_slice(&value.to_le_bytes());
        }
    }

    /// Bytes, or a text.
    pub(crate) fn bytes(&mut self, field: u32, value: impl AsRef<[u8]>) {
        let value = value.as_ref();
        if !value.is_empty() {
            self.key(field, LENGTH_DELIMITED);
            varint(self.0, value.len() as u64);
            self.0.extend_from_slice(value);
        }
    }

    /// Many unsigned numbers, packed.
    pub(crate) fn packed(&mut self, field: u32, values: impl IntoIterator<Item = u32>) {
        let mut values = values.into_iter().peekable();
        if values.peek().is_some() {
            self.delimited(field, |out| values.for_each(|value| varint(out, value.into())));
        }
    }

    /// A message that is there.
    pub(crate) fn message(&mut self, field: u32, write: impl FnOnce(&mut Fields<'_>)) {
        self.delimited(field, |out| write(&mut Fields(out)));
    }

    fn present(&mut self, field: u32, value: u64) {
        self.key(field, VARINT);
        varint(self.0, value);
    }

    /// What `write` appends, behind its length.
    fn delimited(&mut self, field: u32, write: impl FnOnce(&mut Vec<u8>)) {
        self.key(field, LENGTH_DELIMITED);
        // Most are short: a length of one byte.
        self.0.push(0);
        let start = self.0.len();
        write(self.0);
        let len = self.0.len() - start;
        if len < 0x80 {
            self.0[start - 1] = len as u8;
        } else {
            let mut length = Vec::new();
            varint(&mut length, len as u64);
            self.0.splice(start - 1..start, length);
        }
    }

    fn key(&mut self, field: u32, wire_type: u32) {
        varint(self.0, (field << 3 | wire_type).into());
    }
}

fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}
