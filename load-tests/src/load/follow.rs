//! What follows a bid: notices of the exchange, a view and a click, at the rates and after the times of practice.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::{Duration, Instant};

use rand::RngExt;
use rand::rngs::SmallRng;
use serde::Deserialize;

use super::target::Target;
use crate::exchange::notices::find_url;

/// The share of bids that win.
const WON: f64 = 0.2;
/// Of those that won, the share that is seen; of these, that is clicked.
const SEEN: f64 = 0.7;
const CLICKED: f64 = 0.003;
/// The share of notices that come twice.
const TWICE: f64 = 0.02;
/// The longest times, in milliseconds, from an answer to its win or loss, from there to the billing, to the view, and
/// from a view to the click.
const PAUSES_MS: [u64; 4] = [50, 500, 1_000, 5_000];
/// What the winner pays of what it bid; the loser is told that so much more was needed.
const PAID: f64 = 0.8;
const NEEDED: f64 = 1.1;

/// The part of a bid response that notices are made from.
#[derive(Debug, Deserialize)]
struct Response<'a> {
    #[serde(borrow, default)]
    seatbid: Vec<SeatBid<'a>>,
}

#[derive(Debug, Deserialize)]
struct SeatBid<'a> {
    #[serde(borrow, default)]
    bid: Vec<Bid<'a>>,
}

#[derive(Debug, Deserialize)]
struct Bid<'a> {
    price: f64,
    #[serde(borrow)]
    nurl: Option<Cow<'a, str>>,
    #[serde(borrow)]
    burl: Option<Cow<'a, str>>,
    #[serde(borrow)]
    lurl: Option<Cow<'a, str>>,
    #[serde(borrow)]
    adm: Option<Cow<'a, str>>,
}

/// Calls of a bidder that are due some day.
#[derive(Debug, Default)]
pub(super) struct Calls {
    due: BinaryHeap<Reverse<(Instant, u64)>>,
    paths: std::collections::BTreeMap<u64, String>,
    number: u64,
}

impl Calls {
    /// When the next one is due.
    pub(super) fn next(&self) -> Option<Instant> {
        self.due.peek().map(|Reverse((due, _))| *due)
    }

    /// The path of one that is due by `now`.
    pub(super) fn take(&mut self, now: Instant) -> Option<(Instant, String)> {
        let due = self.next().filter(|due| *due <= now)?;
        let Reverse((_, number)) = self.due.pop()?;
        self.paths.remove(&number).map(|path| (due, path))
    }

    /// How many are not due yet.
    pub(super) fn len(&self) -> usize {
        self.due.len()
    }

    /// Plays the auctions that the bids of an answer take part in, and all that comes of them.
    pub(super) fn follow(&mut self, body: &[u8], target: &Target, now: Instant, random: &mut SmallRng) {
        let Ok(response) = serde_json::from_slice::<Response<'_>>(body) else { return };
        for bid in response.seatbid.iter().flat_map(|seat| &seat.bid) {
            let mut at = |since: Instant, stage: usize| {
                since + Duration::from_micros(random.random_range(0..=1_000 * PAUSES_MS[stage]))
            };
            let settled = at(now, 0);
            let (billed, seen) = (at(settled, 1), at(settled, 2));
            let clicked = at(seen, 3);
            let mut call = |url: Option<&str>, due: Instant, random: &mut SmallRng| {
                self.add(url.and_then(|url| target.path_of(url)), bid.price, due, random);
            };
            if !random.random_bool(WON) {
                call(bid.lurl.as_deref(), settled, random);
                continue;
            }
            call(bid.nurl.as_deref(), settled, random);
            call(bid.burl.as_deref(), billed, random);
            let markup = bid.adm.as_deref().unwrap_or_default();
            if random.random_bool(SEEN) {
                call(find_url(markup, "/n/view/").as_deref(), seen, random);
                if random.random_bool(CLICKED) {
                    call(find_url(markup, "/n/click/").as_deref(), clicked, random);
                }
            }
        }
    }

    fn add(&mut self, path: Option<&str>, price: f64, due: Instant, random: &mut SmallRng) {
        let Some(path) = path else { return };
        let path = path
            .replace("${AUCTION_PRICE}", &format!("{:.6}", price * PAID))
            .replace("${AUCTION_LOSS}", "102")
            .replace("${AUCTION_MIN_TO_WIN}", &format!("{:.6}", price * NEEDED));
        for _ in 0..1 + u32::from(random.random_bool(TWICE)) {
            self.number += 1;
            self.due.push(Reverse((due, self.number)));
            self.paths.insert(self.number, path.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    #[test]
    fn bids_win_and_lose_and_are_told_so() {
        let bid = |url: &str| format!("\"{url}\":\"http://127.0.0.1:1/n/{url}/t?p=${{AUCTION_PRICE}}\"");
        let answer = format!(
            r#"{{"id":"1","seatbid":[{{"bid":[{{"price":2.5,{},{},{},"adm":"<img src='http://127.0.0.1:1/n/view/t'>"}}]}}]}}"#,
            bid("nurl"),
            bid("burl"),
            bid("lurl")
        );
        let (mut calls, mut random, start) = (Calls::default(), SmallRng::seed_from_u64(1), Instant::now());
        let target = Target::new("http://127.0.0.1:1/bid/x").unwrap();
        for _ in 0..10_000 {
            calls.follow(answer.as_bytes(), &target, start, &mut random);
        }
        let mut counts = std::collections::BTreeMap::<String, usize>::new();
        let mut last = start;
        while let Some((due, path)) = calls.take(start + Duration::from_secs(60)) {
            assert!(due >= last && !path.contains("${"), "{path}");
            last = due;
            *counts.entry(path).or_default() += 1;
        }
        let count = |path: &str| counts.get(path).copied().unwrap_or_default() as f64;
        let near = |path: &str, mean: f64| (count(path) - mean).abs() < 6.0 * mean.sqrt();
        assert!(near("/n/lurl/t?p=2.000000", 8_160.0), "{counts:?}");
        assert!(near("/n/nurl/t?p=2.000000", 2_040.0) && near("/n/burl/t?p=2.000000", 2_040.0), "{counts:?}");
        assert!(near("/n/view/t", 1_428.0), "{counts:?}");
        assert_eq!(calls.len(), 0);
    }
}
