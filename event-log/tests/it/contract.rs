//! What every implementation of the streams must do.

use std::pin::pin;
use std::task::{Context, Waker};
use std::thread;
use std::time::Duration;

use event_log::limits::{BATCH_BYTES_MAX, READ_RECORDS, RECORD_BYTES_MAX, SEGMENT_BYTES};
use event_log::{AppendError, Appending, EventLog, LocalLog, LocalOptions, Offset, ReadError, Record, Stream, Tail};

/// Each call of `open` opens the same streams, which were closed before and need not be empty.
fn check(open: impl Fn() -> EventLog) {
    for rule in [
        offsets_are_dense_and_each_stream_has_its_own,
        records_come_back_as_they_were,
        a_reader_starts_wherever_it_likes,
        a_batch_shows_at_once_or_not_at_all,
        a_reader_waits_for_what_is_appended,
        many_writers_lose_nothing_and_keep_their_order,
        what_no_stream_takes_is_refused_and_leaves_no_trace,
        an_offset_that_was_never_given_out_is_an_error,
        long_streams_are_read_in_parts,
        telemetry_is_offered_without_an_answer,
    ] {
        let log = open();
        rule(&log);
        assert_eq!(log.health(), Ok(()));
        log.close();
    }
    what_was_acknowledged_is_there_when_opened_again(&open);
    a_closed_log_is_drained_and_takes_no_more(&open);
}

fn check_local(segment_bytes: u64) {
    let dir = tempfile::tempdir().unwrap();
    // Rules that wait for telemetry need not wait long.
    let telemetry_sync_interval = Duration::from_millis(1);
    let options = LocalOptions { segment_bytes, telemetry_sync_interval, ..LocalOptions::new(dir.path()) };
    check(|| LocalLog::open(options.clone()).unwrap().into());
}

#[test]
fn local() {
    check_local(SEGMENT_BYTES);
}

/// Every group in a segment of its own: readers are always on their way to the next file.
#[test]
fn local_with_the_smallest_segments() {
    check_local(1);
}

fn record(offset: u64, key: &str, value: &str) -> Record {
    Record { offset: Offset(offset), key: key.into(), value: value.into() }
}

fn wait_for(answers: impl IntoIterator<Item = Appending>) {
    for answer in answers {
        answer.wait().unwrap();
    }
}

/// Everything from the tail's offset to `end`.
fn read_to(tail: &mut Tail, end: Offset) -> Vec<Record> {
    let mut records = Vec::new();
    while tail.offset() < end {
        let read = tail.next_blocking().unwrap();
        assert!(!read.is_empty());
        records.extend(read);
        assert_eq!(records.last().unwrap().offset.next(), tail.offset());
    }
    records
}

fn offsets_are_dense_and_each_stream_has_its_own(log: &EventLog) {
    let before = Stream::ALL.map(|stream| log.end(stream).0);
    for round in 0..3 {
        for (stream, before) in Stream::ALL.into_iter().zip(before) {
            assert_eq!(log.append(stream, "key", "value").wait(), Ok(Offset(before + round)));
            assert_eq!(log.end(stream), Offset(before + round + 1));
        }
    }
}

fn records_come_back_as_they_were(log: &EventLog) {
    let at = log.end(Stream::Campaigns).0;
    let every_byte: Vec<u8> = (0..=255).collect();
    let largest = vec![b'x'; RECORD_BYTES_MAX - every_byte.len()];
    let records = [(vec![], vec![]), (vec![], b"v".to_vec()), (b"k".to_vec(), vec![]), (every_byte, largest)];
    let answers = records.clone().map(|(key, value)| log.append(Stream::Campaigns, key, value));
    wait_for(answers);
    let read = read_to(&mut log.read_from(Stream::Campaigns, Offset(at)), log.end(Stream::Campaigns));
    assert_eq!(read.iter().map(|record| record.offset.0).collect::<Vec<_>>(), (at..at + 4).collect::<Vec<_>>());
    assert!(read.into_iter().map(|record| (record.key, record.value)).eq(records));
}

