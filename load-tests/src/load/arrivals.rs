//! When requests are due: a Poisson process, whatever is answered. Its rate changes by stage.

use std::time::Duration;

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use serde::{Deserialize, Serialize};

/// A rate that is held for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Stage {
    /// Requests a second, in the mean.
    pub rate: u32,
    /// For how long.
    pub seconds: u32,
}

/// How long stages last together.
pub fn length(stages: &[Stage]) -> Duration {
    Duration::from_secs(stages.iter().map(|stage| u64::from(stage.seconds)).sum())
}

/// The moments at which requests are due, from the start of the first stage. The same seed makes the same.
#[derive(Debug)]
pub(super) struct Arrivals {
    random: SmallRng,
    stages: std::vec::IntoIter<Stage>,
    rate: f64,
    at: f64,
    until: f64,
}

impl Arrivals {
    pub(super) fn new(stages: Vec<Stage>, seed: u64) -> Self {
        let random = SmallRng::seed_from_u64(seed);
        Self { random, stages: stages.into_iter(), rate: 0.0, at: 0.0, until: 0.0 }
    }
}

impl Iterator for Arrivals {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        loop {
            // The process has no memory: at the border of a stage it may begin anew.
            let gap = -(1.0 - self.random.random::<f64>()).ln() / self.rate;
            if self.rate > 0.0 && self.at + gap < self.until {
                self.at += gap;
                return Some(Duration::from_secs_f64(self.at));
            }
            let stage = self.stages.next()?;
            self.at = self.until;
            self.until += f64::from(stage.seconds);
            self.rate = f64::from(stage.rate);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_stage_has_its_rate() {
        let stages =
            [Stage { rate: 1_000, seconds: 20 }, Stage { rate: 0, seconds: 5 }, Stage { rate: 4_000, seconds: 20 }];
        let due: Vec<f64> = Arrivals::new(stages.to_vec(), 1).map(|at| at.as_secs_f64()).collect();
        assert!(due.is_sorted());
        let between = |from: f64, until: f64| due.iter().filter(|at| (from..until).contains(*at)).count() as f64;
        // Six standard deviations of a Poisson count.
        let near = |count: f64, mean: f64| (count - mean).abs() < 6.0 * mean.sqrt();
        assert!(near(between(0.0, 20.0), 20_000.0) && near(between(25.0, 45.0), 80_000.0));
        assert_eq!((between(20.0, 25.0), between(0.0, 100.0)), (0.0, due.len() as f64));
    }

    #[test]
    fn a_seed_makes_the_same_again_and_another_something_else() {
        let of = |seed| Arrivals::new(vec![Stage { rate: 100, seconds: 2 }], seed).collect::<Vec<_>>();
        assert_eq!(of(1), of(1));
        assert_ne!(of(1), of(2));
    }
}
