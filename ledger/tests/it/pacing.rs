//! Pacing on simulated days, through the fold of the journal as it is: does the budget last, is it spent, is it spent by
//! the plan, and does it buy nearly what it could.

use decision::time::Micros;
use proto::wire::{LocalTime, OffsetChange, Pacing};

mod campaign;
mod market;
mod rules;

use campaign::{Campaign, Day};
use market::{Auction, DAY_S, SECOND, SHAPES, Shape, Surprise, auctions};

/// The days from the first Monday on: a week to learn, then those that are measured.
const FIRST: i64 = 20_458;
const LEARNT: i64 = FIRST + 7;
const MEASURED: i64 = 4;
const BUDGETS: [f64; 3] = [1.0 / 32.0, 1.0 / 8.0, 1.0 / 2.0];
const NONE: Surprise = 0..0;

/// What became of the measured days, together; the worst of them where it says so.
#[derive(Default)]
struct Result {
    spent: f64,
    error: f64,
    exhausted_at: f64,
    value: f64,
    asap: f64,
    fixed: f64,
    throttled: f64,
}

/// A week to learn, then days with a surprise each, begun anew from the learnt week.
fn measure(shape: &Shape, part: f64, surprise: &Surprise, delay_s: i64) -> (Result, Vec<Day>) {
    let day = |day: i64| auctions(shape, day, &NONE, 1.0, 7);
    let budget = part * (0..7).map(|d| rules::demand(&day(FIRST + d))).sum::<f64>() / 7.0;
    let mut campaign = Campaign::new(Pacing::Even, budget, delay_s, None);
    for at in FIRST..LEARNT {
        campaign.play(at, &day(at));
    }
    let (mut result, mut days) = (Result { spent: 1.0, exhausted_at: 1.0, ..Result::default() }, Vec::new());
    let [mut best, mut value, mut asap, mut fixed, mut throttled] = [0.0; 5];
    let mut before: Vec<Auction> = day(LEARNT - 1);
    for at in LEARNT..LEARNT + MEASURED {
        let now = auctions(shape, at, surprise, 1.0, 7);
        let played = campaign.play(at, &now);
        result.spent = result.spent.min(played.spent() / budget);
        result.error = result.error.max(played.error(&shape.plan(at), budget));
        result.exhausted_at = result.exhausted_at.min(played.exhausted_at);
        value += played.value;
        best += rules::hindsight(&now, budget);
        asap += rules::simple(&now, budget, 1.0, 1.0);
        fixed += rules::simple(&now, budget, rules::tuned(&before, budget), 1.0);
        throttled += rules::simple(&now, budget, 1.0, (budget / rules::demand(&before)).min(1.0));
        // The surprise is one on every day.
        before = day(at);
        days.push(played);
    }
    (result.value, result.asap, result.fixed, result.throttled) =
        (value / best, asap / best, fixed / best, throttled / best);
    (result, days)
}

impl Result {
    fn print(&self, name: &str, part: f64) {
        let Self { spent, error, exhausted_at, value, fixed, throttled, asap } = self;
        let percent = [spent, error, exhausted_at].map(|share| share * 100.0);
        println!(
            "| {name:<28} | 1/{:<2} | {:6.2} | {:5.2} | {:6.2} | {value:.4} | {fixed:.4} | {throttled:.4} | {asap:.4} |",
            (1.0 / part).round(),
            percent[0],
            percent[1],
            percent[2],
        );
    }

    fn check(&self, name: &str) {
        assert!((0.98..=1.0).contains(&self.spent), "{name}: spend {}", self.spent);
        assert!(self.exhausted_at >= 0.95, "{name}: exhausted at {}", self.exhausted_at);
        assert!(self.value >= 0.97, "{name}: value {}", self.value);
        let rival = self.fixed.max(self.throttled).max(self.asap);
        assert!(self.value > rival, "{name}: value {} against {rival}", self.value);
    }
}

fn print_head() {
    println!(
        "| days | budget | least spend % | most error % | exhausted % of day | value | fixed | throttled | asap |"
    );
}

#[test]
fn budgets_last_and_buy_nearly_what_they_could() {
    print_head();
    for shape in &SHAPES {
        for (surprised, surprise) in [("", NONE), (", twice from 10:00", 10..24), (", twice 10:00-13:00", 10..13)] {
            for part in BUDGETS {
                let (result, _) = measure(shape, part, &surprise, 3);
                let name = format!("{}{surprised}", shape.name);
                result.print(&name, part);
                result.check(&name);
                assert!(result.error < 0.05, "{name}: error {}", result.error);
            }
        }
    }
}

