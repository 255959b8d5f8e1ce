//! A file of corrections, from CSV.

use std::collections::BTreeMap;

use decision::ids::ImpressionId;
use decision::money::Nanos;

use super::CorrectError;
use crate::limits::{CORRECTIONS_MAX, REASON_BYTES_MAX};
use crate::table::{self, Cells, Columns, Lines, Mistakes};

/// A column that is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Column {
    Impression,
    Charged,
    Reason,
}

impl table::Column for Column {
    const ALL: &'static [Self] = &[Self::Impression, Self::Charged, Self::Reason];

    fn name(self) -> &'static str {
        match self {
            Self::Impression => "impression",
            Self::Charged => "charged",
            Self::Reason => "reason",
        }
    }
}

/// What a line asks for.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) line: u64,
    pub(super) impression: ImpressionId,
    /// What is to be charged instead, in the campaign's currency.
    pub(super) charged: Nanos,
    pub(super) reason: String,
}

impl Row {
    /// `None` where anything is wrong with it; every mistake is noted.
    fn read(cells: &mut Cells<'_, Column>) -> Option<Self> {
        let right = "an impression id of 32 hexadecimal digits";
        let impression = cells.read(Column::Impression, right, table::impression);
        let right = "an amount from 0 on such as 0.0015, with at most 9 decimals";
        let amount = |text: &str| Nanos::parse_decimal(text).filter(|amount| *amount >= Nanos::ZERO);
        let charged = cells.read(Column::Charged, right, amount);
        let right = format!("a text of 1 to {REASON_BYTES_MAX} bytes on one line");
        let reason = |text: &str| {
            let is_short = (1..=REASON_BYTES_MAX).contains(&text.len());
            (is_short && !text.chars().any(char::is_control)).then(|| text.to_owned())
        };
        let reason = cells.read(Column::Reason, &right, reason);
        Some(Self { line: cells.line, impression: impression?, charged: charged?, reason: reason? })
    }
}

/// Reads a file with a header line. The columns `impression`, `charged` and `reason` may stand in any order; others are not
/// read. At most [`CORRECTIONS_MAX`] lines, each of another impression.
///
/// # Errors
/// It has mistakes: each is named, by line and column.
pub(super) fn read(file: &[u8]) -> Result<Vec<Row>, CorrectError> {
    let mut lines = Lines::new(file);
    let mut mistakes = Mistakes::default();
    let Some(header_line) = lines.next()? else {
        mistakes.note(1, None, "must be a header with the names of columns; the file is empty".to_owned());
        return Err(CorrectError::Mistakes(mistakes));
    };
    let columns = Columns::read(&lines.record, header_line, |_, _| true, &mut mistakes);
    let (mut rows, mut lines_of, mut last) = (Vec::new(), BTreeMap::new(), header_line);
    while let Some(line) = lines.next()? {
        last = line;
        if rows.len() == CORRECTIONS_MAX {
            let message = format!("is one more than the {CORRECTIONS_MAX} that a file may have: split it");
            mistakes.note(line, None, message);
            break;
        }
        if lines.record.len() != columns.cells {
            let message = format!("has {} cells, and the header {}", lines.record.len(), columns.cells);
            mistakes.note(line, None, message);
            continue;
        }
        let mut cells = Cells { record: &lines.record, line, columns: &columns, mistakes: &mut mistakes };
        let Some(row) = Row::read(&mut cells) else { continue };
        match lines_of.insert(row.impression, line) {
            Some(first) => mistakes.note(line, Some("impression"), format!("is on line {first} already")),
            None => rows.push(row),
        }
    }
    if last == header_line {
        mistakes.note(last, None, "has no line below it, so there is nothing to correct".to_owned());
    }
    if mistakes.are_none() { Ok(rows) } else { Err(CorrectError::Mistakes(mistakes)) }
}
