//! What is wrong with reports.

use super::{check, reconcile};

#[test]
fn a_header_is_needed() {
    check("", "", "", "line 1: must be a header with the names of columns; the file is empty");
    check("", "\n\n  \n", "", "line 1: must be a header with the names of columns; the file is empty");
    check(
        "",
        "2026-03-01,demo,7,USD,1,1",
        "",
        "line 1, column day: is missing in the header
         line 1, column exchange: is missing in the header
         line 1, column campaign: is missing in the header
         line 1, column currency: is missing in the header
         line 1, column impressions: is missing in the header
         line 1, column spend: is missing in the header
         line 1: has no line below it, so there is no day to compare",
    );
    check(
        "exchange=demo",
        "day,spend,campaign,spend,impression,Currency\n2026-03-01,x,7,0,1,USD",
        "",
        "line 1, column spend: is there twice, as column 2 and 4
         line 1, column currency: is missing in the header
         line 2, column impression: must be an impression id of 32 hexadecimal digits, not `1`",
    );
}

#[test]
fn an_empty_report_covers_no_day() {
    let expected = "line 1: has no line below it, so there is no day to compare";
    check("", "day,exchange,campaign,currency,impressions,spend\n\n", "charge a 2026-03-01T12:00", expected);
}

#[test]
fn every_mistake_is_named_with_its_line_and_column() {
    check(
        "",
        "
        day,exchange,campaign,currency,impressions,spend
        2026-03-01,demo,7,USD,1,0.001
        2026-02-29,Demo,,usd,1.0,\"1,5\"
        2026-03-01,demo,4294967296,USDT,,0.0000000001

        2026-03-01,demo,7,USD,1
        2026-03-01,\"demo\",\"bo\rots\",US,two,1e30
        2026-03-01,a-name-that-is-too-long,7,USD,9223372036854775808,NaN
        2026-03-01,demo,7,USD,1,1,1
        20260301,demo,7,\u{feff}USD,1,1",
        "",
        "
        line 3, column day: must be a day such as 2026-03-01, not `2026-02-29`
        line 3, column exchange: must be a configured name: 1 to 16 of a-z, 0-9 and -, not `Demo`
        line 3, column campaign: must be the number of a campaign, or its name, not ``
        line 3, column currency: must be an ISO 4217 code such as USD, not `usd`
        line 3, column impressions: must be a whole number, not `1.0`
        line 3, column spend: must be an amount such as 12.50, with at most 9 decimals, not `1,5`
        line 4, column campaign: must be the number of a campaign, or its name, not `4294967296`
        line 4, column currency: must be an ISO 4217 code such as USD, not `USDT`
        line 4, column impressions: must be a whole number, not ``
        line 4, column spend: must be an amount such as 12.50, with at most 9 decimals, not `0.0000000001`
        line 6: has 5 cells, and the header 6
        line 7, column campaign: must be the number of a campaign, or its name, not `bo\u{fffd}ots`
        line 7, column currency: must be an ISO 4217 code such as USD, not `US`
        line 7, column impressions: must be a whole number, not `two`
        line 7, column spend: must be an amount such as 12.50, with at most 9 decimals, not `1e30`
        line 8, column exchange: must be a configured name: 1 to 16 of a-z, 0-9 and -, not `a-name-that-is-too-long`
        line 8, column impressions: must be a whole number, not `9223372036854775808`
        line 8, column spend: must be an amount such as 12.50, with at most 9 decimals, not `NaN`
        line 9: has 7 cells, and the header 6
        line 10, column day: must be a day such as 2026-03-01, not `20260301`
        line 10, column currency: must be an ISO 4217 code such as USD, not `\u{feff}USD`",
    );
}

#[test]
fn a_line_of_another_exchange_or_of_two_impressions_is_a_mistake() {
    let report = "day,exchange,campaign,currency,impressions,spend,impression\n\
        2026-03-01,other,7,USD,2,0.001,61616161616161616161616161616161\n\
        2026-03-01,demo,7,USD,1,0.001,+1616161616161616161616161616161\n\
        2026-03-01,demo,7,USD,1,0.001,616161616161616161616161616161é\n";
    let id = "must be an impression id of 32 hexadecimal digits";
    check(
        "exchange=demo",
        report,
        "",
        &[
            "line 2, column exchange: must be demo, the one exchange that is asked for, not `other`",
            "line 2, column impressions: must be 1, since each line is one impression, not `2`",
            &format!("line 3, column impression: {id}, not `+1616161616161616161616161616161`"),
            &format!("line 4, column impression: {id}, not `616161616161616161616161616161é`"),
        ]
        .join("\n"),
    );
}

/// A report whose second line has a mistake in its currency, wherever that is.
fn where_it_is(report: &[u8]) -> String {
    let read = super::Report::read(report, super::read_options(""), &super::names());
    read.map(drop).expect_err("a mistake").to_string()
}

#[test]
fn lines_are_counted_as_editors_count_them() {
    let header = "day,exchange,campaign,currency,impressions,spend,note";
    let bad = "2026-03-01,demo,7,?,1,1,";
    let wrong = "column currency: must be an ISO 4217 code such as USD, not `?`";
    for (text, line) in [
        (format!("{header}\n{bad}"), 2),
        (format!("{header}\r\n{bad}\r\n"), 2),
        (format!("\u{feff}{header}\r\n\r\n\r\n{bad}"), 4),
        (format!("\n\n{header}\n\n{bad}\n\n"), 5),
        (format!("{header}\n2026-03-01,demo,7,USD,1,1,\"two\nlines\r\nor three\"\r\n{bad}\"also\nthese\"\n"), 5),
        (format!("{header}\n{bad}\"\n\n\""), 2),
        (format!("{header}\n{bad}\"never closed\n"), 2),
    ] {
        assert_eq!(where_it_is(text.as_bytes()), format!("line {line}, {wrong}"), "{text:?}");
    }
    let latin = [header.as_bytes(), b"\n2026-03-01,demo,caf\xe9,USD,1,1,\xff\n"].concat();
    let told = "line 2, column campaign: must be the number of a campaign, or its name, not `caf\u{fffd}`";
    assert_eq!(where_it_is(&latin), told);
}

#[test]
fn only_so_many_mistakes_are_named() {
    let report = "day,exchange,campaign,currency,impressions,spend\n".to_owned() + &"x,demo,7,USD,1,1\n".repeat(53);
    let told = reconcile("", &report, "", |_| unreachable!("it has mistakes"));
    assert_eq!(told.lines().count(), 51);
    assert!(told.ends_with("line 51, column day: must be a day such as 2026-03-01, not `x`\nand 3 more"), "{told}");
}
