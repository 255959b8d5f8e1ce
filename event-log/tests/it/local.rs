//! What only the files of the local log do.

use std::fs;
use std::path::{Path, PathBuf};

use event_log::{
    EventLog, LocalLog, LocalOptions, Offset, Offsets, OpenError, ReadError, Record, Stream, read_directory,
};

use crate::{end, start};

fn open(dir: &Path) -> EventLog {
    LocalLog::open(LocalOptions::new(dir)).unwrap().into()
}

/// Appends one record a group, each with its number as its value.
fn append(log: &EventLog, stream: Stream, numbers: std::ops::Range<u8>) {
    for number in numbers {
        log.append(stream, "key", [number]).wait().unwrap();
    }
}

fn cat(dir: &Path, stream: Stream, from: u64) -> Vec<Record> {
    read_directory(dir, stream, Offset(from)).unwrap().map(|record| record.unwrap()).collect()
}

fn segments(dir: &Path, stream: Stream) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> =
        fs::read_dir(dir.join(stream.name())).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

#[test]
fn what_is_released_goes_with_the_next_append() {
    let dir = tempfile::tempdir().unwrap();
    let options = LocalOptions { segment_bytes: 1, ..LocalOptions::new(dir.path()) };
    let log: EventLog = LocalLog::open(options).unwrap().into();
    append(&log, Stream::LedgerSnapshots, 0..4);
    append(&log, Stream::Outcomes, 0..4);
    event_log::block_on(log.release(Stream::LedgerSnapshots, &Offset(2).into())).unwrap();
    append(&log, Stream::LedgerSnapshots, 4..5);
    log.close();
    assert_eq!(segments(dir.path(), Stream::LedgerSnapshots).len(), 3);
    let log = open(dir.path());
    assert_eq!(start(&log, Stream::LedgerSnapshots), Offset(2).into());
    assert_eq!(start(&log, Stream::Outcomes), Offset(0).into());
    log.close();
}

#[test]
fn a_directory_belongs_to_one_process() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path());
    let clone = log.clone();
    let refused = LocalLog::open(LocalOptions::new(dir.path())).unwrap_err();
    assert!(matches!(&refused, OpenError::InUse { dir: named } if named == dir.path()));
    let message = refused.to_string();
    assert!(message.contains(dir.path().to_str().unwrap()) && message.contains("Kafka"), "{message}");
    drop(log);
    assert!(LocalLog::open(LocalOptions::new(dir.path())).is_err(), "a clone still has it");
    let answer = clone.append(Stream::Notices, "k", "v");
    drop(clone);
    assert_eq!(answer.wait(), Ok(Offset(0)), "the last clone writes what waits");
    open(dir.path()).close();
}

/// What those who remember places rely on: nothing else may ever stand at an offset that was nobody's.
#[test]
fn offsets_are_dense() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path());
    let writer = event_log::block_on(log.writer("ledger")).unwrap();
    for round in 0..3 {
        assert_eq!(log.append(Stream::Leases, "k", "v").wait(), Ok(Offset(3 * round)));
        let batch = vec![(Vec::new(), Vec::new()); 2];
        event_log::block_on(writer.append_all(Stream::Leases, batch)).unwrap();
        assert_eq!(end(&log, Stream::Leases), Offset(3 * round + 3).into());
    }
}

#[test]
fn missing_directories_are_created() {
    let dir = tempfile::tempdir().unwrap();
    let deep = dir.path().join("a/b/c");
    append(&open(&deep), Stream::Notices, 0..1);
    assert_eq!(cat(&deep, Stream::Notices, 0).len(), 1);
}

#[test]
fn telemetry_keeps_its_last_segments_and_money_all() {
    let dir = tempfile::tempdir().unwrap();
    let options = LocalOptions { segment_bytes: 100, retention_bytes: 300, ..LocalOptions::new(dir.path()) };
    let log: EventLog =
        LocalLog::open(LocalOptions { telemetry_sync_interval: Default::default(), ..options }).unwrap().into();
    let mut slow = log.read_from(Stream::Bids, &Offsets::default());
    // Frames of 33 bytes: three a segment.
    for stream in [Stream::Bids, Stream::Notices] {
        append(&log, stream, 0..30);
    }
    assert_eq!((start(&log, Stream::Notices), end(&log, Stream::Notices)), (Offset(0).into(), Offset(30).into()));
    assert_eq!((start(&log, Stream::Bids), end(&log, Stream::Bids)), (Offset(18).into(), Offset(30).into()));
    let trimmed = slow.next_blocking();
    assert!(matches!(trimmed, Err(ReadError::Trimmed { asked: Offset(0), start: Offset(18) })), "{trimmed:?}");
    assert_eq!(log.read_from(Stream::Bids, &Offset(18).into()).next_blocking().unwrap()[0].value, [18]);
    log.close();
    assert_eq!(cat(dir.path(), Stream::Bids, 0)[0].offset, Offset(18));
    assert_eq!((segments(dir.path(), Stream::Bids).len(), segments(dir.path(), Stream::Notices).len()), (4, 10));
}

