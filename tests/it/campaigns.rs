//! What managers do.

use std::process::Command;

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

#[test]
fn no_file_hides_the_problems_of_another() {
    let vernier = Vernier::up();
    let dir = vernier.data.path().join("campaigns");
    std::fs::create_dir_all(dir.join("below/deep")).expect("directories");
    std::fs::write(dir.join("a.yaml"), b"segment: caf\xe9s\nowner: x\ndescription: x\n").expect("a file");
    write(&dir.join("below/deep"), "b.yaml", &MORE.replace("daily: 10", "daily: -10"));
    write(&dir, "c.yaml", &MORE.replace("tea", "coffee").replace("https:", "ftp:"));
    let (path, admin) = (dir.to_str().expect("text"), vernier.admin_address());
    for arguments in [&["check", path][..], &["apply", path, "--admin", &admin]] {
        let output = vernier.command(arguments);
        assert_eq!(output.status.code(), Some(2));
        let said = String::from_utf8(output.stderr).expect("text");
        for place in ["/a.yaml:1:13: ", "/a.yaml:1:1: retention_days: ", "/below/deep/b.yaml:", "/c.yaml:"] {
            assert!(said.contains(place), "{place}: {said}");
        }
    }
    std::fs::remove_file(dir.join("a.yaml")).expect("it is there");
    write(&dir.join("below/deep"), "b.yaml", MORE);
    write(&dir, "c.yaml", &MORE.replace("tea", "coffee"));
    let applied = vernier.ask(&["apply", path]);
    assert!(applied.contains("new        tea\n") && applied.contains("new        coffee\n"), "{applied}");
}

#[test]
fn what_is_declared_twice_is_told_once() {
    let vernier = Vernier::up();
    let (dir, admin) = (vernier.data.path(), vernier.admin_address());
    let file = write(dir, "tea.yaml", MORE);
    vernier.ask(&["apply", &file]);
    let copy = write(dir, "tea-copy.yaml", MORE);
    let output = vernier.command(&["apply", &file, &copy, "--admin", &admin]);
    let said = String::from_utf8(output.stderr).expect("text");
    assert_eq!((output.status.code(), said.lines().count()), (Some(2), 3), "{said}");
    assert!(said.lines().all(|line| line.contains("is declared twice, first in")), "{said}");
}

#[test]
fn macros_in_landing_urls_are_refused() {
    let dir = tempfile::tempdir().expect("a directory");
    let file = write(dir.path(), "tea.yaml", &MORE.replace("tea.example/", "tea.example/?b=${CLICK_URL}"));
    let output = Command::new(env!("CARGO_BIN_EXE_vernier")).args(["check", &file]).output().expect("the binary runs");
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8(output.stderr).expect("text");
    assert!(said.contains("landing_url: must be without macros"), "{said}");
}

#[test]
fn commands_find_the_process_by_its_configuration() {
    let vernier = Vernier::up();
    let run = |arguments: &[&str], variable: Option<&str>| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_vernier"));
        command.args(arguments).envs(variable.map(|address| ("VERNIER_ADMIN_LISTEN", address)));
        command.output().expect("the binary runs")
    };
    let admin = vernier.admin_address();
    let text = format!("[admin]\nlisten = \"{admin}\"\n[[exchange]]\nname = \"demo\"\n");
    let config = write(vernier.data.path(), "mine.toml", &text);
    let request = write(vernier.data.path(), "r.json", &String::from_utf8(bid_request("ann")).expect("text"));
    let (tea, people) = (write(vernier.data.path(), "tea.yaml", MORE), write(vernier.data.path(), "people.jsonl", ""));
    for arguments in [
        &["apply", &tea][..],
        &["campaigns"],
        &["explain", "--request", &request],
        &["segments", "import", &people],
        &["stop", "tea"],
    ] {
        let ended = |arguments: &[&str], variable| run(arguments, variable).status.code();
        assert_eq!(ended(arguments, Some(&admin)), Some(0), "{arguments:?}");
        assert_eq!(ended(&[arguments, &["--config", &config]].concat(), None), Some(0), "{arguments:?}");
        let named = [arguments, &["--admin", &admin]].concat();
        assert_eq!(ended(&named, Some("127.0.0.1:1")), Some(0), "{arguments:?}");
    }
    assert_eq!(run(&["segments", "--config", &config, "import", &people], None).status.code(), Some(0));
    let unknown = run(&["campaigns"], Some("127.0.0.1:0"));
    assert_eq!(unknown.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&unknown.stderr).contains("--admin"));
}
