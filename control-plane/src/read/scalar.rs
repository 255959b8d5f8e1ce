//! Single values: names, money, shares, times, sizes. Each reader says what would be right.

use decision::campaign::limits::{CPM_MICROS_MAX, NAME_BYTES_MAX};
use decision::ids::{Country, ExchangeName, Region};
use decision::money::{Nanos, ONE_PPM, parse_percent};
use decision::targeting::{DeviceType, Size};
use decision::time::{LocalTime, Micros, OFFSET_CHANGES_MAX};
use jiff::civil::Date;
use jiff::{Timestamp, tz::TimeZone};

use super::At;
use crate::limits::PROSE_BYTES_MAX;

impl<'a> At<'a> {
    /// What `read` makes of the text here; where it makes nothing, `right` says what would be right.
    fn parse<T>(&self, right: &str, read: impl FnOnce(&'a str) -> Option<T>) -> Option<T> {
        let text = self.text()?;
        let value = read(text);
        if value.is_none() {
            let shown: String = text.chars().take(64).collect();
            self.problem(format!("must be {right}, not `{shown}`"));
        }
        value
    }

    /// A name for use in files, addresses and reports; with `/` between its parts where `nested`.
    pub(crate) fn slug(&self, nested: bool) -> Option<&'a str> {
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let part = |part: &str| part.starts_with(|c: char| c.is_ascii() && plain(c as u8));
        let inner = |byte: u8| plain(byte) || b"-_.".contains(&byte) || (nested && byte == b'/');
        let right = if nested { "a name such as `cart-24h/shoes/high`" } else { "a name such as `boots-spring`" };
        let right = format!("{right}: lower-case letters, digits, - _ . and at most {NAME_BYTES_MAX} bytes");
        self.parse(&right, |text| {
            (text.len() <= NAME_BYTES_MAX && text.bytes().all(inner) && text.split('/').all(part)).then_some(text)
        })
    }

    /// Words for people.
    pub(crate) fn prose(&self) -> Option<String> {
        let right = format!("1 to {PROSE_BYTES_MAX} bytes of text");
        let fits = |text: &&str| (1..=PROSE_BYTES_MAX).contains(&text.len());
        self.parse(&right, |text| Some(text.trim()).filter(fits).map(str::to_owned))
    }

    /// An amount in units of the currency.
    pub(crate) fn amount(&self) -> Option<i64> {
        self.parse("an amount such as 250 or 12.50, with at most 9 decimals", |text| {
            Nanos::parse_decimal(text).map(Nanos::get)
        })
    }

    /// A CPM price in micros.
    pub(crate) fn cpm(&self) -> Option<i64> {
        let right =
            format!("a price a thousand such as 2.50, at most {}, with at most 6 decimals", CPM_MICROS_MAX / 1_000_000);
        // Nine decimals are read exactly; the last three must be zero, since prices of one impression are whole nanos.
        self.parse(&right, |text| {
            let nanos = Nanos::parse_decimal(text)?.get();
            (nanos >= 0 && nanos % 1_000 == 0 && nanos / 1_000 <= CPM_MICROS_MAX).then_some(nanos / 1_000)
        })
    }

    /// A factor or share in millionths.
    pub(crate) fn millionths(&self) -> Option<u32> {
        self.parse("a number such as 0.1 or 1.25, with at most 6 decimals", |text| {
            let nanos = Nanos::parse_decimal(text)?.get();
            (nanos % 1_000 == 0).then_some(nanos / 1_000).and_then(|ppm| u32::try_from(ppm).ok())
        })
    }

    /// A share of a price, in millionths: less than all of it.
    pub(crate) fn share_of_price(&self) -> Option<u32> {
        self.parse("a share from 0% to less than 100%, such as 15% or 12.5%, with at most 4 decimals", |text| {
            parse_percent(text).filter(|ppm| *ppm < ONE_PPM)
        })
    }

    /// A share in whole percent.
    pub(crate) fn percent(&self) -> Option<u8> {
        self.parse("a share from 0 to 1 with at most 2 decimals, such as 0.75", |text| {
            let nanos = Nanos::parse_decimal(text)?.get();
            (nanos % 10_000_000 == 0)
                .then_some(nanos / 10_000_000)
                .and_then(|p| u8::try_from(p).ok())
                .filter(|p| *p <= 100)
        })
    }

    /// A whole number from 0 to `max`.
    pub(crate) fn count(&self, max: u32) -> Option<u32> {
        let right = if max == u32::MAX { "a whole number".to_owned() } else { format!("a whole number up to {max}") };
        self.parse(&right, |text| digits(text)?.parse().ok().filter(|count| *count <= max))
    }

