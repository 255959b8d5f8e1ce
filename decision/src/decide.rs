//! One decision: for each opportunity of a bid request the best bid, or the reason why there is none.
//!
//! For each opportunity: the campaigns that match and what each would pay (`offer`) → the best first (`choice`): its
//! creative and variant (`creative`) → money set aside, last, so that none is held for a bid that is not made.

use alloc::vec::{Drain, Vec};

use crate::ids::{CampaignId, Currency};
use crate::index::lists::Lists;
use crate::index::matching::Matches;
use crate::index::{CampaignIndex, Terms};
use crate::limits::ELIGIBLE_LISTED_MAX;
use crate::money::{Nanos, Rate};
use crate::opportunity::{Context, Opportunity};
use crate::outcome::{CapCount, Decision, Ghost, Grounds, NoBidReason, Offer, Slot, Trace};
use crate::profile::Audience;
use crate::time::Micros;

mod caps;
mod choice;
mod creative;
mod explain;
mod offer;
pub(crate) mod person;
pub(crate) mod price;

use choice::Rank;
use offer::Candidate;
use person::Person;
use price::Rule;

/// Everything a decision knows of a bid request.
#[derive(Clone, Copy, Debug)]
pub struct BidRequest<'a> {
    /// What is the same for every impression.
    pub context: &'a Context<'a>,
    /// One for each `imp`, in order.
    pub opportunities: &'a [Opportunity<'a>],
    /// What is known of the person.
    pub audience: Audience<'a>,
    /// When the request was accepted.
    pub now: Micros,
    /// Decides where nothing else does: a keyed hash of the request's id, so that a decision can be replayed.
    pub seed: u64,
}

/// The memory that decisions take, used again and again: once it is warm, a decision allocates nothing. One a core.
#[derive(Debug, Default)]
pub struct Scratch {
    matches: Matches,
    blocked_domains: Vec<u64>,
    blocked_categories: Vec<u64>,
    /// By currency of the index: how many units of the bid's currency buy one unit of it.
    rates: Vec<Option<Rate>>,
    /// The terms of the campaigns found for one opportunity.
    terms: Vec<Terms>,
    /// The rule for the person of each of them.
    rules: Vec<Option<Rule>>,
    /// The campaigns that compete for it.
    ranking: Vec<Rank>,
    decisions: Vec<Decision>,
    bids: Vec<Offer>,
    ghosts: Vec<Ghost>,
    eligible: Lists<CampaignId>,
    caps: Lists<CapCount>,
}

/// The decisions on one bid request.
#[must_use = "a bid that is not sent holds money that nobody releases"]
#[derive(Debug)]
pub struct Decided<'s> {
    /// One for each opportunity, in order.
    pub decisions: Drain<'s, Decision>,
    /// What held-out people would have been offered, in the order of opportunities.
    pub ghosts: &'s [Ghost],
    /// What else the decisions were made from, for streams.
    pub evidence: Evidence<'s>,
}

/// What decisions were made from, beyond what stands in them.
#[derive(Clone, Copy, Debug)]
pub struct Evidence<'s> {
    eligible: &'s Lists<CampaignId>,
    caps: &'s Lists<CapCount>,
}

impl<'s> Evidence<'s> {
    /// The campaigns that competed for an opportunity (its place in the request): they matched, might bid here, were not
    /// capped as a whole, and had a price at or above the floor. First the bid and those ranked before it, best first, then the others in no order; at most
    /// [`ELIGIBLE_LISTED_MAX`] of them.
    pub fn eligible(&self, imp: usize) -> &'s [CampaignId] {
        self.eligible.get(imp)
    }

    /// How far the frequency caps that bound an offer were used up.
    pub fn caps(&self, grounds: &Grounds) -> &'s [CapCount] {
        self.caps.get(grounds.caps as usize)
    }
}

/// An opportunity that can be bid for.
#[derive(Clone, Copy, Debug)]
struct Auction {
    /// The opportunity, by its place in the request.
    imp: usize,
    /// The currency of the bid.
    currency: Currency,
    /// The floor in that currency.
    floor: Nanos,
}

/// What changes of a campaign without a recompile, by its slot.
struct Live<S, P> {
    stopped: S,
    pace: P,
}

/// What stands the same for every opportunity and campaign of a decision.
struct Round<'a, 'r> {
    index: &'a CampaignIndex,
    request: &'a BidRequest<'r>,
    person: Person<'r>,
    /// The currency of the bids, where there is one.
    currency: Option<Currency>,
}

