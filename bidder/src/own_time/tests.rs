use super::*;

const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

#[test]
fn the_estimate_comes_to_rest_at_the_99th_percentile() {
    let own = OwnTime::default();
    // One to a hundred milliseconds, in an order without a pattern.
    for number in 0..20_000_u64 {
        own.learn(ms(1 + number * 37 % 100));
    }
    let learned = own.get();
    assert!((ms(90)..ms(115)).contains(&learned), "{learned:?}");
}

#[test]
fn an_overload_is_learned_in_dozens_of_answers_and_forgotten_in_thousands() {
    let own = OwnTime::default();
    (0..80).for_each(|_| own.learn(ms(40)));
    assert!(own.get() > ms(36), "{:?}", own.get());
    (0..5_000).for_each(|_| own.learn(ms(1)));
    assert!(own.get() < ms(2), "{:?}", own.get());
}

#[test]
fn who_is_turned_away_changes_nothing_while_others_are_answered() {
    let own = OwnTime::default();
    for number in 0..20_000_u64 {
        own.learn(ms(1 + number * 37 % 100));
        (0..9).for_each(|_| own.turned_away());
    }
    assert!((ms(90)..ms(115)).contains(&own.get()), "{:?}", own.get());
}

#[test]
fn turning_everybody_away_ends_by_itself() {
    let own = OwnTime::default();
    (0..200).for_each(|_| own.learn(ms(500)));
    let away = (0..100_000).take_while(|_| own.get() > ms(60)).inspect(|_| own.turned_away()).count();
    assert!((1_001..5_000).contains(&away), "{away}");
}
