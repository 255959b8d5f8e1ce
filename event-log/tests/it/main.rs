//! The streams as their users see them.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking, helpers of tests too")]

mod contract;
mod kafka;
mod kill;
mod local;
mod membership;

use event_log::{EventLog, Offsets, Stream, block_on};

fn end(log: &EventLog, stream: Stream) -> Offsets {
    block_on(log.ends(stream)).unwrap()
}

fn start(log: &EventLog, stream: Stream) -> Offsets {
    block_on(log.starts(stream)).unwrap()
}
