//! Rules that hold for any report and any outcomes.

use std::collections::BTreeMap;

use decision::money::Total;
use proptest::prelude::*;
use proto::wire::{Outcome, OutcomeKind};

use super::super::{Corrections, Figures, Reconciliation, Report, Sum};
use super::{names, read_options};

const DAY: i64 = 86_400_000_000;
const CURRENCIES: [&str; 2] = ["EUR", "USD"];
const EXCHANGES: [&str; 2] = ["demo", "other"];

/// Small numbers, so that much meets.
type Line = (u8, i64, u8, u8, u8, i64);

fn csv(lines: &[Line], by_impression: bool) -> String {
    let mut text = "day,campaign,exchange,currency,impressions,spend".to_owned();
    text.push_str(if by_impression { ",impression\n" } else { "\n" });
    for (impression, day, campaign, exchange, currency, nanos) in lines {
        let (exchange, currency) = (EXCHANGES[usize::from(*exchange)], CURRENCIES[usize::from(*currency)]);
        let (count, spend) = (if by_impression { 1 } else { *impression }, format!("{nanos}e-9"));
        text.push_str(&format!("1970-01-0{},{campaign},{exchange},{currency},{count},{spend}", day + 1));
        let id = format!("{impression:02x}").repeat(16);
        text.push_str(&if by_impression { format!(",{id}\n") } else { "\n".to_owned() });
    }
    text
}

fn outcome(at: usize, line: &Line, kind: OutcomeKind) -> Outcome {
    let (impression, day, campaign, exchange, currency, nanos) = *line;
    Outcome {
        sequence: at as u64,
        kind: kind.into(),
        impression: vec![impression; 16],
        at: day * DAY + nanos,
        campaign: campaign.into(),
        exchange: EXCHANGES[usize::from(exchange)].to_owned(),
        currency: CURRENCIES[usize::from(currency)].to_owned(),
        notice_price: Some(nanos),
        bid_price: 150,
        // Every fifth corrects the one before it.
        corrects: (at % 5 == 4).then(|| at as u64 - 1),
        ..Outcome::default()
    }
}

fn line() -> impl Strategy<Value = Line> {
    (0_u8..40, 0_i64..4, 1_u8..4, 0_u8..2, 0_u8..2, 0_i64..200)
}

/// Count and money of each currency.
fn add(sums: &mut BTreeMap<String, (i128, i128)>, currency: &str, count: i128, nanos: i64) {
    let sum = sums.entry(currency.to_owned()).or_default();
    *sum = (sum.0 + count, sum.1 + i128::from(nanos));
}

fn by_currency(figures: &[(String, Figures)], of: impl Fn(&Figures) -> Sum) -> BTreeMap<String, (i128, i128)> {
    let mut sums: BTreeMap<String, (i128, i128)> = BTreeMap::new();
    for (currency, figures) in figures {
        let sum = sums.entry(currency.clone()).or_default();
        *sum = (sum.0 + of(figures).impressions, sum.1 + of(figures).spend.get());
    }
    sums.retain(|_, sum| *sum != (0, 0));
    sums
}

