//! How often a person may see a campaign, its advertiser, each of its creatives, and what each micro-segment buys.

use crate::campaign::{Campaign, CapSubject, FrequencyCap};
use crate::decide::person::Person;
use crate::experiment::arm;
use crate::ids::{CampaignId, CreativeId, SegmentId};
use crate::outcome::{Arm, CapCount, Ghost, Offer};
use crate::profile::{CapScope, GhostScope};

/// What a person has seen, and is about to see by the bids of this request; or would have, where they are held out.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seen<'a> {
    pub(crate) person: &'a Person<'a>,
    /// Bids already made in this request.
    pub(crate) bids: &'a [Offer],
    /// Ghost bids already made in this request.
    pub(crate) ghosts: &'a [Ghost],
}

/// The impressions that a cap counts, and the ghost bids that stand for them where the person is held out.
type Scopes = [CapScope; 2];

impl Seen<'_> {
    /// Whether a cap on the campaign as a whole is reached. `id` is the campaign's, which is at hand before the campaign.
    #[inline]
    pub(crate) fn campaign_is_capped(&self, id: CampaignId, campaign: &Campaign) -> bool {
        self.is_reached(campaign, CapSubject::Campaign, whole_campaign(id))
    }

    /// Whether a cap on all campaigns of the advertiser is reached.
    pub(crate) fn advertiser_is_capped(&self, campaign: &Campaign) -> bool {
        self.is_reached(campaign, CapSubject::Advertiser, advertiser(campaign))
    }

    /// Whether a cap on each creative is reached for this one.
    pub(crate) fn creative_is_capped(&self, campaign: &Campaign, creative: CreativeId) -> bool {
        self.is_reached(campaign, CapSubject::EachCreative, each_creative(campaign, creative))
    }

    /// Whether a cap on each micro-segment is reached for this one.
    pub(crate) fn segment_is_capped(&self, campaign: &Campaign, segment: SegmentId) -> bool {
        self.is_reached(campaign, CapSubject::EachSegment, each_segment(campaign, segment))
    }

    /// How far each cap of the campaign that holds for this offer is used up.
    pub(crate) fn counts(&self, campaign: &Campaign, offer: &Offer) -> impl Iterator<Item = CapCount> {
        let (creative, segment) = (offer.creative, offer.segment);
        campaign.caps.iter().filter_map(move |cap| {
            let scopes = match cap.scope {
                CapSubject::Campaign => whole_campaign(campaign.id),
                CapSubject::EachCreative => each_creative(campaign, creative),
                CapSubject::Advertiser => advertiser(campaign),
                CapSubject::EachSegment => each_segment(campaign, segment?),
            };
            let count = self.count(campaign, cap, scopes);
            Some(CapCount { subject: scopes[0], window_s: cap.window_s, count, limit: u32::from(cap.count) })
        })
    }

    /// Most people have seen nothing of most campaigns, and every cap allows one impression: where nothing counts, neither the
    /// campaign nor its caps are looked at.
    #[inline]
    fn is_reached(&self, campaign: &Campaign, subject: CapSubject, scopes: Scopes) -> bool {
        if !scopes.iter().any(|scope| self.person.has_seen(*scope) || self.offered(*scope) > 0) {
            return false;
        }
        let mut caps = campaign.caps.iter().filter(|cap| cap.scope == subject);
        caps.any(|cap| self.count(campaign, cap, scopes) >= u32::from(cap.count))
    }

    /// Ghost bids count only for whoever is held out now: others may have been once, by another salt.
    fn count(&self, campaign: &Campaign, cap: &FrequencyCap, scopes: Scopes) -> u32 {
        let [impressions, ghosts] =
            scopes.map(|scope| self.person.impressions_within(scope, cap.window_s) + self.offered(scope));
        let is_held_out = || arm(campaign.experiment.as_ref(), self.person.key()) == Arm::HeldOut;
        impressions + if ghosts > 0 && is_held_out() { ghosts } else { 0 }
    }

    /// Bids, or ghost bids, of this request that count.
    #[inline]
    fn offered(&self, scope: CapScope) -> u32 {
        let count = match scope {
            CapScope::Ghosts(..) => self.ghosts.iter().filter(|ghost| counts(scope, &ghost.offer)).count(),
            _ => self.bids.iter().filter(|offer| counts(scope, offer)).count(),
        };
        count as u32
    }
}

fn whole_campaign(id: CampaignId) -> Scopes {
    [CapScope::Campaign(id), CapScope::Ghosts(id, GhostScope::Campaign)]
}

fn advertiser(campaign: &Campaign) -> Scopes {
    // What the campaigns of the advertiser that are not held out show counts, and of this one all ghost bids.
    [CapScope::Advertiser(campaign.advertiser.id), CapScope::Ghosts(campaign.id, GhostScope::Campaign)]
}

fn each_creative(campaign: &Campaign, creative: CreativeId) -> Scopes {
    [CapScope::Creative(creative), CapScope::Ghosts(campaign.id, GhostScope::Creative(creative))]
}

fn each_segment(campaign: &Campaign, segment: SegmentId) -> Scopes {
    [CapScope::Segment(segment), CapScope::Ghosts(campaign.id, GhostScope::Segment(segment))]
}

/// Whether an offer is one of those that a scope counts.
fn counts(scope: CapScope, offer: &Offer) -> bool {
    match scope {
        CapScope::Campaign(id) | CapScope::Ghosts(id, GhostScope::Campaign) => offer.campaign == id,
        CapScope::Creative(id) => offer.creative == id,
        CapScope::Advertiser(id) => offer.advertiser == id,
        CapScope::Segment(id) => offer.segment == Some(id),
        CapScope::Ghosts(id, GhostScope::Creative(creative)) => offer.campaign == id && offer.creative == creative,
        CapScope::Ghosts(id, GhostScope::Segment(segment)) => offer.campaign == id && offer.segment == Some(segment),
    }
}
