//! Bid requests and the views they have, as documents: `golden/exemplary` has what exchanges should send, and nothing in
//! it is restricted or left out; `golden/supplemental` has the odd ones.
//!
//! A document says in `view` all that its view says, apart from what is empty, false, null or as in most requests (floors
//! in millionths of a CPM price, ids as they are looked up); or in `refused` why it is no bid request. The request is
//! `request`, or where it must not be JSON, the text `body`.

use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::{oracle, view};

fn documents(folder: &str) -> Vec<(String, Value)> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(folder);
    let mut files: Vec<_> = fs::read_dir(folder).expect("a folder").map(|file| file.expect("a file").path()).collect();
    files.sort();
    let read = |file: PathBuf| {
        let name = file.display().to_string();
        let text = fs::read_to_string(&file).expect("a readable file");
        (name.clone(), serde_json::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}")))
    };
    files.into_iter().map(read).collect()
}

/// Checks one document; the view it has, if it is a bid request.
fn check(name: &str, document: &Value) -> Option<Value> {
    let mut dialect = view::dialect();
    let setting = |name: &str| document["exchange"][name].as_bool().unwrap_or(false);
    dialect.user_ids_ours = setting("user_ids_ours");
    dialect.secure_required = setting("secure_required");
    let body = document["body"].as_str().map_or_else(|| document["request"].to_string(), str::to_owned);
    assert!(document["description"].is_string(), "{name} says nothing of itself");
    let ours = view::read(body.as_bytes(), &dialect);
    match oracle::read(body.as_bytes(), dialect.user_ids_ours, dialect.secure_required) {
        Some(Ok(walked)) if ours != Err("too_deep") => assert_eq!(ours, Ok(walked), "{name}"),
        Some(Err(refusal)) => assert_eq!(ours, Err(refusal), "{name}"),
        _ => {}
    }
    match ours {
        Ok(ours) => {
            let told = told(&ours);
            assert_eq!(document["view"], told, "{name} has the view\n{told:#}");
            Some(ours)
        }
        Err(refusal) => {
            assert_eq!(document["refused"], refusal, "{name}");
            None
        }
    }
}

/// A view without what goes without saying.
fn told(view: &Value) -> Value {
    let usual = [
        ("auction", json!("first")),
        ("tmax_ms", json!(100)),
        ("currencies", json!(["USD"])),
        ("device", json!("unknown")),
        ("floor_currency", json!("USD")),
        ("floor", json!(0)),
        ("coppa", json!("absent")),
        ("gpc", json!("absent")),
        ("lmt", json!("absent")),
    ];
    match view {
        Value::Object(members) => members
            .iter()
            .filter(|(name, value)| !usual.iter().any(|(usual, is)| usual == name && is == *value))
            .map(|(name, value)| (name.clone(), told(value)))
            .filter(|(_, value)| !empty(value))
            .collect(),
        Value::Array(elements) => elements.iter().map(told).collect(),
        _ => view.clone(),
    }
}

fn empty(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::String(text) => text.is_empty(),
        Value::Array(elements) => elements.is_empty(),
        Value::Object(members) => members.is_empty(),
        _ => false,
    }
}

#[test]
fn exemplary_requests_can_be_bid_on_without_a_restriction() {
    for (name, document) in documents("exemplary") {
        let view = check(&name, &document).unwrap_or_else(|| panic!("{name} is refused"));
        let offered = view["imps"].as_array().expect("impressions");
        assert!(!offered.is_empty() && offered.iter().all(|imp| !empty(&imp["sizes"])), "{name} offers no banner");
        assert_eq!(view["restricted_by"], Value::Null, "{name}");
        assert!(!empty(&view["person_ids"]), "{name} is for nobody");
    }
}

#[test]
fn supplemental_requests_are_read_as_they_say() {
    for (name, document) in documents("supplemental") {
        check(&name, &document);
    }
}
