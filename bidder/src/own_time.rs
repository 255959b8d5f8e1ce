//! How long answers take, learned from those that are given.

use std::cell::Cell;
use std::time::Duration;

use crate::limits::{OWN_TIME_MAX, OWN_TIME_MIN};

/// How much the estimate moves at once.
const STEP: f64 = 1.1;
/// The share of answers that are to take no longer than the estimate.
const QUANTILE: f64 = 0.99;

/// The 99th percentile of the time from a request's turn to its answer, on one core.
#[derive(Debug)]
pub struct OwnTime {
    /// In microseconds.
    us: Cell<f64>,
}

impl Default for OwnTime {
    fn default() -> Self {
        Self { us: Cell::new(OWN_TIME_MIN.as_micros() as f64) }
    }
}

impl OwnTime {
    /// Takes note of how long an answer took, from the request's turn.
    ///
    /// The estimate goes up by a step where an answer took longer than it, and down by a small part of one where it did
    /// not, so that it comes to rest where one in a hundred takes longer (frugal streaming: Ma, Muthukrishnan and Sandler,
    /// 2013; steps in proportion, so that it follows an overload within a few dozen answers).
    pub fn learn(&self, took: Duration) {
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
