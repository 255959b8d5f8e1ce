//! One decision on a request with two impressions, by number of campaigns: time, and allocations, of which there must be
//! none once the scratch is warm.
//!
//! The campaigns are like those of practice: seven in ten reach for one or two segments of four hundred; all name
//! exchanges, countries or regions, and devices, and exclude a segment and a size: 7 to 9 predicates each. 25 of
//! them reach broadly. Every request has a person with 8 segments and 10 impressions, block lists of 20 domains
//! and 5 categories, and at least 20 campaigns that compete for each impression (but where there are only ten).
//! A sample goes once through all requests, so that every sample is a mean.

use decision::campaign::{
    Advertiser, Budget, Campaign, CapSubject, Creative, Experiment, Flight, FrequencyCap, PriceRule, SegmentPrice,
    Strategy, Variant, WhenAudienceUnknown,
};
use decision::decide::{BidRequest, Decided, Scratch, decide};
use decision::ids::{AdvertiserId, CampaignId, CreativeId, Currency, Label, PersonKey, SegmentId, VariantId};
use decision::index::CampaignIndex;
use decision::money::{Nanos, Rate, Rates};
use decision::opportunity::{Context, Opportunity};
use decision::outcome::{NoBidReason, PriceSteps, Silent, Trace};
use decision::profile::{Audience, CapScope, Impression, Membership, Profile};
use decision::targeting::{DeviceType, Fact, Size, Targeting};
use decision::time::{Micros, Seconds};
use divan::{AllocProfiler, Bencher, black_box};

#[global_allocator]
static ALLOC: AllocProfiler = AllocProfiler::system();

fn main() {
    divan::main();
}

const NOW: Seconds = Seconds(1_800_000_000);
const REQUESTS: usize = 256;
const ELIGIBLE_MIN: usize = 20;
const FLOOR: Nanos = Nanos::of_one_impression(300_000);
const COUNTRIES: [&str; 10] = ["DEU", "FRA", "USA", "AUT", "CHE", "ITA", "ESP", "GBR", "POL", "NLD"];
const EXCHANGES: [&str; 8] = ["one", "two", "three", "four", "five", "six", "seven", "eight"];
const DEVICES: [DeviceType; 4] =
    [DeviceType::Phone, DeviceType::PersonalComputer, DeviceType::Tablet, DeviceType::ConnectedTv];
const SIZES: [Size; 5] = [
    Size { w: 300, h: 250 },
    Size { w: 728, h: 90 },
    Size { w: 320, h: 50 },
    Size { w: 160, h: 600 },
    Size { w: 970, h: 250 },
];

#[divan::bench(args = [10, 1_000, 10_000, 100_000], sample_size = REQUESTS as u32)]
fn decide_two_imps(bencher: Bencher<'_, '_>, campaigns: usize) {
    let index = index(campaigns);
    let mut scratch = Scratch::default();
    let mut dice = Dice(7);
    let wanted = if campaigns < 100 { 1 } else { ELIGIBLE_MIN };
    let mut asks = Vec::with_capacity(REQUESTS);
    let mut competing = 0;
    while asks.len() < REQUESTS {
        let ask = Ask::new(&mut dice);
        let eligible = ask.eligible(&index, &mut scratch);
        if eligible.iter().all(|count| *count >= wanted) {
            competing += eligible.iter().sum::<usize>();
            asks.push(ask);
        }
    }
    println!("{campaigns} campaigns: {:.1} eligible an imp", competing as f64 / (2 * REQUESTS) as f64);
    let mut next = 0;
    bencher.bench_local(|| {
        next = (next + 1) % REQUESTS;
        asks[next].decide(&index, &mut scratch, &mut Silent, |decided| black_box(decided.decisions.count()))
    });
}

/// Counts the offers at or above the floor.
struct Offers([usize; 2]);

impl Trace for Offers {
    const EXPLAINS: bool = false;

    fn priced(&mut self, imp: usize, _: &Campaign, steps: PriceSteps) {
        self.0[imp] += usize::from(steps.bid_cpm >= FLOOR);
    }

    fn refused(&mut self, _: usize, _: &Campaign, _: NoBidReason) {}
}

struct Ask {
    exchange: &'static str,
    country: &'static str,
    region: String,
    device: DeviceType,
    sizes: [Vec<Size>; 2],
    memberships: Vec<Membership>,
    impressions: Vec<Impression>,
    person: PersonKey,
    seed: u64,
}

