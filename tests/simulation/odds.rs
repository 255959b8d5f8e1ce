//! A day of a campaign most of whose bids lose, at an exchange that tells of no losses: their money is held until the end of
//! their auction windows, and the budget is to be spent all the same, and not overspent where luck changes.

use std::collections::VecDeque;
use std::sync::Arc;

use bidder::lease::{Account, Keeper, Losses, Reservations, Wanted, Windows};
use decision::ids::{AdvertiserId, CampaignId, ImpressionId, NodeId, ShardId};
use decision::money::Nanos;
use decision::time::Micros;
use event_log::Partition;
use ledger::limits::FOLD_RULES;
use ledger::{Ledger, LedgerPolicy};
use proto::wire::{
    self, CampaignBudget, JournalEntry, LeaseRead, LeaseRecord, Notice, NoticeKind, Sealed, journal_entry::Input,
    lease_record::Event,
};
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

use crate::{DAY, SECOND};

const NODES: u64 = 2;
const PRICE: i64 = 2_000_000;
const MIDNIGHT: i64 = 20_000 * DAY;

fn budget(daily: i64) -> CampaignBudget {
    CampaignBudget {
        campaign: 1,
        advertiser: 1,
        currency: "EUR".to_owned(),
        daily,
        total: i64::MAX,
        until: i64::MAX,
        ..CampaignBudget::default()
    }
}

struct Node {
    keeper: Keeper,
    account: Arc<Account>,
    reservations: Arc<Reservations>,
}

struct Day {
    books: Ledger,
    nodes: Vec<Node>,
    daily: i64,
    /// Wins on their way: of which node, and what the notice says.
    wins: VecDeque<(usize, Notice)>,
    impressions: u128,
    /// Bids that win where they are made.
    lucky: i64,
    random: SmallRng,
    /// Seconds from a bid to its billing notice.
    billed_after_s: i64,
}

impl Day {
    fn new(daily: i64, billed_after_s: i64) -> Self {
        let node = |number| {
            let reservations = Arc::new(Reservations::default());
            let keeper = Keeper::new(NodeId(number), Arc::clone(&reservations));
            Node { keeper, account: Arc::new(Account::new(CampaignId(1))), reservations }
        };
        let random = SmallRng::seed_from_u64(7);
        let (books, nodes) = (Ledger::new(ShardId(0)), (1..=NODES).map(node).collect());
        let mut day =
            Self { books, nodes, daily, wins: VecDeque::new(), impressions: 0, lucky: 0, random, billed_after_s };
        let policy = wire::LedgerPolicy { rules: FOLD_RULES, ..LedgerPolicy::default().into() };
        day.fold(MIDNIGHT, vec![Input::Policy(policy), Input::Budget(budget(daily))]);
        day
    }

    /// A manager gives the campaign another budget.
    fn raise(&mut self, at: i64, daily: i64) {
        self.daily = daily;
        self.fold(at, vec![Input::Budget(budget(daily))]);
    }

    /// Folds a batch and tells the nodes what follows.
    fn fold(&mut self, at: i64, inputs: Vec<Input>) {
        let count = inputs.len();
        for (number, input) in inputs.into_iter().enumerate() {
            let (sequence, settle) = (self.books.sequence() + 1, number + 1 == count);
            let entry = JournalEntry { sequence, epoch: 1, at, input: Some(input), settle, ..JournalEntry::default() };
            let effects = self.books.apply(&entry).expect("the next entry");
            effects.leases.iter().for_each(|record| self.tell(record, at));
        }
    }

    fn tell(&mut self, record: &LeaseRecord, at: i64) {
        self.nodes.iter_mut().for_each(|node| node.keeper.take(Partition(0), record, Micros(at)));
    }

    /// A second in which each node bids so many times, and wins each of `win_one_in`.
    fn second(&mut self, at: i64, bids: u64, win_one_in: f64) {
        let now = Micros(at);
        let mut inputs = Vec::new();
        let told = self.wins.partition_point(|(_, notice)| notice.at <= at);
        for (number, notice) in self.wins.drain(..told).collect::<Vec<_>>() {
            let id = ImpressionId(notice.impression.as_slice().try_into().expect("16 bytes"));
            // Any node may be told; the others hear of it from the ledger.
            if self.random.random_bool(1.0 / NODES as f64) {
                self.nodes[number].reservations.win(id);
            }
            inputs.push(Input::Notice(notice));
        }
        for node in &mut self.nodes {
            let (account, price) = (Arc::clone(&node.account), Nanos::new(PRICE));
            node.keeper.want(now, vec![Wanted::new(account, AdvertiserId(1), price, Nanos::new(self.daily))]);
            inputs.extend(node.keeper.tick(now).into_iter().filter_map(|record| match record.event? {
                Event::Ask(ask) => Some(Input::Ask(ask)),
                Event::Return(back) => Some(Input::Return(back)),
                _ => None,
            }));
        }
        self.fold(at, inputs);
        let read = Some(Event::Read(LeaseRead { notices_until: at }));
        self.tell(&LeaseRecord { event: read, ..LeaseRecord::default() }, at);
        for number in 0..self.nodes.len() {
            (0..bids).for_each(|_| self.bid(number, now, win_one_in));
        }
    }

