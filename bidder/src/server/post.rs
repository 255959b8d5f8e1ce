//! A whole POST in the bytes of a connection, and the answer 204, for requests that do not go through hyper.

use std::str;
use std::time::SystemTime;

use super::Fields;

/// Header fields of a request that are looked at; one with more goes to hyper.
const FIELDS_MAX: usize = 32;

/// A whole POST.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Post<'a> {
    /// The path, not percent-decoded.
    pub path: &'a str,
    /// The body as it was sent, which may be compressed.
    pub body: &'a [u8],
    /// Whether it is compressed.
    pub encoded: bool,
}

impl<'a> Post<'a> {
    /// The request that these bytes are: no more and no less, over HTTP/1.1, with one length, and without a wish that concerns
    /// the connection.
    pub fn whole(bytes: &'a [u8]) -> Option<Self> {
        let mut fields = [httparse::EMPTY_HEADER; FIELDS_MAX];
        let mut head = httparse::Request::new(&mut fields);
        let httparse::Status::Complete(start) = head.parse(bytes).ok()? else { return None };
        if (head.method, head.version) != (Some("POST"), Some(1)) {
            return None;
        }
        let (mut length, mut encoded) = (None, false);
        for field in head.headers.iter() {
            let is = |name: &str| field.name.eq_ignore_ascii_case(name);
            if is("content-length") {
                let digits =
                    str::from_utf8(field.value).ok().filter(|text| text.bytes().all(|b| b.is_ascii_digit()))?;
                if length.replace(digits.parse::<usize>().ok()?).is_some() {
                    return None;
                }
            } else if is("content-encoding") {
                encoded = true;
            } else if ["connection", "expect", "transfer-encoding", "upgrade"].into_iter().any(is) {
                return None;
            }
        }
        let body = &bytes[start..];
        let path = head.path?.split('?').next().filter(|path| path.starts_with('/'))?;
        (length? == body.len()).then_some(Self { path, body, encoded })
    }
}

/// The bytes of a 204 with these header fields.
pub(super) fn no_content(fields: Fields) -> Vec<u8> {
    let mut answer = Vec::with_capacity(128);
    answer.extend_from_slice(b"HTTP/1.1 204 No Content\r\n");
    for (name, value) in fields {
        for piece in [name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"] {
            answer.extend_from_slice(piece);
        }
    }
    // RFC 9110 section 6.6.1: whoever has a clock sends it.
    answer.extend_from_slice(b"date: ");
    answer.extend_from_slice(httpdate::fmt_http_date(SystemTime::now()).as_bytes());
    answer.extend_from_slice(b"\r\n\r\n");
    answer
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::Framing;

    /// Reads `text`, where a bar stands for a line's end: path and body with `z` where it is compressed, or `hyper`.
    fn check(text: &str, expected: &str) {
        let text = text.replace('|', "\r\n");
        let post = Post::whole(text.as_bytes()).map(|Post { path, body, encoded }| {
            format!("{path} {}{}", String::from_utf8_lossy(body), if encoded { " z" } else { "" })
        });
        assert_eq!(post.as_deref().unwrap_or("hyper"), expected, "{text}");
        let mut framing = Framing::default();
        framing.follow(text.as_bytes());
        assert!(post.is_none() || framing.heads() == 1 && framing.is_between() && !framing.is_ambiguous(1), "{text}");
        for cut in (0..text.len()).filter(|_| post.is_some()) {
            assert_eq!(Post::whole(&text.as_bytes()[..cut]), None, "{cut} bytes of {text}");
        }
    }

    #[test]
    fn a_whole_post_is_seen() {
        check("POST /bid/x HTTP/1.1|Host: a|Content-Length: 2||{}", "/bid/x {}");
        check("POST /bid/x?y=1 HTTP/1.1|content-length: 0||", "/bid/x ");
        check("POST /bid/x HTTP/1.1|content-encoding: gzip|content-length:  3 ||abc", "/bid/x abc z");
    }

    #[test]
    fn what_is_not_that_simple_goes_to_hyper() {
        for text in [
            "GET /bid/x HTTP/1.1|host: a||",
            "POST /bid/x HTTP/1.0|content-length: 0||",
            "POST /bid/x HTTP/1.1|host: a||",
            "POST /bid/x HTTP/1.1|content-length: 2||{}POST /bid/x HTTP/1.1|",
            "POST /bid/x HTTP/1.1|content-length: 2|content-length: 2||{}",
            "POST /bid/x HTTP/1.1|content-length: +2||{}",
            "POST /bid/x HTTP/1.1|content-length: 2, 2||{}",
            "POST /bid/x HTTP/1.1|content-length: ||",
            "POST /bid/x HTTP/1.1|content-length: 99999999999999999999||{}",
            "POST /bid/x HTTP/1.1|content-length: 2|transfer-encoding: chunked||{}",
            "POST /bid/x HTTP/1.1|content-length: 2|connection: close||{}",
            "POST /bid/x HTTP/1.1|content-length: 2|Expect: 100-continue||{}",
            "POST http://a/bid/x HTTP/1.1|content-length: 2||{}",
            "POST /bid/x HTTP/1.1|content-length : 2||{}",
        ] {
            check(text, "hyper");
        }
    }
}
