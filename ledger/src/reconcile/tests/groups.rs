//! Reports by group.

use super::{check, reconcile};

const HEADER: &str = "day,exchange,campaign,currency,impressions,spend\n";

/// A report with one line for campaign 7 of `demo` on the first of March.
fn one(impressions: i64, spend: &str) -> String {
    format!("{HEADER}2026-03-01,demo,7,USD,{impressions},{spend}\n")
}

#[test]
fn what_agrees_to_the_last_nano_is_not_alarming() {
    check(
        "tolerance=0",
        "
        spend,currency,impressions,campaign,exchange,day
        0.0015,USD,2,7,demo,2026-03-01
        0.000000001,USD,1,7,demo,2026-03-01
        3e-3,EUR,3,8,other,2026-03-02",
        "
        charge a 2026-03-01T00:00 price=1000000
        charge b 2026-03-01T23:59 price=500000
        charge c 2026-03-01T12:00 price=1 late=
        unmatched d 2026-03-02T12:00 campaign=8 exchange=other currency=EUR
        unmatched e 2026-03-02T12:00 campaign=8 exchange=other currency=EUR
        unmatched f 2026-03-02T12:00 campaign=8 exchange=other currency=EUR
        win a 2026-03-01T12:00
        loss g 2026-03-01T12:00
        view a 2026-03-01T12:00
        click a 2026-03-01T12:00",
        "
        2026-03-01 to 2026-03-02 by when the notice arrived, UTC+00:00, tolerance 0 %

        2026-03-01  demo  campaign 7 boots  USD
        impressions  ours 3  theirs 3  difference 0 (0.00 %)
        spend        ours 0.001500001  theirs 0.001500001  difference 0.00 (0.00 %)

        2026-03-02  other  campaign 8  EUR
        impressions  ours 3  theirs 3  difference 0 (0.00 %)
        spend        ours 0.003  theirs 0.003  difference 0.00 (0.00 %)

        total  demo  USD
        impressions  ours 3  theirs 3  difference 0 (0.00 %)
        spend        ours 0.001500001  theirs 0.001500001  difference 0.00 (0.00 %)

        total  other  EUR
        impressions  ours 3  theirs 3  difference 0 (0.00 %)
        spend        ours 0.003  theirs 0.003  difference 0.00 (0.00 %)

        2 groups, 0 alarming",
    );
}

#[test]
fn what_is_compared_is_media_and_not_what_the_advertiser_paid() {
    let told = reconcile(
        "tolerance=0",
        &one(2, "0.0015"),
        "charge a 2026-03-01T12:00 price=1000000 charged=1764706
         charge b 2026-03-01T12:00 price=500000 charged=882353",
        |comparison| comparison.to_string(),
    );
    assert!(told.contains("spend        ours 0.0015  theirs 0.0015  difference 0.00 (0.00 %)"), "{told}");
    assert!(told.contains("1 group, 0 alarming"), "{told}");
}

/// Why a group of fifty impressions at 0.001 is alarming.
fn alarms(options: &str, impressions: i64, spend: &str) -> Vec<String> {
    let outcomes = "charge a 2026-03-01T12:00\n".repeat(50);
    let told = reconcile(options, &one(impressions, spend), &outcomes, |comparison| comparison.to_string());
    told.lines().filter_map(|line| line.trim().strip_prefix("ALARM        ")).map(str::to_owned).collect()
}

#[test]
fn a_difference_of_the_tolerance_itself_is_no_alarm() {
    let none: [&str; 0] = [];
    assert_eq!(alarms("", 51, "0.051"), none, "2 % above");
    assert_eq!(alarms("", 49, "0.049"), none, "2 % below");
    assert_eq!(alarms("", 52, "0.05"), ["impressions differ by more than 2 %"]);
    assert_eq!(alarms("", 48, "0.05"), ["impressions differ by more than 2 %"]);
    assert_eq!(alarms("", 50, "0.051000001"), ["spend differs by more than 2 %"]);
    assert_eq!(alarms("", 50, "0.048999999"), ["spend differs by more than 2 %"]);
    assert_eq!(alarms("", 60, "1"), ["impressions differ by more than 2 %", "spend differs by more than 2 %"]);
    assert_eq!(alarms("tolerance=0.5", 50, "0.05025"), none);
    assert_eq!(alarms("tolerance=0.5", 50, "0.050250001"), ["spend differs by more than 0.5 %"]);
    assert_eq!(alarms("tolerance=4", 52, "0.051000001"), none);
}

