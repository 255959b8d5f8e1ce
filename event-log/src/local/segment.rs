//! Segment files: each holds a run of batches and is named by the offset of its first record.

use std::io;

use super::disk::Disk;
use crate::error::Corruption;
use crate::stream::Offset;

/// What a file that was acknowledged as whole may turn out to be.
pub(crate) const NOT_WHOLE: &str = "acknowledged records are damaged";
pub(crate) const MISPLACED: &str = "the records here belong elsewhere in the stream";
pub(crate) const MISSING: &str = "the records before these are missing";
pub(crate) const FOREIGN: &str = "written by another version of this program";

/// The name of the segment that starts at `first`.
pub(crate) fn name(first: Offset) -> String {
    format!("{:020}.log", first.0)
}

/// Where the segments of a directory start, in order. Other files are left alone.
pub(crate) fn list(disk: &impl Disk) -> io::Result<Vec<Offset>> {
    let offset_of = |file: String| file.strip_suffix(".log")?.parse().ok().map(Offset).filter(|at| name(*at) == file);
    let mut firsts: Vec<Offset> = disk.list()?.into_iter().filter_map(offset_of).collect();
    firsts.sort_unstable();
    Ok(firsts)
}

/// Damage at `byte` of the segment that starts at `first`.
pub(crate) fn corruption(disk: &impl Disk, first: Offset, byte: u64, why: &'static str) -> Corruption {
    Corruption { file: disk.path(&name(first)), byte, why }
}
