//! Many runs, and what they come to together.

use ledger::Charge;
use proto::wire::Pacing;

use crate::exchange::{Length, Manners, Traffic};
use crate::network::{Campaign, Change};
use crate::number;
use crate::oracle::{self, Days};
use crate::reached::{Reach, Reached};
use crate::world::World;

/// How many runs there are; `VERNIER_SEEDS` at compile time overrides it.
const SEEDS: u64 = number(option_env!("VERNIER_SEEDS"), 500);
/// One in so many runs is played once more without faults, to see what these cost.
const COMPARED_ONE_IN: u64 = 5;
/// And for so many there is one in which budgets have a whole day.
const WHOLE_DAY_ONE_IN: u64 = 20;
/// Seeds that found something once.
const KEPT: &[u64] = &[];

#[test]
fn money_is_neither_lost_nor_made_nor_overspent_whatever_fails() {
    let (mut reached, mut figures) = (Reached::default(), Figures::default());
    for seed in KEPT.iter().copied().chain(0..SEEDS) {
        let replay = Replay(seed);
        let traffic = Traffic::new(seed, Length::Minutes);
        let mut world = World::play(seed, &traffic, true);
        let days = judge(&mut world);
        figures.add_overspend(seed, &traffic, &days);
        reached.add_all(&world.reached);
        if seed % COMPARED_ONE_IN == 0 {
            let calm_days = play_calm(seed, &traffic);
            // Where nobody tells of losses, minutes are over before anybody knows how few bids win: whole days tell.
            if traffic.crowd == 1 {
                figures.missed.add(&traffic, &calm_days, &days);
            }
        }
        drop(replay);
    }
    figures.check();
    figures.missed.check([(50, 2.0), (90, 5.0)]);
    reached.check(SEEDS);
}

#[test]
fn what_can_be_spent_in_a_day_is_spent_whatever_fails() {
    let mut missed = Missed::default();
    for seed in 0..(SEEDS / WHOLE_DAY_ONE_IN).max(1) {
        let replay = Replay(seed);
        let traffic = Traffic::new(seed, Length::Day);
        let days = judge(&mut World::play(seed, &traffic, true));
        missed.add(&traffic, &play_calm(seed, &traffic), &days);
        drop(replay);
    }
    missed.check([(50, 0.5), (99, 2.0)]);
    assert!(missed.most <= 1.0, "more than 2 % and one bid a node is missed: {} of that", missed.most);
}

/// Plays a run once more without faults, in which nothing may be held too long or booked to no lease.
fn play_calm(seed: u64, traffic: &Traffic) -> Days {
    let mut calm = World::play(seed, traffic, false);
    let days = judge(&mut calm);
    let in_full = is_orderly(&calm);
    assert!(!in_full || calm.left_open == 0, "{} leases are not handed back", calm.left_open);
    assert!(in_full || !is_told_of_all(traffic), "money was booked late though it was held");
    days
}

/// Names the seed when a test fails under it.
struct Replay(u64);

impl Drop for Replay {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("failing seed: {}; keep it in KEPT", self.0);
        }
    }
}

/// Holds a run that is over against the oracle.
fn judge(world: &mut World<'_>) -> Days {
    oracle::check_charges(world);
    let is_orderly = is_orderly(world);
    assert!(!is_orderly || world.is_all_released, "nodes hold money for what is over");
    world.reached.add_if(is_orderly, Reach::AllToLeases);
    let days = oracle::check_rebuilds(world);
    for campaign in campaigns(world.traffic) {
        let of = days.iter().filter(|((id, _), _)| *id == campaign.budget.campaign).map(|(_, day)| day);
        let (mut spent, mut late) = (0, 0);
        for day in of {
            assert!(day.overspent() <= day.late + day.early, "more than leases and late charges: {day:?}");
            (spent, late) = (spent + day.spent, late + day.late);
        }
        assert!(spent <= late + i128::from(campaign.budget.total), "more than in all: {spent} with {late} late");
    }
    days
}

/// Whether everything was booked to the leases that were held for it. What is not leaves a node waiting for its charge until
/// the token's end.
fn is_orderly(world: &World<'_>) -> bool {
    let tally = world.bank.as_ref().unwrap().books.tally();
    world.traffic.manners == Manners::Punctual && tally.charges(Charge::Late) + tally.charges(Charge::Overdrawn) == 0
}

/// Whether a node that bids hears of every win while it holds the whole price: from the exchange, or from the ledger.
fn is_told_of_all(traffic: &Traffic) -> bool {
    traffic.manners == Manners::Punctual && traffic.crowd == 1
}

