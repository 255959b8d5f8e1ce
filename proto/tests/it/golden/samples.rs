//! The messages in the golden records. Every field is set in at least one of them. What stands here stays as it is: for
//! a new field append a message.

#![expect(clippy::needless_update, reason = "fields may be added to every message")]

use proto::record::{StreamRecord, encode};
use proto::wire::campaigns_record::Change;
use proto::wire::journal_entry::Input;
use proto::wire::lease_record::Event;
use proto::wire::segment_price::Price;
use proto::wire::targeting::Expression;
use proto::wire::{
    Advertiser, AdvertiserAccount, AnsweredAsk, Arm, Audience, Bid, Campaign, CampaignAccount, CampaignBudget,
    CampaignStop, CampaignsRecord, CapCount, CapSubject, ClosedDay, Context, CorrectedCharge, Correction, Creative,
    CurrencyRate, DaySpent, DecisionMade, Experiment, Fees, FrequencyCap, JournalEntry, LeaseAsk, LeaseGrant,
    LeasePace, LeaseRead, LeaseRecord, LeaseRefusal, LeaseReturn, LeaseSettled, LedgerPolicy, LedgerSnapshot,
    LocalTime, Membership, MoneySums, Notice, NoticeKind, OffsetChange, OpenDay, OpenLease, Opportunity,
    OpportunityRecord, Outcome, OutcomeKind, Pace, PacerState, Pacing, Parts, PriceSteps, RegionFact,
    RememberedImpressions, ReserveAnswer, Restriction, Sealed, SeenImpression, Segment, SegmentFact, SegmentPrice,
    Size, SnapshotHead, Source, Targeting, TargetingList, Tick, UnknownWhy, Variant, WhenAudienceUnknown,
};

use super::Golden;

/// 2026-03-01 12:00:00.250 UTC.
const AT: i64 = 1_772_366_400_250_000;
const NODE: u64 = 0xfedc_ba98_7654_3210;
const LEASE: u64 = (1 << 60) + 5;
const CREATIVE: u32 = 71;
const VARIANT: u32 = 2;
const PERSON: [u8; 16] = *b"\x50ERSON key no. 1";
const IMPRESSION: [u8; 16] = [0, 1, 2, 3, 4, 5, 6, 7, 0xf8, 0xf9, 0xfa, 0xfb, 0xfc, 0xfd, 0xfe, 0xff];

fn golden<M: StreamRecord>(key: impl AsRef<[u8]>, message: &M) -> Golden {
    Golden { key: key.as_ref().to_vec(), value: encode(message) }
}

/// The golden records of a stream, in order.
pub(super) fn of(stream: &str) -> Vec<Golden> {
    match stream {
        "campaigns" => campaigns(),
        "opportunities" => opportunities(),
        "bids" => bids(),
        "notices" => notices(),
        "outcomes" => outcomes(),
        "leases" => leases(),
        "ledger-journal" => journal(),
        "ledger-snapshots" => snapshots(),
        _ => panic!("stream {stream} has no golden records: add them here"),
    }
}

// === campaigns ===

fn campaigns() -> Vec<Golden> {
    let record = |key: &str, change| {
        let retired = if matches!(change, Change::Campaign(_)) { vec![retired()] } else { Vec::new() };
        let record = CampaignsRecord { at: AT, by: "ann".into(), change: Some(change), retired, ..Default::default() };
        golden(key, &record)
    };
    let segment = Segment {
        id: 4,
        name: "cart-abandoned-24h".into(),
        description: "left something in the cart within a day".into(),
        owner: "crm".into(),
        retention_days: 30,
        audience_min: 100,
        sources: vec!["add-to-cart".into(), "purchase".into()],
        ..Default::default()
    };
    let by =
        |subject: CapSubject| FrequencyCap { subject: subject.into(), count: 5, window_s: 3_600, ..Default::default() };
    let capped = Campaign {
        frequency_caps: vec![by(CapSubject::Advertiser), by(CapSubject::EachSegment), by(CapSubject::Campaign)],
        ..campaign()
    };
    let local = Campaign { pacing: Pacing::FrontLoaded.into(), local_time: Some(local_time()), ..campaign() };
    let paid = SegmentPrice { data_cpm: 400_000, ..segment_price(4, Price::FixedCpm(2_500_000)) };
    let with_fees = Campaign { margin_ppm: 150_000, segment_prices: vec![paid], ..campaign() };
    vec![
        record("advertiser/3", Change::Advertiser(advertiser())),
        record("segment/4", Change::Segment(segment)),
        record("campaign/7", Change::Campaign(campaign())),
        record("campaign-stop/7", Change::Stop(stop())),
        record("campaign/7", Change::Campaign(capped)),
        record("campaign/7", Change::Campaign(local)),
        record("campaign/7", Change::Campaign(with_fees)),
    ]
}

