//! What the ledger answers of its books, for whoever checks them from outside.

use ledger::{Books, CampaignBooks, Sums};
use serde::Serialize;

/// The books on `/books`. Amounts are whole nanos of the campaign's currency as text, since they are exact and may be
/// larger than a JSON number can be trusted with.
#[derive(Debug, Serialize)]
pub(super) struct Page {
    /// The last journal entry that is in.
    sequence: u64,
    campaigns: Vec<Row>,
}

#[derive(Debug, Serialize)]
struct Row {
    campaign: u32,
    name: String,
    currency: Option<String>,
    stopped: bool,
    daily_budget_nanos: String,
    total_budget_nanos: String,
    spent_today_nanos: String,
    granted_nanos: String,
    charged_nanos: String,
    returned_nanos: String,
    outstanding_nanos: String,
    late_nanos: String,
    corrected_nanos: String,
    spent_nanos: String,
}

impl From<Books> for Page {
    fn from(books: Books) -> Self {
        Self { sequence: books.sequence, campaigns: books.campaigns.into_iter().map(Row::from).collect() }
    }
}

impl From<CampaignBooks> for Row {
    fn from(books: CampaignBooks) -> Self {
        let Sums { granted, charged, returned, outstanding, late, corrected, spent } = books.sums;
        Self {
            campaign: books.campaign.0,
            name: books.name,
            currency: books.currency.map(|currency| currency.to_string()),
            stopped: books.stopped,
            daily_budget_nanos: books.daily_budget.get().to_string(),
            total_budget_nanos: books.total_budget.get().to_string(),
            spent_today_nanos: books.spent_today.to_string(),
            granted_nanos: granted.to_string(),
            charged_nanos: charged.to_string(),
            returned_nanos: returned.to_string(),
            outstanding_nanos: outstanding.to_string(),
            late_nanos: late.to_string(),
            corrected_nanos: corrected.to_string(),
            spent_nanos: spent.to_string(),
        }
    }
}
