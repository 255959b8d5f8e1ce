//! A campaign that bids on simulated auctions on money that the real ledger lends it, at the multiplier it is told.

use std::collections::VecDeque;

use decision::ids::ShardId;
use decision::time::Micros;
use ledger::Ledger;
use proto::wire::{
    CampaignBudget, CampaignStop, JournalEntry, LeaseAsk, LeaseReturn, LocalTime, Notice, NoticeKind, Pacing, Sealed,
    Tick, journal_entry::Input, lease_record::Event,
};

use super::market::{Auction, DAY_S, SECOND};

/// Seconds between two asks.
pub(super) const STEP_S: i64 = 10;
const FULL: u32 = 1_000_000;

#[derive(Clone)]
pub(super) struct Campaign {
    pub(super) ledger: Ledger,
    daily: i64,
    /// The advertiser's own daily budget.
    advertiser_daily: Option<i64>,
    clock: Option<LocalTime>,
    delay_s: i64,
    asks: u64,
    impressions: u128,
    demand: i64,
    pub(super) multiplier_ppm: u32,
    /// Wins whose billing notices are on their way.
    pending: VecDeque<Notice>,
}

/// What a day came to.
#[derive(Clone, Debug, Default)]
pub(super) struct Day {
    pub(super) value: f64,
    /// Nanos booked in each hour.
    pub(super) hours: Vec<f64>,
    /// The multiplier at the end of each hour.
    pub(super) multipliers: Vec<u32>,
    /// The part of the day after which less than a hundredth of the budget was left; 1: never.
    pub(super) exhausted_at: f64,
}

impl Day {
    pub(super) fn spent(&self) -> f64 {
        self.hours.iter().sum()
    }

    /// The root of the mean square of what the hours differ from the plan by, of the mean hour.
    pub(super) fn error(&self, plan: &[f64], budget: f64) -> f64 {
        let squares = self.hours.iter().zip(plan).map(|(spent, share)| (spent / budget - share).powi(2));
        let hours = plan.len() as f64;
        (squares.sum::<f64>() / hours).sqrt() * hours
    }
}

impl Campaign {
    pub(super) fn new(pacing: Pacing, daily: f64, delay_s: i64, clock: Option<LocalTime>) -> Self {
        let daily = daily as i64;
        let mut campaign = Self {
            ledger: Ledger::new(ShardId(0)),
            daily,
            advertiser_daily: None,
            clock,
            delay_s,
            asks: 0,
            impressions: 0,
            demand: 0,
            multiplier_ppm: FULL,
            pending: VecDeque::new(),
        };
        campaign.publish(0, pacing);
        campaign
    }

    pub(super) fn publish(&mut self, at: i64, pacing: Pacing) {
        let budget = self.budget(pacing);
        self.fold(at, Input::Budget(budget));
    }

    fn budget(&self, pacing: Pacing) -> CampaignBudget {
        CampaignBudget {
            campaign: 1,
            advertiser: 1,
            currency: "EUR".into(),
            daily: self.daily,
            advertiser_daily: self.advertiser_daily,
            total: i64::MAX,
            until: 365 * 100 * DAY_S * SECOND,
            pacing: pacing.into(),
            local_time: self.clock.clone(),
            ..CampaignBudget::default()
        }
    }

    /// The advertiser may spend no more than so much on all its campaigns.
    pub(super) fn limit_advertiser(&mut self, daily: f64) {
        self.advertiser_daily = Some(daily as i64);
        self.publish(0, Pacing::Even);
    }

    /// Another campaign of the same advertiser, that never bids.
    pub(super) fn add_idle(&mut self, campaign: u32) {
        let budget = CampaignBudget { campaign, ..self.budget(Pacing::Even) };
        self.fold(0, Input::Budget(budget));
    }

    pub(super) fn stop(&mut self, at: i64) {
        self.fold(at, Input::Stop(CampaignStop { campaign: 1, ..CampaignStop::default() }));
    }

