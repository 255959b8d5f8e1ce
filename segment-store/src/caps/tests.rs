use std::collections::BTreeMap;

use decision::profile::Profile;
use proptest::prelude::*;

use super::*;

const DAY: u32 = 24 * 60 * 60;
const BILLING_S: u32 = 3_600;
/// After this long no event of an impression comes any more.
const EXPIRY_S: u32 = 2 * DAY;

fn event(impression: u8, keep: u8, change: CapChange) -> CapEvent {
    CapEvent {
        impression: ImpressionId([impression; 16]),
        campaign: CampaignId(1),
        creative: CreativeId(2),
        advertiser: AdvertiserId(3),
        segment: Some(SegmentId(4)),
        ghost: false,
        keep: Keep { campaign: keep, ..Keep::default() },
        change,
    }
}

fn counted(caps: &Caps, now: u32, window_s: u32) -> usize {
    let mut impressions = Vec::new();
    caps.impressions(Seconds(now), &mut impressions);
    let profile = Profile { impressions: &impressions, ..Profile::default() };
    profile.impressions_within(CapScope::Campaign(CampaignId(1)), Seconds(now), window_s)
}

/// Steps apart by `;`: `pending ID UNTIL`, `won ID UNTIL`, `released ID UNTIL`, `confirmed ID AT UNTIL` happen at the
/// last `at NOW`; `count WINDOW N` is asserted.
fn check(steps: &str) {
    let (mut caps, mut now) = (Caps::default(), 0);
    for step in steps.split(';') {
        let words: Vec<&str> = step.split_whitespace().collect();
        let number = |at: usize| words[at].parse::<u32>().unwrap();
        let seconds = |at: usize| Seconds(number(at));
        let change = match words[0] {
            "at" => {
                now = number(1);
                continue;
            }
            "count" => {
                assert_eq!(counted(&caps, now, number(1)), number(2) as usize, "{step} at {now} in {steps}");
                continue;
            }
            "pending" => CapChange::Pending { until: seconds(2) },
            "won" => CapChange::Won { until: seconds(2) },
            "released" => CapChange::Released { until: seconds(2) },
            "confirmed" => CapChange::Confirmed { at: seconds(2), until: seconds(3) },
            other => panic!("{other}"),
        };
        caps.apply(&event(number(1) as u8, 3, change), Seconds(now));
    }
}

#[test]
fn the_life_of_an_impression() {
    check("at 100; pending 1 160; count 60 1; at 159; count 1 1; at 160; count 9999 0");
    check("at 100; pending 1 160; won 1 3700; at 3699; count 60 1; at 3700; count 9999 0");
    check("at 100; pending 1 160; released 1 160; count 60 0");
    check(
        "at 100; pending 1 160; won 1 3700; confirmed 1 105 9000; at 164; count 60 1; at 165; count 60 0; count 61 1",
    );
    check("at 100; confirmed 1 100 9000; at 9000; pending 2 9060; at 9500; count 9400 0; count 9401 1");
}

#[test]
fn events_repeated_or_out_of_order() {
    check("at 100; pending 1 160; pending 1 160; count 60 1");
    check(
        "at 100; confirmed 1 99 9000; confirmed 1 98 9000; won 1 3700; pending 1 160; count 60 1; at 158; count 60 0",
    );
    check("at 100; released 1 9000; pending 1 160; won 1 3700; count 60 0");
    check("at 100; released 1 9000; confirmed 1 100 9000; count 60 1");
    check("at 100; won 1 3700; at 120; released 1 120; count 60 0; at 130; won 1 3700; count 60 0");
}

#[test]
fn a_scope_holds_as_many_times_as_its_largest_cap_needs() {
    let mut caps = Caps::default();
    for (impression, keep) in [(1, 2), (2, 2), (3, 2), (4, 3), (5, 1)] {
        let at = Seconds(u32::from(impression));
        caps.apply(&event(impression, keep, CapChange::Confirmed { at, until: at }), Seconds(10));
    }
    assert_eq!(caps.scopes, [(CapScope::Campaign(CampaignId(1)), 3)]);
    assert_eq!(caps.times.iter().map(|time| time.at.0).collect::<Vec<_>>(), [5, 4, 3]);
    caps.settle(Seconds(4 + CAP_TIMES_S_MAX));
    assert_eq!(caps.times.iter().map(|time| time.at.0).collect::<Vec<_>>(), [5]);
    caps.settle(Seconds(5 + CAP_TIMES_S_MAX));
    assert!(caps.is_empty() && caps.scopes.is_empty());
}

