//! The columns of a report.

use csv::ByteRecord;

use crate::table::{self, Columns, Mistakes};

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

impl table::Column for Column {
    const ALL: &'static [Self] =
        &[Self::Day, Self::Exchange, Self::Campaign, Self::Currency, Self::Impressions, Self::Spend, Self::Impression];

    fn name(self) -> &'static str {
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

/// Reads a header on `line`. Needed are `exchange` only where `exchange_needed`, `impressions` only where there is no
/// `impression`.
pub(super) fn read(header: &ByteRecord, line: u64, exchange_needed: bool, mistakes: &mut Mistakes) -> Columns<Column> {
    let is_needed = |columns: &Columns<Column>, column| match column {
        Column::Exchange => exchange_needed,
        Column::Impressions => !columns.has(Column::Impression),
        Column::Impression => false,
        Column::Day | Column::Campaign | Column::Currency | Column::Spend => true,
    };
    Columns::read(header, line, is_needed, mistakes)
}
