//! What operators see.

use super::process::{Vernier, bid_request};

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
