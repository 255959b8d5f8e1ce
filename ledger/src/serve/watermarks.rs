//! Says how far a shard has read: to nodes, which take what nobody won by then for lost, to whoever reads `outcomes`, and to
//! the shard itself after a restart: behind a watermark nothing of what it published is missing.

use decision::ids::ShardId;
use decision::time::Micros;
use event_log::{EventLog, KeyValue, Partition, Stream, Writer};
use proto::record::encode;
use proto::wire::{LeaseRead, LeaseRecord, Outcome, OutcomeKind, lease_record::Event};

use super::ServeError;
use super::publish::append;
use crate::ledger::Ledger;
use crate::limits::{WATERMARK_IDLE_S, WATERMARK_S};

/// What was said last, and keys by which a record gets to each partition.
pub(super) struct Watermarks {
    shard: ShardId,
    leases: Vec<Vec<u8>>,
    outcomes: Vec<Vec<u8>>,
    /// Up to when `outcomes` are said to be whole, and which entry was the last then.
    said: (Micros, u64),
}

impl Watermarks {
    pub(super) fn new(log: &EventLog, shard: ShardId) -> Self {
        let [leases, outcomes] = [Stream::Leases, Stream::Outcomes]
            .map(|stream| keys(log.partitions(stream), |key| log.partition_of(stream, key)));
        Self { shard, leases, outcomes, said: (Micros(i64::MIN), 0) }
    }

    /// What to say when a run begins, at `now`, and nothing is read yet: that all effects so far are published, or taken for it.
    /// What the streams say of them may be kept no longer when a run is over that published none.
    pub(super) fn first(&self, books: &Ledger, now: Micros) -> [Vec<KeyValue>; 2] {
        self.records(books.sequence(), now, Micros(0), [true, true])
    }

    /// What to say once everything that the streams held at `at` is folded and published: what to append to `leases`, and to
    /// `outcomes`.
    pub(super) fn due(&mut self, books: &Ledger, at: Micros) -> [Vec<KeyValue>; 2] {
        let sequence = books.sequence();
        let due = self.are_due(sequence, books.is_lending(), at);
        self.records(sequence, at, at, due)
    }

    fn records(
        &self,
        sequence: u64,
        at: Micros,
        read_until: Micros,
        [in_leases, in_outcomes]: [bool; 2],
    ) -> [Vec<KeyValue>; 2] {
        let shard = self.shard.0;
        let read = Event::Read(LeaseRead { notices_until: read_until.0 });
        let read = LeaseRecord { at: at.0, event: Some(read), shard, sequence, ..LeaseRecord::default() };
        let kind = OutcomeKind::Watermark.into();
        let watermark = Outcome { kind, shard, sequence, at: read_until.0, ..Outcome::default() };
        let to_each = |keys: &[Vec<u8>], value: Vec<u8>| keys.iter().map(|key| (key.clone(), value.clone())).collect();
        [
            if in_leases { to_each(&self.leases, encode(&read)) } else { Vec::new() },
            if in_outcomes { to_each(&self.outcomes, encode(&watermark)) } else { Vec::new() },
        ]
    }

    /// Whether anything is to be said in `leases`, and in `outcomes`. With nothing lent nodes wait for nothing, but a restart is
    /// to find how far both streams got.
    fn are_due(&mut self, sequence: u64, is_lending: bool, at: Micros) -> [bool; 2] {
        let (said, last) = self.said;
        let pause = if sequence == last { WATERMARK_IDLE_S } else { WATERMARK_S };
        let is_due = at >= said.plus_seconds(pause);
        if is_due {
            self.said = (at, sequence);
        }
        [is_lending || is_due, is_due]
    }
}

/// Appends both.
pub(super) async fn say(writer: &Writer, [leases, outcomes]: [Vec<KeyValue>; 2]) -> Result<(), ServeError> {
    let leases = append(writer, Stream::Leases, leases.into_iter());
    let outcomes = append(writer, Stream::Outcomes, outcomes.into_iter());
    let (leases, outcomes) = tokio::join!(leases, outcomes);
    leases.and(outcomes)
}

/// A key for each partition.
fn keys(partitions: u32, partition_of: impl Fn(&[u8]) -> Partition) -> Vec<Vec<u8>> {
    let mut keys = vec![Vec::new(); partitions as usize];
    let mut left = keys.len();
    // Keys spread evenly over partitions, so that each is soon met.
    for number in 0_u64.. {
        if left == 0 {
            break;
        }
        let key = format!("partition/{number}").into_bytes();
        let place = &mut keys[partition_of(&key).0 as usize];
        if place.is_empty() {
            *place = key;
            left -= 1;
        }
    }
    keys
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_that_hold_money_are_told_each_time_and_analysts_now_and_then() {
        let mut watermarks =
            Watermarks { shard: ShardId(0), leases: vec![], outcomes: vec![], said: (Micros(i64::MIN), 0) };
        let mut check = |second: i64, sequence, is_lending, expected| {
            let due = watermarks.are_due(sequence, is_lending, Micros(second * 1_000_000));
            assert_eq!(due, expected, "second {second}");
        };
        check(0, 1, false, [true, true]);
        check(1, 1, true, [true, false]);
        check(9, 2, false, [false, false]);
        check(9, 2, true, [true, false]);
        check(10, 2, true, [true, true]);
        check(20, 2, false, [false, false]);
        check(309, 2, true, [true, false]);
        check(310, 2, false, [true, true]);
        check(319, 3, false, [false, false]);
        check(320, 3, false, [true, true]);
    }

    #[test]
    fn each_partition_gets_a_record_of_its_own() {
        for partitions in 1..40 {
            let of = |key: &[u8]| {
                Partition(key.iter().fold(7, |sum: u32, byte| sum.wrapping_mul(31) + u32::from(*byte)) % partitions)
            };
            let keys = keys(partitions, of);
            let met: Vec<u32> = keys.iter().map(|key| of(key).0).collect();
            assert_eq!(met, (0..partitions).collect::<Vec<_>>());
        }
    }
}
