//! The profile record: what stands under the hash of one id, in the same bytes in memory, on disk and on the wire.
//!
//! Two fields: memberships ([`memberships`]) and caps ([`caps`]), put together ([`whole`]) in a store that has one value for
//! each id. Each begins with the version of its form, so that old and new nodes run side by side, and each state has exactly
//! one form: what decodes encodes to the same bytes. A form that is newer than the reader is corrupt to it: the person is
//! unknown, and nothing is written over the record.

pub(crate) mod bytes;
pub(crate) mod caps;
pub(crate) mod memberships;
pub(crate) mod whole;

/// The bytes are not a record. Such a record is never taken for a stranger's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Corrupt;
