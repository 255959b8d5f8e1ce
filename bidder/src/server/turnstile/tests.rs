use decision::time::Micros;

use super::*;

const OWN_TIME: Duration = Duration::from_millis(5);

/// Plays a core that is busy from the first moment. `20+40/80`: after twenty milliseconds come 40 requests that have 80;
/// `30r`: a round ends. What each request is told, in the order in which they came: `b` for begun, `x` for turned away, `.` for
/// nothing yet; `40*b` where many in a row are told the same.
fn check(script: &str, expected: &str) {
    let (turnstile, start) = (Turnstile::default(), Instant::now());
    while turnstile.begins() {}
    let (mut tickets, number) = (Vec::new(), |text: &str| text.parse::<u64>().expect("a number"));
    for word in script.split_whitespace() {
        let at = |ms: &str| start + Duration::from_millis(number(ms));
        match (word.strip_suffix('r'), word.split_once('+')) {
            (Some(ms), _) => turnstile.round(at(ms), OWN_TIME),
            (None, Some((ms, request))) => {
                let (many, patience) = request.split_once('/').expect("a patience");
                let arrived = Moment { wall: Micros(0), clock: at(ms) };
                let ticket = |_| turnstile.queue(arrived, Duration::from_millis(number(patience)));
                tickets.extend((0..number(many)).map(ticket));
            }
            _ => panic!("{word}"),
        }
        // Rounds of this script take no time.
        turnstile.since.set(None);
    }
    let told = tickets.iter().map(|ticket| match ticket.said.get() {
        Some(Turn::Begin) => 'b',
        Some(Turn::TurnAway) => 'x',
        None => '.',
    });
    let told = told.collect::<String>();
    let runs = told.as_bytes().chunk_by(|one, next| one == next);
    let runs = runs.map(|run| format!("{}*{}", run.len(), run[0] as char)).collect::<Vec<_>>();
    assert_eq!(runs.join(" "), expected, "{script}");
}

#[test]
fn who_waits_is_begun_in_the_next_round() {
    check("0+3/80 1r", "3*b");
    check("0+3/80", "3*.");
}

#[test]
fn a_round_begins_some_and_the_oldest_first() {
    assert_eq!(BEGUN_A_ROUND_MAX, 32);
    check("0+20/80 1+20/80 2r", "32*b 8*.");
    check("0+20/80 1+20/80 2r 3r", "40*b");
}

#[test]
fn once_the_old_ones_have_waited_for_half_of_their_time_the_newest_are_first() {
    check("0+20/80 30+20/80 41r", "8*. 32*b");
    check("0+20/80 30+20/80 40r", "32*b 8*.");
    check("0+1/1000 0+40/80 10+20/80 45r", "29*. 32*b");
}

#[test]
fn who_cannot_be_answered_in_time_is_turned_away_and_not_before() {
    check("0+1/80 0+1/300 75r", "2*b");
    check("0+1/80 0+1/300 76r", "1*x 1*b");
    check("0+40/80 0+1/300 70r 76r", "9*x 32*b");
    check("0+1/4 0r", "1*x");
}

#[test]
fn a_round_that_is_long_counts_as_one_that_has_to_be_waited_for() {
    let (turnstile, start) = (Turnstile::default(), Instant::now());
    while turnstile.begins() {}
    let arrived = Moment { wall: Micros(0), clock: start };
    let patience = |ms| turnstile.queue(arrived, Duration::from_millis(ms));
    let (hurried, patient) = (patience(24), patience(26));
    turnstile.since.set(Some(start));
    turnstile.round(start + Duration::from_millis(10), OWN_TIME);
    assert_eq!((hurried.said.get(), patient.said.get()), (Some(Turn::TurnAway), Some(Turn::Begin)));
}

#[test]
fn whose_connection_has_ended_takes_no_turn() {
    let turnstile = Turnstile::default();
    while turnstile.begins() {}
    let now = Moment::now();
    let patience = Duration::from_secs(1);
    (0..BEGUN_A_ROUND_MAX).for_each(|_| drop(turnstile.queue(now, patience)));
    let waits = turnstile.queue(now, patience);
    turnstile.round(now.clock, OWN_TIME);
    assert_eq!(waits.said.get(), Some(Turn::Begin));
    assert!(!turnstile.is_busy());
}

#[test]
fn a_round_leaves_to_newcomers_what_those_who_waited_did_not_take() {
    let turnstile = Turnstile::default();
    while turnstile.begins() {}
    let now = Moment::now();
    let _ticket = turnstile.queue(now, Duration::from_secs(1));
    turnstile.round(now.clock, OWN_TIME);
    assert_eq!((0..100).take_while(|_| turnstile.begins()).count(), BEGUN_A_ROUND_MAX - 1);
}

#[tokio::test]
async fn rounds_go_on_while_somebody_waits() {
    let turnstile = Turnstile::default();
    let now = Moment::now();
    let all = async {
        while turnstile.begins() {}
        let tickets: Vec<_> = (0..100).map(|_| turnstile.queue(now, Duration::from_secs(60))).collect();
        for ticket in tickets {
            assert_eq!(ticket.told().await, Turn::Begin);
        }
        while turnstile.is_busy() {
            yield_now().await;
        }
    };
    tokio::select! {
        () = all => {}
        () = turnstile.turn(|| OWN_TIME) => unreachable!("it has no end"),
    }
}
