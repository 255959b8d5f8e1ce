use super::*;
use crate::privacy;
use decision::ids::ExchangeName;
use decision::money::Nanos;

fn dialect() -> Dialect {
    Dialect::new(ExchangeName::new("demo").expect("a short name"))
}

/// Reads the members of a request, given an id and one impression, and hands its view to `look`.
fn with<T>(members: &str, look: impl FnOnce(&BidRequest<'_>) -> T) -> T {
    let body = format!(r#"{{"id":"r","imp":[{{"id":"1","banner":{{"w":1,"h":1}}}}],{members}}}"#);
    let (mut buffer, dialect) = (RequestBuffer::default(), dialect());
    look(&buffer.read(body.as_bytes(), &dialect).expect("a bid request"))
}

fn person_ids(members: &str) -> Vec<String> {
    with(members, |request| request.person_ids(&privacy::permit(request)).map(|parts| parts.concat()).collect())
}

#[test]
fn the_ids_we_trust_most_come_first() {
    let user = r#""user":{"id":"u","buyeruid":"b","ext":{"eids":[{"source":"s.example","uids":[{"id":"e"}]}]}}"#;
    let device = r#""device":{"ifa":"ABCD-01"}"#;
    assert_eq!(person_ids(&format!("{user},{device}")), ["b", "abcd-01", "demo/u", "s.example/e"]);
}

#[test]
fn a_user_id_of_ours_is_plain() {
    let (mut buffer, dialect) = (RequestBuffer::default(), Dialect { user_ids_ours: true, ..dialect() });
    let body = br#"{"id":"r","imp":[{"id":"1"}],"user":{"id":"u"}}"#;
    let request = buffer.read(body, &dialect).expect("a bid request");
    let ids: Vec<_> = request.person_ids(&privacy::permit(&request)).collect();
    assert_eq!(ids, [["", "", "u"]]);
}

#[test]
fn ids_that_name_nobody_are_left_out() {
    for members in [
        r#""user":{"id":"","buyeruid":null}"#,
        r#""device":{"ifa":"00000000-0000-0000-0000-000000000000"}"#,
        r#""user":{"eids":[{"source":"","uids":[{"id":"e"}]},{"source":"s","uids":[{"id":""},{}]},{"source":"s"},7]}"#,
        r#""user":{"buyeruid":"b"},"device":{"lmt":1}"#,
    ] {
        assert_eq!(person_ids(members), Vec::<String>::new(), "{members}");
    }
}

#[test]
fn at_most_eight_ids_are_looked_up_and_each_once() {
    let uids = |from: usize| (from..from + 6).map(|n| format!(r#"{{"id":"{n}"}}"#)).collect::<Vec<_>>().join(",");
    let members = format!(
        r#""user":{{"buyeruid":"b","eids":[{{"source":"s","uids":[{}]}}],"ext":{{"eids":[{{"source":"s","uids":[{}]}}]}}}}"#,
        uids(0),
        uids(4),
    );
    assert_eq!(person_ids(&members), ["b", "s/0", "s/1", "s/2", "s/3", "s/4", "s/5", "s/6"]);
}

#[test]
fn a_list_that_cannot_be_read_whole_leaves_nothing_to_bid_on() {
    let long = |entries: usize| format!("[{}]", vec!["\"x\""; entries].join(","));
    let (full, over) = (long(crate::limits::LISTED_MAX), long(crate::limits::LISTED_MAX + 1));
    for name in ["badv", "bcat", "wseat", "bseat"] {
        for (list, unbiddable) in [
            ("null", None),
            ("[]", None),
            ("[1,null]", None),
            (full.as_str(), None),
            (over.as_str(), Some(Unbiddable::UnreadableList)),
            (r#""a.example""#, Some(Unbiddable::UnreadableList)),
            ("{}", Some(Unbiddable::UnreadableList)),
        ] {
            with(&format!(r#""{name}":{list}"#), |request| {
                assert_eq!(request.unbiddable, unbiddable, "{name}: {list}");
                assert_eq!(request.imps.is_empty(), unbiddable.is_some());
                assert_eq!(request.opportunities.is_empty(), unbiddable.is_some());
            });
        }
    }
}

#[test]
fn a_request_of_currencies_we_cannot_read_is_not_bid_on_in_dollars() {
    for (cur, currencies) in [
        ("null", Some("USD")),
        ("[]", Some("USD")),
        (r#"["eur","JPY"]"#, Some("EUR JPY")),
        (r#"["points","GBP"]"#, Some("GBP")),
        (r#"["points"]"#, None),
        (r#""EUR""#, None),
        ("[1]", None),
    ] {
        with(&format!(r#""cur":{cur}"#), |request| {
            let named: Vec<_> = request.context.currencies.iter().map(ToString::to_string).collect();
            match currencies {
                Some(currencies) => assert_eq!(named.join(" "), currencies, "{cur}"),
                None => assert_eq!(request.unbiddable, Some(Unbiddable::NoCurrency), "{cur}"),
            }
        });
    }
}

#[test]
fn floors_are_exact_and_out_of_reach_where_they_cannot_be_read() {
    for (floor, micros) in [
        ("null", 0),
        (r#""""#, 0),
        ("1.25", 1_250_000),
        (r#""1.25""#, 1_250_000),
        ("125e-2", 1_250_000),
        ("-1", 0),
        ("0.30000000000000004", 300_001),
        ("1e300", i64::MAX),
        (r#""cheap""#, i64::MAX),
        ("true", i64::MAX),
        ("{}", i64::MAX),
    ] {
        let body = format!(r#"{{"id":"r","imp":[{{"id":"1","bidfloor":{floor}}}]}}"#);
        let (mut buffer, dialect) = (RequestBuffer::default(), dialect());
        let request = buffer.read(body.as_bytes(), &dialect).expect("a bid request");
        assert_eq!(request.opportunities[0].floor, Nanos::of_one_impression(micros), "{floor}");
    }
}

#[test]
fn seats_may_be_wanted_or_blocked() {
    for (members, allowed) in [
        (r#""wseat":[]"#, true),
        (r#""wseat":["vernier"]"#, true),
        (r#""wseat":["other"]"#, false),
        (r#""wseat":[1]"#, false),
        (r#""bseat":["other"]"#, true),
        (r#""bseat":["vernier"]"#, false),
        (r#""wseat":["vernier"],"bseat":["vernier"]"#, false),
    ] {
        assert_eq!(with(members, |request| request.seat_allowed("vernier")), allowed, "{members}");
    }
}

#[test]
fn ids_are_kept_as_they_were_written() {
    let body = r#"{"id":"a\/\u0062","imp":[{"id":"\u0031"}]}"#;
    let (mut buffer, dialect) = (RequestBuffer::default(), dialect());
    let request = buffer.read(body.as_bytes(), &dialect).expect("a bid request");
    assert_eq!(request.id, Id { json: r"a\/\u0062", text: "a/b" });
    assert_eq!(request.imps[0].id, Id { json: r"\u0031", text: "1" });
}

#[test]
fn a_buffer_that_grew_for_an_odd_request_is_not_kept() {
    let (mut buffer, dialect) = (RequestBuffer::default(), dialect());
    let long = format!(r#"{{"id":"r","imp":[],"site":{{"page":"{}"}}}}"#, r"\n".repeat(REQUEST_BUFFER_BYTES_KEPT));
    assert_eq!(
        buffer.read(long.as_bytes(), &dialect).map(|request| request.site.page.len()),
        Ok(REQUEST_BUFFER_BYTES_KEPT)
    );
    assert!(buffer.0.allocated_bytes() > REQUEST_BUFFER_BYTES_KEPT);
    let short = buffer.read(br#"{"id":"r","imp":[]}"#, &dialect).map(|request| request.unbiddable);
    assert_eq!(short, Ok(Some(Unbiddable::NoImp)));
    assert!(buffer.0.allocated_bytes() <= REQUEST_BUFFER_BYTES_KEPT);
}
