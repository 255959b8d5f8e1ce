//! Answers exchanges and takes their notices.
//!
//! The hot path is one page: [`bid`]. A notice is another: [`notice`]. OpenRTB is known only to [`exchange`]; the rest of
//! the bidder sees `decision`'s nouns.

pub mod admin;
pub mod bid;
pub mod bidder;
pub mod campaigns;
pub mod events;
pub mod exchange;
pub mod explain;
pub mod handler;
pub mod lease;
pub mod limits;
pub mod metrics;
pub mod notice;
pub mod own_time;
pub mod privacy;
pub mod role;
pub mod server;
pub mod token;
