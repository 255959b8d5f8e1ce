//! The header of a report: which column stands where.

use csv::ByteRecord;

use super::mistakes::{Mistakes, shown};

/// A column that is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Column {
    Day,
    Exchange,
    Campaign,
    Currency,
    Impressions,
    Spend,
    Impression,
}

impl Column {
    const ALL: [Self; 7] =
        [Self::Day, Self::Exchange, Self::Campaign, Self::Currency, Self::Impressions, Self::Spend, Self::Impression];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Exchange => "exchange",
            Self::Campaign => "campaign",
            Self::Currency => "currency",
            Self::Impressions => "impressions",
            Self::Spend => "spend",
            Self::Impression => "impression",
        }
    }
}

/// Where the columns of a report stand.
#[derive(Debug)]
pub(super) struct Columns {
    /// By [`Column`]; counted from 0.
    places: [Option<usize>; Column::ALL.len()],
    /// How many cells a line has.
    pub(super) cells: usize,
    /// Names of columns that are not read, as they may be shown.
    pub(super) ignored: Vec<String>,
}

impl Columns {
    /// Reads a header on `line`. Notes each column that is there twice, or missing: `exchange` only where
    /// `exchange_needed`, `impressions` only where there is no `impression`.
    pub(super) fn read(header: &ByteRecord, line: u64, exchange_needed: bool, mistakes: &mut Mistakes) -> Self {
        let mut columns = Self { places: [None; Column::ALL.len()], cells: header.len(), ignored: Vec::new() };
        for (place, cell) in header.iter().enumerate() {
            let name = String::from_utf8_lossy(cell);
            let Some(column) = Column::ALL.into_iter().find(|column| column.name() == name.trim()) else {
                columns.ignored.push(shown(name.trim()));
                continue;
            };
            if let Some(first) = columns.places[column as usize].replace(place) {
                let message = format!("is there twice, as column {} and {}", first + 1, place + 1);
                mistakes.note(line, Some(column), message);
            }
        }
        for column in Column::ALL {
            let needed = match column {
                Column::Exchange => exchange_needed,
                Column::Impressions => !columns.has(Column::Impression),
                Column::Impression => false,
                Column::Day | Column::Campaign | Column::Currency | Column::Spend => true,
            };
            if needed && !columns.has(column) {
                mistakes.note(line, Some(column), "is missing in the header".to_owned());
            }
        }
        columns
    }

    pub(super) fn has(&self, column: Column) -> bool {
        self.places[column as usize].is_some()
    }

    /// The cell of a column in a line that has as many cells as the header; `None` where there is no such column.
    pub(super) fn cell<'r>(&self, line: &'r ByteRecord, column: Column) -> Option<&'r [u8]> {
        line.get(self.places[column as usize]?)
    }
}
