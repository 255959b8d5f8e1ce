//! Whose turn it is where more arrives than a core can answer.
//!
//! A core goes from round to round: it looks for what has arrived, then everything that can go on does. Of the requests
//! that are in a hurry it begins a few a round, so that rounds are short and what was begun is finished soon. The others
//! wait here, and each is turned away at the last moment at which that still comes in time: until then there is hope, and
//! its connection brings nothing new. First come, first served; but once the old ones have used up half of their time, the newest
//! is served first, since otherwise everyone would be answered in the last moment (adaptive LIFO: Maurer, "Fail at Scale",
//! ACM Queue 13(8), 2015).

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::yield_now;
use tokio::time::Instant;

use super::Moment;
use crate::limits::{BEGUN_A_ROUND_MAX, WAITING_BUFFERS_KEPT_MAX};

/// The turnstile of one core.
#[derive(Debug)]
pub(super) struct Turnstile {
    /// Requests that may still be begun in this round.
    left: Cell<usize>,
    /// Oldest first.
    waiting: RefCell<Vec<Rc<Ticket>>>,
    /// Room for the bytes of those who wait.
    spare: RefCell<Vec<Vec<u8>>>,
    /// Since when the end of the round is wanted, if it is.
    since: Cell<Option<Instant>>,
    wanted: Notify,
}

/// A request that waits for its turn.
#[derive(Debug)]
pub(super) struct Ticket {
    /// When it came.
    pub(super) arrived: Moment,
    patience: Duration,
    said: Cell<Option<Turn>>,
    waker: RefCell<Option<Waker>>,
}

/// What a request that waited is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// It is begun now.
    Begin,
    /// It can no longer be answered in time.
    TurnAway,
}

impl Default for Turnstile {
    fn default() -> Self {
        let left = Cell::new(BEGUN_A_ROUND_MAX);
        let (waiting, spare) = (RefCell::default(), RefCell::default());
        Self { left, waiting, spare, since: Cell::default(), wanted: Notify::new() }
    }
}

impl Turnstile {
    /// Whether a newcomer has to wait.
    pub(super) fn is_busy(&self) -> bool {
        self.left.get() == 0 || !self.waiting.borrow().is_empty()
    }

    /// Begins a request, unless it has to wait.
    pub(super) fn begins(&self) -> bool {
        let begins = !self.is_busy();
        if begins {
            self.left.set(self.left.get() - 1);
            self.want(Instant::now);
        }
        begins
    }

    /// A place for a request that was seen at `arrived` and has to be answered within `patience`.
    ///
    /// What is seen in a round may have come when it began, and is taken to: the core looks for it only between rounds.
    pub(super) fn queue(&self, mut arrived: Moment, patience: Duration) -> Rc<Ticket> {
        arrived.clock = self.since.get().map_or(arrived.clock, |since| since.min(arrived.clock));
        let ticket = Rc::new(Ticket { arrived, patience, said: Cell::default(), waker: RefCell::default() });
        self.waiting.borrow_mut().push(Rc::clone(&ticket));
        self.want(Instant::now);
        ticket
    }

    /// Keeps the bytes of one who waits.
    pub(super) fn keep(&self, bytes: &[u8]) -> Vec<u8> {
        let mut kept = self.spare.borrow_mut().pop().unwrap_or_default();
        kept.clear();
        kept.extend_from_slice(bytes);
        kept
    }

    /// Takes their room back, for the next one.
    pub(super) fn give_back(&self, bytes: Vec<u8>) {
        let mut spare = self.spare.borrow_mut();
        if spare.len() < WAITING_BUFFERS_KEPT_MAX {
            spare.push(bytes);
        }
    }

    /// Asks for the end of the round where somebody may wait for it.
    fn want(&self, now: impl FnOnce() -> Instant) {
        let soon = self.left.get() <= BEGUN_A_ROUND_MAX / 2 || !self.waiting.borrow().is_empty();
        if soon && self.since.get().is_none() {
            self.since.set(Some(now()));
            self.wanted.notify_one();
        }
    }

    /// Ends rounds for as long as the core runs. `own_time`: within which most requests that are begun are answered.
    pub(super) async fn turn(&self, own_time: impl Fn() -> Duration) {
        loop {
            self.wanted.notified().await;
            // Comes back when everything that could go on has done so, and what has arrived meanwhile is known.
            yield_now().await;
            self.round(Instant::now(), own_time());
        }
    }

    /// A new round.
    pub(super) fn round(&self, now: Instant, own_time: Duration) {
        let took = self.since.take().map_or(Duration::ZERO, |since| now - since);
        let mut waiting = self.waiting.borrow_mut();
        waiting.retain(|ticket| {
            let in_time = now + took + own_time <= ticket.arrived.clock + ticket.patience;
            if !in_time {
                ticket.say(Turn::TurnAway);
            }
            // Its connection may have ended.
            in_time && Rc::strong_count(ticket) > 1
        });
        let begun = waiting.len().min(BEGUN_A_ROUND_MAX);
        // One with a lot of time may have become the oldest.
        let old = waiting.get(waiting.len() / 8);
        let newest_first = old.is_some_and(|old| (now - old.arrived.clock) * 2 > old.patience);
        let from = if newest_first { waiting.len() - begun } else { 0 };
        waiting.drain(from..from + begun).for_each(|ticket| ticket.say(Turn::Begin));
        drop(waiting);
        self.left.set(BEGUN_A_ROUND_MAX - begun);
        self.want(|| now);
    }
}

impl Ticket {
    fn say(&self, turn: Turn) {
        self.said.set(Some(turn));
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    /// What it is told, once it is.
    pub(super) fn poll(&self, cx: &mut Context<'_>) -> Poll<Turn> {
        if let Some(turn) = self.said.get() {
            return Poll::Ready(turn);
        }
        self.waker.replace(Some(cx.waker().clone()));
        Poll::Pending
    }

    /// Waits until it is told.
    pub(super) async fn told(&self) -> Turn {
        poll_fn(|cx| self.poll(cx)).await
    }
}

#[cfg(test)]
mod tests;
