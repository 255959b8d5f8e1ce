//! Bids and ghost bids, as the stream `bids` has them: one for each offer, so they are written into their bytes at once.

use decision::campaign::Campaign;
use decision::decide::{BidRequest, Evidence};
use decision::ids::{ImpressionId, LeaseId, NodeId, PersonKey};
use decision::index::CampaignIndex;
use decision::money::{Nanos, ONE_PPM};
use decision::outcome::{Arm, CapCount, Grounds, Offer, PriceSteps};
use decision::profile::{Audience, Profile};
use decision::targeting::Size;

use crate::fields::Fields;
use crate::ids::{device_number, scope_parts};
use crate::record::VERSION;
use crate::wire;

#[cfg(test)]
mod tests;

/// Room for most records, in bytes.
const RECORD_BYTES: usize = 384;

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
    /// What a decision does not know.
    pub names: Names<'a>,
}

/// Names of an offer that a decision does not know.
#[derive(Clone, Copy, Debug, Default)]
pub struct Names<'a> {
    /// The impression.
    pub impression: ImpressionId,
    /// The exchange's name for the request.
    pub request_id: &'a str,
    /// The exchange's name for the impression.
    pub imp_id: &'a str,
    /// The node that bids.
    pub node: NodeId,
    /// The lease whose money is set aside; 0 where none is.
    pub lease: LeaseId,
    /// The exchange said that the auction is a test.
    pub test: bool,
}

/// The record of an offer: a [`wire::Bid`]. It is a ghost bid where the person is held out.
pub fn encode(offered: &Offered<'_>) -> Vec<u8> {
    let Offered { request, index, imp, offer, grounds, evidence, names } = *offered;
    let (context, campaign) = (request.context, index.campaign(offer.slot));
    let mut record = Vec::with_capacity(RECORD_BYTES);
    record.push(VERSION);
    let mut bid = Fields(&mut record);
    bid.bytes(1, names.impression.0);
    bid.signed(2, request.now.0);
    bid.bytes(3, context.exchange.as_str());
    bid.bytes(4, names.request_id);
    bid.bytes(5, names.imp_id);
    bid.number(6, names.node.0);
    let known = known(&request.audience);
    if let Some(person) = known.map(|profile| profile.person).filter(|person| *person != PersonKey::default()) {
        bid.bytes(7, person.0);
    }
    bid.number(8, offer.arm == Arm::HeldOut);
    bid.number(9, offer.campaign.0);
    bid.number(10, offer.advertiser.0);
    bid.number(11, offer.creative.0);
    bid.number(12, offer.variant.0);
    bid.number(13, ONE_PPM);
    bid.number(14, offer.segment.map_or(0, |segment| segment.0));
    bid.number(15, wire::Arm::from(offer.arm) as u32);
    experiment(&mut bid, campaign, offer.arm);
    bid.packed(19, evidence.eligible(imp).iter().map(|campaign| campaign.0));
    bid.message(20, |steps| price(steps, &grounds.price, offered));
    bid.number(23, grounds.price.pace_ppm);
    for cap in evidence.caps(grounds) {
        bid.message(24, |count| cap_count(count, cap));
    }
    bid.number(25, index.version());
    bid.number(26, names.lease.0);
    bid.message(27, |size| {
        let Size { w, h } = offer.size;
        size.number(1, w);
        size.number(2, h);
    });
    bid.bytes(29, context.country.as_ref().map_or("", |country| country.as_str()));
    bid.bytes(30, context.region.as_ref().map_or("", |region| region.as_str()));
    bid.number(31, device_number(context.device));
    bid.number(32, audience(&request.audience) as u32);
    let now = request.now.seconds();
    let memberships = known.map_or(&[][..], |profile| profile.memberships);
    bid.packed(33, memberships.iter().filter(|it| it.until > now).map(|it| it.segment.0));
    bid.number(34, names.test);
    record
}

/// Nobody is on a side of an experiment without a key to split by.
fn experiment(bid: &mut Fields<'_>, campaign: &Campaign, arm: Arm) {
    let experiment = campaign.experiment.as_ref().filter(|_| arm != Arm::None);
    let holdout_ppm = experiment.map_or(0, |experiment| experiment.holdout_ppm);
    if let Some(experiment) = experiment {
        bid.bytes(16, &experiment.name);
        bid.fixed64(17, experiment.salt);
    }
    bid.number(18, if arm == Arm::HeldOut { holdout_ppm } else { ONE_PPM.saturating_sub(holdout_ppm) });
}

fn price(out: &mut Fields<'_>, steps: &PriceSteps, offered: &Offered<'_>) {
    let Offered { request, index, imp, offer, .. } = *offered;
    let opportunity = &request.opportunities[imp];
    out.optional_signed(1, steps.default_cpm.map(Nanos::cpm_micros));
    out.signed(2, steps.ruled_cpm.cpm_micros());
    out.signed(3, steps.limited_cpm.cpm_micros());
    out.signed(4, steps.bid_cpm.cpm_micros());
    out.bytes(5, index.campaign(offer.slot).advertiser.currency.as_str());
    out.bytes(6, offer.currency.as_str());
    out.signed(7, offer.rate.get());
    out.signed(8, opportunity.floor.cpm_micros());
    out.bytes(9, opportunity.floor_currency.as_ref().map_or("", |currency| currency.as_str()));
    out.signed(10, steps.paced_cpm.cpm_micros());
    let fees = steps.fees;
    if !fees.is_none() {
        out.message(11, |out| {
            out.number(1, fees.exchange_ppm());
            out.signed(2, fees.data_cpm().cpm_micros());
            out.number(3, fees.margin_ppm());
        });
        out.optional_signed(12, Some(steps.media_cpm.cpm_micros()));
    }
}

fn cap_count(out: &mut Fields<'_>, cap: &CapCount) {
    let (subject, id) = scope_parts(cap.subject);
    out.number(1, subject as u32);
    out.number(2, id);
    out.number(3, cap.window_s);
    out.number(4, cap.count);
    out.number(5, cap.limit);
}

fn audience(audience: &Audience<'_>) -> wire::UnknownWhy {
    match audience {
        Audience::Known(_) => wire::UnknownWhy::Known,
        Audience::Unknown(why) => (*why).into(),
    }
}

fn known<'a>(audience: &Audience<'a>) -> Option<Profile<'a>> {
    match audience {
        Audience::Known(profile) => Some(*profile),
        Audience::Unknown(_) => None,
    }
}