/// The campaigns as they were first published.
fn campaigns(traffic: &Traffic) -> Vec<&Campaign> {
    let mut first: Vec<&Campaign> = Vec::new();
    for (_, change) in &traffic.changes {
        if let Change::Published(campaign) = change
            && first.iter().all(|of| of.budget.campaign != campaign.budget.campaign)
        {
            first.push(campaign);
        }
    }
    first
}

/// Days of campaigns, and how many of them spent more than their budget, or more than the bound allows.
#[derive(Default)]
struct Overspent {
    days: u64,
    over: u64,
    above: u64,
    /// The most: in bounds, as a part of the budget, and in which seed.
    most: (f64, f64, u64),
}

/// What all runs came to.
#[derive(Default)]
struct Figures {
    /// With exchanges of these manners.
    overspent: [Overspent; 3],
    missed: Missed,
}

/// What campaigns did not spend of what they could: without faults, and because of them.
#[derive(Default)]
struct Missed {
    calm: Vec<f64>,
    by_faults: Vec<f64>,
    /// The most of both, as a part of 2 % of the budget, or of one bid a node if that is more: with less no node can bid.
    most: f64,
}

impl Figures {
    fn add_overspend(&mut self, seed: u64, traffic: &Traffic, days: &Days) {
        for campaign in campaigns(traffic) {
            for (_, day) in days.iter().filter(|((id, _), _)| *id == campaign.budget.campaign) {
                let one_bid_a_node = i128::from(campaign.price_max) * traffic.machines as i128;
                let bound = (day.limit / 100).max(one_bid_a_node);
                let part = day.overspent() as f64 / bound as f64;
                let of = &mut self.overspent[traffic.manners as usize];
                of.days += 1;
                of.over += u64::from(day.overspent() > 0);
                of.above += u64::from(part > 1.0);
                if part > of.most.0 {
                    of.most = (part, day.overspent() as f64 / day.limit as f64, seed);
                }
            }
        }
    }

    fn check(&self) {
        for (manners, of) in [Manners::Punctual, Manners::Forgetful, Manners::Overdue].into_iter().zip(&self.overspent)
        {
            let Overspent { days, over, above, most: (bounds, part, seed) } = of;
            println!(
                "{manners:?}: of {days} campaign days {over} overspent, {above} by more than the bound; at most {bounds:.3} \
                 of the bound, {:.2} % of the budget (seed {seed})",
                part * 100.0
            );
        }
        assert!(self.overspent[Manners::Punctual as usize].most.0 <= 1.0, "too much is spent");
    }
}

impl Missed {
    /// Of campaigns that buy whatever they can and could spend their budgets.
    fn add(&mut self, traffic: &Traffic, calm: &Days, faulty: &Days) {
        for campaign in campaigns(traffic) {
            let budget = &campaign.budget;
            if budget.pacing() != Pacing::Asap || traffic.is_edited(budget.campaign) {
                continue;
            }
            let of =
                |days: &Days| days.iter().filter(|((id, _), _)| *id == budget.campaign).map(|(_, d)| d.spent).sum();
            let (calm, faulty): (i128, i128) = (of(calm), of(faulty));
            let clock = proto::campaign::local_time(budget.local_time.as_ref()).unwrap();
            let mut worth = std::collections::BTreeMap::<i64, i128>::new();
            for opportunity in traffic.opportunities.iter().filter(|o| o.campaign == budget.campaign) {
                let day = clock.day(decision::time::Micros(opportunity.at));
                *worth.entry(day).or_default() += i128::from(traffic.worth(opportunity, campaign));
            }
            let daily = i128::from(budget.daily);
            if worth.values().any(|worth| *worth < daily * 5 / 4) {
                continue;
            }
            let best = (daily * worth.len() as i128).min(budget.total.into());
            self.calm.push(1.0 - calm as f64 / best as f64);
            self.by_faults.push(1.0 - faulty as f64 / calm as f64);
            let one_bid_a_node = i128::from(campaign.price_max) * traffic.machines as i128;
            let most = (best - calm).max(calm - faulty) as f64 / (best / 50).max(one_bid_a_node) as f64;
            self.most = self.most.max(most);
        }
    }

    /// At each of these percentiles no more than so many percent.
    fn check(&mut self, bounds: [(usize, f64); 2]) {
        for (what, parts) in [("calm", &mut self.calm), ("by faults", &mut self.by_faults)] {
            assert!(!parts.is_empty(), "no campaign could spend its budget");
            parts.sort_by(f64::total_cmp);
            let at = |part: usize| parts[(parts.len() - 1) * part / 100] * 100.0;
            println!(
                "missed, {what}: of {} campaigns: median {:.2} %, p90 {:.2} %, p99 {:.2} %, most {:.2} %",
                parts.len(),
                at(50),
                at(90),
                at(99),
                at(100)
            );
            assert!(bounds.iter().all(|(part, most)| at(*part) <= *most), "too much is missed: {bounds:?}");
        }
    }
}
