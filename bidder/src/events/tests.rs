use super::*;

#[test]
fn a_filling_queue_keeps_whole_people_and_fewer_of_them() {
    let people: Vec<PersonKey> = (0..2_000_u32)
        .map(|n| {
            let mut key = [0; 16];
            key[..4].copy_from_slice(&n.to_le_bytes());
            PersonKey(key)
        })
        .collect();
    let kept = |queued: usize| people.iter().filter(|person| is_kept(queued, Some(**person))).collect::<Vec<_>>();
    assert_eq!(kept(EVENTS_THINNED_FROM - 1).len(), people.len());
    assert!(kept(EVENTS_QUEUED_MAX).is_empty());
    let mut before = kept(EVENTS_THINNED_FROM);
    for eighth in 1..8 {
        let now = kept(EVENTS_THINNED_FROM + (EVENTS_QUEUED_MAX - EVENTS_THINNED_FROM) * eighth / 8);
        assert!(now.iter().all(|person| before.contains(person)), "who is dropped early is dropped late");
        let share = now.len() as f64 / people.len() as f64;
        assert!((share - (1.0 - eighth as f64 / 8.0)).abs() < 0.05, "{eighth}/8 full keeps {share}");
        before = now;
    }
}
