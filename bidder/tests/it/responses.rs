//! Responses before outside judges: the JSON Schema of OpenRTB 2.5, where the optional data is at hand, and the types of
//! the crate `openrtb2`.

use std::fs;
use std::path::PathBuf;

use bidder::exchange::dialect::Version;
use bidder::exchange::request::RequestBuffer;
use bidder::exchange::response::{self, Ad, AdFacts, Entry, Envelope, Urls};
use decision::ids::Currency;
use decision::money::Nanos;
use decision::targeting::Size;
use serde_json::{Value, json};

use crate::view;

const VIEW: &str = "https://bid.example/n/view/token?p=${AUCTION_PRICE}";

/// A response to a request with two impressions, with as many members as there can be.
fn full(version: Version) -> Vec<u8> {
    let categories = ["IAB18".to_owned(), "IAB22-1".to_owned()];
    let ad = Ad::compile(&AdFacts {
        adid: "7001",
        crid: "7001-2",
        cid: "42",
        domain: "shop.example",
        categories: &categories,
        size: Size { w: 300, h: 250 },
        markup: "<a href=\"${CLICK_URL}\">\u{e9}\n</a>",
    });
    let urls = Urls {
        click: "https://bid.example/n/click/token",
        view: VIEW,
        win: Some("https://bid.example/n/win/token?p=${AUCTION_PRICE}"),
        billing: Some("https://bid.example/n/billing/token?p=${AUCTION_PRICE}"),
        loss: Some("https://bid.example/n/loss/token?r=${AUCTION_LOSS}&m=${AUCTION_MIN_TO_WIN}"),
    };
    let body = br#"{"id":"a\/\"b\"","imp":[{"id":"1","banner":{"w":300,"h":250}},{"id":"\u00e9","banner":{"w":300,"h":250}}]}"#;
    let (mut buffer, dialect) = (RequestBuffer::default(), view::dialect());
    let request = buffer.read(body, &dialect).expect("a bid request");
    let currency = Currency::new("EUR").expect("a currency");
    let envelope = Envelope { request_id: request.id, seat: &dialect.seat, currency, version };
    let price = Nanos::of_one_impression(1_234_560);
    let entry = |imp: usize| Entry { id: "00ff", imp: request.imps[imp].id, price, ad: &ad, urls, exp_s: Some(300) };
    let mut out = Vec::new();
    response::write(&mut out, &envelope, &[entry(0), entry(1)]);
    out
}

#[test]
fn openrtb2_reads_what_was_written() {
    for version in [Version::V2_5, Version::V2_6] {
        let written = full(version);
        let read: openrtb2::BidResponse = serde_json::from_slice(&written).expect("a bid response");
        assert_eq!((read.id.as_str(), read.cur.as_str()), ("a/\"b\"", "EUR"));
        let seats = read.seatbid.expect("seats");
        assert_eq!(seats.len(), 1);
        let bids = &seats[0].bid;
        assert_eq!(bids.iter().map(|bid| bid.impid.as_str()).collect::<Vec<_>>(), ["1", "\u{e9}"]);
        for bid in bids {
            assert_eq!((bid.id.as_str(), bid.price), ("00ff", 1.23456));
            assert_eq!((bid.w, bid.h), (Some(300), Some(250)));
            let markup = bid.adm.as_deref().expect("markup");
            assert!(markup.starts_with("<a href=\"https://bid.example/n/click/token\">\u{e9}\n</a><img "), "{markup}");
            assert!(markup.contains(VIEW), "{markup}");
        }
    }
}

#[test]
fn only_those_who_know_media_types_are_told() {
    let told = |version| {
        serde_json::from_slice::<Value>(&full(version)).expect("JSON")["seatbid"][0]["bid"][0]["mtype"].clone()
    };
    assert_eq!(told(Version::V2_5), Value::Null);
    assert_eq!(told(Version::V2_6), json!(1));
}

fn schema() -> Option<Value> {
    let file = "../../shared/data/schemas/openrtb2x/openrtb-schema_bid-response_v2-5.json";
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(file);
    let Ok(text) = fs::read_to_string(&file) else {
        println!("skipped: the optional data is not at {}", file.display());
        return None;
    };
    // One reference of the schema is mistaken.
    let text = text.replace("#/definitions/nobid_reason\"", "#/definitions/nobid_reason_code\"");
    Some(serde_json::from_str(&text).expect("a schema"))
}

