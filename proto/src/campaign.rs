//! Campaigns between the wire and the nouns.

use decision::campaign::Campaign;
use decision::money::Nanos;

use crate::wire;

mod read;

#[cfg(test)]
mod tests;
mod write;

pub use read::campaign;
pub(crate) use read::size;
pub use read::{local_time, pacing};
pub use write::local_time_record;

/// The part of a campaign that the ledger keeps to. The record of a campaign carries the advertiser's daily budget
/// beside it, since a bid need not know it.
pub fn budget(campaign: &Campaign, advertiser_daily: Option<Nanos>) -> wire::CampaignBudget {
    wire::CampaignBudget {
        campaign: campaign.id.0,
        advertiser: campaign.advertiser.id.0,
        currency: campaign.advertiser.currency.to_string(),
        daily: campaign.budget.daily.get(),
        total: campaign.budget.total.get(),
        from: campaign.flight.from.0,
        until: campaign.flight.until.0,
        advertiser_daily: advertiser_daily.map(Nanos::get),
        name: campaign.name.clone(),
        pacing: wire::Pacing::from(campaign.pacing).into(),
        local_time: local_time_record(&campaign.local_time),
    }
}
