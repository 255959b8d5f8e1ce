//! One run: machines, exchange, managers, ledger and faults on one agenda of virtual time.

use std::collections::{BTreeMap, BTreeSet};

use bidder::metrics::NoticeOutcome;
use bidder::token::{Claims, Key, Keys, NoticeKind};
use decision::ids::ImpressionId;
use decision::time::Micros;
use ledger::{Charge, Effects, Oddity};
use proto::wire::{JournalEntry, LeaseGrant, LeasePace, LeaseRecord, lease_record::Event as Lease};
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

use crate::SECOND;
use crate::bank::{Bank, Refused, Start};
use crate::exchange::{Delivery, Traffic};
use crate::faults::{self, Fault, Point};
use crate::network::{Change, Place, Streams};
use crate::node::{Answer, Disk, Process, Setting, is_ask};
use crate::reached::{Reach, Reached};

/// From the last auction until managers stop everything: the longest auction and billing, with their repeats.
const STOP_AFTER: i64 = 1_000 * SECOND;
/// From then until nodes have handed back what they do not need.
pub(crate) const HANDED_BACK_AFTER: i64 = 200 * SECOND;
/// The ledger speaks of other campaigns so often.
const SPOKEN_EVERY: i64 = 20 * SECOND;
/// From the last auction until the last token and the last lease are over.
const END_AFTER: i64 = 9_000 * SECOND;
/// How long faults may begin after the busy time.
const FAULTS_AFTER: i64 = 1_200 * SECOND;

struct Machine {
    disk: Disk,
    /// By how much its clock is ahead.
    skew: i64,
    /// `None`: it is down.
    process: Option<Process>,
    paused_until: i64,
    cut_off_until: i64,
    /// What was sent to it while it stood still.
    waiting: Vec<(usize, Delivery)>,
    /// An impression that was to be decided on, by a clock that was read before it stood still.
    in_haste: Option<(usize, Micros)>,
}

enum Event {
    Auction(usize),
    Deliver(usize, Box<Delivery>),
    Tick(usize),
    Start(usize),
    Resume(usize),
    Turn,
    LedgerBegins,
    Replaced,
    Change(Box<Change>),
    Fault(Fault),
    Echo(Box<LeaseRecord>),
    StopAll,
    HandedBack,
}

/// A ledger that stands still while another takes over, and what it was about to write.
struct Sleeper {
    bank: Bank,
    entries: Vec<JournalEntry>,
    effects: Effects,
}

/// What is to happen to the ledger at its next turn.
enum Doom {
    Dies(Point, i64),
    IsReplaced(Point, i64),
}

pub(crate) struct World<'t> {
    pub(crate) traffic: &'t Traffic,
    pub(crate) streams: Streams,
    pub(crate) reached: Reached,
    /// Billable impressions of which a notice was acknowledged that books money.
    pub(crate) acknowledged: BTreeSet<ImpressionId>,
    pub(crate) bank: Option<Bank>,
    /// Open leases once all nodes had time to hand back theirs.
    pub(crate) left_open: usize,
    /// Whether nodes held nothing any more then.
    pub(crate) is_all_released: bool,
    is_faulty: bool,
    setting: Setting,
    random: SmallRng,
    now: i64,
    agenda: BTreeMap<(i64, u64), Event>,
    planned: u64,
    machines: Vec<Machine>,
    nodes: u64,
    /// The bids, by opportunity.
    bids: BTreeMap<usize, Claims<'static>>,
    grants: BTreeMap<u64, LeaseGrant>,
    granted: Place,
    doom: Option<Doom>,
    paused_until: i64,
    sleeper: Option<Sleeper>,
}

impl<'t> World<'t> {
    /// Plays a run to its end, with faults or without.
    pub(crate) fn play(seed: u64, traffic: &'t Traffic, is_faulty: bool) -> Self {
        let mut world = Self::new(seed, traffic, is_faulty);
        let end = traffic.until + END_AFTER;
        while let Some(((at, _), event)) = world.agenda.pop_first().filter(|((at, _), _)| *at < end) {
            world.now = at;
            world.happens(event);
        }
        world.tally();
        world
    }

