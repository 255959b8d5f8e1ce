//! What every implementation of the profile store must do. Each runs this one suite: [`fill`] on an empty store, then
//! [`judge`], and [`judge`] again after the store was closed and opened.

use decision::privacy::{Flag, Permit, Signals};
use decision::profile::UnknownWhy;
use segment_store::{Join, Refusal, StoreError, limits, stranger};

use super::*;

pub(crate) async fn fill(profiles: &Profiles) {
    memberships(profiles).await;
    linked_ids(profiles).await;
    versions(profiles).await;
    refusals(profiles).await;
    caps(profiles);
    caps_after_a_look_up(profiles).await;
    profiles.flush().await.unwrap();
}

async fn join(profiles: &Profiles, ids: &[u64], memberships: &[Membership]) {
    let ids: Vec<_> = ids.iter().copied().map(id).collect();
    profiles.join(&Join { ids: &ids, person: None, memberships }, NOW).await.unwrap();
}

async fn memberships(profiles: &Profiles) {
    join(profiles, &[10], &[membership(7, 2_000_000), membership(3, 2_000_000)]).await;
    join(profiles, &[11], &[membership(7, 2_000_000), membership(3, 2_000_000)]).await;
    join(profiles, &[11], &[membership(7, 1_500_000), membership(5, 3_000_000), membership(5, 2_000_000)]).await;
    join(profiles, &[12], &[membership(7, 2_000_000), membership(3, 2_000_000)]).await;
    join(profiles, &[12], &[membership(7, 1_000_000)]).await;
    join(profiles, &[13], &[membership(1, 2_000_000), membership(2, 2_000_000), membership(3, 2_000_000)]).await;
    profiles.leave(&[id(13)], &[SegmentId(3), SegmentId(1), SegmentId(9)], NOW).await.unwrap();
    join(profiles, &[14], &[membership(1, 2_000_000)]).await;
    profiles.count(&[id(14)], &event(1, CapChange::Won { until: at(2_000_000) }), NOW);
    profiles.remove(&[id(14), id(1)]).await.unwrap();
    profiles.leave(&[id(1)], &[SegmentId(1)], NOW).await.unwrap();
}

async fn linked_ids(profiles: &Profiles) {
    // One person from the start; then something is written under one of the ids only.
    join(profiles, &[20, 21], &[membership(1, 2_000_000), membership(2, 2_000_000)]).await;
    profiles.leave(&[id(20)], &[SegmentId(1)], NOW).await.unwrap();
    // Two people who turn out to be one.
    join(profiles, &[22], &[membership(1, 3_000_000), membership(2, 2_000_000)]).await;
    join(profiles, &[23], &[membership(1, 2_000_000), membership(3, 2_000_000)]).await;
    join(profiles, &[22, 23], &[]).await;
    // Of the same person, what was left is not brought back by a record that has not heard of it.
    join(profiles, &[24, 25], &[membership(1, 2_000_000)]).await;
    profiles.leave(&[id(24)], &[SegmentId(1)], NOW).await.unwrap();
    join(profiles, &[24, 25], &[membership(2, 2_000_000)]).await;
}

async fn versions(profiles: &Profiles) {
    let key = PersonKey([9; 16]);
    let ids = [id(30), id(31)];
    assert_eq!(profiles.put(&ids[..1], 5, key, &[membership(1, 2_000_000)]).await, Ok(1));
    assert_eq!(profiles.put(&ids[..1], 5, key, &[membership(2, 2_000_000)]).await, Ok(0));
    assert_eq!(profiles.put(&ids[..1], 4, key, &[membership(2, 2_000_000)]).await, Ok(0));
    assert_eq!(profiles.put(&ids, 5, key, &[membership(4, 2_000_000), membership(3, 2_000_000)]).await, Ok(1));
    // A join is newer than what it adds to.
    join(profiles, &[32], &[membership(1, 2_000_000)]).await;
    join(profiles, &[32], &[membership(2, 2_000_000)]).await;
    assert_eq!(profiles.put(&[id(32)], 2, key, &[]).await, Ok(0));
    assert_eq!(profiles.put(&[id(33)], 2, key, &[membership(1, 2_000_000)]).await, Ok(1));
    let renamed = Join { ids: &[id(33)], person: Some(PersonKey([8; 16])), memberships: &[] };
    profiles.join(&renamed, NOW).await.unwrap();
}

