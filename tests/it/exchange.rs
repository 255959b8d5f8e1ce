//! What an exchange gets.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use super::process::{Vernier, bid_request};

#[test]
fn a_member_of_a_micro_segment_gets_its_price_and_a_stranger_the_default() {
    let vernier = Vernier::up();
    let answer = vernier.post_bid("demo", &bid_request("visitor-1"));
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("x-openrtb-version"), Some("2.6"));
    assert_eq!(answer.header("content-type"), Some("application/json; charset=utf-8"));
    let response = answer.json();
    let bid = &response["seatbid"][0]["bid"][0];
    assert_eq!((&response["id"], &response["cur"], &bid["impid"]), (&"r-visitor-1".into(), &"USD".into(), &"1".into()));
    assert_eq!((&bid["w"], &bid["h"]), (&300.into(), &250.into()));
    assert!(bid["price"].as_f64().expect("a price") >= 0.1);
    for field in ["adm", "crid", "cid", "nurl", "burl", "lurl"] {
        assert!(bid[field].as_str().is_some_and(|text| !text.is_empty()), "{field}");
    }
    assert!(bid["adm"].as_str().expect("markup").contains("/n/click/"));
    assert_eq!(bid["price"].as_f64(), Some(9.0), "the price of the segment");
    assert_eq!(vernier.price("nobody"), 0.8, "the default price of the campaign that is for everyone");
    let dear = String::from_utf8(bid_request("nobody")).expect("text").replace("\"bidfloor\":0.1", "\"bidfloor\":0.81");
    let refused = vernier.post_bid("demo", dear.as_bytes());
    assert_eq!((refused.status, refused.body.len()), (204, 0));
}

#[test]
fn what_is_no_bid_request_is_refused_without_a_word() {
    let vernier = Vernier::up();
    for body in [&b"{"[..], b"", b"[]", b"null", b"{\"id\":\"1\"}", b"\xff\xfe"] {
        let answer = vernier.post_bid("demo", body);
        assert_eq!((answer.status, answer.body.len()), (400, 0), "{}", String::from_utf8_lossy(body));
    }
    assert_eq!(vernier.post_bid("elsewhere", &bid_request("visitor-1")).status, 404);
    let too_large = vec![b' '; 256 * 1024 + 1];
    assert_eq!(vernier.post_bid("demo", &too_large).status, 413);
}

#[test]
fn privacy_signals_forbid_the_look_up() {
    let vernier = Vernier::up();
    for signal in [
        r#""regs":{"coppa":1}"#,
        r#""regs":{"gpc":1}"#,
        r#""regs":{"ext":{"gpc":"1"}}"#,
        r#""regs":{"gdpr":1}"#,
        r#""regs":{"ext":{"us_privacy":"1YYN"}}"#,
        r#""regs":{"gpp":"DBAA"}"#,
        r#""device":{"lmt":1}"#,
    ] {
        let body = String::from_utf8(bid_request("visitor-1")).expect("text").replacen('{', &format!("{{{signal},"), 1);
        let answer = vernier.post_bid("demo", body.as_bytes());
        // Contextual bidding goes on: at the default price, as for somebody unknown.
        assert_eq!(answer.json()["seatbid"][0]["bid"][0]["price"].as_f64(), Some(0.8), "{signal}");
    }
    assert_eq!(vernier.price("visitor-1"), 9.0);
}

#[test]
fn answers_are_compressed_for_those_who_ask() {
    let vernier = Vernier::up();
    let answer = vernier.post_bid_with(&[("accept-encoding", "gzip")], &bid_request("visitor-1"));
    assert_eq!((answer.status, answer.header("content-encoding")), (200, Some("gzip")));
    assert_eq!(answer.body[..2], [0x1f, 0x8b]);
}

#[test]
fn no_bid_is_made_when_the_time_of_the_exchange_is_over() {
    let vernier = Vernier::up();
    // All of it goes into the network allowance.
    let body = String::from_utf8(bid_request("visitor-1")).expect("text").replace("\"tmax\":10000", "\"tmax\":1");
    let answer = vernier.post_bid("demo", body.as_bytes());
    assert_eq!((answer.status, answer.body.len()), (204, 0));
    let metrics = String::from_utf8(vernier.get_admin("/metrics").body).expect("text");
    assert!(metrics.contains("vernier_requests_total{outcome=\"late\"} 1"), "{metrics}");
    assert!(metrics.contains("vernier_reservations_open 0"), "{metrics}");
}

#[test]
fn exchanges_that_connect_while_it_stands_still_wait_for_their_turn() {
    let vernier = Vernier::up();
    // What does not fit the queue is dropped, and fits no more when it comes again.
    let connect =
        |address| TcpStream::connect_timeout(&address, Duration::from_secs(10)).expect("a place in the queue");
    let waiting: Vec<TcpStream> = vernier.while_it_stands_still(|address| (0..500).map(|_| connect(address)).collect());
    for mut client in waiting {
        client.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").expect("it is connected");
        let mut answer = String::new();
        client.read_to_string(&mut answer).expect("text");
        assert!(answer.starts_with("HTTP/1.1 "), "{answer}");
    }
}