/// Decides on every opportunity of a bid request, in order.
///
/// `stopped` says whether a campaign was stopped since the index was compiled, `pace` what the prices of a paced one are
/// multiplied by, in millionths: 1 to 1,000,000. `reserve` sets an amount of a campaign's
/// currency aside, or says that there is none; it is asked only for bids that nothing else stands in the way of, the
/// best first. `trace` watches.
///
/// The reason of an opportunity without a bid is that of the best-ranked campaign where any competed; else that of the
/// campaign that came closest, so the last in the order of [`NoBidReason::ALL`], among those whose targeting and sizes
/// match; else [`NoBidReason::NoEligibleCampaign`].
pub fn decide<'s>(
    index: &CampaignIndex,
    request: &BidRequest<'_>,
    scratch: &'s mut Scratch,
    stopped: impl Fn(Slot) -> bool,
    pace: impl Fn(Slot) -> u32,
    mut reserve: impl FnMut(Slot, Nanos) -> bool,
    trace: &mut impl Trace,
) -> Decided<'s> {
    let currencies = &mut request.context.currencies.iter();
    let round = Round {
        index,
        request,
        person: Person::new(request.audience, request.now.seconds()),
        currency: currencies.find(|currency| index.rates().rate(**currency, **currency).is_some()).copied(),
    };
    let live = Live { stopped, pace };
    scratch.prepare(&round);
    for (imp, opportunity) in request.opportunities.iter().enumerate() {
        let decision = match round.auction(imp, opportunity) {
            Ok(auction) => {
                let closest = round.compete(scratch, &auction, &live, trace);
                choice::choose(&round, scratch, &auction, closest, &mut reserve, trace)
            }
            Err(reason) => {
                explain::refuse_all(&round, imp, reason, trace);
                Decision::NoBid(reason)
            }
        };
        scratch.close(index, decision);
    }
    let Scratch { decisions, ghosts, eligible, caps, .. } = scratch;
    Decided { decisions: decisions.drain(..), ghosts, evidence: Evidence { eligible, caps } }
}

impl Scratch {
    /// Forgets the request before and computes what is the same for every opportunity of this one.
    fn prepare(&mut self, round: &Round<'_, '_>) {
        let Round { index, request, person, currency } = round;
        // Of a decision that broke off, too.
        self.ranking.clear();
        self.decisions.clear();
        self.bids.clear();
        self.ghosts.clear();
        self.eligible.clear();
        self.caps.clear();
        self.rates.clear();
        let rate = |from: &Currency| currency.and_then(|to| index.rates().rate(*from, to));
        self.rates.extend(index.currencies.iter().map(rate));
        index.domains.mark(request.context.blocked_domains, &mut self.blocked_domains);
        index.categories.mark(request.context.blocked_categories, &mut self.blocked_categories);
        index.matcher.prepare(request.context, person, &mut self.matches);
    }

    /// Ends an opportunity.
    fn close(&mut self, index: &CampaignIndex, decision: Decision) {
        if let Decision::Bid(bid) = &decision {
            self.bids.push(bid.offer);
        }
        self.decisions.push(decision);
        let listed = self.ranking.iter().take(ELIGIBLE_LISTED_MAX);
        self.eligible.push(listed.map(|rank| index.terms[rank.slot.0 as usize].id));
        self.ranking.clear();
    }
}

impl Round<'_, '_> {
    /// The terms of the auction for an opportunity, or why there can be no bid at all.
    fn auction(&self, imp: usize, opportunity: &Opportunity<'_>) -> Result<Auction, NoBidReason> {
        if opportunity.sizes.is_empty() {
            return Err(NoBidReason::NoBanner);
        }
        if opportunity.private_auction {
            return Err(NoBidReason::PrivateAuction);
        }
        let currency = self.currency.ok_or(NoBidReason::Currency)?;
        let floor = |from| self.index.rates().convert_up(opportunity.floor, from, currency);
        let floor = opportunity.floor_currency.and_then(floor).ok_or(NoBidReason::FloorCurrency)?;
        Ok(Auction { imp, currency, floor })
    }

    /// Collects the campaigns that compete for an opportunity. Says how far the one that came closest got, of those that
    /// do not.
    fn compete<T: Trace>(
        &self,
        scratch: &mut Scratch,
        auction: &Auction,
        live: &Live<impl Fn(Slot) -> bool, impl Fn(Slot) -> u32>,
        trace: &mut T,
    ) -> NoBidReason {
        let imp = auction.imp;
        self.index.matcher.find(self.request.opportunities[imp].sizes, &self.person, &mut scratch.matches);
        // Fetched by themselves, terms and prices that lie far apart come from memory together; one decided on after another,
        // each would be waited for.
        let Scratch { terms, rules, matches, .. } = scratch;
        terms.clear();
        terms.extend(matches.found.iter().map(|slot| self.index.terms[slot.0 as usize]));
        rules.clear();
        rules.extend(terms.iter().map(|terms| self.rule(terms)));
        let mut closest = NoBidReason::NoEligibleCampaign;
        let count = if T::EXPLAINS { self.index.campaigns().len() } else { scratch.terms.len() };
        for at in 0..count {
            let asked;
            let (slot, terms, rule) = if T::EXPLAINS {
                asked = self.rule(&self.index.terms[at]);
                (Slot(at as u32), &self.index.terms[at], &asked)
            } else {
                (scratch.matches.found[at], &scratch.terms[at], &scratch.rules[at])
            };
            let found = scratch.matches.fit(slot);
            let fit = found.unwrap_or_else(|| explain::fit(self, imp, slot));
            let candidate = Candidate { slot, terms, rule, fit };
            match self.rank(scratch, auction, candidate, live, trace) {
                Ok(rank) if found.is_some() => scratch.ranking.push(rank),
                // Sizes of creatives are part of what the index matches.
                Ok(_) => explain::refuse(self, imp, slot, NoBidReason::NoCreativeOfSize, trace),
                Err(reason) => {
                    explain::refuse(self, imp, slot, reason, trace);
                    closest = if found.is_some() { closest.max(reason) } else { closest };
                }
            }
        }
        closest
    }
}
