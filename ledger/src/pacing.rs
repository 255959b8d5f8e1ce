//! Pacing: what the prices of a campaign are multiplied by, so that its budget lasts and buys the best it can.
//!
//! The plan is the budget in proportion to the traffic of the campaign's own week, which is learnt from what nodes say
//! that their bids would have come to. Towards it the multiplier is led by dual mirror descent (Balseiro, Lu and
//! Mirrokni, "The best of many worlds", 2022): what was spent too much lowers it by as large a factor as what was spent
//! too little raises it. One multiplier for all nodes and all people is what buys most for the money: every impression
//! whose value is above a certain multiple of its cost, and no other. Where the advertiser has a daily budget of its own that is
//! led to likewise, by what all its campaigns spend, and the lower one of the two multipliers holds: whichever of them does not
//! bind rises to 1.
//!
//! Floating point is used only where every machine gives the same bits: `+ - * /` and `libm`.

use std::collections::BTreeMap;

use decision::ids::{AdvertiserId, CampaignId};
use decision::time::Micros;

mod curve;
mod pacer;
mod plan;

pub(crate) use curve::Curve;
pub(crate) use pacer::{Beginning, Demand, Pacer};
pub(crate) use plan::{Spent, Terms};

/// The paced campaigns, and the advertisers that they have to share a budget of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Pacing {
    /// When the multipliers are to be looked at again.
    pub(crate) due_at: Micros,
    /// Those that are stopped or out of their flight keep what was learnt.
    pub(crate) pacers: BTreeMap<CampaignId, Pacer>,
    /// Those with a daily budget of their own and paced campaigns.
    pub(crate) advertisers: BTreeMap<AdvertiserId, Pacer>,
}

impl Pacing {
    /// What nodes multiply the prices of a campaign by, in millionths; `None`: it is not paced.
    pub(crate) fn multiplier_ppm(&self, campaign: CampaignId) -> Option<u32> {
        self.pacers.get(&campaign).map(Pacer::told_ppm)
    }
}
