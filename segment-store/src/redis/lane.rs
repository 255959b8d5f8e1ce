//! A connection of one thread: opened when it is first needed, given up when it does not answer, mended behind it.

use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use decision::ids::IdHash;
use decision::profile::UnknownWhy;
use tokio::task::yield_now;
use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::RedisOptions;
use super::link::{Answer, Link, Record, SLOTS, slot};
use crate::limits::{
    REDIS_CLOCK_LATE, REDIS_FAILURES_MAX, REDIS_IN_FLIGHT_MAX, REDIS_MEND_INTERVAL, REDIS_REGIONS, REDIS_SAID_INTERVAL,
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
    /// Failures since the last answer.
    failures: AtomicU32,
    /// Given up until it is mended.
    given_up: AtomicBool,
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
        let patience = now + self.0.options.lookup_timeout;
        let mut answers = vec![None; ids.len()];
        let mut limit = deadline.min(patience);
        let (in_time, rang_late) = {
            let mut asked = pin!(async {
                if let Ok(mut link) = self.link().await {
                    link.fetch_each(ids, &mut answers).await;
                }
            });
            loop {
                if timeout_at(limit, asked.as_mut()).await.is_ok() {
                    break (true, false);
                }
                let now = Instant::now();
                let rang_late = now > limit + REDIS_CLOCK_LATE;
                if !rang_late || now >= deadline {
                    // Answers may have come that are not read yet: once they are, it is looked a last time.
                    yield_now().await;
                    break (timeout_at(limit, asked).await.is_ok(), rang_late);
                }
                // This core was busy meanwhile, which Redis can do nothing for.
                limit = deadline.min(now + self.0.options.lookup_timeout);
            }
        };
        // An exchange in a hurry says nothing of Redis, nor does a core that is busy.
        self.judge(ids, &answers, in_time || (patience <= deadline && !rang_late));
        let records = answers.into_iter().map(|answer| match answer {
            Some(Ok(record)) => Ok(record),
            None if !in_time => Err(UnknownWhy::Late),
            _ => Err(UnknownWhy::Failed),
        });
        records.collect()
    }

    /// Counts, once for each region, whether it answered; of no answer only where there was `time` enough for one.
    fn judge(&self, ids: &[IdHash], answers: &[Answer], time: bool) {
        let mut failed = [false; REDIS_REGIONS];
        for (id, answer) in ids.iter().zip(answers) {
            let region = self.region_of(id);
            match answer {
                Some(Ok(_)) => self.0.regions[region].failures.store(0, Ordering::Relaxed),
                // The record is no record; Redis is there.
                Some(Err(error)) if error.code() == Some("WRONGTYPE") => {}
                None if !time => {}
                _ if failed[region] => {}
                _ => {
                    failed[region] = true;
                    self.failed(id);
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

    fn failed(&self, id: &IdHash) {
        let region = self.region(id);
        let failures = region.failures.fetch_add(1, Ordering::Relaxed) + 1;
        if failures >= REDIS_FAILURES_MAX && !region.given_up.swap(true, Ordering::Relaxed) {
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
        region.failures.store(0, Ordering::Relaxed);
        region.given_up.store(false, Ordering::Relaxed);
        tracing::info!(after = ?since.elapsed(), "Redis answers again");
    }

    /// A new connection that answers for `id` in the time that a look-up has.
    async fn try_again(&self, id: &IdHash) -> Result<Link, String> {
        let link = Link::open(&self.0.options).await?;
        match timeout(self.0.options.lookup_timeout, link.fetch(&[*id])).await {
            Ok(Ok(_)) => Ok(link),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err("it does not answer in time".to_owned()),
        }
    }

    /// Room for one more look-up, if there is any.
    fn place(&self) -> Option<Place<'_>> {
        let before = self.0.in_flight.fetch_add(1, Ordering::Relaxed);
        let place = Place(&self.0.in_flight);
        (before < REDIS_IN_FLIGHT_MAX).then_some(place)
    }
}

/// A look-up in flight.
struct Place<'a>(&'a AtomicUsize);

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
