use proptest::prelude::*;

use super::*;
use crate::caps::CapEvent;

fn encoded(caps: &Caps) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode(caps, &mut bytes);
    bytes
}

fn decoded(bytes: &[u8]) -> Result<Caps, Corrupt> {
    let mut caps = sample();
    decode(bytes, &mut caps).map(|()| caps)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn open(key: u64, state: State) -> Open {
    let keep = Keep { campaign: 3, ..Keep::default() };
    let (advertiser, segment, ghost) = (AdvertiserId(0), SegmentId(0), false);
    let (campaign, creative, until) = (CampaignId(300), CreativeId(7), Seconds(1_795_003_600));
    Open { key, campaign, creative, advertiser, segment, ghost, keep, state, until }
}

fn sample() -> Caps {
    let campaign = CapScope::Campaign(CampaignId(300));
    let creative = CapScope::Creative(CreativeId(7));
    let time = |scope, at| Impression { scope, at: Seconds(at) };
    Caps {
        scopes: vec![(campaign, 3), (creative, 64)],
        times: vec![time(campaign, 1_795_000_000), time(campaign, 1_795_000_000), time(creative, 1_794_900_000)],
        open: vec![
            open(1, State::Pending),
            open(2, State::Won),
            open(3, State::Released),
            open(u64::MAX, State::Confirmed(Seconds(1_795_000_100))),
        ],
    }
}

/// What older nodes cannot read.
fn wide_sample() -> Caps {
    let (campaign, creative, segment) = (CampaignId(300), CreativeId(7), SegmentId(200));
    let scopes = [
        CapScope::Campaign(campaign),
        CapScope::Advertiser(AdvertiserId(5)),
        CapScope::Segment(segment),
        CapScope::Ghosts(campaign, GhostScope::Campaign),
        CapScope::Ghosts(campaign, GhostScope::Creative(creative)),
        CapScope::Ghosts(campaign, GhostScope::Segment(segment)),
    ];
    let plain = open(1, State::Pending);
    let keep = Keep { advertiser: 4, segment: 2, ..plain.keep };
    Caps {
        scopes: scopes.map(|scope| (scope, 2)).to_vec(),
        times: scopes.map(|scope| Impression { scope, at: Seconds(1_795_000_000) }).to_vec(),
        open: vec![
            plain,
            Open { key: 2, advertiser: AdvertiserId(5), segment, keep, ..open(2, State::Won) },
            Open { ghost: true, ..open(3, State::Confirmed(Seconds(1_795_000_100))) },
        ],
    }
}

/// What was once written must be read forever: a line here is never changed, only added.
#[test]
fn golden_bytes() {
    let check = |caps: &Caps, golden: &str| {
        let bytes = encoded(caps);
        assert_eq!(hex(&bytes), golden);
        assert_eq!(decoded(&bytes).as_ref(), Ok(caps));
    };
    check(&Caps::default(), "010000");
    check(
        &sample(),
        "0102\
         00ac020302c086fd6a00\
         010740012000fc6a\
         04\
         010000000000000000ac02070300d094fd6a\
         020000000000000001ac02070300d094fd6a\
         030000000000000002ac02070300d094fd6a\
         ffffffffffffffff03ac02070300d094fd6a2487fd6a",
    );
    check(
        &wide_sample(),
        "0206\
         00ac020201c086fd6a\
         02050201c086fd6a\
         03c8010201c086fd6a\
         04ac020201c086fd6a\
         05ac02070201c086fd6a\
         06ac02c8010201c086fd6a\
         03\
         010000000000000000ac020703000000d094fd6a\
         020000000000000001ac02070300040502c801d094fd6a\
         030000000000000007ac020703000000d094fd6a2487fd6a",
    );
}

#[test]
fn corrupt() {
    let good = encoded(&sample());
    let check = |what: &str, change: &dyn Fn(&mut Vec<u8>)| {
        let mut bad = good.clone();
        change(&mut bad);
        assert_eq!(decoded(&bad), Err(Corrupt), "{what}");
    };
    check("another form", &|bad| bad[0] = 3);
    check("what form 1 can say in form 2", &|bad| bad[0] = 2);
    check("another kind of scope", &|bad| bad[2] = 2);
    check("a scope before the one before", &|bad| bad[2] = 1);
    check("a cap of 65", &|bad| bad[5] = 65);
    check("a scope without times", &|bad| bad[6] = 0);
    check("more times than the cap needs", &|bad| bad[5] = 1);
    check("something after the end", &|bad| bad.push(0));
    for length in 0..good.len() {
        assert_eq!(decoded(&good[..length]), Err(Corrupt), "cut off at {length}");
    }
    let mut wide = encoded(&wide_sample());
    wide[0] = 1;
    assert_eq!(decoded(&wide), Err(Corrupt), "what form 1 cannot say");
    let twice = Caps { open: vec![open(1, State::Won), open(1, State::Won)], ..Caps::default() };
    assert_eq!(decoded(&encoded(&twice)), Err(Corrupt));
}

proptest! {
    #[test]
    fn any_bytes_are_one_record_or_none_and_usable(
        wide: bool,
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        length in any::<prop::sample::Index>(),
        noise in proptest::collection::vec(any::<u8>(), 0..64),
        now: u32,
    ) {
        let mut bytes = encoded(&if wide { wide_sample() } else { sample() });
        changes.iter().for_each(|(at, byte)| { let at = at.index(bytes.len()); bytes[at] = *byte; });
        let cut = &bytes[..length.index(bytes.len() + 1)];
        for bytes in [&bytes, cut, &noise] {
            let Ok(mut caps) = decoded(bytes) else { continue };
            prop_assert_eq!(encoded(&caps), bytes);
            let mut impressions = Vec::new();
            caps.impressions(Seconds(now), &mut impressions);
            prop_assert!(impressions.is_sorted_by_key(|i| (i.scope, std::cmp::Reverse(i.at))));
            let event = CapEvent {
                impression: decision::ids::ImpressionId([1; 16]),
                campaign: CampaignId(300),
                creative: CreativeId(7),
                advertiser: AdvertiserId(5),
                segment: wide.then_some(SegmentId(200)),
                ghost: false,
                keep: Keep { campaign: 2, creative: 255, advertiser: u8::from(wide), segment: 1 },
                change: crate::caps::CapChange::Confirmed { at: Seconds(now), until: Seconds(now) },
            };
            caps.apply(&event, Seconds(now));
            prop_assert_eq!(decoded(&encoded(&caps)), Ok(caps));
        }
    }
}
