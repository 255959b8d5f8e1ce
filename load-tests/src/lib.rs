//! Plays the counterparties of a bidder: exchanges, and the people who see what they bought.
//!
//! It speaks the wire only and imports none of the bidder's crates, so it cannot share their mistakes.

pub mod bench;
pub mod exchange;
pub mod faults;
pub mod floor;
pub mod load;
pub mod proxy;
pub mod scenario;
pub mod servers;
pub mod subject;
pub mod usage;
mod world;
