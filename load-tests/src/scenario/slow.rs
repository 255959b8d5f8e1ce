//! Clients that hold connections and hardly use them.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::load::Target;

/// Between two bytes, and before a client that was turned away comes again.
const PAUSE: Duration = Duration::from_secs(1);

/// Requests that are sent before an answer could be taken.
const ASKED_AT_ONCE: usize = 16;

/// They go when this is dropped.
#[derive(Debug)]
pub(super) struct Clients(#[expect(dead_code, reason = "dropping it ends them")] JoinSet<()>);

impl Clients {
    /// So many clients: every fourth is silent, every fourth sends a head byte by byte, every fourth a bid request's body, and
    /// every fourth asks for more and more and takes no answer.
    pub(super) fn start(target: Target, count: usize) -> Self {
        let mut clients = JoinSet::new();
        for number in 0..count {
            let target = target.clone();
            clients.spawn(async move {
                loop {
                    // Whatever becomes of one, another one comes.
                    let _ended = client(&target, number % 4).await;
                    sleep(PAUSE).await;
                }
            });
        }
        Self(clients)
    }
}

async fn client(target: &Target, kind: usize) -> std::io::Result<()> {
    let mut stream = TcpStream::connect(target.address()).await?;
    let head = format!("GET /n/view/none HTTP/1.1\r\nhost: {}\r\nx-slow: {}\r\n\r\n", target.host(), "x".repeat(2_000));
    let mut byte = [0];
    let post = format!("POST {} HTTP/1.1\r\nhost: {}\r\ncontent-length: 2000\r\n\r\n", target.path(), target.host());
    match kind {
        0 => while stream.read(&mut byte).await? > 0 {},
        1 | 2 => {
            let slowly = if kind == 1 { head.as_str() } else { &"{".repeat(2_000) };
            if kind == 2 {
                stream.write_all(post.as_bytes()).await?;
            }
            for sent in slowly.bytes() {
                stream.write_all(&[sent]).await?;
                sleep(PAUSE).await;
            }
        }
        // Until nothing more is taken of it, since its answers fill the room for them.
        _ => loop {
            stream.write_all(head.repeat(ASKED_AT_ONCE).as_bytes()).await?;
        },
    }
    Ok(())
}
