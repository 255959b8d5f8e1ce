//! Sums of more money than one amount can hold.

use core::fmt;
use core::ops::{AddAssign, Sub};

use super::{Nanos, fixed};

/// A sum of amounts of one currency, in billionths of its unit: wide enough for more amounts than there can be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Total(i128);

impl Total {
    /// A sum in billionths of the unit.
    pub const fn new(nanos: i128) -> Self {
        Self(nanos)
    }

    /// The sum in billionths of the unit.
    pub const fn get(self) -> i128 {
        self.0
    }
}

impl From<Nanos> for Total {
    fn from(amount: Nanos) -> Self {
        Self(amount.get().into())
    }
}

impl AddAssign for Total {
    fn add_assign(&mut self, other: Self) {
        self.0 += other.0;
    }
}

impl Sub for Total {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self(self.0 - other.0)
    }
}

impl fmt::Display for Total {
    /// The sum in units with as many decimals as it needs, at least two; with `{:+}` also a sign above zero.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fixed(f, self.0, 9)
    }
}
