//! An exchange and the managers: what is auctioned, what comes of a bid, and what is published of campaigns. All of it is drawn
//! before the run, so the same seed brings the same whatever fails.

use bidder::exchange::dialect::{Billable, Dialect, Notices};
use bidder::token::{Claims, NoticeKind};
use decision::ids::ExchangeName;
use decision::money::{Fees, Nanos, Rate};
use decision::time::LocalTime;
use proto::wire::{CampaignBudget, Pacing};
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

use crate::network::{Campaign, Change};
use crate::reached::{Reach, Reached};
use crate::{DAY, SECOND};

/// How long the traffic of [`Length::Minutes`] thins out after the busy time.
const THIN_S: i64 = 2 * 3_600;

/// How long budgets have to be spent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Length {
    /// Some minutes, so that whatever goes wrong matters most. There may be a midnight in them.
    Minutes,
    /// From a midnight to the next.
    Day,
}

/// One impression that is auctioned for one campaign.
pub(crate) struct Opportunity {
    pub(crate) at: i64,
    pub(crate) machine: usize,
    pub(crate) campaign: u32,
    /// What the campaign bids for it before pacing, in its own currency.
    pub(crate) price: i64,
    /// What others bid for it, in the exchange's currency.
    market: Nanos,
    /// Of everything that follows from a bid.
    seed: u64,
}

/// One delivery of a notice, so many microseconds after the bid.
#[derive(Clone, Debug)]
pub(crate) struct Delivery {
    pub(crate) after: i64,
    pub(crate) machine: usize,
    pub(crate) kind: NoticeKind,
    pub(crate) query: String,
}

/// How well an exchange keeps to what was agreed with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manners {
    /// Notices come within the windows of its dialect.
    Punctual,
    /// It tells of a fifth of the wins by billing them only, and sometimes of a loss that was a win.
    Forgetful,
    /// It is forgetful, and bills a tenth of the impressions when the windows are over, or after the token's end.
    Overdue,
}

/// Everything that happens to the bidders of one run, but for faults.
pub(crate) struct Traffic {
    pub(crate) dialect: Dialect,
    pub(crate) machines: usize,
    pub(crate) length: Length,
    /// When the busy time begins and ends, and when the last impression is auctioned.
    pub(crate) from: i64,
    pub(crate) thin_from: i64,
    pub(crate) until: i64,
    pub(crate) opportunities: Vec<Opportunity>,
    /// What is published, and when.
    pub(crate) changes: Vec<(i64, Change)>,
    pub(crate) manners: Manners,
    /// Of so many bids all but one lose to others for sure, and nobody tells of it.
    pub(crate) crowd: u32,
}

impl Traffic {
    pub(crate) fn new(seed: u64, length: Length) -> Self {
        let mut random = SmallRng::seed_from_u64(seed);
        let r = &mut random;
        let machines = r.random_range(1..=6);
        let (from, busy, thin) = match length {
            Length::Minutes => {
                let from = 20_000 * DAY + DAY / 2 + r.random_range(0..3_600 * SECOND);
                (from, r.random_range(600..1_800) * SECOND, THIN_S * SECOND)
            }
            Length::Day => (20_000 * DAY + 60 * SECOND, DAY - 120 * SECOND, 0),
        };
        let (thin_from, until) = (from + busy, from + busy + thin);
        let billable = [Billable::Billing, Billable::Billing, Billable::View, Billable::Win][r.random_range(0..4)];
        let dialect = Dialect { billable, ..Dialect::new(ExchangeName::new("demo").unwrap()) };
        let manners =
            [Manners::Punctual, Manners::Punctual, Manners::Forgetful, Manners::Overdue][r.random_range(0..4)];
        let crowd = if r.random_bool(1.0 / 16.0) { 40 } else { 1 };
        let notices = Notices { loss: crowd == 1, ..dialect.notices };
        let dialect = Dialect { notices, ..dialect };
        let (opportunities, changes) = (Vec::new(), Vec::new());
        let mut traffic =
            Self { dialect, machines, length, from, thin_from, until, opportunities, changes, manners, crowd };
        let has_midnight = length == Length::Minutes && r.random_bool(0.5);
        let midnight = has_midnight.then(|| from + r.random_range(busy / 5..busy));
        let demand = r.random_range(0.5..3.0);
        for id in 1..=r.random_range(1..=3) {
            traffic.add_campaign(r, id, midnight, demand);
        }
        traffic.opportunities.sort_by_key(|opportunity| opportunity.at);
        traffic.changes.sort_by_key(|(at, _)| *at);
        traffic
    }

