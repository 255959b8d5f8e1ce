//! What operators are told when there is no money to bid with.

use std::net::TcpListener;
use std::sync::Arc;

use bidder::admin::{Admin, routes};
use bidder::server::{Readiness, ServerCounters};
use decision::time::Micros;

use crate::explain::{draft, supply};
use crate::place::{Place, campaign};
use crate::server_client::Client;

const NOW: Micros = Micros(1_800_000_000_000_000);

/// What the `ledger` answers; what `/readyz` says of the campaign, and the one series of `/metrics` that counts it.
fn check(ledger: &str, ready: &str, why: &str) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let place = Place::new();
    runtime.block_on(place.publish([campaign(draft("default 2 max 8.5"))]));
    let status = supply(&place, ledger, NOW).status(NOW);
    let admin = Admin {
        bidder: Arc::clone(&place.bidder),
        readiness: Arc::<Readiness>::default(),
        counters: Arc::<ServerCounters>::default(),
        supply: Arc::new(move || status.clone()),
        clock: || NOW,
    };
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
    let address = listener.local_addr().expect("it is bound");
    listener.set_nonblocking(true).expect("a socket");
    runtime.spawn(async move {
        let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
        axum::serve(listener, routes(admin)).await
    });
    let asked = runtime.spawn_blocking(move || {
        ["/readyz", "/metrics"].map(|path| {
            let mut client = Client::connect(address).expect("it accepts");
            String::from_utf8(client.ask(format!("GET {path} HTTP/1.1\r\nhost: a\r\n\r\n")).body).expect("text")
        })
    });
    let [readyz, metrics] = runtime.block_on(asked).expect("two answers");
    assert!(readyz.contains(&format!("\"no_lease\":[{ready}]")), "{ledger}: {readyz}");
    let counted = |line: &str| {
        let (label, count) = line.strip_prefix("vernier_campaigns_without_lease{why=\"")?.split_once("\"} ")?;
        (count != "0").then(|| format!("{label} {count}"))
    };
    assert_eq!(metrics.lines().filter_map(counted).collect::<Vec<_>>().join(", "), why, "{ledger}: {metrics}");
    place.bidder.events.close();
}

#[test]
fn a_spent_budget_is_told_from_a_silent_ledger() {
    check("lends", "", "");
    check("refuses", "\"boots: total_budget\"", "total_budget 1");
    check("lends little", "\"boots: budget_rest\"", "budget_rest 1");
    check("is silent", "\"boots: unanswered\"", "unanswered 1");
}
