//! Any report of an exchange: it says what a plain reader of CSV adds up, in whatever order its lines stand, and differs in
//! nothing from books that have each of its impressions.
#![no_main]

use std::collections::BTreeMap;

use csv::{ByteRecord, WriterBuilder};
use decision::money::Nanos;
use jiff::Timestamp;
use ledger::reconcile::{
    Campaign, Comparison, Corrections, DayOf, Difference, Names, NotOurs, Options, Part, Reconciliation, Report,
    ReportError, exchange_name,
};
use proto::wire::campaigns_record::Change;
use proto::wire::{self, CampaignsRecord, Outcome, OutcomeKind};
use serde_json::Value;

/// How many impressions and how many nanos of each exchange and currency.
type Sums = BTreeMap<(String, String), (i128, i128)>;

/// What a reader adds up that knows nothing of reports.
fn plain_sums(lines: &[ByteRecord], named: Option<&str>) -> Sums {
    let text = |cell: &[u8]| str::from_utf8(cell).expect("what is read is text").trim().to_owned();
    let header: Vec<String> = lines[0].iter().map(|cell| String::from_utf8_lossy(cell).trim().to_owned()).collect();
    let mut sums = Sums::new();
    for line in &lines[1..] {
        let cell = |name: &str| header.iter().position(|column| column == name).map(|at| text(&line[at]));
        let exchange = cell("exchange").or(named.map(str::to_owned)).expect("an exchange");
        let sum = sums.entry((exchange, cell("currency").expect("a currency"))).or_default();
        sum.0 += cell("impressions").map_or(1, |count| count.parse().expect("a count"));
        sum.1 += i128::from(Nanos::parse_decimal(&cell("spend").expect("an amount")).expect("an amount").get());
    }
    sums
}

fn compared<'n>(report: Report, outcomes: &[Outcome], names: &'n Names) -> Comparison<'n> {
    let mut reconciliation = Reconciliation::new(report, Corrections::default());
    outcomes.iter().for_each(|outcome| reconciliation.take(outcome).expect("it is whole"));
    reconciliation.finish(names)
}

/// What is in all groups, and what each side has of them.
fn groups(comparison: &Comparison<'_>) -> Vec<String> {
    let lines: Vec<String> = comparison.json_lines().collect();
    for line in &lines {
        assert!(serde_json::from_str::<Value>(line).is_ok_and(|line| line.is_object()), "{line}");
    }
    lines.into_iter().filter(|line| !line.contains("\"line\":\"impression\"")).collect()
}

/// What we would have booked had we paid the same for this impression; `None` where we never could.
fn booked(impression: &[u8], Part { key, spend }: &Part) -> Option<Outcome> {
    let Campaign::Number(campaign) = key.campaign else { return None };
    // The clock ends a day before the calendar does.
    let at = format!("{}T12:00:00Z", key.day).parse::<Timestamp>().ok()?.as_microsecond();
    (*spend >= Nanos::ZERO).then(|| Outcome {
        kind: OutcomeKind::Charge.into(),
        impression: impression.to_vec(),
        at,
        bid_at: at,
        exchange: key.exchange.as_str().to_owned(),
        campaign: campaign.0,
        bid_price: spend.get(),
        notice_price: Some(spend.get()),
        currency: key.currency.as_str().to_owned(),
        ..Outcome::default()
    })
}

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Some((&choice, file)) = data.split_first() else { return };
    let mut names = Names::default();
    let campaign = wire::Campaign { id: 7, name: "boots".to_owned(), ..wire::Campaign::default() };
    names.learn(&CampaignsRecord { change: Some(Change::Campaign(campaign)), ..CampaignsRecord::default() });
    let named = (choice % 2 == 1).then_some("demo");
    let options = Options {
        exchange: named.and_then(exchange_name),
        day_of: DayOf::Notice,
        utc_offset: "+00:00".parse().expect("an offset"),
        tolerance: "0".parse().expect("a tolerance"),
        list: file.len(),
    };
    let read = |file: &[u8]| Report::read(file, options, &names);
    let report = match read(file) {
        Ok(report) => report,
        Err(ReportError::Mistakes(mistakes)) => return fuzz::are_well_told(&mistakes.to_string(), file),
        Err(ReportError::Unread(problem)) => panic!("memory cannot be read: {problem}"),
    };
    let alone = compared(report, &[], &names);
    let shown = alone.to_string();
    assert!(shown.lines().all(|line| !line.contains(char::is_control)), "{shown}");

    // A return ends no line of ours, and one of theirs.
    if !file.contains(&b'\r') {
        let lines = fuzz::lines(file);
        let theirs = alone.totals().into_iter().map(|((exchange, currency), figures)| {
            let sum = figures.theirs.expect("nothing else is there");
            ((exchange.as_str().to_owned(), currency.as_str().to_owned()), (sum.impressions, sum.spend.get()))
        });
        assert_eq!(theirs.collect::<Sums>(), plain_sums(&lines, named));
        let mut writer = WriterBuilder::new().flexible(true).from_writer(Vec::new());
        let backwards = lines[..1].iter().chain(lines[1..].iter().rev());
        backwards.for_each(|line| writer.write_byte_record(line).expect("memory takes it"));
        let backwards = read(&writer.into_inner().expect("memory takes it")).expect("the same lines");
        assert_eq!(groups(&compared(backwards, &[], &names)), groups(&alone));
    }

    let mut listed = alone.differing.iter().flat_map(|(_, list)| list.listed()).peekable();
    if listed.peek().is_none() {
        return;
    }
    let ours: Vec<Option<Outcome>> = listed
        .map(|(impression, difference)| match difference {
            Difference::OnlyTheirs(_, NotOurs::Again(_)) => None,
            Difference::OnlyTheirs(part, _) => booked(&impression.0, part),
            other => panic!("{other:?} where nothing is ours"),
        })
        .collect();
    let missing = ours.iter().filter(|ours| ours.is_none()).count();
    let ours: Vec<Outcome> = ours.into_iter().flatten().collect();
    let both = compared(read(file).expect("it was read"), &ours, &names);
    let differing: u64 = both.differing.iter().map(|(_, list)| list.all).sum();
    assert_eq!(differing, missing as u64, "{both}");
    assert!(missing > 0 || both.alarming() == 0, "{both}");
});
