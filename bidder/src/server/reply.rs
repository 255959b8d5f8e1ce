//! What a handler answers, and how it is put on the wire.

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_ENCODING, CONTENT_TYPE, LOCATION, VARY};
use http::{HeaderValue, Response, StatusCode};
use http_body_util::Full;

use super::Fields;

/// A handler's answer. `content-length` and `date` are added; `content-encoding` too, where the body was compressed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The status.
    pub status: StatusCode,
    /// The type of the body, where there is one.
    pub content_type: Option<HeaderValue>,
    /// Where to go instead, for redirects.
    pub location: Option<HeaderValue>,
    /// The body.
    pub body: Bytes,
    /// Whether to close the connection after this answer.
    pub close: bool,
}

impl Reply {
    /// An answer without a body.
    pub const fn empty(status: StatusCode) -> Self {
        Self { status, content_type: None, location: None, body: Bytes::new(), close: false }
    }

    /// 200 with a body.
    pub fn ok(content_type: HeaderValue, body: Bytes) -> Self {
        Self { content_type: Some(content_type), body, ..Self::empty(StatusCode::OK) }
    }

    /// 302 to `location`, which the caller vouches for.
    pub fn redirect(location: HeaderValue) -> Self {
        Self { location: Some(location), ..Self::empty(StatusCode::FOUND) }
    }

    /// An answer without a body that ends the connection.
    pub(super) fn closing(status: StatusCode) -> Self {
        Self { close: true, ..Self::empty(status) }
    }

    /// The answer as hyper takes it, with header fields besides its own; `compressed` is the body in gzip, where the client
    /// is to get that.
    pub(super) fn into_response(self, fields: Fields, compressed: Option<Bytes>) -> Response<Full<Bytes>> {
        let gzip = compressed.is_some();
        let mut response = Response::new(Full::new(compressed.unwrap_or(self.body)));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        if let Some(content_type) = self.content_type {
            headers.insert(CONTENT_TYPE, content_type);
        }
        if let Some(location) = self.location {
            headers.insert(LOCATION, location);
        }
        for (name, value) in fields {
            headers.insert(name, value.clone());
        }
        if gzip {
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
            headers.insert(VARY, HeaderValue::from_static("accept-encoding"));
        }
        if self.close {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}
