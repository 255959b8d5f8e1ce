//! What pacing is measured against: the best that could have been bought by who knew every price, and simple rules.

use super::market::Auction;

/// Whether an auction would be won at the full price, which is its value.
fn is_wanted(auction: &&Auction) -> bool {
    auction.price < auction.value
}

/// What everything costs that would be won without a budget.
pub(super) fn demand(auctions: &[Auction]) -> f64 {
    auctions.iter().filter(is_wanted).map(|auction| auction.price).sum()
}

/// The value of the best that a budget buys: by value for the money, and of the last one a part.
pub(super) fn hindsight(auctions: &[Auction], budget: f64) -> f64 {
    let mut wanted: Vec<&Auction> = auctions.iter().filter(is_wanted).collect();
    wanted.sort_by(|a, b| (b.value / b.price).total_cmp(&(a.value / a.price)));
    let (mut left, mut value) = (budget, 0.0);
    for auction in wanted {
        let part = (left / auction.price).clamp(0.0, 1.0);
        value += part * auction.value;
        left -= part * auction.price;
    }
    value
}

/// What bidding the value times `multiplier` on a `share` of the auctions buys until the budget is used up.
pub(super) fn simple(auctions: &[Auction], budget: f64, multiplier: f64, share: f64) -> f64 {
    let (mut left, mut value, mut turn) = (budget, 0.0, 0.0);
    for auction in auctions {
        turn += share;
        if turn < 1.0 {
            continue;
        }
        turn -= 1.0;
        let bid = auction.value * multiplier;
        if auction.price < bid && bid <= left {
            left -= auction.price;
            value += auction.value;
        }
    }
    value
}

/// The multiplier that would have spent the budget on these auctions.
pub(super) fn tuned(auctions: &[Auction], budget: f64) -> f64 {
    let mut wanted: Vec<&Auction> = auctions.iter().filter(is_wanted).collect();
    wanted.sort_by(|a, b| (b.value / b.price).total_cmp(&(a.value / a.price)));
    let mut cost = 0.0;
    for auction in wanted {
        cost += auction.price;
        if cost > budget {
            return auction.price / auction.value;
        }
    }
    1.0
}