fn local_time() -> LocalTime {
    let change = OffsetChange { at: AT, offset_s: 7_200, ..Default::default() };
    LocalTime { time_zone: "Europe/Berlin".into(), offset_s: 3_600, changes: vec![change], ..Default::default() }
}

fn stop() -> CampaignStop {
    CampaignStop { campaign: 7, name: "boots".into(), ..Default::default() }
}

fn advertiser() -> Advertiser {
    Advertiser {
        id: 3,
        name: "shop".into(),
        currency: "EUR".into(),
        domain: "shop.example".into(),
        categories: vec!["IAB18".into()],
        daily_budget: Some(500_000_000_000),
        ..Default::default()
    }
}

fn campaign() -> Campaign {
    Campaign {
        id: 7,
        name: "boots".into(),
        advertiser: Some(advertiser()),
        from: AT,
        until: AT + 86_400_000_000,
        daily_budget: 120_500_000_000,
        total_budget: 1_000_000_000_000,
        targeting: Some(targeting()),
        when_audience_unknown: WhenAudienceUnknown::Bid.into(),
        default_cpm: Some(1_250_000),
        min_cpm: 500_000,
        max_cpm: 9_000_000,
        segment_prices: vec![
            segment_price(4, Price::MultiplierPpm(1_500_000)),
            segment_price(5, Price::FixedCpm(4_000_001)),
        ],
        frequency_caps: vec![FrequencyCap {
            subject: CapSubject::EachCreative.into(),
            count: 3,
            window_s: 86_400,
            ..Default::default()
        }],
        creatives: vec![Creative {
            id: CREATIVE,
            name: "banner".into(),
            size: Some(Size { w: 300, h: 250 }),
            variants: vec![variant()],
            ..Default::default()
        }],
        experiment: Some(Experiment {
            name: "lift".into(),
            salt: u64::MAX - 1,
            holdout_ppm: 100_000,
            ..Default::default()
        }),
        objective: "sales".into(),
        kpi: "cost per order".into(),
        ..Default::default()
    }
}

fn retired() -> Creative {
    Creative { id: 70, name: "skyscraper".into(), ..Default::default() }
}

fn variant() -> Variant {
    Variant {
        id: VARIANT,
        name: "come back".into(),
        segments: vec![4, 5],
        markup: "<a href=\"${CLICK_URL}\">Ihre Schuhe warten – \u{1f45f}</a>".into(),
        landing_url: "https://shop.example/cart".into(),
        ..Default::default()
    }
}

fn segment_price(segment: u32, price: Price) -> SegmentPrice {
    SegmentPrice { segment, price: Some(price), min_cpm: Some(600_000), max_cpm: Some(8_000_000), ..Default::default() }
}

fn targeting() -> Targeting {
    let is = |expression| Targeting { expression: Some(expression) };
    let list = |parts| TargetingList { parts, ..Default::default() };
    let place = list(vec![
        is(Expression::Country("DEU".into())),
        is(Expression::Region(RegionFact { country: "AUT".into(), region: "9".into(), ..Default::default() })),
    ]);
    let circumstances = vec![
        is(Expression::Segment(SegmentFact { segment: 4, confidence_min: 70, ..Default::default() })),
        is(Expression::Any(place)),
        is(Expression::None(list(vec![is(Expression::Device(3))]))),
        is(Expression::Exchange("demo".into())),
        is(Expression::Size(Size { w: 300, h: 250 })),
    ];
    is(Expression::All(list(circumstances)))
}

