//! At start: which effects are in their streams already.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use event_log::{EventLog, KeyValue, Offset, Offsets, Partition, Stream};
use proto::record::StreamRecord;

use super::rebuild::understood;
use super::shard::Shard;
use super::{ServeError, unread};
use crate::limits::LAST_PUBLISHED_RECORDS;

#[cfg(test)]
mod tests;

/// How far a stream has got: effects are published in the order of the journal, so everything up to here is there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Published {
    /// The last journal entry of which effects were seen; 0: none.
    pub(super) sequence: u64,
    /// How many of its effects there are.
    count: usize,
    /// What there was of ours is kept no longer, so nobody can tell; nothing is published twice.
    forgotten: bool,
    /// The end of the stream is other shards', and did not tell: [`unpublished`] does.
    pub(super) unknown: bool,
}

impl Published {
    /// Reads the end of the stream. `sequence_of` names the entry a record follows from; `None`: it is not ours.
    pub(super) async fn find<M: StreamRecord>(
        log: &EventLog,
        stream: Stream,
        shard: Shard,
        sequence_of: impl Fn(M) -> Option<u64>,
    ) -> Result<Self, ServeError> {
        let (starts, ends) =
            (log.starts(stream).await.map_err(unread(stream))?, log.ends(stream).await.map_err(unread(stream))?);
        let mut wanted = LAST_PUBLISHED_RECORDS;
        loop {
            let from: Offsets = ends.iter().map(|end| back(wanted, end, &starts)).collect();
            let (mut last, mut oldest) = (Self::default(), BTreeMap::new());
            let mut tail = log.read_from(stream, &from);
            while !tail.offsets().reached(&ends) {
                for record in tail.next().await.map_err(unread(stream))? {
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
            // A shard may have little of a partition, or nothing.
            if !shard.is_alone() {
                return Ok(Self { unknown: true, ..last });
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
    pub(super) fn missing<T>(&self, sequence: u64, effects: Vec<T>) -> impl Iterator<Item = T> {
        let there = match sequence.cmp(&self.sequence) {
            _ if self.forgotten => effects.len(),
            Ordering::Less => effects.len(),
            Ordering::Equal => self.count,
            Ordering::Greater => 0,
        };
        effects.into_iter().skip(there)
    }
}

/// Those of the last batch's records that are not in the stream yet. A batch is journalled when everything of the one before
/// is published, so that no others can be missing. `since` is its first journal entry; its records are in the order in which
/// they are appended.
pub(super) async fn unpublished<M: StreamRecord>(
    log: &EventLog,
    stream: Stream,
    since: u64,
    records: Vec<KeyValue>,
    sequence_of: impl Fn(M) -> Option<u64>,
) -> Result<Vec<KeyValue>, ServeError> {
    let mut expected: BTreeMap<Partition, usize> = BTreeMap::new();
    for (key, _) in &records {
        *expected.entry(log.partition_of(stream, key)).or_default() += 1;
    }
    let (starts, ends) =
        (log.starts(stream).await.map_err(unread(stream))?, log.ends(stream).await.map_err(unread(stream))?);
    let mut wanted = LAST_PUBLISHED_RECORDS;
    let mut there = loop {
        let from = |end: (Partition, Offset)| {
            if expected.contains_key(&end.0) { back(wanted, end, &starts) } else { end.1 }
        };
        let from: Offsets = ends.iter().map(from).collect();
        let (mut there, mut earlier) = (BTreeMap::<Partition, usize>::new(), BTreeSet::new());
        let mut tail = log.read_from(stream, &from);
        while !tail.offsets().reached(&ends) {
            for record in tail.next().await.map_err(unread(stream))? {
                match sequence_of(understood(stream, &record)?) {
                    Some(sequence) if sequence >= since => *there.entry(record.partition).or_default() += 1,
                    Some(_) => {
                        earlier.insert(record.partition);
                    }
                    None => {}
                }
            }
        }
        let is_known = |(partition, count): (&Partition, &usize)| {
            let is_whole = there.get(partition) == Some(count) || earlier.contains(partition);
            is_whole || from.of(*partition) == starts.of(*partition)
        };
        if expected.iter().all(is_known) {
            // What there was of ours may be kept no longer: nothing is published twice.
            let forgotten = expected.iter().filter(|(partition, _)| {
                let is_cut = from.of(**partition) == starts.of(**partition) && starts.of(**partition).0 > 0;
                is_cut && !there.contains_key(partition) && !earlier.contains(partition)
            });
            let forgotten: Vec<(Partition, usize)> = forgotten.map(|(partition, count)| (*partition, *count)).collect();
            there.extend(forgotten);
            break there;
        }
        wanted = wanted.saturating_mul(2);
    };
    let is_missing = |(key, _): &KeyValue| {
        let left = there.entry(log.partition_of(stream, key)).or_default();
        let missing = *left == 0;
        *left = left.saturating_sub(1);
        missing
    };
    Ok(records.into_iter().filter(is_missing).collect())
}

/// So many records before the end of a partition, or where it begins.
fn back(records: u64, (partition, end): (Partition, Offset), starts: &Offsets) -> Offset {
    Offset(starts.of(partition).0.max(end.0.saturating_sub(records)))
}
