use decision::campaign::Experiment;
use decision::decide::{BidRequest, Scratch, decide};
use decision::experiment::arm;
use decision::ids::{
    AdvertiserId, CampaignId, Country, CreativeId, Currency, ExchangeName, ImpressionId, Label, PersonKey, Region,
    SegmentId,
};
use decision::index::CampaignIndex;
use decision::money::Nanos;
use decision::opportunity::{Context, Opportunity};
use decision::outcome::{Arm, Decision, NoBidReason, Silent, Slot};
use decision::profile::{Audience, CapScope, GhostScope, Impression, Membership, Profile, UnknownWhy};
use decision::targeting::{DeviceType, Size};
use decision::time::{Micros, Seconds};
use proptest::collection::{btree_map, btree_set, vec};
use proptest::option;
use proptest::prelude::*;

use super::{Replay, Unreadable, decision_made, offer_made, record};
use crate::fixtures::{self, with_request};
use crate::{ids, record as records, wire};

/// As a record of `opportunities` and back.
fn over_the_wire(sent: &wire::OpportunityRecord) -> Replay {
    let received: wire::OpportunityRecord = records::decode(&records::encode(sent)).expect("it was just encoded");
    Replay::try_from(&received).expect("it was a request")
}

// === A request survives the wire ===

fn label<const N: usize>() -> impl Strategy<Value = Label<N>> {
    vec(b'!'..=b'~', 1..=N).prop_map(|text| Label::new(std::str::from_utf8(&text).expect("ASCII")).expect("printable"))
}

type Terms = (Vec<Currency>, u32);
type Place = (ExchangeName, Option<Country>, Option<Region>, DeviceType, Terms, Vec<String>, Vec<String>);

fn place() -> impl Strategy<Value = Place> {
    let device =
        (0..=9_i64).prop_map(|number| if number == 0 { DeviceType::Unknown } else { DeviceType::of_number(number) });
    let texts = || vec("\\PC{0,12}", 0..3);
    let terms = (vec(label(), 1..3), 0..=1_000_000_u32);
    (label(), option::of(label()), option::of(label()), device, terms, texts(), texts())
}

type Offered = (Vec<Size>, i64, Option<Currency>, bool, bool);

fn offered() -> impl Strategy<Value = Offered> {
    let size = (1..=u16::MAX, 1..=u16::MAX).prop_map(|(w, h)| Size { w, h });
    (vec(size, 0..4), any::<i64>(), option::of(label()), any::<bool>(), any::<bool>())
}

type Known = (PersonKey, Vec<Membership>, Vec<Impression>);

fn audience() -> impl Strategy<Value = Result<Known, UnknownWhy>> {
    let memberships = btree_map(any::<u32>(), (any::<u32>(), any::<u8>()), 0..5).prop_map(|memberships| {
        let ascending = memberships.into_iter();
        let membership = |(segment, (until, confidence))| Membership {
            segment: SegmentId(segment),
            until: Seconds(until),
            confidence,
        };
        ascending.map(membership).collect()
    });
    let impressions = btree_set((1..5_i32, 0..3_u32, 0..3_u32, any::<u32>()), 0..9).prop_map(|impressions| {
        let impressions = impressions.into_iter().filter_map(|(subject, id, ghost_of, at)| {
            // Ghost bids of a whole campaign have one name.
            let id = if subject == 1 && ghost_of > 0 { ghost_of } else { id };
            ids::scope(subject, id, ghost_of).map(|scope| Impression { scope, at: Seconds(at) })
        });
        let mut impressions: Vec<Impression> = impressions.collect();
        impressions.sort_by_key(|impression| (impression.scope, std::cmp::Reverse(impression.at)));
        impressions
    });
    let known = (any::<[u8; 16]>().prop_map(PersonKey), memberships, impressions);
    prop_oneof![known.prop_map(Ok), proptest::sample::select(&UnknownWhy::ALL[..]).prop_map(Err)]
}