    fn new(seed: u64, traffic: &'t Traffic, is_faulty: bool) -> Self {
        let mut random = SmallRng::seed_from_u64(seed ^ 0x3014d);
        let machine = |skew| Machine {
            disk: Disk::default(),
            skew,
            process: None,
            paused_until: 0,
            cut_off_until: 0,
            waiting: Vec::new(),
            in_haste: None,
        };
        let machines = (0..traffic.machines).map(|_| machine(random.random_range(-2 * SECOND..=2 * SECOND))).collect();
        let keys = Keys::new(Key::new(1, &[7; 16]), None);
        let mut world = Self {
            traffic,
            streams: Streams::default(),
            reached: Reached::default(),
            acknowledged: BTreeSet::new(),
            bank: None,
            left_open: 0,
            is_all_released: false,
            is_faulty,
            setting: Setting { dialect: traffic.dialect.clone(), keys },
            random,
            now: 0,
            agenda: BTreeMap::new(),
            planned: 0,
            machines,
            nodes: 0,
            bids: BTreeMap::new(),
            grants: BTreeMap::new(),
            granted: Place::default(),
            doom: None,
            paused_until: 0,
            sleeper: None,
        };
        world.plan_all(seed);
        world
    }

    fn plan_all(&mut self, seed: u64) {
        let traffic = self.traffic;
        self.plan(traffic.from - 20 * SECOND, Event::LedgerBegins);
        self.plan(traffic.from - 15 * SECOND, Event::Turn);
        for (at, change) in &traffic.changes {
            self.plan(*at, Event::Change(Box::new(change.clone())));
        }
        for machine in 0..traffic.machines {
            self.plan(traffic.from - 5 * SECOND, Event::Start(machine));
            self.plan(traffic.from - 4 * SECOND, Event::Tick(machine));
        }
        for (number, opportunity) in traffic.opportunities.iter().enumerate() {
            self.plan(opportunity.at, Event::Auction(number));
        }
        if self.is_faulty {
            for (at, fault) in faults::draw(seed, traffic.machines, traffic.from, traffic.thin_from + FAULTS_AFTER) {
                self.plan(at, Event::Fault(fault));
            }
        }
        self.plan(traffic.until + STOP_AFTER, Event::StopAll);
        self.plan(traffic.until + STOP_AFTER + HANDED_BACK_AFTER, Event::HandedBack);
    }

    fn plan(&mut self, at: i64, event: Event) {
        self.planned += 1;
        self.agenda.insert((at, self.planned), event);
    }

    /// A length of time between those in the busy time; later nobody is in a hurry.
    fn soon(&mut self, from_ms: i64, to_ms: i64) -> i64 {
        let slower = match self.now {
            now if now < self.traffic.thin_from => 1,
            now if now < self.traffic.until => 7,
            _ => 30,
        };
        self.now + self.random.random_range(from_ms * 1_000..to_ms * 1_000) * slower
    }

    fn happens(&mut self, event: Event) {
        match event {
            Event::Auction(number) => self.auction(number),
            Event::Deliver(bid, delivery) => self.deliver(bid, *delivery),
            Event::Tick(machine) => {
                let next = self.soon(100, 900);
                self.plan(next, Event::Tick(machine));
                self.tick(machine);
            }
            Event::Start(machine) => self.start(machine),
            Event::Resume(machine) => self.resume(machine),
            Event::Turn => {
                let next = self.soon(20, 500);
                self.plan(next, Event::Turn);
                self.turn();
            }
            Event::LedgerBegins => self.ledger_begins(),
            Event::Replaced => self.replaced(),
            Event::Change(change) => self.change(*change),
            Event::Fault(fault) => self.fails(fault),
            Event::Echo(record) => self.streams.tell(*record),
            Event::StopAll => {
                let campaigns: BTreeSet<u32> = self.traffic.opportunities.iter().map(|o| o.campaign).collect();
                campaigns.into_iter().for_each(|campaign| self.streams.publish(Change::Stopped(campaign)));
                self.speak_of_others();
            }
            Event::HandedBack => {
                self.left_open = self.bank.as_ref().unwrap().books.books(Micros(self.now)).open_leases;
                let mut processes = self.machines.iter().filter_map(|machine| machine.process.as_ref());
                self.is_all_released = processes.all(Process::holds_nothing);
            }
        }
    }
}

