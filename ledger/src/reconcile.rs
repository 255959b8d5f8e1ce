//! Whether an exchange's report agrees with what we booked: by day, exchange, campaign and currency, in counts and in
//! money.
//!
//! The report is read first ([`Report`]), since it says which days and which impressions matter. Then every outcome is
//! looked at twice: once for [`Corrections`], which may come long after what they correct, and once to compare
//! ([`Reconciliation`]). What comes of it ([`Comparison`]) is shown as text, or as a line of JSON for each group.
//!
//! What we booked is compared in the currency of the bid, at the notice's price cut to our bid, since that is what an
//! exchange may invoice.
//!
//! Invariant: money is never rounded nor converted, amounts of two currencies are never added, and memory grows with
//! the groups, with the impressions of a report by impression, and with corrections, but not with the outcomes.

use decision::ids::ExchangeName;

mod billed;
mod columns;
mod comparison;
mod corrections;
mod day;
mod differing;
mod group;
mod json;
mod names;
mod reconciliation;
mod report;
mod row;
#[cfg(test)]
mod tests;
mod text;
mod tolerance;

pub use billed::Unreadable;
pub use comparison::{Alarm, Comparison, Group};
pub use corrections::Corrections;
pub use day::{BadOffset, Day, UtcOffset};
pub use differing::{Difference, DifferingList, NotOurs, Part, Way};
pub use group::{Campaign, Figures, Key, Matching, Sum};
pub use names::Names;
pub use reconciliation::Reconciliation;
pub use report::{Report, ReportError};
pub use tolerance::{BadTolerance, Percent, Tolerance};

pub use crate::table::Mistakes;

/// How a report is compared.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// The exchange whose report it is. Needed where the report has no such column; nothing of others is compared then.
    pub exchange: Option<ExchangeName>,
    /// Which moment's day an impression counts on.
    pub day_of: DayOf,
    /// When days begin.
    pub utc_offset: UtcOffset,
    /// The difference above which a group is alarming.
    pub tolerance: Tolerance,
    /// How many impressions are listed that differ in one way.
    pub list: usize,
}

/// Which moment's day an impression counts on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DayOf {
    /// When the notice arrived.
    Notice,
    /// When the bid was made.
    Bid,
}

/// The name of an exchange as configurations have it: 1 to 16 of a-z, 0-9 and -.
pub fn exchange_name(text: &str) -> Option<ExchangeName> {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    ExchangeName::new(text).filter(|_| text.bytes().all(plain))
}