    fn add_campaign(&mut self, r: &mut SmallRng, id: u32, midnight: Option<i64>, demand: f64) {
        let campaign = self.campaign(r, id, midnight);
        let (daily, price) = (campaign.budget.daily, campaign.price_max);
        let days = 1.0 + f64::from(u8::from(midnight.is_some()));
        // Half the bids win, at some seven tenths of the highest price.
        let count = (demand * days * daily as f64 / (price as f64 * 0.35)) as usize;
        for number in 0..count * self.crowd as usize {
            let is_busy = self.until == self.thin_from || r.random_bool(0.85);
            let at = if is_busy { self.from..self.thin_from } else { self.thin_from..self.until };
            let bid = price - r.random_range(0..price / 2);
            let market = match number as u32 % self.crowd {
                0 => r.random_range(price / 5..price * 13 / 10),
                _ => 2 * price,
            };
            let market = campaign.offered(Nanos::new(market));
            let (at, machine) = (r.random_range(at), r.random_range(0..self.machines));
            self.opportunities.push(Opportunity { at, machine, campaign: id, price: bid, market, seed: r.random() });
        }
        self.changes.push((self.from - 10 * SECOND, Change::Published(campaign.clone())));
        if r.random_bool(0.3) {
            self.add_edits(r, campaign);
        }
    }

    fn campaign(&self, r: &mut SmallRng, id: u32, midnight: Option<i64>) -> Campaign {
        let price_max = r.random_range(500_000..8_000_000);
        let few = if self.length == Length::Day { 100.0 } else { 30.0 };
        let impressions = (few * 16.0_f64.powf(r.random_range(0.0..1.0))) as i64;
        let daily = price_max * impressions * 7 / 10;
        let offset_s = midnight.map_or(0, |at| (DAY - at.rem_euclid(DAY)) / SECOND);
        let clock = LocalTime::new("Etc/Somewhere".to_owned(), offset_s as i32, Vec::new()).unwrap();
        let (pacing, until) = match r.random_range(0..4) {
            0 => (Pacing::Even, self.until),
            _ => (Pacing::Asap, self.until + 10 * DAY),
        };
        let rate = [1_000_000_000, 1_084_500_001, 333_333_333][r.random_range(0..3)];
        Campaign {
            budget: CampaignBudget {
                campaign: id,
                advertiser: 1 + id % 2,
                currency: "EUR".to_owned(),
                daily,
                total: if r.random_bool(0.15) { daily * 3 / 2 } else { daily * 100 },
                from: self.from - 60 * SECOND,
                until,
                advertiser_daily: None,
                name: format!("campaign {id}"),
                pacing: pacing.into(),
                local_time: proto::campaign::local_time_record(&clock),
            },
            price_max,
            rate: Rate::new(rate).unwrap(),
            // One of them costs more than media.
            fees: if id == 2 { Fees::new(25_000, Nanos::new(40_000), 150_000).unwrap() } else { Fees::NONE },
        }
    }

    /// A manager gives it another budget, or stops it and lets it go on.
    fn add_edits(&mut self, r: &mut SmallRng, campaign: Campaign) {
        for _ in 0..r.random_range(1..=3) {
            let at = r.random_range(self.from..self.thin_from);
            if r.random_bool(0.3) {
                self.changes.push((at, Change::Stopped(campaign.budget.campaign)));
                let again = at + r.random_range(1..120) * SECOND;
                self.changes.push((again, Change::Published(campaign.clone())));
            } else {
                let mut edited = campaign.clone();
                edited.budget.daily = campaign.budget.daily * r.random_range(5..20) / 10;
                self.changes.push((at, Change::Published(edited)));
            }
        }
    }

    /// By how much longer than in the busy minutes everybody takes to see to money: what takes hours is played in bigger steps.
    pub(crate) fn slowness(&self, now: i64) -> i64 {
        let is_busy = self.length == Length::Minutes && now < self.thin_from;
        match now {
            _ if is_busy => 1,
            now if now < self.until => 7,
            _ => 30,
        }
    }

    /// Whether a manager touched the campaign during the run.
    pub(crate) fn is_edited(&self, campaign: u32) -> bool {
        let touches = |change: &Change| match change {
            Change::Published(published) => published.budget.campaign == campaign,
            Change::Stopped(stopped) => *stopped == campaign,
        };
        self.changes.iter().filter(|(_, change)| touches(change)).count() > 1
    }

    /// What is paid in the campaign's currency for an impression that is bid on in full and told of, if it is.
    pub(crate) fn worth(&self, opportunity: &Opportunity, campaign: &Campaign) -> i64 {
        let bid = campaign.offered(Nanos::new(opportunity.price));
        let mut fate = Fate::draw(self, opportunity, bid);
        let is_billed = fate.is_won && !fate.r.random_bool(fate.untold);
        let gross = || campaign.fees.parts(campaign.rate.invert_up(fate.paid)).unwrap().gross();
        if is_billed { gross().get() } else { 0 }
    }

    /// Everything that the exchange sends because of a bid.
    pub(crate) fn follow(&self, opportunity: &Opportunity, bid: &Claims<'_>, reached: &mut Reached) -> Vec<Delivery> {
        let fate = Fate::draw(self, opportunity, bid.price);
        let mut sent = Vec::new();
        if fate.is_won {
            reached.add(Reach::Won);
            fate.won(self, &mut sent, reached);
        } else {
            reached.add(Reach::Lost);
            fate.lost(self, &mut sent, reached);
        }
        sent
    }
}

