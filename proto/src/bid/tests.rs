use decision::decide::{BidRequest, Scratch, decide};
use decision::ids::{ImpressionId, LeaseId, NodeId, PersonKey};
use decision::index::CampaignIndex;
use decision::money::Nanos;
use decision::opportunity::Context;
use decision::outcome::{Bid, Decision, Silent};
use decision::profile::{Audience, UnknownWhy};

use prost::Message;

use super::{Fields, Names, Offered, encode};
use crate::fixtures::{self, NOW, with_request};
use crate::{record, wire};

/// The record of an offer, read as the generated message reads it. That writes the same bytes.
fn told(offered: &Offered<'_>) -> wire::Bid {
    let bytes = encode(offered);
    let bid: wire::Bid = record::decode(&bytes).expect("a record of the stream");
    assert_eq!(record::encode(&bid), bytes);
    bid
}

fn names() -> Names<'static> {
    let (impression, node, lease) = (ImpressionId([9; 16]), NodeId(u64::MAX), LeaseId(300));
    Names { impression, request_id: "r-1", imp_id: "1", node, lease, test: true }
}

/// The bid and the ghost bids on the first impression.
fn bids(request: &BidRequest<'_>) -> (wire::Bid, Vec<wire::Bid>) {
    bids_by(&fixtures::index(), request)
}

fn bids_by(index: &CampaignIndex, request: &BidRequest<'_>) -> (wire::Bid, Vec<wire::Bid>) {
    let mut scratch = Scratch::default();
    let result = decide(index, request, &mut scratch, |_| false, |_| 1_000_000, |_, _| true, &mut Silent);
    let (evidence, names) = (result.evidence, names());
    let told = |imp, offer, grounds| told(&Offered { request, index, imp, offer, grounds, evidence, names });
    let ghosts = result.ghosts.iter().map(|ghost| told(ghost.imp, &ghost.offer, &ghost.grounds)).collect();
    let mut decisions = result.decisions;
    match decisions.next() {
        Some(Decision::Bid(bid)) => (told(0, &bid.offer, &bid.grounds), ghosts),
        other => panic!("a bid was expected, not {other:?}"),
    }
}

/// The bids of somebody whom the experiment treats, or holds out.
fn bids_of(held_out: bool) -> (wire::Bid, Vec<wire::Bid>) {
    let mut people = (1..=u8::MAX).map(|byte| PersonKey([byte; 16]));
    let found =
        people.find_map(|person| Some(with_request(person, bids)).filter(|(_, ghosts)| ghosts.is_empty() != held_out));
    found.expect("half of the people are on each side")
}

#[test]
fn a_bid_is_told_in_full() {
    let (bid, ghosts) = bids_of(false);
    assert_eq!(ghosts, []);
    assert_eq!(bid.person.len(), 16);
    let expected = wire::Bid {
        impression: vec![9; 16],
        at: NOW.0,
        exchange: "demo".into(),
        request_id: "r-1".into(),
        imp_id: "1".into(),
        node: u64::MAX,
        lease: 300,
        test: true,
        person: bid.person.clone(),
        campaign: 7,
        advertiser: 3,
        creative: 1,
        variant: 1,
        variant_propensity_ppm: 1_000_000,
        segment: 4,
        arm: wire::Arm::Treated.into(),
        experiment: "lift".into(),
        experiment_salt: 0xfeed,
        arm_propensity_ppm: 500_000,
        eligible_campaigns: vec![7, 8],
        price: Some(wire::PriceSteps {
            default_cpm: Some(1_250_000),
            ruled_cpm: 2_500_000,
            limited_cpm: 2_200_000,
            bid_cpm: 2_420_000,
            campaign_currency: "EUR".into(),
            bid_currency: "USD".into(),
            rate: 1_100_000_000,
            floor: 500_000,
            floor_currency: "USD".into(),
            paced_cpm: 2_200_000,
            ..Default::default()
        }),
        pacing_multiplier_ppm: 1_000_000,
        cap_counts: vec![wire::CapCount { subject: 1, id: 7, window_s: 3_600, count: 1, limit: 3 }],
        index_version: 42,
        size: Some(wire::Size { w: 300, h: 250 }),
        country: "DEU".into(),
        region: "BY".into(),
        device: 4,
        audience: wire::UnknownWhy::Known.into(),
        segments: vec![4],
        ..Default::default()
    };
    assert_eq!(bid, expected);
}

