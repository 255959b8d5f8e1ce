use super::*;

const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

#[test]
fn the_estimate_comes_to_rest_at_the_99th_percentile() {
    let admission = Admission::default();
    // One to a hundred milliseconds, in an order without a pattern.
    for number in 0..20_000_u64 {
        admission.learn(ms(1 + number * 37 % 100));
    }
    let own = admission.own_time();
    assert!((ms(90)..ms(115)).contains(&own), "{own:?}");
}

#[test]
fn an_overload_is_learned_in_dozens_of_answers_and_forgotten_in_thousands() {
    let admission = Admission::default();
    (0..80).for_each(|_| admission.learn(ms(40)));
    assert!(admission.own_time() > ms(36), "{:?}", admission.own_time());
    (0..5_000).for_each(|_| admission.learn(ms(1)));
    assert!(admission.own_time() < ms(2), "{:?}", admission.own_time());
}

#[test]
fn what_did_not_wait_is_begun_however_long_answers_take() {
    let admission = Admission::default();
    (0..200).for_each(|_| admission.learn(ms(500)));
    assert!(admission.admits(ms(0), || ms(10)));
    assert!(!admission.admits(ADMISSION_LAG_MIN, || ms(10)));
}

#[test]
fn what_waited_is_begun_where_there_is_still_time() {
    let admission = Admission::default();
    (0..60).for_each(|_| admission.learn(ms(20)));
    for (waited, time, admitted) in [(10, 60, true), (30, 60, true), (45, 60, false), (70, 60, false), (70, 200, true)]
    {
        assert_eq!(admission.admits(ms(waited), || ms(time)), admitted, "{waited} of {time}");
    }
}

#[test]
fn refusing_everything_ends_by_itself() {
    let admission = Admission::default();
    (0..200).for_each(|_| admission.learn(ms(500)));
    let refused = (0..100_000).take_while(|_| !admission.admits(ms(10), || ms(60))).count();
    assert!((100..5_000).contains(&refused), "{refused}");
}

#[test]
fn tmax_is_found_at_a_glance() {
    for (body, tmax_ms) in [
        (r#"{"id":"1","tmax":80,"at":1}"#, 80),
        (r#"{"tmax" : 120.5}"#, 120),
        (r#"{"tmax":"100"}"#, 0),
        (r#"{"tmax":99999999999}"#, 999_999),
        (r#"{"id":"tmax"}"#, 0),
        (r#"{"tmax""#, 0),
        ("", 0),
    ] {
        assert_eq!(tmax_at_a_glance(body.as_bytes()), tmax_ms, "{body}");
    }
}
