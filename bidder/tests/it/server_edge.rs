//! The server over loopback: what passes, what is refused, and how it is said.

use std::io::{Read, Write};

use bidder::limits::{BODY_BYTES_MAX, GZIP_BYTES_MIN, HEAD_BYTES_MAX, INFLATED_BYTES_MAX};
use bidder::server::Count;
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;

use crate::server_client::{Running, chunked, post};

fn gzip(plain: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(plain).expect("memory takes all");
    encoder.finish().expect("memory takes all")
}

#[test]
fn what_the_handler_says_passes() {
    let server = Running::start(1);
    let mut client = server.client();

    let bid = client.ask(post("/bid/demo", "", b"{}"));
    assert_eq!((bid.status, bid.body.as_slice()), (200, b"{}".as_slice()));
    assert_eq!(bid.field("content-type"), Some("text/plain"));
    assert!(bid.field("date").is_some_and(|date| date.ends_with(" GMT")));

    let nobid = client.ask(post("/nobid", "", b"{}"));
    assert_eq!((nobid.status, nobid.field("content-length")), (204, None));
    for (path, status) in [("/not-a-bid-request", 400), ("/bid", 404)] {
        let answer = client.ask(post(path, "", b"{}"));
        assert_eq!((answer.status, answer.field("content-length")), (status, Some("0")));
    }
    assert_eq!(client.ask("GET /query?a=%20b HTTP/1.1\r\n\r\n").body, b"a=%20b");
    let click = client.ask("GET /click HTTP/1.1\r\n\r\n");
    assert_eq!((click.status, click.field("location")), (302, Some("https://a.test/?b")));
    assert_eq!(client.ask("OPTIONS * HTTP/1.1\r\n\r\n").status, 405);
}

#[test]
fn every_answer_to_a_path_has_its_fields() {
    let server = Running::start(1);
    for (request, status) in [
        (post("/bid/demo", "", b"{}"), 200),
        (post("/bid", "", b"{}"), 404),
        (post("/bid/demo", "content-encoding: gzip\r\n", b"not gzip"), 400),
        (post("/bid/demo", "content-encoding: br\r\n", b"{}"), 415),
        (post("/bid/demo", "", &vec![b'x'; BODY_BYTES_MAX + 1]), 413),
        (post("/bid/demo", "transfer-encoding: chunked\r\n", b"{}"), 400),
        (b"GET /panic HTTP/1.1\r\n\r\n".to_vec(), 500),
    ] {
        let answer = server.client().ask(request);
        assert_eq!((answer.status, answer.field("x-always")), (status, Some("there")), "{}", answer.head);
    }
    assert_eq!(server.client().ask("GET /query HTTP/1.1\r\n\r\n").field("x-always"), None);
}

#[test]
fn a_head_has_the_length_of_the_body_it_leaves_out() {
    let server = Running::start(1);
    let mut client = server.client();
    client.send("HEAD /page HTTP/1.1\r\n\r\n");
    let head = client.try_answer(false).unwrap();
    assert_eq!((head.status, head.field("content-length")), (200, Some("2000")));
    assert_eq!(client.ask("GET /page HTTP/1.1\r\n\r\n").body.len(), 2_000);
}

#[test]
fn old_clients_are_served() {
    let server = Running::start(1);
    let mut client = server.client();
    let kept = client.ask("GET /page HTTP/1.0\r\nconnection: keep-alive\r\n\r\n");
    assert_eq!((kept.status, kept.field("connection")), (200, Some("keep-alive")));
    assert_eq!(client.ask("GET /page HTTP/1.0\r\n\r\n").status, 200);
    assert_eq!(client.rest(), b"");
}

#[test]
fn odd_but_clear_requests_are_served() {
    let server = Running::start(1);
    let mut client = server.client();
    for request in [
        "\r\n\r\nGET /page HTTP/1.1\r\n\r\n",
        "GET /page HTTP/1.1\nhost: a\n\n",
        "\nGET /page HTTP/1.1\nhost: a\n\r\n",
        "GET /page HTTP/1.1\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n",
        "GET http://a.test/page HTTP/1.1\r\n\r\n",
    ] {
        assert_eq!(client.ask(request).status, 200, "{request:?}");
    }
    assert_eq!(client.ask("POST /length HTTP/1.1\ncontent-length: 2\n\nok").body, b"2");
    assert_eq!(client.ask("POST /length HTTP/1.1\r\ncontent-length: 2\r\ncontent-length: 2\r\n\r\nok").body, b"2");
    assert_eq!(client.ask("CONNECT a.test:443 HTTP/1.1\r\n\r\n").status, 404);
    assert_eq!(server.counters.read(Count::Accepted), 1);
}

