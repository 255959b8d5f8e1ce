//! The traffic of a week by the hour, learnt.

use decision::time::{LocalTime, Micros};

use crate::limits::{CURVE_STEP_MAX, CURVE_WEIGHT_MIN, CURVE_WEIGHTS_NEW};

/// Hours of a week.
const HOURS: usize = 168;
const HOUR_S: i64 = 3_600;
/// What a doubling of demand is in [`Curve::logs`].
const OCTAVE: f64 = 1_024.0;

/// How the demand of a campaign goes through the week, by its own clock. Logarithms have no unit, so it does not matter
/// how large the demand is, and one odd hour cannot outweigh the others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Curve {
    /// The logarithm of each hour's demand, a doubling in 1,024 steps; 0: not learnt. Empty: none of them is. A week
    /// begins on Thursday, as time did in 1970.
    pub(crate) logs: Vec<u16>,
}

/// The weights of the hours. Only what they are relative to one another means something.
pub(crate) struct Weights([f64; HOURS]);

impl Curve {
    /// Takes in an hour (since 1970, by the campaign's clock) with its demand in nanos. Known hours move part of the way,
    /// and no further than a doubling or a halving would.
    pub(crate) fn learn(&mut self, hour: i64, demand: i64) {
        self.logs.resize(HOURS, 0);
        let cell = &mut self.logs[hour.rem_euclid(HOURS as i64) as usize];
        // Nobody at all tells nothing of how many there will be: there may have been no bidders, or no segment yet.
        if demand <= 0 && *cell == 0 {
            return;
        }
        let log = (libm::log2(demand.max(1) as f64) * OCTAVE).max(1.0);
        let known = f64::from(*cell);
        let moved = known + (log - known).clamp(-CURVE_STEP_MAX * OCTAVE, CURVE_STEP_MAX * OCTAVE) * CURVE_WEIGHTS_NEW;
        *cell = if *cell == 0 { log as u16 } else { moved as u16 };
    }

    /// An hour that is not learnt is taken to be like the same hour of other days, or else like all others.
    pub(crate) fn weights(&self) -> Weights {
        let mut weights = [0.0; HOURS];
        let Some(top) = self.logs.iter().max().filter(|top| **top > 0) else { return Weights([1.0; HOURS]) };
        for (weight, log) in weights.iter_mut().zip(&self.logs).filter(|(_, log)| **log > 0) {
            *weight = libm::exp2((f64::from(*log) - f64::from(*top)) / OCTAVE);
        }
        let mean = mean(&weights, 0, 1).unwrap_or(1.0);
        let of_hour: [Option<f64>; 24] = std::array::from_fn(|hour| self::mean(&weights, hour, 24));
        for (at, weight) in weights.iter_mut().enumerate() {
            if *weight == 0.0 {
                *weight = of_hour[at % 24].unwrap_or(mean);
            }
            *weight = weight.max(mean * CURVE_WEIGHT_MIN);
        }
        Weights(weights)
    }
}

/// The mean of every `step`th weight that is known.
fn mean(weights: &[f64; HOURS], first: usize, step: usize) -> Option<f64> {
    let known = || weights[first..].iter().step_by(step).filter(|weight| **weight > 0.0);
    let count = known().count();
    (count > 0).then(|| known().sum::<f64>() / count as f64)
}

impl Weights {
    /// The weight at a moment, in between the middles of hours on a straight line.
    pub(crate) fn at(&self, clock: &LocalTime, at: Micros) -> f64 {
        let since_middle = clock.shown_s(at) - HOUR_S / 2;
        let (hour, second) = (since_middle.div_euclid(HOUR_S), since_middle.rem_euclid(HOUR_S));
        let weight = |hour: i64| self.0[hour.rem_euclid(HOURS as i64) as usize];
        let part = second as f64 / HOUR_S as f64;
        weight(hour) * (1.0 - part) + weight(hour + 1) * part
    }

    /// The weight of a length of time from a moment on, in seconds of weight 1: to the hour, for looks far ahead.
    pub(crate) fn ahead(&self, clock: &LocalTime, from: Micros, seconds: f64) -> f64 {
        let week_s = HOURS as f64 * HOUR_S as f64;
        let weeks = (seconds / week_s) as i64 as f64;
        let mut sum = weeks * self.0.iter().sum::<f64>() * HOUR_S as f64;
        let (mut left, first) = (seconds - weeks * week_s, clock.shown_s(from).div_euclid(HOUR_S));
        let mut hour = first;
        while left > 0.0 {
            sum += self.0[hour.rem_euclid(HOURS as i64) as usize] * left.min(HOUR_S as f64);
            left -= HOUR_S as f64;
            hour += 1;
        }
        sum
    }
}
