//! Cases as text: an exchange's report and our outcomes in, what is told out.

use decision::time::Micros;
use jiff::Timestamp;
use proto::wire::{Campaign, CampaignsRecord, Outcome, OutcomeKind, campaigns_record::Change};

use super::{Comparison, Corrections, DayOf, Names, Options, Reconciliation, Report, exchange_name};

mod groups;
mod impressions;
mod mistakes;
mod sums;

/// Reconciles a report with outcomes. `options` are those of the command line without their dashes; an outcome is a
/// kind, an impression (a letter), when its notice arrived, and what else is not as usual. Campaign 7 is called boots.
fn check(options: &str, report: &str, outcomes: &str, expected: &str) {
    let told = reconcile(options, report, outcomes, |comparison| comparison.to_string());
    let plain = |text: &str| text.lines().map(str::trim_start).collect::<Vec<_>>().join("\n").trim().to_owned();
    assert_eq!(plain(&told), plain(expected), "\n{told}");
}

/// What `tell` says of a comparison, behind the columns that are not read; or the mistakes of the report.
fn reconcile(options: &str, report: &str, outcomes: &str, tell: impl Fn(&Comparison<'_>) -> String) -> String {
    let names = names();
    let lines = outcomes.lines().map(str::trim).filter(|line| !line.is_empty());
    let outcomes: Vec<Outcome> = lines.enumerate().map(|(at, line)| outcome(at, line)).collect();
    let text = report.strip_prefix('\n').unwrap_or(report).as_bytes();
    let report = match Report::read(text, read_options(options), &names) {
        Ok(report) => report,
        Err(mistakes) => return mistakes.to_string(),
    };
    let ignored = match report.ignored() {
        [] => String::new(),
        ignored => format!("not read: {}\n", ignored.join(", ")),
    };
    let mut corrections = Corrections::default();
    outcomes.iter().for_each(|outcome| corrections.learn(outcome));
    let mut reconciliation = Reconciliation::new(report, corrections);
    for outcome in &outcomes {
        if let Err(unreadable) = reconciliation.take(outcome) {
            return unreadable.to_string();
        }
    }
    ignored + &tell(&reconciliation.finish(&names))
}

fn names() -> Names {
    let mut names = Names::default();
    let campaign = Campaign { id: 7, name: "boots".to_owned(), ..Campaign::default() };
    names.learn(&CampaignsRecord { change: Some(Change::Campaign(campaign)), ..CampaignsRecord::default() });
    names
}

fn read_options(text: &str) -> Options {
    let mut options = Options {
        exchange: None,
        day_of: DayOf::Notice,
        utc_offset: "+00:00".parse().unwrap(),
        tolerance: "2".parse().unwrap(),
        list: 20,
    };
    for (option, value) in text.split_whitespace().map(|word| word.split_once('=').unwrap()) {
        match option {
            "exchange" => options.exchange = exchange_name(value),
            "day-of" => options.day_of = if value == "bid" { DayOf::Bid } else { DayOf::Notice },
            "utc-offset" => options.utc_offset = value.parse().unwrap(),
            "tolerance" => options.tolerance = value.parse().unwrap(),
            "list" => options.list = value.parse().unwrap(),
            other => panic!("no such option: {other}"),
        }
    }
    options
}

/// `charge a 2026-03-01T12:00 price=1000 bid=2000 campaign=7 exchange=demo currency=USD bid-at=2026-03-01T11:59
/// charged=2000 shard=0 sequence=2 corrects=1`: money in nanos.
fn outcome(at: usize, line: &str) -> Outcome {
    let words: Vec<&str> = line.split_whitespace().collect();
    let time = |text: &str| format!("{text}:00Z").parse::<Timestamp>().unwrap().as_microsecond();
    let kind = OutcomeKind::from_str_name(&format!("OUTCOME_KIND_{}", words[0].to_uppercase()));
    let mut outcome = Outcome {
        sequence: at as u64 + 1,
        kind: kind.map_or(99, Into::into),
        impression: vec![words[1].as_bytes()[0]; 16],
        at: time(words[2]),
        bid_at: time(words[2]),
        exchange: "demo".to_owned(),
        campaign: 7,
        bid_price: 2_000_000,
        notice_price: Some(1_000_000),
        currency: "USD".to_owned(),
        ..Outcome::default()
    };
    for (field, value) in words[3..].iter().map(|word| word.split_once('=').unwrap()) {
        match field {
            // Anything else than a number: none.
            "price" => outcome.notice_price = value.parse().ok(),
            "bid" => outcome.bid_price = value.parse().unwrap(),
            "campaign" => outcome.campaign = value.parse().unwrap(),
            "exchange" => value.clone_into(&mut outcome.exchange),
            "currency" => value.clone_into(&mut outcome.currency),
            "bid-at" => outcome.bid_at = time(value),
            "shard" => outcome.shard = value.parse().unwrap(),
            "sequence" => outcome.sequence = value.parse().unwrap(),
            "corrects" => outcome.corrects = value.parse().ok(),
            "charged" => outcome.charged = value.parse().unwrap(),
            "late" => outcome.late = true,
            other => panic!("no such field: {other}"),
        }
    }
    outcome
}

#[test]
fn days_begin_where_the_report_has_them() {
    use super::{BadOffset, Day, UtcOffset};
    let day = |micros, offset: &str| Day::of(Micros(micros), offset.parse().unwrap()).to_string();
    assert_eq!(day(0, "+00:00"), "1970-01-01");
    assert_eq!(day(0, "-00:01"), "1969-12-31");
    assert_eq!(day(-1, "+00:00"), "1969-12-31");
    assert_eq!(day(79_199_999_999, "+02:00"), "1970-01-01");
    assert_eq!(day(79_200_000_000, "+02:00"), "1970-01-02");
    assert_eq!(day(i64::MAX, "+14:00"), "day 106751991 of 1970");
    for text in ["2026-03-01", "1969-12-31", "0001-01-01", "9999-12-31"] {
        assert_eq!(Day::parse(text).map(|day| day.to_string()), Some(text.to_owned()));
    }
    for bad in ["2026-02-29", "20260301", "2026-3-1", "2026-03-01T00:00", "", "-02026-03-01", "01.03.2026"] {
        assert_eq!(Day::parse(bad), None, "{bad}");
    }
    for bad in ["02:00", "+2:00", "+02:60", "+14:01", "+0200", "", "Z", "+é:00", "-+1:00"] {
        assert_eq!(bad.parse::<UtcOffset>(), Err(BadOffset), "{bad}");
    }
    assert_eq!(["-05:30", "+14:00"].map(|text| text.parse::<UtcOffset>().unwrap().to_string()), ["-05:30", "+14:00"]);
}
