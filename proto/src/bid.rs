//! Bids and ghost bids, as the stream `bids` has them.

use decision::decide::{BidRequest, Evidence};
use decision::index::CampaignIndex;
use decision::money::Nanos;
use decision::outcome::{Arm, CapCount, Grounds, Offer, PriceSteps};
use decision::profile::Audience;

use crate::ids::{device_number, scope_parts};
use crate::opportunity::person;
use crate::wire;

#[cfg(test)]
mod tests;

/// Certainty in millionths: variants are picked by rule, and nothing is paced.
const ONE_PPM: u32 = 1_000_000;

/// An offer with what it was made from.
#[derive(Clone, Copy, Debug)]
pub struct Offered<'a> {
    /// The bid request.
    pub request: &'a BidRequest<'a>,
    /// The index that decided.
    pub index: &'a CampaignIndex,
    /// The opportunity, by its place in the request.
    pub imp: usize,
    /// The offer.
    pub offer: &'a Offer,
    /// What it was computed from.
    pub grounds: &'a Grounds,
    /// What the decision left behind.
    pub evidence: Evidence<'a>,
}

/// What is known of an offer when it is decided. It is a ghost bid where the person is held out.
///
/// The caller adds the names that a decision does not know: impression, request id, imp id, node and lease.
pub fn record(offered: &Offered<'_>) -> wire::Bid {
    let Offered { request, index, imp, offer, grounds, evidence } = *offered;
    let context = request.context;
    let campaign = index.campaign(offer.slot);
    // Nobody is on a side of an experiment without a key to split by.
    let experiment = campaign.experiment.as_ref().filter(|_| offer.arm != Arm::None);
    let holdout_ppm = experiment.map_or(0, |experiment| experiment.holdout_ppm);
    wire::Bid {
        at: request.now.0,
        exchange: context.exchange.to_string(),
        person: person(&request.audience),
        ghost: offer.arm == Arm::HeldOut,
        campaign: offer.campaign.0,
        advertiser: offer.advertiser.0,
        creative: offer.creative.0,
        variant: offer.variant.0,
        variant_propensity_ppm: ONE_PPM,
        segment: offer.segment.map_or(0, |segment| segment.0),
        arm: wire::Arm::from(offer.arm).into(),
        experiment: experiment.map(|experiment| experiment.name.clone()).unwrap_or_default(),
        experiment_salt: experiment.map_or(0, |experiment| experiment.salt),
        arm_propensity_ppm: if offer.arm == Arm::HeldOut { holdout_ppm } else { ONE_PPM.saturating_sub(holdout_ppm) },
        eligible_campaigns: evidence.eligible(imp).iter().map(|campaign| campaign.0).collect(),
        price: Some(price(&grounds.price, offered)),
        pacing_multiplier_ppm: ONE_PPM,
        cap_counts: evidence.caps(grounds).iter().map(Into::into).collect(),
        index_version: index.version(),
        size: Some(offer.size.into()),
        country: context.country.map(|country| country.to_string()).unwrap_or_default(),
        region: context.region.map(|region| region.to_string()).unwrap_or_default(),
        device: device_number(context.device),
        audience: audience(&request.audience).into(),
        segments: segments(request),
        ..wire::Bid::default()
    }
}

fn price(steps: &PriceSteps, offered: &Offered<'_>) -> wire::PriceSteps {
    let Offered { request, index, imp, offer, .. } = *offered;
    let opportunity = &request.opportunities[imp];
    wire::PriceSteps {
        default_cpm: steps.default_cpm.map(Nanos::cpm_micros),
        ruled_cpm: steps.ruled_cpm.cpm_micros(),
        limited_cpm: steps.limited_cpm.cpm_micros(),
        bid_cpm: steps.bid_cpm.cpm_micros(),
        campaign_currency: index.campaign(offer.slot).advertiser.currency.to_string(),
        bid_currency: offer.currency.to_string(),
        rate: offer.rate.get(),
        floor: opportunity.floor.cpm_micros(),
        floor_currency: opportunity.floor_currency.map(|currency| currency.to_string()).unwrap_or_default(),
    }
}

impl From<&CapCount> for wire::CapCount {
    fn from(cap: &CapCount) -> Self {
        let (subject, id) = scope_parts(cap.subject);
        Self { subject: subject.into(), id, window_s: cap.window_s, count: cap.count, limit: cap.limit }
    }
}

fn audience(audience: &Audience<'_>) -> wire::UnknownWhy {
    match audience {
        Audience::Known(_) => wire::UnknownWhy::Known,
        Audience::Unknown(why) => (*why).into(),
    }
}

/// Every micro-segment the person is in.
fn segments(request: &BidRequest<'_>) -> Vec<u32> {
    match &request.audience {
        Audience::Unknown(_) => Vec::new(),
        Audience::Known(profile) => {
            let now = request.now.seconds();
            let live = profile.memberships.iter().filter(|membership| membership.until > now);
            live.map(|membership| membership.segment.0).collect()
        }
    }
}
