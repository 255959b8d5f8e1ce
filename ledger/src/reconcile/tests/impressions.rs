//! Reports by impression.

use super::{check, reconcile};

/// The id of the impression that outcomes call by this letter.
fn id(letter: char) -> String {
    format!("{:02x}", letter as u32).repeat(16)
}

/// A report with a line for each letter: day, price, and what else the exchange has.
fn report(lines: &str) -> String {
    let line = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let letter = words[0].chars().next().expect("a letter");
        format!("{},2026-03-{},7,USD,{}\n", id(letter), words[1], words[2])
    };
    let lines = lines.lines().filter(|line| !line.trim().is_empty());
    "impression,day,campaign,currency,spend\n".to_owned() + &lines.map(line).collect::<String>()
}

#[test]
fn impressions_are_matched_by_their_ids() {
    check(
        "exchange=demo",
        &report(
            "a 01 0.001
             B 01 0.0015
             c 01 0.001
             d 01 0.001
             e 01 0.001
             a 01 0.001
             f 02 0.001
             g 02 0.002",
        ),
        "
        charge a 2026-03-01T12:00
        charge B 2026-03-01T12:00
        expired d 2026-03-01T12:00
        charge e 2026-03-02T00:01
        charge f 2026-03-03T00:01
        charge g 2026-03-02T12:00 exchange=other price=2000000
        charge h 2026-03-02T12:00 price=500000
        charge i 2026-03-03T12:00",
        "
        2026-03-01 to 2026-03-02 by when the notice arrived, UTC+00:00, tolerance 2 %

        2026-03-01  demo  campaign 7 boots  USD
        impressions  ours 2  theirs 6  difference +4 (+200.00 %)
        spend        ours 0.002  theirs 0.0065  difference +0.0045 (+225.00 %)
        matched      2 impressions
        only theirs  3 impressions, 0.003
        elsewhere    1 impression of theirs that we have in another group, 0.001
        other price  1 impression, +0.0005
        expired      1 notice after the token's end, 0.001: not booked by us
        ALARM        impressions differ by more than 2 %
        ALARM        spend differs by more than 2 %

        2026-03-02  demo  campaign 7 boots  USD
        impressions  ours 2  theirs 2  difference 0 (0.00 %)
        spend        ours 0.0015  theirs 0.003  difference +0.0015 (+100.00 %)
        matched      0 impressions
        only ours    1 impression, 0.0005
        elsewhere    2 impressions of theirs that we have in another group, 0.003
        elsewhere    1 impression of ours that they have in another group, 0.001
        ALARM        spend differs by more than 2 %

        total  demo  USD
        impressions  ours 4  theirs 8  difference +4 (+100.00 %)
        spend        ours 0.0035  theirs 0.0095  difference +0.006 (+171.43 %)
        matched      2 impressions
        only theirs  3 impressions, 0.003
        only ours    1 impression, 0.0005
        elsewhere    3 impressions of theirs that we have in another group, 0.004
        elsewhere    1 impression of ours that they have in another group, 0.001
        other price  1 impression, +0.0005
        expired      1 notice after the token's end, 0.001: not booked by us

        only theirs: 3 impressions
        61616161616161616161616161616161  theirs 0.001  2026-03-01  demo  campaign 7 boots  USD  once more on line 7
        63636363636363636363636363636363  theirs 0.001  2026-03-01  demo  campaign 7 boots  USD
        64646464646464646464646464646464  theirs 0.001  2026-03-01  demo  campaign 7 boots  USD  expired with us

        only ours: 1 impression
        68686868686868686868686868686868  ours 0.0005  2026-03-02  demo  campaign 7 boots  USD

        at another price: 1 impression
        42424242424242424242424242424242  theirs 0.0015  ours 0.001  2026-03-01  demo  campaign 7 boots  USD

        in another group: 3 impressions
        65656565656565656565656565656565  theirs 0.001  2026-03-01  demo  campaign 7 boots  USD
        ours 0.001  2026-03-02  demo  campaign 7 boots  USD
        66666666666666666666666666666666  theirs 0.001  2026-03-02  demo  campaign 7 boots  USD
        ours 0.001  2026-03-03  demo  campaign 7 boots  USD
        67676767676767676767676767676767  theirs 0.002  2026-03-02  demo  campaign 7 boots  USD
        ours 0.002  2026-03-02  other  campaign 7 boots  USD

        2 groups, 2 alarming",
    );
}

