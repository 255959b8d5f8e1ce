use super::*;
use crate::targeting::{Fact, Targeting};
use std::format;
use std::string::ToString;
use std::vec;

/// A draft with nothing wrong.
fn draft() -> CampaignDraft {
    let variant = Variant {
        id: VariantId(1),
        name: "plain".into(),
        segments: Vec::new(),
        markup: "<a href='${CLICK_URL}'>".into(),
        landing_url: "https://shop.example/".into(),
    };
    CampaignDraft {
        id: 1,
        name: "campaign".into(),
        advertiser: AdvertiserDraft {
            id: 1,
            name: "advertiser".into(),
            currency: "EUR".into(),
            domain: "shop.example".into(),
            categories: vec!["IAB1-3".into()],
        },
        from: 0,
        until: 1,
        daily_budget: 1,
        total_budget: 1,
        default_cpm: Some(1_000_000),
        max_cpm: 2_000_000,
        segments: vec![SegmentPrice {
            segment: SegmentId(7),
            price: PriceRule::Multiplier(1_500_000),
            min_cpm: None,
            max_cpm: None,
            data_cpm: Nanos::ZERO,
        }],
        caps: vec![(CapSubject::Campaign, 3, 3_600)],
        creatives: vec![CreativeDraft { id: 1, name: "creative".into(), w: 300, h: 250, variants: vec![variant] }],
        experiment: Some(Experiment { name: "holdout".into(), salt: 1, holdout_ppm: 100_000 }),
        ..CampaignDraft::default()
    }
}

/// A plain campaign, for tests of what uses campaigns.
pub(crate) fn campaign(id: u32) -> Campaign {
    Campaign::try_from(CampaignDraft { id, ..draft() }).unwrap()
}

/// Checks where a draft is wrong after an edit.
fn check(edit: impl FnOnce(&mut CampaignDraft), expected: &[&str]) {
    let mut edited = draft();
    edit(&mut edited);
    let problems = Campaign::try_from(edited).err().unwrap_or_default();
    let paths: Vec<&str> = problems.iter().map(|problem| problem.path.as_str()).collect();
    assert_eq!(paths, expected, "{problems:?}");
}

#[test]
fn a_draft_without_mistakes_becomes_a_campaign() {
    check(|_| (), &[]);
    let campaign = campaign(3);
    assert_eq!(campaign.id, CampaignId(3));
    assert_eq!(campaign.targeting, Targeting::EVERYONE);
    assert_eq!(campaign.strategy.max_cpm, Nanos::of_one_impression(2_000_000));
    assert_eq!(campaign.caps, [FrequencyCap { scope: CapSubject::Campaign, count: 3, window_s: 3_600 }]);
}

#[test]
fn all_mistakes_are_reported_at_once() {
    let paths = [
        "name",
        "id",
        "advertiser.id",
        "advertiser.name",
        "advertiser.currency",
        "advertiser.domain",
        "flight",
        "budget.daily",
        "budget.total",
        "bids.max",
        "bids",
        "creatives",
    ];
    let problems = Campaign::try_from(CampaignDraft::default()).unwrap_err();
    assert_eq!(problems.iter().map(|problem| problem.path.as_str()).collect::<Vec<_>>(), paths);
    assert_eq!(problems[6].to_string(), "flight: must end after it begins");
}

#[test]
fn prices_have_bounds() {
    check(|d| d.min_cpm = 3_000_000, &["bids"]);
    check(|d| d.max_cpm = limits::CPM_MICROS_MAX + 1, &["bids.max"]);
    check(|d| d.default_cpm = Some(-1), &["bids.default"]);
    check(|d| d.default_cpm = None, &["bids.segments[0].multiplier"]);
    check(
        |d| d.segments[0].price = PriceRule::Multiplier(limits::MULTIPLIER_MAX + 1),
        &["bids.segments[0].multiplier"],
    );
    check(|d| d.segments[0].price = PriceRule::Fixed(Nanos::new(-1)), &["bids.segments[0].cpm"]);
    check(
        |d| {
            d.segments[0].min_cpm = Some(Nanos::new(2));
            d.segments[0].max_cpm = Some(Nanos::new(1));
        },
        &["bids.segments[0]"],
    );
    check(|d| d.experiment.as_mut().unwrap().holdout_ppm = 1_000_001, &["experiment.holdout"]);
}

