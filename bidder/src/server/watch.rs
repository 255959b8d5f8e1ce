//! What a connection waits for, and since when.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

use super::Moment;
use super::counters::Count;
use super::framing::Framing;
use super::turnstile::Turn;
use crate::limits::{ANSWER_TIME_MAX, DRAIN_IDLE, HEAD_TIME_MAX, IDLE_TIME_MAX};

/// What a connection waits for, and since when: written by its I/O ([`Watched`]) and by the answering of its requests,
/// read by its clock.
#[derive(Debug)]
pub(super) struct Watch {
    framing: RefCell<Framing>,
    requests: Cell<u64>,
    /// Since when the client is awaited: for the first byte of a head, or, once that has come, for the rest of it.
    awaited: Cell<Instant>,
    answering: Cell<bool>,
    /// Whether the next request began to come before the last one was answered.
    pushed: Cell<bool>,
    /// Whether hyper has, or soon will have, something to write.
    unwritten: Cell<bool>,
    blocked: Cell<Option<Instant>>,
    /// Whether a request waits in front of hyper.
    held: Cell<bool>,
    /// When the request had arrived that was passed on after it had waited, and what it was told.
    told: Cell<Option<(Moment, Turn)>>,
}

impl Watch {
    pub(super) fn new() -> Self {
        Self {
            framing: RefCell::default(),
            requests: Cell::new(0),
            awaited: Cell::new(Instant::now()),
            answering: Cell::new(false),
            pushed: Cell::new(false),
            unwritten: Cell::new(false),
            blocked: Cell::new(None),
            held: Cell::new(false),
            told: Cell::new(None),
        }
    }

    /// A request's head was complete. Says whether it is clear where the request ends: it has one length or none, and
    /// hyper and [`Framing`] saw its head end alike.
    pub(super) fn request(&self) -> bool {
        self.requests.set(self.requests.get() + 1);
        self.answering.set(true);
        self.unwritten.set(true);
        let framing = self.framing.borrow();
        !framing.is_ambiguous(self.requests.get()) && framing.heads() >= self.requests.get()
    }

    /// The request's answer is ready to be written.
    pub(super) fn answered(&self) {
        self.answering.set(false);
        self.pushed.set(self.has_more());
        self.awaited.set(Instant::now());
    }

    /// Whether the request at hand began to come before the one ahead of it was answered.
    pub(super) fn is_pushed(&self) -> bool {
        self.pushed.get()
    }

    /// Whether the beginning of another request has already come.
    pub(super) fn has_more(&self) -> bool {
        let framing = self.framing.borrow();
        framing.in_head() || framing.heads() > self.requests.get()
    }

    /// Whether the client waits for nothing, and has sent nothing yet of what it will ask next.
    pub(super) fn at_rest(&self) -> bool {
        let framing = self.framing.borrow();
        let all_answered = framing.heads() == self.requests.get() && !self.unwritten.get();
        framing.is_between() && all_answered && self.blocked.get().is_none()
    }

    /// A request waits in front of hyper: the client is not awaited.
    pub(super) fn holds(&self) {
        self.held.set(true);
    }

    /// The request that waited in front of hyper since `arrived` is passed on, and was told this.
    pub(super) fn passes(&self, arrived: Moment, turn: Turn) {
        self.held.set(false);
        self.told.set(Some((arrived, turn)));
    }

    /// When the request that hyper has just seen had arrived, and what it was told, if it has waited for its turn.
    pub(super) fn told(&self) -> Option<(Moment, Turn)> {
        self.told.take()
    }

    /// The request that waited was answered in front of hyper.
    pub(super) fn turned_away(&self) {
        self.held.set(false);
        self.awaited.set(Instant::now());
    }

    /// Waits until something has taken too long: what it is counted as. `sleep` may be set to any time.
    pub(super) async fn expired(&self, draining: Option<Instant>, mut sleep: Pin<&mut Sleep>) -> Count {
        poll_fn(|cx| {
            loop {
                let Some((deadline, what)) = self.deadline(draining) else { return Poll::Pending };
                // The clock is seldom set: it may ring early and is then set again, but never late.
                if deadline < sleep.deadline() {
                    sleep.as_mut().reset(deadline);
                }
                ready!(sleep.as_mut().poll(cx));
                if Instant::now() >= deadline {
                    return Poll::Ready(what);
                }
                sleep.as_mut().reset(deadline);
            }
        })
        .await
    }

    fn deadline(&self, draining: Option<Instant>) -> Option<(Instant, Count)> {
        let awaited = self.awaited.get();
        if let Some(since) = self.blocked.get() {
            Some((since + ANSWER_TIME_MAX, Count::AnswerLate))
        } else if self.answering.get() || self.held.get() {
            None
        } else if self.has_more() {
            Some((awaited + HEAD_TIME_MAX, Count::HeadLate))
        } else if let Some(began) = draining {
            Some((awaited.max(began) + DRAIN_IDLE, Count::Idle))
        } else {
            Some((awaited + IDLE_TIME_MAX, Count::Idle))
        }
    }

    fn has_read(&self, bytes: &[u8]) {
        let waited = !self.has_more();
        self.framing.borrow_mut().follow(bytes);
        if waited && self.has_more() && !self.answering.get() {
            self.awaited.set(Instant::now());
        }
    }

    fn has_written<T>(&self, outcome: &Poll<io::Result<T>>) {
        if outcome.is_pending() && self.blocked.get().is_none() {
            self.blocked.set(Some(Instant::now()));
        }
    }
}

/// A connection's I/O under watch.
#[derive(Debug)]
pub(super) struct Watched<'a, IO> {
    pub(super) io: IO,
    pub(super) watch: &'a Watch,
}

impl<IO: AsyncRead + Unpin> AsyncRead for Watched<'_, IO> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let outcome = Pin::new(&mut self.io).poll_read(cx, buf);
        self.watch.has_read(&buf.filled()[before..]);
        outcome
    }
}

impl<IO: AsyncWrite + Unpin> AsyncWrite for Watched<'_, IO> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.io).poll_write(cx, bytes);
        self.watch.has_written(&outcome);
        outcome
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.io).poll_write_vectored(cx, slices);
        self.watch.has_written(&outcome);
        outcome
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    /// hyper flushes when it has nothing left to write: the client has taken its answer.
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let outcome = Pin::new(&mut self.io).poll_flush(cx);
        if outcome.is_ready() {
            self.watch.unwritten.set(self.watch.answering.get());
            self.watch.blocked.set(None);
        }
        outcome
    }

    /// hyper is done with the connection. Whoever lent it closes it.
    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
