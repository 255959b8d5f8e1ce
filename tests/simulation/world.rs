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

mod banks;
mod bidders;
mod failures;

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

    /// A length of time between those in the busy minutes; later nobody is in a hurry.
    fn soon(&mut self, from_ms: i64, to_ms: i64) -> i64 {
        self.now + self.random.random_range(from_ms * 1_000..to_ms * 1_000) * self.traffic.slowness(self.now)
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