#[test]
fn fees_are_told_with_what_they_leave() {
    let mut campaigns = fixtures::index().campaigns().to_vec();
    campaigns[0].experiment = None;
    campaigns[0].strategy.margin_ppm = 150_000;
    campaigns[0].strategy.segments[0].data_cpm = Nanos::of_one_impression(220_000);
    let index = CampaignIndex::compile(campaigns, fixtures::index().rates().clone(), 42);
    let price = with_request(PersonKey([1; 16]), |request| {
        let context = Context { exchange_fee_ppm: 25_000, ..*request.context };
        bids_by(&index, &BidRequest { context: &context, ..*request }).0.price.expect("it has a price")
    });
    // 85 % of 2.20 without 0.22 is 1.65, of which 1.609756 is media with 2.5 % of it besides.
    let fees = wire::Fees { exchange_ppm: 25_000, data_cpm: 220_000, margin_ppm: 150_000 };
    assert_eq!((price.fees, price.media_cpm), (Some(fees), Some(1_609_756)));
    assert_eq!((price.paced_cpm, price.bid_cpm), (2_200_000, 1_770_731));
}

#[test]
fn a_held_out_person_gets_a_ghost_bid_and_the_next_campaign() {
    let (bid, ghosts) = bids_of(true);
    assert_eq!((bid.campaign, bid.ghost, bid.arm()), (8, false, wire::Arm::None));
    assert_eq!((bid.experiment.as_str(), bid.arm_propensity_ppm), ("", 1_000_000));
    let [ghost] = &ghosts[..] else { panic!("one campaign experiments") };
    assert_eq!((ghost.campaign, ghost.ghost, ghost.arm()), (7, true, wire::Arm::HeldOut));
    assert_eq!(ghost.arm_propensity_ppm, 500_000);
}

#[test]
fn nobody_is_named_where_nothing_is_known() {
    let (bid, _) = with_request(PersonKey([1; 16]), |request| {
        bids(&BidRequest { audience: Audience::Unknown(UnknownWhy::Late), ..*request })
    });
    assert_eq!((bid.campaign, &bid.person[..], &bid.segments[..]), (7, &[][..], &[][..]));
    assert_eq!(bid.audience(), wire::UnknownWhy::Late);
    assert_eq!((bid.arm(), bid.experiment.as_str()), (wire::Arm::None, ""));
}

#[test]
fn long_parts_are_written_as_the_generated_message_writes_them() {
    let long = "x".repeat(20_000);
    let (bid, _) = with_request(PersonKey([1; 16]), |request| {
        let index = fixtures::index();
        let mut scratch = Scratch::default();
        let mut result = decide(&index, request, &mut scratch, |_| false, |_| 1_000_000, |_, _| true, &mut Silent);
        let Some(Decision::Bid(bid)) = result.decisions.next() else { panic!("a bid was expected") };
        let names = Names { request_id: &long, ..Names::default() };
        let Bid { offer, grounds, .. } = &bid;
        (told(&Offered { request, index: &index, imp: 0, offer, grounds, evidence: result.evidence, names }), ())
    });
    assert_eq!((bid.request_id.len(), bid.impression.len(), bid.node), (20_000, 16, 0));
    for len in [1, 0x7f, 0x80, 0x3fff, 0x4000] {
        let (mut ours, ones) = (Vec::new(), vec![1; len]);
        Fields(&mut ours).packed(19, ones.iter().copied());
        let theirs = wire::Bid { eligible_campaigns: ones, ..Default::default() }.encode_to_vec();
        assert_eq!(ours, theirs, "{len} numbers");
    }
}
