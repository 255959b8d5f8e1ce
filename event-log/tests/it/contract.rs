//! What every implementation of the streams must do.

use std::collections::BTreeSet;
use std::pin::pin;
use std::task::{Context, Waker};
use std::thread;
use std::time::Duration;

use event_log::limits::{BATCH_BYTES_MAX, READ_RECORDS, RECORD_BYTES_MAX, SEGMENT_BYTES};
use event_log::{
    AppendError, Appending, EventLog, KeyValue, LocalLog, LocalOptions, Offset, Offsets, Partition, ReadError, Record,
    Stream, Tail, Writer, block_on,
};

use crate::{end, start};

/// Each call of `open` opens the same streams, which were closed before and need not be empty.
pub(crate) fn check(open: impl Fn() -> EventLog) {
    for rule in [
        offsets_ascend_and_each_stream_has_its_own,
        records_come_back_as_they_were,
        records_of_a_key_are_in_its_partition,
        a_reader_starts_wherever_it_likes,
        a_batch_shows_at_once_or_not_at_all,
        a_reader_waits_for_what_is_appended,
        a_reader_gets_to_every_end,
        many_writers_lose_nothing_and_keep_their_order,
        what_no_stream_takes_is_refused_and_leaves_no_trace,
        an_offset_that_was_never_given_out_is_an_error,
        long_streams_are_read_in_parts,
        telemetry_is_offered_without_an_answer,
        a_writer_ends_those_of_its_name,
        of_what_is_derived_no_more_goes_than_is_released,
        numbered_records_are_in_their_partitions,
        a_member_alone_has_every_partition,
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

pub(crate) fn wait_for(answers: impl IntoIterator<Item = Appending>) {
    for answer in answers {
        answer.wait().unwrap();
    }
}

pub(crate) fn writer(log: &EventLog, name: &str) -> Writer {
    block_on(log.writer(name)).unwrap()
}

/// One key, so one partition.
fn batch(values: &[&str]) -> Vec<KeyValue> {
    values.iter().map(|value| (b"key".to_vec(), value.as_bytes().to_vec())).collect()
}

fn key_values(records: &[Record]) -> Vec<(&str, &str)> {
    let text = |bytes| str::from_utf8(bytes).unwrap();
    records.iter().map(|record| (text(&record.key), text(&record.value))).collect()
}

/// Everything from the tail's place to `end`.
pub(crate) fn read_to(tail: &mut Tail, end: &Offsets) -> Vec<Record> {
    let mut records: Vec<Record> = Vec::new();
    let collected = tail.read_to(end, |read| {
        records.extend(read);
        Ok::<_, ReadError>(())
    });
    block_on(collected).unwrap();
    records
}

/// The next records: where it only moved on there are none.
async fn next(tail: &mut Tail) -> Vec<Record> {
    loop {
        let read = tail.next().await.unwrap();
        if !read.is_empty() {
            return read;
        }
    }
}

fn offsets_ascend_and_each_stream_has_its_own(log: &EventLog) {
    let before = Stream::ALL.map(|stream| end(log, stream));
    for round in 1..=3 {
        for (stream, before) in Stream::ALL.into_iter().zip(&before) {
            let offset = log.append(stream, "key", "value").wait().unwrap();
            let partition = log.partition_of(stream, b"key");
            assert_eq!(offset.next().0, before.of(partition).0 + round);
            assert_eq!(end(log, stream).of(partition), offset.next());
            assert_eq!(end(log, stream).sum(), before.sum() + round);
        }
    }
}

fn records_come_back_as_they_were(log: &EventLog) {
    let at = end(log, Stream::Campaigns);
    let every_byte: Vec<u8> = (0..=255).collect();
    let largest = vec![b'x'; RECORD_BYTES_MAX - every_byte.len()];
    let records = [(vec![], vec![]), (vec![], b"v".to_vec()), (b"k".to_vec(), vec![]), (every_byte, largest)];
    let answers = records.clone().map(|(key, value)| log.append(Stream::Campaigns, key, value));
    wait_for(answers);
    block_on(writer(log, "control").append_all(Stream::Campaigns, records.to_vec())).unwrap();
    let read = read_to(&mut log.read_from(Stream::Campaigns, &at), &end(log, Stream::Campaigns));
    assert_eq!(read[0].offset, at.of(Partition(0)));
    assert!(read.is_sorted_by(|a, b| a.offset < b.offset));
    let twice = records.iter().chain(&records).cloned();
    assert!(read.into_iter().map(|record| (record.key, record.value)).eq(twice));
}

fn records_of_a_key_are_in_its_partition(log: &EventLog) {
    let at = end(log, Stream::Outcomes);
    let keys: Vec<String> = (0..40).map(|key| format!("key {key}")).collect();
    wait_for(keys.iter().map(|key| log.append(Stream::Outcomes, key.as_str(), "")));
    let records = keys.iter().map(|key| (key.clone().into_bytes(), Vec::new())).collect();
    block_on(writer(log, "ledger").append_all(Stream::Outcomes, records)).unwrap();
    let read = read_to(&mut log.read_from(Stream::Outcomes, &at), &end(log, Stream::Outcomes));
    assert_eq!(read.len(), 80);
    for record in read {
        assert_eq!(record.partition, log.partition_of(Stream::Outcomes, &record.key));
        assert!(record.partition.0 < log.partitions(Stream::Outcomes));
    }
}

fn a_reader_starts_wherever_it_likes(log: &EventLog) {
    let at = end(log, Stream::Outcomes);
    let ledger = writer(log, "ledger");
    block_on(ledger.append_all(Stream::Outcomes, batch(&["a", "b", "c"]))).unwrap();
    block_on(ledger.append_all(Stream::Outcomes, batch(&["d", "e"]))).unwrap();
    let end = end(log, Stream::Outcomes);
    let all = read_to(&mut log.read_from(Stream::Outcomes, &at), &end);
    assert_eq!(key_values(&all), ["a", "b", "c", "d", "e"].map(|value| ("key", value)));
    let ends = [(end.clone(), &all[5..])];
    let middles = all.iter().enumerate().map(|(i, record)| {
        let mut from = end.clone();
        from.set(record.partition, record.offset);
        (from, &all[i..])
    });
    for (from, expected) in middles.chain(ends) {
        let mut tail = log.read_from(Stream::Outcomes, &from);
        assert_eq!(tail.offsets(), from);
        assert_eq!(read_to(&mut tail, &end), expected);
        assert_eq!(tail.try_next().unwrap(), []);
    }
    assert!(at.reached(&start(log, Stream::Outcomes)));
}

fn a_batch_shows_at_once_or_not_at_all(log: &EventLog) {
    let (at, batches, size) = (end(log, Stream::LedgerJournal), 30, 3);
    thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let mut tail = log.read_from(Stream::LedgerJournal, &at);
            let (mut read, mut shown) = (Vec::new(), 0);
            while shown < batches * size {
                let end = end(log, Stream::LedgerJournal);
                read.extend(read_to(&mut tail, &end));
                shown = read.iter().filter(|record| record.offset < end.of(record.partition)).count();
                assert_eq!(shown % size, 0);
            }
        });
        let ledger = writer(log, "ledger");
        for _ in 0..batches {
            let records = vec![(Vec::new(), vec![0; 100]); size];
            block_on(ledger.append_all(Stream::LedgerJournal, records)).unwrap();
        }
        reader.join().unwrap();
    });
}

