//! What is known of people.

use std::fs::OpenOptions;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Command, Stdio};

use super::process::{Vernier, bid_request, write};

#[test]
fn imported_memberships_are_bid_on_and_bad_lines_are_named() {
    let vernier = Vernier::up();
    let file = write(
        vernier.data.path(),
        "people.jsonl",
        "{\"user\":\"ann\",\"segment\":\"cart-24h/shoes/high\",\"until\":\"2036-01-01T00:00:00Z\",\"confidence\":1}\n\
         {\"user\":\"bob\",\"segment\":\"no-such-segment\",\"until\":\"2036-01-01T00:00:00Z\"}\n\
         not json\n\
         {\"user\":\"cy\",\"segment\":\"cart-24h/shoes/low\",\"until\":\"2036-01-01T00:00:00Z\",\"confidence\":0.9}\n",
    );
    assert_eq!(vernier.price("cy"), 0.8);
    let admin = vernier.admin_address();
    let output = vernier.command(&["segments", "import", &file, "--admin", &admin]);
    assert_eq!(output.status.code(), Some(1), "lines were left out");
    let (said, problems) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("4 lines: 2 imported, 2 left out"), "{said}");
    assert!(problems.contains("line 2: ") && problems.contains("no-such-segment"), "{problems}");
    assert!(problems.contains("line 3: "), "{problems}");
    let explained =
        vernier.ask(&["explain", "--request", &write(vernier.data.path(), "r.json", &text(&bid_request("cy")))]);
    assert!(explained.contains("segments  cart-24h/shoes/low"), "{explained}");
    assert_eq!(vernier.price("cy"), 3.25);
}

#[test]
fn an_interrupted_import_says_from_which_line_to_go_on() {
    let vernier = Vernier::up();
    let line = "{\"user\":\"ann\",\"segment\":\"cart-24h/shoes/low\",\"until\":\"2036-01-01T00:00:00Z\"}\n";
    // A thousand lines become durable together, and the answer to the one behind them shows that this was told.
    let lines = format!("{line}{}no membership\n", "\n".repeat(999));
    for (signal, lines, shown, expected) in [
        ("INT", &*lines, "line 1001: ", "lines 1 to 1000 are in; go on with --from-line 1001"),
        ("TERM", &*lines, "line 1001: ", "lines 1 to 1000 are in; go on with --from-line 1001"),
        ("INT", "no membership\n", "line 1: ", "no line is in"),
    ] {
        let pipe = vernier.data.path().join("people.jsonl");
        assert!(Command::new("mkfifo").arg(&pipe).status().expect("mkfifo runs").success());
        // Open for both, so that opening waits for nobody and the import does not come to an end.
        let mut people = OpenOptions::new().read(true).write(true).open(&pipe).expect("a pipe");
        people.write_all(lines.as_bytes()).expect("a pipe holds that much");
        let mut import = Command::new(env!("CARGO_BIN_EXE_vernier"))
            .args(["segments", "import", "--admin", &vernier.admin_address()])
            .arg(&pipe)
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary runs");
        let mut said = BufReader::new(import.stderr.take().expect("its errors"));
        let mut first = String::new();
        said.read_line(&mut first).expect("text");
        assert!(first.starts_with(shown), "{first}");
        let kill = Command::new("kill").args(["-s", signal, &import.id().to_string()]).status();
        assert!(kill.expect("kill runs").success());
        let mut last = String::new();
        said.read_to_string(&mut last).expect("text");
        assert_eq!(last, format!("interrupted\n{expected}\n"));
        assert_eq!(import.wait().expect("it has ended").code(), Some(2));
        std::fs::remove_file(pipe).expect("it is there");
    }
    assert_eq!(vernier.price("ann"), 3.25);
}

#[test]
fn visitors_keys_tell_nothing() {
    let mut vernier = Vernier::up();
    let bid = vernier.bid("visitor-7");
    vernier.terminate();
    let bids = vernier.events("bids");
    assert_eq!(bids[0]["key"], bid["id"]);
    let person = bids[0]["person"].as_str().expect("a key");
    assert!(person.len() == 32 && !person.contains("0000"), "{person}");
}

#[test]
fn memberships_and_caps_survive_a_restart() {
    let mut vernier = Vernier::up();
    let line = "{\"user\":\"ann\",\"segment\":\"cart-24h/shoes/high\",\"until\":\"2036-01-01T00:00:00Z\"}\n";
    let file = write(vernier.data.path(), "people.jsonl", line);
    vernier.ask(&["segments", "import", &file]);
    let bid = vernier.bid("ann");
    assert_eq!(vernier.call(&bid["burl"].as_str().expect("a URL").replace("${AUCTION_PRICE}", "1")).status, 204);
    let shown = |vernier: &Vernier| {
        let request = write(vernier.data.path(), "r.json", &text(&bid_request("ann")));
        vernier.ask(&["explain", "--request", &request])
    };
    let before = shown(&vernier);
    vernier.terminate();
    vernier.start();
    let after = shown(&vernier);
    assert_eq!(
        before.lines().find(|line| line.starts_with("segments")),
        after.lines().find(|line| line.starts_with("segments"))
    );
}

#[test]
fn frequency_caps_end_the_bidding_and_explain_says_so() {
    let vernier = Vernier::up();
    let answers: Vec<u16> = (0..20).map(|_| vernier.post_bid("demo", &bid_request("visitor-1")).status).collect();
    assert_eq!(answers[0], 200);
    let first_refused = answers.iter().position(|status| *status == 204).expect("the cap is reached");
    assert!(answers[first_refused..].iter().all(|status| *status == 204), "{answers:?}");
    let request = write(vernier.data.path(), "r.json", &text(&bid_request("visitor-1")));
    let explained = vernier.ask(&["explain", "--request", &request]);
    assert!(explained.contains("creative_cap") || explained.contains("campaign_cap"), "{explained}");
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("text")
}