impl World<'_> {
    /// Campaigns of others go on: where nobody asks for anything, nodes hear nothing of the ledger and hold what they hold.
    fn speak_of_others(&mut self) {
        let pace = LeasePace { campaign: u32::MAX, multiplier_ppm: 1_000_000 };
        for time in 1..HANDED_BACK_AFTER / SPOKEN_EVERY {
            let at = self.now + time * SPOKEN_EVERY;
            let record = LeaseRecord { at, event: Some(Lease::Pace(pace)), ..LeaseRecord::default() };
            self.plan(at, Event::Echo(Box::new(record)));
        }
    }
}

// --- bidders ---

impl World<'_> {
    fn clock(&self, machine: usize) -> Micros {
        Micros(self.now + self.machines[machine].skew)
    }

    fn auction(&mut self, number: usize) {
        let machine = self.traffic.opportunities[number].machine;
        let clock = self.clock(machine);
        let at = &mut self.machines[machine];
        if at.paused_until > self.now {
            at.in_haste.get_or_insert((number, clock));
        } else if at.process.is_some() {
            self.bid(number, clock, true);
        }
    }

    /// Bids by a clock that was read at `clock`. The exchange has gone on where that was too long ago.
    fn bid(&mut self, number: usize, clock: Micros, is_in_time: bool) {
        let opportunity = &self.traffic.opportunities[number];
        let process = self.machines[opportunity.machine].process.as_mut().unwrap();
        let mut impression = [0; 16];
        self.random.fill(impression.as_mut_slice());
        let wanted = (opportunity.campaign, opportunity.price);
        let bid = process.bid(&self.setting, ImpressionId(impression), wanted, clock, &mut self.reached);
        let Some(bid) = bid else { return };
        let node = process.node;
        self.see_grants();
        let grant = self.grants.get(&bid.lease.0).expect("nobody bids on what was not lent");
        assert_eq!((grant.node, grant.campaign), (node.0, bid.campaign.0), "a lease of another");
        assert!(bid.bid_at.0 < grant.until, "a bid on a lease that ended");
        self.reached.add(Reach::Bid);
        if is_in_time {
            for delivery in self.traffic.follow(opportunity, &bid, &mut self.reached) {
                self.plan(self.now + delivery.after, Event::Deliver(number, Box::new(delivery)));
            }
            self.bids.insert(number, bid);
        } else {
            self.reached.add(Reach::BidInHaste);
        }
    }

    fn see_grants(&mut self) {
        for read in self.streams.leases.read(&mut self.granted, usize::MAX) {
            if let Some(Lease::Grant(grant)) = read.value.event {
                self.grants.insert(grant.lease, grant);
            }
        }
    }

    fn deliver(&mut self, number: usize, delivery: Delivery) {
        let at = &mut self.machines[delivery.machine];
        let is_paused = at.paused_until > self.now;
        if is_paused {
            at.waiting.push((number, delivery.clone()));
        }
        if is_paused || at.process.is_none() {
            self.reached.add(Reach::SentAgain);
            let machine = self.random.random_range(0..self.machines.len());
            let again = self.now + self.random.random_range(SECOND..5 * SECOND);
            return self.plan(again, Event::Deliver(number, Box::new(Delivery { machine, ..delivery })));
        }
        self.notice(number, &delivery);
    }

    fn notice(&mut self, number: usize, Delivery { machine, kind, query, .. }: &Delivery) {
        let clock = self.clock(*machine);
        let bid = self.bids[&number];
        let at = &mut self.machines[*machine];
        let process = at.process.as_mut().unwrap();
        self.reached.add_if(process.node != bid.node, Reach::SentElsewhere);
        let mut token = String::new();
        self.setting.keys.seal(&bid).token(*kind, &mut token);
        if self.random.random_bool(0.01) {
            let (kind, forged) = forge(&mut self.random, *kind, &token);
            let answer = process.notice(&self.setting, &mut at.disk, (kind, &forged, query), clock);
            assert_eq!(answer, Answer::Forged, "{kind:?} {forged}");
            self.reached.add(Reach::Forged);
        }
        match process.notice(&self.setting, &mut at.disk, (*kind, &token, query), clock) {
            Answer::Acknowledged(NoticeOutcome::Taken) => {
                if *kind == self.setting.dialect.billable.kind() {
                    self.acknowledged.insert(bid.impression);
                }
            }
            Answer::Acknowledged(NoticeOutcome::Audit) => self.reached.add(Reach::Audit),
            Answer::Acknowledged(_) => self.reached.add(Reach::Unpriced),
            Answer::Expired => self.reached.add(Reach::Expired),
            Answer::Forged => panic!("one of ours is taken for forged: {token}"),
        }
    }

    fn tick(&mut self, machine: usize) {
        let clock = self.clock(machine);
        let at = &mut self.machines[machine];
        if at.paused_until > self.now {
            return;
        }
        let is_connected = at.cut_off_until <= self.now;
        let Some(process) = &mut at.process else { return };
        if is_connected {
            process.read(&self.streams, clock);
            let most = if self.random.random_bool(0.1) { 3 } else { usize::MAX / 2 };
            at.disk.ship(&mut self.streams, most);
            process.take_kept().into_iter().for_each(|record| self.streams.tell(record));
        }
        for record in process.tick(clock) {
            if is_connected {
                self.tell(record);
            } else if self.random.random_bool(0.5) {
                self.reached.add(Reach::ToldLater);
                self.machines[machine].process.as_mut().unwrap().keep(record);
            } else {
                self.reached.add(Reach::NeverTold);
            }
        }
    }

    /// A record may get into the stream twice.
    fn tell(&mut self, record: LeaseRecord) {
        if is_ask(&record) && self.is_faulty && self.random.random_bool(0.02) {
            self.reached.add(Reach::ToldTwice);
            let later = self.now + self.random.random_range(0..3 * SECOND);
            self.plan(later, Event::Echo(Box::new(record.clone())));
        }
        self.streams.tell(record);
    }

    fn start(&mut self, machine: usize) {
        self.nodes += 1;
        let at = &mut self.machines[machine];
        at.process = Some(Process::start(self.nodes, &self.streams));
        at.in_haste = None;
        let lost = at.disk.lose_mark(self.random.random_range(0..20));
        self.reached.add_if(lost > 0, Reach::ShippedTwice);
    }

    /// What waited comes before or after the timers.
    fn resume(&mut self, machine: usize) {
        let at = &mut self.machines[machine];
        if at.paused_until > self.now || at.process.is_none() {
            return;
        }
        let (waiting, in_haste) = (std::mem::take(&mut at.waiting), at.in_haste.take());
        let timers_first = self.random.random_bool(0.5);
        if timers_first {
            self.tick(machine);
        }
        if let Some((number, clock)) = in_haste {
            self.bid(number, clock, false);
        }
        for (number, delivery) in waiting {
            self.notice(number, &delivery);
        }
        if !timers_first {
            self.tick(machine);
        }
    }
}