/// What becomes of one bid.
struct Fate {
    r: SmallRng,
    is_won: bool,
    paid: Nanos,
    bid: Nanos,
    /// How likely it is that a notice that books money is never sent.
    untold: f64,
}

impl Fate {
    fn draw(traffic: &Traffic, opportunity: &Opportunity, bid: Nanos) -> Self {
        let mut r = SmallRng::seed_from_u64(opportunity.seed);
        let is_won = bid >= opportunity.market;
        let paid = if r.random_bool(0.5) { bid } else { bid.min(opportunity.market) };
        let untold = if traffic.manners == Manners::Punctual { 0.01 } else { 0.04 };
        Self { r, is_won, paid, bid, untold }
    }

    fn won(mut self, traffic: &Traffic, sent: &mut Vec<Delivery>, reached: &mut Reached) {
        // The first draw is the one of `worth`.
        let is_untold = self.r.random_bool(self.untold);
        let is_forgetful = traffic.manners != Manners::Punctual;
        let is_win_untold = is_forgetful && self.r.random_bool(0.2);
        let won_after = self.delay(0.2, 3.0, 0.1, 45.0);
        let billable = traffic.dialect.billable.kind();
        let mut billed_after = won_after + self.delay(0.2, 10.0, 0.15, 240.0);
        if traffic.manners == Manners::Overdue && self.r.random_bool(0.1) {
            billed_after = self.r.random_range(300..4_500) * SECOND;
            reached.add(Reach::Overdue);
        }
        if billable != NoticeKind::Win {
            if is_win_untold {
                reached.add(Reach::WinUntold);
            } else {
                self.send(traffic, won_after, NoticeKind::Win, sent, reached);
            }
        }
        if is_untold {
            reached.add(Reach::BillingUntold);
        } else {
            let after = if billable == NoticeKind::Win { won_after } else { billed_after };
            self.send(traffic, after, billable, sent, reached);
        }
        for (kind, likely) in [(NoticeKind::Billing, 0.3), (NoticeKind::View, 0.3), (NoticeKind::Click, 0.03)] {
            if kind != billable && self.r.random_bool(likely) {
                let after = billed_after + self.delay(0.2, 20.0, 0.2, 200.0);
                self.send(traffic, after, kind, sent, reached);
            }
        }
        if is_forgetful && self.r.random_bool(0.01) {
            let after = self.delay(0.1, 5.0, 0.1, 100.0);
            self.send(traffic, after, NoticeKind::Loss, sent, reached);
        }
    }

    fn lost(mut self, traffic: &Traffic, sent: &mut Vec<Delivery>, reached: &mut Reached) {
        if traffic.crowd > 1 || self.r.random_bool(0.2) {
            reached.add(Reach::LossUntold);
        } else {
            let after = self.delay(0.1, 3.0, 0.1, 50.0);
            self.send(traffic, after, NoticeKind::Loss, sent, reached);
        }
    }

    /// Mostly between the first two, with a likelihood of `rarely` up to `most`; in seconds.
    fn delay(&mut self, least: f64, usual: f64, rarely: f64, most: f64) -> i64 {
        let up_to = if self.r.random_bool(rarely) { most } else { usual };
        (self.r.random_range(least..up_to) * SECOND as f64) as i64
    }

    /// Once, or up to seven times, in any order, to any machine.
    fn send(
        &mut self,
        traffic: &Traffic,
        after: i64,
        kind: NoticeKind,
        sent: &mut Vec<Delivery>,
        reached: &mut Reached,
    ) {
        let copies = if self.r.random_bool(0.85) { 1 } else { self.r.random_range(2..=7) };
        reached.add_if(copies > 1, Reach::SentTwice);
        for copy in 0..copies {
            let later = if copy == 0 { 0 } else { self.delay(0.0, 30.0, 0.1, 300.0) };
            let machine = self.r.random_range(0..traffic.machines);
            let query = self.query(copy, traffic.manners, reached);
            sent.push(Delivery { after: after + later, machine, kind, query });
        }
    }

    fn query(&mut self, copy: u32, manners: Manners, reached: &mut Reached) -> String {
        let mut price = self.paid;
        // Nothing follows from a notice without a price, so it is as good as untold.
        let may_be_void = copy > 0 || manners != Manners::Punctual;
        match self.r.random_range(0..200) {
            0..2 if copy > 0 => {
                reached.add(Reach::OtherPrice);
                price = Nanos::new(price.get() / 2);
            }
            2..4 => price = self.bid.saturating_add(Nanos::new(self.r.random_range(1..1_000_000))),
            4 if may_be_void => return "p=${AUCTION_PRICE}".to_owned(),
            5 if may_be_void => return "p=AUDIT".to_owned(),
            _ => {}
        }
        reached.add_if(price > self.bid, Reach::AboveBid);
        let (whole, millionths) = (price.get() / 1_000_000, price.get() % 1_000_000);
        format!("p={whole}.{millionths:06}&r=102")
    }
}
