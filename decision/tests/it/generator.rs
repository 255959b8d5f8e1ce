//! Random worlds and requests. Values come from few, so that they meet often; times and amounts lie at their edges.

use std::cmp::Reverse;
use std::ops::RangeInclusive;

use decision::campaign::{
    Advertiser, Budget, Campaign, CapSubject, Creative, Experiment, Flight, FrequencyCap, Pacing, PriceRule,
    SegmentPrice, Strategy, Variant, WhenAudienceUnknown,
};
use decision::ids::{AdvertiserId, CampaignId, CreativeId, Currency, Label, PersonKey, SegmentId, VariantId};
use decision::money::{Nanos, Rate};
use decision::profile::{CapScope, GhostScope, Impression, Membership};
use decision::targeting::{DeviceType, Fact, Size, Targeting};
use decision::time::{LocalTime, Micros, Seconds};

use crate::world::{Ask, Imp, Person, World};

/// A seeded source of choices (SplitMix64).
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0xd134_2543_de82_ef95))
    }

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

    /// Between none and `max` of what `make` makes.
    fn some<T>(&mut self, max: usize, mut make: impl FnMut(&mut Self) -> T) -> Vec<T> {
        (0..self.below(max + 1)).map(|_| make(self)).collect()
    }
}

const NOW_S: u32 = 1_800_000_000;
const SIZES: [Size; 4] =
    [Size { w: 300, h: 250 }, Size { w: 728, h: 90 }, Size { w: 320, h: 50 }, Size { w: 160, h: 600 }];
const COUNTRIES: [&str; 3] = ["DEU", "FRA", "USA"];
const REGIONS: [&str; 3] = ["BY", "CA", "BW"];
const EXCHANGES: [&str; 2] = ["demo", "other"];
const DEVICES: [DeviceType; 4] = [DeviceType::Unknown, DeviceType::Phone, DeviceType::ConnectedTv, DeviceType::Other];
const DOMAINS: [&str; 4] = ["shop.example", "a.shop.example", "b.example", "shop.test"];
const CATEGORIES: [&str; 4] = ["IAB1", "IAB1-3", "IAB1-30", "IAB2-1"];
const WINDOWS_S: [u32; 3] = [60, 3_600, 86_400];
/// The segments there are.
pub(crate) const SEGMENTS: RangeInclusive<u32> = 1..=12;
const CONFIDENCES: [u8; 4] = [0, 50, 80, 100];

fn label<const N: usize>(text: &str) -> Label<N> {
    Label::new(text).expect("a label")
}

/// A world of 1 to 60 campaigns.
pub(crate) fn world(dice: &mut Dice) -> World {
    let rate = |code, billionths| (label(code), Rate::new(billionths).expect("above zero"));
    let mut rates = vec![rate("EUR", 1_084_500_001), rate("JPY", 6_543_211), rate("GBP", 1_250_000_000)];
    if dice.percent(20) {
        rates.truncate(dice.below(3));
    }
    let campaigns: Vec<Campaign> = (0..1 + dice.below(60)).map(|at| campaign(dice, at as u32 + 1)).collect();
    World {
        money: campaigns.iter().map(|c| (c.id, dice.of(&[0, 999, 1_000_000, 3_000_000, i64::MAX]))).collect(),
        stopped: campaigns.iter().map(|campaign| campaign.id).filter(|_| dice.percent(5)).collect(),
        // Also of campaigns that are not paced: theirs must not be asked for.
        paces: campaigns.iter().map(|c| (c.id, dice.of(&[1, 100_000, 500_001, 900_000, 1_000_000]))).collect(),
        campaigns,
        rates,
    }
}

