//! What a run is to be: its fault, when it strikes, and campaigns whose budgets the traffic reaches, or nearly.

use std::fmt::Write;
use std::io::{self, Error};
use std::time::Duration;

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use serde::{Deserialize, Serialize};

use super::{Fault, Settings};

/// Bidders of a run.
pub(super) const BIDDERS: usize = 4;
/// Seconds of traffic before the fault, drawn anew for each run.
const BEFORE_S: std::ops::Range<f64> = 12.0..22.0;
/// Seconds of traffic after it: what bids that were not won had held is free again by then, and spent.
const AFTER_S: f64 = 75.0;
/// Seconds of a fault in which budgets are spent, whatever fails: those of a lease.
const LEASE_S: f64 = 30.0;
/// US dollars for one euro.
pub(super) const EURO: &str = "rates.EUR = 1.0845\n";
const EURO_IN_DOLLARS: f64 = 1.0845;
/// Sizes that the exchange asks for, each in a quarter of the impressions.
const SIZES: [(u32, u32); 4] = [(300, 250), (728, 90), (320, 50), (160, 600)];
/// Impressions of a size for each request.
const IMPRESSIONS: f64 = 1.25 / 4.0;
/// What the traffic spends on a campaign that bids 5 or 3 a thousand, in units for each impression it may bid for: the
/// share of auctions it wins by the mean price. Who bids 3 gets what the other leaves.
const SPENT_AT_5: f64 = 0.83 * 0.0041;
const SPENT_AT_3: f64 = 0.5 * 0.5 * 0.0025;
/// How many times its daily budget the traffic would spend on a campaign.
const DEMAND: std::ops::Range<f64> = 0.7..3.0;
/// A paced campaign may spend in a run about what a day has for so long.
const PARTS_OF_DAY: f64 = 600.0;

/// A run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Plan {
    /// Its number, from 1.
    pub(super) run: u32,
    /// What it was drawn with.
    pub(super) seed: u64,
    /// What fails.
    pub(super) fault: Fault,
    /// Which bidder fails, where one does.
    pub(super) victim: usize,
    /// Requests a second.
    pub(super) rate: u32,
    /// Seconds of traffic before the fault, of the fault, and after it.
    pub(super) seconds: [f64; 3],
    /// The campaigns.
    pub(super) campaigns: Vec<Campaign>,
}

/// A campaign. Each size has one that bids more and one that bids less.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Campaign {
    pub(super) name: String,
    pub(super) advertiser: String,
    /// Width and height of its only creative.
    pub(super) size: (u32, u32),
    /// What it bids for a thousand, in units of its advertiser's currency.
    pub(super) cpm: u32,
    /// In nanos of that currency.
    pub(super) daily_nanos: i64,
    pub(super) terms: Terms,
}

/// What a campaign asks for besides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Terms {
    /// Buys until the budget is spent.
    Asap,
    /// Has a frequency cap besides.
    Capped,
    /// Spreads the budget over the day.
    Paced,
}

impl Plan {
    /// The run of that number.
    ///
    /// # Errors
    /// It is an upgrade, and there is nothing to upgrade from.
    pub(super) fn of(settings: &Settings, run: u32) -> io::Result<Self> {
        let seed = settings.seed.wrapping_mul(1_000_003).wrapping_add(run.into());
        let mut random = SmallRng::seed_from_u64(seed);
        let fault = settings.fault.unwrap_or_else(|| Fault::of_run(run, settings.old.is_some()));
        if fault == Fault::RollingUpgrade && settings.old.is_none() {
            return Err(Error::other("an upgrade needs an older program: --old"));
        }
        let seconds = [random.random_range(BEFORE_S), settings.outage.as_secs_f64(), AFTER_S];
        let victim = random.random_range(0..BIDDERS);
        let spending = seconds[0] + seconds[1].min(LEASE_S) + seconds[2];
        let of = |at| campaign(&mut random, fault, f64::from(settings.rate) * spending, at);
        let campaigns = (0..2 * SIZES.len()).map(of).collect();
        Ok(Self { run, seed, fault, victim, rate: settings.rate, seconds, campaigns })
    }

    /// A part of the run's time.
    pub(super) fn time(&self, part: usize) -> Duration {
        Duration::from_secs_f64(self.seconds[part])
    }

    /// The campaigns and what they refer to, as one file for `vernier apply`.
    pub(super) fn file(&self) -> String {
        let mut text = String::new();
        for (advertiser, currency) in [("north", "USD"), ("south", "EUR")] {
            let _infallible =
                writeln!(text, "---\nadvertiser: {advertiser}\ncurrency: {currency}\ndomain: {advertiser}.example");
        }
        for segment in ["members", "buyers"] {
            let _infallible = writeln!(
                text,
                "---\nsegment: {segment}\ndescription: Half of the people.\nowner: money@faults.example\nretention_days: 1"
            );
        }
        self.campaigns.iter().for_each(|campaign| campaign.write(&mut text));
        text
    }
}

/// One of the campaigns, of which so many requests are to reach the budget.
fn campaign(random: &mut SmallRng, fault: Fault, requests: f64, at: usize) -> Campaign {
    let (size, dear) = (SIZES[at / 2], at.is_multiple_of(2));
    let terms = match at {
        // Older programs know nothing of pacing.
        2 | 5 if fault != Fault::RollingUpgrade => Terms::Paced,
        1 | 4 => Terms::Capped,
        _ => Terms::Asap,
    };
    let (advertiser, unit) = if at.is_multiple_of(3) { ("south", EURO_IN_DOLLARS) } else { ("north", 1.0) };
    let (cpm, spent) = if dear { (5, SPENT_AT_5) } else { (3, SPENT_AT_3) };
    let parts = if terms == Terms::Paced { PARTS_OF_DAY } else { 1.0 };
    let demand = parts * requests * IMPRESSIONS * spent / unit;
    let daily_nanos = (1e9 * demand / random.random_range(DEMAND)) as i64;
    let name = format!("{}x{}-at-{cpm}", size.0, size.1);
    Campaign { name, advertiser: advertiser.to_owned(), size, cpm, daily_nanos, terms }
}

impl Campaign {
    fn write(&self, text: &mut String) {
        let Self { name, advertiser, size: (width, height), cpm, daily_nanos, terms } = self;
        let daily = format!("{}.{:09}", daily_nanos / 1_000_000_000, daily_nanos % 1_000_000_000);
        let terms = match terms {
            Terms::Asap => "",
            Terms::Capped => "frequency_caps: [{per: campaign, count: 5, window: 10m}]\n",
            Terms::Paced => "pacing: even\n",
        };
        let _infallible = write!(
            text,
            "---
campaign: {name}
advertiser: {advertiser}
flight: {{from: 2026-01-01, until: 2036-01-01}}
budget: {{daily: {daily}, total: 1000000}}
bids: {{default: {cpm}, max: {cpm}}}
{terms}when_audience_unknown: bid
creatives:
  - creative: only
    size: {width}x{height}
    variants:
      - {{variant: only, markup: '<a href=\"${{CLICK_URL}}\">{name}</a>', landing_url: 'https://{advertiser}.example/'}}
"
        );
    }
}
