//! An exchange's report against what was booked.

use std::process::Output;

use serde_json::Value;

use super::process::{Vernier, write};

const CAMPAIGN: &str = "cart-recovery";

/// An impression as the exchange remembers it: what it told, and what it may bill.
struct Billed {
    impression: String,
    campaign: String,
    day: String,
    /// In the currency's unit.
    price: &'static str,
}

/// Books three impressions, the last of them at a price above the bid, and leaves a fourth without a notice.
fn booked() -> (Vernier, Vec<Billed>, Billed) {
    let mut vernier = Vernier::up();
    let text = |bid: &Value, field: &str| bid[field].as_str().expect("text").to_owned();
    let mut billed = Vec::new();
    for (visitor, (cpm, price)) in
        [("0.75", "0.00075"), ("8.999999", "0.008999999"), ("99", "0.009")].iter().enumerate()
    {
        let bid = vernier.bid(&format!("visitor-{visitor}"));
        let url = text(&bid, "burl").replace("${AUCTION_PRICE}", cpm);
        assert_eq!(vernier.call(&url).status, 204);
        let (impression, campaign) = (text(&bid, "id"), text(&bid, "cid"));
        billed.push(Billed { impression, campaign, day: String::new(), price });
    }
    let bid = vernier.bid("visitor-3");
    vernier.terminate();
    for outcome in vernier.outcomes() {
        let of = |billed: &&mut Billed| outcome["impression"] == billed.impression.as_str();
        let billed = billed.iter_mut().find(of).expect("what was billed");
        // The day is ours where the test runs across midnight.
        billed.day = text(&outcome, "at")[..10].to_owned();
    }
    let (impression, campaign, day) = (text(&bid, "id"), text(&bid, "cid"), billed[0].day.clone());
    (vernier, billed, Billed { impression, campaign, day, price: "0.009" })
}

/// Hands over a report with a line for each impression.
fn reconcile(vernier: &Vernier, billed: &[&Billed], by_impression: bool, more: &[&str]) -> Output {
    let mut report = if by_impression { "impression" } else { "impressions" }.to_owned();
    report.push_str(",day,exchange,campaign,spend,currency,invoice\r\n");
    for Billed { impression, campaign, day, price } in billed {
        let first = if by_impression { impression } else { "1" };
        report.push_str(&format!("{first},{day},demo,{campaign},{price},USD,\"no. 7, \"\"draft\"\"\"\r\n"));
    }
    let file = write(vernier.data.path(), "report.csv", &report);
    vernier.command(&[&["reconcile", "--exchange-report", &file], more].concat())
}

fn said(output: &Output) -> (Option<i32>, String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("text");
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

#[test]
fn an_exchanges_report_is_held_against_what_was_booked() {
    let (vernier, billed, unbilled) = booked();
    let all: Vec<&Billed> = billed.iter().collect();
    let (code, told, error) = said(&reconcile(&vernier, &all, false, &["--tolerance", "0"]));
    assert_eq!(code, Some(0), "{told}{error}");
    assert!(told.ends_with(" 0 alarming\n"), "{told}");
    assert!(
        told.contains("above bid    1 impression: not cut to our bid, theirs would be 0.108749999 (+0.09)"),
        "{told}"
    );
    assert_eq!(error, "columns that are not read: invoice\n");

    let told = said(&reconcile(&vernier, &all, false, &["--utc-offset", "-05:00", "--day-of", "bid"])).1;
    assert!(told.contains(" by when the bid was made, UTC-05:00, tolerance 2 %\n"), "{told}");

    let more: Vec<&Billed> = all.iter().copied().chain([&unbilled]).collect();
    let (code, told, error) = said(&reconcile(&vernier, &more, false, &[]));
    assert_eq!(code, Some(3), "{told}{error}");
    let group = format!("{}  demo  campaign {} {CAMPAIGN}  USD\n", unbilled.day, unbilled.campaign);
    let alarm = told.split_once(&group).expect("the group").1.split("\n\n").next().expect("what differs");
    assert!(alarm.contains("difference +1 (+33.34 %)") && alarm.contains("difference +0.009 (+48.01 %)"), "{told}");
    assert!(alarm.contains("ALARM        impressions differ by more than 2 %"), "{told}");
    assert!(alarm.contains("ALARM        spend differs by more than 2 %"), "{told}");
    assert!(told.ends_with(" 1 alarming\n"), "{told}");
}

#[test]
fn impressions_are_matched_by_the_ids_of_bids() {
    let (vernier, billed, unbilled) = booked();
    let some = [&billed[0], &billed[1], &unbilled];
    let (code, told, error) = said(&reconcile(&vernier, &some, true, &["--exchange", "demo", "--tolerance", "10"]));
    assert_eq!(code, Some(0), "{told}{error}");
    let listed = |what: &str, impression: &str| {
        let list = told.split_once(&format!("\n{what}: 1 impression\n")).expect("a list").1;
        assert!(list.starts_with(&format!("  {impression}")), "{what}: {told}");
    };
    listed("only theirs", &unbilled.impression);
    listed("only ours", &billed[2].impression);

    let (code, told, _) = said(&reconcile(&vernier, &some, true, &["--json", "--list", "0"]));
    assert_eq!(code, Some(0), "a difference of 0.009 on each side is none of the sums: {told}");
    let lines: Vec<Value> = told.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert!(lines.iter().all(|line| line["line"] != "impression"), "{told}");
    let total = lines.iter().find(|line| line["line"] == "total").expect("a total");
    assert_eq!(total["theirs"]["spend"], "0.018749999");
    let differing = &lines.last().expect("a summary")["differing"];
    assert_eq!((&differing["only_theirs"], &differing["only_ours"]), (&1.into(), &1.into()));
}

#[test]
fn a_report_with_mistakes_is_refused_with_all_of_them() {
    let vernier = Vernier::up();
    let file = write(vernier.data.path(), "report.csv", "day,campaign,impressions,spend\n2026-03-32,7,1,0.5\n");
    let (code, told, error) = said(&vernier.command(&["reconcile", "--exchange-report", &file]));
    assert_eq!((code, told.as_str()), (Some(2), ""));
    let expected = format!(
        "{file}: nothing is compared
line 1, column exchange: is missing in the header
line 1, column currency: is missing in the header
line 2, column day: must be a day such as 2026-03-01, not `2026-03-32`
"
    );
    assert_eq!(error, expected);
    for wrong in [["--utc-offset", "2"], ["--tolerance", "-1"], ["--exchange", "Demo"], ["--day-of", "win"]] {
        let (code, told, error) =
            said(&vernier.command(&[&["reconcile", "--exchange-report", &file][..], &wrong].concat()));
        assert_eq!((code, told.as_str()), (Some(2), ""), "{wrong:?}");
        assert!(error.contains(wrong[0]), "{error}");
    }
    let (code, _, error) = said(&vernier.command(&["reconcile", "--exchange-report", "nowhere.csv"]));
    assert_eq!(code, Some(2));
    assert!(error.starts_with("nowhere.csv: "), "{error}");
}