// === opportunities and bids ===

fn opportunities() -> Vec<Golden> {
    let known = OpportunityRecord {
        at: AT,
        request_id: "req-1".into(),
        node: NODE,
        person: PERSON.into(),
        sampled_one_in: 100,
        context: Some(context()),
        opportunities: vec![opportunity("1", false), opportunity("2", true)],
        audience: Some(Audience {
            unknown: UnknownWhy::Known.into(),
            memberships: vec![Membership { segment: 4, until: 1_772_400_000, confidence: 90, ..Default::default() }],
            impressions: vec![SeenImpression {
                subject: CapSubject::Campaign.into(),
                id: 7,
                at: 1_772_366_000,
                ..Default::default()
            }],
            ..Default::default()
        }),
        seed: 0x0123_4567_89ab_cdef,
        index_version: 41,
        model_version: 2,
        reserves: vec![ReserveAnswer { campaign: 7, amount: 1_875_000, granted: true, ..Default::default() }],
        decisions: vec![
            DecisionMade { impression: IMPRESSION.into(), ..offer(Arm::Treated) },
            DecisionMade { no_bid_reason: 2, imp: 1, ..Default::default() },
        ],
        rates: vec![CurrencyRate { currency: "EUR".into(), usd: 1_084_500_001, ..Default::default() }],
        stopped_campaigns: vec![9, 12],
        restricted_by: Restriction::None.into(),
        ghosts: vec![offer(Arm::HeldOut)],
        ..Default::default()
    };
    let restricted = OpportunityRecord {
        audience: Some(Audience { unknown: UnknownWhy::NotPermitted.into(), ..Default::default() }),
        restricted_by: Restriction::UsPrivacy.into(),
        person: Vec::new(),
        reserves: Vec::new(),
        decisions: vec![
            DecisionMade { no_bid_reason: 9, ..Default::default() },
            DecisionMade { no_bid_reason: 2, imp: 1, ..Default::default() },
        ],
        ghosts: Vec::new(),
        ..known.clone()
    };
    let test = OpportunityRecord { test: true, ..known.clone() };
    let seen = seen(&known);
    let paces = vec![Pace { campaign: 7, multiplier_ppm: 950_000, ..Default::default() }];
    let paced = OpportunityRecord { paces, ..known.clone() };
    let context = Some(Context { exchange_fee_ppm: 25_000, ..context() });
    let with_fee = OpportunityRecord { context, ..known.clone() };
    vec![
        golden(PERSON, &known),
        golden([], &restricted),
        golden(PERSON, &test),
        golden(PERSON, &seen),
        golden(PERSON, &paced),
        golden(PERSON, &with_fee),
    ]
}

/// With impressions and ghost bids of every kind.
fn seen(known: &OpportunityRecord) -> OpportunityRecord {
    let mut seen = known.clone();
    let seen_by = |subject: CapSubject, id, ghost_of| SeenImpression {
        subject: subject.into(),
        id,
        at: 1_772_366_000,
        ghost_of,
        ..Default::default()
    };
    seen.audience.get_or_insert_default().impressions = vec![
        seen_by(CapSubject::Advertiser, 3, 0),
        seen_by(CapSubject::EachSegment, 4, 0),
        seen_by(CapSubject::Campaign, 7, 7),
        seen_by(CapSubject::EachCreative, CREATIVE, 7),
        seen_by(CapSubject::EachSegment, 4, 7),
    ];
    seen
}

fn opportunity(imp_id: &str, private_auction: bool) -> Opportunity {
    Opportunity {
        imp_id: imp_id.into(),
        sizes: vec![Size { w: 300, h: 250 }, Size { w: 320, h: 50 }],
        floor: 750_000,
        floor_currency: "USD".into(),
        secure: true,
        private_auction,
        ..Default::default()
    }
}

fn context() -> Context {
    Context {
        exchange: "demo".into(),
        country: "DEU".into(),
        region: "BY".into(),
        device: 4,
        currencies: vec!["USD".into(), "EUR".into()],
        blocked_domains: vec!["rival.example".into()],
        blocked_categories: vec!["IAB26".into()],
        ..Default::default()
    }
}

