//! Snapshots of the books: written now and then beside the service, found at start.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use event_log::{AppendError, EventLog, Offset, Offsets, ReadError, Record, Stream, block_on};
use proto::record::{decode, encode};
use proto::wire::{JournalEntry, LedgerSnapshot};
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout_at};
use tracing::{info, warn};

use super::rebuild::understood;
use super::shard::Shard;
use super::{ServeError, unread};
use crate::ledger::Ledger;
use crate::limits::{LAST_ENTRY_RECORDS, OVERLOADED_PAUSE_MS, SNAPSHOT_SHARE};

const STREAM: Stream = Stream::LedgerSnapshots;

/// When to write the next one, and the one that is being written.
#[derive(Debug)]
pub(super) struct Snapshots {
    /// The journal entry of the last one that was begun.
    last: u64,
    /// How many journal entries lie between two at least.
    entries_min: u64,
    /// Answered when the one that is being written is, or is not.
    writing: Option<oneshot::Receiver<()>>,
    stop: Arc<AtomicBool>,
}

impl Snapshots {
    /// Behind books of which those up to `last` are in a snapshot.
    pub(super) fn behind(last: u64, entries_min: u64) -> Self {
        Self { last, entries_min, writing: None, stop: Arc::default() }
    }

    /// Whether it is time.
    pub(super) fn is_due(&mut self, ledger: &Ledger) -> bool {
        let share = ledger.impressions_remembered() as u64 / SNAPSHOT_SHARE;
        self.writing.take_if(|writing| !matches!(writing.try_recv(), Err(oneshot::error::TryRecvError::Empty)));
        self.writing.is_none() && ledger.is_settled() && ledger.sequence() - self.last >= self.entries_min.max(share)
    }

    /// Begins to write one of `ledger`, a copy of the books, on a thread of its own: what is made of it is hundreds of
    /// megabytes where millions of impressions are remembered.
    ///
    /// # Errors
    /// Nobody says where the journal ends.
    pub(super) async fn begin(&mut self, log: &EventLog, shard: Shard, ledger: Ledger) -> Result<(), ServeError> {
        self.last = ledger.sequence();
        // Nobody else writes this journal, and what is in the books is durable in it.
        let stream = Stream::LedgerJournal;
        let ends = log.ends(stream).await.map_err(|source| ServeError::Read { stream, source })?;
        let (journal, log, stop) = (ends.of(shard.partition()), log.clone(), Arc::clone(&self.stop));
        let (written, writing) = oneshot::channel();
        self.writing = Some(writing);
        std::thread::spawn(move || {
            let sequence = ledger.sequence();
            match write(&log, shard, &ledger, journal, &stop) {
                Ok(true) => info!(sequence, "snapshot written"),
                Ok(false) => info!(sequence, "snapshot given up"),
                // The journal says the same; whatever is wrong is told where it matters.
                Err(problem) => warn!(%problem, sequence, "no snapshot is written"),
            }
            // Nobody waits where the service ended.
            let _ = written.send(());
        });
        Ok(())
    }

    /// Waits until what is being written is, or gives it up at `deadline`.
    pub(super) async fn end(&mut self, deadline: Instant) {
        if let Some(writing) = self.writing.take() {
            // What is left is given up when this is dropped.
            let _ = timeout_at(deadline, writing).await;
        }
    }
}

