//! How long answers take, learned from those that are given.

use std::cell::Cell;
use std::time::Duration;

use crate::limits::{OWN_TIME_MAX, OWN_TIME_MIN};

/// How much the estimate moves at once.
const STEP: f64 = 1.1;
/// So many that are turned away in a row are not a matter of chance.
const TURNED_AWAY_MAX: u32 = 1_000;
/// The share of answers that are to take no longer than the estimate.
const QUANTILE: f64 = 0.99;

/// The 99th percentile of the time from a request's turn to its answer, on one core.
#[derive(Debug)]
pub struct OwnTime {
    /// In microseconds.
    us: Cell<f64>,
    /// Requests that were turned away since the last answer.
    away: Cell<u32>,
}

impl Default for OwnTime {
    fn default() -> Self {
        Self { us: Cell::new(OWN_TIME_MIN.as_micros() as f64), away: Cell::new(0) }
    }
}

impl OwnTime {
    /// Takes note of how long an answer took, from the request's turn.
    ///
    /// The estimate goes up by a step where an answer took longer than it, and down by a small part of one where it did
    /// not, so that it comes to rest where one in a hundred takes longer (frugal streaming: Ma, Muthukrishnan and Sandler,
    /// 2013; steps in proportion, so that it follows an overload within a few dozen answers).
    pub fn learn(&self, took: Duration) {
        self.away.set(0);
        self.move_towards(took);
    }

    /// Takes note of a request that was turned away. Where that becomes of all, nothing would be learned any more, so the
    /// estimate then goes down until some are begun again.
    pub fn turned_away(&self) {
        self.away.set(self.away.get().saturating_add(1));
        if self.away.get() > TURNED_AWAY_MAX {
            self.move_towards(Duration::ZERO);
        }
    }

    fn move_towards(&self, took: Duration) {
        let us = self.us.get();
        let step = if took.as_micros() as f64 > us { QUANTILE } else { QUANTILE - 1.0 };
        let bounds = (OWN_TIME_MIN.as_micros() as f64, OWN_TIME_MAX.as_micros() as f64);
        self.us.set((us * STEP.powf(step)).clamp(bounds.0, bounds.1));
    }

    /// How long answers take, but for one in a hundred.
    pub fn get(&self) -> Duration {
        Duration::from_micros(self.us.get() as u64)
    }
}

#[cfg(test)]
mod tests;
