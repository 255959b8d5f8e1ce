use decision::campaign::{
    Advertiser, Budget, Campaign, CapSubject, Creative, DraftProblem, Experiment, Flight, FrequencyCap, Pacing,
    PriceRule, SegmentPrice, Strategy as Prices, Variant, WhenAudienceUnknown, limits,
};
use decision::ids::{AdvertiserId, CampaignId, CreativeId, Label, SegmentId, VariantId};
use decision::money::{Nanos, ONE_PPM};
use decision::targeting::{DeviceType, Fact, Size, Targeting};
use decision::time::{LocalTime, Micros, OFFSET_S_MAX};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::{budget, campaign};
use crate::fixtures::boots;
use crate::json::{JsonError, to_json};
use crate::record::{self, RecordError};
use crate::wire::{self, campaigns_record::Change, targeting::Expression};

// === Every valid campaign survives the wire ===

fn label<const N: usize>(text: String) -> Label<N> {
    Label::new(&text).expect("the pattern gives labels")
}

fn size() -> impl Strategy<Value = Size> {
    (1..=u16::MAX, 1..=u16::MAX).prop_map(|(w, h)| Size { w, h })
}

fn fact() -> impl Strategy<Value = Fact> {
    prop_oneof![
        (any::<u32>(), 0..=100_u8)
            .prop_map(|(segment, confidence_min)| Fact::Segment { segment: SegmentId(segment), confidence_min }),
        "[a-z0-9-]{1,16}".prop_map(|name| Fact::Exchange(label(name))),
        "[A-Z]{3}".prop_map(|country| Fact::Country(label(country))),
        ("[A-Z]{3}", "[A-Z0-9]{1,8}").prop_map(|(country, region)| Fact::Region(label(country), label(region))),
        (1..=8_i64).prop_map(|number| Fact::Device(DeviceType::of_number(number))),
        size().prop_map(Fact::Size),
    ]
}

fn targeting() -> impl Strategy<Value = Targeting> {
    fact().prop_map(Targeting::Is).prop_recursive(6, 48, 4, |part| {
        prop_oneof![
            vec(part.clone(), 0..4).prop_map(Targeting::All),
            vec(part.clone(), 0..4).prop_map(Targeting::Any),
            vec(part, 0..4).prop_map(Targeting::None),
        ]
    })
}

fn cpm() -> impl Strategy<Value = Nanos> {
    (0..=limits::CPM_MICROS_MAX).prop_map(Nanos::of_one_impression)
}

fn limits_of_price() -> impl Strategy<Value = (Option<Nanos>, Option<Nanos>)> {
    (option::of(cpm()), option::of(cpm())).prop_map(|(a, b)| match (a, b) {
        (Some(a), Some(b)) => (Some(a.min(b)), Some(a.max(b))),
        other => other,
    })
}

fn prices() -> impl Strategy<Value = Prices> {
    let rule =
        prop_oneof![cpm().prop_map(PriceRule::Fixed), (0..=limits::MULTIPLIER_MAX).prop_map(PriceRule::Multiplier)];
    let segment = (any::<u32>(), rule, limits_of_price()).prop_map(|(segment, price, (min_cpm, max_cpm))| {
        SegmentPrice { segment: SegmentId(segment), price, min_cpm, max_cpm, data_cpm: Nanos::ZERO }
    });
    let fixed = (any::<u32>(), cpm()).prop_map(|(segment, cpm)| SegmentPrice {
        segment: SegmentId(segment),
        price: PriceRule::Fixed(cpm),
        min_cpm: None,
        max_cpm: None,
        data_cpm: Nanos::ZERO,
    });
    let rules = prop_oneof![
        (cpm().prop_map(Some), vec(segment, 0..4)),
        // Without a default price there is nothing to multiply.
        (Just(None), vec(fixed, 1..4)),
    ];
    let shares = (0..ONE_PPM, 0..ONE_PPM);
    (rules, cpm(), 1..=limits::CPM_MICROS_MAX, shares).prop_map(|((default_cpm, mut segments), a, b, shares)| {
        let (b, (margin_ppm, data_ppm)) = (Nanos::of_one_impression(b), shares);
        // Of the least price there is, data leaves something.
        let data_cpm = a.min(b).scaled(ONE_PPM - margin_ppm).scaled(data_ppm);
        segments.iter_mut().for_each(|rule| rule.data_cpm = data_cpm);
        Prices { default_cpm, min_cpm: a.min(b), max_cpm: a.max(b), margin_ppm, segments }
    })
}

