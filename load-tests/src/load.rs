//! A load on any bidder that cannot flatter it.
//!
//! Requests are due when a plan says, whatever became of those before, and times count from when a request was *due*: a
//! server that stands still, a queue for a connection and a generator that is behind all show, in every request that
//! they made wait (HdrHistogram, coordinated omission). One thread turns one loop over all connections, with a timer
//! that is exact to some tens of microseconds, so it takes little of the machine that it shares with whom it measures.

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::time::{Duration, Instant};

use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};
use rand::SeedableRng;
use rand::rngs::SmallRng;
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime,
};

mod arrivals;
mod corpus;
mod follow;
mod lane;
mod self_test;
mod tally;
mod target;
mod wire;

use arrivals::Arrivals;
pub use arrivals::{Stage, length};
pub(crate) use corpus::Source;
use corpus::{Corpus, Pick};
use lane::{Done, Lane};
pub use self_test::tried_out;
pub use tally::{Second, Tally, Times};
pub use target::Target;

use crate::exchange::answer;

/// How long answers are waited for after the last request was due.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long the loop waits at most before it looks at the time.
const LOOK: Duration = Duration::from_millis(20);
/// What a request may take of which nothing else is known.
const TMAX: Duration = Duration::from_millis(100);
/// Connections for notices, views and clicks.
const CALLING: usize = 16;
/// A request waits for a connection for this part of its `tmax` at most: an exchange whose connections to a bidder are all
/// taken holds its auction without that bidder.
const CONNECTION_SHARE: u32 = 10;
/// The timer's number among connections.
const TIMER: Token = Token(usize::MAX - 1);

/// What times count from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Loop {
    /// From when a request was due, also where it had to wait.
    Open,
    /// From when it was sent, as generators do that wait for an answer before they ask again. It flatters: this is here
    /// to show by how much.
    Closed,
}

/// A load.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) target: Target,
    /// What is asked, and in which shares.
    pub(crate) sources: Vec<(Source, f64)>,
    pub(crate) stages: Vec<Stage>,
    /// Connections for bid requests.
    pub(crate) connections: usize,
    pub(crate) counted: Loop,
    /// Whether notices, views and clicks follow bids.
    pub(crate) calls: bool,
    /// One answer in so many is looked at as a strict exchange does; 0: none.
    pub(crate) checked_one_in: u64,
    /// Answers to keep, of the first requests.
    pub(crate) kept: usize,
    /// The same seed asks the same.
    pub(crate) seed: u64,
}

/// An answer as it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Kept {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
}

/// A bid request on its way.
#[derive(Debug)]
struct Asking {
    due: Instant,
    pick: Pick,
    tmax: Duration,
}

/// Plays a load on this thread, to its end.
///
/// # Errors
/// The system gives no timer, or none of the tools to wait for sockets. A server that fails is no error: it is what is
/// measured.
pub(crate) fn play(settings: &Settings) -> io::Result<(Tally, Vec<Kept>)> {
    let poll = Poll::new()?;
    let timer = timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC)?;
    poll.registry().register(&mut SourceFd(&timer.as_raw_fd()), TIMER, Interest::READABLE)?;
    let Settings { target, sources, connections, seed, .. } = settings;
    let player = Player {
        settings,
        poll,
        timer,
        corpus: Corpus::new(sources, target, *seed),
        arrivals: Arrivals::new(settings.stages.clone(), *seed),
        random: SmallRng::seed_from_u64(seed.wrapping_add(1)),
        waiting: VecDeque::new(),
        given_up: Vec::new(),
        calls: follow::Calls::default(),
        bids: Lane::new(target.address, 0, *connections),
        calling: Lane::new(target.address, *connections, CALLING),
        start: Instant::now(),
        outcome: Outcome { flatters: settings.counted == Loop::Closed, ..Outcome::default() },
    };
    player.play()
}

