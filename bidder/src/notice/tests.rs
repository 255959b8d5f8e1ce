use decision::money::Nanos;

use super::query::{Price, Query};

fn check(query: &str, price: &str) {
    let said = match Query::read(query).price {
        Price::Absent => "absent".to_owned(),
        Price::Audit => "audit".to_owned(),
        Price::Unreadable => "unreadable".to_owned(),
        Price::Amount(amount) => amount.get().to_string(),
    };
    assert_eq!(said, price, "{query}");
}

#[test]
fn only_a_price_is_a_price() {
    check("p=1.25", "1250000");
    check("p=0", "0");
    check("p=1.25&r=102", "1250000");
    check("r=102&p=3e-1", "300000");
    check("", "absent");
    check("p=", "absent");
    check("q=1", "absent");
    check("p=${AUCTION_PRICE}", "absent");
    check("p=%24%7BAUCTION_PRICE%7D", "absent");
    check("p=AUDIT", "audit");
    check("p=-1", "unreadable");
    check("p=abc", "unreadable");
    check("p=NaN", "unreadable");
    check("p=1e400", "unreadable");
    check("p=1&p=2", "1000000");
}

#[test]
fn losses_say_why_and_what_would_have_won() {
    let query = Query::read("r=102&m=2.5");
    assert_eq!(query.loss_reason, Some(102));
    assert_eq!(query.min_to_win, Price::Amount(Nanos::new(2_500_000)));
    assert_eq!(Query::read("r=${AUCTION_LOSS}&m=${AUCTION_MIN_TO_WIN}").loss_reason, None);
}

#[test]
fn a_long_query_is_kept_in_part() {
    let long = format!("p=1&x={}", "é".repeat(5_000));
    let query = Query::read(&long);
    assert!(query.raw.len() <= crate::limits::NOTICE_QUERY_BYTES_MAX);
    assert_eq!(query.price, Price::Amount(Nanos::new(1_000_000)));
}