fn a_reader_starts_wherever_it_likes(log: &EventLog) {
    let at = log.end(Stream::Outcomes).0;
    let batch = |keys: &[&str]| keys.iter().map(|key| (key.as_bytes().to_vec(), Vec::new())).collect();
    log.append_all(Stream::Outcomes, batch(&["a", "b", "c"])).wait().unwrap();
    log.append_all(Stream::Outcomes, batch(&["d", "e"])).wait().unwrap();
    let all: Vec<Record> = ["a", "b", "c", "d", "e"].into_iter().zip(at..).map(|(k, o)| record(o, k, "")).collect();
    for from in 0..=5 {
        let mut tail = log.read_from(Stream::Outcomes, Offset(at + from as u64));
        assert_eq!(tail.offset(), Offset(at + from as u64));
        assert_eq!(read_to(&mut tail, Offset(at + 5)), all[from..]);
        assert_eq!(tail.try_next().unwrap(), []);
    }
    assert!(log.start(Stream::Outcomes) <= Offset(at));
}

fn a_batch_shows_at_once_or_not_at_all(log: &EventLog) {
    let (at, batches, size) = (log.end(Stream::LedgerJournal), 50, 3);
    let end = Offset(at.0 + batches * size);
    thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let mut tail = log.read_from(Stream::LedgerJournal, at);
            while tail.offset() < end {
                assert_eq!((log.end(Stream::LedgerJournal).0 - at.0) % size, 0);
                let read = tail.next_blocking().unwrap();
                assert_eq!(read.len() as u64 % size, 0);
            }
        });
        for batch in 1..=batches {
            let records = vec![(Vec::new(), vec![0; 100]); size as usize];
            assert_eq!(log.append_all(Stream::LedgerJournal, records).wait(), Ok(Offset(at.0 + batch * size - 1)));
        }
        reader.join().unwrap();
    });
}

fn a_reader_waits_for_what_is_appended(log: &EventLog) {
    let at = log.end(Stream::Leases);
    let mut tail = log.read_from(Stream::Leases, at);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        for round in 0..3 {
            {
                let mut next = pin!(tail.next());
                let mut context = Context::from_waker(Waker::noop());
                assert!(next.as_mut().poll(&mut context).is_pending(), "there is nothing to read");
                // Dropped here: whoever gives up waiting loses nothing.
            }
            let (appended, read) = tokio::join!(log.append(Stream::Leases, "key", "value"), tail.next());
            let offset = Offset(at.0 + round);
            assert_eq!(appended, Ok(offset));
            assert_eq!(read.unwrap(), [record(offset.0, "key", "value")]);
        }
    });
}

fn many_writers_lose_nothing_and_keep_their_order(log: &EventLog) {
    let (at, writers, appends) = (log.end(Stream::Notices), 8, 200);
    thread::scope(|scope| {
        for writer in 0..writers {
            scope.spawn(move || {
                let append = |n: u32| log.append(Stream::Notices, [writer], n.to_le_bytes());
                let answers: Vec<_> = (0..appends).map(append).collect();
                let offsets: Vec<Offset> = answers.into_iter().map(|answer| answer.wait().unwrap()).collect();
                assert!(offsets.is_sorted_by(|a, b| a < b));
            });
        }
    });
    let read = read_to(&mut log.read_from(Stream::Notices, at), log.end(Stream::Notices));
    assert_eq!(read.len() as u32, u32::from(writers) * appends);
    for writer in 0..writers {
        let own = read.iter().filter(|record| record.key == [writer]).map(|record| record.value.clone());
        assert!(own.eq((0..appends).map(|n| n.to_le_bytes().to_vec())));
    }
}

fn what_no_stream_takes_is_refused_and_leaves_no_trace(log: &EventLog) {
    let at = log.end(Stream::Campaigns);
    let too_large = |answer: Result<Offset, AppendError>| matches!(answer, Err(AppendError::TooLarge { .. }));
    assert_eq!(log.append_all(Stream::Campaigns, vec![]).wait(), Err(AppendError::EmptyBatch));
    assert!(too_large(log.append(Stream::Campaigns, "k", vec![0; RECORD_BYTES_MAX]).wait()));
    let record = (Vec::new(), vec![0; RECORD_BYTES_MAX]);
    let records = BATCH_BYTES_MAX / RECORD_BYTES_MAX + 1;
    assert!(too_large(log.append_all(Stream::Campaigns, vec![record; records]).wait()));
    assert_eq!(log.append(Stream::Campaigns, "k", "v").wait(), Ok(at));
}

