//! What a change makes of the memberships that are stored for a person, whatever they are stored in.
//!
//! Each function takes the fields that are stored under the ids of the person (empty where there is none) and gives the
//! field that each id gets, `None` where its field stays.

use decision::ids::{IdHash, SegmentId};
use decision::profile::Membership;
use decision::time::Seconds;

use crate::id_hash::stranger;
use crate::limits::{IDS_MAX, MEMBERSHIPS_MAX};
use crate::profiles::{Join, Refusal};
use crate::record::memberships::{self, Head};

/// A person's memberships, put together from the records of their ids.
struct Person {
    head: Option<Head>,
    memberships: Vec<Membership>,
}

/// The fields after a join.
pub(crate) fn joined(join: &Join<'_>, stored: &[&[u8]], now: Seconds) -> Result<Vec<Option<Vec<u8>>>, Refusal> {
    let Some(first) = join.ids.first() else { return Ok(Vec::new()) };
    let mut person = Person::of(stored, now)?;
    merge(&mut person.memberships, join.memberships);
    person.memberships.retain(|membership| membership.until > now);
    let key = join.person.or(person.head.map(|head| head.person)).unwrap_or_else(|| stranger(*first));
    let field = field(Head { version: person.next_version(), person: key }, &person.memberships)?;
    Ok(vec![Some(field); stored.len()])
}

/// The fields after the person left `segments`.
pub(crate) fn left(segments: &[SegmentId], stored: &[&[u8]], now: Seconds) -> Result<Vec<Option<Vec<u8>>>, Refusal> {
    let mut person = Person::of(stored, now)?;
    let Some(head) = person.head else { return Ok(vec![None; stored.len()]) };
    person.memberships.retain(|membership| !segments.contains(&membership.segment));
    let field = field(Head { version: person.next_version(), ..head }, &person.memberships)?;
    Ok(vec![Some(field); stored.len()])
}

/// The fields after a whole record was put in the place of older ones.
pub(crate) fn put(head: Head, new: &[Membership], stored: &[&[u8]]) -> Result<Vec<Option<Vec<u8>>>, Refusal> {
    let mut merged = Vec::with_capacity(new.len());
    merge(&mut merged, new);
    let field = field(head, &merged)?;
    let mut scratch = Vec::new();
    let put_over = |bytes: &&[u8]| {
        let older = read(bytes, &mut scratch)?.is_none_or(|old| old.version < head.version);
        Ok(older.then(|| field.clone()))
    };
    stored.iter().map(put_over).collect()
}

/// A person has only so many ids.
pub(crate) fn check_ids(ids: &[IdHash]) -> Result<(), Refusal> {
    if ids.len() > IDS_MAX { Err(Refusal::TooManyIds) } else { Ok(()) }
}

impl Person {
    /// Of each person that the records are of, the newest one; all of them together, without what has ended.
    fn of(stored: &[&[u8]], now: Seconds) -> Result<Self, Refusal> {
        let mut records = Vec::with_capacity(stored.len());
        for bytes in stored {
            let mut memberships = Vec::new();
            records.extend(read(bytes, &mut memberships)?.map(|head| (head, memberships)));
        }
        records.sort_by_key(|(head, _)| std::cmp::Reverse(head.version));
        let mut person = Self { head: None, memberships: Vec::new() };
        let mut seen = Vec::with_capacity(records.len());
        for (head, memberships) in records {
            if seen.contains(&head.person) {
                continue;
            }
            seen.push(head.person);
            person.head = person.head.or(Some(head));
            for other in memberships.into_iter().filter(|other| other.until > now) {
                match person.memberships.binary_search_by_key(&other.segment, |own| own.segment) {
                    Ok(at) if person.memberships[at].until >= other.until => {}
                    Ok(at) => person.memberships[at] = other,
                    Err(at) => person.memberships.insert(at, other),
                }
            }
        }
        Ok(person)
    }

    fn next_version(&self) -> u64 {
        self.head.map_or(0, |head| head.version).saturating_add(1)
    }
}

fn read(bytes: &[u8], memberships: &mut Vec<Membership>) -> Result<Option<Head>, Refusal> {
    if bytes.is_empty() {
        return Ok(None);
    }
    memberships::decode(bytes, memberships).map(Some).map_err(|_| Refusal::Unreadable)
}

fn field(head: Head, memberships: &[Membership]) -> Result<Vec<u8>, Refusal> {
    if memberships.len() > MEMBERSHIPS_MAX {
        return Err(Refusal::TooManyMemberships);
    }
    if memberships.iter().any(|membership| membership.confidence > 100) {
        return Err(Refusal::Confidence);
    }
    let mut bytes = Vec::new();
    memberships::encode(head, memberships, &mut bytes);
    Ok(bytes)
}

/// Adds `new` to memberships by ascending segment; of one segment the last holds.
fn merge(memberships: &mut Vec<Membership>, new: &[Membership]) {
    for new in new {
        match memberships.binary_search_by_key(&new.segment, |old| old.segment) {
            Ok(at) => memberships[at] = *new,
            Err(at) => memberships.insert(at, *new),
        }
    }
}
