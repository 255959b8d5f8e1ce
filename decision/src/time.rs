//! Time as an argument. Nothing here reads a clock.

use core::ops::{Add, Sub};

mod local;

pub use local::{LocalTime, OFFSET_CHANGES_MAX, OFFSET_S_MAX};

/// A moment: microseconds since 1970-01-01 UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Micros(pub i64);

impl Micros {
    /// The whole second this moment is in, held at the ends of the range (1970 to 2106).
    pub const fn seconds(self) -> Seconds {
        let seconds = self.0.div_euclid(1_000_000);
        Seconds(if seconds < 0 {
            0
        } else if seconds > u32::MAX as i64 {
            u32::MAX
        } else {
            seconds as u32
        })
    }

    /// The moment `seconds` later (earlier, where negative), held at the ends of the range.
    #[must_use]
    pub const fn plus_seconds(self, seconds: i64) -> Self {
        Self(self.0.saturating_add(seconds.saturating_mul(1_000_000)))
    }
}

/// A moment to the second, as profile records hold it: seconds since 1970-01-01 UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Seconds(pub u32);

impl Seconds {
    /// The moment as microseconds.
    pub const fn micros(self) -> Micros {
        Micros(self.0 as i64 * 1_000_000)
    }
}

impl Add<u32> for Seconds {
    type Output = Self;
    /// Held at the end of the range.
    fn add(self, seconds: u32) -> Self {
        Self(self.0.saturating_add(seconds))
    }
}

impl Sub<u32> for Seconds {
    type Output = Self;
    /// Held at the start of the range.
    fn sub(self, seconds: u32) -> Self {
        Self(self.0.saturating_sub(seconds))
    }
}
