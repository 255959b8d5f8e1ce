//! Keep-alive connections to one bidder.

use std::cell::{Cell, RefCell};
use std::io::Write;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::{Method, Request, header};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::request::Asked;

/// What came back.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) location: Option<String>,
    pub(super) body: Bytes,
}

/// Connections to the nodes of one bidder, used again while they work.
pub(super) struct Client {
    nodes: Vec<Node>,
    turn: Cell<usize>,
}

/// One address.
struct Node {
    authority: String,
    bid_path: String,
    idle: RefCell<Vec<SendRequest<Full<Bytes>>>>,
}

type Failed = Box<dyn std::error::Error + Send + Sync>;

impl Client {
    /// A client of nodes at `http://host:port/path`.
    ///
    /// # Errors
    /// The first that is anything else.
    pub(super) fn new(bid_urls: &[String]) -> Result<Self, String> {
        let node = |url: &String| {
            let (authority, path) = split(url).ok_or_else(|| url.clone())?;
            Ok(Node { authority: authority.to_owned(), bid_path: path.to_owned(), idle: RefCell::default() })
        };
        Ok(Self { nodes: bid_urls.iter().map(node).collect::<Result<_, String>>()?, turn: Cell::default() })
    }

    /// How many nodes there are.
    pub(super) fn nodes(&self) -> usize {
        self.nodes.len()
    }

    /// The node whose turn it is.
    pub(super) fn next_node(&self) -> usize {
        self.turn.replace((self.turn.get() + 1) % self.nodes.len())
    }

    /// Sends a bid request to a node.
    pub(super) async fn bid(&self, node: usize, asked: &Asked) -> Result<Answer, Failed> {
        let node = &self.nodes[node];
        let mut request = Request::builder()
            .method(Method::POST)
            .uri(&node.bid_path)
            .header(header::HOST, &node.authority)
            .header(header::CONTENT_TYPE, "application/json; charset=utf-8")
            .header("x-openrtb-version", "2.5");
        let mut body = asked.body.clone();
        if asked.gzip {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
            encoder.write_all(&body)?;
            body = Bytes::from(encoder.finish()?);
            request = request.header(header::CONTENT_ENCODING, "gzip");
        }
        node.send(request.body(Full::new(body))?).await
    }

    /// Calls a notice's URL at a node. It must be of the same bidder: an exchange of ours calls nobody else.
    pub(super) async fn call(&self, node: usize, url: &str) -> Result<Answer, Failed> {
        let (authority, path) = split(url).ok_or("no http URL")?;
        if self.nodes.iter().all(|node| node.authority != authority) {
            return Err(format!("{authority} is not the bidder").into());
        }
        let (node, path) = (&self.nodes[node], encoded(path));
        let request = Request::builder().uri(path).header(header::HOST, &node.authority).body(Full::default())?;
        node.send(request).await
    }
}

impl Node {
    async fn send(&self, request: Request<Full<Bytes>>) -> Result<Answer, Failed> {
        let mut sender = self.connection().await?;
        let answer = sender.send_request(request).await?;
        let status = answer.status().as_u16();
        let location = answer.headers().get(header::LOCATION).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let body = answer.into_body().collect().await?.to_bytes();
        self.idle.borrow_mut().push(sender);
        Ok(Answer { status, location, body })
    }

    async fn connection(&self) -> Result<SendRequest<Full<Bytes>>, Failed> {
        loop {
            let Some(mut idle) = self.idle.borrow_mut().pop() else { break };
            if idle.ready().await.is_ok() {
                return Ok(idle);
            }
        }
        let stream = TcpStream::connect(&self.authority).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await?;
        tokio::task::spawn_local(async move {
            // A broken connection shows in the request that was on it.
            let _ended = connection.await;
        });
        Ok(sender)
    }
}

fn split(url: &str) -> Option<(&str, &str)> {
    let rest = url.strip_prefix("http://")?;
    let slash = rest.find('/')?;
    Some(rest.split_at(slash)).filter(|(authority, _)| !authority.is_empty())
}

/// Macros that were left standing have characters that a request line must not have.
fn encoded(path: &str) -> String {
    path.replace("${", "%24%7B").replace('}', "%7D").replace(' ', "%20")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_http_urls_with_a_path_are_taken() {
        assert_eq!(split("http://127.0.0.1:8080/bid/demo"), Some(("127.0.0.1:8080", "/bid/demo")));
        for bad in ["https://a/b", "http://a", "http:///b", "a/b"] {
            assert_eq!(split(bad), None, "{bad}");
        }
    }
}