fn a_reader_waits_for_what_is_appended(log: &EventLog) {
    let mut tail = log.read_from(Stream::Leases, &end(log, Stream::Leases));
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        for _ in 0..3 {
            {
                let mut next = pin!(tail.next());
                let mut context = Context::from_waker(Waker::noop());
                assert!(next.as_mut().poll(&mut context).is_pending(), "there is nothing to read");
                // Dropped here: whoever gives up waiting loses nothing.
            }
            let (appended, read) = tokio::join!(log.append(Stream::Leases, "key", "value"), next(&mut tail));
            assert_eq!(key_values(&read), [("key", "value")]);
            assert_eq!(appended, Ok(read[0].offset));
        }
    });
}

/// Also where the last offsets are nobody's, and again and again.
fn a_reader_gets_to_every_end(log: &EventLog) {
    let at = end(log, Stream::Leases);
    let mut tail = log.read_from(Stream::Leases, &at);
    let ledger = writer(log, "ledger");
    for round in 0..5 {
        let records = (0..20).map(|key: u8| (vec![round, key], vec![])).collect();
        block_on(ledger.append_all(Stream::Leases, records)).unwrap();
        let end = end(log, Stream::Leases);
        assert_eq!(read_to(&mut tail, &end).len(), 20);
        assert_eq!(tail.offsets(), end);
        assert_eq!(read_to(&mut tail, &end), []);
    }
}

