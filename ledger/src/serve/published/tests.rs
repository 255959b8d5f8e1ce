use event_log::{LocalLog, LocalOptions, block_on};
use proto::record::encode;
use proto::wire::{Outcome, OutcomeKind};

use super::*;

/// A stream in which so many records of another shard follow each of our own.
fn stream(signs: &[Sign], others: u64) -> (tempfile::TempDir, EventLog) {
    let dir = tempfile::tempdir().expect("a directory");
    let log = EventLog::from(LocalLog::open(LocalOptions::new(dir.path())).expect("a log"));
    let record = |shard, sign| {
        let (kind, sequence) = match sign {
            Sign::Effect(sequence) => (OutcomeKind::Charge, sequence),
            Sign::Whole(sequence) => (OutcomeKind::Watermark, sequence),
        };
        (b"1".to_vec(), encode(&Outcome { shard, sequence, kind: kind.into(), ..Outcome::default() }))
    };
    let theirs = |n| record(0, if n % 2 == 0 { Sign::Whole(n) } else { Sign::Effect(n) });
    let ours = signs.iter().map(|sign| record(1, *sign));
    let records: Vec<KeyValue> = ours.flat_map(|ours| std::iter::once(ours).chain((1..=others).map(theirs))).collect();
    let writer = block_on(log.writer("test")).expect("a writer");
    if !records.is_empty() {
        block_on(writer.append_all(Stream::Outcomes, records)).expect("they are durable");
    }
    (dir, log)
}

fn ours(outcome: Outcome) -> Option<Sign> {
    let is_watermark = outcome.kind() == OutcomeKind::Watermark;
    let sign = if is_watermark { Sign::Whole(outcome.sequence) } else { Sign::Effect(outcome.sequence) };
    (outcome.shard == 1).then_some(sign)
}

/// `5` for an effect of entry 5, `5.` for a watermark behind it.
fn signs(text: &str) -> Vec<Sign> {
    let sign = |word: &str| match word.strip_suffix('.') {
        Some(sequence) => Sign::Whole(sequence.parse().expect("a number")),
        None => Sign::Effect(word.parse().expect("a number")),
    };
    text.split_whitespace().map(sign).collect()
}

/// Of a last batch that begins at entry 5 and has the effects `a`, `b` and `c`, what is not in the stream.
fn check(there: &str, others: u64, missing: &str) {
    let (_dir, log) = stream(&signs(there), others);
    let records = ["a", "b", "c"].map(|value| (b"1".to_vec(), value.as_bytes().to_vec())).to_vec();
    let left = block_on(unpublished(&log, Stream::Outcomes, 5, records, ours)).expect("it is read");
    let left: Vec<&str> = left.iter().map(|(_, value)| str::from_utf8(value).expect("text")).collect();
    assert_eq!(left.join(" "), missing, "{there:?} with {others} others behind each");
    log.close();
}

#[test]
fn what_is_missing_of_the_last_batch_is_found_behind_what_others_wrote() {
    for others in [0, 10, LAST_PUBLISHED_RECORDS, 5 * LAST_PUBLISHED_RECORDS] {
        check("", others, "a b c");
        check("3 4", others, "a b c");
        check("4 5", others, "b c");
        check("5 5", others, "c");
        check("2 5 5 6", others, "");
        check("4.", others, "a b c");
        check("3 4. 5", others, "b c");
        check("5 5 6 6.", others, "");
        check("6.", others, "");
    }
}

#[test]
fn a_stream_that_is_others_does_not_tell() {
    let find = |there: &str, others, of| {
        let (_dir, log) = stream(&signs(there), others);
        let shard = Shard { id: decision::ids::ShardId(1), of };
        let found = block_on(Published::find(&log, Stream::Outcomes, shard, ours)).expect("it is read");
        log.close();
        (found.sequence, found.count, found.unknown)
    };
    assert_eq!(find("4 5", 10, 2), (5, Some(1), false));
    assert_eq!(find("4 5.", 10, 2), (5, None, false));
    assert_eq!(find("4 5. 6 6", 10, 2), (6, Some(2), false));
    assert_eq!(find("4 5", LAST_PUBLISHED_RECORDS, 2), (0, Some(0), true));
    assert_eq!(find("4 5", LAST_PUBLISHED_RECORDS, 1), (5, Some(1), false), "who is alone reads on");
    assert_eq!(find("4 5 5", LAST_PUBLISHED_RECORDS, 1), (5, Some(2), false), "to the first of an entry's effects");
}

/// What of entry 5 with two effects, and of entry 6 with one, is published at the next start.
#[test]
fn nothing_is_taken_for_forgotten_behind_a_watermark() {
    let missing = |there: &str, is_cut: bool| {
        let mut published = Published::nothing();
        signs(there).into_iter().for_each(|sign| published.see(sign));
        published.forgotten = published.is_forgotten(is_cut);
        published.missing(5, vec!["a", "b"]).chain(published.missing(6, vec!["c"])).collect::<String>()
    };
    assert_eq!(missing("", false), "abc");
    assert_eq!(missing("", true), "");
    assert_eq!(missing("5", true), "bc");
    assert_eq!(missing("4.", true), "abc");
    assert_eq!(missing("5.", true), "c");
    assert_eq!(missing("5 6", true), "");
    assert_eq!(missing("5. 5", false), "c", "another partition is read later");
}
