//! Cases as text: a file of corrections in, what is wrong with it out.

use decision::ids::Currency;
use decision::money::Nanos;

use super::file::{Amount, File, read};
use crate::limits::{CORRECTIONS_MAX, REASON_BYTES_MAX};

const ID: &str = "0123456789abcdef0123456789ABCDEF";

fn rows(file: &str) -> Result<File, String> {
    read(file.as_bytes()).map_err(|problem| problem.to_string())
}

fn check(file: &str, expected: &str) {
    let mistakes = rows(file).expect_err(file);
    let plain = |text: &str| text.lines().map(str::trim).collect::<Vec<_>>().join("\n").trim().to_owned();
    assert_eq!(mistakes, plain(expected), "of {file}");
}

#[test]
fn columns_are_known_by_their_names() {
    let file = format!("reason,campaign,charged,impression\r\n\r\n\"credit, no. 7\",7,0.0015,{ID}\r\n");
    let File { rows: read, ignored } = rows(&file).unwrap();
    let [row] = &read[..] else { panic!("one row") };
    let amount = Amount::Charged(Nanos::new(1_500_000));
    assert_eq!((row.line, row.amount, row.currency, row.reason.as_str()), (3, amount, None, "credit, no. 7"));
    assert_eq!((row.impression.to_string(), ignored), (ID.to_lowercase(), vec!["campaign".to_owned()]));
    let file = format!("impression,spend,currency,reason\n{ID},0.004,EUR,x\n");
    let row = &rows(&file).unwrap().rows[0];
    assert_eq!((row.amount, row.currency), (Amount::Spend(Nanos::new(4_000_000)), Currency::new("EUR")));
}

#[test]
fn money_is_one_amount_in_one_currency() {
    check(
        &format!("impression,charged,spend,reason\n{ID},1,1,x\n"),
        "line 1, column spend: stands beside charged: a file has one of both, which are different money",
    );
    check(&format!("impression,reason\n{ID},x\n"), "line 1, column charged: is missing in the header");
    check(
        &format!("impression,spend,currency,reason\n{ID},-1,euro,x\n"),
        "line 2, column spend: must be an amount from 0 on such as 0.0015, with at most 9 decimals, not `-1`
         line 2, column currency: must be a currency such as EUR, not `euro`",
    );
    check(
        &format!("impression,charged,currency,reason\n{ID},1,,x\n"),
        "line 2, column currency: must be a currency such as EUR, not ``",
    );
}

#[test]
fn every_mistake_is_named_by_line_and_column() {
    check("", "line 1: must be a header with the names of columns; the file is empty");
    check(
        "impression,amount,charged,charged\n",
        "line 1, column charged: is there twice, as column 3 and 4
         line 1, column reason: is missing in the header
         line 1: has no line below it, so there is nothing to correct",
    );
    check(
        &format!("impression,charged,reason\n{ID},0\n12,-1,\n{ID},1e-10,x\n{ID},0,x\n{ID},0,y\n"),
        "line 2: has 2 cells, and the header 3
         line 3, column impression: must be an impression id of 32 hexadecimal digits, not `12`
         line 3, column charged: must be an amount from 0 on such as 0.0015, with at most 9 decimals, not `-1`
         line 3, column reason: must be a text of 1 to 200 bytes on one line, not ``
         line 4, column charged: must be an amount from 0 on such as 0.0015, with at most 9 decimals, not `1e-10`
         line 6, column impression: is on line 5 already",
    );
    check(
        &format!("impression,charged,reason\n{ID},NaN,\"two\nlines\"\n"),
        "line 2, column charged: must be an amount from 0 on such as 0.0015, with at most 9 decimals, not `NaN`
         line 2, column reason: must be a text of 1 to 200 bytes on one line, not `two\u{fffd}lines`",
    );
}

#[test]
fn files_and_reasons_are_bounded() {
    let long = "x".repeat(REASON_BYTES_MAX);
    assert!(rows(&format!("impression,charged,reason\n{ID},0,{long}\n")).is_ok());
    assert!(rows(&format!("impression,charged,reason\n{ID},0,{long}x\n")).is_err());
    let file = |lines: usize| {
        let lines: String = (0..lines).map(|id| format!("{id:032x},0,x\n")).collect();
        format!("impression,charged,reason\n{lines}")
    };
    assert_eq!(rows(&file(CORRECTIONS_MAX)).unwrap().rows.len(), CORRECTIONS_MAX);
    check(&file(CORRECTIONS_MAX + 1), "line 10002: is one more than the 10000 that a file may have: split it");
}
