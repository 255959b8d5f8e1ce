//! The service: journals inputs, folds them, publishes what follows.

use std::pin::pin;
use std::time::Duration;

use decision::time::Micros;
use event_log::{EventLog, Offsets, ReadError, Record, Stream, Writer};
use proto::wire::{self, JournalEntry, Source, Tick, journal_entry::Input};
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, timeout, timeout_at};
use tracing::{info, warn};

use crate::books::KeptShard;
use crate::ledger::{Effects, JournalError, LedgerPolicy};
use crate::limits::{
    DRAIN_TIME_MAX, FOLD_RULES, LAST_LOOK_MAX, PLACE_NOTED_S, PLACE_RECORDS, SNAPSHOT_ENTRIES_MIN, TAKE_UP_PAUSE,
    TICK_S,
};
use inputs::Inputs;
use members::Stop;
use shard::Shard;
use snapshots::Snapshots;
use watermarks::Watermarks;

mod error;
mod figures;
mod inputs;
mod members;
mod publish;
mod published;
mod rebuild;
mod shard;
mod snapshots;
mod watermarks;

pub use error::ServeError;
pub use figures::Figures;
pub use members::serve;
pub(crate) use publish::{append_batch, lease_record};

/// How the ledger works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LedgerSettings {
    /// How it lends and remembers.
    pub policy: LedgerPolicy,
    /// How many journal entries lie between two snapshots of the books, at least.
    pub snapshot_entries: u64,
}

impl Default for LedgerSettings {
    fn default() -> Self {
        Self { policy: LedgerPolicy::default(), snapshot_entries: SNAPSHOT_ENTRIES_MIN }
    }
}

fn unread(stream: Stream) -> impl Fn(ReadError) -> ServeError + Copy {
    move |source| ServeError::Read { stream, source }
}

/// Keeps the books of one shard until it is told to stop. `clock` gives the wall time.
///
/// It takes over from whoever kept them before, who can write no more. Where Kafka was away and nobody knows what became of a
/// batch, the books are taken up anew from the streams, as at the start.
///
/// # Errors
/// The ledger cannot go on, or another took over.
async fn keep(
    log: &EventLog,
    shard: Shard,
    settings: LedgerSettings,
    clock: impl Fn() -> Micros,
    handle: KeptShard,
    stop: watch::Receiver<Stop>,
) -> Result<(), ServeError> {
    let mut shutdown = pin!(members::told(stop.clone()));
    let drains = || *stop.borrow() == Stop::Drain;
    let begin = || Service::begin(log, shard, settings, &clock, &handle);
    let mut beginning = pin!(begin());
    // What is begun and dropped is found in the streams after the next start.
    let mut begun = tokio::select! {
        biased;
        begun = &mut beginning => begun,
        () = &mut shutdown => {
            if drains() && let Ok(begun) = timeout(DRAIN_TIME_MAX, beginning).await {
                let (service, mut inputs) = begun?;
                return service.end(&mut inputs).await;
            }
            return Ok(());
        }
    };
    loop {
        let problem = match begun {
            Ok((mut service, mut inputs)) => match service.run(&mut inputs, shutdown.as_mut()).await {
                Ok(()) => return if drains() { service.end(&mut inputs).await } else { Ok(()) },
                Err(problem) => problem,
            },
            Err(problem) => problem,
        };
        if !problem.may_pass() {
            return Err(problem);
        }
        warn!(shard = shard.id.0, %problem, "the books are taken up anew");
        let again = async {
            sleep(TAKE_UP_PAUSE).await;
            begin().await
        };
        begun = tokio::select! {
            again = again => again,
            () = &mut shutdown => return Ok(()),
        };
    }
}

/// Where the streams ended, at some moment.
type Seen = (Micros, Result<[Offsets; 3], ReadError>);

/// Looks where the streams end. What they held at `at` is before that.
async fn look(log: &EventLog, at: Micros) -> Seen {
    (at, inputs::ends(log).await)
}

struct Service<'s, C> {
    log: &'s EventLog,
    shard: Shard,
    writer: Writer,
    clock: &'s C,
    handle: &'s KeptShard,
    epoch: u64,
    /// Where the streams ended at some moment; when they are read to there, all is in that was there then.
    goal: Option<(Micros, [Offsets; 3])>,
    next_tick: Micros,
    /// When places in the streams are noted though little was read.
    next_note: Micros,
    snapshots: Snapshots,
    watermarks: Watermarks,
}

