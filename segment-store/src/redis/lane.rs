//! A connection of one thread: opened when it is first needed, given up when it does not answer, mended behind it.

use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use decision::ids::IdHash;
use decision::profile::UnknownWhy;
use tokio::task::yield_now;
use tokio::time::{Instant, sleep, timeout_at};

use super::RedisOptions;
use super::link::{Answer, Link, Record, SLOTS, slot};
use crate::limits::{
    REDIS_CLOCK_LATE, REDIS_FAILING_BUSY_MIN, REDIS_FAILING_MIN, REDIS_FAILURES_MAX, REDIS_IN_FLIGHT_MAX,
    REDIS_MEND_INTERVAL, REDIS_REGIONS, REDIS_RESPONSE_TIMEOUT, REDIS_SAID_INTERVAL,
};

/// A connection that mends itself. It belongs to the runtime on which it is first used; clones share it.
#[derive(Clone)]
pub(super) struct Lane(Arc<State>);

struct State {
    options: Arc<RedisOptions>,
    link: Mutex<Option<Link>>,
    /// Held by whoever opens a connection.
    opening: tokio::sync::Mutex<()>,
    /// Parts of the keys: of a cluster, one may be down while the others answer.
    regions: [Region; REDIS_REGIONS],
    in_flight: AtomicUsize,
}

#[derive(Default)]
struct Region {
    /// Since the last answer.
    failures: Mutex<Failures>,
    /// Given up until it is mended.
    given_up: AtomicBool,
}

/// Look-ups that failed, one after the other.
#[derive(Default)]
struct Failures {
    count: u32,
    first: Option<Instant>,
}

impl Region {
    /// Counts a failure. Says whether that were enough: many, and for a while, since a single pause of Redis fails as many as
    /// are under way; and for a long while where it may have been this core that was `busy`.
    fn failed(&self, now: Instant, busy: bool) -> Option<u32> {
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        failures.count += 1;
        let since = *failures.first.get_or_insert(now);
        let time = if busy { REDIS_FAILING_BUSY_MIN } else { REDIS_FAILING_MIN };
        (failures.count >= REDIS_FAILURES_MAX && now - since >= time).then_some(failures.count)
    }

    fn answered(&self) {
        *self.failures.lock().unwrap_or_else(PoisonError::into_inner) = Failures::default();
    }
}

impl Lane {
    pub(super) fn new(options: Arc<RedisOptions>) -> Self {
        Self(Arc::new(State {
            options,
            link: Mutex::default(),
            opening: tokio::sync::Mutex::default(),
            regions: Default::default(),
            in_flight: AtomicUsize::new(0),
        }))
    }

    /// The record of each id, by `deadline` and within the time for a look-up.
    pub(super) async fn read(&self, ids: &[IdHash], deadline: Instant) -> Result<Vec<Record>, UnknownWhy> {
        if ids.iter().any(|id| self.region(id).given_up.load(Ordering::Relaxed)) {
            return Err(UnknownWhy::Failed);
        }
        let Some(_place) = self.place() else { return Err(UnknownWhy::Late) };
        let now = Instant::now();
        // The timer below is a millisecond coarse.
        if now >= deadline {
            return Err(UnknownWhy::Late);
        }
        let patience = self.0.options.lookup_timeout;
        let mut answers = vec![None; ids.len()];
        let asked = async {
            if let Ok(mut link) = self.link().await {
                link.fetch_each(ids, &mut answers).await;
            }
        };
        let waited = wait(asked, patience, deadline).await;
        // An exchange in a hurry says nothing of Redis, nor does a core that is busy.
        let busy = matches!(waited, Waited::TooLong { rang_late: true });
        let time = matches!(waited, Waited::Done(())) || now + patience <= deadline;
        self.judge(ids, &answers, time, busy);
        let records = answers.into_iter().map(|answer| match answer {
            Some(Ok(record)) => Ok(record),
            None if matches!(waited, Waited::TooLong { .. }) => Err(UnknownWhy::Late),
            _ => Err(UnknownWhy::Failed),
        });
        records.collect()
    }

