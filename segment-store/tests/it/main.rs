//! The profile store from outside.
#![allow(clippy::unwrap_used, reason = "a test says what went wrong by panicking, helpers included")]

mod contract;
mod crash;
mod import;
mod memberships;
mod redis;
mod redis_access;
mod redis_faults;
mod redis_versions;
mod server;
mod truth;

use std::cell::Cell;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use decision::ids::{AdvertiserId, CampaignId, CreativeId, IdHash, ImpressionId, PersonKey, SegmentId};
use decision::privacy::{Permit, Signals};
use decision::profile::Membership;
use decision::time::{Micros, Seconds};
use segment_store::{CapChange, CapEvent, Keep, LocalProfiles, ProfileBuffer, Profiles};
use tokio::time::Instant;

/// Times of tests are seconds after this one, in 2065: a store that drops what has ended by its own clock keeps them.
const EPOCH: u32 = 3_000_000_000;
/// When tests happen: second 1,000,000.
const NOW: Micros = Micros((EPOCH as i64 + 1_000_000) * 1_000_000);

fn at(seconds: u32) -> Seconds {
    Seconds(EPOCH + seconds)
}

fn local(path: &Path) -> Profiles {
    Profiles::Local(Arc::new(LocalProfiles::open(path).unwrap()))
}

thread_local! {
    /// What keeps this test apart from others in the same store.
    static SALT: Cell<u64> = const { Cell::new(0) };
}

/// An id, one for each number.
fn id(number: u64) -> IdHash {
    let (hasher, number) = (segment_store::IdHasher::new([1; 16]), number.to_string());
    match SALT.get() {
        0 => hasher.hash(&[&number]),
        salt => hasher.hash(&[&salt.to_string(), "/", &number]),
    }
}

fn membership(segment: u32, until: u32) -> Membership {
    Membership { segment: SegmentId(segment), until: at(until), confidence: 100 }
}

fn event(impression: u8, change: CapChange) -> CapEvent {
    CapEvent {
        impression: ImpressionId([impression; 16]),
        campaign: CampaignId(1),
        creative: CreativeId(2),
        advertiser: AdvertiserId(3),
        segment: Some(SegmentId(4)),
        ghost: false,
        keep: Keep { campaign: 3, creative: 5, ..Keep::default() },
        change,
    }
}

/// A deadline that no test reaches.
fn soon() -> Instant {
    Instant::now() + Duration::from_secs(60)
}

/// A profile as text: the memberships as `segment:until`, then impressions as `scope@time`.
async fn shown(profiles: &Profiles, ids: &[IdHash]) -> String {
    let mut buffer = ProfileBuffer::new();
    profiles.read(Permit::of(&Signals::default()), ids, NOW, soon(), &mut buffer).await.unwrap();
    let profile = buffer.profile();
    let memberships = profile.memberships.iter().map(|m| format!("{}:{}", m.segment, m.until.0 - EPOCH));
    let impressions = profile.impressions.iter().map(|i| format!("{:?}@{}", i.scope, i.at.0 - EPOCH));
    memberships.chain(impressions).collect::<Vec<_>>().join(" ")
}

async fn person(profiles: &Profiles, ids: &[IdHash]) -> PersonKey {
    let mut buffer = ProfileBuffer::new();
    profiles.read(Permit::of(&Signals::default()), ids, NOW, soon(), &mut buffer).await.unwrap();
    buffer.profile().person
}
