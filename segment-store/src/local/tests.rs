use decision::ids::{AdvertiserId, CampaignId, CreativeId, ImpressionId, PersonKey, SegmentId};
use decision::privacy::{Permit, Signals};
use decision::profile::{Keep, Membership};
use decision::time::Seconds;

use super::*;
use crate::caps::CapChange;
use crate::profiles::Profiles;

const ID: IdHash = IdHash([7; 16]);
const NOW: Micros = Micros(1_000_000_000);

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

fn open(path: &Path) -> (Arc<LocalProfiles>, Profiles) {
    let local = Arc::new(LocalProfiles::open(path).unwrap());
    (Arc::clone(&local), Profiles::Local(local))
}

fn membership(segment: u32, until: u32) -> Membership {
    Membership { segment: SegmentId(segment), until: Seconds(until), confidence: 100 }
}

fn event(change: CapChange) -> CapEvent {
    let keep = Keep { campaign: 3, creative: 3, ..Keep::default() };
    let (campaign, creative) = (CampaignId(1), CreativeId(1));
    let (advertiser, segment, ghost) = (AdvertiserId(1), None, false);
    CapEvent { impression: ImpressionId([1; 16]), campaign, creative, advertiser, segment, ghost, keep, change }
}

#[test]
fn a_corrupt_record_fails_and_is_counted_until_it_is_removed() {
    block_on(async {
        let folder = tempfile::tempdir().unwrap();
        let (local, profiles) = open(folder.path());
        let permit = Permit::of(&Signals::default());
        let mut buffer = ProfileBuffer::new();
        let corruptions: [fn(&mut shards::Record); 2] = [|r| r.set_memberships(&[1, 2, 3]), |r| r.set_caps(&[9])];
        for corrupt in corruptions {
            let before = profiles.stats().corrupt;
            local.shards.lock(&ID).change(&ID, corrupt);
            let other = IdHash([8; 16]);
            for ids in [&[ID][..], &[other, ID]] {
                assert_eq!(
                    profiles.read(permit, ids, NOW, tokio::time::Instant::now(), &mut buffer).await,
                    Err(UnknownWhy::Failed)
                );
                assert_eq!(buffer.profile(), decision::profile::Profile::default());
            }
            assert_eq!(profiles.stats().corrupt, before + 2);
            profiles.remove(&[ID]).await.unwrap();
            assert_eq!(profiles.read(permit, &[ID], NOW, tokio::time::Instant::now(), &mut buffer).await, Ok(()));
        }

        local.shards.lock(&ID).change(&ID, |record| record.set_memberships(&[1, 2, 3]));
        let join = Join { ids: &[ID], person: None, memberships: &[membership(1, 2_000)] };
        assert_eq!(profiles.join(&join, NOW).await, Err(Refusal::Unreadable.into()));
        assert_eq!(profiles.leave(&[ID], &[SegmentId(1)], NOW).await, Err(Refusal::Unreadable.into()));
        assert_eq!(profiles.put(&[ID], 9, PersonKey::default(), &[]).await, Err(Refusal::Unreadable.into()));

        local.shards.lock(&ID).change(&ID, |record| record.set_caps(&[9]));
        profiles.count(&[ID], &event(CapChange::Won { until: Seconds(2_000) }), NOW);
        assert_eq!(*local.shards.lock(&ID).get(&ID).unwrap().caps, [9], "left as it was");
    });
}

#[test]
fn a_sweep_drops_what_has_ended_here_and_on_disk() {
    block_on(async {
        let folder = tempfile::tempdir().unwrap();
        let (local, profiles) = open(folder.path());
        let ids: Vec<_> = (0..100_u8).map(|n| IdHash([n; 16])).collect();
        for (n, id) in (0..).zip(&ids) {
            let memberships = [membership(1, 2_000), membership(2, if n < 60 { 2_000 } else { 3_000 })];
            let join = Join { ids: &[*id], person: None, memberships: &memberships };
            assert_eq!(local.join(&join, NOW), Ok(()));
        }
        // Of this one the caps are still needed, and so is its person key.
        profiles.count(&ids[..1], &event(CapChange::Confirmed { at: Seconds(1_000), until: Seconds(1_000) }), NOW);
        let before = Swept::default();
        assert_eq!(profiles.sweep(Micros(1_999_000_000)), before);
        assert_eq!(profiles.sweep(Micros(2_000_000_000)), Swept { memberships: 160, records: 59 });
        assert_eq!(profiles.sweep(Micros(2_000_000_000)), before);
        profiles.flush().await.unwrap();
        assert_eq!(profiles.stats().records, Some(41));
        drop((local, profiles));

        let (local, profiles) = open(folder.path());
        assert_eq!(profiles.stats().records, Some(41));
        let mut left = Vec::new();
        assert!(record::memberships::decode(&local.memberships_of(&ids[0]), &mut left).is_ok());
        assert_eq!(left, []);
        record::memberships::decode(&local.memberships_of(&ids[60]), &mut left).unwrap();
        assert_eq!(left, [membership(2, 3_000)]);
        assert_eq!(profiles.sweep(Micros(4_000_000_000_000)).records, 41);
    });
}

#[test]
fn a_directory_is_open_once() {
    let folder = tempfile::tempdir().unwrap();
    let (local, profiles) = open(folder.path());
    assert!(matches!(LocalProfiles::open(folder.path()), Err(StoreError::Failed(_))));
    drop((local, profiles));
    open(folder.path());
    let file = folder.path().join("file");
    std::fs::write(&file, "no directory").unwrap();
    assert!(matches!(LocalProfiles::open(&file), Err(StoreError::Failed(_))));
}
