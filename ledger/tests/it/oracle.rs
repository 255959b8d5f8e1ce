//! The books kept naively: everything that ever happened in lists, every sum added up anew, nothing forgotten.

use std::collections::BTreeSet;

use ledger::{LedgerPolicy, Sums};
use proto::wire::{
    CampaignBudget, Correction, Fees, JournalEntry, LeaseAsk, LeaseRefusal, LeaseReturn, Notice, NoticeKind,
    OutcomeKind, journal_entry::Input,
};

mod facts;

pub(crate) use facts::{Fact, facts};

const DAY: i64 = 86_400_000_000;
const SECOND: i64 = 1_000_000;

pub(crate) struct Lent {
    pub(crate) id: u64,
    pub(crate) node: u64,
    pub(crate) campaign: u32,
    pub(crate) granted: i128,
    returned: i128,
    handed_back: bool,
    closes_at: i64,
    closed: bool,
    told: bool,
}

pub(crate) struct Booking {
    pub(crate) campaign: u32,
    pub(crate) advertiser: u32,
    pub(crate) day: i64,
    /// The day that it counts on for good; 0: days were not counted.
    counts_on: i64,
    pub(crate) amount: i128,
    /// `None`: late.
    pub(crate) lease: Option<u64>,
    impression: Vec<u8>,
    told: bool,
    /// The entry that booked it, and of corrections the one that booked what they correct.
    sequence: u64,
    corrects: Option<u64>,
}

impl Booking {
    /// Booked, but not to a lease.
    pub(crate) fn is_late(&self) -> bool {
        self.lease.is_none() && self.corrects.is_none()
    }

    pub(crate) fn is_correction(&self) -> bool {
        self.corrects.is_some()
    }
}

#[derive(Default)]
pub(crate) struct Oracle {
    now: i64,
    epoch: u64,
    policy: LedgerPolicy,
    counts_days: bool,
    /// Every budget that was accepted, in order.
    pub(crate) budgets: Vec<CampaignBudget>,
    stopped: Vec<u32>,
    pub(crate) leases: Vec<Lent>,
    pub(crate) bookings: Vec<Booking>,
    heard: Vec<(Vec<u8>, OutcomeKind)>,
    asked: Vec<(u32, u64, u64, i64)>,
    /// The latest moment such that impressions whose tokens ended before it are forgotten.
    forgotten: i64,
    /// Days of a campaign that are closed.
    closed: Vec<(i64, u32)>,
}

impl Oracle {
    /// What has to follow from the entry.
    pub(crate) fn expect(&mut self, entry: &JournalEntry) -> Vec<Fact> {
        if entry.epoch < self.epoch {
            return Vec::new();
        }
        self.epoch = entry.epoch;
        self.now = self.now.max(entry.at);
        let mut facts = match entry.input.as_ref().unwrap() {
            Input::Notice(notice) => self.notice(entry.sequence, notice),
            Input::Correction(correction) => self.correct(entry.sequence, correction),
            Input::Ask(ask) => self.ask(entry.sequence, ask),
            Input::Return(back) => self.hand_back(back),
            Input::Budget(budget) => self.budget(budget),
            Input::Stop(stop) => {
                self.stopped.push(stop.campaign);
                Vec::new()
            }
            Input::Policy(p) => {
                let (lease_s, billing_window_s, memory_margin_s) = (p.lease_s, p.billing_window_s, p.memory_margin_s);
                self.policy = LedgerPolicy { lease_s, billing_window_s, memory_margin_s };
                self.counts_days = p.rules > 0;
                Vec::new()
            }
            Input::Tick(_) => self.tick(),
        };
        for at in 0..self.leases.len() {
            let done = self.leases[at].handed_back && self.outstanding(&self.leases[at]) == 0;
            self.leases[at].closed |= done;
        }
        if entry.settle {
            facts.extend(self.settle());
        }
        facts
    }

