//! Answers exchanges and takes their notices.
//!
//! The hot path is one page: [`bid`]. OpenRTB is known only to [`exchange`]; the rest of the bidder sees `decision`'s
//! nouns.

pub mod exchange;
pub mod limits;
pub mod privacy;
pub mod server;
