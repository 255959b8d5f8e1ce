//! How often a person may see a campaign and each of its creatives.

use crate::campaign::{Campaign, CapSubject, FrequencyCap};
use crate::decide::person::Person;
use crate::ids::{CampaignId, CreativeId};
use crate::outcome::CapCount;
use crate::profile::CapScope;

/// What a person has seen, and is about to see by the bids of this request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seen<'a> {
    pub(crate) person: &'a Person<'a>,
    /// Bids already made in this request.
    pub(crate) bids: &'a [(CampaignId, CreativeId)],
}

impl Seen<'_> {
    /// Whether anything may count against a cap of `scope`. Most people have seen nothing of most campaigns, and every cap
    /// allows one impression: where this is false, no cap needs to be looked at.
    #[inline]
    pub(crate) fn may_count(&self, scope: CapScope) -> bool {
        self.person.has_seen(scope) || self.bids_of(scope) > 0
    }

    /// Whether a cap on the campaign as a whole is reached.
    pub(crate) fn campaign_is_capped(&self, campaign: &Campaign) -> bool {
        self.is_reached(campaign, CapSubject::Campaign, CapScope::Campaign(campaign.id))
    }

    /// Whether a cap on each creative is reached for this one.
    pub(crate) fn creative_is_capped(&self, campaign: &Campaign, creative: CreativeId) -> bool {
        self.is_reached(campaign, CapSubject::EachCreative, CapScope::Creative(creative))
    }

    /// How far each cap of the campaign is used up, for this creative.
    pub(crate) fn counts(&self, campaign: &Campaign, creative: CreativeId) -> impl Iterator<Item = CapCount> {
        campaign.caps.iter().map(move |cap| {
            let subject = match cap.scope {
                CapSubject::Campaign => CapScope::Campaign(campaign.id),
                CapSubject::EachCreative => CapScope::Creative(creative),
            };
            CapCount { subject, window_s: cap.window_s, count: self.count(cap, subject), limit: u32::from(cap.count) }
        })
    }

    fn is_reached(&self, campaign: &Campaign, subject: CapSubject, scope: CapScope) -> bool {
        let mut caps = campaign.caps.iter().filter(|cap| cap.scope == subject);
        caps.any(|cap| self.count(cap, scope) >= u32::from(cap.count))
    }

    fn count(&self, cap: &FrequencyCap, scope: CapScope) -> u32 {
        self.person.impressions_within(scope, cap.window_s) + self.bids_of(scope)
    }

    #[inline]
    fn bids_of(&self, scope: CapScope) -> u32 {
        let bids = self.bids.iter().filter(|(campaign, creative)| match scope {
            CapScope::Campaign(id) => *campaign == id,
            CapScope::Creative(id) => *creative == id,
        });
        bids.count() as u32
    }
}