fn offer(arm: Arm) -> DecisionMade {
    DecisionMade {
        campaign: 7,
        creative: CREATIVE,
        variant: VARIANT,
        price: 2_033_437,
        currency: "USD".into(),
        segment: 4,
        arm: arm.into(),
        ..Default::default()
    }
}

fn bids() -> Vec<Golden> {
    let bid = Bid {
        impression: IMPRESSION.into(),
        at: AT,
        exchange: "demo".into(),
        request_id: "req-1".into(),
        imp_id: "1".into(),
        node: NODE,
        person: PERSON.into(),
        campaign: 7,
        advertiser: 3,
        creative: CREATIVE,
        variant: VARIANT,
        variant_propensity_ppm: 1_000_000,
        segment: 4,
        arm: Arm::Treated.into(),
        experiment: "lift".into(),
        experiment_salt: u64::MAX - 1,
        arm_propensity_ppm: 900_000,
        eligible_campaigns: vec![7, 8],
        price: Some(price()),
        value: Some(2_500_000),
        win_probability_ppm: Some(240_000),
        pacing_multiplier_ppm: 950_000,
        cap_counts: vec![CapCount {
            subject: CapSubject::EachCreative.into(),
            id: CREATIVE,
            window_s: 86_400,
            count: 1,
            limit: 3,
            ..Default::default()
        }],
        index_version: 41,
        lease: LEASE,
        size: Some(Size { w: 300, h: 250 }),
        model_version: 2,
        country: "DEU".into(),
        region: "BY".into(),
        device: 4,
        audience: UnknownWhy::Known.into(),
        segments: vec![4, 11],
        ..Default::default()
    };
    // Ghosts hold no money; a contextual bid knows nobody and has no model.
    let ghost = Bid { ghost: true, arm: Arm::HeldOut.into(), arm_propensity_ppm: 100_000, lease: 0, ..bid.clone() };
    let contextual = Bid {
        person: Vec::new(),
        segment: 0,
        segments: Vec::new(),
        arm: Arm::None.into(),
        experiment: String::new(),
        experiment_salt: 0,
        arm_propensity_ppm: 1_000_000,
        value: None,
        win_probability_ppm: None,
        model_version: 0,
        audience: UnknownWhy::Late.into(),
        ..bid.clone()
    };
    let test = Bid { test: true, lease: 0, ..bid.clone() };
    let capped = Bid {
        cap_counts: vec![counted(CapSubject::Advertiser, 3), counted(CapSubject::EachSegment, 4)],
        ..bid.clone()
    };
    let paced = Bid { price: Some(PriceSteps { paced_cpm: 1_781_250, ..price() }), ..bid.clone() };
    let paid = PriceSteps { paced_cpm: 1_875_000, fees: Some(fees()), media_cpm: Some(1_164_634), ..price() };
    let with_fees = Bid { price: Some(PriceSteps { bid_cpm: 1_263_045, ..paid }), ..bid.clone() };
    [bid, ghost, contextual, test, capped, paced, with_fees].iter().map(|bid| golden(IMPRESSION, bid)).collect()
}

fn counted(subject: CapSubject, id: u32) -> CapCount {
    CapCount { subject: subject.into(), id, window_s: 3_600, count: 4, limit: 5, ..Default::default() }
}

fn price() -> PriceSteps {
    PriceSteps {
        default_cpm: Some(1_250_000),
        ruled_cpm: 1_875_000,
        limited_cpm: 1_875_000,
        bid_cpm: 2_033_437,
        campaign_currency: "EUR".into(),
        bid_currency: "USD".into(),
        rate: 1_084_500_001,
        floor: 750_000,
        floor_currency: "USD".into(),
        ..Default::default()
    }
}

fn fees() -> Fees {
    Fees { exchange_ppm: 25_000, data_cpm: 400_000, margin_ppm: 150_000, ..Default::default() }
}

// === notices and money ===

fn notices() -> Vec<Golden> {
    let notices = [notice(NoticeKind::Billing), lost(), of_a_test(), audit(), with_fees()];
    notices.iter().map(|notice| golden(IMPRESSION, notice)).collect()
}

