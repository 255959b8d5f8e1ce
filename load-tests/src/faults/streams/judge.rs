//! Whether a scenario of streams went as it must.

use super::books::Books;
use super::{BEHIND_S_MAX, Figures, Phase, SLOW_BEHIND_S_MAX};
use crate::faults::point::{LATE_SHARE_MAX, Point, percent};

/// How much more processor time a request may take while Kafka fails.
const CPU_RATIO_MAX: f64 = 1.05;
/// How much more of the answers may be late while Kafka fails, where that is more than may be late anyway.
const LATE_RATIO_MAX: f64 = 1.05;
/// The share of the bids before that must go on being made.
const BIDS_RATIO_MIN: f64 = 0.95;
/// Acknowledged notices that a scenario needs to show anything.
const ACKNOWLEDGED_MIN: u64 = 100;

/// What must hold of a scenario, with what was seen.
pub(super) fn judge(figures: &Figures) -> Vec<Point> {
    let Figures { books, .. } = figures;
    let acknowledged: u64 = books.acknowledged.values().sum();
    let mut points = vec![
        Point::new("waiting notices are shipped", figures.shipped_s.is_some(), shipped(figures)),
        ledger_told(figures),
        Point::new(
            "nothing acknowledged is lost or charged wrongly",
            books.failures == 0 && acknowledged >= ACKNOWLEDGED_MIN,
            money(books, acknowledged),
        ),
        Point::new("notices arrive in order", books.out_of_order == 0, format!("{} do not", books.out_of_order)),
        Point::by_the_rules(figures.invalid),
    ];
    // What a process that was killed had queued is gone, and nobody answers for it.
    if !figures.bidder_killed {
        points.extend([
            Point::in_time(&figures.since),
            bids_on(&figures.phases),
            no_slower(&figures.phases),
            counted(books),
            Point::taken(figures.given_up),
        ]);
    }
    points
}

fn shipped(figures: &Figures) -> String {
    let waited = figures.waiting;
    figures.shipped_s.map_or_else(|| "never".to_owned(), |s| format!("{waited} waited, {s:.1} s after the return"))
}

/// A ledger whose Kafka is away must not look well; one whose Kafka is slow must keep up.
fn ledger_told(figures: &Figures) -> Point {
    let Figures { kafka_away, ledger_behind_s, ledger_s, .. } = figures;
    let told = if *kafka_away { *ledger_behind_s > BEHIND_S_MAX } else { *ledger_behind_s < SLOW_BEHIND_S_MAX };
    let holds = told && ledger_s.is_some();
    let caught_up = ledger_s.map_or_else(|| "never".to_owned(), |s| format!("{s:.1} s after the return"));
    Point::new("the ledger says that it is behind", holds, format!("{ledger_behind_s:.1} s, caught up {caught_up}"))
}

fn money(books: &Books, acknowledged: u64) -> String {
    let Books { charges, failures, charged_nanos, billed_nanos, .. } = books;
    format!(
        "{failures} of {acknowledged}; {charges} charges, {charged_nanos} nanos, {billed_nanos} billed and acknowledged"
    )
}

/// Bids for each request.
fn bid_rate(phase: &Phase) -> f64 {
    phase.bids as f64 / phase.answers.requests.max(1) as f64
}

fn bids_on([before, during, _]: &[Phase; 3]) -> Point {
    let (was, is) = (bid_rate(before), bid_rate(during));
    Point::new(
        "bids go on",
        was > 0.0 && is >= BIDS_RATIO_MIN * was,
        format!("{was:.2} a request before, {is:.2} during"),
    )
}

fn no_slower([before, during, after]: &[Phase; 3]) -> Point {
    let shown = |phase: &Phase| phase.cpu_us.map_or_else(|| "?".to_owned(), |us| format!("{us:.0}"));
    let cpu = before.cpu_us.zip(during.cpu_us).is_some_and(|(before, during)| during <= CPU_RATIO_MAX * before);
    let late_max = LATE_SHARE_MAX.max(LATE_RATIO_MAX * before.answers.late_share());
    let holds = cpu && during.answers.late_share() <= late_max;
    let late = [before, during, after].map(|phase| percent(phase.answers.late_share())).join(", ");
    let [before, during, after] = [before, during, after].map(shown);
    let seen = format!("{before} µs CPU a request before, {during} during, {after} after; late {late}");
    Point::new("bids are no slower", holds, seen)
}

