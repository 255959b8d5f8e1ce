//! Clients that hold connections and hardly use them.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::load::Target;

/// Between two bytes, and before a client that was turned away comes again.
const PAUSE: Duration = Duration::from_secs(1);

/// They go when this is dropped.
#[derive(Debug)]
pub(super) struct Clients(#[expect(dead_code, reason = "dropping it ends them")] JoinSet<()>);

impl Clients {
    /// So many clients: every third is silent, every third sends a head byte by byte, and every third asks for something
    /// and takes its answer byte by byte.
    pub(super) fn start(target: Target, count: usize) -> Self {
        let mut clients = JoinSet::new();
        for number in 0..count {
            let target = target.clone();
            clients.spawn(async move {
                loop {
                    // Whatever becomes of one, another one comes.
                    let _ended = client(&target, number % 3).await;
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
    match kind {
        0 => while stream.read(&mut byte).await? > 0 {},
        1 => {
            for sent in head.bytes() {
                stream.write_all(&[sent]).await?;
                sleep(PAUSE).await;
            }
        }
        _ => {
            stream.write_all(head.as_bytes()).await?;
            while stream.read(&mut byte).await? > 0 {
                sleep(PAUSE).await;
            }
        }
    }
    Ok(())
}
