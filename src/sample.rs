//! The people of the demonstration: who is in which of the sample's micro-segments. Their campaigns are published from
//! `deploy/sample` through the same path as everybody's.

use bidder::campaigns::Snapshot;
use decision::experiment::arm;
use decision::ids::{PersonKey, SegmentId};
use decision::outcome::Arm;
use decision::profile::Membership;
use decision::time::Micros;
use segment_store::{IdHasher, Join, Profiles, stranger};

/// How many visitors there are to try the bidder with by hand: more than their frequency caps can wear out.
pub(crate) const VISITORS: u32 = 32_768;

/// The sample's segments that people are put into, the ones with most people first.
const SEGMENTS: [&str; 6] = [
    "cart-24h/shoes/high",
    "cart-24h/shoes/low",
    "tutorial-finished/trail-running",
    "cart-24h/jackets/high",
    "high-value/high-intent",
    "tutorial-finished/navigation",
];

/// How sure the sample is of its memberships, in percent.
const CONFIDENCE: u8 = 90;
/// How long they last, in seconds: a day, as an abandoned cart does.
const LIFE_S: u32 = 24 * 60 * 60;
/// People written at once.
const BATCH: usize = 4_096;

/// The id of the simulated person `number`.
pub(crate) fn person_id(number: u32) -> String {
    format!("person-{number}")
}

/// The id of a visitor to try the bidder with by hand. Visitors are in the first segment of the sample, and no
/// experiment holds them out.
pub(crate) fn visitor_id(number: u32) -> String {
    format!("visitor-{number}")
}

/// Puts `people` simulated people and the visitors into the sample's segments; those who are there stay a day longer.
///
/// # Errors
/// Where the store fails.
pub(crate) async fn join(
    profiles: &Profiles,
    hasher: &IdHasher,
    snapshot: &Snapshot,
    people: u32,
    now: Micros,
) -> Result<(), String> {
    let segments: Vec<SegmentId> = SEGMENTS.iter().filter_map(|name| snapshot.segment_named(name)).collect();
    let Some(first) = segments.first() else { return Ok(()) };
    let everyone = (0..people).map(|number| (person_id(number), None, segments_of(number, &segments))).chain(
        (0..VISITORS).map(|number| {
            let id = visitor_id(number);
            let person = treated(snapshot, hasher, &id);
            (id, Some(person), vec![*first])
        }),
    );
    let everyone: Vec<_> = everyone.filter(|(.., segments)| !segments.is_empty()).collect();
    for batch in everyone.chunks(BATCH) {
        let until = now.seconds() + LIFE_S;
        let prepared: Vec<_> = batch
            .iter()
            .map(|(id, person, segments)| {
                let membership = |segment: &SegmentId| Membership { segment: *segment, until, confidence: CONFIDENCE };
                ([hasher.hash(&[id])], *person, segments.iter().map(membership).collect::<Vec<_>>())
            })
            .collect();
        let joins: Vec<Join<'_>> =
            prepared.iter().map(|(ids, person, memberships)| Join { ids, person: *person, memberships }).collect();
        profiles.join_all(&joins, now).await.map_err(|problem| problem.to_string())?;
    }
    Ok(())
}

/// A quarter are strangers; the others are in one segment or two, the earlier ones of the list more often.
fn segments_of(number: u32, segments: &[SegmentId]) -> Vec<SegmentId> {
    let mixed = number.wrapping_mul(0x9e37_79b9).rotate_left(15).wrapping_mul(0x85eb_ca6b);
    let pick = |bits: u32| {
        let (a, b) = (bits & 0xff, (bits >> 8) & 0xff);
        segments[a.min(b) as usize * segments.len() / 256]
    };
    let mut found = match mixed & 3 {
        0 => Vec::new(),
        1 => vec![pick(mixed >> 2), pick(mixed >> 18)],
        _ => vec![pick(mixed >> 2)],
    };
    found.sort_unstable();
    found.dedup();
    found
}

/// A person key that no experiment of the campaigns in force holds out: derived from the person's hashed id as any
/// stranger's is, or from another hash of the secret key where that one is held out.
fn treated(snapshot: &Snapshot, hasher: &IdHasher, id: &str) -> PersonKey {
    let key = |round: u32| match round {
        0 => stranger(hasher.hash(&[id])),
        round => stranger(hasher.hash(&[id, "/", &round.to_string()])),
    };
    let held_out = |person: PersonKey| {
        let campaigns = snapshot.index.campaigns().iter();
        campaigns.into_iter().any(|campaign| arm(campaign.experiment.as_ref(), Some(person)) == Arm::HeldOut)
    };
    (0..64).map(key).find(|person| !held_out(*person)).unwrap_or_else(|| key(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sample_declares_every_segment() {
        let declared =
            |name: &str| control_plane::SAMPLE.iter().any(|(_, text)| text.contains(&format!("segment: {name}\n")));
        assert_eq!(SEGMENTS.iter().find(|name| !declared(name)), None);
    }

    #[test]
    fn a_quarter_are_strangers_and_every_segment_has_people() {
        let segments: Vec<SegmentId> = (1..=6).map(SegmentId).collect();
        let people: Vec<_> = (0..2_000).map(|number| segments_of(number, &segments)).collect();
        let strangers = people.iter().filter(|segments| segments.is_empty()).count();
        assert!((400..600).contains(&strangers), "{strangers}");
        for segment in &segments {
            assert!(people.iter().filter(|held| held.contains(segment)).count() > 20, "{segment}");
        }
    }
}