#[test]
fn a_full_record_forgets_what_is_least_missed() {
    let mut caps = Caps::default();
    let id = |n: usize| ImpressionId((n as u128).to_le_bytes());
    let mut apply = |n: usize, change| caps.apply(&CapEvent { impression: id(n), ..event(0, 64, change) }, Seconds(0));
    assert_eq!(apply(0, CapChange::Released { until: Seconds(9) }), 0);
    assert_eq!(apply(1, CapChange::Confirmed { at: Seconds(1), until: Seconds(9) }), 0);
    for n in 2..OPEN_IMPRESSIONS_MAX {
        assert_eq!(apply(n, CapChange::Won { until: Seconds(n as u32) }), 0);
    }
    assert_eq!(apply(1_000, CapChange::Won { until: Seconds(1_000) }), 0, "the released one counted nothing");
    assert_eq!(apply(1_001, CapChange::Won { until: Seconds(1_000) }), 1, "the confirmed one is settled early");
    assert_eq!(apply(1_002, CapChange::Won { until: Seconds(1_000) }), 1);
    assert!(!caps.open.iter().any(|open| open.key <= 2));
    assert_eq!(counted(&caps, 0, DAY), OPEN_IMPRESSIONS_MAX + 1);
}

#[test]
fn a_full_record_forgets_the_scope_seen_longest_ago() {
    let mut caps = Caps::default();
    for n in 0..=CAP_SCOPES_MAX as u32 {
        let at = Seconds(if n == 7 { 1 } else { 2 + n });
        let event = event(1, 1, CapChange::Confirmed { at, until: Seconds(0) });
        let forgotten = caps.apply(&CapEvent { campaign: CampaignId(n), ..event }, Seconds(9));
        assert_eq!(forgotten, usize::from(n == CAP_SCOPES_MAX as u32));
    }
    assert_eq!((caps.scopes.len(), caps.times.len()), (CAP_SCOPES_MAX, CAP_SCOPES_MAX));
    assert!(!caps.times.iter().any(|time| time.scope == CapScope::Campaign(CampaignId(7))));
}

/// An impression of the model, or a ghost bid.
#[derive(Clone, Copy, Debug)]
struct Shown {
    born: u32,
    campaign: u32,
    creative: u32,
    /// 0: bought at the default price.
    segment: u32,
    ghost: bool,
}

/// What the model's campaigns need. All are of one advertiser.
const KEEPS: [Keep; 3] = [
    Keep { campaign: 1, creative: 0, advertiser: 4, segment: 0 },
    Keep { campaign: 3, creative: 2, advertiser: 4, segment: 2 },
    Keep { campaign: 64, creative: 5, advertiser: 4, segment: 2 },
];
const ADVERTISER: AdvertiserId = AdvertiserId(3);

/// Every scope of the model, and how many times it has to hold.
fn scopes() -> Vec<(CapScope, u8)> {
    let mut scopes = vec![
        (CapScope::Advertiser(ADVERTISER), 4),
        (CapScope::Segment(SegmentId(1)), 2),
        (CapScope::Segment(SegmentId(2)), 2),
    ];
    for (campaign, keep) in (0..).zip(KEEPS) {
        let ghosts = |scope| CapScope::Ghosts(CampaignId(campaign), scope);
        scopes.push((CapScope::Campaign(CampaignId(campaign)), keep.campaign));
        scopes.push((ghosts(GhostScope::Campaign), keep.campaign.max(keep.advertiser)));
        for creative in [10 * campaign, 10 * campaign + 1].map(CreativeId) {
            scopes.push((CapScope::Creative(creative), keep.creative));
            scopes.push((ghosts(GhostScope::Creative(creative)), keep.creative));
        }
        for segment in [1, 2].map(SegmentId) {
            scopes.push((ghosts(GhostScope::Segment(segment)), keep.segment));
        }
    }
    scopes
}

/// Whether what was shown is counted by a scope.
fn is_in(shown: Shown, scope: CapScope) -> bool {
    let Shown { campaign, creative, segment, ghost, .. } = shown;
    let keep = KEEPS[campaign as usize];
    match scope {
        CapScope::Campaign(id) => !ghost && id.0 == campaign,
        CapScope::Creative(id) => !ghost && id.0 == creative,
        CapScope::Advertiser(_) => !ghost,
        CapScope::Segment(id) => !ghost && id.0 == segment && keep.segment > 0,
        CapScope::Ghosts(id, _) if !ghost || id.0 != campaign => false,
        CapScope::Ghosts(_, GhostScope::Campaign) => true,
        CapScope::Ghosts(_, GhostScope::Creative(id)) => id.0 == creative,
        CapScope::Ghosts(_, GhostScope::Segment(id)) => id.0 == segment && keep.segment > 0,
    }
}

/// One event told to one of a person's ids.
#[derive(Clone, Copy, Debug)]
struct Told {
    id: usize,
    impression: usize,
    kind: u8,
    /// After the impression's birth.
    delay_s: u32,
}

