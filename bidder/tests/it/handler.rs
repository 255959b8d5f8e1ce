//! What every answer of the bid endpoint says of OpenRTB's version.

use std::sync::Arc;

use bidder::bidder::Core;
use bidder::handler::Routes;
use bidder::limits::BODY_BYTES_MAX;

use crate::place::Place;
use crate::server_client::{Running, post};

/// `check("/bid/old", "json", "204 2.5")`: a path, what is sent there; the status and the version.
fn check(path: &str, sent: &str, expected: &str) {
    let place = Place::new();
    let bidder = Arc::clone(&place.bidder);
    let server = Running::with(1, move |number| Routes::new(Core::new(Arc::clone(&bidder), number)));
    let json = br#"{"id":"1","imp":[{"id":"1","banner":{"w":300,"h":250}}]}"#;
    let request = match sent {
        "json" => post(path, "", json),
        "get" => format!("GET {path} HTTP/1.1\r\n\r\n").into(),
        "garbage" => post(path, "", b"garbage"),
        "large" => post(path, "", &vec![b' '; BODY_BYTES_MAX + 1]),
        "smuggled" => post(path, "transfer-encoding: chunked\r\n", json),
        encoding => post(path, &format!("content-encoding: {encoding}\r\n"), json),
    };
    let answer = server.client().ask(request);
    let version = answer.field("x-openrtb-version").unwrap_or("none");
    assert_eq!(format!("{} {version}", answer.status), expected, "{path} {sent}");
    place.bidder.events.close();
}

#[test]
fn an_answer_names_the_version_of_its_exchange() {
    check("/bid/old", "json", "204 2.5");
    check("/bid/new", "json", "204 2.6");
    check("/bid/old", "garbage", "400 2.5");
}

#[test]
fn a_refusal_names_it_too() {
    check("/bid/old", "get", "405 2.5");
    check("/bid/old", "large", "413 2.5");
    check("/bid/old", "br", "415 2.5");
    check("/bid/old", "gzip", "400 2.5");
    check("/bid/old", "smuggled", "400 2.5");
    check("/bid/new", "smuggled", "400 2.6");
}

#[test]
fn where_no_exchange_is_known_it_is_the_newest() {
    check("/bid/nobody", "json", "404 2.6");
    check("/bid/nobody", "gzip", "400 2.6");
    check("/bid/old/more", "json", "404 2.5");
    check("/bid", "json", "404 2.6");
}

#[test]
fn other_paths_have_none() {
    check("/n/win/forged", "get", "403 none");
    check("/", "get", "404 none");
}
