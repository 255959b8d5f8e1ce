//! The header of a file: which column stands where.

use csv::ByteRecord;

use super::mistakes::{Mistakes, shown};

/// The columns that are read of a kind of file.
pub(crate) trait Column: Copy + PartialEq + 'static {
    const ALL: &'static [Self];

    /// As the header has it.
    fn name(self) -> &'static str;
}

/// Where the columns of a file stand.
#[derive(Debug)]
pub(crate) struct Columns<C> {
    /// Counted from 0.
    places: Vec<(C, usize)>,
    /// How many cells a line has.
    pub(crate) cells: usize,
    /// Names of columns that are not read, as they may be shown.
    pub(crate) ignored: Vec<String>,
}

impl<C: Column> Columns<C> {
    /// Reads a header on `line`. Notes each column that is there twice, or `is_needed` and missing.
    pub(crate) fn read(
        header: &ByteRecord,
        line: u64,
        is_needed: impl Fn(&Self, C) -> bool,
        mistakes: &mut Mistakes,
    ) -> Self {
        let mut columns = Self { places: Vec::new(), cells: header.len(), ignored: Vec::new() };
        for (place, cell) in header.iter().enumerate() {
            let name = String::from_utf8_lossy(cell);
            let Some(column) = C::ALL.iter().copied().find(|column| column.name() == name.trim()) else {
                columns.ignored.push(shown(name.trim()));
                continue;
            };
            if let Some(first) = columns.place(column) {
                let message = format!("is there twice, as column {} and {}", first + 1, place + 1);
                mistakes.note(line, Some(column.name()), message);
            }
            columns.places.push((column, place));
        }
        for column in C::ALL.iter().copied() {
            if is_needed(&columns, column) && !columns.has(column) {
                mistakes.note(line, Some(column.name()), "is missing in the header".to_owned());
            }
        }
        columns
    }

    fn place(&self, column: C) -> Option<usize> {
        self.places.iter().rfind(|(there, _)| *there == column).map(|(_, place)| *place)
    }

    pub(crate) fn has(&self, column: C) -> bool {
        self.place(column).is_some()
    }
}

/// The cells of a line that has as many as the header, and where mistakes in them are noted.
pub(crate) struct Cells<'r, C> {
    pub(crate) record: &'r ByteRecord,
    pub(crate) line: u64,
    pub(crate) columns: &'r Columns<C>,
    pub(crate) mistakes: &'r mut Mistakes,
}

impl<C: Column> Cells<'_, C> {
    /// What `parse` makes of a cell; where it makes nothing, `right` says what would be right. A column that the
    /// header lacks was noted there.
    pub(crate) fn read<T>(&mut self, column: C, right: &str, parse: impl FnOnce(&str) -> Option<T>) -> Option<T> {
        let cell = self.record.get(self.columns.place(column)?)?;
        let value = str::from_utf8(cell).ok().and_then(|text| parse(text.trim()));
        if value.is_none() {
            let message = format!("must be {right}, not `{}`", shown(String::from_utf8_lossy(cell).trim()));
            self.mistakes.note(self.line, Some(column.name()), message);
        }
        value
    }
}
