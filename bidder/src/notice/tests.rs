use decision::money::Nanos;

use super::query::Query;

fn check(query: &str, price: &str) {
    let read = Query::read(query);
    let said = match read.price {
        _ if read.audit => "audit".to_owned(),
        None => "none".to_owned(),
        Some(amount) => amount.get().to_string(),
    };
    assert_eq!(said, price, "{query}");
}

#[test]
fn only_a_price_is_a_price() {
    check("p=1.25", "1250000");
    check("p=0", "0");
    check("p=1.25&r=102", "1250000");
    check("r=102&p=3e-1", "300000");
    check("p=8%2E5", "8500000");
    check("p=%31", "1000000");
    check("", "none");
    check("p=", "none");
    check("q=1", "none");
    check("p=${AUCTION_PRICE}", "none");
    check("p=%24%7BAUCTION_PRICE%7D", "none");
    check("p=-1", "none");
    check("p=abc", "none");
    check("p=%FF", "none");
    check("p=%", "none");
    check("p=NaN", "none");
    check("p=1e400", "none");
    check("p=1&p=2", "1000000");
}

#[test]
fn an_audit_is_one_wherever_it_says_so() {
    check("p=AUDIT", "audit");
    check("r=AUDIT&m=AUDIT", "audit");
    check("r=102&m=AUDIT", "audit");
    check("p=%41UDIT", "audit");
    check("x=AUDIT&p=1", "1000000");
}

#[test]
fn losses_say_why_and_what_would_have_won() {
    let query = Query::read("r=102&m=2.5");
    assert_eq!(query.loss_reason, Some(102));
    assert_eq!(query.min_to_win, Some(Nanos::new(2_500_000)));
    assert_eq!(Query::read("r=${AUCTION_LOSS}&m=${AUCTION_MIN_TO_WIN}").loss_reason, None);
}

#[test]
fn a_long_query_is_kept_in_part() {
    let long = format!("p=1&x={}", "é".repeat(5_000));
    let query = Query::read(&long);
    assert!(query.raw.len() <= crate::limits::NOTICE_QUERY_BYTES_MAX);
    assert_eq!(query.price, Some(Nanos::new(1_000_000)));
}
