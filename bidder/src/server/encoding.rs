//! gzip, in and out (RFC 1952).

use std::io::Read;

use bytes::Bytes;
use flate2::bufread::MultiGzDecoder;
use flate2::{Compress, Compression, FlushCompress, Status};
use http::HeaderMap;
use http::header::ACCEPT_ENCODING;

use crate::limits::INFLATED_BYTES_MAX;

/// The largest window, which any decoder has.
const WINDOW_BITS: u8 = 15;
/// The head and tail of a gzip stream, and deflate's worst case on what cannot be compressed, rounded up.
const GZIP_OVERHEAD: usize = 128;

/// Why a body cannot be inflated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InflateError {
    /// It is not gzip, is cut short, fails its checksum, or has something else behind it.
    NotGzip,
    /// It inflates to more than [`INFLATED_BYTES_MAX`].
    TooLarge,
}

/// Inflates one or more gzip members. A bomb costs no more than the limit: inflating stops one byte past it.
///
/// # Errors
/// [`InflateError`]
pub fn inflate(gzip: &[u8]) -> Result<Bytes, InflateError> {
    let mut inflated = Vec::with_capacity((4 * gzip.len()).min(INFLATED_BYTES_MAX + 1));
    let mut limited = MultiGzDecoder::new(gzip).take(INFLATED_BYTES_MAX as u64 + 1);
    limited.read_to_end(&mut inflated).map_err(|_| InflateError::NotGzip)?;
    if inflated.len() > INFLATED_BYTES_MAX { Err(InflateError::TooLarge) } else { Ok(inflated.into()) }
}

/// Whether the client takes gzip (RFC 9110, section 12.5.3): named, and not with weight 0.
pub(super) fn accepts_gzip(headers: &HeaderMap) -> bool {
    let values = headers.get_all(ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|coding| {
        let (name, weight) = coding.split_once(';').unwrap_or((coding, ""));
        let refused = weight.trim().strip_prefix("q=").is_some_and(|q| q.parse() == Ok(0.0));
        matches!(name.trim(), "gzip" | "x-gzip") && !refused
    })
}

/// Compresses one body after another, keeping the memory that takes (a quarter of a MiB).
#[derive(Debug)]
pub(super) struct Gzip(Compress);

impl Gzip {
    pub(super) fn new() -> Self {
        Self(Compress::new_gzip(Compression::fast(), WINDOW_BITS))
    }

    /// `plain` in gzip, or `None` where that is not smaller.
    pub(super) fn compress(&mut self, plain: &[u8]) -> Option<Bytes> {
        self.0.reset();
        let mut gzip = Vec::with_capacity(plain.len() + GZIP_OVERHEAD);
        let status = self.0.compress_vec(plain, &mut gzip, FlushCompress::Finish);
        (matches!(status, Ok(Status::StreamEnd)) && gzip.len() < plain.len()).then(|| gzip.into())
    }
}

#[cfg(test)]
mod tests;
