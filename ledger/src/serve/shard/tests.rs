use decision::time::Micros;
use event_log::Record;
use proto::record::{StreamRecord, encode};
use proto::wire::{
    Advertiser, Campaign, CampaignStop, CampaignsRecord, Correction, JournalEntry, LeaseAsk, LeaseGrant, LeaseRecord,
    LeaseReturn, Notice, NoticeKind, Outcome, Sealed, Tick, campaigns_record::Change, journal_entry::Input,
    lease_record::Event,
};
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

use super::super::inputs;
use super::*;
use crate::books::Books;
use crate::ledger::{Effects, Ledger, Sums, stands_for_money};
use crate::tally::{Charge, Oddity};

const SECOND: i64 = 1_000_000;
const SHARDS: u32 = 3;
const SEEDS: u64 = 200;
const STEPS: usize = 400;

/// The same inputs, to several shards and to one ledger that has all of them.
struct World {
    random: SmallRng,
    now: i64,
    shards: Vec<(ShardId, Routes, Ledger)>,
    whole: Ledger,
    asks: u64,
    leases: Vec<Lent>,
    notices: Vec<(Notice, u64)>,
    booked: Vec<Booked>,
}

/// What one of the shards and the one ledger booked for an impression, and what it comes to.
#[derive(Clone)]
struct Booked {
    sharded: Outcome,
    whole: Outcome,
    present: i64,
}

/// A lease as one of the shards and the one ledger granted it.
#[derive(Clone, Copy)]
struct Lent {
    campaign: u32,
    node: u64,
    amount: i64,
    sharded: u64,
    whole: u64,
}

fn record<M: StreamRecord>(message: &M) -> Record {
    Record { partition: Partition(0), offset: Offset(0), key: Vec::new(), value: encode(message) }
}

fn fold(ledger: &mut Ledger, shard: ShardId, at: i64, input: Input) -> Effects {
    let (shard, sequence, epoch, input) = (shard.0, ledger.sequence() + 1, 1, Some(input));
    let entry = JournalEntry { shard, sequence, epoch, at, source: None, input, settle: true };
    ledger.apply(&entry).expect("it is the next entry")
}

fn grant(effects: &Effects) -> Option<LeaseGrant> {
    effects
        .leases
        .iter()
        .find_map(|record| if let Some(Event::Grant(grant)) = record.event { Some(grant) } else { None })
}

/// Who pays for a campaign.
fn payer(campaign: u32) -> u32 {
    1 + campaign % 5
}

impl World {
    fn new(seed: u64) -> Self {
        let shard = |id| (ShardId(id), Routes::over(SHARDS), Ledger::new(ShardId(id)));
        Self {
            random: SmallRng::seed_from_u64(seed),
            now: 20_000 * 86_400 * SECOND,
            shards: (0..SHARDS).map(shard).collect(),
            whole: Ledger::new(ShardId(0)),
            asks: 0,
            leases: Vec::new(),
            notices: Vec::new(),
            booked: Vec::new(),
        }
    }

    /// Hands a record to the one ledger, and to all shards what says the same there: one of them takes it.
    fn take(&mut self, stream: Stream, whole: &Record, sharded: &Record) -> (Effects, Effects) {
        let read = |record| inputs::read(stream, record).expect("it is understood").expect("it is an input");
        let of_whole = fold(&mut self.whole, ShardId(0), self.now, read(whole).1);
        let (whose, input) = read(sharded);
        let (now, mut taken) = (self.now, Vec::new());
        for (id, routes, ledger) in &mut self.shards {
            if routes.shard(whose) == *id {
                taken.push(fold(ledger, *id, now, input.clone()));
            }
        }
        assert_eq!(taken.len(), 1, "shards that take {input:?}");
        (of_whole, taken.remove(0))
    }

    fn step(&mut self) {
        self.now += self.random.random_range(0..20 * SECOND);
        let campaign = self.random.random_range(1..=8);
        match self.random.random_range(0..100) {
            0..12 => self.publish(campaign),
            12..15 => {
                let stop = CampaignStop { campaign, ..CampaignStop::default() };
                self.change(Change::Stop(stop));
            }
            15..40 => self.ask(campaign),
            40..50 => self.hand_back(),
            50..57 => self.tick(),
            57..61 => self.correct(),
            _ => self.notice(),
        }
    }

