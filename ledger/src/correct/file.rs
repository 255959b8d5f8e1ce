//! A file of corrections, from CSV.

use std::collections::BTreeMap;

use csv::ByteRecord;
use decision::ids::{Currency, ImpressionId};
use decision::money::Nanos;

use super::CorrectError;
use crate::limits::{CORRECTIONS_MAX, REASON_BYTES_MAX};
use crate::table::{self, Cells, Columns, Lines, Mistakes};

/// A column that is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Column {
    Impression,
    Charged,
    Spend,
    Currency,
    Reason,
}

impl table::Column for Column {
    const ALL: &'static [Self] = &[Self::Impression, Self::Charged, Self::Spend, Self::Currency, Self::Reason];

    fn name(self) -> &'static str {
        match self {
            Self::Impression => "impression",
            Self::Charged => "charged",
            Self::Spend => "spend",
            Self::Currency => "currency",
            Self::Reason => "reason",
        }
    }
}

/// What an impression is to come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Amount {
    /// Gross, in the campaign's currency.
    Charged(Nanos),
    /// What the exchange bills for it, in the currency of the bid. Nothing takes it back whole, with all fees.
    Spend(Nanos),
}

/// What a line asks for.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) line: u64,
    pub(super) impression: ImpressionId,
    pub(super) amount: Amount,
    /// Of the amount, where the file says it.
    pub(super) currency: Option<Currency>,
    pub(super) reason: String,
}

/// What a file asks for.
#[derive(Debug)]
pub(super) struct File {
    pub(super) rows: Vec<Row>,
    /// Names of columns that are not read, as they may be shown.
    pub(super) ignored: Vec<String>,
}

impl Row {
    /// `None` where anything is wrong with it; every mistake is noted.
    fn read(cells: &mut Cells<'_, Column>) -> Option<Self> {
        let right = "an impression id of 32 hexadecimal digits";
        let impression = cells.read(Column::Impression, right, table::impression);
        let right = "an amount from 0 on such as 0.0015, with at most 9 decimals";
        let amount = |text: &str| Nanos::parse_decimal(text).filter(|amount| *amount >= Nanos::ZERO);
        let charged = cells.read(Column::Charged, right, amount).map(Amount::Charged);
        let spend = cells.read(Column::Spend, right, amount).map(Amount::Spend);
        let currency = cells.read(Column::Currency, "a currency such as EUR", Currency::new);
        let right = format!("a text of 1 to {REASON_BYTES_MAX} bytes on one line");
        let reason = |text: &str| {
            let is_short = (1..=REASON_BYTES_MAX).contains(&text.len());
            (is_short && !text.chars().any(char::is_control)).then(|| text.to_owned())
        };
        let reason = cells.read(Column::Reason, &right, reason);
        let (line, amount) = (cells.line, charged.or(spend));
        Some(Self { line, impression: impression?, amount: amount?, currency, reason: reason? })
    }
}

/// Reads a file with a header line. The columns `impression`, either `charged` or `spend`, `currency`, which may be absent, and
/// `reason` may stand in any order; others are not read. At most [`CORRECTIONS_MAX`] lines, each of another impression.
///
/// # Errors
/// It has mistakes: each is named, by line and column.
pub(super) fn read(file: &[u8]) -> Result<File, CorrectError> {
    let mut lines = Lines::new(file);
    let mut mistakes = Mistakes::default();
    let Some(header_line) = lines.next()? else {
        mistakes.note(1, None, "must be a header with the names of columns; the file is empty".to_owned());
        return Err(CorrectError::Mistakes(mistakes));
    };
    let columns = columns(&lines.record, header_line, &mut mistakes);
    let (mut rows, mut lines_of, mut last) = (Vec::new(), BTreeMap::new(), header_line);
    while let Some(line) = lines.next()? {
        last = line;
        if rows.len() == CORRECTIONS_MAX {
            let message = format!("is one more than the {CORRECTIONS_MAX} that a file may have: split it");
            mistakes.note(line, None, message);
            break;
        }
        if lines.record.len() != columns.cells {
            let (cells, header) = (lines.record.len(), columns.cells);
            let plural = if cells == 1 { "" } else { "s" };
            mistakes.note(line, None, format!("has {cells} cell{plural}, and the header {header}"));
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
    if mistakes.are_none() {
        Ok(File { rows, ignored: columns.ignored })
    } else {
        Err(CorrectError::Mistakes(mistakes))
    }
}

fn columns(header: &ByteRecord, line: u64, mistakes: &mut Mistakes) -> Columns<Column> {
    let is_needed = |_: &Columns<Column>, column| match column {
        Column::Impression | Column::Reason => true,
        Column::Charged | Column::Spend | Column::Currency => false,
    };
    let columns = Columns::read(header, line, is_needed, mistakes);
    let message = match (columns.has(Column::Charged), columns.has(Column::Spend)) {
        (true, true) => "stands beside charged: a file has one of both, which are different money",
        (false, false) => "is missing in the header, and charged as well: a file has one of both",
        _ => return columns,
    };
    mistakes.note(line, Some("spend"), message.to_owned());
    columns
}