/// What is none of our tokens for a notice of this kind, though it looks like one.
fn forge(random: &mut SmallRng, kind: NoticeKind, token: &str) -> (NoticeKind, String) {
    let others = NoticeKind::ALL.into_iter().filter(|other| *other != kind);
    if random.random_bool(0.5) {
        let place = random.random_range(0..4);
        return (others.collect::<Vec<_>>()[place], token.to_owned());
    }
    let at = random.random_range(0..token.len());
    let mut forged = token.as_bytes().to_vec();
    forged[at] = if forged[at] == b'A' { b'B' } else { b'A' };
    (kind, String::from_utf8(forged).unwrap())
}

// --- the ledger ---

impl World<'_> {
    fn ledger_begins(&mut self) {
        let from_snapshot = self.random.random_bool(0.6) && !self.streams.snapshot.is_empty();
        let again = if self.is_faulty && self.random.random_bool(0.3) { self.random.random_range(1..20) } else { 0 };
        let skew = self.random.random_range(-SECOND..=SECOND);
        self.reached.add(if from_snapshot { Reach::BeganFromSnapshot } else { Reach::BeganFromJournal });
        self.reached.add_if(again > 0, Reach::ReadAgain);
        self.bank = Some(Bank::begin(&mut self.streams, self.now, Start { from_snapshot, again, skew }));
    }

    fn turn(&mut self) {
        if self.paused_until > self.now {
            return;
        }
        let Some(mut bank) = self.bank.take() else { return };
        let most = if self.random.random_bool(0.05) { self.random.random_range(1..20) } else { usize::MAX };
        let entries = bank.batch(&self.streams, self.now, most);
        match self.doom.take_if(|_| !entries.is_empty()) {
            None => {
                if !entries.is_empty() {
                    bank.append(&mut self.streams, entries).expect("nobody took over");
                }
                let effects = bank.fold(&self.streams);
                bank.publish(&mut self.streams, effects).expect("nobody took over");
                if self.random.random_bool(0.0005) {
                    bank.keep_snapshot(&mut self.streams);
                    self.reached.add(Reach::Snapshot);
                }
                self.bank = Some(bank);
            }
            Some(Doom::Dies(point, lasts)) => {
                let _lost = self.half_a_turn(&mut bank, entries, point);
                self.reached.add(match point {
                    Point::Before => Reach::LedgerDiedBefore,
                    Point::Between => Reach::LedgerDiedBetween,
                    Point::Amid => Reach::LedgerDiedAmid,
                });
                self.plan(self.now + lasts, Event::LedgerBegins);
            }
            Some(Doom::IsReplaced(point, lasts)) => {
                let (entries, effects) = self.half_a_turn(&mut bank, entries, point);
                self.sleeper = Some(Sleeper { bank, entries, effects });
                self.reached.add(Reach::TakenOver);
                let begins = self.now + self.random.random_range(0..3 * SECOND);
                self.plan(begins, Event::LedgerBegins);
                self.plan(begins + lasts, Event::Replaced);
            }
        }
    }

    /// A turn until `point`: what is left to journal, and to publish.
    fn half_a_turn(
        &mut self,
        bank: &mut Bank,
        entries: Vec<JournalEntry>,
        point: Point,
    ) -> (Vec<JournalEntry>, Effects) {
        if point == Point::Before {
            return (entries, Effects::default());
        }
        bank.append(&mut self.streams, entries).expect("nobody took over");
        let mut effects = bank.fold(&self.streams);
        if point == Point::Between {
            return (Vec::new(), effects);
        }
        let mut cut = |length: usize| self.random.random_range(0..=length);
        let rest = Effects {
            outcomes: effects.outcomes.split_off(cut(effects.outcomes.len())),
            leases: effects.leases.split_off(cut(effects.leases.len())),
        };
        bank.publish(&mut self.streams, effects).expect("nobody took over");
        (Vec::new(), rest)
    }

    /// The ledger that was replaced wakes up. It is refused; that entries of it get into the journal all the same must not
    /// matter either.
    fn replaced(&mut self) {
        let Sleeper { mut bank, mut entries, effects } = self.sleeper.take().expect("a ledger sleeps");
        assert_eq!(bank.append(&mut self.streams, entries.clone()), Err(Refused));
        assert_eq!(bank.publish(&mut self.streams, effects), Err(Refused));
        self.reached.add(Reach::WriterRefused);
        if self.random.random_bool(0.5) {
            entries.extend(bank.batch(&self.streams, self.now, usize::MAX));
            self.reached.add_if(!entries.is_empty(), Reach::StaleEntry);
            self.streams.journal.extend(entries);
        }
    }
}

