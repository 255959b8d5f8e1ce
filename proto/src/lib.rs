//! What travels: protobuf schemas of every stream, and the conversions to the nouns of `decision`.
//!
//! Every record is one version byte followed by a protobuf message. Old bytes decode forever.

pub mod wire;