#[test]
fn an_impression_that_expired_and_was_booked_is_matched() {
    for outcomes in [
        "charge a 2026-03-01T12:00\nexpired a 2026-03-01T13:00",
        "expired a 2026-03-01T13:00\ncharge a 2026-03-01T12:00",
    ] {
        let told = reconcile("exchange=demo", &report("a 01 0.001"), outcomes, |comparison| comparison.to_string());
        assert!(told.contains("matched      1 impression\n") && !told.contains("only"), "{told}");
    }
}

#[test]
fn a_correction_is_matched_in_place_of_what_it_corrects() {
    let charge = "charge a 2026-03-01T12:00 sequence=1 price=1\n";
    let told = |correction: &str| {
        let outcomes = format!("{charge}correction a 2026-03-02T12:00 sequence=2 corrects=1 {correction}");
        reconcile("exchange=demo", &report("a 01 0.001"), &outcomes, |comparison| comparison.to_string())
    };
    let same = told("price=1000000");
    assert!(same.contains("matched      1 impression\n") && same.contains("1 group, 0 alarming"), "{same}");
    let back = told("price=0");
    assert!(back.contains("only theirs: 1 impression\n") && back.contains("taken back by us\n"), "{back}");
}

#[test]
fn lists_are_bounded_and_all_are_counted() {
    let theirs = report("c 01 1\na 01 1\nd 01 1\nb 01 1");
    let outcomes = "charge z 2026-03-01T12:00\ncharge y 2026-03-01T12:00\ncharge x 2026-03-01T12:00";
    let told = |options: &str| {
        let told = reconcile(options, &theirs, outcomes, |comparison| comparison.to_string());
        let lists = told.split_once("\nonly theirs:").expect("a list").1;
        let words = lists.lines().map(|line| line.split_whitespace().next().unwrap_or_default().get(..2));
        (words.flatten().collect::<Vec<_>>().join(" "), lists.to_owned())
    };
    let (words, lists) = told("exchange=demo list=2");
    assert_eq!(words, "61 62 an on 78 79 an", "{lists}");
    assert!(lists.starts_with(" 4 impressions") && lists.contains("and 2 more") && lists.contains("and 1 more"));
    let (words, lists) = told("exchange=demo list=0");
    assert_eq!(words, "an on an", "{lists}");
    assert!(lists.contains("and 4 more") && lists.contains("only ours: 3 impressions"), "{lists}");
    assert!(!told("exchange=demo list=4").1.contains("more"));
}

#[test]
fn json_lists_impressions() {
    let outcomes = "expired a 2026-03-01T12:00\ncharge b 2026-03-01T12:00";
    let theirs = report("a 01 0.001");
    let told =
        reconcile("exchange=demo", &theirs, outcomes, |it| it.json_lines().skip(2).collect::<Vec<_>>().join("\n"));
    let part = concat!(
        r#"{"day":"2026-03-01","exchange":"demo","campaign":7,"campaign_name":"boots","currency":"USD","#,
        r#""spend":"0.001"}"#,
    );
    let line = |difference, id, ours, theirs, expired| {
        let what = format!(r#""line":"impression","difference":"{difference}","impression":"{id}""#);
        format!(
            r#"{{{what},"ours":{ours},"theirs":{theirs},"expired":{expired},"again_on_line":null,"taken_back":false}}"#
        )
    };
    let lines: Vec<&str> = told.lines().collect();
    assert_eq!(lines[0], line("only_theirs", id('a'), "null", part, true));
    assert_eq!(lines[1], line("only_ours", id('b'), part, "null", false));
    let counts = r#""differing":{"only_theirs":1,"only_ours":1,"other_price":0,"elsewhere":0}}"#;
    assert!(lines[2].ends_with(counts) && lines.len() == 3, "{told}");
}
