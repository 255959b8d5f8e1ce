use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::*;
use proptest::prelude::*;

fn keys() -> Keys {
    Keys::new(Key::new(2, &[2; 16]), Some(Key::new(1, &[1; 16])))
}

fn claims() -> Claims<'static> {
    Claims {
        impression: ImpressionId([7; 16]),
        exchange: ExchangeName::new("demo").expect("a label"),
        imp_id: "imp-1",
        campaign: CampaignId(70_000),
        advertiser: AdvertiserId(3),
        creative: CreativeId(9),
        variant: VariantId(2),
        person: Some(PersonKey([5; 16])),
        ids: Ids::new(&[IdHash([1; 16]), IdHash([2; 16])]),
        keep: Keep { campaign: 5, creative: 2, ..Keep::default() },
        test: false,
        node: NodeId(u64::MAX),
        lease: LeaseId(12),
        price: Nanos::new(1_250_000),
        currency: Currency::new("EUR").expect("a label"),
        rate: Rate::new(920_000_000).expect("above zero"),
        fees: Fees::NONE,
        segment: Some(SegmentId(11)),
        arm: Arm::Treated,
        index_version: 42,
        bid_at: Micros(1_700_000_000_000_000),
        expires_at: Micros(1_700_003_600_000_000),
        landing_url: "https://shop.example/boots?a=1&b=2",
    }
}

fn seal(keys: &Keys, kind: NoticeKind, claims: &Claims<'_>) -> String {
    let mut url = String::new();
    keys.seal(claims).token(kind, &mut url);
    url
}

#[test]
fn a_token_says_what_the_bid_said() {
    let claims = claims();
    for kind in NoticeKind::ALL {
        let token = seal(&keys(), kind, &claims);
        let (opened, expired) = keys().open(kind, &token, claims.bid_at).expect("one of ours");
        let landing_url = if kind == NoticeKind::Click { claims.landing_url } else { "" };
        assert_eq!(opened.claims(), Claims { landing_url, ..claims });
        assert!(!expired);
    }
}

#[test]
fn a_token_opens_only_as_its_own_kind() {
    for sealed in NoticeKind::ALL {
        let token = seal(&keys(), sealed, &claims());
        for kind in NoticeKind::ALL.into_iter().filter(|kind| *kind != sealed) {
            assert_eq!(keys().open(kind, &token, Micros(0)).err(), Some(Forged));
        }
    }
}

#[test]
fn every_changed_character_is_seen() {
    for kind in [NoticeKind::Billing, NoticeKind::Click] {
        let token = seal(&keys(), kind, &claims());
        for at in 0..token.len() {
            for other in ["A", "B", "-", "_", "9", ".", "é", ""] {
                let mut changed = token.clone();
                changed.replace_range(at..=at, other);
                if changed != token {
                    assert_eq!(keys().open(kind, &changed, Micros(0)).err(), Some(Forged), "{at}: {other:?}");
                }
            }
        }
        for more in ["A", ".", ".aHR0cHM6Ly94"] {
            assert_eq!(keys().open(kind, &format!("{token}{more}"), Micros(0)).err(), Some(Forged), "{more:?}");
        }
    }
}

#[test]
fn parts_of_two_tokens_make_no_third() {
    let other = Claims { landing_url: "https://evil.example/", ..claims() };
    let [ours, theirs] = [claims(), other].map(|claims| seal(&keys(), NoticeKind::Click, &claims));
    let [(ours, _), (_, landing)] = [&ours, &theirs].map(|token| token.split_once('.').expect("a landing URL"));
    for changed in [ours.to_owned(), format!("{ours}.{landing}")] {
        assert_eq!(keys().open(NoticeKind::Click, &changed, Micros(0)).err(), Some(Forged));
    }
    let billing = seal(&keys(), NoticeKind::Billing, &claims());
    let mixed = [&ours[..ours.len() - 22], &billing[billing.len() - 22..]].concat();
    assert_eq!(keys().open(NoticeKind::Click, &mixed, Micros(0)).err(), Some(Forged));
}

