//! What one campaign has to offer for one opportunity, or why it has nothing: first whether it competes and at what
//! price, then, for the few that come to bid, the whole offer.

use super::caps::Seen;
use super::choice::Rank;
use super::creative::{pick, rotation};
use super::price::{Rule, is_held_back, price};
use super::{Auction, Live, Round, Scratch};
use crate::campaign::WhenAudienceUnknown;
use crate::experiment::arm;
use crate::ids::CampaignId;
use crate::index::matching::Fit;
use crate::index::{Terms, bits};
use crate::money::{Nanos, ONE_PPM, Rate};
use crate::outcome::{Arm, NoBidReason, Offer, PriceSteps, Slot, Trace};

/// A campaign that may compete.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Candidate<'a> {
    pub(crate) slot: Slot,
    /// Those of the slot.
    pub(crate) terms: &'a Terms,
    /// Its price for a segment of the person's.
    pub(crate) rule: &'a Option<Rule>,
    pub(crate) fit: Fit,
}

impl Round<'_, '_> {
    /// Finds whether a campaign competes. Checks in the order of [`NoBidReason::ALL`].
    pub(crate) fn rank(
        &self,
        scratch: &Scratch,
        auction: &Auction,
        candidate: Candidate<'_>,
        live: &Live<impl Fn(Slot) -> bool, impl Fn(Slot) -> u32>,
        trace: &mut impl Trace,
    ) -> Result<Rank, NoBidReason> {
        let Candidate { slot, terms, rule, fit } = candidate;
        let rate = scratch.rates[terms.currency as usize].ok_or(NoBidReason::Currency)?;
        if (live.stopped)(slot) {
            return Err(NoBidReason::Stopped);
        }
        if !(terms.flight.from..terms.flight.until).contains(&self.request.now) {
            return Err(NoBidReason::NotInFlight);
        }
        if fit == Fit::Missed {
            return Err(NoBidReason::Targeting);
        }
        if !self.person.is_known() {
            let needs_audience = fit == Fit::Assumed || !terms.caps.is_empty();
            let refuses = needs_audience && terms.when_audience_unknown == WhenAudienceUnknown::NoBid;
            if terms.excludes_a_segment || refuses {
                return Err(NoBidReason::AudienceUnknown);
            }
        }
        if bits::contains(&scratch.blocked_domains, terms.domain) {
            return Err(NoBidReason::BlockedDomain);
        }
        if bits::contains(&scratch.blocked_categories, terms.categories) {
            return Err(NoBidReason::BlockedCategory);
        }
        let seen = self.seen(scratch);
        if terms.caps_advertiser && seen.advertiser_is_capped(slot, terms) {
            return Err(NoBidReason::AdvertiserCap);
        }
        if seen.campaign_is_capped(slot, terms) {
            return Err(NoBidReason::CampaignCap);
        }
        let pace_ppm = if terms.is_paced { (live.pace)(slot) } else { ONE_PPM };
        let price = self.price(terms, rule.as_ref(), rate, pace_ppm).ok_or(NoBidReason::NoPrice)?;
        trace.priced(auction.imp, self.index.campaign(slot), price);
        if terms.caps_segments && price.segment.is_some_and(|segment| seen.segment_is_capped(slot, terms, segment)) {
            return Err(NoBidReason::SegmentCap);
        }
        if price.bid_cpm < auction.floor || price.bid_cpm <= Nanos::ZERO {
            return Err(NoBidReason::BelowFloor);
        }
        // Other lots than those that break ties.
        if is_held_back(&price, || lot(!self.request.seed, terms.id)) {
            return Err(NoBidReason::Paced);
        }
        Ok(Rank::new(price.bid_cpm, lot(self.request.seed, terms.id), slot, pace_ppm))
    }

    /// Writes out what a campaign that competes offers, and how its price came about.
    pub(crate) fn offer(
        &self,
        scratch: &Scratch,
        auction: &Auction,
        rank: Rank,
    ) -> Result<(Offer, PriceSteps), NoBidReason> {
        let slot = rank.slot;
        let terms = &self.index.terms[slot.0 as usize];
        let rate = scratch.rates[terms.currency as usize].ok_or(NoBidReason::Currency)?;
        let price = self.price(terms, self.rule(terms).as_ref(), rate, rank.pace_ppm).ok_or(NoBidReason::NoPrice)?;
        let rotation = rotation(terms.creatives.range(), lot(self.request.seed, terms.id), auction.imp);
        let opportunity = &self.request.opportunities[auction.imp];
        let pick = pick(self.index, rotation, opportunity, &self.seen(scratch), (slot, terms))?;
        let creative = &self.index.creatives[pick.creative];
        let offer = Offer {
            slot,
            campaign: terms.id,
            advertiser: terms.advertiser,
            creative: creative.id,
            variant: self.index.variants[pick.variant].id,
            variant_slot: pick.variant as u32,
            size: creative.size,
            price: price.bid_cpm,
            currency: auction.currency,
            rate,
            campaign_price: price.paced_cpm,
            fees: price.fees,
            segment: price.segment,
            arm: self.arm(slot, terms),
        };
        Ok((offer, price))
    }

    /// In which arm of the campaign's experiment the person is. Most campaigns are not measured, and are not looked at.
    fn arm(&self, slot: Slot, terms: &Terms) -> Arm {
        if terms.is_measured {
            arm(self.index.campaign(slot).experiment.as_ref(), self.person.key())
        } else {
            Arm::None
        }
    }

    /// The price of a campaign for the first of its segments that the person is in. They are looked at only where one may be
    /// the person's.
    #[inline]
    pub(crate) fn rule(&self, terms: &Terms) -> Option<Rule> {
        if !self.person.may_be_in(terms.priced) {
            return None;
        }
        let is_theirs = |at: &usize| self.person.is_in(self.index.priced_segments[*at], 0) == Some(true);
        terms.rules.range().find(is_theirs).map(|at| self.index.rules[at])
    }

    /// What a campaign pays for the person.
    #[inline]
    fn price(&self, terms: &Terms, rule: Option<&Rule>, rate: Rate, pace_ppm: u32) -> Option<PriceSteps> {
        price(&terms.limits, rule, self.request.context.exchange_fee_ppm, rate, pace_ppm)
    }

    /// What the person has seen, and is about to see by the bids made so far.
    pub(crate) fn seen<'s>(&'s self, scratch: &'s Scratch) -> Seen<'s> {
        Seen { index: self.index, person: &self.person, bids: &scratch.bids, ghosts: &scratch.ghosts }
    }
}

/// The lot that `seed` draws for a campaign (the finalizer of SplitMix64).
fn lot(seed: u64, campaign: CampaignId) -> u64 {
    let mut lot = seed ^ u64::from(campaign.0).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    lot = (lot ^ (lot >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    lot = (lot ^ (lot >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    lot ^ (lot >> 31)
}