#[test]
fn late_notices_do_not_make_it_swing() {
    print_head();
    for (delay_s, error_max) in [(60, 0.05), (600, 0.15)] {
        for part in BUDGETS {
            let (result, days) = measure(&SHAPES[0], part, &(10..24), delay_s);
            let name = format!("{delay_s} s late, twice from 10:00");
            result.print(&name, part);
            result.check(&name);
            assert!(result.error < error_max, "{name}: error {}", result.error);
            // Once the surprise is met the multiplier stays, until in the last hour it makes good what is left or lacks.
            for day in &days {
                let settled = &day.multipliers[14..23];
                let (least, most) = (settled.iter().min().unwrap(), settled.iter().max().unwrap());
                assert!(f64::from(*most) < 1.35 * f64::from(*least), "{name}: {settled:?}");
            }
        }
    }
}

/// A campaign of twenty impressions a day: one more or less is no trend.
#[test]
fn few_impressions_do_not_make_it_swing() {
    let (shape, budget) = (&SHAPES[0], 20e6);
    let day = |day: i64| auctions(shape, day, &NONE, 0.01, 3);
    let mut campaign = Campaign::new(Pacing::Even, budget, 3, None);
    (FIRST..LEARNT).for_each(|at| drop(campaign.play(at, &day(at))));
    let (mut value, mut best, mut spent) = (0.0, 0.0, 0.0);
    let mut multipliers = Vec::new();
    for at in LEARNT..LEARNT + 14 {
        let auctions = day(at);
        let played = campaign.play(at, &auctions);
        value += played.value;
        best += rules::hindsight(&auctions, budget);
        spent += played.spent() / budget / 14.0;
        multipliers.extend(played.multipliers);
    }
    let (least, most) = (multipliers.iter().min().unwrap(), multipliers.iter().max().unwrap());
    println!("few impressions: spend {spent:.3}, value {:.3}, multiplier {least} to {most} ppm", value / best);
    assert!(spent > 0.95 && value / best > 0.9, "spend {spent}, value {}", value / best);
    assert!(*most < 3 * *least, "{least} to {most}");
}

#[test]
fn front_loaded_days_spend_more_of_it_early() {
    let (shape, part) = (&SHAPES[2], 0.125);
    let day = |day: i64| auctions(shape, day, &NONE, 0.2, 5);
    let budget = part * rules::demand(&day(FIRST));
    let halves = |pacing: Pacing| {
        let mut campaign = Campaign::new(pacing, budget, 3, None);
        (FIRST..LEARNT).for_each(|at| drop(campaign.play(at, &day(at))));
        let played = campaign.play(LEARNT, &day(LEARNT));
        (played.hours[..12].iter().sum::<f64>() / budget, played.spent() / budget)
    };
    let ((even, all_even), (front, all_front)) = (halves(Pacing::Even), halves(Pacing::FrontLoaded));
    println!("first half of the day: even {even:.3}, front-loaded {front:.3}");
    assert!(front > even + 0.08 && all_even > 0.98 && all_front > 0.98, "{even} {front} {all_even} {all_front}");
}

/// An advertiser with a part of its campaign's budget, and with campaigns that never bid.
#[test]
fn the_budget_of_an_advertiser_lasts_as_well() {
    for (part, idle) in [(0.25, 0), (1.0, 0), (1.0, 1), (0.5, 3), (4.0, 1)] {
        let shape = &SHAPES[0];
        let day = |day: i64| auctions(shape, day, &NONE, 0.2, 19);
        let budget = 0.5 * rules::demand(&day(FIRST));
        let least = budget * f64::min(part, 1.0);
        let mut campaign = Campaign::new(Pacing::Even, budget, 3, None);
        campaign.limit_advertiser(budget * part);
        (0..idle).for_each(|other| campaign.add_idle(2 + other));
        (FIRST..LEARNT).for_each(|at| drop(campaign.play(at, &day(at))));
        let played = campaign.play(LEARNT, &day(LEARNT));
        let (spent, error) = (played.spent() / least, played.error(&shape.plan(LEARNT), least));
        println!("an advertiser with {part} of its campaign's budget, {idle} idle: {spent:.4} spent, error {error:.4}");
        assert!((0.98..=1.0).contains(&spent) && error < 0.05, "spent {spent}, error {error}");
    }
}

/// The advertiser may spend on its days what the campaign may on its own: both days are spent.
#[test]
fn the_days_of_an_advertiser_are_not_those_of_its_campaigns() {
    for offset_h in [1, -5, -8, 9] {
        let clock = LocalTime { time_zone: "X".into(), offset_s: offset_h * 3_600, changes: Vec::new() };
        let shape = &SHAPES[2];
        let day = |day: i64| auctions(shape, day, &NONE, 0.2, 19);
        let budget = 0.25 * rules::demand(&day(FIRST));
        let mut campaign = Campaign::new(Pacing::Even, budget, 3, Some(clock));
        campaign.limit_advertiser(budget);
        (FIRST..LEARNT).for_each(|at| drop(campaign.play(at, &day(at))));
        let hours: Vec<f64> = (LEARNT..LEARNT + 3).flat_map(|at| campaign.play(at, &day(at)).hours).collect();
        let days: Vec<f64> = hours.chunks(24).map(|hours| hours.iter().sum::<f64>() / budget).collect();
        let plan: Vec<f64> = (LEARNT..LEARNT + 3).flat_map(|at| shape.plan(at)).collect();
        let squares = hours.iter().zip(&plan).map(|(spent, share)| (spent / budget - share).powi(2)).sum::<f64>();
        let error = (squares / 72.0).sqrt() * 24.0;
        println!("{offset_h:+} h: {days:.3?} of the advertiser's days, error {error:.3}");
        assert!(days.iter().all(|day| (0.95..=1.001).contains(day)) && error < 0.06, "{days:?}, error {error}");
    }
}