    fn change(&mut self, change: Change) {
        let record = record(&CampaignsRecord { change: Some(change), ..CampaignsRecord::default() });
        self.take(Stream::Campaigns, &record, &record);
    }

    /// Publishes a campaign, now and then for somebody else, which is refused, or for nobody.
    fn publish(&mut self, campaign: u32) {
        let known = self.whole.books(Micros(0)).campaigns.iter().any(|books| books.campaign.0 == campaign);
        let other = known && self.random.random_bool(0.2);
        let id = payer(campaign) + u32::from(other);
        let advertiser =
            Advertiser { id, currency: "EUR".to_owned(), daily_budget: Some(3_000), ..Advertiser::default() };
        let paid = !known || self.random.random_bool(0.9);
        self.change(Change::Campaign(Campaign {
            id: campaign,
            advertiser: paid.then_some(advertiser),
            until: i64::MAX,
            daily_budget: 2_000,
            total_budget: 20_000,
            ..Campaign::default()
        }));
    }

    fn ask(&mut self, campaign: u32) {
        self.asks += 1;
        let (node, amount) = (self.random.random_range(1..=3), self.random.random_range(1..500));
        let ask = LeaseAsk { node, campaign, ask: self.asks, amount, ..LeaseAsk::default() };
        let (advertiser, event) = (payer(campaign), Some(Event::Ask(ask)));
        let record = record(&LeaseRecord { event, advertiser, ..LeaseRecord::default() });
        let (whole, sharded) = self.take(Stream::Leases, &record, &record);
        let (whole, sharded) = (grant(&whole).expect("an answer"), grant(&sharded).expect("an answer"));
        assert_eq!((whole.amount, whole.until, whole.refusal), (sharded.amount, sharded.until, sharded.refusal));
        if whole.lease > 0 {
            let (sharded, whole) = (sharded.lease, whole.lease);
            self.leases.push(Lent { campaign, node, amount, sharded, whole });
        }
    }

    fn lent(&mut self) -> Option<Lent> {
        let newest = self.leases.len().checked_sub(1)?;
        Some(self.leases[self.random.random_range(newest.saturating_sub(9)..=newest)])
    }

    fn hand_back(&mut self) {
        let Some(Lent { campaign, node, amount, sharded, whole }) = self.lent() else { return };
        let amount = self.random.random_range(0..=amount);
        let back = |lease| {
            let event = Some(Event::Return(LeaseReturn { node, campaign, lease, amount }));
            record(&LeaseRecord { event, ..LeaseRecord::default() })
        };
        self.take(Stream::Leases, &back(whole), &back(sharded));
    }

    /// A notice of a new impression or of an old one; of a campaign that was never published, or without what was sealed.
    fn notice(&mut self) {
        let Some(Lent { mut campaign, sharded, whole, .. }) = self.lent() else { return };
        let mut impression = vec![0; 16];
        self.random.fill(impression.as_mut_slice());
        if self.random.random_bool(0.05) {
            campaign = 99;
        }
        let (advertiser, price, rate) = (payer(campaign), 100, 1_000_000_000);
        let expires_at = self.now + 3_600 * SECOND;
        let sealed = Sealed { campaign, advertiser, lease: sharded, price, rate, expires_at, ..Sealed::default() };
        let sealed = Some(sealed).filter(|_| self.random.random_bool(0.95));
        let (kind, price) = (NoticeKind::Billing.into(), Some(self.random.random_range(0..120)));
        let new = Notice { kind, impression, at: self.now, price, billable: true, sealed, ..Notice::default() };
        self.notices.push((new, whole));
        let newest = self.notices.len() - 1;
        let again = if self.random.random_bool(0.2) { self.random.random_range(0..=newest) } else { newest };
        let (sharded, lease) = self.notices[again].clone();
        let mut whole = sharded.clone();
        whole.sealed.iter_mut().for_each(|sealed| sealed.lease = lease);
        let (whole, sharded) = self.take(Stream::Notices, &record(&whole), &record(&sharded));
        let charge = |effects: &Effects| effects.outcomes.iter().find(|it| stands_for_money(it)).cloned();
        if let (Some(whole), Some(sharded)) = (charge(&whole), charge(&sharded)) {
            let present = whole.charged;
            self.booked.push(Booked { sharded, whole, present });
        }
    }

