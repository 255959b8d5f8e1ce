//! The bidder from outside.

mod corpora;
mod goldens;
mod mutations;
mod notices;
mod oracle;
mod responses;
mod server_client;
mod server_drain;
mod server_edge;
mod view;