    fn tick(&mut self) -> Vec<Fact> {
        let now = self.now;
        self.leases.iter_mut().filter(|lease| lease.closes_at <= now).for_each(|lease| lease.closed = true);
        self.forgotten = self.forgotten.max(self.margin_ago().div_euclid(60 * SECOND) * 60 * SECOND);
        let days = self.bookings.iter().map(|booking| (booking.counts_on, booking.campaign));
        let is_over = |day: &(i64, u32)| day.0 > 0 && (day.0 + 1) * DAY + 7_200 * SECOND <= now;
        let over = days.filter(|day| self.counts_days && is_over(day) && !self.closed.contains(day));
        let over: BTreeSet<(i64, u32)> = over.collect();
        self.closed.extend(&over);
        let fact = |(day, campaign)| {
            let on = |booking: &&Booking| (booking.counts_on, booking.campaign) == (day, campaign);
            let (charges, charged) = (self.bookings.iter().filter(on).count() as u64, self.spent(|b| on(&b)) as i64);
            Fact::DayClosed { campaign, day, charges, charged }
        };
        over.into_iter().map(fact).collect()
    }

    fn margin_ago(&self) -> i64 {
        self.now - i64::from(self.policy.memory_margin_s) * SECOND
    }

    fn budget(&mut self, budget: &CampaignBudget) -> Vec<Fact> {
        self.stopped.retain(|stopped| *stopped != budget.campaign);
        self.budgets.push(budget.clone());
        Vec::new()
    }

    fn budget_of(&self, campaign: u32) -> Option<&CampaignBudget> {
        self.budgets.iter().rev().find(|budget| budget.campaign == campaign)
    }

    pub(crate) fn spent(&self, which: impl Fn(&Booking) -> bool) -> i128 {
        self.bookings.iter().filter(|booking| which(booking)).map(|booking| booking.amount).sum()
    }

    fn charged(&self, lease: u64) -> i128 {
        self.spent(|booking| booking.lease == Some(lease))
    }

    fn outstanding(&self, lease: &Lent) -> i128 {
        if lease.closed { 0 } else { lease.granted - self.charged(lease.id) - lease.returned }
    }

    fn outstanding_of(&self, campaigns: impl Fn(u32) -> bool) -> i128 {
        self.leases.iter().filter(|lease| campaigns(lease.campaign)).map(|lease| self.outstanding(lease)).sum()
    }

    /// The sums that the books of a campaign have to show.
    pub(crate) fn sums(&self, campaign: u32) -> Sums {
        let granted = self.leases.iter().filter(|lease| lease.campaign == campaign).map(|lease| lease.granted).sum();
        let charged = self.spent(|booking| booking.campaign == campaign && booking.lease.is_some());
        let late = self.spent(|booking| booking.campaign == campaign && booking.is_late());
        let corrected = self.spent(|booking| booking.campaign == campaign && booking.is_correction());
        let outstanding = self.outstanding_of(|of| of == campaign);
        let returned = granted - charged - outstanding;
        Sums { granted, charged, returned, outstanding, late, corrected, spent: charged + late + corrected }
    }

    pub(crate) fn spent_today(&self, campaign: u32, day: i64) -> i128 {
        self.spent(|booking| booking.campaign == campaign && booking.day == day)
    }

