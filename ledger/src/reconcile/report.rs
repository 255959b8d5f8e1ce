//! An exchange's report, from CSV.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::io;

use decision::ids::ImpressionId;
use decision::money::Nanos;

use thiserror::Error;

use super::Options;
use super::columns::{self, Column};
use super::day::Day;
use super::differing::{Difference, DifferingLists, NotOurs, Part};
use super::group::{Groups, Key, Sum};
use super::names::Names;
use super::row::Row;
use crate::table::{Cells, Lines, Mistakes};

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

/// What an exchange says: sums of groups, and each impression where the report is by impression.
#[derive(Debug)]
pub struct Report {
    pub(super) options: Options,
    pub(super) groups: Groups,
    /// First and last day.
    pub(super) days: (Day, Day),
    /// `None`: the report is not by impression.
    pub(super) impressions: Option<BTreeMap<ImpressionId, Claimed>>,
    pub(super) differing: DifferingLists,
    ignored: Vec<String>,
}

/// An impression of the report.
#[derive(Clone, Copy, Debug)]
pub(super) struct Claimed {
    /// The place of its group.
    pub(super) group: usize,
    pub(super) spend: Nanos,
    pub(super) found: Found,
}

/// What we have of an impression of the report. A later one outweighs an earlier one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Found {
    Nothing,
    Expired,
    TakenBack,
    Booked,
}

impl Report {
    /// Reads a report with a header line. The columns `day` (YYYY-MM-DD), `campaign` (our number or name), `exchange`,
    /// `impressions`, `spend` (a decimal) and `currency` may stand in any order. With `impression`, our id in
    /// hexadecimal, each line is one impression, and `impressions` may be missing. `exchange` may be where `options`
    /// name one. Negative numbers are credits.
    ///
    /// # Errors
    /// The file cannot be read, or has mistakes: each is named, by line and column. One without a line below its header
    /// covers no day, so it counts as a mistake.
    pub fn read(file: impl io::Read, options: Options, names: &Names) -> Result<Self, ReportError> {
        let mut lines = Lines::new(file);
        let mut mistakes = Mistakes::default();
        let Some(header_line) = lines.next()? else {
            mistakes.note(1, None, "must be a header with the names of columns; the file is empty".to_owned());
            return Err(ReportError::Mistakes(mistakes));
        };
        let mut columns = columns::read(&lines.record, header_line, options.exchange.is_none(), &mut mistakes);
        let mut read = Parts::new(columns.has(Column::Impression), options.list);
        let mut last = header_line;
        while let Some(line) = lines.next()? {
            last = line;
            if lines.record.len() != columns.cells {
                let message = format!("has {} cells, and the header {}", lines.record.len(), columns.cells);
                mistakes.note(line, None, message);
                continue;
            }
            let mut cells = Cells { record: &lines.record, line, columns: &columns, mistakes: &mut mistakes };
            if let Some(row) = Row::read(&mut cells, &options, names) {
                read.take(&row, line);
            }
        }
        if last == header_line {
            mistakes.note(last, None, "has no line below it, so there is no day to compare".to_owned());
        }
        match read {
            Parts { groups, days: Some(days), impressions, differing } if mistakes.are_none() => {
                let ignored = std::mem::take(&mut columns.ignored);
                Ok(Self { options, groups, days, impressions, differing, ignored })
            }
            _ => Err(ReportError::Mistakes(mistakes)),
        }
    }

    /// Names of columns that are not read, in their order, as they may be shown.
    pub fn ignored(&self) -> &[String] {
        &self.ignored
    }

    /// Whether what is in a group is compared.
    pub(super) fn covers(&self, key: &Key) -> bool {
        let (first, last) = self.days;
        (first..=last).contains(&key.day) && self.options.exchange.is_none_or(|named| named == key.exchange)
    }
}

/// What was read so far.
struct Parts {
    groups: Groups,
    days: Option<(Day, Day)>,
    impressions: Option<BTreeMap<ImpressionId, Claimed>>,
    differing: DifferingLists,
}

impl Parts {
    fn new(by_impression: bool, list: usize) -> Self {
        let impressions = by_impression.then(BTreeMap::new);
        Self { groups: Groups::default(), days: None, impressions, differing: DifferingLists::new(list) }
    }

    fn take(&mut self, row: &Row, line: u64) {
        let (first, last) = self.days.unwrap_or((row.key.day, row.key.day));
        self.days = Some((first.min(row.key.day), last.max(row.key.day)));
        let group = self.groups.place(&row.key);
        let sum = Sum::new(row.impressions, row.spend);
        *self.groups.figures(group).theirs.get_or_insert_default() += sum;
        let (Some(impressions), Some(impression)) = (&mut self.impressions, row.impression) else { return };
        match impressions.entry(impression) {
            Entry::Vacant(vacant) => {
                vacant.insert(Claimed { group, spend: row.spend, found: Found::Nothing });
            }
            // We book an impression once, so the others are theirs alone.
            Entry::Occupied(_) => {
                self.groups.figures(group).matching.only_theirs += sum;
                let theirs = Part { key: row.key.clone(), spend: row.spend };
                self.differing.note(impression, Difference::OnlyTheirs(theirs, NotOurs::Again(line)));
            }
        }
    }
}
