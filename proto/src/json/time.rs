//! Moments as text.

use std::fmt;

use decision::time::{Micros, Seconds};

const SECONDS_A_DAY: i64 = 86_400;

/// RFC 3339 in UTC with microseconds. Years outside 0 to 9999, which it does not have, are written in full with their
/// sign.
pub(super) struct MicrosText(pub(super) Micros);

impl fmt::Display for MicrosText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_second(f, self.0.0.div_euclid(1_000_000))?;
        write!(f, ".{:06}Z", self.0.0.rem_euclid(1_000_000))
    }
}

/// RFC 3339 in UTC.
pub(super) struct SecondsText(pub(super) Seconds);

impl fmt::Display for SecondsText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_second(f, self.0.0.into())?;
        f.write_str("Z")
    }
}

/// A calendar day by its number since 1970-01-01: RFC 3339, full-date.
pub(super) struct DayText(pub(super) u32);

impl fmt::Display for DayText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_day(f, self.0.into())
    }
}

fn write_second(f: &mut fmt::Formatter<'_>, seconds: i64) -> fmt::Result {
    write_day(f, seconds.div_euclid(SECONDS_A_DAY))?;
    let second = seconds.rem_euclid(SECONDS_A_DAY);
    write!(f, "T{:02}:{:02}:{:02}", second / 3_600, second / 60 % 60, second % 60)
}

fn write_day(f: &mut fmt::Formatter<'_>, days: i64) -> fmt::Result {
    let (year, month, day) = civil(days);
    if (0..=9_999).contains(&year) {
        write!(f, "{year:04}")?
    } else {
        write!(f, "{year:+}")?
    }
    write!(f, "-{month:02}-{day:02}")
}

/// Year, month and day of a count of days since 1970-01-01, in the proleptic Gregorian calendar: Hinnant,
/// "chrono-Compatible Low-Level Date Algorithms", `civil_from_days`.
fn civil(days: i64) -> (i64, i64, i64) {
    // Eras of 400 years from 0000-03-01, so that the leap day is the last of its year.
    let days = days + 719_468;
    let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (era * 400 + year_of_era + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_dates() {
        for (micros, text) in [
            (0, "1970-01-01T00:00:00.000000Z"),
            (-1, "1969-12-31T23:59:59.999999Z"),
            (951_782_400_000_000, "2000-02-29T00:00:00.000000Z"),
            (1_735_689_599_123_456, "2024-12-31T23:59:59.123456Z"),
            (4_107_542_400_000_000, "2100-03-01T00:00:00.000000Z"),
            (253_402_300_799_999_999, "9999-12-31T23:59:59.999999Z"),
            (253_402_300_800_000_000, "+10000-01-01T00:00:00.000000Z"),
            (i64::MAX, "+294247-01-10T04:00:54.775807Z"),
            (i64::MIN, "-290308-12-21T19:59:05.224192Z"),
        ] {
            assert_eq!(MicrosText(Micros(micros)).to_string(), text);
        }
        assert_eq!(DayText(20_786).to_string(), "2026-11-29");
        assert_eq!(SecondsText(Seconds(u32::MAX)).to_string(), "2106-02-07T06:28:15Z");
    }

    #[test]
    fn days_count_up_one_by_one() {
        let mut expected = (1600, 1, 1);
        // 1600-01-01 to 2400-01-01: two whole eras.
        for days in -135_140..157_054 {
            assert_eq!(civil(days), expected, "day {days}");
            let (year, month, day) = expected;
            let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
            let last = match month {
                2 => 28 + i64::from(leap),
                4 | 6 | 9 | 11 => 30,
                _ => 31,
            };
            expected = match (month, day == last) {
                (12, true) => (year + 1, 1, 1),
                (_, true) => (year, month + 1, 1),
                _ => (year, month, day + 1),
            };
        }
        assert_eq!(expected, (2400, 1, 1));
    }
}