/// One campaign more, with any id.
pub(crate) fn campaign(dice: &mut Dice, id: u32) -> Campaign {
    let strategy = strategy(dice);
    Campaign {
        id: CampaignId(id),
        name: "campaign".into(),
        advertiser: Advertiser {
            id: AdvertiserId(id / 3),
            name: "advertiser".into(),
            currency: currency(dice),
            domain: dice.of(&DOMAINS).into(),
            categories: dice.some(2, |dice| dice.of(&CATEGORIES).into()),
        },
        flight: Flight {
            from: Micros(i64::from(NOW_S) * 1_000_000 + dice.of(&[-5_000_000, -5_000_000, -5_000_000, -1, 0, 1])),
            until: Micros(i64::from(NOW_S) * 1_000_000 + dice.of(&[5_000_000, 5_000_000, 5_000_000, 5_000_000, 2, 1])),
        },
        budget: Budget { daily: Nanos::UNIT, total: Nanos::UNIT },
        pacing: if dice.percent(20) { Pacing::Even } else { Pacing::Asap },
        local_time: LocalTime::default(),
        targeting: if dice.percent(15) { Targeting::EVERYONE } else { targeting(dice, 3) },
        when_audience_unknown: dice.of(&[WhenAudienceUnknown::NoBid, WhenAudienceUnknown::Bid]),
        strategy,
        caps: if dice.percent(40) { dice.some(3, cap) } else { Vec::new() },
        creatives: (0..1 + dice.below(3)).map(|at| creative(dice, id * 10 + at as u32)).collect(),
        experiment: dice.percent(30).then(|| Experiment {
            name: "experiment".into(),
            salt: dice.below(3) as u64,
            holdout_ppm: dice.of(&[0, 100_000, 500_000, 1_000_000]),
        }),
    }
}

fn segment(dice: &mut Dice) -> SegmentId {
    SegmentId(SEGMENTS.start() + dice.below(SEGMENTS.count()) as u32)
}

fn currency(dice: &mut Dice) -> Currency {
    label(dice.of(&["USD", "USD", "USD", "EUR", "JPY", "GBP"]))
}

fn cpm(dice: &mut Dice) -> Nanos {
    Nanos::of_one_impression(dice.of(&[0, 1, 500_000, 1_000_000, 1_000_001, 2_000_000, 2_000_000, 3_333_333]))
}

fn strategy(dice: &mut Dice) -> Strategy {
    let default_cpm = dice.percent(85).then(|| cpm(dice));
    let min_cpm = if dice.percent(30) { cpm(dice) } else { Nanos::ZERO };
    let price = |dice: &mut Dice| SegmentPrice {
        segment: segment(dice),
        price: match default_cpm {
            Some(_) if dice.percent(50) => PriceRule::Multiplier(dice.of(&[0, 500_000, 1_333_333, 2_000_000])),
            _ => PriceRule::Fixed(cpm(dice)),
        },
        min_cpm: dice.percent(20).then(|| Nanos::new(dice.of(&[0, 700_000]))),
        max_cpm: dice.percent(20).then(|| Nanos::new(dice.of(&[700_000, 2_500_000]))),
        data_cpm: if dice.percent(10) { Nanos::new(dice.of(&[1, 1, 400_000, 1_000_000])) } else { Nanos::ZERO },
    };
    let segments = dice.some(3, price);
    let max_cpm = min_cpm.max(if dice.percent(30) { cpm(dice) } else { Nanos::of_one_impression(5_000_000) });
    let margin_ppm = if dice.percent(10) { dice.of(&[1, 1, 150_000, 333_333, 999_999]) } else { 0 };
    Strategy { default_cpm, min_cpm, max_cpm, margin_ppm, segments }
}

fn cap(dice: &mut Dice) -> FrequencyCap {
    FrequencyCap {
        scope: dice.of(&[
            CapSubject::Campaign,
            CapSubject::EachCreative,
            CapSubject::Advertiser,
            CapSubject::EachSegment,
        ]),
        count: 1 + dice.below(3) as u8,
        window_s: dice.of(&WINDOWS_S),
    }
}

fn creative(dice: &mut Dice, id: u32) -> Creative {
    let variant = |dice: &mut Dice, at: u32| Variant {
        id: VariantId(at + 1),
        name: "variant".into(),
        segments: dice.some(2, segment),
        markup: dice.of(&["<a href='${CLICK_URL}'>", "<img src='HTTP://a.example'>${CLICK_URL}"]).into(),
        landing_url: "http://shop.example".into(),
    };
    let variants = (0..1 + dice.below(3)).map(|at| variant(dice, at as u32)).collect();
    Creative { id: CreativeId(id), name: "creative".into(), size: dice.of(&SIZES), variants }
}

/// A random expression of at most `depth` levels of groups, empty groups and repetitions included.
pub(crate) fn targeting(dice: &mut Dice, depth: usize) -> Targeting {
    if depth == 0 || dice.percent(45) {
        return Targeting::Is(fact(dice));
    }
    let parts = dice.some(3, |dice| targeting(dice, depth - 1));
    match dice.below(5) {
        0 | 1 => Targeting::All(parts),
        2 | 3 => Targeting::Any(parts),
        _ => Targeting::None(parts),
    }
}

