//! Golden records: bytes that decode forever, and what they look like as JSON.
//!
//! `tests/golden/STREAM.v1.bin` holds the records of a stream: each is the length of its key, the key, the length of its
//! value and the value, lengths as 32-bit little-endian. `STREAM.v1.jsonl` is their JSON, line by line. Neither is ever
//! changed, only appended to: `UPDATE_GOLDEN=1 cargo test --release -p proto --test it written_as` appends the records that
//! `samples` has more than the files.

use std::collections::BTreeSet;
use std::path::PathBuf;

use prost_reflect::{DescriptorPool, DynamicMessage, MessageDescriptor, Value};
use proto::json::to_json;
use proto::record::STREAMS;

mod samples;

/// A record with its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Golden {
    pub(crate) key: Vec<u8>,
    pub(crate) value: Vec<u8>,
}

fn path(stream: &str, extension: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("tests/golden/{stream}.v1.{extension}"))
}

/// The golden records of a stream, as they stand in its file.
pub(crate) fn read(stream: &str) -> Vec<Golden> {
    let file = std::fs::read(path(stream, "bin")).unwrap_or_default();
    let mut rest = &file[..];
    let mut records = Vec::new();
    while !rest.is_empty() {
        let mut part = || {
            let (length, after) = rest.split_first_chunk().expect("a length");
            let (bytes, after) = after.split_at(u32::from_le_bytes(*length) as usize);
            rest = after;
            bytes.to_vec()
        };
        records.push(Golden { key: part(), value: part() });
    }
    records
}

fn lines(stream: &str) -> Vec<String> {
    let file = std::fs::read_to_string(path(stream, "jsonl")).unwrap_or_default();
    file.lines().map(str::to_owned).collect()
}

fn append(stream: &str, record: &Golden) {
    let (mut bin, mut jsonl) = (std::fs::read(path(stream, "bin")).unwrap_or_default(), lines(stream));
    for part in [&record.key, &record.value] {
        bin.extend(u32::try_from(part.len()).expect("records are small").to_le_bytes());
        bin.extend(part);
    }
    jsonl.push(to_json(stream, &record.key, &record.value).expect("a sample is a record"));
    std::fs::write(path(stream, "bin"), bin).expect("the folder is there");
    std::fs::write(path(stream, "jsonl"), jsonl.join("\n") + "\n").expect("the folder is there");
}

/// Whether everything in `old` stands in `new` as well, which may have more fields.
fn holds(new: &serde_json::Value, old: &serde_json::Value) -> bool {
    use serde_json::Value::{Array, Object};
    match (new, old) {
        (Object(new), Object(old)) => old.iter().all(|(name, old)| new.get(name).is_some_and(|new| holds(new, old))),
        (Array(new), Array(old)) => new.len() == old.len() && new.iter().zip(old).all(|(new, old)| holds(new, old)),
        _ => new == old,
    }
}

#[test]
fn golden_bytes_decode_forever() {
    for stream in STREAMS {
        let (records, lines) = (read(stream), lines(stream));
        assert!(!records.is_empty(), "{stream} has no golden records");
        assert_eq!(records.len(), lines.len(), "{stream} has a line for every record");
        for (at, (record, line)) in records.iter().zip(lines).enumerate() {
            let shown = to_json(stream, &record.key, &record.value).expect("old bytes decode forever");
            let [new, old] = [&shown, &line].map(|line| serde_json::from_str(line).expect("JSON"));
            assert!(holds(&new, &old), "{stream}, record {at}\nnow: {shown}\nwas: {line}");
        }
    }
}

#[test]
fn records_are_still_written_as_they_were() {
    for stream in STREAMS {
        let (samples, mut records) = (samples::of(stream), read(stream));
        if option_env!("UPDATE_GOLDEN").is_some() {
            samples.iter().skip(records.len()).for_each(|sample| append(stream, sample));
            records = read(stream);
        }
        assert_eq!(samples.len(), records.len(), "{stream}: run what is said at the top of golden.rs");
        for (at, (sample, record)) in samples.iter().zip(&records).enumerate() {
            assert_eq!(sample, record, "{stream}, record {at} is not written as it was");
        }
    }
}

/// Notes the full name of every field that is set in `message`.
fn note(message: &DynamicMessage, set: &mut BTreeSet<String>) {
    for (field, value) in message.fields() {
        set.insert(field.full_name().to_owned());
        let parts = if let Value::List(parts) = value { parts.as_slice() } else { std::slice::from_ref(value) };
        parts.iter().filter_map(Value::as_message).for_each(|part| note(part, set));
    }
}

/// Notes the full name of every field that `message` and the messages in it have.
fn note_all(message: &MessageDescriptor, all: &mut BTreeSet<String>) {
    for field in message.fields() {
        if all.insert(field.full_name().to_owned())
            && let Some(part) = field.kind().as_message()
        {
            note_all(part, all);
        }
    }
}

/// The message of a stream's records.
pub(crate) fn message(stream: &str) -> MessageDescriptor {
    let name = match stream {
        "campaigns" => "CampaignsRecord",
        "opportunities" => "OpportunityRecord",
        "bids" => "Bid",
        "notices" => "Notice",
        "outcomes" => "Outcome",
        "leases" => "LeaseRecord",
        "ledger-journal" => "JournalEntry",
        "ledger-snapshots" => "LedgerSnapshot",
        _ => panic!("stream {stream} has no message here: add it"),
    };
    let descriptors = include_bytes!("../../src/wire/vernier.v1.bin");
    let pool = DescriptorPool::decode(descriptors.as_slice()).expect("descriptors");
    pool.get_message_by_name(&format!("vernier.v1.{name}")).expect("a message of the schemas")
}

#[test]
fn every_field_is_in_a_golden_record() {
    for stream in STREAMS {
        let (mut set, mut all) = (BTreeSet::new(), BTreeSet::new());
        note_all(&message(stream), &mut all);
        for record in read(stream) {
            note(&DynamicMessage::decode(message(stream), &record.value[1..]).expect("a record"), &mut set);
        }
        let missing: Vec<&String> = all.difference(&set).collect();
        assert!(missing.is_empty(), "{stream}: append a message with {missing:?} to tests/it/golden/samples.rs");
    }
}
