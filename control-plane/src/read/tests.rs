use super::*;
use crate::problem::SourceFile;
use crate::yaml;
use jiff::tz::TimeZone;

/// What `read` makes of the single value `text`, or the problem it notes.
fn read<T>(text: &str, read: impl Fn(&At<'_>) -> Option<T>) -> Result<T, String> {
    let problems = Problems::default();
    let (documents, _) = yaml::documents(0, text, &mut 0, &problems);
    let value = read(&At::root(&documents[0], &problems));
    let files = [SourceFile { name: "f".into(), text: text.into() }];
    let mut found = problems.into_list(&files);
    match value {
        Some(value) if found.is_empty() => Ok(value),
        _ => Err(found.remove(0).message),
    }
}

#[test]
fn money_is_exact() {
    assert_eq!(read("12.50", |at| at.amount()), Ok(12_500_000_000));
    assert_eq!(read("0.1", |at| at.amount()), Ok(100_000_000));
    assert_eq!(read("0.000000001", |at| at.amount()), Ok(1));
    assert_eq!(read("0.3", |at| at.cpm()), Ok(300_000));
    assert_eq!(read("0.000001", |at| at.cpm()), Ok(1));
    let cpm = |text: &str| {
        format!("must be a price a thousand such as 2.50, at most 10000, with at most 6 decimals, not `{text}`")
    };
    for bad in ["0.0000001", "-1", "10000.000001", "1,5", "$2", "NaN"] {
        assert_eq!(read(bad, |at| at.cpm()), Err(cpm(bad)));
    }
    assert!(read("0.0000000001", |at| at.amount()).is_err());
}

#[test]
fn times_and_windows() {
    assert_eq!(read("2026-01-01", |at| at.moment(&TimeZone::UTC)), Ok(1_767_225_600_000_000));
    assert_eq!(read("2026-01-01T02:00:00+02:00", |at| at.moment(&TimeZone::UTC)), Ok(1_767_225_600_000_000));
    assert_eq!(read("\"2026-01-01T00:00:00.000001Z\"", |at| at.moment(&TimeZone::UTC)), Ok(1_767_225_600_000_001));
    for bad in ["2026-02-30", "2026-01-01T00:00:00", "01.02.2026", "tomorrow", "2026-1-1", "20260101"] {
        assert!(read(bad, |at| at.moment(&TimeZone::UTC)).is_err(), "{bad}");
    }
    assert_eq!(read("30m", |at| at.window_s()), Ok(1_800));
    assert_eq!(read("24h", |at| at.window_s()), Ok(86_400));
    assert_eq!(read("7d", |at| at.window_s()), Ok(604_800));
    for bad in ["7", "d", "-1d", "1.5h", "1w", "99999999999d", "99999d", "7é"] {
        assert!(read(bad, |at| at.window_s()).is_err(), "{bad}");
    }
}

#[test]
fn shares_and_counts() {
    assert_eq!(read("0.1", |at| at.millionths()), Ok(100_000));
    assert_eq!(read("2.5", |at| at.millionths()), Ok(2_500_000));
    assert!(read("0.0000001", |at| at.millionths()).is_err());
    assert!(read("-0.1", |at| at.millionths()).is_err());
    assert_eq!(read("0.75", |at| at.percent()), Ok(75));
    assert_eq!(read("1", |at| at.percent()), Ok(100));
    for bad in ["0.755", "1.01", "-0.5", "50%"] {
        assert!(read(bad, |at| at.percent()).is_err(), "{bad}");
    }
    assert_eq!(read("12.5%", |at| at.share_of_price()), Ok(125_000));
    assert_eq!(read("0 %", |at| at.share_of_price()), Ok(0));
    for bad in ["100%", "-1%", "15", "0.15", "1.00001%"] {
        assert!(read(bad, |at| at.share_of_price()).is_err(), "{bad}");
    }
    assert_eq!(read("64", |at| at.count(64)), Ok(64));
    for bad in ["65", "+1", "-1", "1.0", "1_0", "99999999999999"] {
        assert!(read(bad, |at| at.count(64)).is_err(), "{bad}");
    }
    assert_eq!(read("0xff", |at| at.salt()), Ok(255));
    assert_eq!(read("18446744073709551615", |at| at.salt()), Ok(u64::MAX));
    for bad in ["0x", "0x+1", "-1", "18446744073709551616"] {
        assert!(read(bad, |at| at.salt()).is_err(), "{bad}");
    }
}

#[test]
fn names_and_places() {
    assert_eq!(read("cart-24h/shoes/high", |at| at.slug(true).map(str::to_owned)), Ok("cart-24h/shoes/high".into()));
    for bad in ["a/b", "A", "-a", "a b", "ä"] {
        assert!(read(bad, |at| at.slug(false).map(str::to_owned)).is_err(), "{bad}");
    }
    for bad in ["/a", "a/", "a//b", "a/-b"] {
        assert!(read(bad, |at| at.slug(true).map(str::to_owned)).is_err(), "{bad}");
    }
    assert!(read("NO", |at| at.country()).is_err());
    assert!(read("NOR", |at| at.country()).is_ok());
    assert!(read("USA/CA", |at| at.region()).is_ok());
    assert!(read("CA", |at| at.region()).is_err());
    assert!(read("300x250", |at| at.size()).is_ok());
    for bad in ["300", "0x250", "300X250", "300x65536", "300x250x1"] {
        assert!(read(bad, |at| at.size()).is_err(), "{bad}");
    }
    assert!(read("demo", |at| at.exchange()).is_ok());
    assert!(read("Demo", |at| at.exchange()).is_err());
}
