//! At start: the books are folded anew, and what a crash kept from being published is.

use decision::ids::ShardId;
use event_log::{EventLog, Offset, ReadError, Record, Stream, Writer};
use proto::record::{StreamRecord, decode};
use proto::wire::{JournalEntry, LeaseRecord, Outcome, OutcomeKind, journal_entry::Input, lease_record::Event};

use super::published::{Published, Sign, unpublished};
use super::shard::Shard;
use super::{ServeError, publish, snapshots, unread};
use crate::ledger::{Effects, Ledger};

/// Folds the journal, from the last snapshot on where there is one, and publishes the effects that are not in their streams
/// yet. With the books comes the journal entry of that snapshot; 0: none.
pub(super) async fn rebuild(log: &EventLog, writer: &Writer, shard: Shard) -> Result<(Ledger, u64), ServeError> {
    let sign = |of: u32, sequence: u64, is_watermark: bool| {
        let sign = if is_watermark { Sign::Whole(sequence) } else { Sign::Effect(sequence) };
        (of == shard.id.0 && sequence > 0).then_some(sign)
    };
    let of_outcome = |o: Outcome| sign(o.shard, o.sequence, o.kind() == OutcomeKind::Watermark);
    let of_lease = |l: LeaseRecord| sign(l.shard, l.sequence, matches!(l.event, Some(Event::Read(_))));
    let outcomes = Published::find(log, Stream::Outcomes, shard, of_outcome).await?;
    let leases = Published::find(log, Stream::Leases, shard, of_lease).await?;
    let (mut ledger, from) = snapshots::last(log, shard).await.unwrap_or((Ledger::new(shard.id), Offset(0)));
    let snapshot = ledger.sequence();
    let stream = Stream::LedgerJournal;
    let end = log.ends(stream).await.map_err(unread(stream))?;
    // The journal lost its end: it would be written anew with other entries.
    if let end = end.of(shard.partition())
        && from > end
    {
        return Err(unread(stream)(ReadError::Beyond { asked: from, end }));
    }
    let mut journal = log.read_from(stream, &shard.only(from, &end));
    // Of a stream that does not tell, what the last batch should have there.
    let (mut last, mut since) = (Effects::default(), 0);
    let mut is_first = true;
    while !journal.offsets().reached(&end) {
        let records = journal.next().await.map_err(unread(stream))?;
        let mut missing = Effects::default();
        // Other shards go on meanwhile.
        for record in records.iter().filter(|record| record.partition == shard.partition()) {
            let entry: JournalEntry = understood(stream, record)?;
            let effects = ledger.apply(&entry)?;
            if entry.epoch < ledger.epoch() {
                continue;
            }
            if std::mem::replace(&mut is_first, entry.settle) {
                (last, since) = (Effects::default(), entry.sequence);
            }
            if outcomes.unknown {
                last.outcomes.extend(effects.outcomes);
            } else {
                missing.outcomes.extend(outcomes.missing(entry.sequence, effects.outcomes));
            }
            if leases.unknown {
                last.leases.extend(effects.leases);
            } else {
                missing.leases.extend(leases.missing(entry.sequence, effects.leases));
            }
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
    let records = last.outcomes.iter().map(publish::outcome_record).collect();
    let missing = unpublished(log, Stream::Outcomes, since, records, of_outcome).await?;
    publish::append(writer, Stream::Outcomes, missing.into_iter()).await?;
    let records = last.leases.iter().map(publish::lease_record).collect();
    let missing = unpublished(log, Stream::Leases, since, records, of_lease).await?;
    publish::append(writer, Stream::Leases, missing.into_iter()).await?;
    Ok((ledger, snapshot))
}

/// Refuses a journal that was begun with another number of shards: advertisers would be in others now, and their money with
/// them. The first entry of the first shard says how many there were. Kafka adds partitions and takes none away.
pub(super) async fn check_shards(log: &EventLog, shard: Shard) -> Result<(), ServeError> {
    if shard.is_alone() {
        return Ok(());
    }
    let stream = Stream::LedgerJournal;
    let first = Shard { id: ShardId(0), ..shard };
    let starts = log.starts(stream).await.map_err(unread(stream))?;
    let ends = log.ends(stream).await.map_err(unread(stream))?;
    let mut journal = log.read_from(stream, &first.only(starts.of(first.partition()), &ends));
    while !journal.offsets().reached(&ends) {
        let records = journal.next().await.map_err(unread(stream))?;
        let Some(record) = records.iter().find(|record| record.partition == first.partition()) else { continue };
        let entry: JournalEntry = understood(stream, record)?;
        let begun = if let Some(Input::Policy(policy)) = entry.input { policy.shards.max(1) } else { 1 };
        let there = shard.of;
        return if begun == there { Ok(()) } else { Err(ServeError::Shards { begun, there }) };
    }
    Ok(())
}

pub(super) fn understood<M: StreamRecord>(stream: Stream, record: &Record) -> Result<M, ServeError> {
    decode(&record.value).map_err(|source| ServeError::Unreadable { stream, offset: record.offset, source })
}
