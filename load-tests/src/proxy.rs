//! Stands between a program and a server, and misbehaves on demand: for tests of what a program does when the network or
//! the server fails it.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep, sleep_until};

/// Bytes that are taken at once.
const CHUNK_BYTES: usize = 16 * 1024;
/// Chunks that are on their way in one direction, before no more are taken.
const CHUNKS_MAX: usize = 256;

/// What the way between program and server does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Passes everything on.
    None,
    /// Passes everything on, so much later, in each direction.
    Latency(Duration),
    /// Passes nothing on, and closes nothing; what is held comes through when the fault ends, as TCP sends it again.
    Blackhole,
    /// Resets every connection, and every new one.
    Reset,
    /// Loses the server without a word to the program: what it sends is swallowed, and that connection never recovers.
    HalfOpen,
    /// So many bytes a second, in each direction of each connection.
    Bandwidth(u32),
}

/// A running proxy. It ends when it is dropped.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    fault: watch::Sender<Fault>,
    task: tokio::task::JoinHandle<()>,
}

impl Proxy {
    /// Passes connections on to `to`, from a free port of the loopback.
    ///
    /// # Errors
    /// Where no port can be listened on.
    pub async fn start(to: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let (fault, faults) = watch::channel(Fault::None);
        let task = tokio::spawn(accept(listener, to, faults));
        Ok(Self { address, fault, task })
    }

    /// Where the program connects to.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Behaves like that from now on.
    pub fn set(&self, fault: Fault) {
        self.fault.send_replace(fault);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(listener: TcpListener, to: SocketAddr, faults: watch::Receiver<Fault>) {
    let mut connections = tokio::task::JoinSet::new();
    while let Ok((client, _)) = listener.accept().await {
        connections.spawn(connection(client, to, faults.clone()));
    }
}

async fn connection(client: TcpStream, to: SocketAddr, mut faults: watch::Receiver<Fault>) {
    if *faults.borrow() == Fault::Reset {
        return reset(&client);
    }
    // A program that connects through a blackhole waits for its end.
    let _sender_is_gone = faults.wait_for(|fault| *fault != Fault::Blackhole).await.is_err();
    let Ok(server) = TcpStream::connect(to).await else { return reset(&client) };
    // Where they delay small writes, the figures are theirs and not the fault's.
    let _may_be_gone = (client.set_nodelay(true), server.set_nodelay(true));
    let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
    tokio::select! {
        () = pass(from_client, to_server, faults.clone()) => {}
        () = pass(from_server, to_client, faults.clone()) => {}
    }
}

fn reset(socket: &TcpStream) {
    // Closed with the linger time at zero, a connection is reset.
    let _may_be_gone = socket.set_zero_linger();
}

/// Passes one direction on until either side ends it or the fault does.
async fn pass(mut from: OwnedReadHalf, to: OwnedWriteHalf, mut faults: watch::Receiver<Fault>) {
    let (chunks, sent) = mpsc::channel(CHUNKS_MAX);
    let sender = tokio::spawn(send(to, sent));
    let mut chunk = vec![0; CHUNK_BYTES];
    let mut lost = false;
    loop {
        let read = tokio::select! {
            read = from.read(&mut chunk) => read.unwrap_or(0),
            changed = faults.changed() => {
                if changed.is_err() || *faults.borrow() == Fault::Reset {
                    reset(from.as_ref());
                    break;
                }
                lost |= *faults.borrow() == Fault::HalfOpen;
                continue;
            }
        };
        if read == 0 {
            break;
        }
        if faults.wait_for(|fault| *fault != Fault::Blackhole).await.is_err() {
            break;
        }
        let fault = *faults.borrow();
        if fault == Fault::Reset {
            reset(from.as_ref());
            break;
        }
        lost |= fault == Fault::HalfOpen;
        if lost {
            continue;
        }
        let late = if let Fault::Latency(late) = fault { late } else { Duration::ZERO };
        if chunks.send((Instant::now() + late, chunk[..read].to_vec())).await.is_err() {
            break;
        }
        if let Fault::Bandwidth(bytes_per_s) = fault {
            sleep(Duration::from_secs_f64(read as f64 / f64::from(bytes_per_s.max(1)))).await;
        }
    }
    sender.abort();
}

async fn send(mut to: OwnedWriteHalf, mut chunks: mpsc::Receiver<(Instant, Vec<u8>)>) {
    while let Some((at, chunk)) = chunks.recv().await {
        sleep_until(at).await;
        if to.write_all(&chunk).await.is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests;