fn audit() -> Notice {
    Notice { price: None, void: true, ..notice(NoticeKind::Billing) }
}

fn with_fees() -> Notice {
    let billing = notice(NoticeKind::Billing);
    let sealed = billing.sealed.clone().map(|sealed| Sealed { price: 1_263_045, fees: Some(fees()), ..sealed });
    Notice { sealed, price: Some(1_200_000), ..billing }
}

fn of_a_test() -> Notice {
    let billing = notice(NoticeKind::Billing);
    let sealed = billing.sealed.clone().map(|sealed| Sealed { test: true, lease: 0, ..sealed });
    Notice { sealed, billable: false, ..billing }
}

fn lost() -> Notice {
    Notice { price: None, loss_reason: Some(102), ..notice(NoticeKind::Loss) }
}

fn notice(kind: NoticeKind) -> Notice {
    Notice {
        kind: kind.into(),
        impression: IMPRESSION.into(),
        at: AT + 1_500_000,
        node: NODE - 1,
        query: "t=AAEC&p=1.9".into(),
        sealed: Some(Sealed {
            exchange: "demo".into(),
            imp_id: "1".into(),
            campaign: 7,
            advertiser: 3,
            creative: CREATIVE,
            variant: VARIANT,
            person: PERSON.into(),
            node: NODE,
            lease: LEASE,
            price: 2_033_437,
            currency: "USD".into(),
            rate: 1_084_500_001,
            segment: 4,
            arm: Arm::Treated.into(),
            index_version: 41,
            bid_at: AT,
            expires_at: AT + 3_600_000_000,
            ..Default::default()
        }),
        price: Some(1_900_000),
        loss_reason: None,
        billable: kind == NoticeKind::Billing,
        min_to_win: Some(1_899_999),
        ..Default::default()
    }
}

fn charge() -> Outcome {
    Outcome {
        shard: 2,
        sequence: 77,
        kind: OutcomeKind::Charge.into(),
        impression: IMPRESSION.into(),
        at: AT + 1_500_000,
        bid_at: AT,
        exchange: "demo".into(),
        campaign: 7,
        advertiser: 3,
        creative: CREATIVE,
        variant: VARIANT,
        segment: 4,
        arm: Arm::Treated.into(),
        person: PERSON.into(),
        node: NODE,
        lease: LEASE,
        bid_price: 2_033_437,
        notice_price: Some(1_900_000),
        currency: "USD".into(),
        rate: 1_084_500_001,
        charged: 1_751_960,
        campaign_currency: "EUR".into(),
        late: true,
        above_bid: true,
        loss_reason: None,
        index_version: 41,
        min_to_win: Some(1_899_999),
        corrects: Some(70),
        overdrawn: true,
        ..Default::default()
    }
}

fn outcomes() -> Vec<Golden> {
    let charge = charge();
    let lost = Outcome {
        kind: OutcomeKind::Loss.into(),
        notice_price: None,
        charged: 0,
        late: false,
        above_bid: false,
        loss_reason: Some(102),
        corrects: None,
        overdrawn: false,
        ..charge.clone()
    };
    let of_a_day = Outcome { day: 20_786, ..charge.clone() };
    let closed = Outcome {
        shard: 2,
        sequence: 78,
        kind: OutcomeKind::DayClosed.into(),
        at: AT + 93_600_000_000,
        campaign: 7,
        advertiser: 3,
        campaign_currency: "EUR".into(),
        day: 20_786,
        closed: Some(ClosedDay { charges: 1_205, charged: 2_111_111_800, ..Default::default() }),
        ..Default::default()
    };
    let parts =
        Parts { media: 1_106_501, exchange_fee: 27_663, data_fee: 400_000, margin: 270_735, ..Default::default() };
    let with_fees = Outcome {
        bid_price: 1_263_045,
        notice_price: Some(1_200_000),
        charged: 1_804_899,
        above_bid: false,
        parts: Some(parts),
        ..of_a_day.clone()
    };
    let watermark = Outcome { shard: 2, kind: OutcomeKind::Watermark.into(), at: AT, ..Default::default() };
    let of_campaign = [charge, lost, of_a_day, closed];
    let mut all: Vec<Golden> = of_campaign.iter().map(|outcome| golden("7", outcome)).collect();
    all.push(golden("partition/0", &watermark));
    let with_terms = Outcome { fees: Some(fees()), ..with_fees.clone() };
    all.extend([&with_fees, &corrected(), &with_terms].map(|outcome| golden("7", outcome)));
    all
}