proptest! {
    #[test]
    fn every_request_survives_the_wire(
        place in place(),
        offers in vec(offered(), 0..4),
        audience in audience(),
        now in any::<i64>(),
        seed in any::<u64>(),
    ) {
        let (exchange, country, region, device, (currencies, exchange_fee_ppm), domains, categories) = &place;
        let blocked_domains: Vec<&str> = domains.iter().map(String::as_str).collect();
        let blocked_categories: Vec<&str> = categories.iter().map(String::as_str).collect();
        let context = Context {
            exchange: *exchange,
            country: *country,
            region: *region,
            device: *device,
            currencies,
            exchange_fee_ppm: *exchange_fee_ppm,
            blocked_domains: &blocked_domains,
            blocked_categories: &blocked_categories,
        };
        let opportunities: Vec<Opportunity<'_>> = offers
            .iter()
            .map(|(sizes, floor, floor_currency, secure, private_auction)| Opportunity {
                sizes,
                floor: Nanos::new(*floor),
                floor_currency: *floor_currency,
                secure: *secure,
                private_auction: *private_auction,
            })
            .collect();
        let audience = match &audience {
            Ok((person, memberships, impressions)) => {
                Audience::Known(Profile { person: *person, memberships, impressions })
            }
            Err(why) => Audience::Unknown(*why),
        };
        let sent = BidRequest { context: &context, opportunities: &opportunities, audience, now: Micros(now), seed };
        let index = fixtures::index();
        let replay = over_the_wire(&record(&sent, std::iter::repeat("imp"), &index));
        prop_assert_eq!(&replay.rates, index.rates());
        prop_assert_eq!(replay.index_version, 42);
        replay.with_request(|received| {
            prop_assert_eq!(received.context, sent.context);
            prop_assert_eq!(received.opportunities, sent.opportunities);
            prop_assert_eq!(received.audience, sent.audience);
            prop_assert_eq!((received.now, received.seed), (sent.now, sent.seed));
            Ok(())
        })?;
    }
}

// === A recorded decision is made again ===

/// Decides, and records the request, the lease's answers and the decisions. The lease has money for every campaign but
/// `without_money`.
fn decided(index: &CampaignIndex, request: &BidRequest<'_>, without_money: CampaignId) -> wire::OpportunityRecord {
    let mut reserves = Vec::new();
    let mut scratch = Scratch::default();
    let reserve = |slot: Slot, amount: Nanos| {
        let campaign = index.campaign(slot).id;
        let granted = campaign != without_money;
        reserves.push(wire::ReserveAnswer { campaign: campaign.0, amount: amount.get(), granted });
        granted
    };
    let result = decide(index, request, &mut scratch, |_| false, |_| 1_000_000, reserve, &mut Silent);
    let (decisions, ghosts) = made(result.decisions, result.ghosts);
    wire::OpportunityRecord { decisions, ghosts, reserves, ..record(request, ["1", "2"], index) }
}

fn made(
    decisions: impl Iterator<Item = Decision>,
    ghosts: &[decision::outcome::Ghost],
) -> (Vec<wire::DecisionMade>, Vec<wire::DecisionMade>) {
    let decisions = decisions.enumerate().map(|(imp, decision)| decision_made(imp, &decision, None)).collect();
    (decisions, ghosts.iter().map(|ghost| offer_made(ghost.imp, &ghost.offer, None)).collect())
}

/// Decides a record again by what stands in it.
fn decided_again(record: &wire::OpportunityRecord) -> (Vec<wire::DecisionMade>, Vec<wire::DecisionMade>) {
    let replay = over_the_wire(record);
    let campaigns = fixtures::index().campaigns().to_vec();
    let index = CampaignIndex::compile(campaigns, replay.rates.clone(), replay.index_version);
    let mut answers = replay.reserves.iter();
    let reserve = |slot: Slot, amount: Nanos| {
        let answer = answers.next().expect("no more is asked than was");
        assert_eq!((index.campaign(slot).id, amount), (answer.campaign, answer.amount));
        answer.granted
    };
    let stopped = |slot: Slot| replay.stopped.contains(&index.campaign(slot).id);
    let pace = |slot: Slot| replay.paces.get(&index.campaign(slot).id).copied().unwrap_or(1_000_000);
    let mut scratch = Scratch::default();
    replay.with_request(|request| {
        let result = decide(&index, request, &mut scratch, stopped, pace, reserve, &mut Silent);
        made(result.decisions, result.ghosts)
    })
}

