//! Telemetry off the hot path: cores hand bids and opportunities to one producer thread, which appends them. Nothing here
//! ever waits; what does not fit is dropped by person, so that experiment arms lose alike, and counted.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::thread::JoinHandle;

use decision::ids::{ImpressionId, PersonKey};
use event_log::{EventLog, Stream};
use proto::record;
use proto::wire;
use xxhash_rust::xxh3::xxh3_64;

use crate::limits::{EVENTS_INTERVAL, EVENTS_QUEUED_MAX, EVENTS_THINNED_FROM};

#[cfg(test)]
mod tests;

/// One record of telemetry.
#[derive(Debug)]
pub enum Telemetry {
    /// A bid or ghost bid: its impression, and its record in `bids`.
    Bid(ImpressionId, Vec<u8>),
    /// A sampled request with all that decided it.
    Opportunity(Box<wire::OpportunityRecord>),
}

/// Where cores hand telemetry in. Clones share the queue.
#[derive(Clone, Debug)]
pub struct Events {
    /// `None` ends the producer.
    queue: SyncSender<Option<Telemetry>>,
    queued: Arc<AtomicUsize>,
    dropped: Arc<AtomicU64>,
}

impl Events {
    /// Starts the producer thread. It ends after [`Events::close`].
    ///
    /// # Errors
    /// Where no thread can be started.
    pub fn start(log: EventLog) -> std::io::Result<(Self, JoinHandle<()>)> {
        let (queue, queued) = sync_channel(EVENTS_QUEUED_MAX);
        let events = Self { queue, queued: Arc::default(), dropped: Arc::default() };
        let waiting = Arc::clone(&events.queued);
        let producer =
            std::thread::Builder::new().name("events".into()).spawn(move || produce(&log, &queued, &waiting))?;
        Ok((events, producer))
    }

    /// Hands one record in, or drops and counts it. `person` decides who is dropped first when the queue fills.
    pub fn record(&self, person: Option<PersonKey>, telemetry: Telemetry) {
        let queued = self.queued.load(Ordering::Relaxed);
        if !is_kept(queued, person) {
            self.dropped.fetch_add(1, Ordering::Relaxed);
            return;
        }
        self.queued.fetch_add(1, Ordering::Relaxed);
        if self.queue.try_send(Some(telemetry)).is_err() {
            self.queued.fetch_sub(1, Ordering::Relaxed);
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Ends the producer once everything queued so far is handed to the log. What comes later is dropped and counted.
    /// It waits while the queue is full.
    pub fn close(&self) {
        let _ended_already = self.queue.send(None);
    }

    /// Records dropped here since the start. What the log drops it counts itself.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
}

/// Keeps everyone while the queue is less than [`EVENTS_THINNED_FROM`] long; from there to its end a shrinking share of
/// people, each of them wholly kept or wholly dropped at a given length.
fn is_kept(queued: usize, person: Option<PersonKey>) -> bool {
    let Some(over) = queued.checked_sub(EVENTS_THINNED_FROM) else { return true };
    let room = EVENTS_QUEUED_MAX - EVENTS_THINNED_FROM;
    let place = xxh3_64(&person.unwrap_or_default().0) % room as u64;
    place >= over.min(room) as u64
}

/// Nobody wakes this thread: records are gathered, so that a wake-up is for many.
fn produce(log: &EventLog, queue: &Receiver<Option<Telemetry>>, waiting: &AtomicUsize) {
    loop {
        let telemetry = match queue.try_recv() {
            Ok(Some(telemetry)) => telemetry,
            Ok(None) | Err(TryRecvError::Disconnected) => return,
            Err(TryRecvError::Empty) => {
                std::thread::park_timeout(EVENTS_INTERVAL);
                continue;
            }
        };
        waiting.fetch_sub(1, Ordering::Relaxed);
        // The log counts what it drops.
        let _taken = match telemetry {
            Telemetry::Bid(impression, record) => log.offer(Stream::Bids, impression.0, record),
            Telemetry::Opportunity(opportunity) => {
                log.offer(Stream::Opportunities, opportunity.person.as_slice(), record::encode(&*opportunity))
            }
        };
    }
}
