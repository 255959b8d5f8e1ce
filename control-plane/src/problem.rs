//! What is wrong with campaign files, each with its place.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::limits::{MESSAGE_CHARS_MAX, PROBLEMS_MAX, SUGGESTIONS_MAX};

/// One campaign file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceFile {
    /// Its name, as problems show it.
    pub name: String,
    /// What it says, in YAML.
    pub text: String,
}

/// One thing that is wrong with a set of campaign files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// The file's name.
    pub file: String,
    /// The line, counted from 1.
    pub line: u32,
    /// The column in characters, counted from 1.
    pub column: u32,
    /// The field in its document, such as `bids.segments[2].cpm`; empty for what concerns the file or document.
    pub path: String,
    /// What is wrong and what would be right.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, line, column, path, message } = self;
        write!(f, "{file}:{line}:{column}: ")?;
        if !path.is_empty() {
            write!(f, "{path}: ")?;
        }
        f.write_str(message)
    }
}

/// Where something stands in a set of files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    /// Which file of the set.
    pub(crate) file: usize,
    /// The line, counted from 1.
    pub(crate) line: usize,
    /// The column in characters, counted from 1.
    pub(crate) column: usize,
}

impl Place {
    /// The start of a file.
    pub(crate) const fn start_of(file: usize) -> Self {
        Self { file, line: 1, column: 1 }
    }
}

/// Collects problems while files are read. Shared by all that read, so that none of them has to hand it on. Keeps the
/// first [`PROBLEMS_MAX`] and counts the rest, so that hostile files cost no more than their own size.
#[derive(Default)]
pub(crate) struct Problems {
    found: RefCell<Vec<Found>>,
    beyond: Cell<usize>,
}

struct Found {
    place: Place,
    path: String,
    message: String,
}

impl Problems {
    /// Notes a problem.
    pub(crate) fn push(&self, place: Place, path: &str, message: impl Into<String>) {
        let mut found = self.found.borrow_mut();
        if found.len() == PROBLEMS_MAX {
            self.beyond.set(self.beyond.get() + 1);
        } else {
            found.push(Found { place, path: shown(path), message: shown(&message.into()) });
        }
    }

    /// How many are kept.
    pub(crate) fn len(&self) -> usize {
        self.found.borrow().len()
    }

    /// Whether one of these problems is at `path`, or at what holds it.
    pub(crate) fn cover(&self, which: Range<usize>, path: &str) -> bool {
        let holds = |outer: &str| {
            path.strip_prefix(outer)
                .is_some_and(|rest| outer.is_empty() || rest.is_empty() || rest.starts_with(['.', '[']))
        };
        self.found.borrow()[which].iter().any(|found| holds(&found.path))
    }

    /// ``; did you mean `x`?`` for the candidate nearest to `word`; empty where none is near.
    pub(crate) fn suggest<'c>(&self, word: &str, candidates: impl IntoIterator<Item = &'c str>) -> String {
        if self.len() >= SUGGESTIONS_MAX { String::new() } else { did_you_mean(word, candidates) }
    }

    /// The problems by place, named by the names of `files`, and one that counts those that were not kept.
    pub(crate) fn into_list(self, files: &[SourceFile]) -> Vec<Problem> {
        let mut found = self.found.into_inner();
        found.sort_by_key(|found| found.place);
        if let (beyond @ 1.., Some(last)) = (self.beyond.get(), found.last()) {
            let message = format!("{beyond} more problems are not listed");
            found.push(Found { place: last.place, path: String::new(), message });
        }
        let number = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        let named = |Found { place, path, message }: Found| Problem {
            file: files.get(place.file).map(|file| file.name.clone()).unwrap_or_default(),
            line: number(place.line),
            column: number(place.column),
            path,
            message,
        };
        found.into_iter().map(named).collect()
    }
}

/// `text` as it may be shown in a terminal: bounded, and without control characters.
fn shown(text: &str) -> String {
    let plain = |c: char| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c };
    text.chars().take(MESSAGE_CHARS_MAX).map(plain).collect()
}

/// ``; did you mean `x`?`` for the candidate nearest to `word`, if at most a third of the word differs; else empty.
pub(crate) fn did_you_mean<'c>(word: &str, candidates: impl IntoIterator<Item = &'c str>) -> String {
    let differences_max = (word.len() / 3).max(1);
    candidates
        .into_iter()
        .filter(|candidate| candidate.len().abs_diff(word.len()) <= differences_max)
        .map(|candidate| (strsim::osa_distance(word, candidate), candidate))
        .filter(|(differences, _)| *differences <= differences_max)
        .min()
        .map_or_else(String::new, |(_, nearest)| format!("; did you mean `{nearest}`?"))
}