impl Drop for Snapshots {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

/// `false`: it was given up.
fn write(
    log: &EventLog,
    shard: Shard,
    ledger: &Ledger,
    journal: Offset,
    stop: &AtomicBool,
) -> Result<bool, ServeError> {
    let before = block_on(log.ends(STREAM)).map_err(|source| ServeError::Read { stream: STREAM, source })?;
    // By a name of its own: what becomes of a snapshot must not become of the journal.
    let writer = block_on(log.writer(&shard.writer("ledger-snapshots")))?;
    for part in ledger.snapshot(journal.0) {
        if stop.load(Ordering::Relaxed) {
            return Ok(false);
        }
        let record = (part.shard.to_string().into_bytes(), encode(&part));
        loop {
            match block_on(writer.append_all(STREAM, vec![record.clone()])) {
                Ok(()) => break,
                Err(AppendError::Overloaded) => std::thread::park_timeout(Duration::from_millis(OVERLOADED_PAUSE_MS)),
                Err(source) => return Err(ServeError::Append { stream: STREAM, source }),
            }
        }
    }
    let mut replaced = Offsets::default();
    replaced.set(shard.partition(), before.of(shard.partition()));
    if let Err(problem) = block_on(log.release(STREAM, &replaced)) {
        warn!(%problem, "older snapshots of the ledger stay");
    }
    Ok(true)
}

/// The books of the last whole snapshot and where the journal goes on behind them; `None`: there is none that serves, for the
/// journal says the same.
pub(super) async fn last(log: &EventLog, shard: Shard) -> Option<(Ledger, Offset)> {
    let restored = match parts(log, shard).await {
        Ok(parts) if parts.is_empty() => return None,
        Ok(parts) => Ledger::restore(parts).map_err(|problem| problem.to_string()),
        Err(problem) => Err(problem.to_string()),
    };
    match restored {
        Ok((ledger, journal)) => {
            let place = Offset(journal);
            is_behind(log, shard, place, ledger.sequence()).await.then_some((ledger, place))
        }
        Err(problem) => {
            warn!(problem, "the ledger's snapshot is left alone: the whole journal is folded instead");
            None
        }
    }
}

/// Whether the books' last entry is right before `place`. Of a ledger that stood still before it asked where the journal ends, the
/// place may be behind entries that another wrote meanwhile.
async fn is_behind(log: &EventLog, shard: Shard, place: Offset, sequence: u64) -> bool {
    match last_entry(log, shard, place).await {
        Ok(last) if last.is_none_or(|last| last == sequence) => return true,
        Ok(last) => warn!(sequence, last, "the ledger's snapshot names a place behind another entry"),
        Err(problem) => warn!(%problem, "nobody knows what is before the place of the ledger's snapshot"),
    }
    false
}

/// The sequence of the shard's last journal entry before `place`; `None`: none is there, or the journal does not reach so far.
async fn last_entry(log: &EventLog, shard: Shard, place: Offset) -> Result<Option<u64>, ServeError> {
    let stream = Stream::LedgerJournal;
    let starts = log.starts(stream).await.map_err(unread(stream))?;
    let ends = log.ends(stream).await.map_err(unread(stream))?;
    if place > ends.of(shard.partition()) {
        return Ok(None);
    }
    let (start, goal) = (starts.of(shard.partition()), shard.only(place, &ends));
    let mut wanted = LAST_ENTRY_RECORDS;
    loop {
        let from = Offset(start.0.max(place.0.saturating_sub(wanted)));
        let (mut tail, mut last) = (log.read_from(stream, &shard.only(from, &ends)), None);
        while !tail.offsets().reached(&goal) {
            let records = tail.next().await.map_err(unread(stream))?;
            let ours = |record: &Record| record.partition == shard.partition() && record.offset < place;
            last = records.into_iter().rfind(ours).or(last);
        }
        if let Some(record) = last {
            return Ok(Some(understood::<JournalEntry>(stream, &record)?.sequence));
        }
        if from == start {
            return Ok(None);
        }
        // Some places are no record's.
        wanted = wanted.saturating_mul(2);
    }
}

/// The parts of the last whole snapshot; none where there is none.
async fn parts(log: &EventLog, shard: Shard) -> Result<Vec<LedgerSnapshot>, ReadError> {
    let (starts, ends) = (log.starts(STREAM).await?, log.ends(STREAM).await?);
    let mut tail = log.read_from(STREAM, &shard.only(starts.of(shard.partition()), &ends));
    let (mut whole, mut parts) = (Vec::new(), Vec::new());
    while !tail.offsets().reached(&ends) {
        for record in tail.next().await? {
            let part: LedgerSnapshot = match decode(&record.value) {
                Ok(part) => part,
                Err(problem) => {
                    warn!(%problem, offset = record.offset.0, "a part of a snapshot is not understood");
                    continue;
                }
            };
            if part.shard != shard.id.0 {
                continue;
            }
            // What is begun anew was given up before.
            if part.head.is_some() {
                parts.clear();
            }
            let is_last = part.parts > 0;
            parts.push(part);
            if is_last {
                whole = std::mem::take(&mut parts);
            }
        }
    }
    Ok(whole)
}