    fn ask(&mut self, sequence: u64, ask: &LeaseAsk) -> Vec<Fact> {
        if ask.amount <= 0 {
            return Vec::new();
        }
        let LeaseAsk { node, campaign, ask: number, amount, .. } = *ask;
        let known = self.budget_of(campaign).is_some() || self.bookings.iter().any(|b| b.campaign == campaign);
        let since = self.margin_ago();
        if known {
            // What an ask finds too old is forgotten for good, also where the margin is longer later.
            self.asked.retain(|(of, _, _, at)| *of != campaign || *at > since);
        }
        let same = |(c, n, ..): &&(u32, u64, u64, i64)| (*c, *n) == (campaign, node);
        if known && self.asked.iter().rev().find(same).is_some_and(|(_, _, last, _)| number <= *last) {
            return Vec::new();
        }
        if known {
            self.asked.push((campaign, node, number, self.now));
        }
        let (lease, amount, until, refusal) = match self.may_lend(campaign) {
            Ok(most) => {
                let budget = self.budget_of(campaign).unwrap();
                let until = (self.now + i64::from(self.policy.lease_s) * SECOND).min(budget.until);
                (sequence, most.min(i128::from(amount)), until, LeaseRefusal::None)
            }
            Err(refusal) => (0, 0, 0, refusal),
        };
        if lease > 0 {
            let closes_at = until + i64::from(self.policy.billing_window_s) * SECOND;
            let (returned, handed_back, closed, told) = (0, false, false, false);
            let lent =
                Lent { id: lease, node, campaign, granted: amount, returned, handed_back, closes_at, closed, told };
            self.leases.push(lent);
        }
        vec![Fact::Grant { node, campaign, ask: number, lease, amount: amount as i64, until, refusal }]
    }

    fn may_lend(&self, campaign: u32) -> Result<i128, LeaseRefusal> {
        let budget = self.budget_of(campaign).ok_or(LeaseRefusal::UnknownCampaign)?;
        if self.stopped.contains(&campaign) {
            return Err(LeaseRefusal::Stopped);
        }
        if !(budget.from..budget.until).contains(&self.now) {
            return Err(LeaseRefusal::NotInFlight);
        }
        let today = self.now.div_euclid(DAY);
        let out = self.outstanding_of(|of| of == campaign);
        let total = i128::from(budget.total) - self.spent(|b| b.campaign == campaign) - out;
        let daily = i128::from(budget.daily) - self.spent_today(campaign, today) - out;
        let of_advertiser =
            |campaign: u32| self.budget_of(campaign).is_some_and(|other| other.advertiser == budget.advertiser);
        // The limit that came with whichever of the advertiser's campaigns was published last.
        let newest = self.budgets.iter().rev().find(|other| other.advertiser == budget.advertiser).unwrap();
        let advertiser = newest.advertiser_daily.map(|limit| {
            i128::from(limit)
                - self.spent(|b| b.advertiser == budget.advertiser && b.day == today)
                - self.outstanding_of(of_advertiser)
        });
        match (total, daily, advertiser.unwrap_or(i128::MAX)) {
            (total, ..) if total <= 0 => Err(LeaseRefusal::TotalBudget),
            (_, daily, _) if daily <= 0 => Err(LeaseRefusal::DailyBudget),
            (.., advertiser) if advertiser <= 0 => Err(LeaseRefusal::AdvertiserBudget),
            (total, daily, advertiser) => Ok(total.min(daily).min(advertiser)),
        }
    }

    fn hand_back(&mut self, back: &LeaseReturn) -> Vec<Fact> {
        let place = self.leases.iter().position(|lease| {
            (lease.id, lease.node, lease.campaign, lease.closed) == (back.lease, back.node, back.campaign, false)
        });
        if let Some(place) = place.filter(|_| back.amount >= 0) {
            let most = self.leases[place].returned + self.outstanding(&self.leases[place]);
            let lease = &mut self.leases[place];
            lease.returned = lease.returned.max(i128::from(back.amount).min(most));
            lease.handed_back = true;
        }
        Vec::new()
    }

    fn settle(&mut self) -> Vec<Fact> {
        let mut facts = Vec::new();
        for place in 0..self.leases.len() {
            let lease = &self.leases[place];
            let new = self.bookings.iter().filter(|b| b.lease == Some(lease.id) && !b.told);
            let impressions: Vec<Vec<u8>> = new.map(|booking| booking.impression.clone()).collect();
            if impressions.is_empty() && (!lease.closed || lease.told) {
                continue;
            }
            let charged = self.charged(lease.id) as i64;
            let Lent { id, node, campaign, closed, .. } = *lease;
            facts.push(Fact::Settled { node, campaign, lease: id, charged, impressions, closed });
            self.leases[place].told = closed;
        }
        self.bookings.iter_mut().for_each(|booking| booking.told = true);
        facts
    }

