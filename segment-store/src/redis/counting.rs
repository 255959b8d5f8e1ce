//! The thread that takes what becomes of impressions to Redis, behind those who tell it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::thread;

use decision::ids::IdHash;
use decision::time::{Micros, Seconds};
use redis::RedisError;
use tokio::sync::{mpsc, oneshot};
use tokio::time::sleep;

use super::lane::Lane;
use super::link::{Link, Swap, Swapped};
use super::{Figures, RedisOptions};
use crate::buffer::ProfileBuffer;
use crate::caps::{CapEvent, Caps};
use crate::limits::{REDIS_COUNT_BATCH_MAX, REDIS_COUNT_INTERVAL, REDIS_COUNTS_QUEUED_MAX, REDIS_MEND_INTERVAL};
use crate::profiles::StoreError;
use crate::record::{self, Corrupt, whole};

/// The way to the thread.
pub(super) struct Counting {
    queue: mpsc::Sender<Told>,
    flushes: mpsc::Sender<Flush>,
    figures: Arc<Figures>,
}

struct Told {
    id: IdHash,
    event: CapEvent,
    now: Micros,
    /// The record as it was shortly before, where that is known.
    read: Option<Vec<u8>>,
}

/// What waits for one id.
#[derive(Default)]
struct Waiting {
    events: Vec<(CapEvent, Micros)>,
    read: Option<Vec<u8>>,
}

/// Someone waits until all that was told before is stored, or cannot be.
type Flush = oneshot::Sender<Result<(), StoreError>>;

impl Counting {
    pub(super) fn start(options: Arc<RedisOptions>, figures: Arc<Figures>) -> Result<Self, StoreError> {
        let failed = |error: std::io::Error| StoreError::Failed(error.to_string().into());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
        let (queue, told) = mpsc::channel(REDIS_COUNTS_QUEUED_MAX);
        let (flushes, asked) = mpsc::channel(1);
        let counter = Counter { lane: Lane::new(options), figures: Arc::clone(&figures), waiting: BTreeMap::new() };
        let run = move || runtime.block_on(counter.run(told, asked));
        thread::Builder::new().name("vernier-caps".into()).spawn(run).map_err(failed)?;
        Ok(Self { queue, flushes, figures })
    }

    /// Leaves an event to be counted. Where too many wait it is dropped, and that is counted.
    pub(super) fn tell(&self, read: Option<&ProfileBuffer>, ids: &[IdHash], event: &CapEvent, now: Micros) {
        for (at, id) in ids.iter().enumerate() {
            let read = read.and_then(|buffer| buffer.record(at));
            if self.queue.try_send(Told { id: *id, event: *event, now, read }).is_err() {
                self.figures.lost_events.inc();
            }
        }
    }

    /// Returns when everything that was told before is stored. Where Redis is not there it says so, and the events wait on.
    pub(super) async fn flush(&self) -> Result<(), StoreError> {
        let (done, answer) = oneshot::channel();
        let gone = || StoreError::Unavailable("the thread that counts is gone".into());
        self.flushes.send(done).await.map_err(|_| gone())?;
        answer.await.unwrap_or_else(|_| Err(gone()))
    }
}

/// What events make of a record.
struct After {
    record: Vec<u8>,
    /// Until when its caps say something.
    until: Seconds,
    /// Impressions that had to be forgotten for want of room.
    forgotten: usize,
}

struct Counter {
    lane: Lane,
    figures: Arc<Figures>,
    /// What is not stored yet, by id, in the order in which it was told.
    waiting: BTreeMap<IdHash, Waiting>,
}

impl Counter {
    async fn run(mut self, mut told: mpsc::Receiver<Told>, mut flushes: mpsc::Receiver<Flush>) {
        loop {
            // Nobody wakes this thread: events are gathered, so that a wake-up, a question and a write are for many.
            let pause = if self.waiting.is_empty() { REDIS_COUNT_INTERVAL } else { REDIS_MEND_INTERVAL };
            let flush = tokio::select! {
                biased;
                Some(done) = flushes.recv() => Some(done),
                () = sleep(pause) => None,
            };
            let stored = loop {
                // What could not be stored is tried again before more is taken: the queue is the bound.
                let room = if flush.is_some() || self.waiting.is_empty() { REDIS_COUNT_BATCH_MAX } else { 0 };
                let taken = self.take(&mut told, room);
                let stored = self.store().await;
                if stored.is_err() || taken < REDIS_COUNT_BATCH_MAX {
                    break stored;
                }
            };
            if let Some(done) = flush {
                // Whoever no longer waits does not need the answer.
                let _gone = done.send(stored);
            } else if told.is_closed() && (told.is_empty() || stored.is_err()) {
                return;
            }
        }
    }

