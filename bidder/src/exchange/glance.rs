//! What is seen of a bid request without reading it.

use memchr::memmem;

/// The `tmax` that stands in a bid request, in milliseconds; 0 where there seems to be none. A glance, for requests that
/// may not be worth reading: one that stands deep inside is taken for the request's own.
pub fn tmax_ms(body: &[u8]) -> u32 {
    let name = br#""tmax""#;
    let Some(at) = memmem::find(body, name) else { return 0 };
    let value = body[at + name.len()..].trim_ascii_start();
    let digits = value.strip_prefix(b":").unwrap_or_default().trim_ascii_start();
    let digits = digits.iter().take_while(|byte| byte.is_ascii_digit()).take(6);
    digits.fold(0, |number, digit| number * 10 + u32::from(digit - b'0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tmax_is_found_at_a_glance() {
        for (body, expected) in [
            (r#"{"id":"1","tmax":80,"at":1}"#, 80),
            (r#"{"tmax" : 120.5}"#, 120),
            (r#"{"tmax":"100"}"#, 0),
            (r#"{"tmax":99999999999}"#, 999_999),
            (r#"{"id":"tmax"}"#, 0),
            (r#"{"tmax""#, 0),
            ("", 0),
        ] {
            assert_eq!(tmax_ms(body.as_bytes()), expected, "{body}");
        }
    }
}
