use event_log::{LocalLog, LocalOptions, block_on};
use proto::record::encode;
use proto::wire::Outcome;

use super::*;

/// A stream in which so many records of another shard follow each of our own. Each of ours is of the journal entry `sequence`.
fn stream(sequences: &[u64], others: u64) -> (tempfile::TempDir, EventLog) {
    let dir = tempfile::tempdir().expect("a directory");
    let log = EventLog::from(LocalLog::open(LocalOptions::new(dir.path())).expect("a log"));
    let record = |shard, sequence| (b"1".to_vec(), encode(&Outcome { shard, sequence, ..Outcome::default() }));
    let ours = sequences.iter().map(|sequence| record(1, *sequence));
    let records: Vec<KeyValue> =
        ours.flat_map(|ours| std::iter::once(ours).chain((1..=others).map(|n| record(0, n)))).collect();
    let writer = block_on(log.writer("test")).expect("a writer");
    if !records.is_empty() {
        block_on(writer.append_all(Stream::Outcomes, records)).expect("they are durable");
    }
    (dir, log)
}

fn ours(outcome: Outcome) -> Option<u64> {
    (outcome.shard == 1).then_some(outcome.sequence)
}

/// Of a last batch that begins at entry 5 and has the effects `a`, `b` and `c`, what is not in the stream.
fn check(there: &[u64], others: u64, missing: &[&str]) {
    let (_dir, log) = stream(there, others);
    let records = ["a", "b", "c"].map(|value| (b"1".to_vec(), value.as_bytes().to_vec())).to_vec();
    let left = block_on(unpublished(&log, Stream::Outcomes, 5, records, ours)).expect("it is read");
    let left: Vec<&str> = left.iter().map(|(_, value)| str::from_utf8(value).expect("text")).collect();
    assert_eq!(left, missing, "{there:?} with {others} others behind each");
    log.close();
}

#[test]
fn what_is_missing_of_the_last_batch_is_found_behind_what_others_wrote() {
    for others in [0, 10, LAST_PUBLISHED_RECORDS, 5 * LAST_PUBLISHED_RECORDS] {
        check(&[], others, &["a", "b", "c"]);
        check(&[3, 4], others, &["a", "b", "c"]);
        check(&[4, 5], others, &["b", "c"]);
        check(&[5, 5], others, &["c"]);
        check(&[2, 5, 5, 6], others, &[]);
    }
}

#[test]
fn a_stream_that_is_others_does_not_tell() {
    let find = |there: &[u64], others, of| {
        let (_dir, log) = stream(there, others);
        let shard = Shard { id: decision::ids::ShardId(1), of };
        let found = block_on(Published::find(&log, Stream::Outcomes, shard, ours)).expect("it is read");
        log.close();
        (found.sequence, found.count, found.unknown)
    };
    assert_eq!(find(&[4, 5], 10, 2), (5, 1, false));
    assert_eq!(find(&[4, 5], LAST_PUBLISHED_RECORDS, 2), (0, 0, true));
    assert_eq!(find(&[4, 5], LAST_PUBLISHED_RECORDS, 1), (5, 1, false), "who is alone reads on");
}