/// Somebody was bid for once, twelve hours before the traffic begins.
#[test]
fn a_first_multiplier_is_not_set_by_who_bid_long_ago() {
    let shape = &SHAPES[2];
    let all = auctions(shape, FIRST, &NONE, 0.2, 19);
    let noon = all.partition_point(|auction| auction.second < FIRST * DAY_S + DAY_S / 2);
    let first_hour = |auctions: &[Auction]| {
        let mut campaign = Campaign::new(Pacing::Even, rules::demand(&all) / 32.0, 3, None);
        campaign.play(FIRST, auctions).hours[12]
    };
    let (without, with) = (first_hour(&all[noon..]), first_hour(&[&all[..1], &all[noon..]].concat()));
    assert!(with < 1.2 * without, "{with} where it bid once before, {without} where not");
}

/// Berlin, where 29 March 2026 has 23 hours and 25 October 25: each of them spends the daily budget by its own midnight.
#[test]
fn days_go_by_the_clock_of_the_campaign() {
    let change = |at: i64, offset_s| OffsetChange { at: at * SECOND, offset_s };
    let changes = vec![change(1_774_746_000, 7_200), change(1_792_890_000, 3_600)];
    let clock = LocalTime { time_zone: "Europe/Berlin".into(), offset_s: 3_600, changes };
    for (day, hours) in [(20_540, [24, 23, 24]), (20_750, [24, 25, 24])] {
        let shape = &SHAPES[2];
        let budget = 0.125 * rules::demand(&auctions(shape, day, &NONE, 0.2, 11));
        let mut campaign = Campaign::new(Pacing::Even, budget, 3, Some(clock.clone()));
        let mut booked = Vec::new();
        for at in day - 3..day + 3 {
            booked.extend(campaign.play(at, &auctions(shape, at, &NONE, 0.2, 11)).hours);
        }
        let offset_h = if hours[1] == 23 { 1 } else { 2 };
        let mut first = (3 * 24 - offset_h) as usize;
        for length in hours {
            let spent: f64 = booked[first..first + length].iter().sum();
            println!("a day of {length} hours in Berlin: {:.4} of the daily budget", spent / budget);
            assert!((0.98..=1.001).contains(&(spent / budget)), "a day of {length} hours spent {}", spent / budget);
            first += length;
        }
    }
}

#[test]
fn a_daily_budget_begins_anew_at_the_midnight_of_the_campaign() {
    let clock = LocalTime { time_zone: "Europe/Berlin".into(), offset_s: 3_600, changes: Vec::new() };
    let day = |at: i64| auctions(&SHAPES[2], at, &NONE, 0.1, 17);
    let mut campaign = Campaign::new(Pacing::Asap, rules::demand(&day(FIRST)) / 100.0, 3, Some(clock));
    campaign.play(FIRST, &day(FIRST));
    let hours = campaign.play(FIRST + 1, &day(FIRST + 1)).hours;
    assert!(hours[0] == 0.0 && hours[22] == 0.0 && hours[23] > 0.0, "spent by the hour of UTC: {hours:?}");
}

#[test]
fn two_folds_pace_alike_and_a_campaign_that_is_stopped_or_published_anew_goes_on() {
    let play = || {
        let shape = &SHAPES[0];
        let day = |at: i64| auctions(shape, at, &NONE, 0.1, 13);
        let mut campaign = Campaign::new(Pacing::Even, 0.125 * rules::demand(&day(FIRST)), 3, None);
        (FIRST..FIRST + 2).for_each(|at| drop(campaign.play(at, &day(at))));
        let before = campaign.multiplier_ppm;
        campaign.stop((FIRST + 2) * DAY_S * SECOND);
        campaign.play(FIRST + 2, &day(FIRST + 2));
        campaign.publish((FIRST + 3) * DAY_S * SECOND, Pacing::Even);
        assert_eq!(campaign.multiplier_ppm, before, "a day of nothing teaches nothing");
        campaign.play(FIRST + 3, &day(FIRST + 3));
        campaign
    };
    let (mut one, other) = (play(), play());
    assert!(one.ledger == other.ledger, "two folds of the same entries are equal");
    assert!(one.multiplier_ppm < 1_000_000);
    one.publish((FIRST + 4) * DAY_S * SECOND, Pacing::Asap);
    one.play(FIRST + 4, &[]);
    assert_eq!(one.multiplier_ppm, 1_000_000, "what is not paced any more is told so");
    assert_eq!(one.ledger.books(Micros(0)).campaigns[0].multiplier_ppm, None);
}
