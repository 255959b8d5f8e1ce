//! Memberships against a plain map.

use std::collections::BTreeMap;

use proptest::prelude::*;
use segment_store::Join;

use super::*;

/// People have two ids each, of which writers name one or both; this is the version of the naive store that knows
/// only people, so writers here always name both.
#[derive(Clone, Debug)]
enum Change {
    Join(u64, Vec<(u32, u32)>),
    Leave(u64, Vec<u32>),
    Remove(u64),
    Sweep,
    Reopen,
}

fn any_change() -> impl Strategy<Value = Change> {
    let person = 0_u64..4;
    let until = prop_oneof![Just(999_999_u32), Just(1_000_000), Just(1_000_001), 1_000_002..9_000_000_u32];
    prop_oneof![
        20 => (person.clone(), proptest::collection::vec((0_u32..12, until), 0..5)).prop_map(|(p, m)| Change::Join(p, m)),
        6 => (person.clone(), proptest::collection::vec(0_u32..12, 0..5)).prop_map(|(p, s)| Change::Leave(p, s)),
        2 => person.prop_map(Change::Remove),
        1 => Just(Change::Sweep),
        1 => Just(Change::Reopen),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn memberships_equal_the_model(changes in proptest::collection::vec(any_change(), 0..60)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let folder = tempfile::tempdir().unwrap();
            let mut profiles = local(folder.path());
            let mut model: [BTreeMap<u32, u32>; 4] = Default::default();
            for change in changes {
                let ids = |person: u64| [id(2 * person), id(2 * person + 1)];
                match change {
                    Change::Join(person, new) => {
                        let memberships: Vec<_> = new.iter().map(|(segment, until)| membership(*segment, *until)).collect();
                        let join = Join { ids: &ids(person), person: None, memberships: &memberships };
                        profiles.join(&join, NOW).await.unwrap();
                        model[person as usize].extend(new);
                        model[person as usize].retain(|_, until| *until > 1_000_000);
                    }
                    Change::Leave(person, segments) => {
                        let left: Vec<_> = segments.iter().copied().map(SegmentId).collect();
                        profiles.leave(&ids(person), &left, NOW).await.unwrap();
                        model[person as usize].retain(|segment, _| !segments.contains(segment));
                    }
                    Change::Remove(person) => {
                        profiles.remove(&ids(person)).await.unwrap();
                        model[person as usize].clear();
                    }
                    Change::Sweep => {
                        profiles.sweep(NOW);
                    }
                    Change::Reopen => {
                        drop(profiles);
                        profiles = local(folder.path());
                    }
                }
                for (person, model) in (0..).zip(&model) {
                    let expected: Vec<_> = model.iter().map(|(segment, until)| format!("{segment}:{until}")).collect();
                    for known in [&ids(person)[..], &ids(person)[..1], &ids(person)[1..]] {
                        prop_assert_eq!(shown(&profiles, known).await, expected.join(" "));
                    }
                }
            }
            Ok(())
        })?;
    }
}
