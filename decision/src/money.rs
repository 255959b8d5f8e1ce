//! Money and exchange rates. All arithmetic on money stands here.

use alloc::collections::BTreeMap;
use core::fmt;

use crate::ids::Currency;

mod fees;
mod total;

pub use fees::{Fees, Parts, Percent, parse_percent};
pub use total::Total;

/// A whole, in millionths: what shares and multipliers are parts of.
pub const ONE_PPM: u32 = 1_000_000;

/// An amount of money in billionths of the currency unit.
///
/// A price per thousand impressions (CPM) in micros *is* the price of one impression in nanos, so prices and charges
/// share this type and nothing is rounded between them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Nanos(i64);

impl Nanos {
    /// No money.
    pub const ZERO: Self = Self(0);
    /// The largest amount: about 9.2 billion units.
    pub const MAX: Self = Self(i64::MAX);
    /// One unit of the currency.
    pub const UNIT: Self = Self(1_000_000_000);

    /// An amount in billionths of the unit.
    pub const fn new(nanos: i64) -> Self {
        Self(nanos)
    }

    /// The price of one impression, from a CPM price in micros (1,500,000 for 1.50 a thousand).
    pub const fn of_one_impression(cpm_micros: i64) -> Self {
        Self(cpm_micros)
    }

    /// The amount in billionths of the unit.
    pub const fn get(self) -> i64 {
        self.0
    }

    /// The CPM price in micros, of a price of one impression.
    pub const fn cpm_micros(self) -> i64 {
        self.0
    }

    /// The sum, or `None` on overflow.
    pub fn checked_add(self, other: Self) -> Option<Self> {
        self.0.checked_add(other.0).map(Self)
    }

    /// The difference, or `None` on overflow.
    pub fn checked_sub(self, other: Self) -> Option<Self> {
        self.0.checked_sub(other.0).map(Self)
    }

    /// The sum, held at the ends of the range.
    #[must_use]
    pub const fn saturating_add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// The difference, held at the ends of the range.
    #[must_use]
    pub const fn saturating_sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }

    /// The amount times `parts_per_million`, rounded down, held at the ends of the range.
    #[must_use]
    pub fn scaled(self, parts_per_million: u32) -> Self {
        // Prices of an impression stay far inside 64 bits, where the division is many times cheaper.
        match self.0.checked_mul(i64::from(parts_per_million)) {
            Some(product) => Self(product.div_euclid(1_000_000)),
            None => saturate((i128::from(self.0) * i128::from(parts_per_million)).div_euclid(1_000_000)),
        }
    }

    /// Reads a decimal amount such as `12.5` or `3e-2` exactly; `None` where it is no finite number, needs more than
    /// nine decimals to be exact (digits past the ninth are cut only if they are zero), or does not fit.
    pub fn parse_decimal(text: &str) -> Option<Self> {
        decimal(text, 9).map(Self)
    }

    /// Reads a decimal CPM price such as `1.25` as the price of one impression. Digits past the sixth decimal are cut,
    /// since exchanges send prices computed in floating point. `None` where it is no finite number or does not fit.
    pub fn parse_cpm(text: &str) -> Option<Self> {
        decimal_cut(text, 6).map(Self)
    }

    /// Reads a decimal CPM price as [`Nanos::parse_cpm`] does, rounded up: for floors, which prices must reach.
    pub fn parse_cpm_up(text: &str) -> Option<Self> {
        let (value, exact) = decimal_scaled(text, 6)?;
        let cut_down = !exact && !text.starts_with('-');
        value.checked_add(i64::from(cut_down)).map(Self)
    }
}

/// A CPM price with as many decimals as it needs, at least two.
pub struct Cpm(pub Nanos);

impl fmt::Display for Cpm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fixed(f, self.0.0.into(), 6)
    }
}

impl fmt::Display for Nanos {
    /// The amount in units with as many decimals as it needs, at least two.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fixed(f, self.0.into(), 9)
    }
}

/// How many units of one currency buy one unit of another, in billionths: an exact factor, kept in every event that
/// used it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate(i64);

impl Rate {
    /// The rate between a currency and itself.
    pub const ONE: Self = Self(1_000_000_000);

    /// A rate in billionths, or `None` where it is not above zero.
    pub const fn new(billionths: i64) -> Option<Self> {
        if billionths > 0 { Some(Self(billionths)) } else { None }
    }

    /// The rate in billionths.
    pub const fn get(self) -> i64 {
        self.0
    }

    /// `amount` in the other currency, rounded towards zero: for prices we offer.
    #[inline]
    pub fn convert_down(self, amount: Nanos) -> Nanos {
        // Prices of an impression stay far inside 64 bits, where the division is many times cheaper.
        match amount.0.checked_mul(self.0) {
            Some(product) => Nanos(product.div_euclid(1_000_000_000)),
            None => saturate((i128::from(amount.0) * i128::from(self.0)).div_euclid(1_000_000_000)),
        }
    }