struct Player<'a> {
    settings: &'a Settings,
    poll: Poll,
    timer: OwnedFd,
    corpus: Corpus,
    arrivals: Arrivals,
    random: SmallRng,
    /// Requests that are due and not sent.
    waiting: VecDeque<Asking>,
    /// When requests were due that are not sent any more, since no connection was free yet.
    given_up: Vec<Instant>,
    calls: follow::Calls,
    bids: Lane<Asking>,
    calling: Lane<()>,
    start: Instant,
    outcome: Outcome,
}

#[derive(Default)]
struct Outcome {
    tally: Tally,
    kept: Vec<Kept>,
    /// Whether times count only of what was sent and answered, as in a closed loop.
    flatters: bool,
}

impl Player<'_> {
    fn play(mut self) -> io::Result<(Tally, Vec<Kept>)> {
        let mut events = Events::with_capacity(256);
        let mut next = self.arrivals.next();
        let end = self.start + length(&self.settings.stages) + PATIENCE;
        loop {
            let now = Instant::now();
            while let Some(at) = next.filter(|at| self.start + *at <= now) {
                self.due(self.start + at);
                next = self.arrivals.next();
            }
            self.send(now);
            let idle = next.is_none() && self.waiting.is_empty() && self.bids.in_flight() == 0;
            if now >= end || idle && self.calls.len() == 0 && self.calling.in_flight() == 0 {
                break;
            }
            self.arm(now, next.map(|at| self.start + at))?;
            match self.poll.poll(&mut events, Some(LOOK)) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                polled => polled?,
            }
            for event in events.iter().filter(|event| event.token() != TIMER) {
                self.heard(event.token().0);
            }
        }
        Ok(self.finish())
    }

    fn due(&mut self, due: Instant) {
        let pick = self.corpus.pick(&mut self.random);
        let asked = self.corpus.prepared(&pick).asked.as_ref();
        let tmax = asked.map_or(TMAX, |asked| Duration::from_millis(asked.tmax_ms));
        self.outcome.tally.due += 1;
        self.outcome.tally.second(due - self.start).due += 1;
        self.waiting.push_back(Asking { due, pick, tmax });
    }

    /// Sends what is due and has a connection. What nobody would wait for any more is not sent, nor what has waited too long
    /// for a connection while all were taken.
    fn send(&mut self, now: Instant) {
        let Self { settings, corpus, waiting, given_up, bids, calling, calls, outcome, start, poll, .. } = self;
        if bids.has_room() {
            // They would have waited until now at least.
            given_up.drain(..).for_each(|due| outcome.waited(due - *start, now - due));
        }
        while let Some(first) = waiting.front() {
            let patience = if bids.has_room() { first.tmax } else { first.tmax / CONNECTION_SHARE };
            if now > first.due + patience {
                outcome.unsent(first.due - *start);
                given_up.push(first.due);
                waiting.pop_front();
                continue;
            }
            if !bids.has_room() {
                break;
            }
            let Some(asking) = waiting.pop_front() else { break };
            let pick = asking.pick.clone();
            let failed = |done: Done<'_, Asking>| outcome.failed(done.job.due - *start, now - done.job.due);
            bids.send(poll.registry(), asking, now, |out| corpus.write(&pick, out), failed);
        }
        while calling.has_room() {
            let Some((_, path)) = calls.take(now) else { break };
            let fill = |out: &mut Vec<u8>| out.extend_from_slice(wire::get(&path, &settings.target.host).as_bytes());
            calling.send(poll.registry(), (), now, fill, |_| outcome.tally.calls.failed += 1);
        }
    }

    /// Sees to it that the loop goes on when something is due.
    fn arm(&self, now: Instant, next: Option<Instant>) -> io::Result<()> {
        let Some(due) = [next, self.calls.next()].into_iter().flatten().min() else { return Ok(()) };
        // Zero would disarm it.
        let wait = due.saturating_duration_since(now).max(Duration::from_nanos(1));
        let value = Timespec::try_from(wait).map_err(|_| io::Error::other("a time beyond all times"))?;
        let once = Itimerspec { it_interval: Timespec { tv_sec: 0, tv_nsec: 0 }, it_value: value };
        timerfd_settime(&self.timer, TimerfdTimerFlags::empty(), &once)?;
        Ok(())
    }

    fn heard(&mut self, number: usize) {
        let Self { settings, corpus, bids, calling, calls, outcome, start, random, .. } = self;
        if number >= settings.connections {
            return calling.heard(number, |done| outcome.called(&done));
        }
        bids.heard(number, |done| {
            let now = Instant::now();
            let Some((status, body)) = done.answer else {
                return outcome.failed(done.job.due - *start, now - done.job.due);
            };
            outcome.answered(settings, &done, now, *start, status);
            if outcome.kept.len() < settings.kept {
                outcome.kept.push(Kept { status, body: body.to_vec() });
            }
            let answered = outcome.tally.answered();
            if settings.checked_one_in > 0 && answered.is_multiple_of(settings.checked_one_in) {
                outcome.check(corpus, &done.job.pick, status, body);
            }
            if settings.calls && status == 200 {
                calls.follow(body, &settings.target, now, random);
            }
        });
    }

    fn finish(self) -> (Tally, Vec<Kept>) {
        let Self { mut bids, mut calling, calls, mut outcome, start, waiting, given_up, .. } = self;
        let now = Instant::now();
        given_up.into_iter().for_each(|due| outcome.waited(due - start, now - due));
        bids.abandon(|done| outcome.failed(done.job.due - start, now - done.job.due));
        calling.abandon(|_| outcome.tally.calls.failed += 1);
        for asking in waiting {
            outcome.unsent(asking.due - start);
            outcome.waited(asking.due - start, now - asking.due);
        }
        outcome.tally.calls.left = calls.len() as u64;
        outcome.tally.connections = bids.opened() + calling.opened();
        (outcome.tally, outcome.kept)
    }
}

