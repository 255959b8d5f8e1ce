//! Any line of an import: what is understood is what the line says to a reader of plain JSON, and says the same when it is
//! written out.
#![no_main]

use decision::ids::{IdHash, SegmentId};
use decision::time::Micros;
use segment_store::IdHasher;
use segment_store::import::parse;
use segment_store::limits::{IDS_MAX, IMPORT_ID_BYTES_MAX};
use serde_json::{Value, json};

const NOW: Micros = Micros(1_800_000_000_000_000);

fn segment(name: &str) -> Option<SegmentId> {
    ["cart", "vip"].iter().position(|known| *known == name).map(|at| SegmentId(at as u32 + 1))
}

libfuzzer_sys::fuzz_target!(|line: &[u8]| {
    let hasher = IdHasher::new([3; 16]);
    let Ok(read) = parse(line, &hasher, &segment, NOW) else { return };
    let said: Value = serde_json::from_slice(line).expect("a line is JSON");
    let said = said.as_object().expect("a line is an object");
    assert!(said.keys().all(|key| ["user", "ids", "segment", "until", "confidence"].contains(&key.as_str())));
    let users: Vec<&str> = match (&said.get("user"), &said.get("ids")) {
        (Some(Value::String(user)), None | Some(Value::Null)) => vec![user],
        (None | Some(Value::Null), Some(Value::Array(ids))) => {
            ids.iter().map(|id| id.as_str().expect("a text")).collect()
        }
        other => panic!("{other:?} name nobody"),
    };
    assert!((1..=IDS_MAX).contains(&users.len()));
    assert!(users.iter().all(|id| (1..=IMPORT_ID_BYTES_MAX).contains(&id.len())));
    let hashes: Vec<IdHash> = users.iter().map(|id| hasher.hash(&[id])).collect();
    assert_eq!(read.ids, hashes);
    let membership = read.membership;
    assert_eq!(Some(membership.segment), said["segment"].as_str().and_then(segment));
    assert!(membership.until > NOW.seconds());
    if let Some(seconds) = said["until"].as_u64() {
        assert_eq!(u64::from(membership.until.0), seconds);
    }
    let confidence = said.get("confidence").and_then(Value::as_f64).unwrap_or(1.0);
    assert!((0.0..=1.0).contains(&confidence) && (f64::from(membership.confidence) - 100.0 * confidence).abs() <= 0.5);

    let again = json!({
        "ids": users,
        "segment": said["segment"],
        "until": membership.until.0,
        "confidence": f64::from(membership.confidence) / 100.0,
    });
    assert_eq!(parse(again.to_string().as_bytes(), &hasher, &segment, NOW), Ok(read));
});