fn cap() -> impl Strategy<Value = FrequencyCap> {
    let scope = prop_oneof![
        Just(CapSubject::Campaign),
        Just(CapSubject::EachCreative),
        Just(CapSubject::Advertiser),
        Just(CapSubject::EachSegment),
    ];
    (scope, 1..=64_u8, limits::CAP_WINDOW_S_MIN..=limits::CAP_WINDOW_S_MAX)
        .prop_map(|(scope, count, window_s)| FrequencyCap { scope, count, window_s })
}

fn variants() -> impl Strategy<Value = Vec<Variant>> {
    let variant = ("\\PC{1,20}", vec(any::<u32>(), 0..3), "\\PC{0,20}", "https://[a-z]{1,9}\\.example/[a-z]{0,9}");
    vec(variant, 1..4).prop_map(|variants| {
        let numbered = variants.into_iter().zip(1..);
        numbered
            .map(|((name, segments, text, landing_url), id)| Variant {
                id: VariantId(id),
                name,
                segments: segments.into_iter().map(SegmentId).collect(),
                markup: format!("{text}${{CLICK_URL}}"),
                landing_url,
            })
            .collect()
    })
}

fn creatives() -> impl Strategy<Value = Vec<Creative>> {
    vec(("\\PC{1,20}", size(), variants()), 1..4).prop_map(|creatives| {
        let numbered = creatives.into_iter().zip(1..);
        numbered.map(|((name, size, variants), id)| Creative { id: CreativeId(id), name, size, variants }).collect()
    })
}

fn advertiser() -> impl Strategy<Value = Advertiser> {
    let categories = vec("IAB[0-9]{1,2}", 0..3);
    (1..=u32::MAX, "\\PC{1,20}", "[A-Z]{3}", "[a-z0-9.-]{1,30}", categories).prop_map(
        |(id, name, currency, domain, categories)| Advertiser {
            id: AdvertiserId(id),
            name,
            currency: label(currency),
            domain,
            categories,
        },
    )
}

fn experiment() -> impl Strategy<Value = Experiment> {
    ("\\PC{1,20}", any::<u64>(), 0..=1_000_000_u32).prop_map(|(name, salt, holdout_ppm)| Experiment {
        name,
        salt,
        holdout_ppm,
    })
}

fn pacing() -> impl Strategy<Value = (Pacing, LocalTime)> {
    let pacing = prop_oneof![Just(Pacing::Asap), Just(Pacing::Even), Just(Pacing::FrontLoaded)];
    let offset = || -OFFSET_S_MAX..=OFFSET_S_MAX;
    let changes = vec((86_400_000_000_i64..1 << 50, offset()), 0..4).prop_map(|steps| {
        let mut at = 0_i64;
        steps
            .into_iter()
            .map(|(step, offset_s)| {
                at += step;
                (Micros(at), offset_s)
            })
            .collect()
    });
    let clock = ("[a-z]{1,9}", offset(), changes)
        .prop_map(|(name, offset_s, changes)| LocalTime::new(name, offset_s, changes).expect("a clock"));
    (pacing, clock)
}

fn any_campaign() -> impl Strategy<Value = Campaign> {
    let flight = (any::<i32>(), 1..=i64::from(u32::MAX))
        .prop_map(|(from, length)| Flight { from: Micros(from.into()), until: Micros(i64::from(from) + length) });
    let budget = (1..=i64::MAX, 1..=i64::MAX)
        .prop_map(|(daily, total)| Budget { daily: Nanos::new(daily), total: Nanos::new(total) });
    let unknown = prop_oneof![Just(WhenAudienceUnknown::NoBid), Just(WhenAudienceUnknown::Bid)];
    let terms = (flight, budget, pacing(), targeting(), unknown, prices(), vec(cap(), 0..=limits::CAPS_MAX));
    (1..=u32::MAX, "\\PC{1,20}", advertiser(), terms, creatives(), option::of(experiment())).prop_map(
        |(id, name, advertiser, terms, creatives, experiment)| {
            let (flight, budget, (pacing, local_time), targeting, when_audience_unknown, strategy, caps) = terms;
            Campaign {
                id: CampaignId(id),
                name,
                advertiser,
                flight,
                budget,
                pacing,
                local_time,
                targeting,
                when_audience_unknown,
                strategy,
                caps,
                creatives,
                experiment,
            }
        },
    )
}