// --- managers, faults ---

impl World<'_> {
    fn change(&mut self, change: Change) {
        let daily = |change: &Change| match change {
            Change::Published(campaign) => Some((campaign.budget.campaign, campaign.budget.daily)),
            Change::Stopped(_) => None,
        };
        match daily(&change) {
            None => self.reached.add(Reach::Stopped),
            Some((id, new)) => {
                let before = self.streams.campaigns.all().filter_map(daily).filter(|(of, _)| *of == id).last();
                self.reached.add_if(before.is_some_and(|(_, old)| old < new), Reach::Raised);
                self.reached.add_if(before.is_some_and(|(_, old)| old > new), Reach::Lowered);
            }
        }
        self.streams.publish(change);
    }

    fn fails(&mut self, fault: Fault) {
        match fault {
            Fault::Kill { machine, lasts } => {
                // A machine that is down or stands still already is left alone.
                if self.is_well(machine) {
                    self.machines[machine].process = None;
                    self.reached.add(Reach::NodeKilled);
                    self.plan(self.now + lasts, Event::Start(machine));
                }
            }
            Fault::Pause { machine, lasts } => {
                if self.is_well(machine) {
                    self.machines[machine].paused_until = self.now + lasts;
                    self.reached.add(Reach::NodePaused);
                    self.plan(self.now + lasts, Event::Resume(machine));
                }
            }
            Fault::CutOff { machine, lasts } => {
                self.machines[machine].cut_off_until = self.now + lasts;
                self.reached.add(Reach::NodeCutOff);
            }
            Fault::Drain { machine } => {
                let (is_well, clock) = (self.is_well(machine), self.clock(machine));
                let at = &mut self.machines[machine];
                if let Some(process) = at.process.as_mut().filter(|_| is_well && at.cut_off_until <= self.now) {
                    let records = process.drain(clock);
                    at.process = None;
                    records.into_iter().for_each(|record| self.tell(record));
                    self.reached.add(Reach::Drained);
                    self.plan(self.now + SECOND, Event::Start(machine));
                }
            }
            Fault::LedgerDies { at, lasts } => self.dooms(Doom::Dies(at, lasts)),
            Fault::TakeOver { at, lasts } => self.dooms(Doom::IsReplaced(at, lasts)),
            Fault::LedgerPauses { lasts } => {
                self.paused_until = self.now + lasts;
                self.reached.add(Reach::LedgerPaused);
            }
        }
    }

    fn is_well(&self, machine: usize) -> bool {
        self.machines[machine].process.is_some() && self.machines[machine].paused_until <= self.now
    }

    fn dooms(&mut self, doom: Doom) {
        if self.bank.is_some() && self.sleeper.is_none() {
            self.doom.get_or_insert(doom);
        }
    }

    fn tally(&mut self) {
        assert!(self.machines.iter().all(|machine| machine.disk.is_shipped()), "all is shipped at the end");
        let tally = self.bank.as_ref().expect("the ledger is back at the end").books.tally();
        for (charge, reach) in [
            (Charge::Made, Reach::Made),
            (Charge::Late, Reach::Late),
            (Charge::Overdrawn, Reach::Overdrawn),
            (Charge::Repeated, Reach::Repeated),
            (Charge::Contradicted, Reach::Contradicted),
        ] {
            self.reached.add_many(reach, tally.charges(charge));
        }
        for (oddity, reach) in [
            (Oddity::Fenced, Reach::Fenced),
            (Oddity::Refolded, Reach::Refolded),
            (Oddity::RepeatedAsk, Reach::RepeatedAsk),
            (Oddity::UnknownLease, Reach::UnknownLease),
        ] {
            self.reached.add_many(reach, tally.oddities(oddity));
        }
    }
}
