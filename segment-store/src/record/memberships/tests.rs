use proptest::prelude::*;

use super::*;

fn membership(segment: u32, until: u32, confidence: u8) -> Membership {
    Membership { segment: SegmentId(segment), until: Seconds(until), confidence }
}

fn encoded(head: Head, memberships: &[Membership]) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode(head, memberships, &mut bytes);
    bytes
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What was once written must be read forever: a line here is never changed, only added.
#[test]
fn golden_bytes() {
    let check = |head: Head, memberships: &[Membership], golden: &str| {
        let bytes = encoded(head, memberships);
        assert_eq!(hex(&bytes), golden);
        let mut decoded = Vec::new();
        assert_eq!(decode(&bytes, &mut decoded), Ok(head));
        assert_eq!(decoded, memberships);
    };
    let person = PersonKey(std::array::from_fn(|i| i as u8));
    let nobody = "000102030405060708090a0b0c0d0e0f";
    check(Head { version: 1, person }, &[], &format!("010100000000000000{nobody}00"));
    check(
        Head { version: 0x0102_0304_0506_0708, person },
        &[membership(7, 1_795_000_000, 100), membership(300, 1_794_999_000, 85), membership(u32::MAX, u32::MAX, 0)],
        &format!("010807060504030201{nobody}030e809becaf0dcb04cf0f55a7fbffff1fb18becaf0d00"),
    );
}

#[test]
fn corrupt() {
    let good = encoded(Head { version: 1, person: PersonKey([9; 16]) }, &[membership(1, 5, 100), membership(2, 5, 99)]);
    let mut decoded = Vec::new();
    assert!(decode(&good, &mut decoded).is_ok());
    let check = |what: &str, at: usize, bytes: &[u8]| {
        let mut bad = good.clone();
        bad.splice(at..at + bytes.len().min(good.len() - at), bytes.iter().copied());
        assert_eq!(decode(&bad, &mut Vec::new()), Err(Corrupt), "{what}");
    };
    check("another form", 0, &[2]);
    check("a segment twice", 28, &[0]);
    check("100 written out", 30, &[100]);
    check("over 100", 30, &[255]);
    check("fewer than counted", 25, &[3]);
    check("more than counted", 25, &[1]);
    check("something after the end", good.len(), &[0]);
    for length in 0..good.len() {
        assert_eq!(decode(&good[..length], &mut decoded), Err(Corrupt), "cut off at {length}");
    }
}

fn any_memberships() -> impl Strategy<Value = Vec<Membership>> {
    let one = (any::<u32>(), any::<u32>(), 0_u8..=100).prop_map(|(s, u, c)| membership(s, u, c));
    proptest::collection::btree_map(prop_oneof![0_u32..50, any::<u32>()], one, 0..20)
        .prop_map(|map| map.into_iter().map(|(segment, m)| Membership { segment: SegmentId(segment), ..m }).collect())
}

proptest! {
    #[test]
    fn what_is_written_is_read(version: u64, person: [u8; 16], memberships in any_memberships()) {
        let head = Head { version, person: PersonKey(person) };
        let mut decoded = vec![membership(1, 2, 3)];
        prop_assert_eq!(decode(&encoded(head, &memberships), &mut decoded), Ok(head));
        prop_assert_eq!(decoded, memberships);
    }

    #[test]
    fn any_bytes_are_one_record_or_none(
        memberships in any_memberships(),
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        length in any::<prop::sample::Index>(),
        noise in proptest::collection::vec(any::<u8>(), 0..64),
    ) {
        let mut bytes = encoded(Head { version: 3, person: PersonKey([1; 16]) }, &memberships);
        changes.iter().for_each(|(at, byte)| { let at = at.index(bytes.len()); bytes[at] = *byte; });
        let cut = &bytes[..length.index(bytes.len() + 1)];
        for bytes in [&bytes, cut, &noise] {
            let mut decoded = Vec::new();
            if let Ok(head) = decode(bytes, &mut decoded) {
                prop_assert_eq!(encoded(head, &decoded), bytes);
            }
        }
    }
}
