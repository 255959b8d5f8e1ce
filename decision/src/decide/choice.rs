//! Which of the offers for an opportunity becomes the bid.

use core::cmp::Reverse;

use super::caps::Seen;
use super::{Auction, Round, Scratch};
use crate::money::Nanos;
use crate::outcome::{Arm, Bid, Decision, Ghost, Grounds, NoBidReason, Offer, PriceSteps, Reservation, Slot, Trace};

/// A campaign that competes, by its place among the others: highest price first, then the lots drawn by the seed, then
/// the lower campaign id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Rank {
    price: Reverse<Nanos>,
    lot: u64,
    pub(crate) slot: Slot,
    /// What its price was multiplied by: read once, since it may change at any moment.
    pub(crate) pace_ppm: u32,
}

impl Rank {
    pub(crate) fn new(price: Nanos, lot: u64, slot: Slot, pace_ppm: u32) -> Self {
        Self { price: Reverse(price), lot, slot, pace_ppm }
    }
}

/// Goes through the campaigns that compete, best first, until one bids. Offers to held-out people on the way become
/// ghosts: with all others as they are, each of them would have won. `closest` is the reason where nobody competes.
pub(crate) fn choose(
    round: &Round<'_, '_>,
    scratch: &mut Scratch,
    auction: &Auction,
    closest: NoBidReason,
    reserve: &mut impl FnMut(Slot, Nanos) -> bool,
    trace: &mut impl Trace,
) -> Decision {
    let mut first = None;
    for place in 0..scratch.ranking.len() {
        bring_forward(&mut scratch.ranking, place);
        let rank = scratch.ranking[place];
        let slot = rank.slot;
        let reason = match round.offer(scratch, auction, rank) {
            Ok((offer, price)) if offer.arm == Arm::HeldOut => {
                let grounds = scratch.grounds(round, &offer, price);
                scratch.ghosts.push(Ghost { imp: auction.imp, offer, grounds });
                NoBidReason::HeldOut
            }
            Ok((offer, price)) if reserve(slot, offer.campaign_price) => {
                let reservation = Reservation::new(slot, offer.campaign_price);
                for outbid in &scratch.ranking[place + 1..] {
                    trace.refused(auction.imp, round.index.campaign(outbid.slot), NoBidReason::Outbid);
                }
                return Decision::Bid(Bid { offer, grounds: scratch.grounds(round, &offer, price), reservation });
            }
            Ok(_) => NoBidReason::NoLease,
            Err(reason) => reason,
        };
        trace.refused(auction.imp, round.index.campaign(slot), reason);
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
    /// Notes what an offer was computed from.
    fn grounds(&mut self, round: &Round<'_, '_>, offer: &Offer, price: PriceSteps) -> Grounds {
        let seen = Seen { index: round.index, person: &round.person, bids: &self.bids, ghosts: &self.ghosts };
        self.caps.push(seen.counts(offer));
        Grounds { price, caps: self.caps.len() as u32 - 1 }
    }
}
