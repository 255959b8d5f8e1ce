//! What is wrong with a report.

use std::fmt;

use thiserror::Error;

use super::columns::Column;
use crate::limits::{CELL_CHARS_SHOWN_MAX, MISTAKES_LISTED_MAX};

/// Why a report cannot be compared.
#[derive(Debug, Error)]
pub enum ReportError {
    /// Its bytes could not be read.
    #[error(transparent)]
    Unread(#[from] csv::Error),
    /// It has mistakes.
    #[error("{0}")]
    Mistakes(Mistakes),
}

/// Everything that is wrong with a report, by line: the first [`MISTAKES_LISTED_MAX`], and how many more there are.
#[derive(Debug, Default)]
pub struct Mistakes {
    listed: Vec<Mistake>,
    more: u64,
}

#[derive(Debug)]
struct Mistake {
    line: u64,
    /// `None`: the whole line.
    column: Option<Column>,
    message: String,
}

impl Mistakes {
    pub(super) fn note(&mut self, line: u64, column: Option<Column>, message: String) {
        if self.listed.len() < MISTAKES_LISTED_MAX {
            self.listed.push(Mistake { line, column, message });
        } else {
            self.more += 1;
        }
    }

    pub(super) fn are_none(&self) -> bool {
        self.listed.is_empty()
    }
}

impl fmt::Display for Mistakes {
    /// One a line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, Mistake { line, column, message }) in self.listed.iter().enumerate() {
            f.write_str(if at == 0 { "" } else { "\n" })?;
            match column {
                Some(column) => write!(f, "line {line}, column {}: {message}", column.name())?,
                None => write!(f, "line {line}: {message}")?,
            }
        }
        if self.more == 0 { Ok(()) } else { write!(f, "\nand {} more", self.more) }
    }
}

/// `text` as it may be shown in a terminal: bounded, and without control characters.
pub(super) fn shown(text: &str) -> String {
    let plain = |c: char| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c };
    text.chars().take(CELL_CHARS_SHOWN_MAX).map(plain).collect()
}
