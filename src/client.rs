//! Asks a running process on its admin port.

use bytes::Bytes;
use http::{Method, Request, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Incoming};
use hyper_util::rt::TokioIo;
use serde::de::DeserializeOwned;
use tokio::net::TcpStream;

/// Address and port of an admin port.
#[derive(Debug)]
pub(crate) struct AdminAddress(pub(crate) String);

/// Why there is no answer, in a sentence.
#[derive(Debug)]
pub(crate) enum Unanswered {
    /// Nothing was asked.
    Unreachable(String),
    /// It was asked, and may be done.
    BrokeOff(String),
}

impl From<Unanswered> for String {
    fn from(why: Unanswered) -> Self {
        let (Unanswered::Unreachable(why) | Unanswered::BrokeOff(why)) = why;
        why
    }
}

impl From<String> for Unanswered {
    fn from(why: String) -> Self {
        Self::Unreachable(why)
    }
}

/// Sends one request and returns the answer as it begins, so that a long one can be read while it is written.
///
/// # Errors
/// Nothing answers at that address.
pub(crate) async fn send<B>(
    admin: &AdminAddress,
    method: Method,
    path: &str,
    body: B,
) -> Result<http::Response<Incoming>, Unanswered>
where
    B: Body<Data: Send, Error: std::error::Error + Send + Sync> + Send + 'static,
{
    let address = admin.0.trim_start_matches("http://").trim_end_matches('/');
    let hint = "is vernier running, and is that its admin port?";
    let nothing = |problem: &dyn std::fmt::Display| format!("cannot reach http://{address}: {problem}; {hint}");
    let stream = TcpStream::connect(address).await.map_err(|problem| nothing(&problem))?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(|problem| nothing(&problem))?;
    tokio::spawn(connection);
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header(header::HOST, address)
        .header(header::CONTENT_TYPE, "application/json")
        .body(body)
        .map_err(|problem| problem.to_string())?;
    sender.send_request(request).await.map_err(|problem| Unanswered::BrokeOff(nothing(&problem)))
}

/// Sends `body` and returns status and answer.
///
/// # Errors
/// Nothing answers at that address, or not to the end.
pub(crate) fn ask(
    admin: &AdminAddress,
    method: Method,
    path: &str,
    body: Bytes,
) -> Result<(StatusCode, Bytes), Unanswered> {
    block_on(async {
        let answer = send(admin, method, path, Full::new(body)).await?;
        let status = answer.status();
        let broke_off = |problem| Unanswered::BrokeOff(format!("the answer broke off: {problem}"));
        let body = answer.into_body().collect().await.map_err(broke_off)?;
        Ok((status, body.to_bytes()))
    })
}

/// Reads an answer.
///
/// # Errors
/// A sentence with the answer, where it is not what it should be.
pub(crate) fn read<T: DeserializeOwned>(status: StatusCode, body: &[u8]) -> Result<T, String> {
    serde_json::from_slice(body).map_err(|_| format!("answered {status}: {}", String::from_utf8_lossy(body)))
}

/// Runs one conversation. What still reads a file when it ends is not waited for.
///
/// # Errors
/// Where no runtime can be made, or as the conversation says.
pub(crate) fn block_on<T, E: From<String>>(conversation: impl Future<Output = Result<T, E>>) -> Result<T, E> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|problem| problem.to_string())?;
    let ended = runtime.block_on(conversation);
    runtime.shutdown_background();
    ended
}