/// As a record of `campaigns` and back.
fn over_the_wire(campaign: wire::Campaign) -> wire::Campaign {
    let sent = wire::CampaignsRecord { change: Some(Change::Campaign(campaign)), ..Default::default() };
    match record::decode::<wire::CampaignsRecord>(&record::encode(&sent)).map(|record| record.change) {
        Ok(Some(Change::Campaign(campaign))) => campaign,
        other => panic!("a campaign was sent, {other:?} arrived"),
    }
}

proptest! {
    #[test]
    fn every_valid_campaign_survives_the_wire(sent in any_campaign()) {
        let received = over_the_wire((&sent).into());
        prop_assert_eq!(campaign(&received), Ok(sent));
    }
}

// === What is wrong is named with its place ===

/// The problems of [`boots`] after `edit`, one a line.
fn check(edit: impl FnOnce(&mut wire::Campaign), expected: &str) {
    let mut wire = boots();
    edit(&mut wire);
    let problems = campaign(&wire).err().unwrap_or_default();
    let lines: Vec<String> = problems.iter().map(DraftProblem::to_string).collect();
    assert_eq!(lines.join("\n"), expected);
}

fn part(expression: Expression) -> wire::Targeting {
    wire::Targeting { expression: Some(expression) }
}

fn all(parts: Vec<wire::Targeting>) -> wire::Targeting {
    part(Expression::All(wire::TargetingList { parts }))
}

#[test]
fn a_plain_campaign_has_no_problem() {
    check(|_| {}, "");
    let campaign = campaign(&boots()).expect("it breaks no rule");
    assert_eq!(campaign.targeting, Targeting::EVERYONE);
    assert_eq!(campaign.when_audience_unknown, WhenAudienceUnknown::NoBid);
}

#[test]
fn what_cannot_be_read_and_what_breaks_a_rule_is_told_together() {
    check(
        |wire| {
            wire.id = 0;
            wire.when_audience_unknown = 9;
            wire.advertiser.as_mut().expect("it has one").daily_budget = Some(0);
            wire.segment_prices = vec![wire::SegmentPrice { segment: 4, data_cpm: -1, ..Default::default() }];
            wire.margin_ppm = 1_000_000;
            wire.frequency_caps = vec![wire::FrequencyCap { subject: 0, count: 1, window_s: 60 }];
            wire.creatives[0].size = None;
            wire.experiment = Some(wire::Experiment { name: String::new(), salt: 1, holdout_ppm: 1_000_001 });
        },
        "advertiser.daily_budget: must be above 0\n\
         when_audience_unknown: has a value that is not known here: 9\n\
         bids.segments[0]: must have a price or a multiplier\n\
         frequency_caps[0].subject: must be the campaign, the advertiser, each creative or each segment\n\
         id: must be above 0\n\
         bids.margin: must be below 100%\n\
         bids.segments[0].data_fee: must be 0 to 10000 (CPM)\n\
         creatives[0].size: must be WxH with both sides 1 to 65535\n\
         experiment.name: must be 1 to 128 bytes without control characters\n\
         experiment.holdout: must be at most 1",
    );
    check(
        |wire| wire.advertiser = None,
        "advertiser.id: must be above 0\n\
         advertiser.name: must be 1 to 128 bytes without control characters\n\
         advertiser.currency: must be an ISO 4217 code such as USD\n\
         advertiser.domain: must be a domain in lower case, such as shop.example",
    );
}

#[test]
fn conditions_that_cannot_be_read_are_named() {
    let region = |country: &str, region: &str| wire::RegionFact { country: country.into(), region: region.into() };
    let parts = vec![
        part(Expression::Exchange("an-exchange-of-17".into())),
        part(Expression::Country("Germany".into())),
        part(Expression::Region(region("DEU", ""))),
        part(Expression::None(wire::TargetingList { parts: vec![part(Expression::Device(9))] })),
        part(Expression::Size(wire::Size { w: 65_536, h: 1 })),
        part(Expression::Segment(wire::SegmentFact { segment: 1, confidence_min: 356 })),
        wire::Targeting { expression: None },
    ];
    check(
        |wire| wire.targeting = Some(all(parts)),
        "targeting.all[0]: must be an exchange of at most 16 bytes\n\
         targeting.all[1]: must be a country such as DEU\n\
         targeting.all[2]: must be a region such as DEU and BY\n\
         targeting.all[3].none[0]: must be a device type of OpenRTB, 1 to 8\n\
         targeting.all[4]: must be a size with both sides 1 to 65535\n\
         targeting.all[6]: must have a condition that is known here\n\
         targeting: a confidence must be at most 100 percent",
    );
}

