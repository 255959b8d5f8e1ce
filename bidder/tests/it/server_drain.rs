//! The server leaves without failing a request.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use bidder::server::{Count, Readiness};

use crate::server_client::{Client, Running, post};

const CLIENTS: u64 = 32;
/// How often each client still asks after it has seen the drain: many times the connections it has.
const REQUESTS_IN_DRAIN: u64 = 300;

#[test]
fn no_request_fails_while_the_server_drains() {
    let server = Running::start(2);
    let (address, counters, readiness) = (server.address, server.counters.clone(), server.readiness.clone());
    let answered = AtomicU64::new(0);
    let outcomes: Vec<_> = thread::scope(|scope| {
        let ask = || ask_through_the_drain(address, &readiness, &answered);
        let clients: Vec<_> = (0..CLIENTS).map(|_| scope.spawn(ask)).collect();
        while answered.load(Ordering::Relaxed) < 100 * CLIENTS {
            thread::yield_now();
        }
        assert!(readiness.ready());
        let drained = server.stop();
        let outcomes = clients.into_iter().map(|client| client.join().unwrap()).collect();
        drained.join().unwrap().unwrap();
        outcomes
    });
    for outcome in outcomes {
        let connections = outcome.expect("no request fails");
        assert!(connections >= REQUESTS_IN_DRAIN / 2, "new connections are taken in: {connections}");
    }
    assert!(!readiness.ready());
    // It ended because nobody was left, not because its time was over.
    assert_eq!((counters.read(Count::DrainAborted), counters.connections_open()), (0, 0));
    assert_eq!(counters.read(Count::Requests), answered.load(Ordering::Relaxed));
    assert!(Client::connect(address).is_err(), "the listener is closed");
}

/// Asks one thing after another, on a new connection whenever the server says that it closes the old one. Returns how
/// many connections that took.
fn ask_through_the_drain(address: SocketAddr, readiness: &Readiness, answered: &AtomicU64) -> io::Result<u64> {
    let request = post("/bid/demo", "", b"{\"id\":\"1\"}");
    let (mut connections, mut in_drain) = (0, 0);
    while in_drain < REQUESTS_IN_DRAIN {
        let mut client = Client::connect(address)?;
        connections += 1;
        loop {
            in_drain += u64::from(readiness.draining());
            client.send(&request);
            let answer = client.try_answer(true)?;
            if answer.status != 200 {
                return Err(io::Error::other(answer.head));
            }
            answered.fetch_add(1, Ordering::Relaxed);
            if answer.closes() || in_drain == REQUESTS_IN_DRAIN {
                break;
            }
        }
    }
    Ok(connections)
}
