//! The bidder from outside.

mod admin;
mod corpora;
mod explain;
mod goldens;
mod handler;
mod late;
mod mutations;
mod notices;
mod oracle;
mod patience;
mod place;
mod responses;
mod server_client;
mod server_drain;
mod server_edge;
mod view;