#[test]
fn fees_leave_something_for_media() {
    check(|d| d.margin_ppm = 999_999, &[]);
    check(|d| d.margin_ppm = 1_000_000, &["bids.margin"]);
    // A millionth of a price below 1.00 is less than a nano of an impression; the segment pays half as much again.
    let tiny = |d: &mut CampaignDraft, default: i64| {
        (d.min_cpm, d.default_cpm, d.margin_ppm) = (0, Some(default), 999_999);
    };
    check(|d| tiny(d, 666_666), &["bids.margin"]);
    check(|d| tiny(d, 666_667), &[]);
    check(|d| tiny(d, 0), &[]);
    // The segment pays 1.50: half of the default more.
    let fees = |d: &mut CampaignDraft, data: i64, margin_ppm: u32| {
        d.segments[0].data_cpm = Nanos::of_one_impression(data);
        d.margin_ppm = margin_ppm;
    };
    let wrong = ["bids.segments[0].data_fee"];
    check(|d| fees(d, -1, 0), &wrong);
    check(|d| fees(d, limits::CPM_MICROS_MAX + 1, 0), &wrong);
    check(|d| fees(d, 1_500_000, 1_000_000), &["bids.margin"]);
    check(|d| fees(d, 1_499_999, 0), &[]);
    check(|d| fees(d, 1_500_000, 0), &wrong);
    check(|d| fees(d, 1_274_999, 150_000), &[]);
    check(|d| fees(d, 1_275_000, 150_000), &wrong);
    check(
        |d| {
            fees(d, 600_000, 0);
            d.segments[0].max_cpm = Some(Nanos::of_one_impression(500_000));
        },
        &wrong,
    );
}

#[test]
fn caps_have_bounds() {
    for (count, window_s, field) in [
        (0, 60, "count"),
        (limits::CAP_COUNT_MAX + 1, 60, "count"),
        (1, limits::CAP_WINDOW_S_MIN - 1, "window"),
        (1, limits::CAP_WINDOW_S_MAX + 1, "window"),
    ] {
        let path = format!("frequency_caps[0].{field}");
        check(|d| d.caps = vec![(CapSubject::Campaign, count, window_s)], &[&path]);
    }
}

#[test]
fn creatives_can_be_shown_and_clicked() {
    check(|d| d.creatives.clear(), &["creatives"]);
    check(|d| d.creatives[0].w = 0, &["creatives[0].size"]);
    check(|d| d.creatives[0].h = 65_536, &["creatives[0].size"]);
    check(|d| d.creatives.push(d.creatives[0].clone()), &["creatives"]);
    check(|d| d.creatives[0].variants.clear(), &["creatives[0].variants"]);
    check(|d| d.creatives[0].variants[0].markup = "<a>".into(), &["creatives[0].variants[0].markup"]);
    for url in ["ftp://shop.example", "https://", "https:// shop.example", "shop.example", "https:///x"] {
        check(|d| d.creatives[0].variants[0].landing_url = url.into(), &["creatives[0].variants[0].landing_url"]);
    }
}

#[test]
fn targeting_has_bounds() {
    let fact = |segment| Targeting::Is(Fact::Segment { segment: SegmentId(segment), confidence_min: 0 });
    check(|d| d.targeting = Some(Targeting::Any((0..1_000).map(fact).collect())), &[]);
    check(|d| d.targeting = Some(Targeting::Any((0..1_024).map(fact).collect())), &["targeting"]);
    check(|d| d.targeting = Some((0..15).fold(fact(1), |inner, _| Targeting::None(vec![inner]))), &[]);
    check(|d| d.targeting = Some((0..16).fold(fact(1), |inner, _| Targeting::None(vec![inner]))), &["targeting"]);
    let sure = |confidence_min| Targeting::Is(Fact::Segment { segment: SegmentId(1), confidence_min });
    check(|d| d.targeting = Some(sure(101)), &["targeting"]);
    let size = |n: u32| Targeting::Is(Fact::Size(Size { w: n as u16, h: 1 }));
    let mixed = |n| Targeting::Any(vec![fact(n), size(n)]);
    check(|d| d.targeting = Some(Targeting::All((1..=6).map(mixed).collect())), &[]);
    check(|d| d.targeting = Some(Targeting::All((1..=7).map(mixed).collect())), &["targeting"]);
}
