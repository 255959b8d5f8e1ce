//! The streams as their users see them.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking, helpers of tests too")]

mod contract;
mod kill;
mod local;
