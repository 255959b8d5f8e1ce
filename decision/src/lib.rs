//! Whether to bid, for whom, with what, for how much.
//!
//! No I/O, no clock, no async: everything this crate knows is an argument, so a decision replays exactly, and
//! *explain* and *what-if* are the same function run again.
#![no_std]

extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod campaign;
pub mod decide;
pub mod experiment;
pub mod ids;
pub mod index;
pub mod limits;
pub mod money;
pub mod opportunity;
pub mod outcome;
pub mod privacy;
pub mod profile;
pub mod targeting;
pub mod time;
