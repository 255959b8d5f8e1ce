//! The parts of JSON that a response is made of.

use decision::money::Nanos;

/// Appends `text` as a JSON string.
pub(super) fn json_string(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    escape(out, text);
    out.push(b'"');
}

/// Appends what stands between the quotes of `text` as a JSON string.
pub(super) fn escape(out: &mut Vec<u8>, text: &str) {
    for byte in text.bytes() {
        match byte {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            0..=0x1F => out.extend_from_slice(format!("\\u{byte:04x}").as_bytes()),
            _ => out.push(byte),
        }
    }
}

/// Appends a list of strings.
pub(super) fn list<'t>(out: &mut Vec<u8>, texts: impl IntoIterator<Item = &'t str>) {
    out.push(b'[');
    for (at, text) in texts.into_iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        json_string(out, text);
    }
    out.push(b']');
}

/// Appends a member with a whole number; `name` has its comma, quotes and colon.
pub(super) fn number(out: &mut Vec<u8>, name: &str, number: impl itoa::Integer) {
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}

/// Appends the CPM price of an impression as a decimal number, exactly.
pub(super) fn cpm(out: &mut Vec<u8>, price: Nanos) {
    const MICROS: u64 = 1_000_000;
    debug_assert!(price >= Nanos::ZERO, "a bid costs nothing or something");
    let micros = price.cpm_micros().unsigned_abs();
    out.extend_from_slice(itoa::Buffer::new().format(micros / MICROS).as_bytes());
    // The six decimals behind a 1 that keeps their leading zeros, and turns into the point.
    let mut decimals = itoa::Buffer::new();
    let decimals = decimals.format(MICROS + micros % MICROS).as_bytes();
    let decimals = &decimals[1..];
    let used = decimals.iter().rposition(|digit| *digit != b'0').map_or(0, |last| last + 1);
    out.push(b'.');
    out.extend_from_slice(&decimals[..used.max(2)]);
}

/// Whether `url` can stand in an attribute of HTML, in a string of a script and in JSON as it is: no white space, no
/// control or non-ASCII character, no quote, backslash, angle bracket, ampersand or backtick. Macros in the exchange's
/// `${…}` are plain.
pub fn is_plain_url(url: &str) -> bool {
    all(url, |byte| stands(byte) & (byte != b'\'') & (byte != b'<') & (byte != b'>') & (byte != b'&') & (byte != b'`'))
}

/// Whether `url` can stand in JSON as it is: visible ASCII without quotes and backslashes.
pub(super) fn stands_in_json(url: &str) -> bool {
    all(url, stands)
}

#[inline(always)]
fn stands(byte: u8) -> bool {
    (byte > b' ') & (byte < 0x7F) & (byte != b'"') & (byte != b'\\')
}

/// Whether all bytes of `text` are as `holds` says: in blocks without an early end inside, which compilers turn into vector
/// instructions.
#[inline(always)]
fn all(text: &str, holds: impl Fn(u8) -> bool) -> bool {
    let (blocks, rest) = text.as_bytes().as_chunks::<32>();
    blocks.iter().all(|block| block.iter().fold(true, |all, byte| all & holds(*byte)))
        && rest.iter().all(|byte| holds(*byte))
}
