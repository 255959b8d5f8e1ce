//! One whole bid request in this process, bytes in, bytes out, on local stores: time, and allocations of the serving
//! thread. What HTTP costs is not in it.
//!
//! 1,000 campaigns of 7 to 9 predicates, people in 8 segments of 256, two impressions, frequency caps that are counted,
//! money of a lease, sealed notice URLs, and a record in `bids` for each bid. Every request has another person.

use std::sync::Arc;

use bidder::bid::{Answer, bid};
use bidder::bidder::Core;
use bidder::exchange::dialect::Dialect;
use bidder::lease::Keeper;
use bidder::server::Moment;
use decision::campaign::{CampaignDraft, CapSubject, CreativeDraft, PriceRule, SegmentPrice, Variant};
use decision::ids::{ExchangeName, Label, SegmentId, VariantId};
use decision::money::Nanos;
use decision::profile::Membership;
use decision::targeting::{DeviceType, Fact, Targeting};
use decision::time::Seconds;
use divan::{AllocProfiler, Bencher};
use event_log::Partition;
use proto::wire::campaigns_record::Change;
use proto::wire::{LeaseGrant, LeaseRecord, lease_record::Event};
use segment_store::Join;
use serde_json::json;
use tokio::runtime::{Builder, Runtime};

#[path = "../tests/it/place.rs"]
#[expect(dead_code, reason = "tests need more of it")]
mod place;

use place::{NODE, Place, published};

#[global_allocator]
static ALLOC: AllocProfiler<std::alloc::System> = AllocProfiler::system();

fn main() {
    divan::main();
}

const EXCHANGE: &str = "load";
const CAMPAIGNS: u32 = 1_000;
const SEGMENTS: u32 = 256;
const PEOPLE: u32 = 1_024;
const SIZES: [(u32, u32); 4] = [(300, 250), (728, 90), (320, 50), (160, 600)];
const COUNTRIES: [&str; 4] = ["USA", "DEU", "FRA", "GBR"];
const DEVICES: [DeviceType; 3] = [DeviceType::Phone, DeviceType::PersonalComputer, DeviceType::Tablet];

/// Numbers that look random and are the same in every run (SplitMix64).
fn mix(number: u32) -> u32 {
    let mut mixed = u64::from(number).wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (mixed >> 32) as u32
}

fn segment(segment: u32) -> Targeting {
    Targeting::Is(Fact::Segment { segment: SegmentId(1 + segment % SEGMENTS), confidence_min: 0 })
}

fn change(number: u32) -> Change {
    let mixed = mix(number) as usize;
    let (w, h) = SIZES[number as usize % SIZES.len()];
    let (first, second, excluded) = (number / 4, number / 4 + 85, number / 4 + 170);
    let but = |one: usize, of: usize| (0..of).filter(move |at| *at != one % of);
    let countries =
        but(mixed, COUNTRIES.len()).filter_map(|at| Some(Targeting::Is(Fact::Country(Label::new(COUNTRIES[at])?))));
    let devices = but(mixed >> 8, DEVICES.len()).map(|at| Targeting::Is(Fact::Device(DEVICES[at])));
    let exchange = Targeting::Is(Fact::Exchange(ExchangeName::new(EXCHANGE).expect("a name")));
    let targeting = Targeting::All(vec![
        exchange,
        Targeting::Any(vec![segment(first), segment(second)]),
        Targeting::Any(countries.collect()),
        Targeting::Any(devices.collect()),
        Targeting::None(vec![segment(excluded)]),
    ]);
    let price = |of: u32, cents: usize| SegmentPrice {
        segment: SegmentId(1 + of % SEGMENTS),
        price: PriceRule::Fixed(Nanos::of_one_impression(1_000_000 + (cents % 400) as i64 * 10_000)),
        min_cpm: None,
        max_cpm: None,
        data_cpm: Nanos::ZERO,
    };
    let markup = format!("<a href=\"${{CLICK_URL}}\" title=\"{}\">x</a>", "x".repeat(700));
    let landing_url = "https://load.example/".into();
    let variant = Variant { id: VariantId(1), name: "only".into(), segments: Vec::new(), markup, landing_url };
    published(CampaignDraft {
        id: 1 + number,
        name: format!("load-{number}"),
        targeting: Some(targeting),
        segments: vec![price(first, mixed), price(second, mixed >> 8)],
        min_cpm: 100_000,
        max_cpm: 5_000_000,
        caps: vec![(CapSubject::Campaign, 8, 3_600), (CapSubject::EachCreative, 4, 600)],
        creatives: vec![CreativeDraft { id: 1 + number, name: "only".into(), w, h, variants: vec![variant] }],
        ..CampaignDraft::default()
    })
}

fn user(person: u32) -> String {
    format!("load-person-{person:08}")
}

