//! One bid request in `opportunities`: written by the bidder, and read back to decide it again.

use decision::decide::BidRequest;
use decision::ids::ImpressionId;
use decision::index::CampaignIndex;
use decision::money::Rates;
use decision::opportunity::{Context, Opportunity};
use decision::outcome::{Decision, NoBidReason, Offer};
use decision::profile::{Audience, Impression, Membership};

use crate::ids::{device_number, ghost_of, person_bytes, scope_parts};
use crate::wire;

mod replay;
#[cfg(test)]
mod tests;

pub use replay::{Replay, Reserved, Unreadable};

/// What a request was decided by. `imp_ids` are the names of the opportunities, in their order.
///
/// The caller adds what a decision does not know: request id, node, the share sampled, the privacy restriction, the
/// stopped campaigns, the paces, the lease's answers, and the decisions ([`decision_made`], [`offer_made`]).
pub fn record<'a>(
    request: &BidRequest<'_>,
    imp_ids: impl IntoIterator<Item = &'a str>,
    index: &CampaignIndex,
) -> wire::OpportunityRecord {
    let opportunities = request.opportunities.iter().zip(imp_ids);
    wire::OpportunityRecord {
        at: request.now.0,
        person: person(&request.audience),
        context: Some(request.context.into()),
        opportunities: opportunities.map(|(opportunity, imp_id)| offered(opportunity, imp_id)).collect(),
        audience: Some((&request.audience).into()),
        seed: request.seed,
        index_version: index.version(),
        rates: rates(index.rates()),
        ..wire::OpportunityRecord::default()
    }
}

/// What became of the opportunity at place `imp`; `impression` where a bid was made.
pub fn decision_made(imp: usize, decision: &Decision, impression: Option<ImpressionId>) -> wire::DecisionMade {
    match decision {
        Decision::Bid(bid) => offer_made(imp, &bid.offer, impression),
        Decision::NoBid(reason) => no_bid_made(imp, *reason),
    }
}

/// No bid for the opportunity at place `imp`.
pub fn no_bid_made(imp: usize, reason: NoBidReason) -> wire::DecisionMade {
    wire::DecisionMade { no_bid_reason: reason.code(), imp: place(imp), ..wire::DecisionMade::default() }
}

/// An offer for the opportunity at place `imp`: a bid or a ghost bid.
pub fn offer_made(imp: usize, offer: &Offer, impression: Option<ImpressionId>) -> wire::DecisionMade {
    wire::DecisionMade {
        no_bid_reason: 0,
        campaign: offer.campaign.0,
        creative: offer.creative.0,
        variant: offer.variant.0,
        price: offer.price.get(),
        impression: impression.map_or_else(Vec::new, |impression| impression.0.to_vec()),
        currency: offer.currency.to_string(),
        segment: offer.segment.map_or(0, |segment| segment.0),
        arm: wire::Arm::from(offer.arm).into(),
        imp: place(imp),
    }
}

fn place(imp: usize) -> u32 {
    u32::try_from(imp).expect("a request has fewer impressions than 2^32")
}

/// The key of the person, where one may be known and there is one.
pub(crate) fn person(audience: &Audience<'_>) -> Vec<u8> {
    match audience {
        Audience::Known(profile) => person_bytes(profile.person),
        Audience::Unknown(_) => Vec::new(),
    }
}

impl From<&Context<'_>> for wire::Context {
    fn from(context: &Context<'_>) -> Self {
        let owned = |texts: &[&str]| texts.iter().map(|text| String::from(*text)).collect();
        Self {
            exchange: context.exchange.to_string(),
            country: context.country.map(|country| country.to_string()).unwrap_or_default(),
            region: context.region.map(|region| region.to_string()).unwrap_or_default(),
            device: device_number(context.device),
            currencies: context.currencies.iter().map(ToString::to_string).collect(),
            blocked_domains: owned(context.blocked_domains),
            blocked_categories: owned(context.blocked_categories),
            exchange_fee_ppm: context.exchange_fee_ppm,
        }
    }
}

fn offered(opportunity: &Opportunity<'_>, imp_id: &str) -> wire::Opportunity {
    wire::Opportunity {
        imp_id: imp_id.to_owned(),
        sizes: opportunity.sizes.iter().copied().map(Into::into).collect(),
        floor: opportunity.floor.cpm_micros(),
        floor_currency: opportunity.floor_currency.map(|currency| currency.to_string()).unwrap_or_default(),
        secure: opportunity.secure,
        private_auction: opportunity.private_auction,
    }
}

impl From<&Audience<'_>> for wire::Audience {
    fn from(audience: &Audience<'_>) -> Self {
        match audience {
            Audience::Unknown(why) => {
                Self { unknown: wire::UnknownWhy::from(*why).into(), memberships: Vec::new(), impressions: Vec::new() }
            }
            Audience::Known(profile) => Self {
                unknown: wire::UnknownWhy::Known.into(),
                memberships: profile.memberships.iter().map(Into::into).collect(),
                impressions: profile.impressions.iter().map(Into::into).collect(),
            },
        }
    }
}

impl From<&Membership> for wire::Membership {
    fn from(membership: &Membership) -> Self {
        Self { segment: membership.segment.0, until: membership.until.0, confidence: membership.confidence.into() }
    }
}

impl From<&Impression> for wire::SeenImpression {
    fn from(impression: &Impression) -> Self {
        let (subject, id) = scope_parts(impression.scope);
        Self { subject: subject.into(), id, at: impression.at.0, ghost_of: ghost_of(impression.scope) }
    }
}

fn rates(rates: &Rates) -> Vec<wire::CurrencyRate> {
    let rates = rates.iter();
    rates.map(|(currency, usd)| wire::CurrencyRate { currency: currency.to_string(), usd: usd.get() }).collect()
}