#[test]
fn a_token_expires_at_its_time() {
    let claims = claims();
    let token = seal(&keys(), NoticeKind::Win, &claims);
    let expired = |at| keys().open(NoticeKind::Win, &token, Micros(at)).map(|(_, expired)| expired).ok();
    assert_eq!(expired(claims.expires_at.0), Some(false));
    assert_eq!(expired(claims.expires_at.0 + 1), Some(true));
}

#[test]
fn the_previous_key_still_opens_and_an_older_one_does_not() {
    let old = Keys::new(Key::new(1, &[1; 16]), None);
    let token = seal(&old, NoticeKind::Win, &claims());
    assert!(keys().open(NoticeKind::Win, &token, Micros(0)).is_ok());
    let newer = Keys::new(Key::new(3, &[3; 16]), Some(Key::new(2, &[2; 16])));
    assert_eq!(newer.open(NoticeKind::Win, &token, Micros(0)).err(), Some(Forged));
    let same_number = Keys::new(Key::new(1, &[9; 16]), None);
    assert_eq!(same_number.open(NoticeKind::Win, &token, Micros(0)).err(), Some(Forged));
}

#[test]
fn nothing_readable_stands_in_a_token() {
    // Where a click leads is no secret: it stands in the token for the click, and in that alone.
    let token = seal(&keys(), NoticeKind::View, &claims());
    assert!(seal(&keys(), NoticeKind::Click, &claims()).starts_with(&token[..token.len() - 22]));
    let bytes = URL_SAFE_NO_PAD.decode(&token[..token.len() - 22]).expect("base64");
    assert!(!bytes.windows(4).any(|window| window == b"shop" || window == b"demo"));
}

#[test]
fn a_long_imp_id_is_left_out() {
    let long = "x".repeat(TOKEN_IMP_ID_BYTES_MAX + 1);
    let token = seal(&keys(), NoticeKind::Win, &Claims { imp_id: &long, ..claims() });
    let (opened, _) = keys().open(NoticeKind::Win, &token, Micros(0)).expect("one of ours");
    assert_eq!(opened.claims().imp_id, "");
}

/// Bytes that must open forever with these keys.
#[test]
fn every_version_still_opens() {
    assert_eq!(seal(&keys(), NoticeKind::Click, &claims()), include_str!("golden.v2.token").trim_end());
    for (version, golden) in [(1, include_str!("golden.v1.token")), (2, include_str!("golden.v2.token"))] {
        let golden = golden.trim_end();
        let (opened, _) = keys().open(NoticeKind::Click, golden, Micros(0)).expect("one of ours");
        assert_eq!(opened.claims(), claims(), "version {version}");
        for kind in NoticeKind::ALL.into_iter().filter(|kind| *kind != NoticeKind::Click) {
            assert_eq!(keys().open(kind, golden, Micros(0)).err(), Some(Forged), "version {version}");
        }
    }
}

/// Those of a bid that caps on advertisers and segments count.
fn wide_claims() -> Claims<'static> {
    let keep = Keep { advertiser: 10, segment: 3, ..claims().keep };
    Claims { keep, ..claims() }
}

#[test]
fn what_older_nodes_do_not_know_has_a_version_of_its_own() {
    let golden = include_str!("golden.v3.token").trim_end();
    assert_eq!(seal(&keys(), NoticeKind::Click, &wide_claims()), golden);
    let (opened, _) = keys().open(NoticeKind::Click, golden, Micros(0)).expect("one of ours");
    assert_eq!(opened.claims(), wide_claims());
    for kind in NoticeKind::ALL.into_iter().filter(|kind| *kind != NoticeKind::Click) {
        assert_eq!(keys().open(kind, golden, Micros(0)).err(), Some(Forged));
    }
    for keep in [Keep { advertiser: 1, ..claims().keep }, Keep { segment: 1, ..claims().keep }] {
        let token = seal(&keys(), NoticeKind::Win, &Claims { keep, ..claims() });
        let (opened, _) = keys().open(NoticeKind::Win, &token, Micros(0)).expect("one of ours");
        assert_eq!(opened.claims().keep, keep);
    }
}