fn many_writers_lose_nothing_and_keep_their_order(log: &EventLog) {
    let (at, writers, appends) = (end(log, Stream::Notices), 8, 200);
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
    let read = read_to(&mut log.read_from(Stream::Notices, &at), &end(log, Stream::Notices));
    assert_eq!(read.len() as u32, u32::from(writers) * appends);
    for writer in 0..writers {
        let own = read.iter().filter(|record| record.key == [writer]).map(|record| record.value.clone());
        assert!(own.eq((0..appends).map(|n| n.to_le_bytes().to_vec())));
    }
}

fn what_no_stream_takes_is_refused_and_leaves_no_trace(log: &EventLog) {
    let (at, control) = (end(log, Stream::Campaigns), writer(log, "control"));
    let append_all = |records| block_on(control.append_all(Stream::Campaigns, records));
    assert_eq!(append_all(vec![]), Err(AppendError::EmptyBatch));
    let single = log.append(Stream::Campaigns, "k", vec![0; RECORD_BYTES_MAX]).wait();
    assert!(matches!(single, Err(AppendError::TooLarge { .. })), "{single:?}");
    let record = (Vec::new(), vec![0; RECORD_BYTES_MAX]);
    let many = append_all(vec![record; BATCH_BYTES_MAX / RECORD_BYTES_MAX + 1]);
    assert!(matches!(many, Err(AppendError::TooLarge { .. })), "{many:?}");
    assert_eq!(end(log, Stream::Campaigns), at);
    assert_eq!(log.append(Stream::Campaigns, "k", "v").wait(), Ok(at.of(Partition(0))));
}

fn an_offset_that_was_never_given_out_is_an_error(log: &EventLog) {
    let last = Partition(log.partitions(Stream::Outcomes) - 1);
    let mut from = end(log, Stream::Outcomes);
    let there = from.of(last);
    from.set(last, there.next());
    let mut tail = log.read_from(Stream::Outcomes, &from);
    for _ in 0..2 {
        let read = tail.next_blocking();
        assert!(matches!(read, Err(ReadError::Beyond { asked, end }) if asked == there.next() && end == there));
    }
    assert!(matches!(tail.try_next(), Err(ReadError::Beyond { .. })));
}

fn long_streams_are_read_in_parts(log: &EventLog) {
    let at = end(log, Stream::Notices);
    let answers: Vec<_> = (0..3 * READ_RECORDS).map(|_| log.append(Stream::Notices, "k", "v")).collect();
    wait_for(answers);
    let large: Vec<_> = (0..20).map(|_| log.append(Stream::Notices, "k", vec![0; 100_000])).collect();
    wait_for(large);
    let (mut tail, end) = (log.read_from(Stream::Notices, &at), end(log, Stream::Notices));
    let (mut records, mut bytes) = (0, 0);
    while !tail.offsets().reached(&end) {
        let read = tail.next_blocking().unwrap();
        assert!(read.len() <= READ_RECORDS);
        let read_bytes: usize = read.iter().map(|record| record.key.len() + record.value.len()).sum();
        assert!(read_bytes <= 400_000, "a read ends with the record that reaches the limit");
        (records, bytes) = (records + read.len(), bytes + read_bytes);
    }
    assert_eq!((records, bytes), (3 * READ_RECORDS + 20, 3 * READ_RECORDS * 2 + 20 * 100_001));
}

fn telemetry_is_offered_without_an_answer(log: &EventLog) {
    let mut tail = log.read_from(Stream::Bids, &end(log, Stream::Bids));
    assert!(log.offer(Stream::Bids, "impression", "bid"));
    assert_eq!(log.dropped(Stream::Bids), 0);
    assert_eq!(key_values(&block_on(next(&mut tail))), [("impression", "bid")]);
    assert!(!log.offer(Stream::Bids, "impression", vec![0; RECORD_BYTES_MAX]));
    assert_eq!((log.dropped(Stream::Bids), log.dropped(Stream::Opportunities)), (1, 0));
}

fn a_writer_ends_those_of_its_name(log: &EventLog) {
    let at = end(log, Stream::Outcomes);
    let (old, other) = (writer(log, "ledger"), writer(log, "control"));
    block_on(old.append_all(Stream::Outcomes, batch(&["old"]))).unwrap();
    let new = writer(log, "ledger");
    let fenced = AppendError::Fenced { name: "ledger".into() };
    assert_eq!(block_on(old.append_all(Stream::Outcomes, batch(&["too late"]))), Err(fenced.clone()));
    block_on(new.append_all(Stream::Outcomes, batch(&["new"]))).unwrap();
    assert_eq!(block_on(old.append_all(Stream::Outcomes, batch(&["too late"]))), Err(fenced));
    block_on(other.append_all(Stream::Outcomes, batch(&["other"]))).unwrap();
    let read = read_to(&mut log.read_from(Stream::Outcomes, &at), &end(log, Stream::Outcomes));
    assert_eq!(key_values(&read), [("key", "old"), ("key", "new"), ("key", "other")]);
}

