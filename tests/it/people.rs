//! What is known of people.

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
    assert!(output.status.success());
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
