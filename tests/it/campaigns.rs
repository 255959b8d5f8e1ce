//! What managers do.

use super::process::{Vernier, bid_request, result, until, write};

const MORE: &str = "advertiser: tea-house
currency: USD
domain: tea.example
---
segment: tea-lovers
description: bought tea
owner: tea-house
retention_days: 30
---
campaign: tea
advertiser: tea-house
flight: {from: 2026-01-01, until: 2036-01-01}
budget: {daily: 10, total: 100}
bids: {default: 9, max: 9}
creatives:
  - creative: cup
    size: 300x250
    variants:
      - variant: plain
        markup: '<a href=\"${CLICK_URL}\">tea</a>'
        landing_url: https://tea.example/
";

#[test]
fn an_applied_campaign_bids_and_a_stopped_one_does_not() {
    let vernier = Vernier::up();
    let file = write(vernier.data.path(), "tea.yaml", MORE);
    let applied = vernier.ask(&["apply", &file]);
    assert!(applied.contains("campaign   new        tea"), "{applied}");
    assert!(vernier.ask(&["apply", &file]).contains("unchanged"));
    assert!(vernier.ask(&["campaigns"]).lines().any(|line| line.starts_with("tea ") && line.contains("running")));
    let request = write(vernier.data.path(), "r.json", &String::from_utf8(bid_request("nobody")).expect("text"));
    let explain = || vernier.ask(&["explain", "--request", &request]);
    until(|| result(&explain(), "tea") == "bid", &explain);
    assert_eq!(vernier.price("nobody"), 9.0);
    assert_eq!(vernier.ask(&["stop", "tea"]), "tea stopped\n");
    until(|| result(&explain(), "tea") == "stopped", &explain);
    assert_eq!(vernier.price("nobody"), 0.8);
    assert!(vernier.ask(&["apply", &file]).contains("resumed"));
    until(|| result(&explain(), "tea") == "bid", &explain);
}

#[test]
fn every_problem_is_listed_with_its_place_and_nothing_is_applied() {
    let vernier = Vernier::up();
    let before = vernier.ask(&["campaigns"]);
    let bad = MORE.replace("daily: 10", "daily: -10").replace("300x250", "300y250").replace("tea.example\n", "TEA\n");
    let file = write(vernier.data.path(), "tea.yaml", &bad);
    let admin = vernier.admin_address();
    let output = vernier.command(&["apply", &file, "--admin", &admin]);
    assert_eq!(output.status.code(), Some(2));
    let problems = String::from_utf8(output.stderr).expect("text");
    assert!(problems.lines().count() >= 3, "{problems}");
    for line in problems.lines() {
        assert!(line.starts_with(&format!("{file}:")), "{line}");
    }
    assert_eq!(vernier.ask(&["campaigns"]), before);
    assert_eq!(vernier.command(&["check", &file]).status.code(), Some(2));
    let unknown = vernier.command(&["stop", "cart-recoverx", "--admin", &admin]);
    assert_eq!(unknown.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&unknown.stderr).contains("cart-recovery"));
}
