//! Any bytes of a connection: where requests begin and end does not depend on the pieces in which they come, and no body
//! is taken for a head. What is seen to be one whole POST is one request, and nothing behind it, or ends its connection.
#![no_main]

use bidder::server::{Framing, Post};

/// Heads, whether one has begun, and the first ambiguous one.
fn followed<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> (u64, bool, Option<u64>) {
    let mut framing = Framing::default();
    pieces.for_each(|piece| framing.follow(piece));
    let ambiguous = (1..=framing.heads()).find(|head| framing.is_ambiguous(*head));
    (framing.heads(), framing.in_head(), ambiguous)
}

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Some((&size, wire)) = data.split_first() else { return };
    let size = usize::from(size).max(1);
    let whole = followed(std::iter::once(wire));
    assert_eq!(whole, followed(wire.chunks(size)), "in pieces of {size} bytes");
    assert!(whole.0 <= wire.iter().filter(|byte| **byte == b'\n').count() as u64);

    if let Some(post) = Post::whole(wire) {
        assert!(whole.2 == Some(1) || (whole.0, whole.1) == (1, false));
        assert!(wire.ends_with(post.body));
    }

    let fixed = format!("POST / HTTP/1.1\r\ncontent-length: {}\r\n\r\n", wire.len());
    let mut chunked = b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n".to_vec();
    for chunk in wire.chunks(size) {
        chunked.extend(format!("{:x}\r\n", chunk.len()).as_bytes());
        chunked.extend([chunk, b"\r\n"].concat());
    }
    chunked.extend(b"0\r\n\r\n");
    for request in [[fixed.as_bytes(), wire].concat(), chunked] {
        assert_eq!(followed(request.chunks(size)), (1, false, None));
        assert_eq!(followed([request.as_slice(), b"G"].into_iter()), (1, true, None));
    }
});
