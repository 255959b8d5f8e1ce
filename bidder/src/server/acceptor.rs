//! Takes connections in, hands them to cores, and ends it all in an orderly way.

use std::cell::RefCell;
use std::future::Future;
use std::io::{self, ErrorKind, Write};
use std::net::TcpStream;
use std::num::NonZeroUsize;
use std::panic::resume_unwind;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::thread;

use tokio::net::TcpListener;
use tokio::runtime::{Builder, LocalOptions};
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::time::{Instant, sleep, sleep_until, timeout_at};

use super::Handler;
use super::connection::Core;
use super::counters::{Count, ServerCounters};
use super::encoding::Gzip;
use super::load::{Load, Seat};
use super::readiness::Readiness;
use super::turnstile::Turnstile;
use crate::limits::{ACCEPT_PAUSE, CONNECTIONS_MAX, DRAIN_ACCEPT_TIME, DRAIN_QUIET_TIME, DRAIN_TIME_MAX};

const TOO_MANY: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";

type Handed = (TcpStream, Seat);

/// Serves until `shutdown` completes, then drains, which takes [`DRAIN_TIME_MAX`] at most.
///
/// It blocks the calling thread, which accepts; each of `cores` threads runs what `make_handler` gives it for its
/// number. `make_handler` is called on that thread, inside its runtime, so it may spawn local tasks. `shutdown` is
/// awaited on the calling thread, inside a runtime. Once it completes, `readiness` is false at once.
///
/// # Errors
/// Where the system does not give the threads, the runtimes or the listener what they need.
///
/// # Panics
/// Where `make_handler` panics.
pub fn serve<H: Handler>(
    listener: std::net::TcpListener,
    cores: NonZeroUsize,
    make_handler: impl Fn(usize) -> H + Sync,
    counters: Arc<ServerCounters>,
    readiness: Arc<Readiness>,
    shutdown: impl Future<Output = ()>,
) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let (drain, drained) = watch::channel(None);
    thread::scope(|scope| {
        let (mut hands, mut threads) = (Vec::new(), Vec::new());
        for number in 0..cores.get() {
            let (hand, handed) = mpsc::unbounded_channel();
            let (counters, readiness, drain) = (Arc::clone(&counters), Arc::clone(&readiness), drained.clone());
            let make_handler = &make_handler;
            let core = move || {
                let gzip = RefCell::new(Gzip::new());
                let turnstile = Turnstile::default();
                run_core(handed, || Core {
                    number,
                    handler: make_handler(number),
                    counters,
                    readiness,
                    drain,
                    gzip,
                    turnstile,
                    pushed: Semaphore::new(1),
                })
            };
            threads.push(thread::Builder::new().name(format!("http-{number}")).spawn_scoped(scope, core)?);
            hands.push(hand);
        }
        let load = Arc::new(Load::new(cores.get(), Arc::clone(&counters)));
        let acceptor = Acceptor { hands, load, counters, readiness, drain };
        let accepted = runtime.block_on(acceptor.run(listener, shutdown));
        for core in threads {
            core.join().unwrap_or_else(|panic| resume_unwind(panic))?;
        }
        accepted
    })
}

/// Serves the connections handed over until the acceptor hangs up; those still open then are dropped.
fn run_core<H: Handler>(mut handed: mpsc::UnboundedReceiver<Handed>, core: impl FnOnce() -> Core<H>) -> io::Result<()> {
    let runtime = Builder::new_current_thread().enable_all().build_local(LocalOptions::default())?;
    runtime.block_on(async {
        let core = Rc::new(core());
        let turned = Rc::clone(&core);
        tokio::task::spawn_local(async move { turned.turnstile.turn(|| turned.handler.own_time()).await });
        while let Some((stream, seat)) = handed.recv().await {
            let core = Rc::clone(&core);
            tokio::task::spawn_local(async move {
                match tokio::net::TcpStream::from_std(stream) {
                    Ok(stream) => core.serve(stream).await,
                    Err(error) => core.not_served(&error),
                }
                drop(seat);
            });
        }
        Ok(())
    })
}

/// The acceptor's side of the cores.
struct Acceptor {
    hands: Vec<mpsc::UnboundedSender<Handed>>,
    load: Arc<Load>,
    counters: Arc<ServerCounters>,
    readiness: Arc<Readiness>,
    drain: watch::Sender<Option<Instant>>,
}

impl Acceptor {
    async fn run(self, listener: std::net::TcpListener, shutdown: impl Future<Output = ()>) -> io::Result<()> {
        let listener = TcpListener::from_std(listener)?;
        let mut shutdown = pin!(shutdown);
        loop {
            tokio::select! {
                biased;
                () = &mut shutdown => break,
                stream = self.next(&listener) => self.hand_over(stream)?,
            }
        }
        self.drain(listener).await
    }

    /// New connections are welcome for a while: whoever balances load has yet to notice.
    async fn drain(&self, listener: TcpListener) -> io::Result<()> {
        let began = Instant::now();
        self.readiness.drain();
        self.drain.send_replace(Some(began));
        let mut last_call = pin!(sleep_until(began + DRAIN_ACCEPT_TIME));
        loop {
            tokio::select! {
                biased;
                () = &mut last_call => break,
                stream = self.next(&listener) => self.hand_over(stream)?,
                () = self.quiet() => break,
            }
        }
        // Connections that wait in the listener's queue would be reset with it.
        let listener = listener.into_std()?;
        for _ in 0..CONNECTIONS_MAX {
            let Ok((stream, _)) = listener.accept() else { break };
            if stream.set_nonblocking(true).is_ok() {
                self.hand_over(stream)?;
            }
        }
        drop(listener);
        if timeout_at(began + DRAIN_TIME_MAX, self.load.emptied()).await.is_err() {
            self.counters.add(0, Count::DrainAborted, self.load.total() as u64);
        }
        Ok(())
    }

    /// Waits until no connection has been open for a while.
    async fn quiet(&self) {
        self.load.emptied().await;
        sleep(DRAIN_QUIET_TIME).await;
    }

    async fn next(&self, listener: &TcpListener) -> TcpStream {
        loop {
            match listener.accept().await.and_then(|(stream, _)| stream.into_std()) {
                Ok(stream) => return stream,
                // The client left while it waited in the queue.
                Err(error) if matches!(error.kind(), ErrorKind::ConnectionAborted | ErrorKind::Interrupted) => {}
                Err(error) => {
                    self.counters.add(0, Count::AcceptFailed, 1);
                    tracing::error!(%error, "no connection could be accepted");
                    sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    fn hand_over(&self, mut stream: TcpStream) -> io::Result<()> {
        if self.load.total() >= CONNECTIONS_MAX {
            self.counters.add(0, Count::Refused, 1);
            // A courtesy: the close says it too, where this does not arrive.
            let _ = stream.write(TOO_MANY);
            return Ok(());
        }
        // Fails where the client is already gone, which its core will notice.
        let _ = stream.set_nodelay(true);
        let seat = self.load.seat();
        let hand = &self.hands[seat.core()];
        hand.send((stream, seat)).map_err(|_| io::Error::other("a core has stopped"))
    }
}

#[cfg(test)]
mod tests;