proptest! {
    /// What the groups say adds up to what came in, on both sides, to the nano; and what differs is told in full.
    #[test]
    fn groups_add_up_to_what_came_in(
        theirs in prop::collection::vec(line(), 1..60),
        booked in prop::collection::vec((line(), any::<bool>()), 0..60),
        by_impression in any::<bool>(),
    ) {
        let report = Report::read(csv(&theirs, by_impression).as_bytes(), read_options(""), &names()).unwrap();
        let days = theirs.iter().map(|line| line.1);
        let (first, last) = (days.clone().min().unwrap(), days.max().unwrap());
        let (mut expected_theirs, mut expected_ours, mut expected_cut) = Default::default();
        for (impression, .., currency, nanos) in &theirs {
            let count = if by_impression { 1 } else { i128::from(*impression) };
            add(&mut expected_theirs, CURRENCIES[usize::from(*currency)], count, *nanos);
        }
        let kind = |at, late| match late {
            _ if at % 5 == 4 => OutcomeKind::Correction,
            true => OutcomeKind::Unmatched,
            false => OutcomeKind::Charge,
        };
        let outcomes = booked.iter().enumerate().map(|(at, (line, late))| outcome(at, line, kind(at, *late)));
        let outcomes: Vec<Outcome> = outcomes.collect();
        let mut corrections = Corrections::default();
        outcomes.iter().for_each(|outcome| corrections.learn(outcome));
        let mut reconciliation = Reconciliation::new(report, corrections);
        for (at, outcome) in outcomes.iter().enumerate() {
            reconciliation.take(outcome).unwrap();
            if at % 5 == 4 || !(first..=last).contains(&outcome.at.div_euclid(DAY)) {
                continue;
            }
            let price = outcome.notice_price.unwrap();
            if let Some(correction) = outcomes.get(at + 1).filter(|_| at % 5 == 3) {
                let price = correction.notice_price.unwrap();
                add(&mut expected_ours, &outcome.currency, i128::from(price > 0), price);
            } else {
                add(&mut expected_ours, &outcome.currency, 1, price.min(150));
                add(&mut expected_cut, &outcome.currency, i128::from(price > 150), price.max(150) - 150);
            }
        }
        let names = names();
        let comparison = reconciliation.finish(&names);
        let groups = comparison.groups.iter().map(|group| (group.key.currency.to_string(), group.figures));
        let groups: Vec<(String, Figures)> = groups.collect();
        let totals = comparison.totals().into_iter().map(|((_, currency), figures)| (currency.to_string(), figures));
        let totals: Vec<(String, Figures)> = totals.collect();
        for sums in [&mut expected_theirs, &mut expected_ours, &mut expected_cut] {
            sums.retain(|_, sum| *sum != (0, 0));
        }
        for figures in [&groups, &totals] {
            prop_assert_eq!(by_currency(figures, |it| it.theirs.unwrap_or_default()), expected_theirs.clone());
            prop_assert_eq!(by_currency(figures, |it| it.ours), expected_ours.clone());
            prop_assert_eq!(by_currency(figures, |it| it.above_bid), expected_cut.clone());
        }
        for (_, figures) in groups.iter().chain(&totals).filter(|_| by_impression) {
            let matching = &figures.matching;
            let mut more = matching.only_theirs;
            more += matching.elsewhere_theirs;
            let mut less = matching.only_ours;
            less += matching.elsewhere_ours;
            let mut explained = more - less;
            explained += Sum { impressions: 0, spend: matching.other_price.spend };
            prop_assert_eq!(figures.difference(), explained);
            prop_assert!(figures.matched() >= 0);
        }
        let listed: u64 = comparison.differing.iter().map(|(_, list)| list.all).sum();
        prop_assert!(by_impression || listed == 0);
    }

    /// Whatever bytes an exchange sends: there is an answer.
    #[test]
    fn any_bytes_are_survived(
        bytes in prop::collection::vec(prop::sample::select(b"day,\n\r\"\xff1 -:+e.".as_slice()), 0..200),
    ) {
        for header in ["", "day,campaign,exchange,currency,spend,impression\n"] {
            let text = [header.as_bytes(), &bytes].concat();
            let read = Report::read(text.as_slice(), read_options(""), &names());
            prop_assert!(read.is_err_and(|mistakes| mistakes.to_string().starts_with("line ")));
        }
    }

    /// However large the numbers are: nothing overflows, and all of it is told.
    #[test]
    fn any_numbers_are_survived(count: i64, nanos: i64, price: i64, at: i64) {
        let line = format!("1970-01-01,7,demo,USD,{count},{nanos}e-9\n").repeat(9);
        let report = format!("day,campaign,exchange,currency,impressions,spend\n{line}");
        let report = Report::read(report.as_bytes(), read_options(""), &names()).unwrap();
        let mut reconciliation = Reconciliation::new(report, Corrections::default());
        let usual = outcome(0, &(1, 0, 7, 0, 1, 0), OutcomeKind::Charge);
        let outcome = Outcome { notice_price: Some(price), bid_price: i64::MAX, at, ..usual };
        prop_assert_eq!(reconciliation.take(&outcome).is_ok(), price >= 0);
        let names = names();
        let comparison = reconciliation.finish(&names);
        let theirs = Sum { impressions: i128::from(count) * 9, spend: Total::new(i128::from(nanos) * 9) };
        prop_assert_eq!(comparison.groups[0].figures.theirs, Some(theirs));
        let told = comparison.to_string();
        prop_assert!(told.contains(&format!("theirs {}  ", theirs.spend)), "{}", told);
        prop_assert_eq!(comparison.json_lines().count(), 3);
    }
}
