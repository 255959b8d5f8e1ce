//! At start: the books are folded anew, and what a crash kept from being published is.

use std::cmp::Ordering;

use decision::ids::ShardId;
use event_log::{EventLog, Offset, Record, Stream};
use proto::record::{StreamRecord, decode};
use proto::wire::{JournalEntry, LeaseRecord, Outcome};

use super::{ServeError, publish};
use crate::ledger::{Effects, Ledger};
use crate::limits::LAST_PUBLISHED_RECORDS;

/// Folds the whole journal and publishes the effects that are not in their streams yet.
pub(super) async fn rebuild(log: &EventLog, shard: ShardId) -> Result<Ledger, ServeError> {
    let of_shard = |of: u32, sequence: u64| Some(sequence).filter(|sequence| of == shard.0 && *sequence > 0);
    let outcomes = Published::find(log, Stream::Outcomes, |o: Outcome| of_shard(o.shard, o.sequence)).await?;
    let leases = Published::find(log, Stream::Leases, |l: LeaseRecord| of_shard(l.shard, l.sequence)).await?;
    let mut ledger = Ledger::new(shard);
    let mut journal = log.read_from(Stream::LedgerJournal, Offset(0));
    let end = log.end(Stream::LedgerJournal);
    while journal.offset() < end {
        let stream = Stream::LedgerJournal;
        let records = journal.next().await.map_err(|source| ServeError::Read { stream, source })?;
        let mut missing = Effects::default();
        for record in records {
            let entry: JournalEntry = understood(stream, &record)?;
            let effects = ledger.apply(&entry)?;
            missing.outcomes.extend(outcomes.missing(entry.sequence, effects.outcomes));
            missing.leases.extend(leases.missing(entry.sequence, effects.leases));
        }
        publish::publish(log, &missing).await?;
    }
    for (stream, published) in [(Stream::Outcomes, outcomes.sequence), (Stream::Leases, leases.sequence)] {
        let sequence = ledger.sequence();
        if published > sequence {
            return Err(ServeError::Behind { stream, published, sequence });
        }
    }
    ledger.audit();
    Ok(ledger)
}

fn understood<M: StreamRecord>(stream: Stream, record: &Record) -> Result<M, ServeError> {
    decode(&record.value).map_err(|source| ServeError::Unreadable { stream, offset: record.offset, source })
}

/// How far a stream has got: effects are published in the order of the journal, so everything up to here is there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Published {
    /// The last journal entry of which there are effects; 0: none.
    sequence: u64,
    /// How many of its effects there are.
    count: usize,
}

impl Published {
    /// Reads the end of the stream. `sequence_of` names the entry a record follows from; `None`: it is not ours.
    async fn find<M: StreamRecord>(
        log: &EventLog,
        stream: Stream,
        sequence_of: impl Fn(M) -> Option<u64>,
    ) -> Result<Self, ServeError> {
        let (start, end) = (log.start(stream).0, log.end(stream).0);
        let mut wanted = LAST_PUBLISHED_RECORDS;
        loop {
            let from = start.max(end.saturating_sub(wanted));
            let (mut last, mut earlier) = (Self::default(), false);
            let mut tail = log.read_from(stream, Offset(from));
            while tail.offset() < Offset(end) {
                let records = tail.next().await.map_err(|source| ServeError::Read { stream, source })?;
                for record in records.iter().filter(|record| record.offset < Offset(end)) {
                    let Some(sequence) = sequence_of(understood(stream, record)?) else { continue };
                    earlier |= last.sequence > 0 && last.sequence < sequence;
                    let count = if last.sequence == sequence { last.count + 1 } else { 1 };
                    last = Self { sequence, count };
                }
            }
            // Before an earlier entry's effects there can be none of the last one's.
            if earlier || from == start {
                return Ok(last);
            }
            wanted = wanted.saturating_mul(2);
        }
    }

    /// Those of an entry's effects that are not in the stream yet.
    fn missing<T>(&self, sequence: u64, effects: Vec<T>) -> impl Iterator<Item = T> {
        let there = match sequence.cmp(&self.sequence) {
            Ordering::Less => effects.len(),
            Ordering::Equal => self.count,
            Ordering::Greater => 0,
        };
        effects.into_iter().skip(there)
    }
}