/// 2 KB for two impressions.
fn body(person: u32) -> Vec<u8> {
    let mixed = mix(1_000_000 + person) as usize;
    let kinds = [4, 2, 5];
    let size = |at: usize| SIZES[at % SIZES.len()];
    let imp = |at: usize| {
        let ((w, h), (w2, h2)) = (size(mixed + at), size(mixed + 2 + at));
        json!({
            "id": (at + 1).to_string(), "tagid": format!("/21775744923/news/article/slot-{at}"),
            "banner": {"w": w, "h": h, "pos": 1, "battr": [1, 2, 5, 8, 9, 14], "api": [5, 6],
                "format": [{"w": w, "h": h}, {"w": w2, "h": h2}]},
            "bidfloor": 0.1, "bidfloorcur": "USD", "secure": 1, "instl": 0,
            "displaymanager": "prebid.js", "displaymanagerver": "9.12.0",
            "ext": {"gpid": format!("/21775744923/news/article/slot-{at}#top")},
        })
    };
    let request = json!({
        "id": format!("{mixed:016x}"), "imp": [imp(0), imp(1)],
        "site": {
            "id": "site-88213", "domain": "news.example", "cat": ["IAB12", "IAB12-2"], "mobile": 1,
            "page": "https://news.example/2026/11/23/world/a-long-headline-with-many-words-in-it",
            "ref": "https://search.example/",
            "publisher": {"id": "publisher-4471", "name": "News Example", "domain": "news.example"},
            "content": {"language": "en", "keywords": "world,economy,travel,weather,europe,elections,markets,energy",
                "title": "A long headline with many words in it, as they stand above articles", "cat": ["IAB12", "IAB3"]},
            "keywords": "news,world,politics,business,science",
        },
        "device": {
            "ua": "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Mobile Safari/537.36",
            "ip": "203.0.113.77", "language": "en", "os": "Android", "osv": "14", "make": "Google", "model": "Pixel 8",
            "devicetype": kinds[mixed % kinds.len()], "connectiontype": 2, "js": 1, "lmt": 0, "w": 412, "h": 915, "pxratio": 2.625,
            "geo": {"country": COUNTRIES[(mixed >> 8) % 4], "region": "NY", "city": "New York", "type": 2},
        },
        "user": {"id": user(person), "ext": {"consented_providers": [], "sessionduration": 31}},
        "at": 1, "tmax": 10_000, "cur": ["USD"], "bcat": ["IAB25", "IAB26", "IAB7-39"],
        "badv": ["blocked.example", "rival.example", "other.example"],
        "source": {"fd": 1, "tid": "6b2b0d0a-7b6e-4a7e-9f0a-2f4a51c5b6d1", "ext": {"schain": {"ver": "1.0", "complete": 1,
            "nodes": [{"asi": "exchange.example", "sid": "4471", "hp": 1}]}}},
    });
    let body = request.to_string().into_bytes();
    assert!(body.len().abs_diff(2_048) < 128, "{} bytes", body.len());
    body
}

/// A bidder with money, and the people that its campaigns reach for.
async fn place() -> Place {
    let place = Place::sampling(100, [Dialect::new(ExchangeName::new(EXCHANGE).expect("a name"))]);
    place.publish((0..CAMPAIGNS).map(change)).await;
    let (now, bidder) = (Moment::now().wall, &place.bidder);
    for person in 0..PEOPLE {
        let step = 2 * mix(person) + 1;
        let member = |number: u32| Membership {
            segment: SegmentId(1 + person.wrapping_add(number.wrapping_mul(step)) % SEGMENTS),
            until: Seconds(u32::MAX),
            confidence: 90,
        };
        let memberships: Vec<Membership> = (0..8).map(member).collect();
        let ids = [bidder.hasher.hash(&[EXCHANGE, "/", &user(person)])];
        let join = Join { ids: &ids, person: None, memberships: &memberships };
        bidder.profiles.join(&join, now).await.expect("a store that works");
    }
    let mut keeper = Keeper::new(NODE, Arc::clone(&bidder.reservations));
    keeper.want(now, bidder.campaigns.load().wanted(now));
    for ask in keeper.tick(now) {
        let Some(Event::Ask(ask)) = ask.event else { continue };
        let (node, campaign, until) = (NODE.0, ask.campaign, now.plus_seconds(3_600).0);
        let grant = LeaseGrant {
            node,
            campaign,
            ask: ask.ask,
            lease: campaign.into(),
            amount: i64::MAX / 4,
            until,
            refusal: 0,
            multiplier_ppm: 0,
        };
        keeper.take(
            Partition::default(),
            &LeaseRecord { event: Some(Event::Grant(grant)), ..LeaseRecord::default() },
            now,
        );
    }
    place
}

/// A function of its own, so that a profiler can tell it from what is around it.
#[inline(never)]
fn one_request(runtime: &Runtime, core: &Core, body: &[u8]) -> Answer {
    runtime.block_on(bid(core, EXCHANGE, body, Moment::now()))
}

#[divan::bench(sample_size = PEOPLE)]
fn bid_request(bencher: Bencher<'_, '_>) {
    let runtime: Runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    let place = runtime.block_on(place());
    let core = Core::new(Arc::clone(&place.bidder), 0);
    let bodies: Vec<Vec<u8>> = (0..PEOPLE).map(body).collect();
    let answers = bodies.iter().map(|body| one_request(&runtime, &core, body));
    let bids = answers.filter(|answer| matches!(answer, Answer::Bids(_))).count();
    println!("{bids} of {PEOPLE} requests get bids");
    let mut next = 0;
    bencher.bench_local(|| {
        next = (next + 1) % bodies.len();
        one_request(&runtime, &core, &bodies[next])
    });
    place.bidder.events.close();
}
