//! What people are told of prices and of money.

use bidder::bid::person_ids;
use bidder::exchange::request::RequestBuffer;
use bidder::explain::explain;
use bidder::lease::Keeper;
use bidder::privacy;
use decision::campaign::{CampaignDraft, PriceRule, SegmentPrice};
use decision::ids::SegmentId;
use decision::money::{Nanos, parse_percent};
use decision::profile::Membership;
use decision::time::{Micros, Seconds};
use event_log::Partition;
use proto::wire::campaigns_record::Change;
use proto::wire::lease_record::Event;
use proto::wire::{LeaseAsk, LeaseGrant, LeaseRecord, LeaseRefusal, Segment};
use segment_store::Join;

use crate::place::{NODE, Place, campaign};

const NOW: Micros = Micros(1_800_000_000_000_000);
const BODY: &[u8] = br#"{"id":"1","imp":[{"id":"1","banner":{"w":300,"h":250}}],"user":{"buyeruid":"f47ac10b"}}"#;
const VIP: SegmentId = SegmentId(5);

/// The prices in `prices`, such as `default 2 max 8.5 vip x4.5`, and what the `ledger` answers: `lends`, `lends little`,
/// `refuses` or nothing. What the campaign does about a person in `vip`.
fn check(prices: &str, ledger: &str, expected: &str) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let said = runtime.block_on(async {
        let place = Place::new();
        let vip = Change::Segment(Segment { id: VIP.0, name: "vip".into(), ..Segment::default() });
        place.publish([campaign(draft(prices)), vip]).await;
        join(&place).await;
        supply(&place, ledger, NOW);
        let explained = explain(&place.bidder, "new", BODY, NOW).await.expect("a bid request");
        place.bidder.events.close();
        let imp = &explained.imps[0];
        let boots = &imp.campaigns[0];
        format!("{}: {}; {}; {}", imp.decision, boots.result, boots.missed.join(", "), boots.price.join(" -> "))
    });
    assert_eq!(said, expected, "{prices}; {ledger}");
}

pub(crate) fn draft(prices: &str) -> CampaignDraft {
    let words: Vec<&str> = prices.split(' ').collect();
    let cpm = |text: &str| Nanos::parse_cpm(text).expect("a price");
    let word = |name: &str| words.iter().position(|word| *word == name).map(|at| words[at + 1]);
    let price = |text: &str| match text.strip_prefix('x') {
        Some(factor) => PriceRule::Multiplier(u32::try_from(cpm(factor).get()).expect("parts per million")),
        None => PriceRule::Fixed(cpm(text)),
    };
    let rule = |text| SegmentPrice {
        segment: VIP,
        price: price(text),
        min_cpm: None,
        max_cpm: None,
        data_cpm: word("data").map_or(Nanos::ZERO, cpm),
    };
    CampaignDraft {
        default_cpm: word("default").map(|text| cpm(text).cpm_micros()),
        max_cpm: word("max").map_or(0, |text| cpm(text).cpm_micros()),
        margin_ppm: word("margin").map_or(0, |text| parse_percent(text).expect("a share")),
        segments: word("vip").map(rule).into_iter().collect(),
        ..CampaignDraft::default()
    }
}

async fn join(place: &Place) {
    let bidder = &place.bidder;
    let mut buffer = RequestBuffer::default();
    let view = buffer.read(BODY, &bidder.exchanges["new"]).expect("a bid request");
    let ids = person_ids(&bidder.hasher, &view, &privacy::permit(&view));
    let memberships = [Membership { segment: VIP, until: Seconds(u32::MAX), confidence: 100 }];
    let join = Join { ids: ids.as_slice(), person: None, memberships: &memberships };
    bidder.profiles.join(&join, NOW).await.expect("a durable profile");
}

/// Has the keeper ask for money and hear what the `ledger` answers.
pub(crate) fn supply(place: &Place, ledger: &str, now: Micros) -> Keeper {
    let mut keeper = Keeper::new(NODE, place.bidder.reservations.clone());
    keeper.want(now, place.bidder.campaigns.load().wanted(now));
    let asked = keeper.tick(now);
    let Some(Event::Ask(LeaseAsk { campaign, ask, amount, .. })) = asked[0].event else { panic!("it asks first") };
    let grant = LeaseGrant { node: NODE.0, campaign, ask, ..LeaseGrant::default() };
    let lent = |amount| LeaseGrant { lease: 1, amount, until: now.plus_seconds(30).0, ..grant };
    let grant = match ledger {
        "lends" => lent(amount),
        "lends little" => lent(1),
        "refuses" => LeaseGrant { refusal: LeaseRefusal::TotalBudget.into(), ..grant },
        _ => return keeper,
    };
    keeper.take(Partition::default(), &LeaseRecord { event: Some(Event::Grant(grant)), ..LeaseRecord::default() }, now);
    keeper
}

#[test]
fn a_price_is_told_step_by_step() {
    check("default 2 max 8.5", "lends", "bid: bid; ; 2.00 USD by default");
    check("vip 5 max 8.5", "lends", "bid: bid; ; 5.00 USD for segment vip");
    check("vip 9 max 8.5", "lends", "bid: bid; ; 9.00 USD for segment vip -> 8.50 USD within the limits");
    check(
        "default 2 vip x4.5 max 8.5",
        "lends",
        "bid: bid; ; 2.00 USD default x 4.5 = 9.00 USD for segment vip -> 8.50 USD within the limits",
    );
    check(
        "vip 2 data 0.4 margin 15% max 8.5",
        "lends",
        "bid: bid; ; 2.00 USD for segment vip -> \
         1.30 USD for media: without a margin of 15 %, without 0.40 USD for data",
    );
    check(
        "default 2 vip 0.000001 margin 50% max 8.5",
        "lends",
        "below_floor: below_floor; ; 0.000001 USD for segment vip -> nothing for media: without a margin of 50 %",
    );
}

#[test]
fn a_spent_budget_is_told_from_a_silent_ledger() {
    let default = "default 2 max 8.5";
    check(default, "refuses", "no_lease: no_lease; the total budget is spent or lent; 2.00 USD by default");
    check(default, "lends little", "no_lease: no_lease; what is left of a budget is too little; 2.00 USD by default");
    check(default, "is silent", "no_lease: no_lease; the ledger does not answer; 2.00 USD by default");
}
