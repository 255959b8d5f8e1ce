use proptest::prelude::*;

use super::*;

/// Follows `text` (with `\n` for line ends) and says what is known after it.
fn check(text: &str, heads: u64, in_head: bool) {
    let wire = text.replace('\n', "\r\n");
    let mut framing = Framing::default();
    framing.follow(wire.as_bytes());
    assert_eq!((framing.heads(), framing.in_head()), (heads, in_head), "{text:?}");
}

#[test]
fn a_head_begins_with_its_first_byte_and_ends_with_an_empty_line() {
    check("", 0, false);
    check("\n\n", 0, false);
    check("\nG", 0, true);
    check("GET / HTTP/1.1\nHost: a\n", 0, true);
    check("GET / HTTP/1.1\nHost: a\n\n", 1, false);
    check("GET / HTTP/1.1\n\nGET", 1, true);
}

#[test]
fn a_body_is_not_taken_for_a_head() {
    check("POST / HTTP/1.1\nContent-Length: 5\n\nGET /", 1, false);
    check("POST / HTTP/1.1\ncontent-length:5\n\nGET /G", 1, true);
    check("POST / HTTP/1.1\nContent-Length: 0\n\nGET / HTTP/1.1\n\n", 2, false);
    check("POST / HTTP/1.1\nTransfer-Encoding: chunked\n\n5;a=b\nGET /\n", 1, false);
    check("POST / HTTP/1.1\nTransfer-Encoding: chunked\n\n5\nGET /\n0\n", 1, false);
    check("POST / HTTP/1.1\nTransfer-Encoding: chunked\n\n5\nGET /\n0\nA: b\n\nG", 1, true);
    check("POST / HTTP/1.1\nTransfer-Encoding: chunked\n\nnonsense\nGET / HTTP/1.1\n\n", 1, false);
}

#[test]
fn both_lengths_are_seen_in_any_order_and_case_however_long_the_line() {
    let long = " ".repeat(3 * LINE_BYTES_KEPT);
    for (fields, ambiguous) in [
        ("Content-Length: 5\r\nTransfer-Encoding: chunked", true),
        ("TRANSFER-encoding: chunked\r\ncontent-LENGTH: 5", true),
        (&format!("content-length:{long}5\r\ntransfer-encoding:{long}chunked"), true),
        ("content-length: 5\r\ncontent-length: 5", false),
        ("x-content-length: 5\r\ntransfer-encoding: chunked", false),
    ] {
        let wire = format!("GET / HTTP/1.1\r\n\r\nPOST / HTTP/1.1\r\n{fields}\r\n\r\n");
        for piece in [1, 7, wire.len()] {
            let mut framing = Framing::default();
            wire.as_bytes().chunks(piece).for_each(|bytes| framing.follow(bytes));
            assert_eq!((framing.is_ambiguous(1), framing.is_ambiguous(2)), (false, ambiguous), "{fields:?}");
        }
    }
}

#[test]
fn what_is_too_long_to_be_read_is_refused_in_whatever_pieces_it_comes() {
    let (spaces, zeros) = (" ".repeat(2 * LINE_BYTES_KEPT), "0".repeat(2 * LINE_BYTES_KEPT));
    let chunked = "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n";
    for (wire, heads, ambiguous) in [
        (format!("POST / HTTP/1.1\r\ncontent-length:{spaces}9\r\n\r\n\r\nG\r\n\r\n\r\n"), 2, true),
        (format!("POST / HTTP/1.1\r\nx:{spaces}9\r\n\r\nG / HTTP/1.1\r\n\r\n"), 2, false),
        (format!("{chunked}{zeros}1\r\nx\r\n0\r\n\r\nG\r\n\r\n"), 1, false),
        (format!("{chunked}1;{zeros}\r\nx\r\n0\r\n\r\nG\r\n\r\n"), 2, false),
    ] {
        for piece in [1, 7, LINE_BYTES_KEPT, wire.len()] {
            let mut framing = Framing::default();
            wire.as_bytes().chunks(piece).for_each(|bytes| framing.follow(bytes));
            assert_eq!((framing.heads(), framing.is_ambiguous(1)), (heads, ambiguous), "{wire:?} by {piece}");
        }
    }
}

/// A request as text, with the place of its first byte and of the end of its head.
fn request() -> impl Strategy<Value = (Vec<u8>, usize, usize)> {
    let body = proptest::collection::vec(prop_oneof![Just(b'\r'), Just(b'\n'), any::<u8>()], 0..40);
    (body, any::<Option<bool>>(), 1..9_usize, 0..3_usize).prop_map(|(body, framed, piece, blank)| {
        let mut wire = b"\r\n".repeat(blank);
        let start = wire.len();
        match framed {
            None => wire.extend(b"GET /a?b HTTP/1.1\r\nhost: x\r\n\r\n"),
            Some(false) => wire.extend(format!("POST / HTTP/1.1\r\nContent-Length: {}\r\n\r\n", body.len()).as_bytes()),
            Some(true) => wire.extend(b"POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n"),
        }
        let head_end = wire.len();
        match framed {
            None => {}
            Some(false) => wire.extend(&body),
            Some(true) => {
                for chunk in body.chunks(piece) {
                    wire.extend(format!("{:x}\r\n", chunk.len()).as_bytes());
                    wire.extend(chunk);
                    wire.extend(b"\r\n");
                }
                wire.extend(b"0\r\n\r\n");
            }
        }
        (wire, start, head_end)
    })
}

proptest! {
    #[test]
    fn however_the_bytes_are_cut_heads_are_found(
        requests in proptest::collection::vec(request(), 1..6),
        pieces in proptest::collection::vec(1..50_usize, 1..50),
    ) {
        let mut wire = Vec::new();
        let mut heads = Vec::new();
        for (bytes, start, end) in requests {
            heads.push((wire.len() + start, wire.len() + end));
            wire.extend(bytes);
        }
        let (mut framing, mut at) = (Framing::default(), 0);
        for piece in pieces.iter().cycle() {
            let next = wire.len().min(at + piece);
            framing.follow(&wire[at..next]);
            at = next;
            let ended = heads.iter().filter(|(_, end)| *end <= at).count() as u64;
            let in_head = heads.iter().any(|(start, end)| *start < at && at < *end);
            prop_assert_eq!((framing.heads(), framing.in_head()), (ended, in_head));
            if at == wire.len() {
                break;
            }
        }
    }
}
