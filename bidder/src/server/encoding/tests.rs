use std::io::Write;

use flate2::write::GzEncoder;
use http::HeaderValue;
use proptest::prelude::*;

use super::*;

fn gzip(plain: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(plain).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn members_follow_one_another_and_nothing_else_does() {
    let two = [gzip(b"one "), gzip(b"two")].concat();
    assert_eq!(inflate(&two).unwrap(), "one two");
    assert_eq!(inflate(&[gzip(b"one").as_slice(), b"garbage"].concat()), Err(InflateError::NotGzip));
    assert_eq!(inflate(&[gzip(b"one").as_slice(), &[0]].concat()), Err(InflateError::NotGzip));
}

#[test]
fn what_is_not_whole_is_refused() {
    let whole = gzip(b"{\"id\":\"a request\"}");
    for end in 0..whole.len() {
        assert_eq!(inflate(&whole[..end]), Err(InflateError::NotGzip), "cut at {end}");
    }
    let mut wrong = whole.clone();
    wrong[whole.len() - 8] ^= 1;
    assert_eq!(inflate(&wrong), Err(InflateError::NotGzip), "checksum");
}

#[test]
fn the_limit_is_exact_and_a_bomb_stops_at_it() {
    let at = vec![b' '; INFLATED_BYTES_MAX];
    assert_eq!(inflate(&gzip(&at)).unwrap().len(), INFLATED_BYTES_MAX);
    let above = vec![b' '; INFLATED_BYTES_MAX + 1];
    assert_eq!(inflate(&gzip(&above)), Err(InflateError::TooLarge));
    let members = [gzip(&at), gzip(b" ")].concat();
    assert_eq!(inflate(&members), Err(InflateError::TooLarge));
    // The garbage that ends it is never reached.
    let bomb = [gzip(&vec![0; 64 * INFLATED_BYTES_MAX]).as_slice(), b"garbage"].concat();
    assert_eq!(inflate(&bomb), Err(InflateError::TooLarge));
}

#[test]
fn gzip_goes_to_those_who_take_it() {
    for (accept, expected) in [
        ("gzip", true),
        ("gzip, deflate, br", true),
        ("br;q=1.0, gzip;q=0.5", true),
        ("x-gzip", true),
        ("deflate,gzip ; q=1", true),
        ("", false),
        ("identity", false),
        ("gzip;q=0", false),
        ("gzip; q=0.000", false),
        ("notgzip", false),
    ] {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static(accept));
        assert_eq!(accepts_gzip(&headers), expected, "{accept}");
    }
    assert!(!accepts_gzip(&HeaderMap::new()));
}

#[test]
fn what_does_not_shrink_is_left_alone() {
    assert_eq!(Gzip::new().compress(b"a"), None);
}

proptest! {
    #[test]
    fn one_compressor_writes_many_bodies_that_inflate_to_themselves(
        bodies in proptest::collection::vec("[a-e]{200,3000}", 1..5),
    ) {
        let mut compressor = Gzip::new();
        for body in bodies {
            let gzip = compressor.compress(body.as_bytes()).expect("five letters shrink");
            prop_assert_eq!(inflate(&gzip), Ok(Bytes::from(body)));
        }
    }
}