    fn first_time(&mut self, impression: &[u8], kind: OutcomeKind) -> bool {
        let new = !self.heard.iter().any(|(i, k)| i == impression && *k == kind);
        if new {
            self.heard.push((impression.to_vec(), kind));
        }
        new
    }

    fn notice(&mut self, sequence: u64, notice: &Notice) -> Vec<Fact> {
        let Some(sealed) = &notice.sealed else { return Vec::new() };
        let bad_fees = sealed.fees.is_some_and(|fees| fees.data_cpm < 0 || fees.margin_ppm >= 1_000_000);
        if notice.impression.len() != 16 || sealed.rate <= 0 || sealed.price < 0 || notice.void || bad_fees {
            return Vec::new();
        }
        let expired = notice.at > sealed.expires_at;
        let forgotten = sealed.expires_at < self.forgotten;
        let shown = |kind| {
            let (impression, late, overdrawn, above_bid) = (notice.impression.clone(), false, false, false);
            Fact::Outcome { kind, impression, charged: 0, parts: None, late, overdrawn, above_bid, day: 0 }
        };
        let mut facts = Vec::new();
        let event = match notice.kind() {
            NoticeKind::Win => Some(OutcomeKind::Win),
            NoticeKind::Loss => Some(OutcomeKind::Loss),
            NoticeKind::View => Some(OutcomeKind::View),
            NoticeKind::Click => Some(OutcomeKind::Click),
            _ => None,
        };
        if let Some(kind) = event
            && !expired
            && !forgotten
            && self.first_time(&notice.impression, kind)
        {
            facts.push(shown(kind));
        }
        let Some(price) = notice.price.filter(|price| notice.billable && *price >= 0) else { return facts };
        let charged_before = self.bookings.iter().any(|booking| booking.impression == notice.impression);
        if forgotten {
            facts.push(shown(OutcomeKind::Expired));
        } else if charged_before {
            // Exchanges retry.
        } else if expired {
            if self.first_time(&notice.impression, OutcomeKind::Expired) {
                facts.push(shown(OutcomeKind::Expired));
            }
        } else {
            facts.push(self.book(sequence, notice, price));
        }
        facts
    }

    /// What was booked by an entry comes to with its corrections.
    pub(crate) fn present(&self, sequence: u64) -> i128 {
        self.spent(|booking| booking.corrects.unwrap_or(booking.sequence) == sequence)
    }

    /// The first day of a campaign that is not closed.
    fn open_from(&self, campaign: u32) -> i64 {
        self.closed.iter().filter(|(_, of)| *of == campaign).map(|(day, _)| day + 1).max().unwrap_or(i64::MIN)
    }

