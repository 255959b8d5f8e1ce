//! What notices do to money.

use serde_json::Value;

use super::process::{Vernier, bid_request, result, until, write};

/// A URL of a bid with its macros replaced.
fn url(bid: &Value, field: &str, price: &str) -> String {
    let url = bid[field].as_str().expect("a URL");
    url.replace("${AUCTION_PRICE}", price).replace("${AUCTION_LOSS}", "102").replace("${AUCTION_MIN_TO_WIN}", "9.5")
}

fn charges(vernier: &Vernier) -> Vec<(String, Value)> {
    let outcomes = vernier.events("outcomes");
    let charges = outcomes.into_iter().filter(|outcome| outcome["kind"] == "charge");
    charges.map(|outcome| (outcome["impression"].as_str().expect("an id").to_owned(), outcome)).collect()
}

#[test]
fn an_impression_is_charged_once_at_the_price_of_its_billing_notice() {
    let mut vernier = Vernier::up();
    let bid = vernier.bid("visitor-1");
    assert_eq!(vernier.call(&url(&bid, "nurl", "0.75")).status, 204);
    for _ in 0..3 {
        assert_eq!(vernier.call(&url(&bid, "burl", "0.75")).status, 204);
    }
    let said = vernier.terminate();
    assert!(said.contains("spent 0.000750 USD in all"), "{said}");
    let charges = charges(&vernier);
    assert_eq!(charges.len(), 1, "{charges:?}");
    assert_eq!(charges[0].0, bid["id"].as_str().expect("an id"));
}

#[test]
fn a_price_above_the_bid_is_cut_to_it() {
    let mut vernier = Vernier::up();
    let bid = vernier.bid("visitor-1");
    let price = bid["price"].as_f64().expect("a price");
    assert_eq!(vernier.call(&url(&bid, "burl", "99")).status, 204);
    let said = vernier.terminate();
    assert!(said.contains(&format!("spent {:.6} USD in all", price / 1_000.0)), "{price}: {said}");
}

#[test]
fn forged_and_changed_notices_and_those_of_another_kind_book_nothing() {
    let mut vernier = Vernier::up();
    let bid = vernier.bid("visitor-1");
    let billing = url(&bid, "burl", "0.75");
    for forged in [
        billing.replace("/n/billing/", "/n/win/"),
        billing.replace("/n/billing/", "/n/billing/A"),
        billing.replace("?p=", "A?p="),
        url(&bid, "nurl", "0.75").replace("/n/win/", "/n/billing/"),
    ] {
        let answer = vernier.call(&forged);
        assert_eq!((answer.status, answer.body.len()), (403, 0), "{forged}");
    }
    assert_eq!(vernier.call(&billing.replace("/n/billing/", "/n/other/")).status, 404);
    vernier.terminate();
    assert!(charges(&vernier).is_empty());
    assert!(vernier.events("notices").is_empty());
}

#[test]
fn audits_and_empty_macros_are_acknowledged_and_book_nothing() {
    let mut vernier = Vernier::up();
    let bid = vernier.bid("visitor-1");
    for price in ["AUDIT", "", "${AUCTION_PRICE}", "-1", "abc"] {
        assert_eq!(vernier.call(&url(&bid, "burl", price)).status, 204, "{price}");
    }
    let metrics = String::from_utf8(vernier.get_admin("/metrics").body).expect("text");
    assert!(metrics.contains("vernier_notices_total{kind=\"billing\",outcome=\"audit\"} 1"), "{metrics}");
    assert!(metrics.contains("vernier_notices_total{kind=\"billing\",outcome=\"unpriced\"} 4"), "{metrics}");
    vernier.terminate();
    assert!(charges(&vernier).is_empty());
    assert_eq!(vernier.events("notices").len(), 5);
}

#[test]
fn an_audit_leaves_no_trace_but_itself() {
    let mut vernier = Vernier::up();
    let bid = vernier.bid("visitor-1");
    for (field, macros) in [("nurl", "p=AUDIT"), ("lurl", "r=AUDIT&m=AUDIT"), ("burl", "p=AUDIT")] {
        let audit = format!("{}?{macros}", bid[field].as_str().expect("a URL").split('?').next().expect("its path"));
        assert_eq!(vernier.call(&audit).status, 204, "{audit}");
    }
    let metrics = String::from_utf8(vernier.get_admin("/metrics").body).expect("text");
    assert!(metrics.contains("vernier_reservations_open 1"), "the loss was none: {metrics}");
    for (field, price) in [("nurl", "0.75"), ("burl", "0%2E75")] {
        assert_eq!(vernier.call(&url(&bid, field, price)).status, 204);
    }
    vernier.terminate();
    let mut kinds: Vec<(Value, Value)> =
        vernier.outcomes().iter().map(|it| (it["kind"].clone(), it["notice_price"].clone())).collect();
    kinds.sort_by_key(|(kind, _)| kind.to_string());
    let expected = [("charge", "0.00075"), ("win", "0.00075")];
    assert_eq!(kinds, expected.map(|(kind, price)| (kind.into(), price.into())));
}