/// Those of a bid that costs more than media.
fn claims_with_fees() -> Claims<'static> {
    let fees = Fees::new(25_000, Nanos::of_one_impression(400_000), 150_000).expect("they can be");
    Claims { fees, ..claims() }
}

#[test]
fn fees_have_a_version_of_their_own_with_caps_on_everything_or_not() {
    let golden = include_str!("golden.v4.token").trim_end();
    let claims_with_both = Claims { keep: wide_claims().keep, ..claims_with_fees() };
    assert_eq!(seal(&keys(), NoticeKind::Click, &claims_with_both), golden);
    for claims in [claims_with_fees(), claims_with_both] {
        let token = seal(&keys(), NoticeKind::Click, &claims);
        assert_eq!(URL_SAFE_NO_PAD.decode(&token[..4]).expect("base64")[0], 4);
        let (opened, _) = keys().open(NoticeKind::Click, &token, Micros(0)).expect("one of ours");
        assert_eq!(opened.claims(), claims);
        for kind in NoticeKind::ALL.into_iter().filter(|kind| *kind != NoticeKind::Click) {
            assert_eq!(keys().open(kind, &token, Micros(0)).err(), Some(Forged));
        }
    }
    for fees in [(1, 0, 0), (0, 1, 0), (0, 0, 1), (1_000_000, i64::MAX, 999_999)] {
        let fees = Fees::new(fees.0, Nanos::new(fees.1), fees.2).expect("they can be");
        let token = seal(&keys(), NoticeKind::Win, &Claims { fees, ..claims() });
        let (opened, _) = keys().open(NoticeKind::Win, &token, Micros(0)).expect("one of ours");
        assert_eq!(opened.claims().fees, fees);
    }
}

#[test]
fn what_stands_behind_the_claims_is_all_that_its_version_has() {
    let mut sealed = Vec::new();
    claims::More::of(&claims_with_fees()).write(&mut sealed);
    assert_eq!(claims::More::read(4, &sealed), Some(claims::More::of(&claims_with_fees())));
    assert_eq!(claims::More::read(4, &[0, 0, 0, 0, 0]).map(|more| more.fees), Some(Fees::NONE));
    let mut margin_of_all = vec![0, 0, 0, 0];
    margin_of_all.extend([0xc0, 0x84, 0x3d]);
    let longer = [&sealed[..], &[0]].concat();
    for wrong in [&sealed[..sealed.len() - 1], &longer, &margin_of_all, &[0, 0], &[]] {
        assert_eq!(claims::More::read(4, wrong), None, "{wrong:?}");
    }
    for version in [0, 1, 5, u8::MAX] {
        assert_eq!(claims::More::read(version, &sealed), None, "version {version}");
    }
}

proptest! {
    #[test]
    fn no_text_crashes_the_opening(token in "(AQIA|AgIA|AwIA|BAIA)?[A-Za-z0-9_-]{0,400}(\\.[A-Za-z0-9_-]{0,40})?") {
        prop_assert!(keys().open(NoticeKind::Billing, &token, Micros(0)).is_err());
    }

    #[test]
    fn no_plain_bytes_crash_the_reading(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        if let Some((claims, _)) = claims::read(ImpressionId([7; 16]), &bytes) {
            let mut again = Vec::new();
            claims::write(&claims, &mut again);
            prop_assert_eq!(claims::read(ImpressionId([7; 16]), &again), Some((claims, &[][..])));
        }
        for version in 2..=4 {
            if let Some(more) = claims::More::read(version, &bytes) {
                let mut again = Vec::new();
                more.write(&mut again);
                prop_assert_eq!(claims::More::read(more.version(), &again), Some(more));
            }
        }
    }
}