#[test]
fn files_are_read_beside_a_running_log_and_to_the_last_whole_batch() {
    let dir = tempfile::tempdir().unwrap();
    let options = LocalOptions { segment_bytes: 100, ..LocalOptions::new(dir.path()) };
    let log: EventLog = LocalLog::open(options).unwrap().into();
    append(&log, Stream::Notices, 0..10);
    assert_eq!(cat(dir.path(), Stream::Notices, 0).len(), 10);
    assert_eq!(cat(dir.path(), Stream::Notices, 7)[0].value, [7]);
    assert_eq!(cat(dir.path(), Stream::Notices, 10), []);
    assert_eq!(cat(dir.path(), Stream::Leases, 0), []);
    // An iterator goes on where the log went on in the meantime.
    let mut records = read_directory(dir.path(), Stream::Notices, Offset(9)).unwrap();
    append(&log, Stream::Notices, 10..20);
    assert_eq!(
        records.by_ref().map(|record| record.unwrap().offset.0).collect::<Vec<_>>(),
        (9..20).collect::<Vec<_>>()
    );
    log.close();
    let last = segments(dir.path(), Stream::Notices).pop().unwrap();
    let whole = fs::read(&last).unwrap();
    for torn in 1..33 {
        fs::write(&last, &whole[..whole.len() - torn]).unwrap();
        assert_eq!(cat(dir.path(), Stream::Notices, 0).len(), 19);
    }
    let log = open(dir.path());
    assert_eq!(end(&log, Stream::Notices), Offset(19).into());
    append(&log, Stream::Notices, 19..20);
    assert_eq!(cat(dir.path(), Stream::Notices, 0).len(), 20);
}

#[test]
fn damage_is_refused_by_file_and_byte() {
    let dir = tempfile::tempdir().unwrap();
    let options = LocalOptions { segment_bytes: 100, ..LocalOptions::new(dir.path()) };
    let log: EventLog = LocalLog::open(options.clone()).unwrap().into();
    append(&log, Stream::Leases, 0..10);
    let second = &segments(dir.path(), Stream::Leases)[1];
    let mut bytes = fs::read(second).unwrap();
    bytes[40] ^= 1;
    fs::write(second, bytes).unwrap();
    let named = format!("{}: byte 33: acknowledged records are damaged", second.display());

    let mut tail = log.read_from(Stream::Leases, &Offsets::default());
    assert_eq!(tail.next_blocking().unwrap().len(), 3);
    assert_eq!(tail.next_blocking().unwrap().len(), 1, "what is whole is handed over first");
    assert_eq!(tail.next_blocking().unwrap_err().to_string(), named);
    assert_eq!(tail.offsets(), Offset(4).into());
    let read = read_directory(dir.path(), Stream::Leases, Offset(0)).unwrap();
    let read: Vec<Result<Record, ReadError>> = read.collect();
    assert_eq!(read.iter().filter(|record| record.is_ok()).count(), 4);
    assert_eq!(read.last().unwrap().as_ref().unwrap_err().to_string(), named);
    log.close();
    assert_eq!(LocalLog::open(options).unwrap_err().to_string(), named);
}

#[test]
fn there_is_nothing_to_read_where_no_log_is() {
    let dir = tempfile::tempdir().unwrap();
    let Err(ReadError::Io(error)) = read_directory(dir.path(), Stream::Bids, Offset(0)).map(drop) else {
        panic!("it was read")
    };
    assert!(error.to_string().contains(dir.path().join("bids").to_str().unwrap()), "{error}");
}

#[test]
#[should_panic(expected = "notices is not telemetry")]
fn money_is_never_offered() {
    let dir = tempfile::tempdir().unwrap();
    open(dir.path()).offer(Stream::Notices, "k", "v");
}
