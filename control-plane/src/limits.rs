//! Every bound of the control plane, in one place. What bounds a campaign itself stands in `decision::campaign::limits`.

use decision::campaign::limits::TARGETING_DEPTH_MAX;

/// Files of one apply.
pub const FILES_MAX: usize = 256;
/// Bytes of one file.
pub const FILE_BYTES_MAX: usize = 1024 * 1024;
/// Bytes of all files of one apply.
pub const FILES_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Bytes of a request to apply: JSON writes line ends and quotes in two bytes.
pub const BODY_BYTES_MAX: usize = 2 * FILES_BYTES_MAX + 64 * 1024;
/// Bytes of a file's name.
pub const FILE_NAME_BYTES_MAX: usize = 1_024;
/// Levels of lists and maps inside one another in a document.
pub const NESTING_MAX: usize = 64;
/// Values (scalars, lists, maps and keys) in all files of one apply.
pub const VALUES_MAX: usize = 500_000;
/// What the aliases of one file may add to it, in nodes plus bytes of text.
pub const ALIASES_EXPAND_MAX: usize = 1024 * 1024;
/// Problems listed in one answer; one more counts those beyond.
pub const PROBLEMS_MAX: usize = 1_000;
/// Characters of a problem's path or message.
pub const MESSAGE_CHARS_MAX: usize = 512;
/// Problems that come with a "did you mean": finding one compares with every name.
pub const SUGGESTIONS_MAX: usize = 100;
/// Bytes of who made a change.
pub const BY_BYTES_MAX: usize = 128;
/// Creatives and variants that a campaign had and has no more: their numbers are kept with it.
pub const RETIRED_MAX: usize = 4_096;
/// Longest retention of a segment: ten years.
pub const RETENTION_DAYS_MAX: u32 = 3_650;
/// Sources of a segment.
pub const SOURCES_MAX: usize = 32;
/// Bytes of a description, an objective or a KPI.
pub const PROSE_BYTES_MAX: usize = 1_024;

// A targeting expression takes two levels, a list and a map, for each of its own, inside the document's map.
const _: () = assert!(2 * TARGETING_DEPTH_MAX < NESTING_MAX);
const _: () = assert!(FILE_BYTES_MAX <= FILES_BYTES_MAX);
const _: () = assert!(FILES_BYTES_MAX < BODY_BYTES_MAX);
const _: () = assert!(SUGGESTIONS_MAX <= PROBLEMS_MAX);