/// Somebody on this side of the experiment.
fn person_of(wanted: Arm) -> PersonKey {
    let index = fixtures::index();
    let experiment: Option<&Experiment> = index.campaigns()[0].experiment.as_ref();
    let mut people = (1..=u8::MAX).map(|byte| PersonKey([byte; 16]));
    people.find(|person| arm(experiment, Some(*person)) == wanted).expect("half of the people are on each side")
}

#[test]
fn a_recorded_decision_is_made_again() {
    let index = fixtures::index();
    for (side, without_money, bid, ghost) in
        [(Arm::Treated, 0, 7, None), (Arm::Treated, 7, 8, None), (Arm::HeldOut, 0, 8, Some(7))]
    {
        let record = with_request(person_of(side), |request| decided(&index, request, CampaignId(without_money)));
        let offers = |made: &[wire::DecisionMade]| made.iter().map(|made| made.campaign).collect::<Vec<_>>();
        assert_eq!(offers(&record.decisions), [bid, 0]);
        assert_eq!(offers(&record.ghosts), Vec::from_iter(ghost));
        assert_eq!(record.decisions[1].no_bid_reason, NoBidReason::NoEligibleCampaign.code());
        assert_eq!(decided_again(&record), (record.decisions.clone(), record.ghosts.clone()));
    }
}

#[test]
fn the_fee_of_the_exchange_is_replayed() {
    let index = fixtures::index();
    let record = with_request(person_of(Arm::Treated), |request| {
        let context = Context { exchange_fee_ppm: 100_000, ..*request.context };
        decided(&index, &BidRequest { context: &context, ..*request }, CampaignId(0))
    });
    // Of 2.20 euros the exchange bills a tenth of 2.00 besides.
    assert_eq!((record.decisions[0].price, record.reserves[0].amount), (2_200_000, 2_200_000));
    assert_eq!(decided_again(&record).0, record.decisions);
}

#[test]
fn a_stop_is_replayed() {
    let index = fixtures::index();
    let record = with_request(person_of(Arm::Treated), |request| decided(&index, request, CampaignId(7)));
    // Had 7 been stopped, only 8 would have been asked for money.
    let stopped = wire::OpportunityRecord {
        stopped_campaigns: vec![7],
        reserves: record.reserves[1..].to_vec(),
        ..record.clone()
    };
    assert_eq!(decided_again(&stopped).0[0], record.decisions[0]);
}

#[test]
fn an_offer_is_told_in_full() {
    let index = fixtures::index();
    let treated = person_of(Arm::Treated);
    let impression = ImpressionId([9; 16]);
    let mut scratch = Scratch::default();
    let told = with_request(treated, |request| {
        let mut result = decide(&index, request, &mut scratch, |_| false, |_| 1_000_000, |_, _| true, &mut Silent);
        decision_made(0, &result.decisions.next().expect("two were asked for"), Some(impression))
    });
    let expected = wire::DecisionMade {
        campaign: 7,
        creative: 1,
        variant: 1,
        // Twice 1.25 euros, cut to 2.20, in dollars.
        price: 2_420_000,
        currency: "USD".into(),
        segment: 4,
        arm: wire::Arm::Treated.into(),
        impression: vec![9; 16],
        ..Default::default()
    };
    assert_eq!(told, expected);
}

// === What cannot be read is refused ===