#[test]
fn what_was_acknowledged_survives_a_kill() {
    let mut vernier = Vernier::up();
    let mut billed = Vec::new();
    for round in 0..3 {
        for visitor in 0..10 {
            let bid = vernier.bid(&format!("visitor-{}", round * 10 + visitor));
            assert_eq!(vernier.call(&url(&bid, "burl", "0.5")).status, 204);
            billed.push((bid["id"].as_str().expect("an id").to_owned(), url(&bid, "burl", "0.5")));
        }
        vernier.kill();
        vernier.start();
    }
    for (_, url) in &billed {
        assert_eq!(vernier.call(url).status, 204, "tokens of before the kill are still ours");
    }
    let said = vernier.terminate();
    assert!(said.contains("spent 0.015000 USD in all"), "{said}");
    let mut charged: Vec<String> = charges(&vernier).into_iter().map(|(impression, _)| impression).collect();
    let mut expected: Vec<String> = billed.into_iter().map(|(id, _)| id).collect();
    charged.sort_unstable();
    expected.sort_unstable();
    assert_eq!(charged, expected);
}

#[test]
fn clicks_lead_to_the_sealed_destination_and_views_to_a_pixel() {
    let mut vernier = Vernier::up();
    let bid = vernier.bid("visitor-1");
    let markup = bid["adm"].as_str().expect("markup");
    let find = |kind: &str| {
        let start = markup.find(&format!("/n/{kind}/")).expect("a URL");
        let from = markup[..start].rfind("http://").expect("a URL");
        let end = markup[start..].find(['"', '\'', ')', ' ']).expect("its end") + start;
        markup[from..end].to_owned()
    };
    let click = vernier.call(&format!("{}?to=https://evil.example/", find("click")));
    assert_eq!(click.status, 302);
    let location = click.header("location").expect("a destination");
    assert!(location.starts_with("https://") && !location.contains("evil"), "{location}");
    let view = vernier.call(&find("view"));
    assert_eq!((view.status, view.header("content-type")), (200, Some("image/gif")));
    vernier.terminate();
    let kinds: Vec<Value> = vernier.events("outcomes").iter().map(|outcome| outcome["kind"].clone()).collect();
    assert!(kinds.contains(&"click".into()) && kinds.contains(&"view".into()), "{kinds:?}");
}

#[test]
fn a_lost_bid_gives_its_money_and_its_caps_back() {
    let vernier = Vernier::up();
    for _ in 0..20 {
        let bid = vernier.bid("visitor-1");
        assert_eq!(vernier.call(&url(&bid, "lurl", "")).status, 204);
    }
    let metrics = String::from_utf8(vernier.get_admin("/metrics").body).expect("text");
    assert!(metrics.contains("vernier_reservations_open 0"), "{metrics}");
}

#[test]
fn a_test_auction_is_answered_and_marked_and_costs_nothing() {
    let mut vernier = Vernier::up();
    let body = String::from_utf8(bid_request("visitor-1")).expect("text").replacen('{', "{\"test\":1,", 1);
    let answer = vernier.post_bid("demo", body.as_bytes()).json();
    let bid = &answer["seatbid"][0]["bid"][0];
    assert_eq!(bid["price"].as_f64(), Some(9.0));
    assert_eq!(vernier.call(&url(bid, "burl", "9")).status, 204);
    let metrics = String::from_utf8(vernier.get_admin("/metrics").body).expect("text");
    assert!(metrics.contains("vernier_reservations_open 0"), "{metrics}");
    vernier.terminate();
    assert!(charges(&vernier).is_empty());
    let marked = |stream: &str, pointer: &str| -> Vec<Value> {
        vernier.events(stream).iter().map(|record| record.pointer(pointer).cloned().expect("a mark")).collect()
    };
    assert_eq!(marked("bids", "/test"), [Value::Bool(true)]);
    assert_eq!(marked("notices", "/sealed/test"), [Value::Bool(true)]);
}

const WITH_FEES: &str = "advertiser: boots-house
currency: EUR
domain: boots.example
---
segment: boots-lovers
description: looked at boots
owner: boots-house
retention_days: 3650
audience_min: 1
---
campaign: boots
advertiser: boots-house
flight: {from: 2026-01-01, until: 2036-01-01}
budget: {daily: 1000, total: 100000}
bids:
  default: 0.01
  max: 20
  margin: 15%
  segments:
    - {segment: boots-lovers, cpm: 12, data_fee: 0.40}
creatives:
  - creative: boot
    size: 300x250
    variants:
      - variant: plain
        markup: '<a href=\"${CLICK_URL}\">boots</a>'
        landing_url: https://boots.example/
";

