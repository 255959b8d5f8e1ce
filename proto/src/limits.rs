//! Every bound of what is read from a record. The size of a record is bounded by the log it comes from.

use decision::campaign::limits::TARGETING_DEPTH_MAX;

use crate::wire;

/// Messages within messages that prost reads (`prost::RECURSION_LIMIT`); deeper ones are malformed, so a hostile record
/// cannot overflow the stack.
pub const NESTING_MAX: usize = 100;

/// Bytes that one element of a list takes in memory, at most. It takes at least two in its record, so a hostile record
/// grows in memory by no more than half of this, and twice that while a list grows.
pub const ELEMENT_BYTES_MAX: usize = 160;

/// A level of a targeting expression is two messages: the group and its list.
const TARGETING_LEVEL_MESSAGES: usize = 2;

// The deepest expression that a campaign may have fits, with the messages around it.
const _: () = assert!(TARGETING_LEVEL_MESSAGES * TARGETING_DEPTH_MAX + 8 <= NESTING_MAX);

// The widest elements of lists; the others are numbers, texts and pairs of numbers.
const _: () = assert!(size_of::<wire::Creative>() <= ELEMENT_BYTES_MAX);
const _: () = assert!(size_of::<wire::DecisionMade>() <= ELEMENT_BYTES_MAX);
const _: () = assert!(size_of::<wire::Opportunity>() <= ELEMENT_BYTES_MAX);
const _: () = assert!(size_of::<wire::SegmentPrice>() <= ELEMENT_BYTES_MAX);
const _: () = assert!(size_of::<wire::Targeting>() <= ELEMENT_BYTES_MAX);
const _: () = assert!(size_of::<wire::Variant>() <= ELEMENT_BYTES_MAX);