fn an_offset_that_was_never_given_out_is_an_error(log: &EventLog) {
    let end = log.end(Stream::Outcomes);
    let mut tail = log.read_from(Stream::Outcomes, end.next());
    let beyond = |read| matches!(read, Err(ReadError::Beyond { asked, end: e }) if asked == end.next() && e == end);
    assert!(beyond(tail.try_next()));
    assert!(beyond(tail.next_blocking()));
}

fn long_streams_are_read_in_parts(log: &EventLog) {
    let at = log.end(Stream::Notices);
    let answers: Vec<_> = (0..3 * READ_RECORDS).map(|_| log.append(Stream::Notices, "k", "v")).collect();
    wait_for(answers);
    let large: Vec<_> = (0..20).map(|_| log.append(Stream::Notices, "k", vec![0; 100_000])).collect();
    wait_for(large);
    let (mut tail, end) = (log.read_from(Stream::Notices, at), log.end(Stream::Notices));
    let (mut records, mut bytes) = (0, 0);
    while tail.offset() < end {
        let read = tail.try_next().unwrap();
        assert!(!read.is_empty() && read.len() <= READ_RECORDS);
        let read_bytes: usize = read.iter().map(|record| record.key.len() + record.value.len()).sum();
        assert!(read_bytes <= 400_000, "a read ends with the record that reaches the limit");
        (records, bytes) = (records + read.len(), bytes + read_bytes);
    }
    assert_eq!((records, bytes), (3 * READ_RECORDS + 20, 3 * READ_RECORDS * 2 + 20 * 100_001));
}

fn telemetry_is_offered_without_an_answer(log: &EventLog) {
    let at = log.end(Stream::Bids);
    assert!(log.offer(Stream::Bids, "impression", "bid"));
    assert_eq!(log.dropped(Stream::Bids), 0);
    let read = log.read_from(Stream::Bids, at).next_blocking().unwrap();
    assert_eq!(read, [record(at.0, "impression", "bid")]);
    assert!(!log.offer(Stream::Bids, "impression", vec![0; RECORD_BYTES_MAX]));
    assert_eq!((log.dropped(Stream::Bids), log.dropped(Stream::Opportunities)), (1, 0));
}

fn what_was_acknowledged_is_there_when_opened_again(open: &impl Fn() -> EventLog) {
    let log = open();
    let offsets = Stream::ALL.map(|stream| log.append(stream, "key", stream.name()).wait().unwrap());
    log.close();
    let log = open();
    for (stream, offset) in Stream::ALL.into_iter().zip(offsets) {
        assert_eq!(log.end(stream), offset.next());
        let read = log.read_from(stream, offset).next_blocking().unwrap();
        assert_eq!(read, [record(offset.0, "key", stream.name())]);
        assert_eq!(log.append(stream, "", "").wait(), Ok(offset.next()));
    }
    log.close();
}

fn a_closed_log_is_drained_and_takes_no_more(open: &impl Fn() -> EventLog) {
    let log = open();
    let at = log.end(Stream::Bids);
    let answers: Vec<_> = (0..100).map(|_| log.append(Stream::Bids, "k", "v")).collect();
    let offered = log.offer(Stream::Bids, "k", "v");
    let mut tail = log.read_from(Stream::Bids, at);
    log.clone().close();
    for (answer, offset) in answers.into_iter().zip(at.0..) {
        assert_eq!(answer.wait(), Ok(Offset(offset)));
    }
    assert!(offered);
    assert_eq!(log.append(Stream::Bids, "k", "v").wait(), Err(AppendError::Closed));
    assert!(!log.offer(Stream::Bids, "k", "v"));
    assert_eq!(read_to(&mut tail, Offset(at.0 + 101)).len(), 101);
    assert!(matches!(tail.next_blocking(), Err(ReadError::Closed)));
    assert_eq!(tail.try_next().unwrap(), []);
}