// === A hostile record costs no more than its size ===

const TOO_DEEP: &str = "targeting: must be at most 16 levels deep and have at most 1024 parts";
const TOO_WIDE: &str = "targeting: must have at most 1024 parts";

fn nested(levels: usize) -> wire::Targeting {
    (1..levels).fold(part(Expression::Exchange("demo".into())), |inner, _| all(vec![inner]))
}

#[test]
fn an_expression_is_as_deep_and_as_wide_as_a_campaign_may_be_and_no_more() {
    check(|wire| wire.targeting = Some(nested(16)), "");
    check(|wire| wire.targeting = Some(over_the_wire(wire_with(nested(16))).targeting.expect("sent")), "");
    check(|wire| wire.targeting = Some(nested(17)), TOO_DEEP);
    check(|wire| wire.targeting = Some(nested(1_025)), TOO_WIDE);
    check(|wire| wire.targeting = Some(all(vec![nested(1); 1_023])), "");
    check(|wire| wire.targeting = Some(all(vec![nested(1); 1_024])), TOO_WIDE);
}

fn wire_with(targeting: wire::Targeting) -> wire::Campaign {
    wire::Campaign { targeting: Some(targeting), ..boots() }
}

fn delimited(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut bytes = vec![tag];
    prost::encoding::encode_varint(content.len() as u64, &mut bytes);
    bytes.extend(content);
    bytes
}

#[test]
fn nesting_that_could_overflow_the_stack_is_malformed() {
    // Each turn wraps what is there into `all { parts { .. } }`, written from its end.
    let mut bytes = Vec::new();
    for _ in 0..20_000 {
        for _ in 0..2 {
            let mut length = Vec::new();
            prost::encoding::encode_varint(bytes.len() as u64, &mut length);
            bytes.extend(length.iter().rev());
            bytes.push(0x0a);
        }
    }
    let targeting = bytes.into_iter().rev().collect::<Vec<u8>>();
    let mut sent = vec![record::VERSION];
    // Field 3 of the record is a campaign, field 8 of that its targeting.
    let campaign = delimited(0x42, &targeting);
    sent.extend(delimited(0x1a, &campaign));
    let error = record::decode::<wire::CampaignsRecord>(&sent).expect_err("it is nested 40,000 deep");
    assert!(error.to_string().contains("recursion limit reached"), "{error}");
    let shown = to_json("campaigns", b"campaign/7", &sent);
    assert!(matches!(shown, Err(JsonError::Record(RecordError::Malformed(_)))), "{shown:?}");
}

#[test]
fn lists_that_are_too_long_are_told_in_one_line_each() {
    let many = 100_000;
    check(
        |wire| {
            wire.targeting = Some(all(vec![wire::Targeting::default(); many]));
            wire.segment_prices = vec![wire::SegmentPrice::default(); many];
            wire.frequency_caps = vec![wire::FrequencyCap::default(); many];
            wire.creatives[0].variants = vec![wire::Variant::default(); many];
            wire.advertiser.as_mut().expect("it has one").categories = vec![String::new(); many];
        },
        &format!(
            "bids.segments: must be at most 1024 of them, not 100000\n\
             frequency_caps: must be at most 8 of them, not 100000\n\
             creatives[0].variants: must be at most 256 of them, not 100000\n\
             advertiser.categories: must be at most 64 of them, not 100000\n\
             {TOO_WIDE}"
        ),
    );
    check(
        |wire| wire.creatives = vec![wire::Creative::default(); many],
        "creatives: must be at most 64 of them, not 100000",
    );
}

#[test]
fn the_ledger_gets_what_it_keeps_to() {
    let campaign = campaign(&boots()).expect("it breaks no rule");
    assert_eq!(
        budget(&campaign, Some(Nanos::new(900))),
        wire::CampaignBudget {
            campaign: 7,
            advertiser: 3,
            currency: "EUR".into(),
            daily: 50,
            total: 100,
            from: 1,
            until: 2,
            advertiser_daily: Some(900),
            name: "boots".into(),
            pacing: wire::Pacing::Asap.into(),
            local_time: None,
        }
    );
    assert_eq!(budget(&campaign, None).advertiser_daily, None);
}
