//! Auctions of a simulated week: when they come, what they are worth to the campaign, what they cost.

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

pub(super) const SECOND: i64 = 1_000_000;
pub(super) const DAY_S: i64 = 86_400;
/// Auctions of a mean day.
const AUCTIONS_A_DAY: f64 = 400_000.0;

/// Traffic by the hour of a working day, and what of it there is at weekends.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shape {
    pub(super) name: &'static str,
    hours: [f64; 24],
    weekend: [f64; 24],
}

/// As sites of three kinds see it: at home in the evening, at work, and all over the world.
pub(super) const SHAPES: [Shape; 3] = [
    Shape {
        name: "evening",
        hours: [
            38., 24., 16., 12., 11., 14., 24., 40., 52., 58., 60., 62., 66., 64., 62., 64., 70., 78., 88., 98., 104.,
            100., 84., 60.,
        ],
        weekend: [
            50., 36., 25., 18., 14., 14., 18., 28., 44., 62., 76., 82., 84., 82., 80., 80., 82., 86., 92., 98., 100.,
            94., 80., 62.,
        ],
    },
    Shape {
        name: "office",
        hours: [
            12., 8., 7., 7., 8., 14., 30., 62., 92., 104., 106., 102., 84., 92., 100., 98., 92., 76., 52., 40., 34.,
            30., 24., 18.,
        ],
        weekend: [
            14., 10., 8., 7., 7., 8., 12., 18., 26., 32., 34., 34., 32., 32., 32., 32., 32., 32., 32., 32., 30., 28.,
            22., 18.,
        ],
    },
    Shape {
        name: "world",
        hours: [
            60., 56., 52., 50., 50., 54., 58., 64., 70., 76., 80., 82., 84., 86., 88., 90., 92., 92., 90., 88., 84.,
            78., 72., 66.,
        ],
        weekend: [
            62., 58., 54., 52., 52., 54., 58., 62., 68., 74., 78., 80., 82., 84., 84., 86., 86., 86., 84., 82., 80.,
            76., 72., 66.,
        ],
    },
];

impl Shape {
    fn hour(&self, hour: i64) -> f64 {
        // 1970 began on a Thursday.
        let is_weekend = matches!(hour.div_euclid(24).rem_euclid(7), 2 | 3);
        let hours = if is_weekend { &self.weekend } else { &self.hours };
        hours[hour.rem_euclid(24) as usize]
    }

    /// The traffic at a second, relative to that of a mean second of a working day.
    fn at(&self, second: i64) -> f64 {
        let (hour, part) = ((second - 1_800).div_euclid(3_600), (second - 1_800).rem_euclid(3_600) as f64 / 3_600.0);
        let mean = self.hours.iter().sum::<f64>() / 24.0;
        (self.hour(hour) * (1.0 - part) + self.hour(hour + 1) * part) / mean
    }

    /// The part of a day's traffic that each of its hours is to have.
    pub(super) fn plan(&self, day: i64) -> Vec<f64> {
        let of_hour =
            |hour: i64| (0..3_600).step_by(60).map(|s| self.at(day * DAY_S + hour * 3_600 + s + 30)).sum::<f64>();
        let sum: f64 = (0..24).map(of_hour).sum();
        (0..24).map(|hour| of_hour(hour) / sum).collect()
    }
}

/// Hours of a day with twice the traffic.
pub(super) type Surprise = std::ops::Range<i64>;

/// One auction: what it is worth and what the best of the others bids, in nanos.
#[derive(Clone, Copy, Debug)]
pub(super) struct Auction {
    pub(super) second: i64,
    pub(super) value: f64,
    pub(super) price: f64,
}

/// The auctions of a day, in their order. Days differ by a fifth, as likely up as down.
pub(super) fn auctions(shape: &Shape, day: i64, surprise: &Surprise, volume: f64, seed: u64) -> Vec<Auction> {
    let mut dice = SmallRng::seed_from_u64(seed * 1_000 + day as u64);
    let of_day = (0.15 * normal(&mut dice)).exp() * volume * AUCTIONS_A_DAY / DAY_S as f64;
    let mut all = Vec::new();
    for second in 0..DAY_S {
        let twice = if surprise.contains(&(second / 3_600)) { 2.0 } else { 1.0 };
        for _ in 0..poisson(&mut dice, of_day * twice * shape.at(day * DAY_S + second)) {
            let (common, own) = (normal(&mut dice), normal(&mut dice));
            let value = 2e6 * (0.5 * common).exp();
            let price = 1e6 * (0.3 * common + 0.8 * own).exp();
            all.push(Auction { second: day * DAY_S + second, value: value.round(), price: price.round() });
        }
    }
    all
}

fn normal(dice: &mut SmallRng) -> f64 {
    let (radius, angle): (f64, f64) = (1.0 - dice.random::<f64>(), dice.random());
    (-2.0 * radius.ln()).sqrt() * (std::f64::consts::TAU * angle).cos()
}

fn poisson(dice: &mut SmallRng, mean: f64) -> usize {
    let (limit, mut product, mut count) = ((-mean).exp(), dice.random::<f64>(), 0);
    while product > limit {
        product *= dice.random::<f64>();
        count += 1;
    }
    count
}