    /// A salt of 64 bits.
    pub(crate) fn salt(&self) -> Option<u64> {
        self.parse("a whole number of 64 bits, decimal or as 0x…", |text| match text.strip_prefix("0x") {
            Some(hex) if hex.bytes().all(|byte| byte.is_ascii_hexdigit()) => u64::from_str_radix(hex, 16).ok(),
            Some(_) => None,
            None => digits(text)?.parse().ok(),
        })
    }

    /// A length of time in seconds.
    pub(crate) fn window_s(&self) -> Option<u32> {
        self.parse("a length of time such as 30m, 24h or 7d", |text| {
            let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
            let unit_s = match unit {
                "m" => 60,
                "h" => 60 * 60,
                "d" => 24 * 60 * 60,
                _ => return None,
            };
            digits(number)?.parse::<u32>().ok()?.checked_mul(unit_s)
        })
    }

    /// A moment in microseconds since 1970. A date alone is its first moment in the time zone.
    pub(crate) fn moment(&self, zone: &TimeZone) -> Option<i64> {
        self.parse("a date such as 2026-05-31 or a moment such as 2026-05-31T18:00:00Z", |text| {
            let timestamp = match text.len() {
                10 => text.parse::<Date>().ok()?.to_zoned_datetime(zone.clone()).ok()?.timestamp(),
                _ => text.parse::<Timestamp>().ok()?,
            };
            Some(timestamp.as_microsecond())
        })
    }

    /// A time zone of the database that this program has in it.
    pub(crate) fn time_zone(&self) -> Option<TimeZone> {
        self.parse("a time zone by its IANA name, such as Europe/Berlin or UTC", |text| TimeZone::get(text).ok())
    }

    /// What the clock of a time zone does in a flight. Changes beyond [`OFFSET_CHANGES_MAX`] are left out: half a century
    /// ahead nobody knows them.
    pub(crate) fn local_time(&self, zone: &TimeZone, (from, until): (i64, i64)) -> LocalTime {
        let (from, until) = (held(from), held(until));
        let changes = zone.following(from).map(|change| (change.timestamp(), change.offset().seconds()));
        let changes = changes.take_while(|(at, _)| *at < until).take(OFFSET_CHANGES_MAX);
        let changes: Vec<_> = changes.map(|(at, offset_s)| (Micros(at.as_microsecond()), offset_s)).collect();
        let first = zone.to_offset(from).seconds();
        if first == 0 && changes.is_empty() {
            return LocalTime::default();
        }
        LocalTime::new(zone.iana_name().unwrap_or_default().to_owned(), first, changes).unwrap_or_else(|| {
            self.problem("changes its clock twice within a day of this flight, which days cannot follow");
            LocalTime::default()
        })
    }

    /// Width and height.
    pub(crate) fn size(&self) -> Option<Size> {
        self.parse("a size such as 300x250", |text| {
            let (w, h) = text.split_once('x')?;
            let side = |side: &str| digits(side)?.parse().ok().filter(|side: &u16| *side > 0);
            Some(Size { w: side(w)?, h: side(h)? })
        })
    }

    /// The name of an exchange.
    pub(crate) fn exchange(&self) -> Option<ExchangeName> {
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        self.parse("an exchange's name: up to 16 lower-case letters, digits and -", |text| {
            ExchangeName::new(text).filter(|_| text.bytes().all(plain))
        })
    }

    /// A country.
    pub(crate) fn country(&self) -> Option<Country> {
        self.parse("a country by its three letters (ISO 3166-1 alpha-3), such as USA", country)
    }

    /// A part of a country.
    pub(crate) fn region(&self) -> Option<(Country, Region)> {
        let plain = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit();
        self.parse("a country and its part (ISO 3166-2), such as USA/CA", |text| {
            let (whole, part) = text.split_once('/')?;
            Some((country(whole)?, Region::new(part).filter(|_| part.bytes().all(plain))?))
        })
    }

    /// A type of device.
    pub(crate) fn device(&self) -> Option<DeviceType> {
        let names = DeviceType::ALL.map(|(_, name, _)| name);
        self.parse(&format!("one of {}", names.join(", ")), DeviceType::of_name)
    }

    /// One of a few words.
    pub(crate) fn choice<T: Copy>(&self, choices: &[(&str, T)]) -> Option<T> {
        let words: Vec<&str> = choices.iter().map(|(word, _)| *word).collect();
        let said = if words.len() > 2 { format!("one of {}", words.join(", ")) } else { words.join(" or ") };
        self.parse(&said, |text| choices.iter().find(|(word, _)| *word == text).map(|(_, choice)| *choice))
    }
}

/// A moment in microseconds, held at the ends of what has a date.
fn held(at: i64) -> Timestamp {
    let end = if at < 0 { Timestamp::MIN } else { Timestamp::MAX };
    Timestamp::from_microsecond(at).unwrap_or(end)
}

fn digits(text: &str) -> Option<&str> {
    (!text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())).then_some(text)
}

fn country(text: &str) -> Option<Country> {
    Country::new(text).filter(|_| text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_uppercase()))
}
