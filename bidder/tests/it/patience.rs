//! How long whoever sent a request waits for its answer, as it is seen without reading the request.

use std::sync::Arc;
use std::time::Duration;

use bidder::bidder::Core;
use bidder::handler::Routes;
use bidder::metrics::RequestOutcome;
use bidder::server::{Handler, Post};

use crate::place::Place;

#[tokio::test]
async fn who_asks_for_bids_is_in_a_hurry_and_nobody_else() {
    let place = Place::new();
    let routes = Routes::new(Core::new(Arc::clone(&place.bidder), 0));
    let default = place.bidder.exchanges["new"].deadline_ms(0);
    let allowance = place.bidder.exchanges["new"].network_allowance_ms;
    for (path, body, encoded, ms) in [
        ("/bid/new", r#"{"id":"r","tmax":300}"#, false, Some(300 - allowance)),
        ("/bid/new", r#"{"id":"r","tmax":1}"#, false, Some(0)),
        ("/bid/new", r#"{"id":"r"}"#, false, Some(default)),
        ("/bid/new", "not read", false, Some(default)),
        // Not inflated.
        ("/bid/new", r#"{"id":"r","tmax":300}"#, true, Some(default)),
        ("/bid/nobody", r#"{"id":"r","tmax":300}"#, false, None),
        ("/bid/new/more", r#"{"id":"r","tmax":300}"#, false, None),
        ("/n/win/token", r#"{"tmax":300}"#, false, None),
    ] {
        let patience = routes.patience(&Post { path, body: body.as_bytes(), encoded });
        // An eighth is left for the decision.
        let expected = ms.map(|ms| Duration::from_micros(u64::from(ms) * 875));
        assert_eq!(patience, expected, "{path} {body}");
    }
}

#[tokio::test]
async fn who_is_turned_away_is_counted_as_shed() {
    let place = Place::new();
    let routes = Routes::new(Core::new(Arc::clone(&place.bidder), 0));
    routes.turned_away();
    assert_eq!(place.bidder.metrics.requests(RequestOutcome::Shed), 1);
}
