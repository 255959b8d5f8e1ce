//! What exchanges, campaigns and books get while Redis or Kafka fail.

use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::time::Duration;

use load_tests::faults::{self, Scenario, money};
use load_tests::proxy::{Fault, Proxy};
use tokio::runtime::{Builder, Runtime};

use super::process::{Vernier, bid_request, server_part, servers, until, write};

/// The first of the addresses in the environment, or of `deploy/local/services`.
fn redis() -> SocketAddr {
    let urls = servers("REDIS_URL", "redis://127.0.0.1:17379");
    urls[0].trim_start_matches("redis://").parse().expect("redis://ADDRESS:PORT")
}

/// A campaign for everybody who is not known to have bought: it must not bid for people of whom nothing is known.
const EXCLUDING: &str = "campaign: not-buyers
advertiser: northtrail
flight: {from: 2026-01-01, until: 2036-01-01}
budget: {daily: 100, total: 100}
targeting: {none: [{segment: purchased-7d}]}
bids: {default: 15, max: 15}
when_audience_unknown: bid
creatives:
  - creative: only
    size: 300x250
    variants: [{variant: only, markup: '<a href=\"${CLICK_URL}\">north</a>', landing_url: 'https://northtrail.example/'}]
";

/// The price that is bid for somebody known, who has not bought.
const EXCLUDING_PRICE: f64 = 15.0;
/// The price of the campaign for everybody, before pacing.
const DEFAULT_PRICE: f64 = 0.8;

/// A bidder behind a proxy before Redis, and the runtime of the proxy.
fn behind_proxy(settings: &str) -> (Vernier, Proxy, Runtime) {
    let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("threads");
    let proxy = runtime.block_on(Proxy::start(redis())).expect("a port");
    let vernier = Vernier::up_with(&format!(
        "{settings}\nprofiles.redis = [\"redis://{}\"]\n[[exchange]]\nname = \"demo\"\nuser_ids = \"ours\"\n",
        proxy.address()
    ));
    (vernier, proxy, runtime)
}

#[test]
fn a_look_up_leaves_the_time_that_a_decision_takes() {
    let (vernier, proxy, _runtime) = behind_proxy("profiles.lookup_timeout_ms = 1000");
    proxy.set(Fault::Blackhole);
    let request = String::from_utf8(bid_request("visitor-1")).expect("text").replace("10000", "820");
    let answer = vernier.post_bid("demo", request.as_bytes());
    assert_eq!(answer.status, 200, "the campaign for everybody bids");
    let price = answer.json()["seatbid"][0]["bid"][0]["price"].as_f64();
    assert!(price.is_some_and(|price| price <= DEFAULT_PRICE), "{price:?}");
}

#[test]
fn while_redis_fails_people_are_unknown_and_nothing_is_late() {
    let (mut vernier, proxy, _runtime) = behind_proxy("");
    let file = write(vernier.data.path(), "more.yaml", EXCLUDING);
    vernier.ask(&["apply", &file]);
    let person = format!("{:x}", rand::random::<u64>());
    let price = || {
        let answer = vernier.post_bid("demo", &bid_request(&person));
        (answer.status == 200).then(|| answer.json()["seatbid"][0]["bid"][0]["price"].as_f64().expect("a price"))
    };
    let shown = || person.clone();
    // Each look starts a process as well, so that many looks are a long time, whatever else the machine does.
    let comes_to = |expected: RangeInclusive<f64>| {
        let look = || {
            vernier.ask(&["campaigns"]);
            price().is_some_and(|price| expected.contains(&price))
        };
        until(look, &shown);
    };
    comes_to(EXCLUDING_PRICE..=EXCLUDING_PRICE);
    for fault in [Fault::Latency(Duration::from_millis(200)), Fault::Blackhole, Fault::Reset, Fault::HalfOpen] {
        proxy.set(fault);
        // What was asked before may still be answered; from the first failure on nobody is known.
        comes_to(0.0..=DEFAULT_PRICE);
        for _ in 0..100 {
            assert!(price() <= Some(DEFAULT_PRICE), "{fault:?}: an exclusion is never bid past");
        }
        proxy.set(Fault::None);
        comes_to(EXCLUDING_PRICE..=EXCLUDING_PRICE);
    }
    let metrics = String::from_utf8(vernier.get_admin("/metrics").body).expect("text");
    assert!(metrics.contains("vernier_requests_total{outcome=\"late\"} 0"), "{metrics}");
    vernier.terminate();
}

/// Servers, a bidder and a ledger of their own, under traffic; judged is what the books say at the end.
#[test]
fn what_was_acknowledged_outlives_a_killed_kafka_and_a_killed_bidder() {
    let scratch = tempfile::tempdir().expect("a directory");
    let seconds = |seconds: [u64; 3]| seconds.map(Duration::from_secs);
    let settings = faults::Settings {
        vernier: env!("CARGO_BIN_EXE_vernier").into(),
        redis_server: server_part("REDIS_SERVER", "redis-server"),
        kafka_libraries: server_part("KAFKA_LIBS", concat!(env!("CARGO_MANIFEST_DIR"), "/target/services/kafka/libs")),
        folder: scratch.path().join("reports"),
        rate: Some(100),
        people: 1_000,
        seed: 1,
        tmax_ms: 100,
        profiles: seconds([1; 3]),
        streams: seconds([1, 8, 6]),
    };
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    let holds = runtime.block_on(faults::run(&settings, &[Scenario::BidderKilled])).expect("servers that start");
    let report = scratch.path().join("reports/bidder-killed.json");
    assert!(holds, "{}", std::fs::read_to_string(report).expect("a report"));
}

/// A ledger that stands still for longer than Kafka leaves a transaction open finds it ended, and goes on all the same.
#[test]
fn money_is_right_on_four_bidders_where_the_ledger_stands_still() {
    let scratch = tempfile::tempdir().expect("a directory");
    let settings = money::Settings {
        vernier: env!("CARGO_BIN_EXE_vernier").into(),
        old: None,
        redis_server: server_part("REDIS_SERVER", "redis-server"),
        kafka_libraries: server_part("KAFKA_LIBS", concat!(env!("CARGO_MANIFEST_DIR"), "/target/services/kafka/libs")),
        folder: scratch.path().into(),
        runs: 1,
        jobs: 1,
        fault: Some(money::Fault::LedgerPaused),
        outage: Duration::from_secs(30),
        rate: 100,
        people: 1_000,
        seed: 1,
        keep: false,
    };
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    let holds = runtime.block_on(money::run(settings)).expect("a run that is played to its end");
    assert!(holds, "{}", std::fs::read_to_string(scratch.path().join("run-001.json")).expect("a report"));
}
