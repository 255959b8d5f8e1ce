//! The ledger from outside: its fold against a naive oracle, its service on a real log.

mod oracle;
mod properties;
mod service;
mod simulation;
