//! One line of a report below its header.

use decision::ids::{Currency, ImpressionId};
use decision::money::Nanos;

use super::columns::Column;
use super::day::Day;
use super::group::Key;
use super::names::Names;
use super::{Options, exchange_name};
use crate::table::{self, Cells};

/// What a line says.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) key: Key,
    pub(super) impressions: i64,
    pub(super) spend: Nanos,
    /// Where the report is by impression.
    pub(super) impression: Option<ImpressionId>,
}

impl Row {
    /// `None` where anything is wrong with it; every mistake is noted.
    pub(super) fn read(cells: &mut Cells<'_, Column>, options: &Options, names: &Names) -> Option<Self> {
        let day = cells.read(Column::Day, "a day such as 2026-03-01", Day::parse);
        let exchange = match options.exchange {
            Some(named) if !cells.columns.has(Column::Exchange) => Some(named),
            Some(named) => {
                let right = format!("{named}, the one exchange that is asked for");
                cells.read(Column::Exchange, &right, |text| exchange_name(text).filter(|name| *name == named))
            }
            None => cells.read(Column::Exchange, "a configured name: 1 to 16 of a-z, 0-9 and -", exchange_name),
        };
        let right = "the number of a campaign, or its name";
        let campaign = cells.read(Column::Campaign, right, |text| names.campaign(text));
        let currency = cells.read(Column::Currency, "an ISO 4217 code such as USD", currency);
        let by_impression = cells.columns.has(Column::Impression);
        let impressions = match (cells.columns.has(Column::Impressions), by_impression) {
            (false, true) => Some(1),
            (_, true) => {
                let one = |text: &str| text.parse().ok().filter(|count| *count == 1);
                cells.read(Column::Impressions, "1, since each line is one impression", one)
            }
            (_, false) => cells.read(Column::Impressions, "a whole number", |text| text.parse().ok()),
        };
        let right = "an amount such as 12.50, with at most 9 decimals";
        let spend = cells.read(Column::Spend, right, Nanos::parse_decimal);
        let impression = cells.read(Column::Impression, "an impression id of 32 hexadecimal digits", table::impression);
        if by_impression && impression.is_none() {
            return None;
        }
        let key = Key { day: day?, exchange: exchange?, campaign: campaign?, currency: currency? };
        Some(Self { key, impressions: impressions?, spend: spend?, impression })
    }
}

fn currency(text: &str) -> Option<Currency> {
    Currency::new(text).filter(|_| text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_uppercase()))
}
