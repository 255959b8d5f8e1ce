//! Where people change campaigns: files are checked as a whole, every problem is listed with its place, and what is
//! right is published to the stream `campaigns`, all at once.
//!
//! The format of the files is described in this crate's `README.md`.

pub mod admin;
mod answer;
mod control;
mod files;
pub mod limits;
mod names;
mod numbers;
mod plan;
mod problem;
mod read;
mod registry;
mod sample;
mod yaml;

pub use answer::{Applied, Apply, CampaignView, Campaigns, Change, Changed, Kind, Refused, Rejected, State, Stopped};
pub use control::{ApplyError, ControlPlane, StopError, StreamError};
pub use files::{FilesRead, read_paths};
pub use problem::{Problem, SourceFile};
pub use registry::{BadRecord, BadRecordWhy};
pub use sample::{SAMPLE, sample};

/// Everything that is wrong with `files` by themselves: names that were published before do not count.
pub fn check(files: &[SourceFile]) -> Vec<Problem> {
    problems(files, false)
}

/// Everything that is wrong with `files` that are not all there is: names may be declared elsewhere.
pub fn check_part(files: &[SourceFile]) -> Vec<Problem> {
    if files.is_empty() { Vec::new() } else { problems(files, true) }
}

fn problems(files: &[SourceFile], incomplete: bool) -> Vec<Problem> {
    let nothing = registry::Registry::default();
    let names = names::Names { incomplete, ..names::Names::of(&nothing) };
    plan::plan_with(names, files, decision::time::Micros(0), "check").err().unwrap_or_default()
}