async fn refusals(profiles: &Profiles) {
    let many: Vec<_> = (0..=limits::IDS_MAX as u64).map(|n| id(40 + n)).collect();
    let wide: Vec<_> = (0..=limits::MEMBERSHIPS_MAX as u32).map(|n| membership(n, 2_000_000)).collect();
    let unsure = [Membership { confidence: 101, ..membership(1, 2_000_000) }];
    let of = |ids, memberships| Join { ids, person: None, memberships };
    let joins = [of(&many[..], &[]), of(&many[..1], &wide), of(&many[..1], &unsure), of(&many[..2], &wide[1..])];
    let results = profiles.join_all(&joins, NOW).await.unwrap();
    let refused = [Refusal::TooManyIds, Refusal::TooManyMemberships, Refusal::Confidence].map(Err);
    assert_eq!(results, [&refused[..], &[Ok(())]].concat());
    assert_eq!(profiles.join(&joins[0], NOW).await, Err(StoreError::Refused(Refusal::TooManyIds)));
    assert_eq!(profiles.leave(&many, &[], NOW).await, Err(StoreError::Refused(Refusal::TooManyIds)));
    assert_eq!(profiles.put(&many, 1, PersonKey::default(), &[]).await, Err(StoreError::Refused(Refusal::TooManyIds)));
    assert_eq!(profiles.join(&of(&[], &wide[1..]), NOW).await, Ok(()));
}

fn caps(profiles: &Profiles) {
    let until = at(2_000_000);
    let confirmed = |seconds| CapChange::Confirmed { at: at(seconds), until: at(1_000_100) };
    profiles.count(&[id(60), id(61)], &event(1, CapChange::Pending { until: at(1_000_060) }), NOW);
    for _ in 0..2 {
        profiles.count(&[id(61), id(60)], &event(1, confirmed(999_990)), NOW);
        profiles.count(&[id(60), id(61)], &event(2, CapChange::Won { until }), NOW);
        profiles.count(&[id(60), id(61)], &event(3, CapChange::Released { until }), NOW);
        profiles.count(&[id(60), id(61)], &event(3, CapChange::Won { until }), NOW);
    }
    // Ids that have not heard the same: the larger count, for each window.
    profiles.count(&[id(62)], &event(1, confirmed(999_990)), NOW);
    profiles.count(&[id(62)], &event(2, confirmed(999_980)), NOW);
    profiles.count(&[id(63)], &event(3, confirmed(999_985)), NOW);
    profiles.count(&[id(63)], &event(4, confirmed(999_984)), NOW);
    // Long settled: only as many as the caps need.
    for n in 0..9 {
        let at = at(990_000 + u32::from(n));
        profiles.count(&[id(64)], &event(n, CapChange::Confirmed { at, until: at }), NOW);
    }
    // No cap, no record; and an auction that is over.
    profiles.count(&[id(65)], &CapEvent { keep: Keep::default(), ..event(1, confirmed(1)) }, NOW);
    profiles.count(&[id(65)], &event(1, CapChange::Pending { until: at(1_000_000) }), NOW);
}

/// What was read before may be true still, or no longer, or nothing at all.
async fn caps_after_a_look_up(profiles: &Profiles) {
    let ids = [id(66), id(67)];
    join(profiles, &[66], &[membership(1, 2_000_000)]).await;
    let mut read = ProfileBuffer::new();
    profiles.read(Permit::of(&Signals::default()), &ids, NOW, soon(), &mut read).await.unwrap();
    let won = |number, seconds| event(number, CapChange::Confirmed { at: at(seconds), until: at(2_000_000) });
    profiles.count_after(&read, &ids, &[won(1, 999_901)], NOW);
    profiles.flush().await.unwrap();
    join(profiles, &[66], &[membership(2, 2_000_000)]).await;
    profiles.count_after(&read, &ids, &[won(2, 999_902)], NOW);
    profiles.count_after(&ProfileBuffer::new(), &ids, &[won(3, 999_903)], NOW);
    profiles.count(&ids, &won(1, 999_901), NOW);
    // Several at once, most of which no cap counts, for ids of which one has heard more than the other.
    let uncounted = |number: u128| CapEvent {
        impression: ImpressionId(number.to_le_bytes()),
        keep: Keep::default(),
        ..won(4, 999_904)
    };
    let many = (100..).take(limits::OPEN_IMPRESSIONS_MAX).map(uncounted);
    profiles.count(&[id(69)], &won(5, 999_905), NOW);
    let ids = [id(68), id(69), id(70)];
    profiles.count_after(
        &ProfileBuffer::new(),
        &ids,
        &many.chain([won(6, 999_906), won(7, 999_907)]).collect::<Vec<_>>(),
        NOW,
    );
    profiles.count_after(&ProfileBuffer::new(), &[id(71)], &[uncounted(4)], NOW);
    profiles.count_after(&ProfileBuffer::new(), &[id(71)], &[], NOW);
}