    /// Counts, once for each region, whether it answered; of no answer only where there was `time` enough for one.
    fn judge(&self, ids: &[IdHash], answers: &[Answer], time: bool, busy: bool) {
        let mut failed = [false; REDIS_REGIONS];
        for (id, answer) in ids.iter().zip(answers) {
            let region = self.region_of(id);
            match answer {
                Some(Ok(_)) => self.0.regions[region].answered(),
                // The record is no record; Redis is there.
                Some(Err(error)) if error.code() == Some("WRONGTYPE") => {}
                None if !time => {}
                _ if failed[region] => {}
                _ => {
                    failed[region] = true;
                    self.failed(id, busy);
                }
            }
        }
    }

    /// The connection; opened where there is none. Waits for as long as opening takes, not for a mend.
    pub(super) async fn link(&self) -> Result<Link, String> {
        if let Some(link) = self.current() {
            return Ok(link);
        }
        // Many may come at once: one opens, the others take what it opened.
        let _turn = self.0.opening.lock().await;
        if let Some(link) = self.current() {
            return Ok(link);
        }
        let link = Link::open(&self.0.options).await?;
        self.set(Some(link.clone()));
        Ok(link)
    }

    /// Gives the connection up after a failure; the next one who needs it opens another.
    pub(super) fn drop_link(&self) {
        self.set(None);
    }

    fn current(&self) -> Option<Link> {
        self.0.link.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, link: Option<Link>) {
        *self.0.link.lock().unwrap_or_else(PoisonError::into_inner) = link;
    }

    fn region(&self, id: &IdHash) -> &Region {
        &self.0.regions[self.region_of(id)]
    }

    fn region_of(&self, id: &IdHash) -> usize {
        if !self.0.options.cluster {
            return 0;
        }
        // A run of slots belongs to one master.
        usize::from(slot(id)) * REDIS_REGIONS / usize::from(SLOTS)
    }

    fn failed(&self, id: &IdHash, busy: bool) {
        let region = self.region(id);
        if let Some(failures) = region.failed(Instant::now(), busy)
            && !region.given_up.swap(true, Ordering::Relaxed)
        {
            tracing::warn!(failures, "Redis does not answer: look-ups are given up until it does");
            tokio::spawn(self.clone().mend(*id));
        }
    }

    /// Opens connections until one answers for `id` in the time that a look-up has.
    async fn mend(self, id: IdHash) {
        let since = Instant::now();
        let mut told = since;
        loop {
            let why = match self.try_again(&id).await {
                Ok(link) => {
                    self.set(Some(link));
                    break;
                }
                Err(why) => why,
            };
            if told.elapsed() >= REDIS_SAID_INTERVAL {
                told = Instant::now();
                tracing::warn!(since = ?since.elapsed(), "Redis cannot be used: {why}");
            }
            sleep(REDIS_MEND_INTERVAL).await;
        }
        let region = self.region(&id);
        region.answered();
        region.given_up.store(false, Ordering::Relaxed);
        tracing::info!(after = ?since.elapsed(), "Redis answers again");
    }

    /// A new connection that answers for `id` in the time that a look-up has.
    async fn try_again(&self, id: &IdHash) -> Result<Link, String> {
        let link = Link::open(&self.0.options).await?;
        let deadline = Instant::now() + REDIS_RESPONSE_TIMEOUT;
        match wait(link.fetch(&[*id]), self.0.options.lookup_timeout, deadline).await {
            Waited::Done(Ok(_)) => Ok(link),
            Waited::Done(Err(error)) => Err(error.to_string()),
            Waited::TooLong { .. } => Err("it does not answer in time".to_owned()),
        }
    }

    /// Room for one more look-up, if there is any.
    fn place(&self) -> Option<Place<'_>> {
        let before = self.0.in_flight.fetch_add(1, Ordering::Relaxed);
        let place = Place(&self.0.in_flight);
        (before < REDIS_IN_FLIGHT_MAX).then_some(place)
    }
}