#[test]
fn what_one_side_lacks_is_alarming() {
    check(
        "",
        "
        day,exchange,campaign,currency,impressions,spend,note
        2026-03-01,demo,boots,USD,2,0.002,x
        2026-03-01,demo,9,USD,1,0.0005,
        2026-03-01,demo,socks,USD,0,0.0005,
        2026-03-03,demo,9,USD,0,0,",
        "
        charge a 2026-02-28T23:59
        charge b 2026-03-02T12:00
        charge c 2026-03-03T12:00 exchange=other
        charge d 2026-03-04T00:00",
        "
        not read: note
        2026-03-01 to 2026-03-03 by when the notice arrived, UTC+00:00, tolerance 2 %

        2026-03-01  demo  campaign 7 boots  USD
        impressions  ours 0  theirs 2  difference +2
        spend        ours 0.00  theirs 0.002  difference +0.002
        ALARM        only they have it

        2026-03-01  demo  campaign 9  USD
        impressions  ours 0  theirs 1  difference +1
        spend        ours 0.00  theirs 0.0005  difference +0.0005
        ALARM        only they have it

        2026-03-01  demo  campaign \"socks\", which none of ours is called  USD
        impressions  ours 0  theirs 0  difference 0
        spend        ours 0.00  theirs 0.0005  difference +0.0005
        ALARM        only they have it

        2026-03-02  demo  campaign 7 boots  USD
        impressions  ours 1  theirs none  difference -1 (-100.00 %)
        spend        ours 0.001  theirs none  difference -0.001 (-100.00 %)
        ALARM        only we have it

        2026-03-03  demo  campaign 9  USD
        impressions  ours 0  theirs 0  difference 0
        spend        ours 0.00  theirs 0.00  difference 0.00

        2026-03-03  other  campaign 7 boots  USD
        impressions  ours 1  theirs none  difference -1 (-100.00 %)
        spend        ours 0.001  theirs none  difference -0.001 (-100.00 %)
        ALARM        only we have it

        total  demo  USD
        impressions  ours 1  theirs 3  difference +2 (+200.00 %)
        spend        ours 0.001  theirs 0.003  difference +0.002 (+200.00 %)

        total  other  USD
        impressions  ours 1  theirs none  difference -1 (-100.00 %)
        spend        ours 0.001  theirs none  difference -0.001 (-100.00 %)

        6 groups, 5 alarming",
    );
}

#[test]
fn an_exchange_that_is_named_is_compared_alone() {
    let report = "day,campaign,currency,impressions,spend\n2026-03-01,7,USD,1,0.001\n";
    let outcomes = "charge a 2026-03-01T12:00\ncharge b 2026-03-01T12:00 exchange=other";
    let expected = "
        2026-03-01 to 2026-03-01 by when the notice arrived, UTC+00:00, tolerance 2 %

        2026-03-01  demo  campaign 7 boots  USD
        impressions  ours 1  theirs 1  difference 0 (0.00 %)
        spend        ours 0.001  theirs 0.001  difference 0.00 (0.00 %)

        total  demo  USD
        impressions  ours 1  theirs 1  difference 0 (0.00 %)
        spend        ours 0.001  theirs 0.001  difference 0.00 (0.00 %)

        1 group, 0 alarming";
    check("exchange=demo", report, outcomes, expected);
    check("exchange=demo", &one(1, "0.001"), outcomes, expected);
}

#[test]
fn currencies_are_never_added() {
    check(
        "",
        &one(3, "0.003"),
        "
        charge a 2026-03-01T12:00 currency=EUR
        charge b 2026-03-01T12:00 currency=EUR",
        "
        2026-03-01 to 2026-03-01 by when the notice arrived, UTC+00:00, tolerance 2 %

        2026-03-01  demo  campaign 7 boots  EUR
        impressions  ours 2  theirs none  difference -2 (-100.00 %)
        spend        ours 0.002  theirs none  difference -0.002 (-100.00 %)
        ALARM        only we have it; they have it in USD

        2026-03-01  demo  campaign 7 boots  USD
        impressions  ours 0  theirs 3  difference +3
        spend        ours 0.00  theirs 0.003  difference +0.003
        ALARM        only they have it; we have it in EUR

        total  demo  EUR
        impressions  ours 2  theirs none  difference -2 (-100.00 %)
        spend        ours 0.002  theirs none  difference -0.002 (-100.00 %)

        total  demo  USD
        impressions  ours 0  theirs 3  difference +3
        spend        ours 0.00  theirs 0.003  difference +0.003

        2 groups, 2 alarming",
    );
}