/// What was not delivered must be counted. Of what is counted, the last may have been delivered unheard.
fn counted(books: &Books) -> Point {
    let Books { bids, bids_missing, bids_dropped, .. } = books;
    let holds = *bids > 0 && *bids_missing as u64 <= *bids_dropped;
    let seen = format!("{bids_missing} of {bids} bids are not in the stream, {bids_dropped} counted as dropped");
    Point::new("dropped telemetry is counted", holds, seen)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::faults::measure::Answers;
    use crate::faults::point::failed;

    fn good() -> Figures {
        let answers = Answers { requests: 10_000, late: 10, ..Answers::default() };
        let phase = |bids, cpu_us| Phase { answers, bids, cpu_us: Some(cpu_us) };
        Figures {
            bidder_killed: false,
            phases: [phase(100, 200.0), phase(95, 210.0), phase(0, 900.0)],
            since: answers,
            waiting: 1_000,
            shipped_s: Some(1.0),
            kafka_away: true,
            ledger_behind_s: 60.0,
            ledger_s: Some(1.0),
            books: Books {
                acknowledged: [("win", 60), ("billing", 40)].into(),
                bids: 10,
                bids_missing: 3,
                bids_dropped: 4,
                ..Books::default()
            },
            invalid: 0,
            given_up: 0,
            timeline: Vec::new(),
        }
    }

    /// The points that do not hold once `change` was made to a scenario in which all was well.
    fn check(change: impl Fn(&mut Figures), expected: &[&str]) {
        let mut figures = good();
        change(&mut figures);
        assert_eq!(failed(&judge(&figures)), expected);
    }

    #[test]
    fn a_scenario_in_which_all_is_well_passes_and_each_point_can_fail() {
        check(|_| {}, &[]);
        check(|f| f.shipped_s = None, &["waiting notices are shipped"]);
        let told = "the ledger says that it is behind";
        check(|f| f.ledger_behind_s = 5.0, &[told]);
        check(|f| f.kafka_away = false, &[told]);
        check(|f| (f.kafka_away, f.ledger_behind_s) = (false, 20.0), &[]);
        check(|f| f.ledger_s = None, &[told]);
        let lost = "nothing acknowledged is lost or charged wrongly";
        check(|f| f.books.failures = 1, &[lost]);
        check(|f| f.books.acknowledged = [("win", 99)].into(), &[lost]);
        check(|f| f.books.out_of_order = 1, &["notices arrive in order"]);
        check(|f| f.invalid = 1, &["answers keep to the rules"]);
        check(|f| f.since.late = 11, &["in time"]);
        check(|f| f.phases[1].bids = 94, &["bids go on"]);
        check(|f| f.phases[0].bids = 0, &["bids go on"]);
        check(|f| f.phases[1].cpu_us = Some(211.0), &["bids are no slower"]);
        check(|f| f.phases[1].cpu_us = None, &["bids are no slower"]);
        check(|f| f.phases[1].answers.late = 11, &["bids are no slower"]);
        check(|f| f.books.bids_dropped = 2, &["dropped telemetry is counted"]);
        check(|f| f.books.bids = 0, &["dropped telemetry is counted"]);
        check(|f| f.given_up = 1, &["notices are taken"]);
    }

    #[test]
    fn a_bidder_that_was_killed_answers_for_notices_only() {
        let change = |f: &mut Figures| {
            (f.bidder_killed, f.since.late, f.books.bids_dropped, f.given_up) = (true, 5_000, 0, 7);
        };
        check(change, &[]);
        check(
            |f| (f.bidder_killed, f.books.failures) = (true, 1),
            &["nothing acknowledged is lost or charged wrongly"],
        );
    }
}