    fn correct(&mut self, sequence: u64, correction: &Correction) -> Vec<Fact> {
        let original = correction.original.as_ref().unwrap();
        let booked = self.bookings.iter().find(|b| b.sequence == original.sequence && b.corrects.is_none());
        let fees = original.fees.unwrap_or_default();
        let (bid, rate) = (i128::from(original.bid_price) * 1_000_000_000, i128::from(original.rate));
        let media = if bid % rate == 0 { bid / rate } else { bid / rate + 1 };
        let most: i128 = parts(media, &fees).iter().sum();
        let (present, charged) = (self.present(original.sequence), i128::from(correction.charged));
        let is_news = present == i128::from(correction.before) && present != charged;
        let Some(booked) = booked.filter(|_| is_news && (0..=most).contains(&charged)) else { return Vec::new() };
        let today = self.now.div_euclid(DAY);
        let takes_more = booked.counts_on > 0 && booked.counts_on >= self.open_from(booked.campaign);
        let counts_on = if takes_more { booked.counts_on } else { self.open_from(booked.campaign).max(today) };
        let Booking { campaign, advertiser, day, ref impression, .. } = *booked;
        let (amount, lease, impression, told) = (charged - present, None, impression.clone(), true);
        let corrects = Some(original.sequence);
        let shown = impression.clone();
        self.bookings.push(Booking {
            campaign,
            advertiser,
            day,
            counts_on,
            amount,
            lease,
            impression,
            told,
            sequence,
            corrects,
        });
        let of = |amount: i128| {
            // The most media whose gross is no more, by halves.
            let (mut media, mut above) = (0, amount + 1);
            while above - media > 1 {
                let half = (media + above) / 2;
                *(if parts(half, &fees).iter().sum::<i128>() <= amount { &mut media } else { &mut above }) = half;
            }
            let [media, exchange, data, margin] = parts(media, &fees);
            match amount - media - exchange - data - margin {
                rest if rest >= 0 => [media, exchange, data, margin + rest],
                _ => [0, 0, data.min(amount), amount - data.min(amount)],
            }
        };
        let parts = original.parts.map(|_| {
            let (now, before) = (of(charged), of(present));
            std::array::from_fn(|at| (now[at] - before[at]) as i64)
        });
        vec![Fact::Outcome {
            kind: OutcomeKind::Correction,
            impression: shown,
            charged: amount as i64,
            parts,
            late: false,
            overdrawn: false,
            above_bid: false,
            day: counts_on,
        }]
    }

    fn book(&mut self, sequence: u64, notice: &Notice, price: i64) -> Fact {
        let sealed = notice.sealed.as_ref().unwrap();
        let (units, rate) = (i128::from(price.min(sealed.price)) * 1_000_000_000, i128::from(sealed.rate));
        let media = if units % rate == 0 { units / rate } else { units / rate + 1 };
        let parts = sealed.fees.as_ref().map(|fees| parts(media, fees));
        let amount = parts.map_or(media, |parts| parts.into_iter().sum());
        let lent = self.leases.iter().find(|l| l.id == sealed.lease && l.campaign == sealed.campaign && !l.closed);
        let holds = lent.map(|lease| self.outstanding(lease) >= amount);
        let budget = self.budget_of(sealed.campaign);
        let unmatched = budget.is_none();
        let advertiser = budget.map_or(sealed.advertiser, |budget| budget.advertiser);
        let lease = (!unmatched && holds == Some(true)).then_some(sealed.lease);
        let day = notice.at.min(self.now).div_euclid(DAY);
        let (campaign, impression) = (sealed.campaign, notice.impression.clone());
        let (told, shown) = (false, impression.clone());
        let counts_on = if self.counts_days { self.open_from(campaign).max(day) } else { 0 };
        let corrects = None;
        self.bookings.push(Booking {
            campaign,
            advertiser,
            day,
            counts_on,
            amount,
            lease,
            impression,
            told,
            sequence,
            corrects,
        });
        Fact::Outcome {
            kind: if unmatched { OutcomeKind::Unmatched } else { OutcomeKind::Charge },
            impression: shown,
            charged: amount as i64,
            parts: parts.map(|parts| parts.map(|part| part as i64)),
            late: lease.is_none(),
            overdrawn: !unmatched && holds == Some(false),
            above_bid: price > sealed.price,
            day: counts_on,
        }
    }
}

/// Media, and the least that is each share, found by counting up.
fn parts(media: i128, fees: &Fees) -> [i128; 4] {
    const MILLION: i128 = 1_000_000;
    let least = |enough: &dyn Fn(i128) -> bool| (0..).find(|amount| enough(*amount)).unwrap();
    let exchange = least(&|fee| fee * MILLION >= media * i128::from(fees.exchange_ppm));
    let cost = media + exchange + i128::from(fees.data_cpm);
    let margin = least(&|margin| margin * MILLION >= (cost + margin) * i128::from(fees.margin_ppm));
    [media, exchange, fees.data_cpm.into(), margin]
}