/// What became of something that was waited for.
enum Waited<T> {
    Done(T),
    /// `rang_late`: this core was so busy that the clock says nothing of Redis.
    TooLong {
        rang_late: bool,
    },
}

/// Waits for an answer of Redis for so much `time`, and again as much where the clock rings late: this core was busy
/// meanwhile, which Redis can do nothing for. At `deadline` it is over.
async fn wait<T>(answer: impl Future<Output = T>, time: Duration, deadline: Instant) -> Waited<T> {
    let mut answer = pin!(answer);
    loop {
        let limit = deadline.min(Instant::now() + time);
        if let Ok(done) = timeout_at(limit, answer.as_mut()).await {
            return Waited::Done(done);
        }
        let now = Instant::now();
        let rang_late = now > limit + REDIS_CLOCK_LATE;
        if !rang_late || now >= deadline {
            // Answers may have come that are not read yet: once they are, it is looked a last time.
            yield_now().await;
            return timeout_at(limit, answer).await.map_or(Waited::TooLong { rang_late }, Waited::Done);
        }
    }
}

/// A look-up in flight.
struct Place<'a>(&'a AtomicUsize);

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Plays look-ups of one region: `f` fails, `b` fails on a busy core, and `a` is answered, at a millisecond. Whether Redis
    /// is given up at the end.
    fn check(script: &str, given_up: bool) {
        let (region, start) = (Region::default(), Instant::now());
        let mut enough = None;
        for word in script.split_whitespace() {
            let (ms, what) = word.split_once(':').expect("a time");
            let now = start + Duration::from_millis(ms.parse().expect("a number"));
            for event in what.chars() {
                match event {
                    'f' | 'b' => enough = region.failed(now, event == 'b'),
                    _ => region.answered(),
                }
            }
        }
        assert_eq!(enough.is_some(), given_up, "{script}");
    }

    #[test]
    fn a_pause_that_fails_many_at_once_is_no_end() {
        assert_eq!((REDIS_FAILURES_MAX, REDIS_FAILING_MIN), (16, Duration::from_millis(100)));
        check(&format!("0:{}", "f".repeat(500)), false);
        check(&format!("0:{} 99:f", "f".repeat(500)), false);
        check(&format!("0:{} 50:a 100:{}", "f".repeat(500), "f".repeat(500)), false);
    }

    #[test]
    fn failures_that_go_on_are() {
        check(&format!("0:{} 100:f", "f".repeat(15)), true);
        check(&format!("0:{} 100:f", "f".repeat(14)), false);
        check(&format!("0:a 7:{} 500:{}", "f".repeat(3), "f".repeat(13)), true);
    }

    #[test]
    fn on_a_busy_core_they_have_to_go_on_for_longer() {
        check(&format!("0:{} 999:b", "b".repeat(500)), false);
        check(&format!("0:{} 1000:b", "b".repeat(15)), true);
        check(&format!("0:{} 100:f", "b".repeat(15)), true);
    }

    /// Waits for an answer that comes after so many milliseconds, on a core that stands still for so many at once: in how many
    /// it is there, or how it was not.
    async fn check_wait(comes_ms: u64, still_ms: u64, expected: Result<u64, bool>) {
        let ms = Duration::from_millis;
        let start = Instant::now();
        let answer = async {
            let deadline = start + ms(comes_ms);
            while Instant::now() < deadline {
                tokio::time::advance(ms(still_ms)).await;
            }
        };
        let waited = match wait(answer, ms(10), start + ms(100)).await {
            Waited::Done(()) => Ok(start.elapsed().as_millis() as u64),
            Waited::TooLong { rang_late } => Err(rang_late),
        };
        assert_eq!(waited, expected, "{comes_ms} {still_ms}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_clock_that_rings_late_is_set_again() {
        check_wait(8, 1, Ok(8)).await;
        check_wait(50, 1, Err(false)).await;
        check_wait(50, 25, Ok(50)).await;
        check_wait(200, 25, Err(true)).await;
    }
}
