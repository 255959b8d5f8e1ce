//! What an operator corrects of what was booked.

use serde_json::Value;

use super::process::{Vernier, until, write};

/// The id of an impression that was billed at 0.75 USD a thousand, once it is booked.
fn billed(vernier: &Vernier, user: &str) -> String {
    let bid = vernier.bid(user);
    let text = |field: &str| bid[field].as_str().expect("text").to_owned();
    assert_eq!(vernier.call(&text("burl").replace("${AUCTION_PRICE}", "0.75")).status, 204);
    let id = text("id");
    // A reader of files sees what is written a moment before whoever corrects.
    let unchanged = || correct(vernier, &format!("{id},0.00075,x\n"));
    until(|| unchanged().0 == Some(0), &|| format!("{:?}", unchanged()));
    id
}

/// The outcomes of an impression.
fn outcomes(vernier: &Vernier, impression: &str) -> Vec<Value> {
    vernier.events("outcomes").into_iter().filter(|outcome| outcome["impression"] == impression).collect()
}

/// The books of the one campaign that spent.
fn books(vernier: &Vernier) -> Value {
    let books = vernier.get_admin("/books").json();
    let campaigns = books["campaigns"].as_array().expect("a list").iter();
    campaigns.clone().find(|row| row["late_nanos"] != "0" || row["charged_nanos"] != "0").expect("it spent").clone()
}

/// Hands over a file of corrections: the exit code, and what it says.
fn correct(vernier: &Vernier, lines: &str) -> (Option<i32>, String, String) {
    let file = write(vernier.data.path(), "credit.csv", &format!("impression,charged,reason\n{lines}"));
    let output = vernier.command(&["correct", &file, "--by", "ann & bob", "--admin", &vernier.admin_address()]);
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("text");
    (output.status.code(), text(&output.stdout), text(&output.stderr).replace(&file, "FILE"))
}

#[test]
fn a_credit_is_booked_once_and_told_to_analysts() {
    let mut vernier = Vernier::up();
    let [one, other] = ["visitor-1", "visitor-2"].map(|user| billed(&vernier, user));
    let campaign = outcomes(&vernier, &one)[0]["campaign"].clone();
    let file = format!("{one},0,invalid traffic\n{other},0.0005,wrong price\n");
    let (code, said, error) = correct(&vernier, &file);
    assert_eq!(code, Some(0), "{error}");
    let expected = format!(
        "{one}  campaign {campaign}  0.00075 -> 0.00 USD  booked\n{other}  campaign {campaign}  0.00075 -> 0.0005 USD  \
         booked\n2 booked, 0 unchanged\n"
    );
    assert_eq!(said, expected);
    let (code, said, error) = correct(&vernier, &file);
    assert_eq!((code, said.lines().last()), (Some(0), Some("0 booked, 2 unchanged")), "{error}");
    let books = books(&vernier);
    assert_eq!((&books["corrected_nanos"], &books["spent_nanos"]), (&"-1000000".into(), &"500000".into()), "{books}");
    let metrics = String::from_utf8(vernier.get_admin("/metrics").body).expect("text");
    for line in [
        "vernier_ledger_spent_total{currency=\"USD\"} 0.0015",
        "vernier_ledger_corrected{currency=\"USD\"} -0.001",
        "vernier_ledger_oddities_total{what=\"refused_correction\"} 0",
    ] {
        assert!(metrics.lines().any(|found| found == line), "{line} in {metrics}");
    }

    let said = vernier.terminate();
    assert!(said.contains("spent 0.000500 USD in all"), "{said}");
    let told = outcomes(&vernier, &one);
    let [charge, correction] = &told[..] else { panic!("a charge and a correction: {told:?}") };
    assert_eq!((&correction["kind"], &correction["charged"]), (&"correction".into(), &"-0.00075".into()));
    assert_eq!((&correction["corrects"], &correction["reason"]), (&charge["sequence"], &"invalid traffic".into()));
    for same in ["day", "segment", "arm", "campaign_currency", "exchange", "creative"] {
        assert_eq!(correction[same], charge[same], "{same}");
    }
    let mut journal = vernier.events("ledger-journal").into_iter();
    let entry = journal.find_map(|entry| entry.get("correction").cloned()).expect("it is journalled");
    assert_eq!((&entry["by"], &entry["before"]), (&"ann & bob".into(), &"0.00075".into()));

    vernier.start();
    let (code, said, error) = correct(&vernier, &file);
    assert_eq!((code, said.lines().last()), (Some(0), Some("0 booked, 2 unchanged")), "{error}");
}

#[test]
fn nothing_is_corrected_where_anything_is_wrong() {
    let vernier = Vernier::up();
    let one = billed(&vernier, "visitor-1");
    let stranger = "ab".repeat(16);
    let (code, said, error) = correct(&vernier, &format!("{one},0,x\n{stranger},0,x\n{one},1,\n"));
    assert_eq!((code, said.as_str()), (Some(2), ""));
    let expected = "FILE: nothing is corrected
line 4, column reason: must be a text of 1 to 200 bytes on one line, not ``
";
    assert_eq!(error, expected);
    let other = billed(&vernier, "visitor-2");
    let (code, said, error) = correct(&vernier, &format!("{one},0,x\n{stranger},0,x\n{other},0.01,x\n"));
    assert_eq!((code, said.as_str()), (Some(2), ""));
    let expected = "FILE: nothing is corrected
line 3, column impression: nothing was booked for it
line 4, column charged: must be at most 0.009 USD, the whole bid, not `0.01`
";
    assert_eq!(error, expected);
    assert_eq!(books(&vernier)["corrected_nanos"], "0");
    let output = vernier.command(&["correct", "nowhere.csv", "--admin", &vernier.admin_address()]);
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn what_was_corrected_agrees_with_the_exchanges_report() {
    let mut vernier = Vernier::up();
    let [one, other] = ["visitor-1", "visitor-2"].map(|user| billed(&vernier, user));
    let charge = outcomes(&vernier, &one).remove(0);
    let day = &charge["at"].as_str().expect("a time")[..10];
    let report = format!(
        "day,exchange,campaign,currency,spend,impression\n{day},demo,{},USD,0.0005,{other}\n",
        charge["campaign"]
    );
    let report = write(vernier.data.path(), "report.csv", &report);
    let compare = |vernier: &Vernier| {
        let output = vernier.command(&["reconcile", "--exchange-report", &report, "--tolerance", "0"]);
        (output.status.code(), String::from_utf8(output.stdout).expect("text"))
    };
    let (code, told) = compare(&vernier);
    assert_eq!(code, Some(3), "{told}");
    let (code, _, error) = correct(&vernier, &format!("{one},0,invalid traffic\n{other},0.0005,wrong price\n"));
    assert_eq!(code, Some(0), "{error}");
    vernier.terminate();
    let (code, told) = compare(&vernier);
    assert_eq!(code, Some(0), "{told}");
}
