//! The rules of the auction.

use rand::{Rng, RngExt};

/// How an auction ended for one bid. Prices are CPM in micros.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sale {
    /// It was the highest.
    Won {
        /// What is paid.
        price_cpm: i64,
    },
    /// It was not.
    Lost {
        /// OpenRTB loss reason.
        reason: u32,
        /// The least that would have won.
        to_win_cpm: i64,
    },
}

/// Below the floor.
const BELOW_FLOOR: u32 = 100;
/// Another bid was higher.
const OUTBID: u32 = 102;
/// What a second-price winner pays above the second price: one cent a thousand.
const INCREMENT_CPM: i64 = 10_000;

/// Holds an auction of `bid_cpm` against `competitors`. Who bids the same as another loses.
pub fn hold(second_price: bool, floor_cpm: i64, bid_cpm: i64, competitors: &[i64]) -> Sale {
    let best = competitors.iter().copied().filter(|price| *price >= floor_cpm).max();
    let to_win_cpm = best.map_or(floor_cpm, |best| best + 1);
    if bid_cpm < floor_cpm {
        return Sale::Lost { reason: BELOW_FLOOR, to_win_cpm };
    }
    match best {
        Some(best) if best >= bid_cpm => Sale::Lost { reason: OUTBID, to_win_cpm },
        _ if second_price => Sale::Won { price_cpm: (best.unwrap_or(floor_cpm) + INCREMENT_CPM).min(bid_cpm) },
        _ => Sale::Won { price_cpm: bid_cpm },
    }
}

/// Bids of none to three others, around 2.50 a thousand: the exponential of a sum of uniform numbers is close to lognormal.
pub fn competitors(random: &mut impl Rng) -> Vec<i64> {
    let count = random.random_range(0..=3);
    let normal = |random: &mut dyn FnMut() -> f64| (0..12).map(|_| random()).sum::<f64>() - 6.0;
    let mut uniform = || random.random::<f64>();
    (0..count).map(|_| (2_500_000.0 * (0.6 * normal(&mut uniform)).exp()) as i64).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `check("first 0.5 2 1,3", "lost 102 3.000001")`: auction, floor, bid, competitors.
    fn check(auction: &str, expected: &str) {
        let words: Vec<&str> = auction.split(' ').collect();
        let cpm = |text: &str| (text.parse::<f64>().expect("a price") * 1e6).round() as i64;
        let competitors: Vec<i64> = words[3].split(',').filter(|text| !text.is_empty()).map(cpm).collect();
        let said = match hold(words[0] == "second", cpm(words[1]), cpm(words[2]), &competitors) {
            Sale::Won { price_cpm } => format!("won {}", price_cpm as f64 / 1e6),
            Sale::Lost { reason, to_win_cpm } => format!("lost {reason} {}", to_win_cpm as f64 / 1e6),
        };
        assert_eq!(said, expected, "{auction}");
    }

    #[test]
    fn the_highest_bid_wins_and_pays_by_the_rule() {
        check("first 0.5 2 1,1.5", "won 2");
        check("second 0.5 2 1,1.5", "won 1.51");
        check("second 0.5 2 ", "won 0.51");
        check("second 0.5 2 1.995", "won 2");
        check("second 0.5 2 0.4", "won 0.51");
    }

    #[test]
    fn others_lose_and_hear_why() {
        check("first 0.5 2 3,1", "lost 102 3.000001");
        check("first 0.5 2 2", "lost 102 2.000001");
        check("first 0.5 0.4 ", "lost 100 0.5");
    }
}
