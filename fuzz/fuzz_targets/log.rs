//! Any bytes in a file of the log: reading and recovery keep exactly the batches that an independent reader finds whole at
//! its start, and what is appended then follows them.
#![no_main]

use std::fs;
use std::path::Path;

use event_log::{EventLog, LocalLog, LocalOptions, Offset, OpenError, Partition, Record, Stream, read_directory};

const STREAM: Stream = Stream::Notices;
const PREFIX: usize = 8;
const HEADER: usize = 21;

fn number(bytes: &[u8], at: usize) -> usize {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes")) as usize
}

/// The whole frame at the start of `bytes`, by the lengths alone.
fn frame(bytes: &[u8]) -> Option<&[u8]> {
    (bytes.len() >= HEADER && number(bytes, 0) >= HEADER - PREFIX).then(|| bytes.get(..number(bytes, 0) + PREFIX))?
}

fn checksum(frame: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&frame[..4]);
    hasher.update(&frame[PREFIX..]);
    hasher.finalize()
}

/// Makes the checksums right: no mutation finds them.
fn seal(bytes: &mut [u8]) {
    let mut at = 0;
    while let Some(length) = frame(&bytes[at..]).map(<[u8]>::len) {
        let sum = checksum(&bytes[at..at + length]);
        bytes[at + 4..at + PREFIX].copy_from_slice(&sum.to_le_bytes());
        at += length;
    }
}

/// The records of the whole batches at the start of `bytes`, and whether another version comes then.
fn whole(mut bytes: &[u8]) -> (Vec<Record>, bool) {
    let mut records = Vec::new();
    while let Some(frame) = frame(bytes) {
        if checksum(frame) as usize != number(frame, 4) {
            break;
        }
        if frame[PREFIX] != 1 {
            return (records, true);
        }
        let (first, count) = (number(frame, 9) as u64 | (number(frame, 13) as u64) << 32, number(frame, 17));
        let Some(batch) = batch(first, &frame[HEADER..]) else { break };
        if first != records.len() as u64 || batch.len() != count || count == 0 {
            break;
        }
        records.extend(batch);
        bytes = &bytes[frame.len()..];
    }
    (records, false)
}

/// The records that fill `bytes` exactly.
fn batch(first: u64, mut bytes: &[u8]) -> Option<Vec<Record>> {
    let mut records = Vec::new();
    while !bytes.is_empty() {
        let (lengths, rest) = bytes.split_at_checked(8)?;
        let (key, rest) = rest.split_at_checked(number(lengths, 0))?;
        let (value, rest) = rest.split_at_checked(number(lengths, 4))?;
        let offset = Offset(first.wrapping_add(records.len() as u64));
        records.push(Record { partition: Partition(0), offset, key: key.to_vec(), value: value.to_vec() });
        bytes = rest;
    }
    Some(records)
}

fn read(dir: &Path) -> Vec<Record> {
    read_directory(dir, STREAM, Offset(0)).expect("a stream").map_while(Result::ok).collect()
}

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Some((&sealed, bytes)) = data.split_first() else { return };
    let mut bytes = bytes.to_vec();
    if sealed % 4 > 0 {
        seal(&mut bytes);
    }
    let (records, foreign) = whole(&bytes);
    let dir = tempfile::tempdir().expect("a directory");
    let stream = dir.path().join(STREAM.name());
    fs::create_dir(&stream).expect("a directory");
    let file = stream.join(format!("{:020}.log", 0));
    fs::write(&file, &bytes).expect("a file");
    assert_eq!(read(dir.path()), records);

    let opened = LocalLog::open(LocalOptions::new(dir.path()));
    if foreign {
        assert!(matches!(opened, Err(OpenError::Corrupt(_))));
        assert_eq!(fs::read(&file).expect("a file"), bytes, "what is refused is not changed");
        return;
    }
    let log = EventLog::from(opened.expect("what a crash may leave"));
    let end = Offset(records.len() as u64);
    assert_eq!(event_log::block_on(log.ends(STREAM)).expect("a local log answers"), end.into());
    assert_eq!(log.append(STREAM, "key", "value").wait(), Ok(end));
    log.close();
    let mut longer = records;
    longer.push(Record { partition: Partition(0), offset: end, key: b"key".to_vec(), value: b"value".to_vec() });
    assert_eq!(read(dir.path()), longer);
});
