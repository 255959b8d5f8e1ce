//! Days as the exchange's report has them.

use std::fmt;
use std::str::FromStr;

use decision::time::Micros;
use jiff::SignedDuration;
use jiff::civil::{Date, date};
use thiserror::Error;

const SECONDS_A_DAY: i64 = 86_400;
const EPOCH: Date = date(1970, 1, 1);

/// A calendar day: days since 1970-01-01.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Day(i64);

impl Day {
    /// The day of a moment, where days begin at midnight of `offset`.
    pub fn of(at: Micros, offset: UtcOffset) -> Self {
        let there = at.plus_seconds(i64::from(offset.0) * 60);
        Self(there.0.div_euclid(SECONDS_A_DAY * 1_000_000))
    }

    /// Reads `YYYY-MM-DD`; `None` where it is anything else, or no day.
    pub fn parse(text: &str) -> Option<Self> {
        // The reader knows other forms as well, some of which depend on where one is.
        let date: Date = text.parse().ok().filter(|date: &Date| text.len() == 10 && date.to_string() == text)?;
        Some(Self(date.duration_since(EPOCH).as_secs() / SECONDS_A_DAY))
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match EPOCH.checked_add(SignedDuration::from_hours(self.0 * 24)) {
            Ok(date) => write!(f, "{date}"),
            // Clocks that far off are told as they are.
            Err(_) => write!(f, "day {} of 1970", self.0),
        }
    }
}

/// How far a clock is ahead of UTC, in minutes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UtcOffset(i32);

/// A text is no offset from UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("must be an offset from -14:00 to +14:00, such as +02:00")]
pub struct BadOffset;

impl FromStr for UtcOffset {
    type Err = BadOffset;

    /// Reads `+HH:MM` or `-HH:MM`.
    fn from_str(text: &str) -> Result<Self, BadOffset> {
        let (sign, clock) = match text.as_bytes().first() {
            Some(b'+') => (1, &text[1..]),
            Some(b'-') => (-1, &text[1..]),
            _ => return Err(BadOffset),
        };
        let two = |part: &str| match part.as_bytes() {
            [tens @ b'0'..=b'9', ones @ b'0'..=b'9'] => Some(i32::from(tens - b'0') * 10 + i32::from(ones - b'0')),
            _ => None,
        };
        let (hours, minutes) = clock.split_once(':').ok_or(BadOffset)?;
        let (hours, minutes) = (two(hours).ok_or(BadOffset)?, two(minutes).filter(|it| *it < 60).ok_or(BadOffset)?);
        let offset = hours * 60 + minutes;
        if offset <= 14 * 60 { Ok(Self(sign * offset)) } else { Err(BadOffset) }
    }
}

impl fmt::Display for UtcOffset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { '-' } else { '+' };
        write!(f, "{sign}{:02}:{:02}", self.0.abs() / 60, self.0.abs() % 60)
    }
}