    /// `amount` in the other currency, rounded up: for floors we must reach.
    pub fn convert_up(self, amount: Nanos) -> Nanos {
        saturate((i128::from(amount.0) * i128::from(self.0) + 999_999_999).div_euclid(1_000_000_000))
    }

    /// `amount` of the other currency back in the first one, rounded up: for what we are charged.
    pub fn invert_up(self, amount: Nanos) -> Nanos {
        let rate = i128::from(self.0);
        saturate((i128::from(amount.0) * 1_000_000_000 + rate - 1).div_euclid(rate))
    }
}

/// What one unit of each currency is worth in US dollars: between any two of them a [`Rate`] follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rates(BTreeMap<Currency, Rate>);

impl Rates {
    /// The rates of `dollars`: how many US dollars one unit of each currency buys. The dollar itself is always there
    /// and always worth one.
    pub fn new(dollars: impl IntoIterator<Item = (Currency, Rate)>) -> Self {
        let mut rates: BTreeMap<Currency, Rate> = dollars.into_iter().collect();
        rates.insert(Currency::new("USD").expect("three letters are a label"), Rate::ONE);
        Self(rates)
    }

    /// How many units of `to` buy one unit of `from`, rounded towards zero; `None` where either has no known value, or
    /// where the rate does not fit.
    pub fn rate(&self, from: Currency, to: Currency) -> Option<Rate> {
        let (from, to) = (self.0.get(&from)?, self.0.get(&to)?);
        Rate::new(i64::try_from(i128::from(from.0) * 1_000_000_000 / i128::from(to.0)).ok()?)
    }

    /// `amount` of `from` in `to`, rounded up once: for floors we must reach. `None` where either has no known value.
    pub fn convert_up(&self, amount: Nanos, from: Currency, to: Currency) -> Option<Nanos> {
        let (from, to) = (i128::from(self.0.get(&from)?.0), i128::from(self.0.get(&to)?.0));
        Some(saturate((i128::from(amount.0) * from + to - 1).div_euclid(to)))
    }

    /// Every currency with its value in US dollars, by ascending code.
    pub fn iter(&self) -> impl Iterator<Item = (Currency, Rate)> {
        self.0.iter().map(|(currency, rate)| (*currency, *rate))
    }
}

impl Default for Rates {
    /// Only US dollars.
    fn default() -> Self {
        Self::new([])
    }
}

fn saturate(value: i128) -> Nanos {
    Nanos(i64::try_from(value).unwrap_or(if value < 0 { i64::MIN } else { i64::MAX }))
}

fn fixed(f: &mut fmt::Formatter<'_>, value: i128, decimals: u32) -> fmt::Result {
    let scale = 10_u128.pow(decimals);
    let (whole, mut part) = (value.unsigned_abs() / scale, value.unsigned_abs() % scale);
    let mut digits = decimals as usize;
    while digits > 2 && part.is_multiple_of(10) {
        part /= 10;
        digits -= 1;
    }
    let sign = match value.signum() {
        -1 => "-",
        1 if f.sign_plus() => "+",
        _ => "",
    };
    f.pad(&alloc::format!("{sign}{whole}.{part:0digits$}"))
}

fn decimal(text: &str, decimals: i32) -> Option<i64> {
    let (value, exact) = decimal_scaled(text, decimals)?;
    exact.then_some(value)
}

fn decimal_cut(text: &str, decimals: i32) -> Option<i64> {
    decimal_scaled(text, decimals).map(|(value, _)| value)
}

