//! Why campaigns get nothing, for those who watch. The hot path is not watched and asks none of this.

use super::Round;
use crate::index::matching::Fit;
use crate::outcome::{NoBidReason, Slot, Trace};
use crate::targeting::Fact;

/// How the targeting of a campaign that the index has ruled out stands to an opportunity: the expression itself is
/// walked, and may be met where only no creative fits.
pub(crate) fn fit(round: &Round<'_, '_>, imp: usize, slot: Slot) -> Fit {
    let targeting = &round.index.campaign(slot).targeting;
    if targeting.is_met(true, &|fact, wanted| is_met(round, imp, fact, wanted, !wanted)) {
        Fit::Met
    } else if targeting.is_met(true, &|fact, wanted| is_met(round, imp, fact, wanted, wanted)) {
        Fit::Assumed
    } else {
        Fit::Missed
    }
}

/// Tells why a campaign does not get an opportunity.
pub(crate) fn refuse<T: Trace>(round: &Round<'_, '_>, imp: usize, slot: Slot, reason: NoBidReason, trace: &mut T) {
    let campaign = round.index.campaign(slot);
    if T::EXPLAINS && reason == NoBidReason::Targeting {
        campaign.targeting.missed(
            true,
            &|fact, wanted| is_met(round, imp, fact, wanted, wanted),
            &mut |fact, wanted| {
                trace.missed(imp, campaign, fact, wanted);
            },
        );
    }
    trace.refused(imp, campaign, reason);
}

/// Tells that no campaign can get an opportunity.
pub(crate) fn refuse_all<T: Trace>(round: &Round<'_, '_>, imp: usize, reason: NoBidReason, trace: &mut T) {
    for campaign in round.index.campaigns().iter().filter(|_| T::EXPLAINS) {
        trace.refused(imp, campaign, reason);
    }
}

/// Whether a fact is there as `wanted`; where the person is unknown, segments are taken to be there as `assumed`.
fn is_met(round: &Round<'_, '_>, imp: usize, fact: Fact, wanted: bool, assumed: bool) -> bool {
    let context = round.request.context;
    let is_there = match fact {
        Fact::Segment { segment, confidence_min } => round.person.is_in(segment, confidence_min).unwrap_or(assumed),
        Fact::Exchange(exchange) => context.exchange == exchange,
        Fact::Country(country) => context.country == Some(country),
        Fact::Region(country, region) => context.country == Some(country) && context.region == Some(region),
        Fact::Device(device) => context.device == device,
        Fact::Size(size) => round.request.opportunities[imp].sizes.contains(&size),
    };
    is_there == wanted
}
