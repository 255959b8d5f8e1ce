//! What people ask of a running process, and of files.

pub(crate) mod campaigns;
pub(crate) mod check;
pub(crate) mod correct;
pub(crate) mod events;
pub(crate) mod explain;
pub(crate) mod import;
pub(crate) mod reconcile;
mod streams;

/// Percent-encodes a part of a path or query (RFC 3986 section 2.3: all but the unreserved characters).
fn encoded(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}
