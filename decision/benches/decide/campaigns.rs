//! Campaigns like those of practice: seven in ten reach for one or two segments of four hundred; all name exchanges,
//! countries or regions, and devices, and exclude a segment and a size: 7 to 9 predicates each. 25 of them reach broadly.

use decision::campaign::{
    Advertiser, Budget, Campaign, CapSubject, Creative, Experiment, Flight, FrequencyCap, Pacing, PriceRule,
    SegmentPrice, Strategy, Variant, WhenAudienceUnknown,
};
use decision::ids::{AdvertiserId, CampaignId, CreativeId, Label, SegmentId, VariantId};
use decision::index::CampaignIndex;
use decision::money::{Nanos, Rate, Rates};
use decision::targeting::{DeviceType, Fact, Size, Targeting};
use decision::time::{LocalTime, Micros};

pub(crate) const COUNTRIES: [&str; 10] = ["DEU", "FRA", "USA", "AUT", "CHE", "ITA", "ESP", "GBR", "POL", "NLD"];
pub(crate) const EXCHANGES: [&str; 8] = ["one", "two", "three", "four", "five", "six", "seven", "eight"];
pub(crate) const DEVICES: [DeviceType; 4] =
    [DeviceType::Phone, DeviceType::PersonalComputer, DeviceType::Tablet, DeviceType::ConnectedTv];
pub(crate) const SIZES: [Size; 5] = [
    Size { w: 300, h: 250 },
    Size { w: 728, h: 90 },
    Size { w: 320, h: 50 },
    Size { w: 160, h: 600 },
    Size { w: 970, h: 250 },
];

/// A seeded source of choices (SplitMix64).
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }

    fn percent(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    pub(crate) fn of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())]
    }

    /// The first choices more often than the last.
    pub(crate) fn skewed<T: Copy>(&mut self, choices: &[T]) -> T {
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

pub(crate) fn label<const N: usize>(text: &str) -> Label<N> {
    Label::new(text).expect("a label")
}

/// One of four hundred segments, small numbers more often.
pub(crate) fn segment(dice: &mut Dice) -> SegmentId {
    let most = 1 + dice.below(400);
    SegmentId(1 + dice.below(most) as u32)
}

/// The index of [`campaigns`].
pub(crate) fn index(campaigns: Vec<Campaign>) -> CampaignIndex {
    let eur = (label("EUR"), Rate::new(1_084_500_000).expect("above zero"));
    CampaignIndex::compile(campaigns, Rates::new([eur]), 1)
}

/// So many campaigns, always the same.
pub(crate) fn campaigns(count: usize) -> Vec<Campaign> {
    let mut dice = Dice(1);
    // What reaches broadly does so whatever the number of campaigns.
    let broad = count.min(25);
    (0..count).map(|at| campaign(&mut dice, at as u32 + 1, at * broad % count < broad)).collect()
}

fn campaign(dice: &mut Dice, id: u32, broad: bool) -> Campaign {
    let cpm = |dice: &mut Dice| Nanos::of_one_impression(400_000 + dice.below(400) as i64 * 10_000);
    let price = |dice: &mut Dice| SegmentPrice {
        segment: segment(dice),
        price: if dice.percent(50) { PriceRule::Fixed(cpm(dice)) } else { PriceRule::Multiplier(1_500_000) },
        min_cpm: None,
        max_cpm: None,
        data_cpm: Nanos::ZERO,
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
        pacing: Pacing::Asap,
        local_time: LocalTime::default(),
        targeting: if broad { broad_targeting(dice) } else { narrow_targeting(dice) },
        when_audience_unknown: WhenAudienceUnknown::NoBid,
        strategy: Strategy {
            default_cpm: Some(cpm(dice)),
            min_cpm: Nanos::of_one_impression(200_000),
            max_cpm: Nanos::of_one_impression(8_000_000),
            margin_ppm: 0,
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