#[test]
fn a_client_that_asks_for_it_is_closed() {
    let server = Running::start(1);
    let mut client = server.client();
    assert_eq!(client.ask(post("/bid/demo", "connection: close\r\n", b"{}")).status, 200);
    assert_eq!(client.rest(), b"");
}

#[test]
fn bodies_may_come_in_chunks() {
    let server = Running::start(1);
    let mut client = server.client();
    let body = vec![b'x'; 10_000];
    for size in [1, 999, 10_000] {
        assert_eq!(client.ask(chunked("/bid/demo", &body, size)).body, body);
    }
    let trailers = "POST /bid/demo HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n2;a=b\r\nok\r\n0\r\nx: y\r\n\r\n";
    assert_eq!(client.ask(trailers).body, b"ok");
    let broken = client.ask("POST /bid/demo HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\nzz\r\nok\r\n");
    assert!(broken.status == 400 && broken.body.is_empty() && broken.closes());
    assert_eq!(server.counters.read(Count::BodyBroken), 1);
}

#[test]
fn bodies_come_in_gzip() {
    let server = Running::start(1);
    let mut client = server.client();
    let plain = b"{\"id\":\"a bid request\"}";
    for name in ["gzip", "x-gzip", "GZIP"] {
        let request = post("/bid/demo", &format!("content-encoding: {name}\r\n"), &gzip(plain));
        assert_eq!(client.ask(request).body, plain);
    }
    assert_eq!(client.ask(post("/bid/demo", "content-encoding: identity\r\n", plain)).body, plain);

    for (encoding, body, status, count) in [
        ("gzip", b"not gzip".to_vec(), 400, Count::NotGzip),
        ("gzip", Vec::new(), 400, Count::NotGzip),
        ("gzip", [gzip(plain).as_slice(), b"garbage"].concat(), 400, Count::NotGzip),
        ("gzip", gzip(&vec![b' '; INFLATED_BYTES_MAX + 1]), 413, Count::InflatedTooLarge),
        ("br", plain.to_vec(), 415, Count::EncodingUnknown),
        ("gzip, gzip", gzip(plain), 415, Count::EncodingUnknown),
    ] {
        let before = server.counters.read(count);
        let answer = client.ask(post("/bid/demo", &format!("content-encoding: {encoding}\r\n"), &body));
        assert_eq!((answer.status, answer.body.len(), answer.closes()), (status, 0, false), "{encoding} {body:?}");
        assert_eq!(server.counters.read(count), before + 1);
    }
    let largest = post("/length", "content-encoding: gzip\r\n", &gzip(&vec![b' '; INFLATED_BYTES_MAX]));
    assert_eq!(client.ask(largest).body, INFLATED_BYTES_MAX.to_string().as_bytes());
}

#[test]
fn answers_go_out_in_gzip_where_that_pays() {
    let server = Running::start(1);
    let mut client = server.client();
    let body = vec![b'x'; GZIP_BYTES_MIN];
    for _ in 0..3 {
        let answer = client.ask(post("/bid/demo", "accept-encoding: br, gzip\r\n", &body));
        assert_eq!((answer.field("content-encoding"), answer.field("vary")), (Some("gzip"), Some("accept-encoding")));
        let mut plain = Vec::new();
        GzDecoder::new(answer.body.as_slice()).read_to_end(&mut plain).unwrap();
        assert_eq!(plain, body);
    }
    for (accept, body) in [("gzip", &body[1..]), ("gzip;q=0", &body), ("br", &body)] {
        let answer = client.ask(post("/bid/demo", &format!("accept-encoding: {accept}\r\n"), body));
        assert_eq!((answer.field("content-encoding"), answer.body.as_slice()), (None, body));
    }
}

#[test]
fn the_largest_body_passes_and_one_byte_more_does_not() {
    let server = Running::start(1);
    let at = vec![b'x'; BODY_BYTES_MAX];
    let above = vec![b'x'; BODY_BYTES_MAX + 1];
    let mut client = server.client();
    for request in [post("/length", "", &at), chunked("/length", &at, 5_000), chunked("/length", &at, BODY_BYTES_MAX)] {
        assert_eq!(client.ask(request).body, BODY_BYTES_MAX.to_string().as_bytes());
    }
    for request in
        [post("/length", "", &above), chunked("/length", &above, 5_000), chunked("/length", &above, above.len())]
    {
        let answer = server.client().ask(request);
        assert!(answer.status == 413 && answer.body.is_empty() && answer.closes(), "{}", answer.head);
    }
    assert_eq!(server.counters.read(Count::BodyTooLarge), 3);
}