fn any_story() -> impl Strategy<Value = (Vec<Shown>, Vec<Told>)> {
    let shown = (0..40 * DAY, 0_u32..3, 0_u32..2, 0_u32..3, any::<bool>());
    let shown = shown.prop_map(|(born, campaign, creative, segment, ghost)| {
        let creative = 10 * campaign + creative;
        Shown { born, campaign, creative, segment, ghost }
    });
    proptest::collection::vec(shown, 1..24).prop_flat_map(|shown| {
        let delay_s = prop_oneof![0_u32..100, 0..2 * BILLING_S, 0..EXPIRY_S];
        let told = (0_usize..3, 0..shown.len(), 0_u8..5, delay_s).prop_map(|(id, impression, kind, delay_s)| Told {
            id,
            impression,
            kind,
            delay_s,
        });
        (Just(shown), proptest::collection::vec(told, 0..100))
    })
}

fn change_of(told: Told, born: u32) -> CapChange {
    let expiry = Seconds(born + EXPIRY_S);
    match told.kind {
        0 => CapChange::Pending { until: Seconds(born + 60) },
        1 => CapChange::Won { until: Seconds(born + BILLING_S) },
        2 => CapChange::Released { until: expiry },
        // Billed at two different times: the first one counts.
        kind => CapChange::Confirmed { at: Seconds(born + u32::from(kind) * 7), until: expiry },
    }
}

/// The plain reading of the rules: every event of an impression is kept, and read anew each time.
fn model_count(shown: &[Shown], told: &[Told], scope: CapScope, now: u32, window_s: u32) -> usize {
    let mut changes = BTreeMap::<usize, Vec<CapChange>>::new();
    for told in told {
        changes.entry(told.impression).or_default().push(change_of(*told, shown[told.impression].born));
    }
    let counts = |(impression, changes): &(usize, Vec<CapChange>)| {
        let billed = changes.iter().filter_map(|change| match change {
            CapChange::Confirmed { at, .. } => Some(at.0),
            _ => None,
        });
        let released = changes.iter().any(|change| matches!(change, CapChange::Released { .. }));
        let open_until = changes.iter().filter_map(|change| match change {
            CapChange::Pending { until } | CapChange::Won { until } => Some(until.0),
            _ => None,
        });
        is_in(shown[*impression], scope)
            && match billed.min() {
                Some(at) => at + window_s > now,
                None => !released && open_until.max() > Some(now),
            }
    };
    changes.into_iter().filter(counts).count()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn caps_equal_the_model(story in any_story(), later_s in 0..45 * DAY, window_s in 60..=CAP_TIMES_S_MAX) {
        let (shown, mut told) = story;
        told.sort_by_key(|told| shown[told.impression].born + told.delay_s);
        let mut ids: [Caps; 3] = Default::default();
        let check = |ids: &[Caps; 3], so_far: &[Told], now: u32| {
            let (mut all, mut one, mut merged) = (Vec::new(), Vec::new(), Vec::new());
            for caps in ids {
                caps.impressions(Seconds(now), &mut one);
                larger(&all, &one, &mut merged);
                std::mem::swap(&mut all, &mut merged);
            }
            prop_assert!(all.is_sorted_by_key(order));
            let profile = Profile { impressions: &all, ..Profile::default() };
            for (scope, keep) in scopes() {
                for window_s in [window_s, 60, CAP_TIMES_S_MAX] {
                    let real = profile.impressions_within(scope, Seconds(now), window_s);
                    let model = (0..3).map(|id| {
                        let of_id: Vec<_> = so_far.iter().filter(|told| told.id == id).copied().collect();
                        model_count(&shown, &of_id, scope, now, window_s)
                    });
                    // A cap of N asks whether there are N, so numbers above the largest cap are alike.
                    let (model, keep) = (model.max().unwrap(), usize::from(keep));
                    prop_assert_eq!(real.min(keep), model.min(keep), "{:?} at {} in {}", scope, now, window_s);
                }
            }
            Ok(())
        };
        let mut now = 0;
        for (at, event) in told.iter().enumerate() {
            let Shown { born, campaign, creative, segment, ghost } = shown[event.impression];
            now = born + event.delay_s;
            let told_event = CapEvent {
                impression: ImpressionId([event.impression as u8; 16]),
                campaign: CampaignId(campaign),
                creative: CreativeId(creative),
                advertiser: ADVERTISER,
                segment: Some(SegmentId(segment)).filter(|segment| segment.0 > 0),
                ghost,
                keep: KEEPS[campaign as usize],
                change: change_of(*event, born),
            };
            prop_assert_eq!(ids[event.id].apply(&told_event, Seconds(now)), 0);
            check(&ids, &told[..=at], now)?;
        }
        check(&ids, &told, now + later_s)?;
        ids.iter_mut().for_each(|caps| caps.settle(Seconds(now + later_s)));
        check(&ids, &told, now + later_s)?;
    }
}
