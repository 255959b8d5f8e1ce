//! Money over many nodes, in virtual time: the real keeper, reservations and tokens of nodes and the real fold of the ledger,
//! with models of the exchange, the streams, the ledger's service, and of what fails. A seed replays a run.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking, helpers of tests too")]

mod bank;
mod exchange;
mod faults;
mod million;
mod network;
mod node;
mod odds;
mod oracle;
mod reached;
mod runs;
mod world;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const SECOND: i64 = 1_000_000;
const DAY: i64 = 86_400 * SECOND;

/// What a variable at compile time says, or else the default.
const fn number(text: Option<&str>, default: u64) -> u64 {
    let Some(text) = text else { return default };
    match u64::from_str_radix(text, 10) {
        Ok(number) => number,
        Err(_) => panic!("not a number"),
    }
}