/// `text` times 10^`decimals` cut to a whole number, and whether nothing was cut off.
fn decimal_scaled(text: &str, decimals: i32) -> Option<(i64, bool)> {
    let (negative, text) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let (mantissa, exponent) = match text.find(['e', 'E']) {
        Some(at) => (&text[..at], text[at + 1..].parse::<i32>().ok()?),
        None => (text, 0),
    };
    let (whole, part) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if whole.is_empty() && part.is_empty() {
        return None;
    }
    // Digit i (from the left, 0 = first digit before the point's end) has weight 10^(places - i - 1 + exponent).
    let mut value: i128 = 0;
    let mut exact = true;
    let mut weight = i32::try_from(whole.len()).ok()?.checked_add(exponent)?.checked_add(decimals)?;
    for byte in whole.bytes().chain(part.bytes()) {
        let digit = byte.is_ascii_digit().then(|| i128::from(byte - b'0'))?;
        if weight > 0 {
            value = value.checked_mul(10)?.checked_add(digit)?;
        } else if digit != 0 {
            exact = false;
        }
        weight = weight.checked_sub(1)?;
    }
    if value != 0 {
        for _ in 0..weight.clamp(0, 64) {
            value = value.checked_mul(10)?;
        }
    }
    let value = i64::try_from(value).ok()?;
    Some((if negative { -value } else { value }, exact))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::ToString;

    #[test]
    fn decimals_are_read_exactly() {
        let read = |text| Nanos::parse_decimal(text).map(Nanos::get);
        assert_eq!(read("12.5"), Some(12_500_000_000));
        assert_eq!(read("0.000000001"), Some(1));
        assert_eq!(read("1e-9"), Some(1));
        assert_eq!(read("1.0E2"), Some(100_000_000_000));
        assert_eq!(read("-3"), Some(-3_000_000_000));
        assert_eq!(read("0.0000000010"), Some(1));
        assert_eq!(read("0.0000000001"), None);
        assert_eq!(read("1e30"), None);
        assert_eq!(read("0e30"), Some(0));
        for bad in ["", ".", "-", "1.2.3", "NaN", "inf", "1e", "0x1", " 1"] {
            assert_eq!(read(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn prices_keep_six_decimals() {
        let read = |text| Nanos::parse_cpm(text).map(Nanos::cpm_micros);
        assert_eq!(read("1.25"), Some(1_250_000));
        assert_eq!(read("0.30000000000000004"), Some(300_000));
        assert_eq!(read("AUDIT"), None);
    }

    #[test]
    fn floors_are_rounded_up() {
        let read = |text| Nanos::parse_cpm_up(text).map(Nanos::cpm_micros);
        assert_eq!(read("1.25"), Some(1_250_000));
        assert_eq!(read("1.2500000"), Some(1_250_000));
        assert_eq!(read("0.30000000000000004"), Some(300_001));
        assert_eq!(read("1e-9"), Some(1));
        assert_eq!(read("-0.00000001"), Some(0));
        assert_eq!(read("1e30"), None);
    }

    #[test]
    fn amounts_are_shown_in_units() {
        assert_eq!(Nanos::new(12_500_000_000).to_string(), "12.50");
        assert_eq!(Nanos::new(-1).to_string(), "-0.000000001");
        assert_eq!(Cpm(Nanos::new(1_234_500)).to_string(), "1.2345");
        let mut sum = Total::from(Nanos::MAX);
        sum += Total::from(Nanos::MAX);
        assert_eq!(sum.to_string(), "18446744073.709551614");
        assert_eq!(
            [1, 0, -1].map(|nanos| std::format!("{:+}", Total::new(nanos))),
            ["+0.000000001", "0.00", "-0.000000001"]
        );
    }

    #[test]
    fn a_charge_converted_back_never_exceeds_what_was_offered() {
        for rate in [1, 333_333_333, 1_000_000_000, 1_084_500_001, 150_000_000_000] {
            let rate = Rate::new(rate).expect("above zero");
            for price in [0, 1, 999, 1_250_000, 7_777_777_777] {
                let offered = rate.convert_down(Nanos::new(price));
                assert!(rate.invert_up(offered) <= Nanos::new(price));
            }
        }
    }

    #[test]
    fn rates_follow_from_dollars() {
        let currency = |code| Currency::new(code).expect("a code");
        let (usd, eur, jpy) = (currency("USD"), currency("EUR"), currency("JPY"));
        let rates = Rates::new([(eur, Rate(1_100_000_000)), (jpy, Rate(6_500_000)), (usd, Rate(7))]);
        let rate = |from, to| rates.rate(from, to).map(Rate::get);
        assert_eq!(rate(usd, usd), Some(1_000_000_000), "a dollar is a dollar, whatever was configured");
        assert_eq!(rate(eur, usd), Some(1_100_000_000));
        assert_eq!(rate(usd, eur), Some(909_090_909));
        assert_eq!(rate(eur, jpy), Some(169_230_769_230));
        assert_eq!(rate(eur, currency("CHF")), None);
        assert_eq!(rates.convert_up(Nanos(1), usd, eur), Some(Nanos(1)), "a floor is never lowered");
        assert_eq!(rates.convert_up(Nanos(65_000_000), usd, jpy), Some(Nanos(10_000_000_000)));
        assert_eq!(rates.convert_up(Nanos::MAX, eur, jpy), Some(Nanos::MAX));
        assert_eq!(rates.convert_up(Nanos(1), currency("CHF"), usd), None);
        assert_eq!(rates.iter().count(), 3);
    }

    #[test]
    fn the_short_way_of_converting_equals_the_long_one() {
        for amount in [0, 1, -1, 999_999_999, 1_000_000_000, -2_500_000_001, i64::MAX / 3, i64::MIN] {
            for rate in [1, 999_999_999, 1_000_000_000, 3_000_000_001] {
                let product = i128::from(amount) * i128::from(rate);
                assert_eq!(Rate(rate).convert_down(Nanos(amount)), saturate(product.div_euclid(1_000_000_000)));
            }
        }
    }
}
