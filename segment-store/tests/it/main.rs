//! The profile store from outside.
#![allow(clippy::unwrap_used, reason = "a test says what went wrong by panicking, helpers included")]

mod contract;
mod crash;
mod import;
mod memberships;

use std::path::Path;
use std::sync::Arc;

use decision::ids::{CampaignId, CreativeId, IdHash, ImpressionId, PersonKey, SegmentId};
use decision::privacy::{Permit, Signals};
use decision::profile::Membership;
use decision::time::{Micros, Seconds};
use segment_store::{CapChange, CapEvent, Keep, LocalProfiles, ProfileBuffer, Profiles};

/// When tests happen: second 1,000,000.
const NOW: Micros = Micros(1_000_000_000_000);

fn local(path: &Path) -> Profiles {
    Profiles::Local(Arc::new(LocalProfiles::open(path).unwrap()))
}

/// An id, one for each number.
fn id(number: u64) -> IdHash {
    segment_store::IdHasher::new([1; 16]).hash(&[&number.to_string()])
}

fn membership(segment: u32, until: u32) -> Membership {
    Membership { segment: SegmentId(segment), until: Seconds(until), confidence: 100 }
}

fn event(impression: u8, change: CapChange) -> CapEvent {
    CapEvent {
        impression: ImpressionId([impression; 16]),
        campaign: CampaignId(1),
        creative: CreativeId(2),
        keep: Keep { campaign: 3, creative: 5 },
        change,
    }
}

/// A profile as text: the memberships as `segment:until`, then impressions as `scope@time`.
async fn shown(profiles: &Profiles, ids: &[IdHash]) -> String {
    let mut buffer = ProfileBuffer::new();
    profiles.read(Permit::of(&Signals::default()), ids, NOW, &mut buffer).await.unwrap();
    let profile = buffer.profile();
    let memberships = profile.memberships.iter().map(|m| format!("{}:{}", m.segment, m.until.0));
    let impressions = profile.impressions.iter().map(|i| format!("{:?}@{}", i.scope, i.at.0));
    memberships.chain(impressions).collect::<Vec<_>>().join(" ")
}

async fn person(profiles: &Profiles, ids: &[IdHash]) -> PersonKey {
    let mut buffer = ProfileBuffer::new();
    profiles.read(Permit::of(&Signals::default()), ids, NOW, &mut buffer).await.unwrap();
    buffer.profile().person
}
