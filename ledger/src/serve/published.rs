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

/// What one record of ours says of the journal entry that it names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sign {
    /// It is one of its effects.
    Effect(u64),
    /// It is a watermark: the effects of this entry are published, and those of all before it.
    Whole(u64),
}

/// How far a stream has got: effects are published in the order of the journal, so everything up to here is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Published {
    /// The last journal entry of which effects were seen; 0: none.
    pub(super) sequence: u64,
    /// How many of its effects there are; `None`: all.
    count: Option<usize>,
    /// What there was of ours is kept no longer, so nobody can tell; nothing is published twice.
    forgotten: bool,
    /// The end of the stream is other shards', and did not tell: [`unpublished`] does.
    pub(super) unknown: bool,
}

impl Published {
    /// Nothing of ours was seen.
    fn nothing() -> Self {
        Self { sequence: 0, count: Some(0), forgotten: false, unknown: false }
    }

    /// Reads the end of the stream. `sign_of` says what a record tells; `None`: it is not ours.
    pub(super) async fn find<M: StreamRecord>(
        log: &EventLog,
        stream: Stream,
        shard: Shard,
        sign_of: impl Fn(M) -> Option<Sign>,
    ) -> Result<Self, ServeError> {
        let (starts, ends) =
            (log.starts(stream).await.map_err(unread(stream))?, log.ends(stream).await.map_err(unread(stream))?);
        let mut wanted = LAST_PUBLISHED_RECORDS;
        loop {
            let from: Offsets = ends.iter().map(|end| back(wanted, end, &starts)).collect();
            let (mut last, mut oldest) = (Self::nothing(), BTreeMap::new());
            let mut tail = log.read_from(stream, &from);
            while !tail.offsets().reached(&ends) {
                for record in tail.next().await.map_err(unread(stream))? {
                    let Some(sign) = sign_of(understood(stream, &record)?) else { continue };
                    let (Sign::Effect(sequence) | Sign::Whole(sequence)) = sign;
                    oldest.entry(record.partition).or_insert(sequence);
                    last.see(sign);
                }
            }
            // In each partition: before an earlier entry's effects there can be none of the last one's.
            let until = if last.is_whole() { last.sequence + 1 } else { last.sequence };
            let saw_earlier = |partition| oldest.get(&partition).is_some_and(|oldest| *oldest < until);
            if from.iter().all(|(partition, from)| from == starts.of(partition) || saw_earlier(partition)) {
                last.forgotten = last.is_forgotten(starts.sum() > 0);
                return Ok(last);
            }
            // A shard may have little of a partition, or nothing.
            if !shard.is_alone() {
                return Ok(Self { unknown: true, ..last });
            }
            wanted = wanted.saturating_mul(2);
        }
    }

    /// Whether nobody can tell, of a stream that may have lost its start.
    fn is_forgotten(&self, is_cut: bool) -> bool {
        self.sequence == 0 && is_cut
    }

    /// Whether nothing of its entry is missing.
    fn is_whole(&self) -> bool {
        self.count.is_none()
    }

    fn see(&mut self, sign: Sign) {
        let (sequence, count) = match sign {
            Sign::Effect(sequence) => (sequence, Some(1)),
            Sign::Whole(sequence) => (sequence, None),
        };
        match sequence.cmp(&self.sequence) {
            Ordering::Less => {}
            Ordering::Equal => self.count = self.count.zip(count).map(|(sum, more)| sum + more),
            Ordering::Greater => *self = Self { sequence, count, ..*self },
        }
    }

    /// Those of an entry's effects that are not in the stream yet.
    pub(super) fn missing<T>(&self, sequence: u64, effects: Vec<T>) -> impl Iterator<Item = T> {
        let there = match sequence.cmp(&self.sequence) {
            _ if self.forgotten => effects.len(),
            Ordering::Less => effects.len(),
            Ordering::Equal => self.count.unwrap_or(effects.len()),
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
    sign_of: impl Fn(M) -> Option<Sign>,
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
                match sign_of(understood(stream, &record)?) {
                    Some(Sign::Whole(sequence)) if sequence >= since => return Ok(Vec::new()),
                    Some(Sign::Effect(sequence)) if sequence >= since => {
                        *there.entry(record.partition).or_default() += 1;
                    }
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