fn corrected() -> Outcome {
    Outcome {
        sequence: 90,
        kind: OutcomeKind::Correction.into(),
        at: AT + 864_000_000_000,
        notice_price: Some(0),
        charged: -1_751_960,
        late: false,
        above_bid: false,
        overdrawn: false,
        corrects: Some(77),
        day: 20_796,
        reason: "invalid traffic, credit note 7".into(),
        ..charge()
    }
}

fn correction() -> Correction {
    // What it names is a charge; every field is there so that every field is shown.
    let closed = Some(ClosedDay { charges: 1_205, charged: 2_111_111_800, ..Default::default() });
    let parts = Some(Parts {
        media: 1_000_000,
        exchange_fee: 25_000,
        data_fee: 400_000,
        margin: 326_960,
        ..Default::default()
    });
    let original = Outcome { loss_reason: Some(102), day: 20_786, closed, reason: "none".into(), parts, ..charge() };
    Correction {
        original: Some(Box::new(original)),
        before: 1_751_960,
        charged: 1_000_000,
        reason: "invalid traffic, credit note 7".into(),
        by: "ann".into(),
        at: AT + 864_000_000_000,
        ..Default::default()
    }
}

fn correction_with_terms() -> Correction {
    let mut correction = correction();
    correction.original.as_mut().expect("it has one").fees = Some(fees());
    correction
}

fn correction_with_price() -> Correction {
    Correction { price: Some(1_100_000), ..correction_with_terms() }
}

fn ask() -> LeaseAsk {
    LeaseAsk { node: NODE, campaign: 7, ask: 12, amount: 1_205_000_000, ..Default::default() }
}

fn lease_return() -> LeaseReturn {
    LeaseReturn { node: NODE, campaign: 7, lease: LEASE, amount: 205_000_000, ..Default::default() }
}

fn timed_ask() -> LeaseAsk {
    LeaseAsk { demand: 1_500_000_000, demand_us: 4_300_000, ..ask() }
}

fn leases() -> Vec<Golden> {
    let grant = LeaseGrant {
        node: NODE,
        campaign: 7,
        ask: 12,
        lease: LEASE,
        amount: 1_205_000_000,
        until: AT + 30_000_000,
        refusal: LeaseRefusal::None.into(),
        ..Default::default()
    };
    let refused = LeaseGrant { lease: 0, amount: 0, until: 0, refusal: LeaseRefusal::AdvertiserBudget.into(), ..grant };
    let settled = LeaseSettled {
        node: NODE,
        campaign: 7,
        lease: LEASE,
        charged: 1_751_960,
        impressions: vec![IMPRESSION.into(), PERSON.into()],
        closed: true,
        ..Default::default()
    };
    let told =
        LeaseSettled { won: vec![IMPRESSION.into()], lost: vec![PERSON.into()], closed: false, ..settled.clone() };
    let asked = LeaseRecord { at: AT, event: Some(Event::Ask(ask())), advertiser: 3, ..Default::default() };
    let read = Event::Read(LeaseRead { notices_until: AT, ..Default::default() });
    let read = LeaseRecord { at: AT, event: Some(read), shard: 2, ..Default::default() };
    let events = [
        Event::Ask(ask()),
        Event::Grant(grant),
        Event::Grant(refused),
        Event::Return(lease_return()),
        Event::Settled(settled.clone()),
        Event::Ask(LeaseAsk { demand: 1_500_000_000, ..ask() }),
        Event::Grant(LeaseGrant { multiplier_ppm: 950_000, ..grant }),
        Event::Pace(LeasePace { campaign: 7, multiplier_ppm: 940_000, ..Default::default() }),
        Event::Ask(timed_ask()),
    ];
    let corrected = LeaseRecord { at: AT, event: Some(Event::Correction(correction())), ..Default::default() };
    let of = |event| LeaseRecord { at: AT, event: Some(event), shard: 2, sequence: 77, ..Default::default() };
    let of_campaign = events.into_iter().map(of).chain([asked, of(Event::Settled(told))]);
    let mut all: Vec<Golden> = of_campaign.map(|record| golden("7", &record)).collect();
    let with_terms = LeaseRecord { event: Some(Event::Correction(correction_with_terms())), ..corrected.clone() };
    all.extend([golden("0", &read), golden("7", &corrected), golden("7", &with_terms)]);
    let with_price = LeaseRecord { event: Some(Event::Correction(correction_with_price())), ..corrected.clone() };
    all.push(golden("7", &with_price));
    all
}

