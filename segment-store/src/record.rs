//! The profile record: what stands under the hash of one id, in the same bytes in memory, on disk and on the wire.
//!
//! Two fields, each with one writer: memberships ([`memberships`]) and caps ([`caps`]). Each begins with the version of
//! its form, so that old and new nodes run side by side, and each state has exactly one form: what decodes encodes to
//! the same bytes.

pub(crate) mod bytes;
pub(crate) mod caps;
pub(crate) mod memberships;

/// The bytes are not a record. Such a record is never taken for a stranger's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Corrupt;
