//! Shares of our side, compared without rounding.

use std::fmt;
use std::str::FromStr;

use decision::money::Nanos;
use thiserror::Error;

/// Billionths of a percent in the whole.
const WHOLE: u128 = 100_000_000_000;

/// The greatest difference that is no alarm: a share of our side, in billionths of a percent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tolerance(u64);

/// A text is no tolerance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("must be a percentage such as 2 or 0.5, at least 0, with at most 9 decimals")]
pub struct BadTolerance;

impl Tolerance {
    /// Whether `difference` is more than this share of `ours`. Exact.
    pub fn is_exceeded(self, difference: i128, ours: i128) -> bool {
        let (share, ours) = (u128::from(self.0), ours.unsigned_abs());
        // The whole part and the rest by themselves, since the product of both can be wider than any integer here. A
        // part that is too wide all the same allows every difference.
        let allowed = share.saturating_mul(ours / WHOLE).saturating_add(share * (ours % WHOLE) / WHOLE);
        difference.unsigned_abs() > allowed
    }
}

impl FromStr for Tolerance {
    type Err = BadTolerance;

    fn from_str(text: &str) -> Result<Self, BadTolerance> {
        let share = Nanos::parse_decimal(text).and_then(|share| u64::try_from(share.get()).ok());
        share.map(Self).ok_or(BadTolerance)
    }
}

impl fmt::Display for Tolerance {
    /// In percent, without trailing zeros and without the sign.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let percent = format!("{}.{:09}", self.0 / 1_000_000_000, self.0 % 1_000_000_000);
        f.write_str(percent.trim_end_matches('0').trim_end_matches('.'))
    }
}

/// A difference as a share of our side, for people: in hundredths of a percent, rounded away from zero, so that what
/// differs never shows as 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Percent(i128);

impl Percent {
    /// `None` where we have nothing.
    pub fn of(difference: i128, ours: i128) -> Option<Self> {
        if ours == 0 {
            return None;
        }
        // Sums of 2^40 amounts of 63 bits leave room for the factor.
        let share = (difference.unsigned_abs() * 10_000).div_ceil(ours.unsigned_abs()).cast_signed();
        Some(Self(if (difference < 0) == (ours < 0) { share } else { -share }))
    }
}

impl fmt::Display for Percent {
    /// With two decimals; with `{:+}` also a sign above zero.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = match self.0.signum() {
            -1 => "-",
            1 if f.sign_plus() => "+",
            _ => "",
        };
        write!(f, "{sign}{}.{:02}", self.0.unsigned_abs() / 100, self.0.unsigned_abs() % 100)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_border_itself_is_no_alarm() {
        let exceeded = |tolerance: &str, difference, ours| {
            tolerance.parse::<Tolerance>().expect("a percentage").is_exceeded(difference, ours)
        };
        assert!(!exceeded("2", 2, 100) && exceeded("2", 3, 100) && exceeded("2", -3, 100));
        assert!(!exceeded("2", 0, 0) && exceeded("2", 1, 0));
        assert!(!exceeded("0", 0, 7) && exceeded("0", 1, i128::MAX));
        // Sums that no product of theirs fits.
        let ours = 1_i128 << 126;
        assert!(!exceeded("2", ours / 50, ours) && exceeded("2", ours / 50 + 1, ours));
        assert!(!exceeded("9000000000", i128::MAX, ours));
        assert!(!exceeded("0.000000001", 1, 100_000_000_000) && exceeded("0.000000001", 1, 99_999_999_999));
        for bad in ["-1", "", "2 %", "2,5", "0.0000000001"] {
            assert_eq!(bad.parse::<Tolerance>(), Err(BadTolerance), "{bad}");
        }
        assert_eq!(["2", "0.50", "10"].map(|text| text.parse::<Tolerance>().unwrap().to_string()), ["2", "0.5", "10"]);
    }

    #[test]
    fn a_difference_never_shows_as_none() {
        let shown = |difference, ours| Percent::of(difference, ours).map(|percent| format!("{percent:+}"));
        let text = |text: &str| Some(text.to_owned());
        assert_eq!(shown(1, 1_000_000_000), text("+0.01"));
        assert_eq!(shown(-1, 1_000_000_000), text("-0.01"));
        assert_eq!([shown(0, 5), shown(2, 100), shown(-200, 100)], [text("0.00"), text("+2.00"), text("-200.00")]);
        assert_eq!(shown(2_000_001, 100_000_000), text("+2.01"));
        assert_eq!(shown(1, 0), None);
    }
}
