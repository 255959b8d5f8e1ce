//! One decision on a request with two impressions, by number of campaigns: time, and allocations, of which there must be
//! none once the scratch is warm.
//!
//! Every request has a person with 8 segments and 10 impressions, block lists of 20 domains and 5 categories, and at
//! least 20 campaigns that compete for each impression (but where there are only ten). A sample goes once through all
//! requests, so that every sample is a mean.

use decision::campaign::Campaign;
use decision::decide::{BidRequest, Decided, Scratch, decide};
use decision::ids::{CampaignId, Currency, Label, PersonKey};
use decision::index::CampaignIndex;
use decision::money::Nanos;
use decision::opportunity::{Context, Opportunity};
use decision::outcome::{NoBidReason, PriceSteps, Silent, Trace};
use decision::profile::{Audience, CapScope, Impression, Membership, Profile};
use decision::targeting::{DeviceType, Size};
use decision::time::Seconds;
use divan::{AllocProfiler, Bencher, black_box};

mod campaigns;
mod index;

use campaigns::{COUNTRIES, DEVICES, Dice, EXCHANGES, SIZES, label, segment};

#[global_allocator]
static ALLOC: AllocProfiler = AllocProfiler::system();

fn main() {
    divan::main();
}

const NOW: Seconds = Seconds(1_800_000_000);
const REQUESTS: usize = 256;
const ELIGIBLE_MIN: usize = 20;
const FLOOR: Nanos = Nanos::of_one_impression(300_000);
#[divan::bench(args = [10, 1_000, 10_000, 100_000, 1_000_000], sample_size = REQUESTS as u32)]
fn decide_two_imps(bencher: Bencher<'_, '_>, campaigns: usize) {
    let index = campaigns::index(campaigns::campaigns(campaigns));
    let mut scratch = Scratch::default();
    let mut dice = Dice(7);
    let wanted = if campaigns < 100 { 1 } else { ELIGIBLE_MIN };
    let mut asks = Vec::with_capacity(REQUESTS);
    let mut competing = 0;
    while asks.len() < REQUESTS {
        let ask = Ask::new(&mut dice);
        let eligible = ask.eligible(&index, &mut scratch);
        if eligible.iter().all(|count| *count >= wanted) {
            competing += eligible.iter().sum::<usize>();
            asks.push(ask);
        }
    }
    println!("{campaigns} campaigns: {:.1} eligible an imp", competing as f64 / (2 * REQUESTS) as f64);
    let mut next = 0;
    bencher.bench_local(|| {
        next = (next + 1) % REQUESTS;
        asks[next].decide(&index, &mut scratch, &mut Silent, |decided| black_box(decided.decisions.count()))
    });
}

/// Counts the offers at or above the floor.
struct Offers([usize; 2]);

impl Trace for Offers {
    const EXPLAINS: bool = false;

    fn priced(&mut self, imp: usize, _: &Campaign, steps: PriceSteps) {
        self.0[imp] += usize::from(steps.bid_cpm >= FLOOR);
    }

    fn refused(&mut self, _: usize, _: &Campaign, _: NoBidReason) {}
}

struct Ask {
    exchange: &'static str,
    country: &'static str,
    region: String,
    device: DeviceType,
    sizes: [Vec<Size>; 2],
    memberships: Vec<Membership>,
    impressions: Vec<Impression>,
    person: PersonKey,
    seed: u64,
}

impl Ask {
    fn new(dice: &mut Dice) -> Self {
        let mut memberships: Vec<Membership> = (0..8)
            .map(|_| Membership { segment: segment(dice), until: NOW + 3_600, confidence: 50 + dice.below(50) as u8 })
            .collect();
        while {
            memberships.sort_unstable();
            memberships.dedup_by_key(|membership| membership.segment);
            memberships.len() < 8
        } {
            memberships.push(Membership { segment: segment(dice), until: NOW + 3_600, confidence: 90 });
        }
        let impression = |campaign| Impression { scope: CapScope::Campaign(CampaignId(campaign)), at: NOW - 100 };
        Self {
            exchange: dice.of(&EXCHANGES),
            country: dice.skewed(&COUNTRIES),
            region: format!("R{}", dice.below(16)),
            device: dice.skewed(&DEVICES),
            sizes: [vec![dice.skewed(&SIZES)], vec![dice.of(&SIZES), dice.of(&SIZES)]],
            memberships,
            impressions: (1..=10).map(|n| impression(n * 7)).collect(),
            person: PersonKey([1 + dice.below(255) as u8; 16]),
            seed: dice.next(),
        }
    }

    /// How many campaigns compete for each impression.
    fn eligible(&self, index: &CampaignIndex, scratch: &mut Scratch) -> [usize; 2] {
        let mut offers = Offers([0; 2]);
        self.decide(index, scratch, &mut offers, |decided| drop(decided));
        offers.0
    }

    fn decide<T>(
        &self,
        index: &CampaignIndex,
        scratch: &mut Scratch,
        trace: &mut impl Trace,
        read: impl FnOnce(Decided<'_>) -> T,
    ) -> T {
        let opportunity = |imp: usize| Opportunity {
            sizes: &self.sizes[imp],
            floor: FLOOR,
            floor_currency: Currency::new("USD"),
            secure: true,
            private_auction: false,
        };
        let context = Context {
            exchange: label(self.exchange),
            country: Label::new(self.country),
            region: Label::new(&self.region),
            device: self.device,
            currencies: &[label("USD")],
            exchange_fee_ppm: 0,
            blocked_domains: &BLOCKED_DOMAINS,
            blocked_categories: &["IAB7-39", "IAB8-18", "IAB9-9", "IAB24", "IAB25"],
        };
        let profile = Profile { person: self.person, memberships: &self.memberships, impressions: &self.impressions };
        let request = BidRequest {
            context: &context,
            opportunities: &[opportunity(0), opportunity(1)],
            audience: Audience::Known(profile),
            now: NOW.micros(),
            seed: self.seed,
        };
        read(decide(index, &request, scratch, |_| false, |_| 1_000_000, |_, _| true, trace))
    }
}

const BLOCKED_DOMAINS: [&str; 20] = [
    "casino-one.example",
    "casino-two.example",
    "casino-three.example",
    "rival-news.example",
    "rival-shop.example",
    "shop3.example",
    "shop33.example",
    "shop333.example",
    "tobacco.example",
    "betting.example",
    "loans.example",
    "dating.example",
    "crypto.example",
    "lottery.example",
    "weapons.example",
    "spirits.example",
    "beer.example",
    "wine.example",
    "pills.example",
    "diet.example",
];
