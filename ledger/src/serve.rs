//! The service: journals inputs, folds them, publishes what follows.

use std::time::Duration;

use decision::ids::ShardId;
use decision::time::Micros;
use event_log::{AppendError, EventLog, Offset, ReadError, Record, Stream};
use proto::record::RecordError;
use proto::wire::{JournalEntry, Source, Tick, journal_entry::Input};
use tracing::info;

use crate::books::LedgerHandle;
use crate::ledger::{Effects, JournalError, LedgerPolicy};
use crate::limits::TICK_S;
use inputs::Inputs;

mod figures;
mod inputs;
mod publish;
mod rebuild;

pub use figures::Figures;

/// The one shard there is.
const SHARD: ShardId = ShardId(0);

/// Why the ledger cannot go on. What is journalled stays valid: a restart continues from there.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The journal cannot be folded.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// Effects of entries were published that are not in the journal: it belongs to other streams, or lost its end.
    #[error("stream {stream} shows effects of journal entry {published}, but the journal ends at {sequence}")]
    Behind {
        /// Where effects were found.
        stream: Stream,
        /// The entry they follow from.
        published: u64,
        /// The last entry there is.
        sequence: u64,
    },
    /// A stream cannot be written.
    #[error("cannot append to {stream}: {source}")]
    Append {
        /// The stream.
        stream: Stream,
        /// Why.
        source: AppendError,
    },
    /// A stream cannot be read.
    #[error("cannot read {stream}: {source}")]
    Read {
        /// The stream.
        stream: Stream,
        /// Why.
        source: ReadError,
    },
    /// A record that may be about money is not understood. Passing over it could lose money.
    #[error("record {offset} of {stream} is not understood: {source}")]
    Unreadable {
        /// The stream.
        stream: Stream,
        /// Which record.
        offset: Offset,
        /// Why.
        source: RecordError,
    },
}

/// Keeps the books until `shutdown`, then takes in what the streams hold and ends. `clock` gives the wall time.
///
/// Reads files on the calling thread, so it belongs off the threads that serve requests. There must be one a log.
/// The log must stay open until this has ended.
///
/// # Errors
/// The ledger cannot go on; whoever started it should say why and stop, since nobody keeps the books.
pub async fn serve(
    log: EventLog,
    policy: LedgerPolicy,
    clock: impl Fn() -> Micros,
    handle: LedgerHandle,
    shutdown: impl Future<Output = ()>,
) -> Result<(), ServeError> {
    let ledger = rebuild::rebuild(&log, SHARD).await?;
    info!(sequence = ledger.sequence(), "books rebuilt");
    let epoch = ledger.epoch() + 1;
    let mut inputs = Inputs::behind(&log, &ledger);
    *handle.lock() = Some(ledger);
    handle.set_taken_in(inputs.offsets());
    let mut service = Service { log, clock, handle, epoch, next_tick: Micros(i64::MIN) };
    // The first entry of every run: it makes the epoch and the policy of the run part of the fold.
    let now = (service.clock)();
    service.journal(vec![(None, Input::Policy(policy.into()))], now).await?;

    let mut looks = tokio::time::interval(Duration::from_secs(TICK_S));
    looks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut shutdown = std::pin::pin!(shutdown);
    loop {
        let (records, ending) = tokio::select! {
            records = inputs.next() => (records?, false),
            _ = looks.tick() => (Vec::new(), false),
            () = &mut shutdown => (Vec::new(), true),
        };
        let mut caught_up = service.take_in(records, &mut inputs).await?;
        while ending && !caught_up {
            caught_up = service.take_in(Vec::new(), &mut inputs).await?;
        }
        if ending {
            return Ok(());
        }
    }
}

struct Service<C> {
    log: EventLog,
    clock: C,
    handle: LedgerHandle,
    epoch: u64,
    next_tick: Micros,
}

impl<C: Fn() -> Micros> Service<C> {
    /// Takes in `first` and whatever else is there; whether that was all there was when this began.
    async fn take_in(&mut self, first: Vec<(Stream, Record)>, inputs: &mut Inputs) -> Result<bool, ServeError> {
        let now = (self.clock)();
        let ends = inputs.ends(&self.log);
        let mut records = first;
        records.extend(inputs.rest()?);
        // In the order of the streams: what a campaign may spend before what is asked and charged.
        records.sort_by_key(|(stream, _)| inputs::place(*stream));
        let mut batch = Vec::new();
        for (stream, record) in records {
            if let Some(input) = inputs::read(stream, &record)? {
                let source = Source { stream: stream.name().to_owned(), partition: 0, offset: record.offset.0 };
                batch.push((Some(source), input));
            }
        }
        let caught_up = inputs.reached(ends);
        // Only then: a tick forgets impressions, and every notice that arrived before their tokens' end must be in.
        if caught_up && self.is_tick_due(now) {
            self.next_tick = now.plus_seconds(TICK_S.cast_signed());
            batch.push((None, Input::Tick(Tick {})));
        }
        if !batch.is_empty() {
            self.journal(batch, now).await?;
        }
        self.handle.set_taken_in(inputs.offsets());
        if caught_up {
            self.handle.set_caught_up();
        }
        Ok(caught_up)
    }

    fn is_tick_due(&self, now: Micros) -> bool {
        now >= self.next_tick && self.handle.lock().as_ref().is_some_and(|ledger| ledger.is_tick_due(now))
    }

    /// Makes inputs durable, folds them, publishes what follows.
    async fn journal(&self, batch: Vec<(Option<Source>, Input)>, now: Micros) -> Result<(), ServeError> {
        let entries = self.entries(batch, now);
        publish::append(&self.log, Stream::LedgerJournal, entries.iter().map(publish::journal_record)).await?;
        let effects = self.fold(&entries)?;
        publish::publish(&self.log, &effects).await
    }

    fn entries(&self, batch: Vec<(Option<Source>, Input)>, now: Micros) -> Vec<JournalEntry> {
        let (shard, epoch) = (SHARD.0, self.epoch);
        let guard = self.handle.lock();
        let ledger = guard.as_ref().expect("the books were rebuilt before");
        // Wall clocks can be set back; the books' time cannot.
        let at = now.max(ledger.now()).0;
        let (last, sequences) = (batch.len() - 1, ledger.sequence() + 1..);
        let numbered = batch.into_iter().zip(sequences).enumerate();
        numbered
            .map(|(i, ((source, input), sequence))| JournalEntry {
                shard,
                sequence,
                epoch,
                at,
                source,
                input: Some(input),
                settle: i == last,
            })
            .collect()
    }

    fn fold(&self, entries: &[JournalEntry]) -> Result<Effects, JournalError> {
        let mut guard = self.handle.lock();
        let ledger = guard.as_mut().expect("the books were rebuilt before");
        let mut all = Effects::default();
        for entry in entries {
            let effects = ledger.apply(entry)?;
            all.outcomes.extend(effects.outcomes);
            all.leases.extend(effects.leases);
        }
        Ok(all)
    }
}
