//! What operators see.

use std::collections::BTreeSet;
use std::io::Read;
use std::process::Command;

use super::process::{Vernier, bid_request, until};
use super::started::{Started, request};

/// The names of metrics.
fn names(metrics: &str) -> BTreeSet<&str> {
    metrics.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()).collect()
}

#[test]
fn health_readiness_and_metrics_are_told() {
    let vernier = Vernier::up();
    assert_eq!(vernier.get_admin("/healthz").status, 200);
    let ready = vernier.get_admin("/readyz");
    assert_eq!((ready.status, &ready.json()["ready"]), (200, &true.into()));
    vernier.post_bid("demo", &bid_request("visitor-1"));
    let dear = String::from_utf8(bid_request("nobody")).expect("text").replace("\"bidfloor\":0.1", "\"bidfloor\":50");
    vernier.post_bid("demo", dear.as_bytes());
    vernier.post_bid("demo", b"{");
    let metrics = String::from_utf8(vernier.get_admin("/metrics").body).expect("text");
    for line in [
        "vernier_requests_total{outcome=\"bid\"} 1",
        "vernier_requests_total{outcome=\"no_bid\"} 1",
        "vernier_requests_total{outcome=\"malformed\"} 1",
        "vernier_no_bids_total{reason=\"below_floor\"} 1",
        "vernier_lookups_total{result=\"member\"} 1",
        "vernier_lookups_total{result=\"stranger\"} 1",
        "vernier_cap_events_total{event=\"pending\"} 1",
        "vernier_request_duration_seconds_count 3",
        "vernier_events_dropped_total{where=\"queue\"} 0",
        "vernier_reservations_open 1",
    ] {
        assert!(metrics.lines().any(|found| found == line), "{line} in\n{metrics}");
    }
}

#[test]
fn a_second_process_on_the_same_data_is_refused() {
    let vernier = Vernier::up();
    let other = std::process::Command::new(env!("CARGO_BIN_EXE_vernier"))
        .args(["up", "--no-traffic"])
        .env("VERNIER_DATA_DIR", vernier.data.path().join("data"))
        .env("VERNIER_BID_LISTEN", "127.0.0.1:0")
        .env("VERNIER_ADMIN_LISTEN", "127.0.0.1:0")
        .output()
        .expect("the binary runs");
    assert_eq!(other.status.code(), Some(1));
    assert!(!other.stderr.is_empty());
}

#[test]
fn streams_are_printed_as_json() {
    let mut vernier = Vernier::up();
    let bid = vernier.bid("visitor-1");
    vernier.terminate();
    let bids = vernier.events("bids");
    assert_eq!(bids.len(), 1);
    assert!(bids[0].to_string().contains(bid["id"].as_str().expect("an id")));
    for stream in ["campaigns", "leases", "ledger-journal"] {
        assert!(!vernier.events(stream).is_empty(), "{stream}");
    }
    let unknown = vernier.command(&["events", "cat", "gossip"]);
    assert_eq!(unknown.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&unknown.stderr).contains("outcomes"));
}

#[test]
fn what_it_prints_works_as_it_is_printed() {
    let started = Started::new("", "up --no-traffic", "Ctrl-C");
    let (bid, admin) = (started.address("bid requests"), started.address("admin"));
    assert!(!bid.ends_with(":0") && !admin.ends_with(":0"), "{}", started.said);
    let answer = request(bid, "POST /bid/demo", &bid_request("visitor-1"));
    assert!(answer.contains(&format!("http://{bid}/n/")), "notices come back to it: {answer}");
    let commands: Vec<&str> = started.said.lines().skip_while(|line| !line.starts_with("Then")).skip(1).collect();
    let commands: Vec<&&str> = commands.iter().filter(|line| line.starts_with("  ")).collect();
    assert_eq!(commands.len(), 3, "{}", started.said);
    for command in commands {
        let output = Command::new("sh").args(["-c", command]).output().expect("a shell runs");
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{command}: {error}");
    }
    assert!(started.data.path().join("its data").is_dir());
}