#[test]
fn lying_about_the_length_helps_nobody() {
    let server = Running::start(1);
    for length in ["99999999999", "18446744073709551615"] {
        let answer = server.client().ask(format!("POST /length HTTP/1.1\r\ncontent-length: {length}\r\n\r\n"));
        assert!(matches!(answer.status, 413 | 431) && answer.body.is_empty(), "{}", answer.head);
    }
    for lengths in ["-1", "+1", "1x", "1, 2", "1\r\ncontent-length: 2", "99999999999999999999999"] {
        let answer = server.client().ask(format!("POST /length HTTP/1.1\r\ncontent-length: {lengths}\r\n\r\nxx"));
        assert!(answer.status == 400 && answer.closes(), "{lengths}: {}", answer.head);
    }
}

#[test]
fn smuggling_ends_the_connection() {
    let server = Running::start(1);
    for fields in [
        &format!("content-length:{}5", " ".repeat(200)),
        "content-length: 6\r\ntransfer-encoding: chunked",
        "transfer-encoding: chunked\r\ncontent-length: 6",
        "transfer-encoding: gzip",
        "transfer-encoding: chunked, identity",
        "transfer-encoding : chunked",
        "transfer-encoding: chunked\r\n x",
    ] {
        let mut client = server.client();
        let answer =
            client.ask(format!("POST /bid/demo HTTP/1.1\r\n{fields}\r\n\r\n0\r\n\r\nGET /panic HTTP/1.1\r\n\r\n"));
        assert!(answer.status == 400 && answer.closes(), "{fields}: {}", answer.head);
        assert_eq!(client.rest(), b"", "{fields}");
    }
    let old = "POST /bid/demo HTTP/1.0\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n";
    assert_eq!(server.client().ask(old).status, 400);
    assert_eq!(server.counters.read(Count::LengthAmbiguous), 3);
    assert_eq!(server.counters.read(Count::Panicked), 0);
}

#[test]
fn what_is_not_http_is_refused() {
    let server = Running::start(1);
    for (garbage, status) in [
        ("\x16\x03\x01\x02 a TLS hello\r\n\r\n".to_owned(), 400),
        ("GET / HTTP/9.9\r\n\r\n".to_owned(), 400),
        ("GET / HTTP/1.1\r\nno colon\r\n\r\n".to_owned(), 400),
        (format!("GET / HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(101)), 431),
        (format!("GET / HTTP/1.1\r\na: {}\r\n\r\n", "b".repeat(HEAD_BYTES_MAX)), 431),
    ] {
        let answer = server.client().ask(&garbage);
        assert!(answer.status == status && answer.body.is_empty() && answer.closes(), "{}", answer.head);
    }
    // It is counted when the connection has ended, which the client does not see.
    while server.counters.read(Count::HeadRefused) < 5 {
        std::thread::yield_now();
    }
    assert_eq!(server.counters.read(Count::Requests), 0);
    assert_eq!(server.client().ask("GET /page HTTP/1.1\r\n\r\n").status, 200);
}

#[test]
fn ten_thousand_requests_use_one_connection() {
    let server = Running::start(2);
    let mut client = server.client();
    let request = post("/bid/demo", "", b"{\"id\":\"1\"}");
    for _ in 0..10_000 {
        let answer = client.ask(&request);
        assert!(answer.status == 200 && !answer.closes());
    }
    assert_eq!(server.counters.read(Count::Accepted), 1);
    assert_eq!(server.counters.read(Count::Requests), 10_000);
}

#[test]
fn a_panic_leaves_other_connections_alone() {
    let server = Running::start(1);
    let mut other = server.client();
    assert_eq!(other.ask("GET /page HTTP/1.1\r\n\r\n").status, 200);
    let answer = server.client().ask("GET /panic HTTP/1.1\r\n\r\n");
    assert!(answer.status == 500 && answer.body.is_empty() && answer.closes());
    assert_eq!(other.ask("GET /page HTTP/1.1\r\n\r\n").status, 200);
    assert_eq!(server.counters.read(Count::Panicked), 1);
}
