//! One request in `opportunities`: with everything that decided it, so that it can be decided again.

use std::cell::RefCell;
use std::collections::BTreeMap;

use decision::decide;
use decision::ids::{CampaignId, ImpressionId, PersonKey};
use decision::money::{Nanos, ONE_PPM};
use decision::outcome::{NoBidReason, Offer, Slot};
use proto::opportunity;
use proto::wire;
use xxhash_rust::xxh3::xxh3_64;

use crate::bidder::{Bidder, Core};
use crate::campaigns::Snapshot;
use crate::exchange::request::BidRequest;
use crate::privacy;

/// The multipliers that a request was decided with. They may change at any moment, and a record has one for each campaign:
/// each is read once.
#[derive(Default)]
pub(super) struct Paces(RefCell<BTreeMap<Slot, u32>>);

impl Paces {
    /// What a campaign's prices are multiplied by for this request.
    pub(super) fn read(&self, snapshot: &Snapshot, slot: Slot) -> u32 {
        *self.0.borrow_mut().entry(slot).or_insert_with(|| snapshot.pace_ppm(slot))
    }
}

/// A request that is recorded whole.
pub(super) struct Sample {
    reserves: Vec<wire::ReserveAnswer>,
    decisions: Vec<wire::DecisionMade>,
    ghosts: Vec<wire::DecisionMade>,
    stopped: Vec<u32>,
    paces: Vec<wire::Pace>,
}

impl Sample {
    /// A sample where this request is one of those that are recorded: one in [`Bidder::sampled_one_in`], by person, so
    /// that all requests of a recorded person are there; strangers to us by the request's own seed.
    pub(super) fn start(bidder: &Bidder, person: Option<PersonKey>, seed: u64, snapshot: &Snapshot) -> Option<Self> {
        let place = person.map_or(seed, |person| xxh3_64(&person.0));
        let chosen = place.is_multiple_of(u64::from(bidder.sampled_one_in.max(1)));
        chosen.then(|| Self {
            reserves: Vec::new(),
            decisions: Vec::new(),
            ghosts: Vec::new(),
            stopped: stopped(snapshot),
            paces: Vec::new(),
        })
    }

    pub(super) fn reserved(&mut self, campaign: CampaignId, amount: Nanos, granted: bool) {
        self.reserves.push(wire::ReserveAnswer { campaign: campaign.0, amount: amount.get(), granted });
    }

    pub(super) fn paced(&mut self, paces: Paces, snapshot: &Snapshot) {
        let paced = paces.0.into_inner().into_iter().filter(|(_, multiplier_ppm)| *multiplier_ppm < ONE_PPM);
        let pace = |(slot, multiplier_ppm)| wire::Pace { campaign: snapshot.index.campaign(slot).id.0, multiplier_ppm };
        self.paces = paced.map(pace).collect();
    }

    pub(super) fn bid(&mut self, imp: usize, offer: &Offer, impression: ImpressionId) {
        self.decisions.push(opportunity::offer_made(imp, offer, Some(impression)));
    }

    pub(super) fn ghost(&mut self, imp: usize, offer: &Offer) {
        self.ghosts.push(opportunity::offer_made(imp, offer, None));
    }

    pub(super) fn none(&mut self, imp: usize, reason: NoBidReason) {
        let decision = wire::DecisionMade {
            no_bid_reason: reason.code(),
            imp: u32::try_from(imp).unwrap_or(u32::MAX),
            ..wire::DecisionMade::default()
        };
        self.decisions.push(decision);
    }

    /// The record; none where a campaign was stopped meanwhile, since nobody could tell which of the two it was decided by.
    pub(super) fn finish(
        self,
        core: &Core,
        view: &BidRequest<'_>,
        request: &decide::BidRequest<'_>,
        snapshot: &Snapshot,
    ) -> Option<wire::OpportunityRecord> {
        (self.stopped == stopped(snapshot)).then(|| wire::OpportunityRecord {
            request_id: view.id.text.to_owned(),
            node: core.bidder.node.0,
            sampled_one_in: core.bidder.sampled_one_in,
            test: view.test,
            restricted_by: wire::Restriction::from(privacy::permit(view).restricted_by()).into(),
            reserves: self.reserves,
            decisions: self.decisions,
            ghosts: self.ghosts,
            stopped_campaigns: self.stopped,
            paces: self.paces,
            ..opportunity::record(request, view.imps.iter().map(|imp| imp.id.text), &snapshot.index)
        })
    }
}

fn stopped(snapshot: &Snapshot) -> Vec<u32> {
    snapshot.stopped_ids().into_iter().map(|id| id.0).collect()
}
