//! Which bid requests are worth beginning when more arrive than a core can answer.
//!
//! A request is answered without a bid, unread, when it has waited for its turn, and what is left of the exchange's time
//! is less than our own answers take. An answer that comes too late costs as much as one in time and earns nothing, so
//! without this a core that gets twice what it can do would answer everything late.

use std::cell::Cell;
use std::time::Duration;

use memchr::memmem;

use crate::limits::{ADMISSION_LAG_MIN, OWN_TIME_MAX, OWN_TIME_MIN};

/// How much the estimate moves at once.
const STEP: f64 = 1.1;
/// The share of answers that are to take no longer than the estimate.
const QUANTILE: f64 = 0.99;

/// Decides for one core. It learns how long answers take from those that are given.
#[derive(Debug)]
pub struct Admission {
    /// The 99th percentile of the time from a request to its answer, in microseconds.
    own_us: Cell<f64>,
}

impl Default for Admission {
    fn default() -> Self {
        Self { own_us: Cell::new(OWN_TIME_MIN.as_micros() as f64) }
    }
}

impl Admission {
    /// Whether a request that waited so long, and for whose answer there is so much `time` in all, can still be answered in
    /// time. Where nothing waits, everything is begun.
    pub fn admits(&self, waited: Duration, time: impl FnOnce() -> Duration) -> bool {
        if waited < ADMISSION_LAG_MIN || waited + self.own_time() <= time() {
            return true;
        }
        // Otherwise nothing would be learned once nothing is admitted.
        self.learn(Duration::ZERO);
        false
    }

    /// Takes note of how long an answer took, from the moment the request was seen.
    ///
    /// The estimate goes up by a step where an answer took longer than it, and down by a small part of one where it did
    /// not, so that it comes to rest where one in a hundred takes longer (frugal streaming: Ma, Muthukrishnan and Sandler,
    /// 2013; steps in proportion, so that it follows an overload within a few dozen answers).
    pub fn learn(&self, took: Duration) {
        let own_us = self.own_us.get();
        let step = if took.as_micros() as f64 > own_us { QUANTILE } else { QUANTILE - 1.0 };
        let bounds = (OWN_TIME_MIN.as_micros() as f64, OWN_TIME_MAX.as_micros() as f64);
        self.own_us.set((own_us * STEP.powf(step)).clamp(bounds.0, bounds.1));
    }

    /// How long our own answers take, but for one in a hundred.
    pub fn own_time(&self) -> Duration {
        Duration::from_micros(self.own_us.get() as u64)
    }
}

/// The `tmax` that stands in a bid request, in milliseconds; 0 where there seems to be none. A glance, for requests that
/// may not be worth reading: one that stands deep inside is taken for the request's own.
pub fn tmax_at_a_glance(body: &[u8]) -> u32 {
    let name = br#""tmax""#;
    let Some(at) = memmem::find(body, name) else { return 0 };
    let value = body[at + name.len()..].trim_ascii_start();
    let digits = value.strip_prefix(b":").unwrap_or_default().trim_ascii_start();
    let digits = digits.iter().take_while(|byte| byte.is_ascii_digit()).take(6);
    digits.fold(0, |number, digit| number * 10 + u32::from(digit - b'0'))
}

#[cfg(test)]
mod tests;
