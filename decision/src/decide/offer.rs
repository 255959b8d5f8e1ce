//! What one campaign would offer for one opportunity, or why it offers nothing.

use core::ops::Range;

use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::caps::Seen;
use super::price::price;
use super::{Auction, Round, Scratch};
use crate::campaign::{Campaign, WhenAudienceUnknown};
use crate::experiment::arm;
use crate::ids::Currency;
use crate::index::{CreativeTerms, bits};
use crate::money::{Nanos, Rate};
use crate::opportunity::Opportunity;
use crate::outcome::{NoBidReason, Offer, PriceSteps, Slot, Trace};

/// How a campaign's targeting stands to the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fit {
    /// It is true.
    Met,
    /// It would be true for a person in every segment asked for and in none excluded; of this person nothing is known.
    Assumed,
    /// It is false.
    Missed,
}

/// A campaign with an offer, before the offer is written out.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Competitor {
    pub(crate) slot: Slot,
    pub(crate) pick: Pick,
    pub(crate) rate: Rate,
    pub(crate) price: PriceSteps,
    /// Decides between equal prices: the least wins.
    pub(crate) lot: u64,
}

/// The creative and variant picked: places in the index.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pick {
    creative: u32,
    variant: u32,
}

impl Round<'_, '_> {
    /// Finds what the campaign in `slot` has to offer. Checks in the order of [`NoBidReason::ALL`].
    pub(crate) fn competitor(
        &self,
        scratch: &Scratch,
        auction: &Auction,
        slot: Slot,
        fit: Fit,
        stopped: &impl Fn(Slot) -> bool,
        trace: &mut impl Trace,
    ) -> Result<Competitor, NoBidReason> {
        let terms = &self.index.terms[slot.0 as usize];
        let rate = scratch.rates[terms.currency as usize].ok_or(NoBidReason::Currency)?;
        if stopped(slot) {
            return Err(NoBidReason::Stopped);
        }
        if !(terms.flight.from..terms.flight.until).contains(&self.request.now) {
            return Err(NoBidReason::NotInFlight);
        }
        if fit == Fit::Missed {
            return Err(NoBidReason::Targeting);
        }
        let campaign = self.index.campaign(slot);
        if !self.person.is_known() {
            let needs_audience = fit == Fit::Assumed || campaign.is_capped();
            let refuses = needs_audience && campaign.when_audience_unknown == WhenAudienceUnknown::NoBid;
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
        let lot = xxh3_64_with_seed(&campaign.id.0.to_le_bytes(), self.request.seed);
        let seen = Seen { person: self.person, bids: &scratch.bids };
        let rotation = rotation(terms.creatives.range(), lot, auction.imp);
        let pick = self.pick(&seen, campaign, rotation, &self.request.opportunities[auction.imp])?;
        let price = price(&campaign.strategy, &self.person, rate).ok_or(NoBidReason::NoPrice)?;
        trace.priced(auction.imp, campaign, price);
        if price.bid_cpm < auction.floor || price.bid_cpm <= Nanos::ZERO {
            return Err(NoBidReason::BelowFloor);
        }
        Ok(Competitor { slot, pick, rate, price, lot })
    }

    /// Writes out what a competitor offers in a currency.
    pub(crate) fn offer(&self, competitor: &Competitor, currency: Currency) -> Offer {
        let Competitor { slot, pick, rate, price, .. } = *competitor;
        let campaign = self.index.campaign(slot);
        let creative = &self.index.creatives[pick.creative as usize];
        Offer {
            slot,
            campaign: campaign.id,
            advertiser: campaign.advertiser.id,
            creative: creative.id,
            variant: self.index.variants[pick.variant as usize].id,
            variant_slot: pick.variant,
            size: creative.size,
            price: price.bid_cpm,
            currency,
            rate,
            campaign_price: price.limited_cpm,
            segment: price.segment,
            arm: arm(campaign.experiment.as_ref(), self.person.key()),
        }
    }

    /// The first creative in rotation that fits, with its variant. Where none fits, the reason is that of the creative
    /// that came closest.
    fn pick(
        &self,
        seen: &Seen<'_>,
        campaign: &Campaign,
        rotation: impl Iterator<Item = usize>,
        opportunity: &Opportunity<'_>,
    ) -> Result<Pick, NoBidReason> {
        let mut closest = NoBidReason::NoCreativeOfSize;
        for creative in rotation {
            let terms = &self.index.creatives[creative];
            if !opportunity.sizes.contains(&terms.size) {
                continue;
            }
            match self.variant(terms, opportunity.secure) {
                Err(reason) => closest = closest.max(reason),
                Ok(_) if seen.campaign_is_capped(campaign) => return Err(NoBidReason::CampaignCap),
                Ok(_) if seen.creative_is_capped(campaign, terms.id) => closest = NoBidReason::CreativeCap,
                Ok(variant) => return Ok(Pick { creative: creative as u32, variant: variant as u32 }),
            }
        }
        Err(closest)
    }

    /// The variant of a creative for the person, among those that are secure where that is required: the first with a
    /// segment the person is in, else the first without segments.
    fn variant(&self, creative: &CreativeTerms, secure: bool) -> Result<usize, NoBidReason> {
        let mut closest = NoBidReason::NotSecure;
        let mut for_everyone = None;
        for (variant, terms) in creative.variants.range().zip(&self.index.variants[creative.variants.range()]) {
            if secure && !terms.secure {
                continue;
            }
            let segments = &self.index.variant_segments[terms.segments.range()];
            if self.person.is_in_any(segments) {
                return Ok(variant);
            }
            if segments.is_empty() {
                for_everyone = for_everyone.or(Some(variant));
            }
            closest = NoBidReason::NoVariant;
        }
        for_everyone.ok_or(closest)
    }
}

/// All `creatives`, in turn. `lot` says where the rotation starts, and each opportunity of a request (`imp`) starts one
/// further, so that a page does not show one creative twice while there is another.
fn rotation(creatives: Range<usize>, lot: u64, imp: usize) -> impl Iterator<Item = usize> {
    let count = creatives.len().max(1);
    let start = creatives.start + ((lot % count as u64) as usize + imp) % count;
    (start..creatives.end).chain(creatives.start..start)
}