fn budget() -> CampaignBudget {
    CampaignBudget {
        campaign: 7,
        advertiser: 3,
        currency: "EUR".into(),
        daily: 120_500_000_000,
        total: 1_000_000_000_000,
        from: AT,
        until: AT + 86_400_000_000,
        advertiser_daily: Some(500_000_000_000),
        name: "boots".into(),
        ..Default::default()
    }
}

fn paced_budget() -> CampaignBudget {
    CampaignBudget { pacing: Pacing::Even.into(), local_time: Some(local_time()), ..budget() }
}

fn journal() -> Vec<Golden> {
    let policy = LedgerPolicy { lease_s: 30, billing_window_s: 3_600, memory_margin_s: 600, ..Default::default() };
    let inputs = [
        Input::Policy(policy),
        Input::Budget(budget()),
        Input::Ask(ask()),
        Input::Notice(notice(NoticeKind::Billing)),
        Input::Notice(lost()),
        Input::Return(lease_return()),
        Input::Stop(stop()),
        Input::Tick(Tick {}),
        Input::Notice(of_a_test()),
        Input::Notice(audit()),
        Input::Budget(paced_budget()),
        Input::Ask(LeaseAsk { demand: 1_500_000_000, ..ask() }),
        Input::Ask(timed_ask()),
        Input::Policy(LedgerPolicy { shards: 4, rules: 1, ..policy }),
        Input::Notice(with_fees()),
        Input::Correction(correction()),
        Input::Correction(correction_with_terms()),
        Input::Correction(correction_with_price()),
    ];
    let source = Source { stream: "notices".into(), partition: 3, offset: 1_000_000, ..Default::default() };
    let entry = |(input, sequence)| JournalEntry {
        shard: 2,
        sequence,
        epoch: 5,
        at: AT,
        source: Some(source.clone()),
        input: Some(input),
        settle: true,
        ..Default::default()
    };
    inputs.into_iter().zip(71..).map(entry).map(|entry| golden("2", &entry)).collect()
}

// === ledger-snapshots ===

