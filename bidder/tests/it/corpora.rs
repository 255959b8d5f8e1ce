//! Real bid requests, where the optional data is at hand: all of them are read, and the view of each one says what an
//! independent walk says.

use std::fs;
use std::path::PathBuf;

use crate::{oracle, view};

/// The sets whose every line must be read as a bid request.
const VALID: &[&str] = &[
    "iab-spec",
    "libraries",
    "prebid-server-java.incoming.dev",
    "prebid-server-java.outgoing.dev",
    "prebid-server.endpoint.valid",
    "prebid-server.endpoint.valid-native",
    "prebid-server.exchange.incoming",
    "prebid-server.exchange.outgoing",
    "prebid-server.incoming.dev",
    "prebid-server.outgoing.dev",
    "rtb4free",
    "adx-capture.scrubbed",
];

/// The sets that other receivers refuse.
const INVALID: &[&str] = &["prebid-server.endpoint.invalid", "prebid-server.endpoint.invalid-native"];

fn requests() -> Option<PathBuf> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/openrtb/requests");
    if folder.is_dir() {
        return Some(folder);
    }
    println!("skipped: the optional data is not at {}", folder.display());
    None
}

/// Reads a line by itself and by the walk, and makes sure that both come to the same. Whether it was read.
fn check(name: &str, body: &[u8]) -> bool {
    let dialect = view::dialect();
    let ours = view::read(body, &dialect);
    let walked = oracle::read(body, dialect.user_ids_ours, dialect.secure_required)
        .unwrap_or_else(|| panic!("{name}: a number is too large to be walked"));
    match (&ours, &walked) {
        (Ok(ours), Ok(walked)) => assert!(view::agree(ours, walked), "{name}:\nours   {ours}\nwalked {walked}"),
        _ => assert_eq!(ours, walked, "{name}"),
    }
    ours.is_ok()
}

#[test]
fn every_valid_request_is_read_as_the_walk_reads_it() {
    let Some(folder) = requests() else { return };
    let mut read = 0;
    for set in VALID {
        let lines = fs::read_to_string(folder.join(set).with_added_extension("jsonl")).expect("a set of requests");
        for (at, line) in lines.lines().enumerate() {
            let name = format!("{set} line {}", at + 1);
            assert!(check(&name, line.as_bytes()), "{name} is refused");
            read += 1;
        }
    }
    println!("{read} valid requests were read");
    assert!(read >= 3_000, "{read} requests are not the whole of the data");
}

#[test]
fn requests_that_others_refuse_are_refused_or_read_as_the_walk_reads_them() {
    let Some(folder) = requests() else { return };
    let mut refused = 0;
    for set in INVALID {
        let lines = fs::read_to_string(folder.join(set).with_added_extension("jsonl")).expect("a set of requests");
        for (at, line) in lines.lines().enumerate() {
            refused += usize::from(!check(&format!("{set} line {}", at + 1), line.as_bytes()));
        }
    }
    println!("{refused} invalid requests were refused");
    assert!(refused >= 5, "a request without impressions is none");
}

#[test]
fn what_is_no_json_is_refused() {
    let Some(folder) = requests() else { return };
    for set in ["rtb4free.unparsable", "prebid-server.malformed"] {
        for file in fs::read_dir(folder.join(set)).expect("a set of broken requests") {
            let file = file.expect("a file").path();
            let body = fs::read(&file).expect("a readable file");
            if serde_json::from_slice::<serde_json::Value>(&body).is_err() {
                assert_eq!(view::read(&body, &view::dialect()), Err("not_json"), "{}", file.display());
            } else {
                check(&file.display().to_string(), &body);
            }
        }
    }
}