/// A node with that campaign and a person of its segment.
fn up_with_fees() -> Vernier {
    let demo = "[rates]\nEUR = 1.10\n[[exchange]]\nname = \"demo\"\nuser_ids = \"ours\"\nfee = \"2.5%\"\n";
    let vernier = Vernier::up_with(demo);
    vernier.ask(&["apply", &write(vernier.data.path(), "boots.yaml", WITH_FEES)]);
    let person = r#"{"user":"ann","segment":"boots-lovers","until":"2036-01-01T00:00:00Z"}"#;
    until(|| explain(&vernier).contains("boots"), &|| explain(&vernier));
    vernier.ask(&["segments", "import", &write(vernier.data.path(), "people.jsonl", person)]);
    until(|| result(&explain(&vernier), "boots") == "bid", &|| explain(&vernier));
    vernier
}

fn explain(vernier: &Vernier) -> String {
    let request = String::from_utf8(bid_request("ann")).expect("text");
    vernier.ask(&["explain", "--request", &write(vernier.data.path(), "r.json", &request)])
}

/// Holds a report of the demo exchange against what was booked for an impression: the exit code, and what it says.
fn reconcile(vernier: &Vernier, charge: &(String, Value), spend: &str) -> (Option<i32>, String) {
    let (id, day) = (&charge.0, &charge.1["at"].as_str().expect("a time")[..10]);
    let report = format!("impression,day,exchange,campaign,spend,currency\n{id},{day},demo,boots,{spend},USD\n");
    let report = write(vernier.data.path(), "report.csv", &report);
    let output = vernier.command(&["reconcile", "--exchange-report", &report, "--tolerance", "0"]);
    (output.status.code(), String::from_utf8(output.stdout).expect("text"))
}

/// The example of `docs/fees.md`.
#[test]
fn an_exchange_is_offered_net_and_the_advertiser_is_charged_gross() {
    let mut vernier = up_with_fees();
    let steps = "12.00 EUR for segment boots-lovers -> 9.560975 EUR for media: without a margin of 15 %, \
                 without 0.40 EUR for data, the exchange bills 2.5 % besides -> 10.517072 in the currency of the bid";
    let explained = explain(&vernier);
    assert!(explained.contains(steps), "{explained}");
    let bid = vernier.bid("ann");
    assert_eq!(bid["price"].as_f64(), Some(10.517072));
    assert_eq!(vernier.call(&url(&bid, "burl", "5.5")).status, 204);
    let said = vernier.terminate();
    assert!(said.contains("spent 0.006500 EUR, of which media 0.005000 EUR"), "{said}");
    let charges = charges(&vernier);
    assert_eq!(charges.len(), 1, "{charges:?}");
    let charge = &charges[0].1;
    assert_eq!((&charge["charged"], &charge["campaign_currency"]), (&"0.0065".into(), &"EUR".into()));
    let parts = [("media", "0.005"), ("exchange_fee", "0.000125"), ("data_fee", "0.0004"), ("margin", "0.000975")];
    assert_eq!(charge["parts"], parts.into_iter().collect::<Value>());
    let price = &vernier.events("bids")[0]["price"];
    assert_eq!((&price["paced_cpm"], &price["media_cpm"]), (&"12.00".into(), &"9.560975".into()));
    assert_eq!(price["fees"]["exchange_ppm"], 25_000);
    let (code, told) = reconcile(&vernier, &charges[0], "0.0055");
    assert_eq!(code, Some(0), "{told}");
}

/// The exchange bills 5.50 USD a thousand, and then 4.40 instead, which are media of 4 EUR.
#[test]
fn what_an_exchange_bills_otherwise_is_charged_by_the_terms_of_the_bid() {
    let mut vernier = up_with_fees();
    let bid = vernier.bid("ann");
    assert_eq!(vernier.call(&url(&bid, "burl", "5.5")).status, 204);
    let id = bid["id"].as_str().expect("an id");
    let correct = |spend: &str, currency: &str| {
        let file = format!("impression,spend,currency,invoice,reason\n{id},{spend},{currency},17,wrong price\n");
        let file = write(vernier.data.path(), "credit.csv", &file);
        let output = vernier.command(&["correct", &file, "--admin", &vernier.admin_address()]);
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("text").replace(&file, "FILE");
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    };
    let refused = "FILE: nothing is corrected\n\
                   line 2, column currency: must be USD, that of what is in `spend`, not `EUR`\n";
    let unchanged = || correct("0.0055", "USD");
    until(|| unchanged().0 == Some(0), &|| format!("{:?}", unchanged()));
    assert_eq!(correct("0.0044", "EUR"), (Some(2), String::new(), refused.to_owned()));
    let charge = charges(&vernier).remove(0);
    let (code, said, error) = correct("0.0044", "USD");
    assert_eq!((code, error.as_str()), (Some(0), "columns that are not read: invoice\n"));
    assert!(said.contains("0.0065 -> 0.005294118 EUR  booked\n"), "{said}");
    let said = vernier.terminate();
    assert!(said.contains("spent 0.005294 EUR, of which media 0.004000 EUR"), "{said}");
    let (code, told) = reconcile(&vernier, &charge, "0.0044");
    assert_eq!(code, Some(0), "{told}");
}
