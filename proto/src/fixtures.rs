//! A campaign and a bid request for tests.

use decision::decide::BidRequest;
use decision::ids::{CampaignId, SegmentId};
use decision::ids::{Label, PersonKey};
use decision::index::CampaignIndex;
use decision::money::{Nanos, Rate, Rates};
use decision::opportunity::{Context, Opportunity};
use decision::profile::{Audience, CapScope, Impression, Membership, Profile};
use decision::targeting::{DeviceType, Size};
use decision::time::{Micros, Seconds};

use crate::{campaign, wire};

/// A campaign that breaks no rule.
pub(crate) fn boots() -> wire::Campaign {
    let variant = wire::Variant {
        id: 1,
        name: "plain".into(),
        markup: "<a href=\"${CLICK_URL}\">boots</a>".into(),
        landing_url: "https://shop.example/boots".into(),
        ..Default::default()
    };
    wire::Campaign {
        id: 7,
        name: "boots".into(),
        advertiser: Some(wire::Advertiser {
            id: 3,
            name: "shop".into(),
            currency: "EUR".into(),
            domain: "shop.example".into(),
            ..Default::default()
        }),
        from: 1,
        until: 2,
        daily_budget: 50,
        total_budget: 100,
        default_cpm: Some(1_250_000),
        max_cpm: 5_000_000,
        creatives: vec![wire::Creative {
            id: 1,
            name: "banner".into(),
            size: Some(wire::Size { w: 300, h: 250 }),
            variants: vec![variant],
        }],
        ..Default::default()
    }
}

/// The moment of every request here.
pub(crate) const NOW: Micros = Micros(1_700_000_000_123_456);

/// Two campaigns in euros: 7 pays twice its price for people in segment 4, is capped and holds half of all people out
/// by experiment; 8 is plain and cheaper.
pub(crate) fn index() -> CampaignIndex {
    let flight = |wire: wire::Campaign| wire::Campaign { until: i64::MAX, ..wire };
    let doubled = wire::SegmentPrice {
        segment: 4,
        price: Some(wire::segment_price::Price::MultiplierPpm(2_000_000)),
        min_cpm: None,
        max_cpm: Some(2_200_000),
        data_cpm: 0,
    };
    let tested = wire::Campaign {
        segment_prices: vec![doubled],
        frequency_caps: vec![wire::FrequencyCap { subject: 1, count: 3, window_s: 3_600 }],
        when_audience_unknown: wire::WhenAudienceUnknown::Bid.into(),
        experiment: Some(wire::Experiment { name: "lift".into(), salt: 0xfeed, holdout_ppm: 500_000 }),
        ..flight(boots())
    };
    let plain = wire::Campaign { id: 8, default_cpm: Some(1_000_000), ..flight(boots()) };
    let campaigns = [tested, plain].map(|wire| campaign::campaign(&wire).expect("it breaks no rule"));
    let dollars = [(Label::new("EUR").expect("a code"), Rate::new(1_100_000_000).expect("above zero"))];
    CampaignIndex::compile(campaigns.into(), Rates::new(dollars), 42)
}

/// A request with two impressions, the second one too small for any creative, for somebody who is in segments 4 and (no
/// more) 5 and has seen campaign 7 once in the last hour.
pub(crate) fn with_request<T>(person: PersonKey, use_request: impl FnOnce(&BidRequest<'_>) -> T) -> T {
    let now = NOW.seconds();
    let impression = |at| Impression { scope: CapScope::Campaign(CampaignId(7)), at };
    let membership = |segment, until| Membership { segment: SegmentId(segment), until, confidence: 90 };
    let profile = Profile {
        person,
        memberships: &[membership(4, now + 60), membership(5, now)],
        impressions: &[impression(now - 10), impression(Seconds(0))],
    };
    let opportunity = |sizes| Opportunity {
        sizes,
        floor: Nanos::of_one_impression(500_000),
        floor_currency: Label::new("USD"),
        secure: true,
        private_auction: false,
    };
    let context = Context {
        exchange: Label::new("demo").expect("a name"),
        country: Label::new("DEU"),
        region: Label::new("BY"),
        device: DeviceType::Phone,
        currencies: &[Label::new("USD").expect("a code")],
        exchange_fee_ppm: 0,
        blocked_domains: &["other.example"],
        blocked_categories: &["IAB7"],
    };
    use_request(&BidRequest {
        context: &context,
        opportunities: &[
            opportunity(&[Size { w: 320, h: 50 }, Size { w: 300, h: 250 }]),
            opportunity(&[Size { w: 1, h: 1 }]),
        ],
        audience: Audience::Known(profile),
        now: NOW,
        seed: 0xdead_beef_dead_beef,
    })
}
