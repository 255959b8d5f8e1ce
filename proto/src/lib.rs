//! What travels: protobuf schemas of every stream, and the conversions to the nouns of `decision`.
//!
//! Every record is one version byte followed by a protobuf message. Old bytes decode forever. `schema/README.md`
//! describes the streams to those who read them.

pub mod bid;
pub mod campaign;
pub mod fees;
mod fields;
#[cfg(test)]
mod fixtures;
pub mod ids;
pub mod json;
mod leases;
pub mod limits;
pub mod opportunity;
pub mod record;
pub mod wire;
