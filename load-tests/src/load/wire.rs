//! HTTP/1.1 by hand, as much of it as a load needs: requests are bytes that are ready, answers are told apart.

use std::ops::Range;

/// A whole answer at the start of some bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) status: u16,
    /// Whether the server closes the connection after it.
    pub(super) closes: bool,
    /// Where its body is; one in chunks is shown as it was sent.
    pub(super) body: Range<usize>,
    /// How many bytes it takes in all.
    pub(super) bytes: usize,
}

/// These bytes are no answer, or its end cannot be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NoAnswer;

/// Fields of a head; more are no answer.
const FIELDS_MAX: usize = 32;

/// The answer at the start of `bytes`, once all of it is there.
pub(super) fn answer(bytes: &[u8]) -> Result<Option<Answer>, NoAnswer> {
    let mut fields = [httparse::EMPTY_HEADER; FIELDS_MAX];
    let mut head = httparse::Response::new(&mut fields);
    let httparse::Status::Complete(start) = head.parse(bytes).map_err(|_| NoAnswer)? else { return Ok(None) };
    let status = head.code.ok_or(NoAnswer)?;
    let field = |name: &str| head.headers.iter().find(|field| field.name.eq_ignore_ascii_case(name));
    let closes = field("connection").is_some_and(|field| field.value.eq_ignore_ascii_case(b"close"));
    let length = field("content-length").map(|field| {
        let text = str::from_utf8(field.value).map_err(|_| NoAnswer)?;
        text.trim().parse::<usize>().map_err(|_| NoAnswer)
    });
    let end = match length {
        // RFC 9112 section 6.3: these have no body, whatever their head says.
        _ if matches!(status, 204 | 304) => Some(start),
        Some(length) => Some(start.saturating_add(length?)),
        None if field("transfer-encoding").is_some() => chunks_end(bytes, start)?,
        None => return Err(NoAnswer),
    };
    let whole = end.filter(|end| *end <= bytes.len());
    Ok(whole.map(|end| Answer { status, closes, body: start..end, bytes: end }))
}

/// Where a body in chunks ends that begins at `at`. One with trailers is no answer.
fn chunks_end(bytes: &[u8], mut at: usize) -> Result<Option<usize>, NoAnswer> {
    loop {
        let Some(rest) = bytes.get(at..) else { return Ok(None) };
        let parsed = httparse::parse_chunk_size(rest).map_err(|_| NoAnswer)?;
        let httparse::Status::Complete((line, size)) = parsed else { return Ok(None) };
        let end = usize::try_from(size).ok().and_then(|size| size.checked_add(at + line + 2)).ok_or(NoAnswer)?;
        match (size, bytes.get(at + line..at + line + 2)) {
            (0, None) => return Ok(None),
            (0, Some(b"\r\n")) => return Ok(Some(end)),
            (0, Some(_)) => return Err(NoAnswer),
            _ => at = end,
        }
    }
}

/// The head of a request with a body of `length` bytes.
pub(super) fn post(path: &str, host: &str, fields: &str, length: usize) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/json\r\n{fields}content-length: {length}\r\n\r\n"
    )
}

/// A request without a body.
pub(super) fn get(path: &str, host: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nhost: {host}\r\n\r\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whatever piece of it is there, the answer is seen once it is whole.
    fn check(text: &str, status: u16, closes: bool, body: &str) {
        let behind = format!("{text}HTTP/1.1 500 X\r\n");
        for there in 0..text.len() {
            assert_eq!(answer(&text.as_bytes()[..there]), Ok(None), "{there} bytes of {text:?}");
        }
        let whole = answer(behind.as_bytes()).unwrap().unwrap();
        assert_eq!((whole.status, whole.closes, whole.bytes), (status, closes, text.len()));
        assert_eq!(&behind[whole.body], body);
    }

    #[test]
    fn answers_are_told_apart() {
        check("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", 200, false, "hello");
        check("HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n", 204, true, "");
        check("HTTP/1.1 204 No Content\r\ncontent-length: 7\r\n\r\n", 204, false, "");
        check("HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n", 400, false, "");
        let chunks = "5\r\nhello\r\n1;x=y\r\n!\r\n0\r\n\r\n";
        check(&format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{chunks}"), 200, false, chunks);
    }

    #[test]
    fn what_has_no_end_is_no_answer() {
        for text in [
            "hello\r\n\r\n",
            "HTTP/1.1 200 OK\r\n\r\n",
            "HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\n",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nxyz\r\n",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\ntrailer: x\r\n\r\n",
        ] {
            assert_eq!(answer(text.as_bytes()), Err(NoAnswer), "{text:?}");
        }
    }
}
