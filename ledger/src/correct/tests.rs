//! Cases as text: a file of corrections in, what is wrong with it out.

use decision::ids::Currency;
use decision::money::Nanos;

use proto::wire::{Fees, Outcome, Parts};

use super::booked::charged;
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
    check(
        &format!("impression,reason\n{ID},x\n"),
        "line 1, column spend: is missing in the header, and charged as well: a file has one of both",
    );
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

/// What a line comes to of an impression that was booked at 5.50 USD a thousand, as in `docs/fees.md`.
fn comes_to(change: fn(&mut Outcome), columns: &str, cells: &str) -> Result<i64, String> {
    let fees = Fees { exchange_ppm: 25_000, data_cpm: 400_000, margin_ppm: 150_000 };
    let mut original = Outcome {
        bid_price: 10_517_072,
        notice_price: Some(5_500_000),
        rate: 1_100_000_000,
        currency: "USD".to_owned(),
        campaign_currency: "EUR".to_owned(),
        charged: 6_500_000,
        parts: Some(Parts { media: 5_000_000, exchange_fee: 125_000, data_fee: 400_000, margin: 975_000 }),
        fees: Some(fees),
        ..Outcome::default()
    };
    change(&mut original);
    let file = rows(&format!("impression,{columns},reason\n{ID},{cells},x\n")).unwrap();
    charged(&original, &file.rows[0]).map(Nanos::get).map_err(|(column, message)| format!("{column}: {message}"))
}

#[test]
fn what_the_exchange_bills_is_charged_by_the_terms_of_the_bid() {
    let same = |_: &mut Outcome| ();
    assert_eq!(comes_to(same, "spend", "0.0044"), Ok(5_294_118));
    assert_eq!(comes_to(same, "spend,currency", "0.0044,USD"), Ok(5_294_118));
    assert_eq!(comes_to(same, "charged,currency", "0.005294118,EUR"), Ok(5_294_118));
    assert_eq!(comes_to(same, "spend", "0"), Ok(0), "with all fees");
    assert_eq!(comes_to(same, "spend", "0.000000001"), Ok(470_591), "fees alone are 470,589");
    assert_eq!(comes_to(same, "spend", "0.010517072"), Ok(12_000_000));
    let above =
        |column: &str, most, amount| Err(format!("{column}: must be at most {most}, the whole bid, not `{amount}`"));
    let refused = comes_to(same, "spend", "0.010517073");
    assert_eq!(refused, above("spend", "0.010517072 USD", "0.010517073"));
    assert_eq!(comes_to(same, "charged", "0.012000001"), above("charged", "0.012 EUR", "0.012000001"));
    let other = "currency: must be USD, that of what is in `spend`, not `EUR`";
    assert_eq!(comes_to(same, "spend,currency", "0.0044,EUR"), Err(other.to_owned()));
    assert_eq!(comes_to(|it| it.campaign_currency.clear(), "charged,currency", "0.005,EUR"), Ok(5_000_000));
    let old = "impression: was booked by a program that says too little of it";
    for refused in [comes_to(|it| it.fees = None, "charged", "0"), comes_to(|it| it.rate = 0, "charged", "0")] {
        assert_eq!(refused, Err(old.to_owned()));
    }
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