impl Outcome {
    fn answered(&mut self, settings: &Settings, done: &Done<'_, Asking>, now: Instant, start: Instant, status: u16) {
        let (from_due, from_sent) = (now - done.job.due, now - done.sent);
        let took = if settings.counted == Loop::Open { from_due } else { from_sent };
        self.tally.from_due.add(took);
        self.tally.from_sent.add(from_sent);
        *self.tally.statuses.entry(status).or_default() += 1;
        let (late, bid) = (took > done.job.tmax, status == 200);
        self.tally.late += u64::from(late);
        self.tally.good += u64::from(bid && !late);
        let second = self.tally.second(done.job.due - start);
        second.answered += 1;
        second.late += u64::from(late);
        second.good += u64::from(bid && !late);
        second.empty += u64::from(!bid && !late);
        second.took(took);
    }

    fn late(&mut self, at: Duration) {
        self.tally.late += 1;
        self.tally.second(at).late += 1;
    }

    fn unsent(&mut self, at: Duration) {
        self.tally.unsent += 1;
        self.tally.second(at).unsent += 1;
        self.late(at);
    }

    fn failed(&mut self, at: Duration, took: Duration) {
        self.tally.failed += 1;
        self.late(at);
        self.waited(at, took);
    }

    /// A request that was due `at` had to wait for so long, and was not answered then. Times would flatter without it.
    fn waited(&mut self, at: Duration, time: Duration) {
        if self.flatters {
            return;
        }
        self.tally.from_due.add(time);
        self.tally.second(at).took(time);
    }

    fn called(&mut self, done: &Done<'_, ()>) {
        let calls = &mut self.tally.calls;
        match done.answer {
            Some((200..300 | 302, _)) => calls.taken += 1,
            Some(_) => calls.refused += 1,
            None => calls.failed += 1,
        }
    }

    fn check(&mut self, corpus: &Corpus, pick: &Pick, status: u16, body: &[u8]) {
        let Some(asked) = corpus.asked(pick) else { return };
        let (_, faults) = answer::check(&asked, status, body);
        self.tally.checked += 1;
        self.tally.invalid += u64::from(!faults.is_empty());
        for fault in faults {
            self.tally.fault(format!("{fault}: {} was answered {}", asked.id, String::from_utf8_lossy(body)));
        }
    }
}