    /// Takes up to so many events that were told; how many there were.
    fn take(&mut self, told: &mut mpsc::Receiver<Told>, most: usize) -> usize {
        let mut taken = 0;
        while taken < most
            && let Ok(Told { id, event, now, read }) = told.try_recv()
        {
            let waiting = self.waiting.entry(id).or_default();
            waiting.events.push((event, now));
            waiting.read = read.or(waiting.read.take());
            taken += 1;
        }
        taken
    }

    /// Stores what waits. After an error, what was not stored waits on.
    async fn store(&mut self) -> Result<(), StoreError> {
        if self.waiting.is_empty() {
            return Ok(());
        }
        let link = self.lane.link().await.map_err(|why| StoreError::Unavailable(why.into()))?;
        let stored = self.store_over(&link).await;
        stored.map_err(|error| {
            self.lane.drop_link();
            StoreError::Unavailable(error.to_string().into())
        })
    }

    async fn store_over(&mut self, link: &Link) -> Result<(), RedisError> {
        let mut stored = BTreeMap::new();
        let mut unread = Vec::new();
        for (id, waiting) in &mut self.waiting {
            // Where it is no longer so, the swap is refused and says what it is.
            match waiting.read.take() {
                Some(read) => drop(stored.insert(*id, read)),
                None => unread.push(*id),
            }
        }
        if !unread.is_empty() {
            let records = link.fetch(&unread).await?;
            stored.extend(unread.into_iter().zip(records));
        }
        // Of several writers of a record one gets through in each round, so this ends.
        while !self.waiting.is_empty() {
            let mut swaps = Vec::with_capacity(stored.len());
            for (id, before) in &stored {
                match self.after(before, &self.waiting[id].events) {
                    Some(after) if after.record != *before => swaps.push((*id, after)),
                    after => self.settled(id, after.map_or(0, |after| after.forgotten)),
                }
            }
            let sent =
                swaps.iter().map(|(id, new)| Swap { id, expected: &stored[id], new: &new.record, until: new.until });
            let answers = link.swap_each(&sent.collect::<Vec<_>>()).await;
            stored.clear();
            let mut failed = Ok(());
            for ((id, new), answer) in swaps.into_iter().zip(answers) {
                match answer {
                    Ok(Swapped::Yes) => self.settled(&id, new.forgotten),
                    Ok(Swapped::No(now)) => drop(stored.insert(id, now)),
                    Err(error) => failed = Err(error),
                }
            }
            failed?;
        }
        Ok(())
    }

    /// What waited for this id is stored, or cannot be; it made so many impressions be forgotten.
    fn settled(&mut self, id: &IdHash, forgotten: usize) {
        self.waiting.remove(id);
        self.figures.forgotten.inc_by(forgotten as u64);
    }

    /// `None` where what is stored cannot be read: it is left as it is, so that look-ups fail and nobody takes the person
    /// for one who has seen nothing.
    fn after(&self, stored: &[u8], events: &[(CapEvent, Micros)]) -> Option<After> {
        let Ok((memberships, mut caps)) = read(stored) else {
            self.figures.corrupt.inc();
            return None;
        };
        let forgotten = events.iter().map(|(event, now)| caps.apply(event, now.seconds())).sum();
        let mut field = Vec::new();
        if !caps.is_empty() {
            record::caps::encode(&caps, &mut field);
        }
        Some(After { record: whole::join(memberships, &field), until: caps.ends(), forgotten })
    }
}

/// The field of memberships of a record as it is, and its caps.
fn read(stored: &[u8]) -> Result<(&[u8], Caps), Corrupt> {
    let [memberships, field] = whole::split(stored)?;
    let mut caps = Caps::default();
    if !field.is_empty() {
        record::caps::decode(field, &mut caps)?;
    }
    Ok((memberships, caps))
}