    fn fold(&mut self, at: i64, input: Input) -> Option<(u64, i64)> {
        let sequence = self.ledger.sequence() + 1;
        let entry = JournalEntry { sequence, epoch: 1, at, input: Some(input), ..JournalEntry::default() };
        let mut grant = None;
        for record in self.ledger.apply(&entry).unwrap().leases {
            match record.event {
                Some(Event::Pace(pace)) => self.multiplier_ppm = pace.multiplier_ppm,
                Some(Event::Grant(granted)) => {
                    self.multiplier_ppm = if granted.multiplier_ppm == 0 { FULL } else { granted.multiplier_ppm };
                    grant = Some((granted.lease, granted.amount));
                }
                _ => {}
            }
            assert!((1..=FULL).contains(&self.multiplier_ppm));
        }
        grant
    }

    /// Plays a day of auctions.
    pub(super) fn play(&mut self, day: i64, auctions: &[Auction]) -> Day {
        let mut played = Day { exhausted_at: 1.0, ..Day::default() };
        let (mut next, start) = (0, self.spent());
        let mut before = start;
        for second in (day * DAY_S..(day + 1) * DAY_S).step_by(STEP_S as usize) {
            let behind = next + auctions[next..].partition_point(|auction| auction.second < second + STEP_S);
            played.value += self.step(second, &auctions[next..behind]);
            next = behind;
            let passed = second + STEP_S - day * DAY_S;
            if played.exhausted_at == 1.0 && self.spent() - start > 0.99 * self.daily as f64 {
                played.exhausted_at = passed as f64 / DAY_S as f64;
            }
            if passed % 3_600 == 0 {
                played.hours.push(self.spent() - before);
                played.multipliers.push(self.multiplier_ppm);
                before = self.spent();
            }
        }
        played
    }

    fn spent(&self) -> f64 {
        self.ledger.total().spent as f64
    }

    /// Asks for money, bids for a while, hands the rest back. The value bought.
    fn step(&mut self, second: i64, auctions: &[Auction]) -> f64 {
        let at = second * SECOND;
        while self.pending.front().is_some_and(|notice| notice.at <= at) {
            let notice = self.pending.pop_front().unwrap();
            self.fold(at, Input::Notice(notice));
        }
        if self.ledger.is_tick_due(Micros(at)) {
            self.fold(at, Input::Tick(Tick {}));
        }
        self.asks += 1;
        let (demand, amount) = (std::mem::take(&mut self.demand), (self.daily / 20).max(100_000_000));
        let ask = LeaseAsk {
            node: 1,
            campaign: 1,
            ask: self.asks,
            amount,
            demand,
            demand_us: (STEP_S * SECOND).unsigned_abs(),
        };
        let (lease, mut left) = self.fold(at, Input::Ask(ask)).unwrap();
        let mut value = 0.0;
        for auction in auctions {
            self.demand += auction.value as i64;
            let bid = (auction.value as i64 as i128 * i128::from(self.multiplier_ppm) / 1_000_000) as i64;
            assert!(bid <= auction.value as i64, "never above the full price");
            let price = auction.price as i64;
            if price < bid && bid <= left {
                left -= price;
                value += auction.value;
                let notice = self.notice(auction.second, lease, bid, price);
                self.pending.push_back(notice);
            }
        }
        if lease > 0 {
            self.fold(at, Input::Return(LeaseReturn { node: 1, campaign: 1, lease, amount: left }));
        }
        value
    }

    fn notice(&mut self, second: i64, lease: u64, bid: i64, price: i64) -> Notice {
        self.impressions += 1;
        let bid_at = second * SECOND;
        Notice {
            kind: NoticeKind::Billing.into(),
            impression: self.impressions.to_le_bytes().into(),
            at: bid_at + self.delay_s * SECOND,
            billable: true,
            price: Some(price),
            sealed: Some(Sealed {
                campaign: 1,
                advertiser: 1,
                lease,
                price: bid,
                rate: 1_000_000_000,
                bid_at,
                expires_at: bid_at + 3_600 * SECOND,
                ..Sealed::default()
            }),
            ..Notice::default()
        }
    }
}
