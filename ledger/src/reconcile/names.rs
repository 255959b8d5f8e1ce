//! Numbers and names of campaigns.

use std::collections::BTreeMap;

use decision::campaign::limits::NAME_BYTES_MAX;
use decision::ids::CampaignId;
use proto::wire::{CampaignsRecord, campaigns_record::Change};

use super::group::Campaign;

/// Numbers and names of campaigns, as the stream `campaigns` tells them. A name keeps its number forever.
#[derive(Clone, Debug, Default)]
pub struct Names {
    names: BTreeMap<CampaignId, String>,
    numbers: BTreeMap<String, CampaignId>,
}

impl Names {
    /// Takes in a record of the stream.
    pub fn learn(&mut self, record: &CampaignsRecord) {
        let (number, name) = match &record.change {
            Some(Change::Campaign(campaign)) => (campaign.id, &campaign.name),
            Some(Change::Stop(stop)) => (stop.campaign, &stop.name),
            Some(Change::Segment(_) | Change::Advertiser(_)) | None => return,
        };
        self.names.insert(CampaignId(number), name.clone());
        self.numbers.insert(name.clone(), CampaignId(number));
    }

    /// The campaign of a cell: digits are always a number, also where a campaign has them for a name. `None` where it
    /// can be neither.
    pub(super) fn campaign(&self, cell: &str) -> Option<Campaign> {
        if !cell.is_empty() && cell.bytes().all(|byte| byte.is_ascii_digit()) {
            return cell.parse().ok().map(|number| Campaign::Number(CampaignId(number)));
        }
        let could_be = (1..=NAME_BYTES_MAX).contains(&cell.len()) && !cell.contains(char::is_control);
        let known = self.numbers.get(cell).map(|number| Campaign::Number(*number));
        could_be.then(|| known.unwrap_or_else(|| Campaign::Unknown(cell.into())))
    }

    /// The name of a campaign, where one is known.
    pub(super) fn of<'a>(&'a self, campaign: &'a Campaign) -> Option<&'a str> {
        match campaign {
            Campaign::Number(number) => self.names.get(number).map(String::as_str),
            Campaign::Unknown(name) => Some(name),
        }
    }
}