    fn bid(&mut self, number: usize, now: Micros, win_one_in: f64) {
        let is_lucky = self.random.random_bool(1.0 / win_one_in);
        self.lucky += i64::from(is_lucky);
        let Some(taken) = self.nodes[number].account.reserve(Nanos::new(PRICE), Losses::Untold, now) else { return };
        self.impressions += 1;
        let (impression, lease) = (self.impressions.to_le_bytes(), taken.lease.id.0);
        let windows = Windows { won_by: now.plus_seconds(60), billed_by: now.plus_seconds(360) };
        assert!(self.nodes[number].reservations.hold(ImpressionId(impression), taken, windows), "there is room");
        if is_lucky {
            let sealed = Sealed {
                campaign: 1,
                advertiser: 1,
                node: number as u64 + 1,
                lease,
                price: PRICE,
                rate: 1_000_000_000,
                bid_at: now.0,
                expires_at: now.plus_seconds(3_600).0,
                ..Sealed::default()
            };
            let notice = Notice {
                kind: NoticeKind::Billing.into(),
                impression: impression.to_vec(),
                at: now.plus_seconds(self.billed_after_s).0,
                billable: true,
                price: Some(PRICE),
                sealed: Some(sealed),
                ..Notice::default()
            };
            self.wins.push_back((number, notice));
        }
    }

    /// What was spent of the budget, or of what could be, and what of that was booked late.
    fn spent(&self) -> (f64, f64) {
        let (total, most) = (self.books.total(), self.daily.min(self.lucky * PRICE) as f64);
        (total.spent as f64 / most, total.late as f64 / most)
    }
}

/// A day on which all bids together win just what the budget buys, but that from `luck_from` on, in seconds, each of
/// `luckier` wins.
fn play(bids: u64, win_one_in: f64, (luck_from, luckier): (i64, f64), billed_after_s: i64) -> (f64, f64) {
    let seconds = DAY / SECOND;
    let wins = (seconds as u64 * NODES * bids) as f64 / win_one_in;
    let mut day = Day::new(wins as i64 * PRICE, billed_after_s);
    for second in 0..seconds - billed_after_s - 5 {
        let odds = if second < luck_from { win_one_in } else { luckier };
        day.second(MIDNIGHT + second * SECOND, bids, odds);
    }
    let (spent, late) = day.spent();
    println!(
        "{bids} bids a second, one in {win_one_in} wins, at last one in {luckier}: {spent:.4} spent, {late:.5} late"
    );
    (spent, late)
}

#[test]
fn a_budget_is_spent_though_most_bids_lose_and_nobody_tells() {
    for (bids, win_one_in, after_s) in [(1, 20.0, 1), (10, 20.0, 1), (10, 100.0, 1), (10, 100.0, 50), (40, 300.0, 1)] {
        let (spent, late) = play(bids, win_one_in, (i64::MAX, 1.0), after_s);
        assert!((0.98..=1.0005).contains(&spent) && late < 0.001, "spent {spent}, late {late}");
    }
}

#[test]
fn luck_that_changes_at_the_end_of_a_budget_overspends_little() {
    for luckier in [25.0, 10.0, 1.0] {
        let (spent, _) = play(10, 100.0, (80_000, luckier), 1);
        assert!((0.98..=1.01).contains(&spent), "spent {spent} where one in {luckier} wins at last");
    }
}

/// What is known from before a pause tells nothing of what comes after it: a budget that is spent is raised at the moment at which
/// bids begin to win much more often, and notices take five seconds.
#[test]
fn luck_that_changes_as_a_budget_is_raised_overspends_little() {
    for luckier in [10.0, 2.0, 1.0] {
        let mut day = Day::new(900 * PRICE, 5);
        for second in 0..8_200 {
            let at = MIDNIGHT + second * SECOND;
            if second == 8_000 {
                let spent = day.books.total().spent / i128::from(PRICE);
                assert!((880..=900).contains(&spent), "{spent} are bought before the pause");
                day.raise(at, 1_000 * PRICE);
            }
            day.second(at, 20, if second < 7_995 { 50.0 } else { luckier });
        }
        let spent = day.books.total().spent / i128::from(PRICE);
        println!("a budget raised from 900 to 1,000 as one bid in {luckier} wins instead of one in 50: {spent} spent");
        assert!(spent <= 1_010, "{spent} of 1,000 where one in {luckier} wins");
    }
}
