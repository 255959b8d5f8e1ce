//! The ledger from outside: its fold against a naive oracle, its service on a real log.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking, helpers of tests too")]

mod corrections;
mod extremes;
mod machine;
mod oracle;
mod pacing;
mod properties;
mod service;
mod simulation;
mod snapshots;
