//! Any record of any stream: it is shown as JSON exactly where it can be read, each stream with its own columns, and what
//! is read says the same when it is written again. Campaigns and replays survive their conversions.
#![no_main]

use std::fmt::Debug;

use proto::campaign::campaign;
use proto::json::to_json;
use proto::opportunity::Replay;
use proto::record::{self, STREAMS, StreamRecord, VERSION};
use proto::wire::campaigns_record::Change;
use proto::wire::{self, Bid, CampaignsRecord, JournalEntry, LeaseRecord, LedgerSnapshot, Notice, OpportunityRecord, Outcome};
use serde_json::Value;

/// The columns of a line; alternatives (`oneof`) come and go, so only what is always there counts.
fn columns(line: &str) -> Vec<String> {
    let Ok(Value::Object(line)) = serde_json::from_str(line) else { panic!("{line} is no object") };
    line.keys().cloned().collect()
}

/// Reads `value` as a record of one stream.
fn check<M: StreamRecord + PartialEq + Debug>(value: &[u8]) -> Option<M> {
    let shown = to_json(M::STREAM, b"key", value);
    let Ok(message) = record::decode::<M>(value) else {
        assert!(shown.is_err(), "shown and not read: {shown:?}");
        return None;
    };
    let shown = shown.expect("what is read can be shown");
    let again = record::encode(&message);
    assert_eq!(record::decode::<M>(&again).as_ref(), Ok(&message));
    assert_eq!(to_json(M::STREAM, b"key", &again).as_ref(), Ok(&shown));
    assert!(!shown.contains('\n'));
    let empty = columns(&to_json(M::STREAM, b"key", &[VERSION]).expect("an empty message"));
    let here = columns(&shown);
    assert!(empty.iter().all(|column| here.contains(column)), "{shown}");
    Some(message)
}

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Some((&choice, message)) = data.split_first() else { return };
    let value = [&[VERSION], message].concat();
    match STREAMS[usize::from(choice) % STREAMS.len()] {
        "campaigns" => {
            let record = check::<CampaignsRecord>(&value);
            if let Some(Change::Campaign(wire)) = record.and_then(|record| record.change)
                && let Ok(read) = campaign(&wire)
            {
                assert_eq!(campaign(&wire::Campaign::from(&read)).as_ref(), Ok(&read));
            }
        }
        "opportunities" => {
            if let Some(record) = check::<OpportunityRecord>(&value)
                && let Ok(replay) = Replay::try_from(&record)
            {
                replay.with_request(|request| assert_eq!(request.opportunities.len(), record.opportunities.len()));
            }
        }
        "bids" => drop(check::<Bid>(&value)),
        "notices" => drop(check::<Notice>(&value)),
        "outcomes" => drop(check::<Outcome>(&value)),
        "leases" => drop(check::<LeaseRecord>(&value)),
        "ledger-journal" => drop(check::<JournalEntry>(&value)),
        "ledger-snapshots" => drop(check::<LedgerSnapshot>(&value)),
        other => panic!("nobody reads the stream {other} here"),
    }
});