#[test]
fn prices_above_the_bid_are_cut_and_late_notices_told() {
    check(
        "",
        &one(4, "0.0075"),
        "
        charge a 2026-03-01T12:00 price=2500000 bid=2000000
        charge b 2026-03-01T12:00 price=2000001 bid=2000000
        charge c 2026-03-01T12:00 price=2000000 bid=2000000
        expired d 2026-03-01T12:00 price=2000000 bid=1000000
        expired e 2026-03-01T12:00 campaign=9",
        "
        2026-03-01 to 2026-03-01 by when the notice arrived, UTC+00:00, tolerance 2 %

        2026-03-01  demo  campaign 7 boots  USD
        impressions  ours 3  theirs 4  difference +1 (+33.34 %)
        spend        ours 0.006  theirs 0.0075  difference +0.0015 (+25.00 %)
        expired      1 notice after the token's end, 0.001: not booked by us
        above bid    2 impressions: not cut to our bid, theirs would be 0.006500001 (+0.000500001)
        ALARM        impressions differ by more than 2 %
        ALARM        spend differs by more than 2 %

        total  demo  USD
        impressions  ours 3  theirs 4  difference +1 (+33.34 %)
        spend        ours 0.006  theirs 0.0075  difference +0.0015 (+25.00 %)
        expired      1 notice after the token's end, 0.001: not booked by us
        above bid    2 impressions: not cut to our bid, theirs would be 0.006500001 (+0.000500001)

        1 group, 1 alarming",
    );
}

/// What we have of the groups of a report, as its lines say it.
fn ours(options: &str, report: &str, outcomes: &str) -> Vec<String> {
    let told = reconcile(options, report, outcomes, |comparison| comparison.to_string());
    let lines = told.lines().take_while(|line| !line.starts_with("total"));
    let ours = lines.filter_map(|line| line.split_once("  ours ")).map(|(_, rest)| rest.split("  ").next().unwrap());
    ours.map(str::to_owned).collect()
}

#[test]
fn what_was_booked_counts_where_it_was_at_the_price_of_its_last_correction() {
    let ours = |outcomes: &str| ours("", &one(1, "0.001"), outcomes);
    let first = "charge a 2026-03-01T12:00 sequence=5\n";
    assert_eq!(ours(first), ["1", "0.001"]);
    let corrected = "correction a 2026-04-07T12:00 sequence=9 corrects=5 price=1500000\n";
    assert_eq!(ours(&format!("{first}{corrected}")), ["1", "0.0015"]);
    assert_eq!(ours(&format!("{corrected}{first}")), ["1", "0.0015"], "it came first");
    let again = "correction a 2026-04-07T12:00 sequence=11 corrects=5 price=400000\n";
    assert_eq!(ours(&format!("{first}{again}{corrected}")), ["1", "0.0004"], "the later of two");
    let back = "correction a 2026-04-07T12:00 sequence=11 corrects=5 price=0\n";
    assert_eq!(ours(&format!("{first}{corrected}{back}")), ["0", "0.00"], "taken back whole");
    let cheap = "charge a 2026-03-01T12:00 sequence=5 charged=900\n";
    let fees = "correction a 2026-04-07T12:00 sequence=11 corrects=5 price=0 charged=-500\n";
    assert_eq!(ours(&format!("{cheap}{fees}")), ["1", "0.00"], "fees alone are left");
    let rest = "correction a 2026-04-07T12:00 sequence=12 corrects=5 price=0 charged=-400\n";
    assert_eq!(ours(&format!("{rest}{cheap}{fees}")), ["0", "0.00"], "and taken back");
    let cut = "charge a 2026-03-01T12:00 sequence=5 price=9000000\n";
    let told = reconcile("", &one(1, "0.001"), &format!("{cut}{again}"), |comparison| comparison.to_string());
    assert!(!told.contains("above bid"), "its price is not the notice's any more: {told}");
    for other in ["shard=1 corrects=5", "corrects=6"] {
        let another = format!("correction b 2026-03-01T12:00 sequence=9 price=0 {other}\n");
        assert_eq!(ours(&format!("{first}{another}")), ["1", "0.001"], "{other}");
    }
    let win = "win a 2026-03-01T12:00 sequence=5\n";
    assert_eq!(ours(&format!("{win}{first}{back}")), ["0", "0.00"], "the win of the same notice is no charge");
}

#[test]
fn a_correction_that_does_not_say_of_what_is_refused() {
    for what in ["price=1", "price=none corrects=1", "price=-1 corrects=1"] {
        let told =
            reconcile("", &one(1, "0.001"), &format!("correction a 2026-03-01T12:00 {what}"), |it| it.to_string());
        assert_eq!(told, "outcome 1 of shard 0 does not say what it corrects to what", "{what}");
    }
}

