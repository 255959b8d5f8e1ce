//! How often a person may see a campaign, its advertiser, each of its creatives, and what each micro-segment buys.

use super::person::Person;
use crate::campaign::{CapSubject, FrequencyCap};
use crate::experiment::arm;
use crate::ids::{CreativeId, SegmentId};
use crate::index::{CampaignIndex, Terms};
use crate::outcome::{Arm, CapCount, Ghost, Offer, Slot};
use crate::profile::{CapScope, GhostScope};

/// What a person has seen, and is about to see by the bids of this request; or would have, where they are held out.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seen<'a> {
    pub(crate) index: &'a CampaignIndex,
    pub(crate) person: &'a Person<'a>,
    /// Bids already made in this request.
    pub(crate) bids: &'a [Offer],
    /// Ghost bids already made in this request.
    pub(crate) ghosts: &'a [Ghost],
}

/// The impressions that a cap counts, and the ghost bids that stand for them where the person is held out.
type Scopes = [CapScope; 2];

impl Seen<'_> {
    /// Whether a cap on the campaign as a whole is reached.
    #[inline]
    pub(crate) fn campaign_is_capped(&self, slot: Slot, terms: &Terms) -> bool {
        self.is_reached(slot, terms, CapSubject::Campaign, whole_campaign(terms))
    }

    /// Whether a cap on all campaigns of the advertiser is reached.
    pub(crate) fn advertiser_is_capped(&self, slot: Slot, terms: &Terms) -> bool {
        self.is_reached(slot, terms, CapSubject::Advertiser, advertiser(terms))
    }

    /// Whether a cap on each creative is reached for this one.
    pub(crate) fn creative_is_capped(&self, slot: Slot, terms: &Terms, creative: CreativeId) -> bool {
        self.is_reached(slot, terms, CapSubject::EachCreative, each_creative(terms, creative))
    }

    /// Whether a cap on each micro-segment is reached for this one.
    pub(crate) fn segment_is_capped(&self, slot: Slot, terms: &Terms, segment: SegmentId) -> bool {
        self.is_reached(slot, terms, CapSubject::EachSegment, each_segment(terms, segment))
    }

    /// How far each cap of the campaign that holds for this offer is used up.
    pub(crate) fn counts(&self, offer: &Offer) -> impl Iterator<Item = CapCount> {
        let (slot, creative, segment) = (offer.slot, offer.creative, offer.segment);
        let terms = &self.index.terms[slot.0 as usize];
        self.index.caps[terms.caps.range()].iter().filter_map(move |cap| {
            let scopes = match cap.scope {
                CapSubject::Campaign => whole_campaign(terms),
                CapSubject::EachCreative => each_creative(terms, creative),
                CapSubject::Advertiser => advertiser(terms),
                CapSubject::EachSegment => each_segment(terms, segment?),
            };
            let count = self.count(slot, cap, scopes);
            Some(CapCount { subject: scopes[0], window_s: cap.window_s, count, limit: u32::from(cap.count) })
        })
    }

    /// Most people have seen nothing of most campaigns, and every cap allows one impression: where nothing counts, the caps
    /// are not looked at.
    #[inline]
    fn is_reached(&self, slot: Slot, terms: &Terms, subject: CapSubject, scopes: Scopes) -> bool {
        if !scopes.iter().any(|scope| self.person.has_seen(*scope) || self.offered(*scope) > 0) {
            return false;
        }
        let mut caps = self.index.caps[terms.caps.range()].iter().filter(|cap| cap.scope == subject);
        caps.any(|cap| self.count(slot, cap, scopes) >= u32::from(cap.count))
    }

    /// Ghost bids count only for whoever is held out now: others may have been once, by another salt.
    fn count(&self, slot: Slot, cap: &FrequencyCap, scopes: Scopes) -> u32 {
        let [impressions, ghosts] =
            scopes.map(|scope| self.person.impressions_within(scope, cap.window_s) + self.offered(scope));
        let experiment = || self.index.campaign(slot).experiment.as_ref();
        let is_held_out = || arm(experiment(), self.person.key()) == Arm::HeldOut;
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

fn whole_campaign(terms: &Terms) -> Scopes {
    [CapScope::Campaign(terms.id), CapScope::Ghosts(terms.id, GhostScope::Campaign)]
}

fn advertiser(terms: &Terms) -> Scopes {
    // What the campaigns of the advertiser that are not held out show counts, and of this one all ghost bids.
    [CapScope::Advertiser(terms.advertiser), CapScope::Ghosts(terms.id, GhostScope::Campaign)]
}

fn each_creative(terms: &Terms, creative: CreativeId) -> Scopes {
    [CapScope::Creative(creative), CapScope::Ghosts(terms.id, GhostScope::Creative(creative))]
}

fn each_segment(terms: &Terms, segment: SegmentId) -> Scopes {
    [CapScope::Segment(segment), CapScope::Ghosts(terms.id, GhostScope::Segment(segment))]
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