fn of_what_is_derived_no_more_goes_than_is_released(log: &EventLog) {
    let stream = Stream::LedgerSnapshots;
    let append = |value: &str| log.append(stream, "0", value).wait().unwrap();
    let mut from = end(log, stream);
    let (old, kept) = (append("old"), append("kept"));
    block_on(log.release(stream, &kept.into())).unwrap();
    append("new");
    let first = start(log, stream).of(Partition(0));
    assert!(first <= kept, "{first} of {kept}");
    from.set(Partition(0), kept);
    let read = read_to(&mut log.read_from(stream, &from), &end(log, stream));
    assert_eq!(key_values(&read), [("0", "kept"), ("0", "new")]);
    from.set(Partition(0), old);
    let gone = log.read_from(stream, &from).next_blocking().is_err();
    assert_eq!(gone, first > old);
}

fn numbered_records_are_in_their_partitions(log: &EventLog) {
    let stream = Stream::LedgerJournal;
    let (at, numbers) = (end(log, stream), 0..log.partitions(stream));
    let records = numbers.clone().map(|number| (number.to_string().into_bytes(), Vec::new())).collect();
    block_on(writer(log, "ledger").append_all(stream, records)).unwrap();
    let mut read = read_to(&mut log.read_from(stream, &at), &end(log, stream));
    read.sort_by_key(|record| record.partition);
    let places = read.iter().map(|record| (record.partition, record.key.as_slice()));
    let keys: Vec<String> = numbers.clone().map(|number| number.to_string()).collect();
    assert!(places.eq(numbers.map(Partition).zip(keys.iter().map(|key| key.as_bytes()))), "{read:?}");
}

fn a_member_alone_has_every_partition(log: &EventLog) {
    let mut member = log.join("ledger", Stream::LedgerJournal).unwrap();
    let all: BTreeSet<Partition> = (0..log.partitions(Stream::LedgerJournal)).map(Partition).collect();
    assert_eq!(block_on(member.next()).unwrap(), all);
    let mut more = pin!(member.next());
    assert!(more.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending(), "it is said once");
}

fn what_was_acknowledged_is_there_when_opened_again(open: &impl Fn() -> EventLog) {
    let log = open();
    let offsets = Stream::ALL.map(|stream| log.append(stream, "key", stream.name()).wait().unwrap());
    log.close();
    let log = open();
    for (stream, offset) in Stream::ALL.into_iter().zip(offsets) {
        let mut from = end(&log, stream);
        let partition = log.partition_of(stream, b"key");
        assert_eq!(from.of(partition), offset.next());
        from.set(partition, offset);
        let read = block_on(next(&mut log.read_from(stream, &from)));
        assert_eq!(key_values(&read), [("key", stream.name())]);
        assert_eq!((read[0].partition, read[0].offset), (partition, offset));
        assert_eq!(log.append(stream, "key", "").wait(), Ok(offset.next()));
    }
    log.close();
}

fn a_closed_log_is_drained_and_takes_no_more(open: &impl Fn() -> EventLog) {
    let log = open();
    let ledger = writer(&log, "ledger");
    let mut tail = log.read_from(Stream::Bids, &end(&log, Stream::Bids));
    let answers: Vec<_> = (0..100).map(|_| log.append(Stream::Bids, "k", "v")).collect();
    let offered = log.offer(Stream::Bids, "k", "v");
    log.clone().close();
    let offsets: Vec<Offset> = answers.into_iter().map(|answer| answer.wait().unwrap()).collect();
    assert!(offsets.is_sorted_by(|a, b| a < b));
    assert!(offered);
    assert_eq!(log.append(Stream::Bids, "k", "v").wait(), Err(AppendError::Closed));
    assert_eq!(block_on(ledger.append_all(Stream::Bids, batch(&["v"]))), Err(AppendError::Closed));
    assert!(!log.offer(Stream::Bids, "k", "v"));
    let mut read = 0;
    let over = loop {
        match tail.next_blocking() {
            Ok(records) => read += records.len(),
            Err(error) => break error,
        }
    };
    assert!(matches!(over, ReadError::Closed), "{over}");
    assert_eq!(read, 101);
    assert!(matches!(tail.next_blocking(), Err(ReadError::Closed)));
    assert_eq!(tail.try_next().unwrap(), []);
}