#[test]
fn days_are_those_of_the_report() {
    let outcomes = "
        charge a 2026-02-28T21:59 bid-at=2026-02-28T21:58 price=1
        charge b 2026-02-28T22:00 bid-at=2026-02-28T21:59 price=10
        charge c 2026-03-01T00:00 bid-at=2026-02-28T23:59 price=100
        charge d 2026-03-01T22:00 bid-at=2026-03-01T21:59 price=1000
        charge e 2026-03-02T00:00 bid-at=2026-03-01T23:59 price=10000
        charge f 2026-03-02T04:59 bid-at=2026-03-02T04:59 price=100000";
    let ours = |options: &str| ours(options, &one(1, "0.001"), outcomes);
    assert_eq!(ours(""), ["2", "0.0000011"]);
    assert_eq!(ours("day-of=bid"), ["2", "0.000011"]);
    assert_eq!(ours("utc-offset=+02:00"), ["2", "0.00000011"]);
    assert_eq!(ours("utc-offset=+02:00 day-of=bid"), ["2", "0.0000011"]);
    assert_eq!(ours("utc-offset=-05:00"), ["3", "0.000111"]);
    let told = reconcile("utc-offset=-05:00 day-of=bid", &one(1, "1"), outcomes, |comparison| comparison.to_string());
    assert!(told.starts_with("2026-03-01 to 2026-03-01 by when the bid was made, UTC-05:00"), "{told}");
}

#[test]
fn credits_count_against_what_was_billed() {
    let report = one(3, "0.004") + "2026-03-01,demo,7,USD,-1,-0.002\n";
    let told = reconcile("", &report, "charge a 2026-03-01T12:00", |comparison| comparison.to_string());
    assert!(told.contains("theirs 2  difference +1 (+100.00 %)"), "{told}");
    assert!(told.contains("theirs 0.002  difference +0.001 (+100.00 %)"), "{told}");
}

#[test]
fn an_outcome_that_says_too_little_ends_it() {
    let told = |outcome: &str| reconcile("", &one(1, "1"), outcome, |comparison| comparison.to_string());
    let is = "outcome 1 of shard 0";
    assert_eq!(told("charge a 2026-03-01T12:00 price="), format!("{is} has no price"));
    assert_eq!(told("charge a 2026-03-01T12:00 price=-1"), format!("{is} has no price"));
    assert_eq!(told("charge a 2026-03-01T12:00 bid=-1"), format!("{is} has no bid"));
    assert_eq!(told("charge a 2026-03-01T12:00 exchange="), format!("{is} names no exchange"));
    assert_eq!(told("charge a 2026-03-01T12:00 currency=dollars"), format!("{is} names no currency"));
    let unknown = format!("{is} is of a kind that this program does not know, so it may be spend");
    assert_eq!(told("refund a 2026-03-01T12:00"), unknown);
}

#[test]
fn json_says_the_same() {
    let report = one(1, "0.003") + "2026-03-01,demo,socks,EUR,2,1\n";
    let outcomes = "charge a 2026-03-01T12:00 price=3000000\nexpired b 2026-03-01T12:00";
    let told = reconcile("", &report, outcomes, |comparison| comparison.json_lines().collect::<Vec<_>>().join("\n"));
    let nothing = r#"{"impressions":0,"spend":"0.00"}"#;
    let usd = concat!(
        r#""ours":{"impressions":1,"spend":"0.002"},"theirs":{"impressions":1,"spend":"0.003"},"#,
        r#""difference":{"impressions":0,"impressions_percent":"0.00","spend":"0.001","spend_percent":"50.00"},"#,
        r#""expired":{"impressions":1,"spend":"0.001"},"above_bid":{"impressions":1,"spend":"0.001"},"matching":null"#,
    );
    let difference = r#"{"impressions":2,"impressions_percent":null,"spend":"1.00","spend_percent":null}"#;
    let eur = format!(r#""ours":{nothing},"theirs":{{"impressions":2,"spend":"1.00"}},"difference":{difference},"#)
        + &format!(r#""expired":{nothing},"above_bid":{nothing},"matching":null"#);
    let group = r#""line":"group","day":"2026-03-01","exchange":"demo""#;
    let boots = r#""campaign":7,"campaign_name":"boots","currency":"USD""#;
    let socks = r#""campaign":null,"campaign_name":"socks","currency":"EUR""#;
    let total = r#""line":"total","exchange":"demo""#;
    let summary = concat!(
        r#"{"line":"summary","first_day":"2026-03-01","last_day":"2026-03-01","day_of":"notice","#,
        r#""utc_offset":"+00:00","tolerance_percent":"2","groups":2,"alarming":2,"differing":null}"#,
    );
    let expected = [
        format!(r#"{{{group},{boots},{usd},"alarms":["spend"],"in_currency":null}}"#),
        format!(r#"{{{group},{socks},{eur},"alarms":["only_theirs"],"in_currency":null}}"#),
        format!(r#"{{{total},"currency":"EUR",{eur}}}"#),
        format!(r#"{{{total},"currency":"USD",{usd}}}"#),
        summary.to_owned(),
    ];
    assert_eq!(told.lines().collect::<Vec<_>>(), expected);
}