fn fact(dice: &mut Dice) -> Fact {
    match dice.below(9) {
        0 => Fact::Exchange(label(dice.of(&EXCHANGES))),
        1 => Fact::Country(label(dice.of(&COUNTRIES))),
        2 => Fact::Region(label(dice.of(&COUNTRIES)), label(dice.of(&REGIONS))),
        3 => Fact::Device(dice.of(&DEVICES)),
        4 => Fact::Size(dice.of(&SIZES)),
        _ => Fact::Segment { segment: segment(dice), confidence_min: dice.of(&CONFIDENCES) },
    }
}

/// A request for a person whose history knows the campaigns of `world`.
pub(crate) fn ask(dice: &mut Dice, world: &World) -> Ask {
    let optional = |dice: &mut Dice, choices: &[&'static str]| dice.percent(85).then(|| dice.of(choices));
    let impossible = dice.percent(3);
    Ask {
        exchange: label(dice.of(&["demo", "other", "third"])),
        country: optional(dice, &["DEU", "FRA", "USA", "CHE"]).map(label),
        region: optional(dice, &["BY", "CA", "BW", "ZH"]).map(label),
        device: dice.of(&DEVICES),
        currencies: match (impossible, dice.below(4)) {
            (true, _) => vec![label("CHF")],
            (_, 0) => vec![label("CHF"), currency(dice), label("USD")],
            (_, 1) => vec![currency(dice), label("USD")],
            _ => vec![label("USD")],
        },
        exchange_fee_ppm: if dice.percent(10) { dice.of(&[1, 25_000, 333_333, 1_000_000]) } else { 0 },
        blocked_domains: match dice.below(4) {
            0 => dice.some(2, |dice| dice.of(&["SHOP.example", "b.example", "op.example", "a.b.example"]).into()),
            _ => Vec::new(),
        },
        blocked_categories: match dice.below(4) {
            0 => dice.some(2, |dice| dice.of(&["iab1", "IAB1-3", "IAB2", "IAB"]).into()),
            _ => Vec::new(),
        },
        imps: (0..1 + dice.below(3)).map(|_| imp(dice)).collect(),
        person: dice.percent(85).then(|| person(dice, world)),
        now: Micros(i64::from(NOW_S) * 1_000_000 + dice.of(&[0, 0, 1, 999_999])),
        seed: dice.next(),
    }
}

fn imp(dice: &mut Dice) -> Imp {
    let sizes = dice.some(3, |dice| dice.of(&SIZES));
    Imp {
        sizes: if dice.percent(95) && sizes.is_empty() { vec![dice.of(&SIZES)] } else { sizes },
        floor: if dice.percent(45) { Nanos::ZERO } else { cpm(dice) },
        floor_currency: match dice.below(40) {
            0 => None,
            1 => Some(label("CHF")),
            2..=12 => Some(currency(dice)),
            _ => Some(label("USD")),
        },
        secure: dice.percent(40),
        private_auction: dice.percent(3),
    }
}

fn person(dice: &mut Dice, world: &World) -> Person {
    let mut memberships = dice.some(8, |dice| Membership {
        segment: segment(dice),
        until: Seconds(NOW_S.wrapping_add_signed(dice.of(&[-1, 0, 1, 60, 60, 60]))),
        confidence: dice.of(&[49, 50, 80, 100]),
    });
    memberships.sort_unstable();
    memberships.dedup_by_key(|membership| membership.segment);
    let campaigns = &world.campaigns;
    let mut impressions = dice.some(40, |dice| {
        let campaign = &campaigns[dice.below(campaigns.len())];
        let creative = &campaign.creatives[dice.below(campaign.creatives.len())];
        let segment = segment(dice);
        let scope = dice.of(&[
            CapScope::Campaign(campaign.id),
            CapScope::Creative(creative.id),
            CapScope::Advertiser(campaign.advertiser.id),
            CapScope::Segment(segment),
            CapScope::Ghosts(campaign.id, GhostScope::Campaign),
            CapScope::Ghosts(campaign.id, GhostScope::Creative(creative.id)),
            CapScope::Ghosts(campaign.id, GhostScope::Segment(segment)),
        ]);
        let ago = dice.of(&[0, 1, 59, 60, 61, 3_599, 3_600, 86_399, 86_400]);
        Impression { scope, at: Seconds(NOW_S - ago) }
    });
    impressions.sort_by_key(|impression| (impression.scope, Reverse(impression.at)));
    let key = if dice.percent(90) { PersonKey([1 + dice.below(200) as u8; 16]) } else { PersonKey::default() };
    Person { key, memberships, impressions }
}
