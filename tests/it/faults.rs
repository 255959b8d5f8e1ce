//! What exchanges and campaigns get while Redis fails: a proxy between the two fails it.

use std::net::SocketAddr;
use std::time::Duration;

use load_tests::proxy::{Fault, Proxy};

use super::process::{Vernier, bid_request, servers, until, write};

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
/// The price of the campaign for everybody.
const DEFAULT_PRICE: f64 = 0.8;

#[test]
fn while_redis_fails_people_are_unknown_and_nothing_is_late() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("threads");
    let proxy = runtime.block_on(Proxy::start(redis())).expect("a port");
    let mut vernier = Vernier::up_with(&format!(
        "profiles.redis = [\"redis://{}\"]\n[[exchange]]\nname = \"demo\"\nuser_ids = \"ours\"\n",
        proxy.address()
    ));
    let file = write(vernier.data.path(), "more.yaml", EXCLUDING);
    vernier.ask(&["apply", &file]);
    let person = format!("{:x}", rand::random::<u64>());
    let price = || {
        let answer = vernier.post_bid("demo", &bid_request(&person));
        (answer.status == 200).then(|| answer.json()["seatbid"][0]["bid"][0]["price"].as_f64().expect("a price"))
    };
    let shown = || person.clone();
    // Each look starts a process as well, so that many looks are a long time, whatever else the machine does.
    let comes_to = |expected| {
        let look = || {
            vernier.ask(&["campaigns"]);
            price() == Some(expected)
        };
        until(look, &shown);
    };
    comes_to(EXCLUDING_PRICE);
    for fault in [Fault::Latency(Duration::from_millis(200)), Fault::Blackhole, Fault::Reset, Fault::HalfOpen] {
        proxy.set(fault);
        // What was asked before may still be answered; from the first failure on nobody is known.
        comes_to(DEFAULT_PRICE);
        for _ in 0..100 {
            assert_eq!(price(), Some(DEFAULT_PRICE), "{fault:?}: an exclusion is never bid past");
        }
        proxy.set(Fault::None);
        comes_to(EXCLUDING_PRICE);
    }
    let metrics = String::from_utf8(vernier.get_admin("/metrics").body).expect("text");
    assert!(metrics.contains("vernier_requests_total{outcome=\"late\"} 0"), "{metrics}");
    vernier.terminate();
}