impl Ask {
    fn new(dice: &mut Dice) -> Self {
        let mut memberships: Vec<Membership> = (0..8)
            .map(|_| Membership { segment: segment(dice), until: NOW + 3_600, confidence: 50 + dice.below(50) as u8 })
            .collect();
        while {
            memberships.sort_unstable();
            memberships.dedup_by_key(|membership| membership.segment);
            memberships.len() < 8
        } {
            memberships.push(Membership { segment: segment(dice), until: NOW + 3_600, confidence: 90 });
        }
        let impression = |campaign| Impression { scope: CapScope::Campaign(CampaignId(campaign)), at: NOW - 100 };
        Self {
            exchange: dice.of(&EXCHANGES),
            country: dice.skewed(&COUNTRIES),
            region: format!("R{}", dice.below(16)),
            device: dice.skewed(&DEVICES),
            sizes: [vec![dice.skewed(&SIZES)], vec![dice.of(&SIZES), dice.of(&SIZES)]],
            memberships,
            impressions: (1..=10).map(|n| impression(n * 7)).collect(),
            person: PersonKey([1 + dice.below(255) as u8; 16]),
            seed: dice.next(),
        }
    }

    /// How many campaigns compete for each impression.
    fn eligible(&self, index: &CampaignIndex, scratch: &mut Scratch) -> [usize; 2] {
        let mut offers = Offers([0; 2]);
        self.decide(index, scratch, &mut offers, |decided| drop(decided));
        offers.0
    }

    fn decide<T>(
        &self,
        index: &CampaignIndex,
        scratch: &mut Scratch,
        trace: &mut impl Trace,
        read: impl FnOnce(Decided<'_>) -> T,
    ) -> T {
        let opportunity = |imp: usize| Opportunity {
            sizes: &self.sizes[imp],
            floor: FLOOR,
            floor_currency: Currency::new("USD"),
            secure: true,
            private_auction: false,
        };
        let context = Context {
            exchange: label(self.exchange),
            country: Label::new(self.country),
            region: Label::new(&self.region),
            device: self.device,
            currencies: &[label("USD")],
            blocked_domains: &BLOCKED_DOMAINS,
            blocked_categories: &["IAB7-39", "IAB8-18", "IAB9-9", "IAB24", "IAB25"],
        };
        let profile = Profile { person: self.person, memberships: &self.memberships, impressions: &self.impressions };
        let request = BidRequest {
            context: &context,
            opportunities: &[opportunity(0), opportunity(1)],
            audience: Audience::Known(profile),
            now: NOW.micros(),
            seed: self.seed,
        };
        read(decide(index, &request, scratch, |_| false, |_, _| true, trace))
    }
}

const BLOCKED_DOMAINS: [&str; 20] = [
    "casino-one.example",
    "casino-two.example",
    "casino-three.example",
    "rival-news.example",
    "rival-shop.example",
    "shop3.example",
    "shop33.example",
    "shop333.example",
    "tobacco.example",
    "betting.example",
    "loans.example",
    "dating.example",
    "crypto.example",
    "lottery.example",
    "weapons.example",
    "spirits.example",
    "beer.example",
    "wine.example",
    "pills.example",
    "diet.example",
];

/// A seeded source of choices (SplitMix64).
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }

    fn percent(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    fn of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())]
    }

    /// The first choices more often than the last.
    fn skewed<T: Copy>(&mut self, choices: &[T]) -> T {
        let most = 1 + self.below(choices.len());
        choices[self.below(most)]
    }

    fn several<T: Copy + Ord>(&mut self, count: usize, choices: &[T]) -> Vec<T> {
        let mut several: Vec<T> = (0..count).map(|_| self.skewed(choices)).collect();
        several.sort_unstable();
        several.dedup();
        several
    }
}

fn label<const N: usize>(text: &str) -> Label<N> {
    Label::new(text).expect("a label")
}

/// One of four hundred segments, small numbers more often.
fn segment(dice: &mut Dice) -> SegmentId {
    let most = 1 + dice.below(400);
    SegmentId(1 + dice.below(most) as u32)
}

fn index(campaigns: usize) -> CampaignIndex {
    let mut dice = Dice(1);
    // What reaches broadly does so whatever the number of campaigns.
    let broad = campaigns.min(25);
    let campaigns = (0..campaigns).map(|at| campaign(&mut dice, at as u32 + 1, at * broad % campaigns < broad));
    let eur = (label("EUR"), Rate::new(1_084_500_000).expect("above zero"));
    CampaignIndex::compile(campaigns.collect(), Rates::new([eur]), 1)
}

