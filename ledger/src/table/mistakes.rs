//! What is wrong with a file.

use std::fmt;

use crate::limits::{CELL_CHARS_SHOWN_MAX, MISTAKES_LISTED_MAX};

/// Everything that is wrong with a file, by line: the first [`MISTAKES_LISTED_MAX`], and how many more there are.
#[derive(Debug, Default)]
pub struct Mistakes {
    listed: Vec<Mistake>,
    more: u64,
}

#[derive(Debug)]
struct Mistake {
    line: u64,
    /// `None`: the whole line.
    column: Option<&'static str>,
    message: String,
}

impl Mistakes {
    pub(crate) fn note(&mut self, line: u64, column: Option<&'static str>, message: String) {
        if self.listed.len() < MISTAKES_LISTED_MAX {
            self.listed.push(Mistake { line, column, message });
        } else {
            self.more += 1;
        }
    }

    pub(crate) fn are_none(&self) -> bool {
        self.listed.is_empty()
    }
}

impl fmt::Display for Mistakes {
    /// One a line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, Mistake { line, column, message }) in self.listed.iter().enumerate() {
            f.write_str(if at == 0 { "" } else { "\n" })?;
            match column {
                Some(column) => write!(f, "line {line}, column {column}: {message}")?,
                None => write!(f, "line {line}: {message}")?,
            }
        }
        if self.more == 0 { Ok(()) } else { write!(f, "\nand {} more", self.more) }
    }
}

/// `text` as it may be shown in a terminal: bounded, and without control characters.
pub(crate) fn shown(text: &str) -> String {
    let plain = |c: char| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c };
    text.chars().take(CELL_CHARS_SHOWN_MAX).map(plain).collect()
}