pub(crate) async fn judge(profiles: &Profiles) {
    permits(profiles).await;
    let check = async |ids: &[u64], expected: &str| {
        let hashes: Vec<_> = ids.iter().copied().map(id).collect();
        assert_eq!(shown(profiles, &hashes).await, expected, "ids {ids:?}");
    };
    check(&[1], "").await;
    check(&[10], "3:2000000 7:2000000").await;
    check(&[11], "3:2000000 5:2000000 7:1500000").await;
    check(&[12], "3:2000000").await;
    check(&[13], "2:2000000").await;
    check(&[14], "").await;
    check(&[1, 10], "3:2000000 7:2000000").await;

    for ids in [&[20][..], &[20, 21], &[21, 20], &[21, 20, 1]] {
        check(ids, "2:2000000").await;
    }
    check(&[21], "1:2000000 2:2000000").await;
    for ids in [&[22][..], &[23], &[23, 22]] {
        check(ids, "1:3000000 2:2000000 3:2000000").await;
    }
    check(&[24], "2:2000000").await;
    check(&[25], "2:2000000").await;

    check(&[30], "1:2000000").await;
    check(&[31], "3:2000000 4:2000000").await;
    check(&[32], "1:2000000 2:2000000").await;
    people(profiles).await;
    assert!(shown(profiles, &[id(40)]).await.ends_with(" 1024:2000000"));
    check(&[42], "").await;

    let (campaign, creative) = ("Campaign(CampaignId(1))", "Creative(CreativeId(2))");
    let times = |all: &[u32]| {
        let of = |scope: &str, keep: usize| all.iter().take(keep).map(|at| format!("{scope}@{at}")).collect::<Vec<_>>();
        [of(campaign, 3), of(creative, 5)].concat().join(" ")
    };
    for ids in [&[60][..], &[61], &[60, 61], &[61, 1]] {
        check(ids, &times(&[1_000_000, 999_990])).await;
    }
    check(&[62, 63], &times(&[999_990, 999_984])).await;
    check(&[63, 62], &times(&[999_990, 999_984])).await;
    check(&[64], &times(&[990_008, 990_007, 990_006, 990_005, 990_004])).await;
    check(&[65], "").await;
    let counted = times(&[999_903, 999_902, 999_901]);
    check(&[66], &format!("1:2000000 2:2000000 {counted}")).await;
    check(&[67], &counted).await;
    check(&[68], &times(&[999_907, 999_906])).await;
    check(&[69], &times(&[999_907, 999_906, 999_905])).await;
    check(&[70], &times(&[999_907, 999_906])).await;
    check(&[71], "").await;
    check(&[10, 64], &format!("3:2000000 7:2000000 {}", times(&[990_008, 990_007, 990_006, 990_005, 990_004]))).await;

    let stats = profiles.stats();
    assert_eq!((stats.corrupt, stats.forgotten_impressions, stats.failed), (0, 0, false));
    assert!(stats.records.is_none_or(|records| records == 26), "{stats:?}");
}

async fn permits(profiles: &Profiles) {
    let mut buffer = ProfileBuffer::new();
    let permit = Permit::of(&Signals::default());
    let restricted = Permit::of(&Signals { gpc: Flag::On, ..Signals::default() });
    assert_eq!(profiles.read(permit, &[id(10)], NOW, soon(), &mut buffer).await, Ok(()));
    assert_eq!(profiles.read(restricted, &[id(10)], NOW, soon(), &mut buffer).await, Err(UnknownWhy::NotPermitted));
    assert_eq!(buffer.profile(), Default::default());
    assert_eq!(profiles.read(restricted, &[], NOW, soon(), &mut buffer).await, Err(UnknownWhy::NotPermitted));
    assert_eq!(profiles.read(permit, &[], NOW, soon(), &mut buffer).await, Err(UnknownWhy::NoId));
    // Ids beyond the bound are left out.
    let strangers: Vec<_> = (0..limits::IDS_MAX as u64).map(|n| id(900 + n)).chain([id(10)]).collect();
    assert_eq!(shown(profiles, &strangers).await, "");
    assert_ne!(shown(profiles, &strangers[1..]).await, "");
}

async fn people(profiles: &Profiles) {
    assert_eq!(person(profiles, &[id(1), id(2)]).await, stranger(id(1)));
    assert_eq!(person(profiles, &[id(10)]).await, stranger(id(10)));
    assert_eq!(person(profiles, &[id(1), id(10)]).await, stranger(id(10)), "a record's key is known");
    assert_eq!(person(profiles, &[id(60)]).await, stranger(id(60)), "caps name nobody");
    assert_eq!(person(profiles, &[id(21)]).await, stranger(id(20)));
    assert_eq!(person(profiles, &[id(23)]).await, person(profiles, &[id(22)]).await);
    assert_eq!(person(profiles, &[id(30)]).await, PersonKey([9; 16]));
    assert_eq!(person(profiles, &[id(33)]).await, PersonKey([8; 16]));
}

#[tokio::test]
async fn local_profiles() {
    let folder = tempfile::tempdir().unwrap();
    let profiles = local(folder.path());
    fill(&profiles).await;
    judge(&profiles).await;
    drop(profiles);
    judge(&local(folder.path())).await;
}

#[tokio::test]
async fn what_was_counted_is_written_when_a_local_store_is_closed() {
    let folder = tempfile::tempdir().unwrap();
    let profiles = local(folder.path());
    profiles.count(&[id(1)], &event(1, CapChange::Won { until: at(2_000_000) }), NOW);
    let before = shown(&profiles, &[id(1)]).await;
    drop(profiles);
    assert_eq!(shown(&local(folder.path()), &[id(1)]).await, before);
    assert_ne!(before, "");
}