fn campaign(dice: &mut Dice, id: u32, broad: bool) -> Campaign {
    let cpm = |dice: &mut Dice| Nanos::of_one_impression(400_000 + dice.below(400) as i64 * 10_000);
    let price = |dice: &mut Dice| SegmentPrice {
        segment: segment(dice),
        price: if dice.percent(50) { PriceRule::Fixed(cpm(dice)) } else { PriceRule::Multiplier(1_500_000) },
        min_cpm: None,
        max_cpm: None,
    };
    let cap = |scope, count| FrequencyCap { scope, count, window_s: 86_400 };
    Campaign {
        id: CampaignId(id),
        name: format!("campaign {id}"),
        advertiser: Advertiser {
            id: AdvertiserId(id / 5),
            name: format!("advertiser {}", id / 5),
            currency: label(if dice.percent(80) { "USD" } else { "EUR" }),
            domain: format!("shop{}.example", id / 5),
            categories: vec![format!("IAB{}-{}", 1 + dice.below(26), 1 + dice.below(30))],
        },
        flight: Flight { from: Micros(0), until: Micros(i64::MAX) },
        budget: Budget { daily: Nanos::UNIT, total: Nanos::UNIT },
        targeting: if broad { broad_targeting(dice) } else { narrow_targeting(dice) },
        when_audience_unknown: WhenAudienceUnknown::NoBid,
        strategy: Strategy {
            default_cpm: Some(cpm(dice)),
            min_cpm: Nanos::of_one_impression(200_000),
            max_cpm: Nanos::of_one_impression(8_000_000),
            segments: (0..dice.below(4)).map(|_| price(dice)).collect(),
        },
        caps: vec![cap(CapSubject::Campaign, 6), cap(CapSubject::EachCreative, 3)],
        creatives: (0..if broad { 5 } else { 1 + dice.below(3) })
            .map(|at| creative(dice, id * 10, at, broad))
            .collect(),
        experiment: dice.percent(20).then(|| Experiment {
            name: "holdout".into(),
            salt: u64::from(id),
            holdout_ppm: 100_000,
        }),
    }
}

fn creative(dice: &mut Dice, id: u32, at: usize, broad: bool) -> Creative {
    let variant = |dice: &mut Dice, at: usize| Variant {
        id: VariantId(at as u32 + 1),
        name: "variant".into(),
        segments: if at == 0 { Vec::new() } else { vec![segment(dice)] },
        markup: "<a href=\"${CLICK_URL}\"><img src=\"https://cdn.example/banner.png\"></a>".repeat(8),
        landing_url: "https://shop.example/".into(),
    };
    Creative {
        id: CreativeId(id + at as u32),
        name: "creative".into(),
        size: if broad { SIZES[at] } else { dice.skewed(&SIZES) },
        variants: (0..1 + dice.below(3)).map(|at| variant(dice, at)).collect(),
    }
}

fn any(facts: impl IntoIterator<Item = Fact>) -> Targeting {
    Targeting::Any(facts.into_iter().map(Targeting::Is).collect())
}

/// Everyone but a segment, everywhere but in one country.
fn broad_targeting(dice: &mut Dice) -> Targeting {
    let bought = Fact::Segment { segment: SegmentId(90 + dice.below(10) as u32), confidence_min: 50 };
    let country = Fact::Country(label(dice.of(&COUNTRIES[4..])));
    Targeting::None(vec![Targeting::Is(bought), Targeting::Is(country)])
}

/// 7 to 9 predicates.
fn narrow_targeting(dice: &mut Dice) -> Targeting {
    let in_segment = |dice: &mut Dice| Fact::Segment { segment: segment(dice), confidence_min: dice.of(&[0, 50, 80]) };
    let countries = dice.several(2, &COUNTRIES);
    let regions = (0..3).map(|_| Fact::Region(label(countries[0]), label(&format!("R{}", dice.below(16)))));
    let mut parts = vec![any(regions.collect::<Vec<_>>())];
    if dice.percent(25) {
        parts = vec![any(countries.iter().map(|country| Fact::Country(label(country))))];
    }
    parts.push(any(dice.several(2, &EXCHANGES).into_iter().map(|name| Fact::Exchange(label(name)))));
    parts.push(any(dice.several(2, &DEVICES).into_iter().map(Fact::Device)));
    if dice.percent(70) {
        parts.push(any([in_segment(dice), in_segment(dice)]));
    }
    parts.push(Targeting::None(vec![Targeting::Is(in_segment(dice)), Targeting::Is(Fact::Size(dice.of(&SIZES[2..])))]));
    Targeting::All(parts)
}
