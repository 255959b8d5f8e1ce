use proptest::prelude::*;

use super::*;

fn encoded(first: u64, records: &[KeyValue]) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode(Offset(first), records, &mut bytes);
    assert_eq!(bytes.len(), length(records));
    bytes
}

/// These bytes must be read forever.
#[test]
fn version_one_stays_as_it_is() {
    let golden = "2f000000 7d9e2c32 01 0700000000000000 02000000 01000000 03000000 6b 776f6e 00000000 0e000000 \
                  616e206f6c64207265636f72642e";
    let golden: String = golden.split_whitespace().collect();
    let bytes = encoded(7, &[(b"k".to_vec(), b"won".to_vec()), (Vec::new(), b"an old record.".to_vec())]);
    assert_eq!(bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>(), golden);
}

#[test]
fn zeros_are_no_frame() {
    assert_eq!(check(&[0; 4_096]), Err(Bad::Torn));
    assert_eq!(check(&[]), Err(Bad::Short { needed: HEADER }));
}

fn records() -> impl Strategy<Value = Vec<KeyValue>> {
    let bytes = || prop::collection::vec(any::<u8>(), 0..40);
    prop::collection::vec((bytes(), bytes()), 1..6)
}

proptest! {
    #[test]
    fn what_is_written_is_read(first in 0..u64::MAX - 10, batch in records(), next in records()) {
        let mut bytes = encoded(first, &batch);
        let length = bytes.len();
        bytes.extend(encoded(first + batch.len() as u64, &next));
        prop_assert_eq!(check(&bytes), Ok(length));
        let frame = Frame::of(&bytes[..length]);
        prop_assert_eq!(frame.end(), Offset(first + batch.len() as u64));
        let read: Vec<Record> = frame.records().map(RecordView::to_record).collect();
        prop_assert_eq!(read.iter().map(|r| r.offset.0).collect::<Vec<_>>(), (first..frame.end().0).collect::<Vec<_>>());
        prop_assert_eq!(read.into_iter().map(|r| (r.key, r.value)).collect::<Vec<_>>(), batch);
    }

    #[test]
    fn no_part_of_a_frame_is_one(batch in records(), cut in any::<prop::sample::Index>()) {
        let bytes = encoded(3, &batch);
        let part = &bytes[..cut.index(bytes.len())];
        let Err(Bad::Short { needed }) = check(part) else { panic!("{part:?}") };
        prop_assert!(needed > part.len() && needed <= bytes.len());
    }

    #[test]
    fn a_changed_frame_is_none(batch in records(), at in any::<prop::sample::Index>(), change in 1..=255u8) {
        let mut bytes = encoded(3, &batch);
        let at = at.index(bytes.len());
        bytes[at] ^= change;
        prop_assert!(check(&bytes).is_err());
    }

    #[test]
    fn whatever_passes_the_checksum_is_read_without_panic(body in prop::collection::vec(any::<u8>(), 13..80)) {
        let mut bytes = (body.len() as u32).to_le_bytes().to_vec();
        bytes.extend([0; 4]);
        bytes.extend(body);
        bytes[PREFIX] = VERSION;
        bytes[18..21].fill(0);
        seal(&mut bytes);
        if let Ok(length) = check(&bytes) {
            prop_assert_eq!(length, bytes.len());
            prop_assert!(Frame::of(&bytes).records().count() > 0);
        }
    }
}