impl<'s, C: Fn() -> Micros> Service<'s, C> {
    /// Takes over, and folds the journal.
    async fn begin(
        log: &'s EventLog,
        shard: Shard,
        settings: LedgerSettings,
        clock: &'s C,
        handle: &'s KeptShard,
    ) -> Result<(Self, Inputs), ServeError> {
        rebuild::check_shards(log, shard).await?;
        // First: the journal must not grow while it is read.
        let writer = log.writer(&shard.writer("ledger")).await?;
        let (ledger, snapshot) = rebuild::rebuild(log, &writer, shard).await?;
        info!(shard = shard.id.0, sequence = ledger.sequence(), snapshot, "books rebuilt");
        let epoch = ledger.epoch() + 1;
        let inputs = Inputs::behind(log, &ledger, shard).await?;
        *handle.lock() = Some(ledger);
        handle.set_taken_in(inputs.offsets());
        let snapshots = Snapshots::behind(snapshot, settings.snapshot_entries);
        let (next_tick, next_note, goal) = (Micros(i64::MIN), Micros(i64::MIN), None);
        let watermarks = Watermarks::new(log, shard.id);
        let service =
            Self { log, shard, writer, clock, handle, epoch, goal, next_tick, next_note, snapshots, watermarks };
        // The first entry of every run: it makes the epoch and the policy of the run part of the fold.
        let now = (service.clock)();
        let policy = wire::LedgerPolicy { shards: shard.of, rules: FOLD_RULES, ..settings.policy.into() };
        service.journal(vec![(None, Input::Policy(policy))], now).await?;
        let first = service.handle.lock().as_ref().map(|books| service.watermarks.first(books, now));
        watermarks::say(&service.writer, first.unwrap_or_default()).await?;
        Ok((service, inputs))
    }

    /// Takes in what comes, until `shutdown`.
    async fn run(
        &mut self,
        inputs: &mut Inputs,
        mut shutdown: std::pin::Pin<&mut impl Future<Output = ()>>,
    ) -> Result<(), ServeError> {
        let mut looks = interval(Duration::from_secs(TICK_S));
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // An answer may take long, where Kafka is slow or a transaction is under way: what comes is taken in meanwhile.
        let (log, clock) = (self.log, self.clock);
        let mut looking = pin!(look(log, clock()));
        let mut is_looking = true;
        loop {
            let records = tokio::select! {
                // There may always be something to take in, and it may take long.
                biased;
                () = &mut shutdown => return Ok(()),
                seen = &mut looking, if is_looking => {
                    is_looking = false;
                    self.aim(seen, inputs);
                    Vec::new()
                }
                _ = looks.tick(), if !is_looking && self.goal.is_none() => {
                    looking.set(look(log, clock()));
                    is_looking = true;
                    Vec::new()
                }
                records = inputs.next() => records?,
            };
            self.take_in(records, inputs).await?;
        }
    }

    /// Takes in what is there now, unless the servers of the streams are away.
    async fn end(self, inputs: &mut Inputs) -> Result<(), ServeError> {
        match self.drain(inputs).await {
            Err(problem) if problem.may_pass() => {
                warn!(%problem, "what is left is taken in after the next start");
                Ok(())
            }
            drained => drained,
        }
    }

    /// Takes in what is there now, for a while: what is left is taken in after the next start.
    async fn drain(mut self, inputs: &mut Inputs) -> Result<(), ServeError> {
        let deadline = Instant::now() + DRAIN_TIME_MAX;
        self.goal = None;
        match timeout(LAST_LOOK_MAX, look(self.log, (self.clock)())).await {
            Ok(seen) => self.aim(seen, inputs),
            Err(_) => warn!("nobody says how far the streams reach: what is left is taken in after the next start"),
        }
        while self.goal.is_some() {
            let records = if self.is_at_goal(inputs) {
                Vec::new()
            } else if let Ok(records) = timeout_at(deadline, inputs.next()).await {
                records?
            } else {
                warn!("the streams are not read to their ends: what is left is taken in after the next start");
                return Ok(());
            };
            self.take_in(records, inputs).await?;
        }
        self.snapshots.end(deadline).await;
        Ok(())
    }