fn snapshots() -> Vec<Golden> {
    let sum = |nanos: i128| nanos.to_le_bytes().to_vec();
    let spent = || Some(DaySpent { day: AT - 43_200_250_000, amount: sum(7_000_000), ..Default::default() });
    let head = SnapshotHead {
        fold: 1,
        journal_offset: 82,
        now: AT,
        policy: Some(LedgerPolicy { lease_s: 30, billing_window_s: 3_600, memory_margin_s: 600, ..Default::default() }),
        positions: vec![Source { stream: "notices".into(), partition: 3, offset: 1_000_001, ..Default::default() }],
        remembered_from: AT - 600_250_000,
        charges: vec![3, 0, 1],
        oddities: vec![0, 2],
        ..Default::default()
    };
    let sums = MoneySums {
        granted: sum(12_000_000),
        charged: sum(5_000_000),
        returned: sum(0),
        late: sum(2_000_000),
        ..Default::default()
    };
    let campaign = CampaignAccount {
        campaign: 7,
        advertiser: 3,
        budget: Some(budget()),
        stopped: true,
        sums: Some(sums),
        today: spent(),
        asks: vec![AnsweredAsk { node: NODE, ask: 9, at: AT, ..Default::default() }],
        ..Default::default()
    };
    let advertiser =
        AdvertiserAccount { advertiser: 3, daily: Some(500_000_000_000), today: spent(), ..Default::default() };
    let lease = OpenLease {
        lease: LEASE,
        node: NODE,
        campaign: 7,
        granted: 12_000_000,
        charged: 5_000_000,
        returned: 1_000_000,
        handed_back: true,
        closes_at: AT + 3_600_000_000,
        ..Default::default()
    };
    let packed = [&IMPRESSION[..], &[33], &5_000_000_i64.to_le_bytes()].concat();
    let impressions = RememberedImpressions { minute: AT + 3_599_750_000, packed, ..Default::default() };
    let part = LedgerSnapshot { shard: 2, sequence: 81, epoch: 5, ..Default::default() };
    let first = LedgerSnapshot {
        head: Some(head),
        campaigns: vec![campaign],
        advertisers: vec![advertiser],
        leases: vec![lease],
        ..part.clone()
    };
    let last = LedgerSnapshot { part: 1, impressions: vec![impressions], parts: 2, ..part.clone() };
    let paced = LedgerSnapshot {
        head: Some(SnapshotHead { pacing_due_at: AT + 10_000_000, ..first.head.clone().unwrap_or_default() }),
        campaigns: vec![CampaignAccount {
            budget: Some(paced_budget()),
            pacer: Some(pacer()),
            ..first.campaigns[0].clone()
        }],
        ..part
    };
    let later = later(&first, &paced);
    [first, last, paced].iter().chain(&later).map(|part| golden("2", part)).collect()
}

/// With what snapshots have had since they had these.
fn later(first: &LedgerSnapshot, paced: &LedgerSnapshot) -> [LedgerSnapshot; 4] {
    let sum = |nanos: i128| nanos.to_le_bytes().to_vec();
    let campaign = CampaignAccount { pacer: Some(beginning()), ..paced.campaigns[0].clone() };
    let advertiser = AdvertiserAccount { spent: sum(7_000_000), pacer: Some(pacer()), ..first.advertisers[0].clone() };
    let shared = LedgerSnapshot { campaigns: vec![campaign], advertisers: vec![advertiser], ..paced.clone() };
    let days = vec![OpenDay { day: 20_786, charges: 1_205, charged: sum(2_111_111_800), ..Default::default() }];
    let campaign = CampaignAccount { days, open_from: Some(20_786), ..first.campaigns[0].clone() };
    let in_the_night = LedgerSnapshot { campaigns: vec![campaign], ..paced.clone() };
    let policy = LedgerPolicy { lease_s: 30, billing_window_s: 3_600, shards: 4, rules: 1, ..Default::default() };
    let head = SnapshotHead { policy: Some(policy), ..paced.head.clone().unwrap_or_default() };
    let of_four = LedgerSnapshot { head: Some(head), ..paced.clone() };
    let sums = first.campaigns[0].sums.clone().map(|sums| MoneySums { corrected: sum(-751_960), ..sums });
    let campaigns = vec![CampaignAccount { sums, ..first.campaigns[0].clone() }];
    let corrected = vec![CorrectedCharge { sequence: 77, charged: 1_000_000, ..Default::default() }];
    [shared, in_the_night, of_four, LedgerSnapshot { campaigns, corrected, ..first.clone() }]
}

fn beginning() -> PacerState {
    PacerState { begun_from: Some(AT - 7_220_000_000), begun_demand: 250_000_000, started: false, ..pacer() }
}

fn pacer() -> PacerState {
    PacerState {
        fall: 51_293,
        told_ppm: 950_000,
        begun_at: Some(AT - 7_200_000_000),
        started: true,
        looked_at: Some(AT - 10_000_000),
        spent: 7_000_000_i128.to_le_bytes().to_vec(),
        demanded_at: Some(AT - 1_000_000),
        hour: Some(AT - 250_000),
        hour_demand: 1_500_000_000,
        hour_is_whole: true,
        charge: 1_250_000,
        delay_us: 400_000,
        week: vec![31_000; 168],
        ..Default::default()
    }
}
