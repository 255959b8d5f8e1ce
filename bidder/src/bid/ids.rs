//! The keys of the person's profile records.

use decision::ids::IdHash;
use decision::privacy::Permit;
use segment_store::IdHasher;

use crate::exchange::request::BidRequest;
use crate::limits::PERSON_IDS_MAX;

/// Up to [`PERSON_IDS_MAX`] keys, held in place.
#[derive(Clone, Copy, Debug, Default)]
pub struct PersonIds {
    keys: [IdHash; PERSON_IDS_MAX],
    len: usize,
}

impl PersonIds {
    /// The keys, most trusted id first.
    pub fn as_slice(&self) -> &[IdHash] {
        &self.keys[..self.len]
    }
}

/// The keys of the ids that a request names a person by; none where they may not be read.
pub fn person_ids(hasher: &IdHasher, view: &BidRequest<'_>, permit: &Permit) -> PersonIds {
    let mut ids = PersonIds::default();
    for (place, parts) in ids.keys.iter_mut().zip(view.person_ids(permit)) {
        *place = hasher.hash(&parts);
        ids.len += 1;
    }
    ids
}