    /// A correction, at times by somebody who does not know of the last one.
    fn correct(&mut self) {
        let Some(newest) = self.booked.len().checked_sub(1) else { return };
        let place = self.random.random_range(newest.saturating_sub(9)..=newest);
        let Booked { sharded, whole, present } = self.booked[place].clone();
        let charged = self.random.random_range(0..=100);
        let before = if self.random.random_bool(0.9) { present } else { present + 1 };
        let ask = |original| {
            let original = Some(Box::new(original));
            let correction = Correction { original, before, charged, ..Correction::default() };
            record(&LeaseRecord { event: Some(Event::Correction(correction)), ..LeaseRecord::default() })
        };
        let (whole, sharded) = self.take(Stream::Leases, &ask(whole), &ask(sharded));
        let difference = |effects: &Effects| effects.outcomes.first().map(|outcome| outcome.charged);
        assert_eq!(difference(&whole), difference(&sharded));
        self.booked[place].present += difference(&whole).unwrap_or_default();
    }

    fn tick(&mut self) {
        let ledgers = self.shards.iter_mut().map(|(id, _, ledger)| (*id, ledger));
        for (id, ledger) in ledgers.chain([(ShardId(0), &mut self.whole)]) {
            fold(ledger, id, self.now, Input::Tick(Tick {}));
        }
    }

    /// Together the shards have what the one ledger has, and no campaign is in two of them.
    fn check(&self) -> Books {
        let whole = self.whole.books(Micros(self.now));
        let mut sum = Sums::default();
        let mut campaigns = Vec::new();
        for (id, _, ledger) in &self.shards {
            let books = ledger.books(Micros(self.now));
            assert!(books.campaigns.iter().all(|campaign| campaign.advertiser.0 % SHARDS == id.0));
            sum += ledger.total();
            campaigns.extend(books.campaigns);
        }
        campaigns.sort_by_key(|campaign| campaign.campaign);
        assert_eq!(campaigns, whole.campaigns);
        assert_eq!(sum, self.whole.total());
        let tally = |count: &dyn Fn(&Ledger) -> u64| {
            let shards: u64 = self.shards.iter().map(|(_, _, ledger)| count(ledger)).sum();
            assert_eq!(shards, count(&self.whole));
        };
        Charge::ALL.iter().for_each(|charge| tally(&|ledger| ledger.tally().charges(*charge)));
        Oddity::ALL.iter().for_each(|oddity| tally(&|ledger| ledger.tally().oddities(*oddity)));
        whole
    }
}

#[test]
fn shards_together_are_one_ledger() {
    let (mut made, mut unmatched, mut refused, mut malformed) = (0, 0, 0, 0);
    let (mut corrected, mut idle) = (0, 0);
    for seed in 0..SEEDS {
        let mut world = World::new(seed);
        (0..STEPS).for_each(|_| world.step());
        let tally = world.check().tally;
        made += tally.charges(Charge::Made);
        unmatched += tally.charges(Charge::Unmatched);
        refused += tally.oddities(Oddity::RefusedBudget);
        malformed += tally.oddities(Oddity::Malformed);
        corrected += u64::from(world.whole.total().corrected != 0);
        idle += world.shards.iter().filter(|(_, _, ledger)| ledger.total().spent == 0).count() as u64;
    }
    println!("{made} made, {unmatched} unmatched, {refused} refused, {malformed} malformed");
    assert!([made, unmatched, refused, malformed].iter().all(|count| *count > SEEDS), "hardly reached");
    assert!(corrected > SEEDS / 2, "{corrected} seeds with a correction");
    assert!(idle < SEEDS / 20, "{idle} shards have no part in it");
}

#[test]
fn the_first_shard_has_the_names_that_the_only_one_had() {
    let names = |id| ["ledger", "ledger-snapshots"].map(|what| Shard { id: ShardId(id), of: 2 }.writer(what));
    assert_eq!(names(0), ["ledger", "ledger-snapshots"]);
    assert_eq!(names(1), ["ledger-1", "ledger-snapshots-1"]);
}