/// Everything in `value` that breaks `rule`, a JSON Schema (draft 4) made of the keywords that the schema of OpenRTB uses.
fn problems(root: &Value, rule: &Value, value: &Value, at: &str) -> Vec<String> {
    let mut problems = Vec::new();
    let mut must = |holds: bool, keyword: &str| {
        if !holds {
            problems.push(format!("{at} breaks {keyword}: {value}"));
        }
    };
    let mut inner = Vec::new();
    for (keyword, wanted) in rule.as_object().expect("a rule") {
        match keyword.as_str() {
            "$schema" | "title" | "description" | "definitions" => {}
            "$ref" => {
                let path = wanted.as_str().expect("a reference").trim_start_matches('#');
                inner.push((root.pointer(path).expect("a definition"), value, at.to_owned()));
            }
            "type" => must(is(value, wanted.as_str().expect("a type")), keyword),
            "enum" => must(wanted.as_array().expect("a list").contains(value), keyword),
            "minimum" => must(value.as_f64() >= wanted.as_f64(), keyword),
            "maximum" => must(value.as_f64() <= wanted.as_f64(), keyword),
            "minLength" => must(value.as_str().map(str::len) >= wanted.as_u64().map(|len| len as usize), keyword),
            "maxLength" => must(value.as_str().map(str::len) <= wanted.as_u64().map(|len| len as usize), keyword),
            "pattern" => {
                assert_eq!(wanted, "[a-zA-Z]{3}");
                must(value.as_str().is_some_and(|text| text.chars().all(|c| c.is_ascii_alphabetic())), keyword);
            }
            "required" => {
                let names = wanted.as_array().expect("a list").iter().filter_map(Value::as_str);
                names.for_each(|name| must(value.get(name).is_some(), name));
            }
            "additionalProperties" => {
                assert_eq!(wanted, false);
                let known = rule["properties"].as_object().expect("properties");
                value.as_object().expect("an object").keys().for_each(|name| must(known.contains_key(name), name));
            }
            "properties" => {
                for (name, rule) in wanted.as_object().expect("properties") {
                    inner.extend(value.get(name).map(|value| (rule, value, format!("{at}.{name}"))));
                }
            }
            "items" => {
                inner.extend(value.as_array().expect("a list").iter().map(|value| (wanted, value, format!("{at}[]"))))
            }
            _ => panic!("the keyword {keyword} is not known here"),
        }
    }
    problems.extend(inner.into_iter().flat_map(|(rule, value, at)| self::problems(root, rule, value, &at)));
    problems
}

fn is(value: &Value, kind: &str) -> bool {
    match kind {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "number" => value.is_number(),
        "integer" => value.is_i64() || value.is_u64(),
        _ => panic!("the type {kind} is not known here"),
    }
}

#[test]
fn responses_are_valid_by_the_schema_of_openrtb_2_5() {
    let Some(schema) = schema() else { return };
    let response = serde_json::from_slice(&full(Version::V2_5)).expect("JSON");
    assert_eq!(problems(&schema, &schema, &response, "$"), Vec::<String>::new());
}

#[test]
fn the_judge_finds_what_is_wrong() {
    let Some(schema) = schema() else { return };
    let bid = |bid: Value| json!({ "id": "r", "cur": "EUR", "seatbid": [{ "bid": [bid] }] });
    let good = json!({ "id": "1", "impid": "1", "price": 1.5 });
    assert_eq!(problems(&schema, &schema, &bid(good), "$"), Vec::<String>::new());
    for wrong in [
        bid(json!({ "id": "1", "impid": "1", "price": "1.5" })),
        bid(json!({ "id": "1", "impid": "1", "price": -1 })),
        bid(json!({ "id": "1", "price": 1 })),
        bid(json!({ "id": "1", "impid": "1", "price": 1, "mtype": 1 })),
        bid(json!({ "id": "1", "impid": "1", "price": 1, "cat": ["IAB99"] })),
        bid(json!({ "id": "1", "impid": "1", "price": 1, "w": 1.5 })),
        json!({ "id": "r", "seatbid": [], "cur": "EURO" }),
        json!({ "seatbid": [] }),
    ] {
        assert_ne!(problems(&schema, &schema, &wrong, "$"), Vec::<String>::new(), "{wrong}");
    }
}