    /// Reads on to where the streams ended.
    fn aim(&mut self, (at, ends): Seen, inputs: &mut Inputs) {
        match ends {
            Ok(ends) => {
                inputs.aim(&ends);
                self.handle.set_ends(&ends);
                self.goal = Some((at, ends));
            }
            Err(problem) => warn!(%problem, "nobody knows how far the streams reach"),
        }
    }

    fn is_at_goal(&self, inputs: &Inputs) -> bool {
        self.goal.as_ref().is_some_and(|(_, ends)| inputs.reached(ends))
    }

    /// Takes in `first` and whatever else is there.
    async fn take_in(&mut self, first: Vec<(Stream, Record)>, inputs: &mut Inputs) -> Result<(), ServeError> {
        let now = (self.clock)();
        let mut records = first;
        records.extend(inputs.rest()?);
        // In the order of the streams: what a campaign may spend before what is asked and charged.
        records.sort_by_key(|(stream, _)| inputs::place(*stream));
        let mut batch = Vec::new();
        for (stream, record) in records {
            if let Some(input) = inputs.read(stream, &record)? {
                let (partition, offset) = (record.partition.0, record.offset.0);
                batch.push((Some(Source { stream: stream.name().to_owned(), partition, offset }), input));
            }
        }
        let caught_up = self.is_at_goal(inputs);
        // Only then: a tick forgets impressions, and every notice that arrived before their tokens' end must be in. Those
        // that are still on their way to the stream have the margin of the policy.
        if caught_up && self.is_tick_due(now) {
            self.next_tick = now.plus_seconds(TICK_S.cast_signed());
            batch.push((None, Input::Tick(Tick {})));
        }
        if caught_up && !self.shard.is_alone() {
            batch.extend(self.places(inputs, now).into_iter().map(|place| (Some(place), Input::Tick(Tick {}))));
        }
        if !batch.is_empty() {
            self.journal(batch, now).await?;
            self.keep().await?;
        }
        self.handle.set_taken_in(inputs.offsets());
        if let Some((at, _)) = self.goal.take_if(|_| caught_up) {
            self.handle.set_whole(at);
            self.say_read(at).await?;
        }
        Ok(())
    }

    /// Says that everything is in that was there at `at`.
    async fn say_read(&mut self, at: Micros) -> Result<(), ServeError> {
        let due = self.handle.lock().as_ref().map(|books| self.watermarks.due(books, at));
        watermarks::say(&self.writer, due.unwrap_or_default()).await
    }

    /// Begins a snapshot where it is time.
    async fn keep(&mut self) -> Result<(), ServeError> {
        let copy = self.handle.lock().as_ref().filter(|books| self.snapshots.is_due(books)).cloned();
        match copy {
            Some(books) => self.snapshots.begin(self.log, self.shard, books).await,
            None => Ok(()),
        }
    }

    fn is_tick_due(&self, now: Micros) -> bool {
        now >= self.next_tick && self.handle.lock().as_ref().is_some_and(|ledger| ledger.is_tick_due(now))
    }

    /// The places in the streams that are to be noted with a tick, so that a restart does not read all that was other shards'
    /// again, and finds it though streams are not kept for ever.
    fn places(&mut self, inputs: &Inputs, now: Micros) -> Vec<Source> {
        let far = if now >= self.next_note { 1 } else { PLACE_RECORDS };
        if far == 1 {
            self.next_note = now.plus_seconds(PLACE_NOTED_S.into());
        }
        self.handle.lock().as_ref().map(|ledger| inputs.ahead(ledger, far)).unwrap_or_default()
    }

    /// Makes inputs durable, folds them, publishes what follows.
    async fn journal(&self, batch: Vec<(Option<Source>, Input)>, now: Micros) -> Result<(), ServeError> {
        let entries = self.entries(batch, now);
        publish::append(&self.writer, Stream::LedgerJournal, entries.iter().map(publish::journal_record)).await?;
        let effects = self.fold(&entries)?;
        publish::publish(&self.writer, &effects).await
    }

    fn entries(&self, batch: Vec<(Option<Source>, Input)>, now: Micros) -> Vec<JournalEntry> {
        let (shard, epoch) = (self.shard.id.0, self.epoch);
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