#[test]
fn every_figure_is_told_and_documented() {
    let vernier = Vernier::up();
    let metrics = |vernier: &Vernier| String::from_utf8(vernier.get_admin("/metrics").body).expect("text");
    let bid = vernier.bid("visitor-1");
    assert_eq!(vernier.call(&bid["burl"].as_str().expect("a URL").replace("${AUCTION_PRICE}", "1")).status, 204);
    let line = "{\"user\":\"ann\",\"segment\":\"cart-24h/shoes/low\",\"until\":\"2036-01-01T00:00:00Z\"}\nx\n";
    let file = super::process::write(vernier.data.path(), "people.jsonl", line);
    vernier.command(&["segments", "import", &file, "--admin", &vernier.admin_address()]);
    let lines = [
        "vernier_ledger_charges_total{outcome=\"made\"} 1",
        "vernier_ledger_spent_total{currency=\"USD\"} 0.001",
        "vernier_ledger_records_total{stream=\"notices\"} 1",
        "vernier_ledger_lag_records{stream=\"notices\"} 0",
        "vernier_segments_imported_total 1",
        "vernier_segments_rejected_total 1",
        "vernier_segments_store_failed 0",
        "vernier_requests_total{outcome=\"bid\"} 1",
    ];
    let all = |told: &str| lines.iter().all(|line| told.lines().any(|found| found == *line));
    until(|| all(&metrics(&vernier)), &|| metrics(&vernier));
    let told = metrics(&vernier);
    assert_eq!(told.matches("# EOF").count(), 1);
    let documented = include_str!("../../docs/metrics.md");
    let documented = documented.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
    let documented: BTreeSet<&str> = documented.collect();
    let named = names(&told);
    assert_eq!(named.difference(&documented).collect::<Vec<_>>(), Vec::<&&str>::new());
    // Of a segment nothing is told before it happens.
    let later = |name: &str| name.starts_with("vernier_segment_");
    let missing: Vec<&&str> = documented.difference(&named).filter(|name| !later(name)).collect();
    assert_eq!(missing, Vec::<&&str>::new());
}

#[test]
fn the_last_summary_tells_of_this_process_and_of_all_money() {
    let mut vernier = Vernier::up();
    let bid = vernier.bid("visitor-1");
    for (field, price) in [("nurl", "0.75"), ("burl", "0.75")] {
        let url = bid[field].as_str().expect("a URL").replace("${AUCTION_PRICE}", price);
        assert_eq!(vernier.call(&url).status, 204);
    }
    vernier.post_bid("demo", b"{");
    let said = vernier.terminate();
    let expected = "since the start: 2 requests (1 malformed), 1 bids, 1 wins (100.0 %), spent 0.000750 USD\n";
    assert!(said.contains(expected) && said.contains("spent 0.000750 USD in all\n"), "{said}");
    assert!(said.contains("cart-24h/shoes/high                      1 bids  win rate 100.0 %"), "{said}");
    vernier.start();
    let said = vernier.terminate();
    assert!(said.contains("since the start: 0 requests, 0 bids, 0 wins (-), spent 0\n"), "{said}");
    assert!(said.contains("spent 0.000750 USD in all\n"), "{said}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_disk_that_takes_nothing_more_is_told_in_plain_words() {
    // Files that may not grow are as good as a full disk; without the signal that this would raise.
    let mut started = Started::new("trap '' XFSZ;", "up --no-traffic", "Ctrl-C");
    let bid = started.address("bid requests").to_owned();
    let limit = ["--fsize=0", "--pid", &started.child.id().to_string()];
    assert!(Command::new("prlimit").args(limit).status().expect("prlimit runs").success());
    let answer = request(&bid, "POST /bid/demo", &bid_request("visitor-1"));
    let path = answer.split(&format!("http://{bid}")).find(|url| url.starts_with("/n/billing/")).expect("a notice");
    let path = path.split(['"', '?']).next().expect("a path");
    let acknowledged = request(&bid, &format!("GET {path}?p=1"), b"");
    assert!(acknowledged.starts_with("HTTP/1.1 503"), "{acknowledged}");
    let mut said = String::new();
    started.child.stdout.take().expect("its output").read_to_string(&mut said).expect("text");
    assert_eq!(started.child.wait().expect("it has ended").code(), Some(1));
    for part in ["vernier: the log failed: stream ", "File too large", "free the disk", "start again"] {
        assert!(said.contains(part), "{part}: {said}");
    }
}
