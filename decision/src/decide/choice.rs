//! Which of the offers for an opportunity becomes the bid.

use core::cmp::Reverse;

use super::caps::Seen;
use super::offer::Competitor;
use super::{Auction, Round, Scratch};
use crate::campaign::Campaign;
use crate::ids::CreativeId;
use crate::money::Nanos;
use crate::outcome::{Arm, Bid, Decision, Ghost, Grounds, NoBidReason, Reservation, Slot, Trace};

/// A competitor's place: highest price first, then the lots drawn by the seed, then the lower campaign id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Rank {
    price: Reverse<Nanos>,
    lot: u64,
    /// The place among the competitors, which stand by ascending campaign id.
    pub(crate) competitor: u32,
}

/// Goes through the offers, best first, until one becomes the bid. Those of held-out people on the way become ghosts:
/// with all others as they are, each of them would have won. `closest` is the reason where nobody had an offer.
pub(crate) fn choose(
    round: &Round<'_, '_>,
    scratch: &mut Scratch,
    auction: &Auction,
    closest: NoBidReason,
    reserve: &mut impl FnMut(Slot, Nanos) -> bool,
    trace: &mut impl Trace,
) -> Decision {
    let Scratch { competitors, ranking, .. } = scratch;
    let rank = |(at, one): (u32, &Competitor)| Rank { price: Reverse(one.price.bid_cpm), lot: one.lot, competitor: at };
    ranking.extend((0..).zip(competitors.iter()).map(rank));
    let mut first = None;
    for place in 0..scratch.ranking.len() {
        bring_forward(&mut scratch.ranking, place);
        let competitor = *scratch.ranked(place);
        let campaign = round.index.campaign(competitor.slot);
        let offer = round.offer(&competitor, auction.currency);
        let reason = if offer.arm == Arm::HeldOut {
            let grounds = scratch.grounds(round, &competitor, campaign, offer.creative);
            scratch.ghosts.push(Ghost { imp: auction.imp, offer, grounds });
            NoBidReason::HeldOut
        } else if !reserve(offer.slot, offer.campaign_price) {
            NoBidReason::NoLease
        } else {
            for outbid in place + 1..scratch.ranking.len() {
                let slot = scratch.ranked(outbid).slot;
                trace.refused(auction.imp, round.index.campaign(slot), NoBidReason::Outbid);
            }
            let reservation = Reservation::new(offer.slot, offer.campaign_price);
            let grounds = scratch.grounds(round, &competitor, campaign, offer.creative);
            return Decision::Bid(Bid { offer, grounds, reservation });
        };
        trace.refused(auction.imp, campaign, reason);
        first = first.or(Some(reason));
    }
    Decision::NoBid(first.unwrap_or(closest))
}

/// Puts the best rank of those from `place` on there. Nearly always the first few are all that is asked for; where it
/// is not so, sorting once is less work than looking again and again.
fn bring_forward(ranking: &mut [Rank], place: usize) {
    const LOOKS_MAX: usize = 8;
    let rest = &mut ranking[place..];
    if place == LOOKS_MAX {
        rest.sort_unstable();
    } else if place < LOOKS_MAX
        && let Some((best, _)) = rest.iter().enumerate().min_by_key(|(_, rank)| **rank)
    {
        rest.swap(0, best);
    }
}

impl Scratch {
    fn ranked(&self, place: usize) -> &Competitor {
        &self.competitors[self.ranking[place].competitor as usize]
    }

    /// Notes what an offer was computed from.
    fn grounds(
        &mut self,
        round: &Round<'_, '_>,
        competitor: &Competitor,
        campaign: &Campaign,
        creative: CreativeId,
    ) -> Grounds {
        let seen = Seen { person: round.person, bids: &self.bids };
        self.caps.push(seen.counts(campaign, creative));
        Grounds { price: competitor.price, caps: self.caps.len() as u32 - 1 }
    }
}