#[test]
fn a_record_that_cannot_be_a_request_is_refused() {
    let sent = with_request(PersonKey([1; 16]), |request| record(request, ["1", "2"], &fixtures::index()));
    let check = |edit: fn(&mut wire::OpportunityRecord), expected: &'static str| {
        let mut wire = sent.clone();
        edit(&mut wire);
        assert_eq!(Replay::try_from(&wire), Err(Unreadable(expected)));
    };
    fn context(wire: &mut wire::OpportunityRecord) -> &mut wire::Context {
        wire.context.as_mut().expect("it was sent")
    }
    fn audience(wire: &mut wire::OpportunityRecord) -> &mut wire::Audience {
        wire.audience.as_mut().expect("it was sent")
    }
    check(|wire| wire.context = None, "context");
    check(|wire| wire.audience = None, "audience");
    check(|wire| wire.person = vec![1; 15], "person");
    check(|wire| wire.rates[0].usd = 0, "rates");
    check(|wire| context(wire).exchange.clear(), "context.exchange");
    check(|wire| context(wire).country = "Germany".into(), "context.country");
    check(|wire| context(wire).currencies.clear(), "context.currencies");
    check(|wire| context(wire).exchange_fee_ppm = 1_000_001, "context.exchange_fee_ppm");
    check(|wire| wire.opportunities[0].sizes[0].w = 65_536, "opportunities.sizes");
    check(|wire| wire.opportunities[0].floor_currency = "dollars".into(), "opportunities.floor_currency");
    check(|wire| audience(wire).unknown = 9, "audience.unknown");
    check(|wire| audience(wire).memberships.swap(0, 1), "audience.memberships");
    check(|wire| audience(wire).memberships[0].confidence = 256, "audience.memberships");
    check(|wire| audience(wire).impressions.swap(0, 1), "audience.impressions");
    check(|wire| audience(wire).impressions[0].subject = 0, "audience.impressions");
}

#[test]
fn nobody_is_named_where_nothing_is_known() {
    let index = fixtures::index();
    let stranger = with_request(PersonKey::default(), |request| record(request, ["1", "2"], &index));
    assert_eq!(stranger.person, Vec::<u8>::new());
    let unknown = with_request(PersonKey([1; 16]), |request| {
        let request = BidRequest { audience: Audience::Unknown(UnknownWhy::NotPermitted), ..*request };
        record(&request, ["1", "2"], &index)
    });
    assert_eq!(unknown.person, Vec::<u8>::new());
    over_the_wire(&unknown).with_request(|request| {
        assert_eq!(request.audience, Audience::Unknown(UnknownWhy::NotPermitted));
    });
}

#[test]
fn every_scope_survives_the_wire() {
    let (campaign, creative, segment) = (CampaignId(7), CreativeId(70), SegmentId(4));
    for (scope, subject, id, ghost_of) in [
        (CapScope::Campaign(campaign), wire::CapSubject::Campaign, 7, 0),
        (CapScope::Creative(creative), wire::CapSubject::EachCreative, 70, 0),
        (CapScope::Advertiser(AdvertiserId(3)), wire::CapSubject::Advertiser, 3, 0),
        (CapScope::Segment(segment), wire::CapSubject::EachSegment, 4, 0),
        (CapScope::Ghosts(campaign, GhostScope::Campaign), wire::CapSubject::Campaign, 7, 7),
        (CapScope::Ghosts(campaign, GhostScope::Creative(creative)), wire::CapSubject::EachCreative, 70, 7),
        (CapScope::Ghosts(campaign, GhostScope::Segment(segment)), wire::CapSubject::EachSegment, 4, 7),
    ] {
        assert_eq!((ids::scope_parts(scope), ids::ghost_of(scope)), ((subject, id), ghost_of));
        assert_eq!(ids::scope(subject.into(), id, ghost_of), Some(scope));
    }
    assert_eq!(ids::scope(wire::CapSubject::Advertiser.into(), 3, 7), None, "ghost bids are of a campaign");
    assert_eq!([ids::scope(0, 7, 0), ids::scope(0, 7, 7), ids::scope(9, 7, 0)], [None; 3]);
}
