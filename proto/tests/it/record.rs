//! Bytes that are no records of this version, or of none.

use proptest::prelude::*;
use proto::json::{JsonError, to_json};
use proto::record::{RecordError, STREAMS, StreamRecord, decode, encode, encode_into};
use proto::wire::{
    Bid, CampaignsRecord, JournalEntry, LeaseRecord, LedgerSnapshot, Notice, OpportunityRecord, Outcome,
};

use crate::golden;

/// Whether `value` is a record of `stream`, as typed code decodes it.
fn decoded(stream: &str, value: &[u8]) -> Result<(), RecordError> {
    fn check<M: StreamRecord>(value: &[u8]) -> Result<(), RecordError> {
        decode::<M>(value).map(|_| ())
    }
    match stream {
        CampaignsRecord::STREAM => check::<CampaignsRecord>(value),
        OpportunityRecord::STREAM => check::<OpportunityRecord>(value),
        Bid::STREAM => check::<Bid>(value),
        Notice::STREAM => check::<Notice>(value),
        Outcome::STREAM => check::<Outcome>(value),
        LeaseRecord::STREAM => check::<LeaseRecord>(value),
        JournalEntry::STREAM => check::<JournalEntry>(value),
        LedgerSnapshot::STREAM => check::<LedgerSnapshot>(value),
        _ => panic!("stream {stream} has no message here: add it"),
    }
}

/// What `value` is refused with, typed and as JSON alike.
fn refusal(stream: &str, value: &[u8]) -> Option<RecordError> {
    let typed = decoded(stream, value).err();
    let shown = to_json(stream, b"", value).err();
    assert_eq!(typed.is_some(), shown.is_some(), "{stream} {value:02x?}: {typed:?}, {shown:?}");
    typed
}

#[test]
fn a_record_is_its_version_and_its_message() {
    let stop = Notice { node: 1, ..Notice::default() };
    assert_eq!(encode(&stop), [1, 0x20, 1]);
    let mut buffer = vec![9];
    encode_into(&stop, &mut buffer);
    assert_eq!(buffer, [9, 1, 0x20, 1]);
    assert_eq!(decode(&buffer[1..]), Ok(stop));
    assert_eq!(decode(&[1]), Ok(Notice::default()));
}

#[test]
fn what_is_no_record_of_this_version_is_refused() {
    for stream in STREAMS {
        assert_eq!(refusal(stream, &[]), Some(RecordError::Empty));
        for record in golden::read(stream) {
            for version in [0, 2, 255] {
                let other = [&[version], &record.value[1..]].concat();
                assert_eq!(refusal(stream, &other), Some(RecordError::UnknownVersion(version)));
            }
            let cut = &record.value[..record.value.len() - 1];
            assert!(matches!(refusal(stream, cut), Some(RecordError::Malformed(_))), "{stream} {cut:02x?}");
        }
    }
    let unknown = JsonError::UnknownStream("clicks".into());
    assert_eq!(to_json("clicks", b"", &[1]), Err(unknown));
}

#[test]
fn fields_of_a_newer_program_are_left_out() {
    // Fields 15,000 to 15,003: a number, bytes, 64 and 32 bits.
    let mut newer = Vec::new();
    prost::encoding::uint64::encode(15_000, &7, &mut newer);
    prost::encoding::bytes::encode(15_001, &b"new".to_vec(), &mut newer);
    prost::encoding::fixed64::encode(15_002, &7, &mut newer);
    prost::encoding::fixed32::encode(15_003, &7, &mut newer);
    for stream in STREAMS {
        for record in golden::read(stream) {
            let value = [&record.value[..], &newer].concat();
            assert_eq!(decoded(stream, &value), Ok(()));
            assert_eq!(to_json(stream, &record.key, &value), to_json(stream, &record.key, &record.value));
        }
    }
}

#[test]
fn a_golden_record_cut_anywhere_is_refused_or_read() {
    for stream in STREAMS {
        for record in golden::read(stream) {
            for end in 0..record.value.len() {
                refusal(stream, &record.value[..end]);
            }
        }
    }
}

proptest! {
    #[test]
    fn random_bytes_are_refused_or_read(message in any::<Vec<u8>>()) {
        let value = [&[1][..], &message].concat();
        for stream in STREAMS {
            refusal(stream, &value);
        }
    }

    #[test]
    fn a_golden_record_with_damage_is_refused_or_read(
        stream in proptest::sample::select(STREAMS),
        place in any::<proptest::sample::Index>(),
        damage in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 1..8),
    ) {
        let mut value = place.get(&golden::read(stream)).value.clone();
        for (place, byte) in damage {
            let place = place.index(value.len() - 1) + 1;
            value[place] = byte;
        }
        refusal(stream, &value);
    }
}
