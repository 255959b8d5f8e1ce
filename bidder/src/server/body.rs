//! Bodies, whole and within limits.

use bytes::{Bytes, BytesMut};
use http::header::CONTENT_ENCODING;
use http::{HeaderMap, StatusCode};
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use tokio::time::timeout;

use super::counters::Count;
use super::encoding::{InflateError, inflate};
use super::reply::Reply;
use crate::limits::{BODY_BYTES_MAX, BODY_TIME_MAX};

/// Why a request is not shown to the handler.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    LengthAmbiguous,
    BodyLate,
    BodyTooLarge,
    BodyBroken,
    EncodingUnknown,
    NotGzip,
    InflatedTooLarge,
}

impl Refusal {
    /// What it is counted as.
    pub(super) fn count(self) -> Count {
        match self {
            Self::LengthAmbiguous => Count::LengthAmbiguous,
            Self::BodyLate => Count::BodyLate,
            Self::BodyTooLarge => Count::BodyTooLarge,
            Self::BodyBroken => Count::BodyBroken,
            Self::EncodingUnknown => Count::EncodingUnknown,
            Self::NotGzip => Count::NotGzip,
            Self::InflatedTooLarge => Count::InflatedTooLarge,
        }
    }

    /// The answer. The connection ends where the end of the body is not known to have been read.
    pub(super) fn reply(self) -> Reply {
        match self {
            Self::LengthAmbiguous | Self::BodyBroken => Reply::closing(StatusCode::BAD_REQUEST),
            Self::BodyLate => Reply::closing(StatusCode::REQUEST_TIMEOUT),
            Self::BodyTooLarge => Reply::closing(StatusCode::PAYLOAD_TOO_LARGE),
            Self::EncodingUnknown => Reply::empty(StatusCode::UNSUPPORTED_MEDIA_TYPE),
            Self::NotGzip => Reply::empty(StatusCode::BAD_REQUEST),
            Self::InflatedTooLarge => Reply::empty(StatusCode::PAYLOAD_TOO_LARGE),
        }
    }
}

/// Reads a body to its end and inflates it.
pub(super) async fn receive(headers: &HeaderMap, body: Incoming) -> Result<Bytes, Refusal> {
    let sent = timeout(BODY_TIME_MAX, collect(body)).await.map_err(|_| Refusal::BodyLate)??;
    let Some(encoding) = headers.get(CONTENT_ENCODING) else { return Ok(sent) };
    match encoding.as_bytes().to_ascii_lowercase().as_slice() {
        b"identity" => Ok(sent),
        b"gzip" | b"x-gzip" => inflate(&sent).map_err(|error| match error {
            InflateError::NotGzip => Refusal::NotGzip,
            InflateError::TooLarge => Refusal::InflatedTooLarge,
        }),
        _ => Err(Refusal::EncodingUnknown),
    }
}

async fn collect(mut body: Incoming) -> Result<Bytes, Refusal> {
    // Known before it is read where the client says so.
    let expected = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    if expected > BODY_BYTES_MAX {
        return Err(Refusal::BodyTooLarge);
    }
    let Some(first) = data(&mut body).await? else { return Ok(Bytes::new()) };
    if first.len() > BODY_BYTES_MAX {
        return Err(Refusal::BodyTooLarge);
    }
    // Most bodies come in one piece, which is passed on as it is.
    let Some(second) = data(&mut body).await? else { return Ok(first) };
    let mut whole = BytesMut::with_capacity(expected.max(first.len() + second.len()));
    whole.extend_from_slice(&first);
    let mut next = Some(second);
    while let Some(piece) = next {
        if whole.len() + piece.len() > BODY_BYTES_MAX {
            return Err(Refusal::BodyTooLarge);
        }
        whole.extend_from_slice(&piece);
        next = data(&mut body).await?;
    }
    Ok(whole.freeze())
}

/// The next piece of data; trailers are passed over.
async fn data(body: &mut Incoming) -> Result<Option<Bytes>, Refusal> {
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame.map_err(|_| Refusal::BodyBroken)?.into_data() {
            return Ok(Some(data));
        }
    }
    Ok(None)
}
