//! At start: the books are folded anew, and what a crash kept from being published is.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use decision::ids::ShardId;
use event_log::{EventLog, Offset, Offsets, Partition, ReadError, Record, Stream, Writer};
use proto::record::{StreamRecord, decode};
use proto::wire::{JournalEntry, LeaseRecord, Outcome};

use super::{ServeError, publish, snapshots};
use crate::ledger::{Effects, Ledger};
use crate::limits::LAST_PUBLISHED_RECORDS;

/// Folds the journal, from the last snapshot on where there is one, and publishes the effects that are not in their streams
/// yet. With the books comes the journal entry of that snapshot; 0: none.
pub(super) async fn rebuild(log: &EventLog, writer: &Writer, shard: ShardId) -> Result<(Ledger, u64), ServeError> {
    let of_shard = |of: u32, sequence: u64| Some(sequence).filter(|sequence| of == shard.0 && *sequence > 0);
    let outcomes = Published::find(log, Stream::Outcomes, |o: Outcome| of_shard(o.shard, o.sequence)).await?;
    let leases = Published::find(log, Stream::Leases, |l: LeaseRecord| of_shard(l.shard, l.sequence)).await?;
    let (mut ledger, from) = snapshots::last(log, shard).await.unwrap_or((Ledger::new(shard), Offset(0)));
    let snapshot = ledger.sequence();
    let stream = Stream::LedgerJournal;
    let unread = |source| ServeError::Read { stream, source };
    let end = log.ends(stream).await.map_err(unread)?;
    // The journal lost its end: it would be written anew with other entries.
    if let end = end.of(Partition(0))
        && from > end
    {
        return Err(unread(ReadError::Beyond { asked: from, end }));
    }
    let mut journal = log.read_from(stream, &from.into());
    while !journal.offsets().reached(&end) {
        let records = journal.next().await.map_err(unread)?;
        let mut missing = Effects::default();
        for record in records {
            let entry: JournalEntry = understood(stream, &record)?;
            let effects = ledger.apply(&entry)?;
            missing.outcomes.extend(outcomes.missing(entry.sequence, effects.outcomes));
            missing.leases.extend(leases.missing(entry.sequence, effects.leases));
        }
        publish::publish(writer, &missing).await?;
    }
    for (stream, published) in [(Stream::Outcomes, outcomes.sequence), (Stream::Leases, leases.sequence)] {
        let sequence = ledger.sequence();
        if published > sequence {
            return Err(ServeError::Behind { stream, published, sequence });
        }
    }
    ledger.audit();
    Ok((ledger, snapshot))
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
    /// What there was of ours is kept no longer, so nobody can tell; nothing is published twice.
    forgotten: bool,
}

impl Published {
    /// Reads the end of the stream. `sequence_of` names the entry a record follows from; `None`: it is not ours.
    async fn find<M: StreamRecord>(
        log: &EventLog,
        stream: Stream,
        sequence_of: impl Fn(M) -> Option<u64>,
    ) -> Result<Self, ServeError> {
        let unread = |source| ServeError::Read { stream, source };
        let (starts, ends) = (log.starts(stream).await.map_err(unread)?, log.ends(stream).await.map_err(unread)?);
        let mut wanted = LAST_PUBLISHED_RECORDS;
        loop {
            let back = |(partition, end): (Partition, Offset)| starts.of(partition).0.max(end.0.saturating_sub(wanted));
            let from: Offsets = ends.iter().map(|end| Offset(back(end))).collect();
            let (mut last, mut oldest) = (Self::default(), BTreeMap::new());
            let mut tail = log.read_from(stream, &from);
            while !tail.offsets().reached(&ends) {
                for record in tail.next().await.map_err(unread)? {
                    let Some(sequence) = sequence_of(understood(stream, &record)?) else { continue };
                    oldest.entry(record.partition).or_insert(sequence);
                    last.see(sequence);
                }
            }
            // In each partition: before an earlier entry's effects there can be none of the last one's.
            let saw_earlier = |partition| oldest.get(&partition).is_some_and(|oldest| *oldest < last.sequence);
            if from.iter().all(|(partition, from)| from == starts.of(partition) || saw_earlier(partition)) {
                last.forgotten = last.sequence == 0 && starts.sum() > 0;
                return Ok(last);
            }
            wanted = wanted.saturating_mul(2);
        }
    }

    fn see(&mut self, sequence: u64) {
        match sequence.cmp(&self.sequence) {
            Ordering::Less => {}
            Ordering::Equal => self.count += 1,
            Ordering::Greater => *self = Self { sequence, count: 1, ..*self },
        }
    }

    /// Those of an entry's effects that are not in the stream yet.
    fn missing<T>(&self, sequence: u64, effects: Vec<T>) -> impl Iterator<Item = T> {
        let there = match sequence.cmp(&self.sequence) {
            _ if self.forgotten => effects.len(),
            Ordering::Less => effects.len(),
            Ordering::Equal => self.count,
            Ordering::Greater => 0,
        };
        effects.into_iter().skip(there)
    }
}
