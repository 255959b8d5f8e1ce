//! The truth, told by other means than the ledger's: what each notice that got into the stream must come to, and what each
//! campaign may spend in a day.

use std::collections::BTreeMap;

use decision::ids::ShardId;
use decision::time::{LocalTime, Micros};
use ledger::Ledger;
use proto::record::encode;
use proto::wire::{
    CampaignBudget, Fees, JournalEntry, Outcome, OutcomeKind, journal_entry::Input, lease_record::Event,
};

use crate::reached::Reach;
use crate::world::World;

/// One campaign on one of its days.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Day {
    /// The highest daily budget in force, or what was already lent out where that was more.
    pub(crate) limit: i128,
    pub(crate) spent: i128,
    /// What of it was booked late.
    pub(crate) late: i128,
    /// What of it was lent on the next day: the clock of the node that took the notice was behind.
    pub(crate) early: i128,
}

impl Day {
    pub(crate) fn overspent(&self) -> i128 {
        (self.spent - self.limit).max(0)
    }
}

/// The days of all campaigns.
pub(crate) type Days = BTreeMap<(u32, i64), Day>;

/// Every acknowledged notice that books money booked it once, whatever failed.
pub(crate) fn check_charges(world: &World<'_>) {
    let mut expected: BTreeMap<Vec<u8>, (u32, i64)> = BTreeMap::new();
    for notice in world.streams.notices.all() {
        let sealed = notice.sealed.as_ref().unwrap();
        if notice.billable && !notice.void && notice.at <= sealed.expires_at {
            let (units, rate) = (i128::from(notice.price.unwrap().min(sealed.price)) * 1_000_000_000, sealed.rate);
            let media = units / i128::from(rate) + i128::from(units % i128::from(rate) > 0);
            let amount = sealed.fees.as_ref().map_or(media, |fees| gross(media, fees));
            expected.entry(notice.impression.clone()).or_insert((sealed.campaign, amount as i64));
        }
    }
    for impression in &world.acknowledged {
        assert!(expected.contains_key(impression.0.as_slice()), "an acknowledged notice is lost: {impression}");
    }
    assert_eq!(world.acknowledged.len(), expected.len(), "something is charged that nobody acknowledged");
    let mut sums: BTreeMap<u32, i128> = BTreeMap::new();
    expected.values().for_each(|(campaign, amount)| *sums.entry(*campaign).or_default() += i128::from(*amount));
    let is_charge = |outcome: &&Outcome| matches!(outcome.kind(), OutcomeKind::Charge | OutcomeKind::Unmatched);
    for outcome in world.streams.outcomes.all().filter(is_charge) {
        let booked = Some((outcome.campaign, outcome.charged));
        assert_eq!(expected.remove(&outcome.impression), booked, "booked otherwise, or twice: {outcome:?}");
    }
    assert!(expected.is_empty(), "never booked: {expected:?}");
    let books = world.bank.as_ref().unwrap().books.books(Micros(0));
    for campaign in &books.campaigns {
        let sum = sums.remove(&campaign.campaign.0).unwrap_or(0);
        assert_eq!(campaign.sums.spent, sum, "campaign {}", campaign.campaign);
        assert_eq!(campaign.sums.outstanding, 0, "all is over, and campaign {} has money out", campaign.campaign);
    }
    assert!(sums.is_empty() && books.open_leases == 0, "{sums:?}");
}

/// What this much media costs.
pub(crate) fn gross(media: i128, fees: &Fees) -> i128 {
    const MILLION: i128 = 1_000_000;
    let up = |amount: i128, part: i128| amount / part + i128::from(amount % part > 0);
    let cost = media + up(media * i128::from(fees.exchange_ppm), MILLION) + i128::from(fees.data_cpm);
    up(cost * MILLION, MILLION - i128::from(fees.margin_ppm))
}

/// Folds the journal anew: whole, and from the last snapshot on. All books are equal, to the byte of a snapshot.
pub(crate) fn check_rebuilds(world: &mut World<'_>) -> Days {
    let bytes = |books: &Ledger| -> Vec<Vec<u8>> { books.snapshot(0).map(|part| encode(&part)).collect() };
    let live = &world.bank.as_ref().unwrap().books;
    let mut days = Folded::default();
    for entry in &world.streams.journal {
        days.fold(entry);
    }
    let Folded { books, days, midnights, .. } = days;
    assert_eq!(&books, live);
    assert_eq!(bytes(&books), bytes(live));
    let parts = &world.streams.snapshot;
    if !parts.is_empty() {
        let (mut books, from) = Ledger::restore(parts.iter().cloned()).unwrap();
        for entry in &world.streams.journal[from as usize..] {
            books.apply(entry).unwrap();
        }
        assert_eq!(bytes(&books), bytes(live));
    }
    world.reached.add_many(Reach::Midnight, midnights);
    days
}

/// The journal as it is folded, and what it says of days.
struct Folded {
    books: Ledger,
    days: Days,
    /// The budgets in force, their clocks, and the days that it is by these.
    budgets: BTreeMap<u32, (CampaignBudget, LocalTime, i64)>,
    /// When leases were granted.
    granted: BTreeMap<u64, Micros>,
    midnights: u64,
}

impl Default for Folded {
    fn default() -> Self {
        let (books, days) = (Ledger::new(ShardId(0)), Days::new());
        Self { books, days, budgets: BTreeMap::new(), granted: BTreeMap::new(), midnights: 0 }
    }
}

impl Folded {
    fn fold(&mut self, entry: &JournalEntry) {
        let is_new = entry.epoch >= self.books.epoch()
            && entry.source.as_ref().is_none_or(|s| s.offset >= self.books.position(&s.stream, s.partition));
        if is_new {
            self.pass(Micros(entry.at).max(self.books.now()));
            if let Some(Input::Budget(budget)) = &entry.input {
                self.budget(budget, Micros(entry.at));
            }
        }
        let effects = self.books.apply(entry).unwrap();
        for record in &effects.leases {
            if let Some(Event::Grant(grant)) = &record.event {
                self.granted.insert(grant.lease, self.books.now());
            }
        }
        for outcome in effects.outcomes.iter().filter(|outcome| outcome.kind() == OutcomeKind::Charge) {
            let (_, clock, _) = &self.budgets[&outcome.campaign];
            let day = clock.day(Micros(outcome.at).min(self.books.now()));
            let is_early = !outcome.late && clock.day(self.granted[&outcome.lease]) > day;
            let of = self.days.entry((outcome.campaign, day)).or_default();
            let amount = i128::from(outcome.charged);
            of.spent += amount;
            of.late += if outcome.late { amount } else { 0 };
            of.early += if is_early { amount } else { 0 };
        }
    }

    /// Begins the days that `now` is in. What is out at midnight may still be spent.
    fn pass(&mut self, now: Micros) {
        for (campaign, (budget, clock, today)) in &mut self.budgets {
            let day = clock.day(now);
            if day > *today {
                *today = day;
                self.midnights += 1;
                let books = self.books.books(now);
                let out = books.campaigns.iter().find(|of| of.campaign.0 == *campaign).unwrap().sums.outstanding;
                let of = self.days.entry((*campaign, day)).or_default();
                of.limit = of.limit.max(out).max(budget.daily.into());
            }
        }
    }

    fn budget(&mut self, budget: &CampaignBudget, at: Micros) {
        let clock = proto::campaign::local_time(budget.local_time.as_ref()).unwrap();
        let day = clock.day(at.max(self.books.now()));
        let of = self.days.entry((budget.campaign, day)).or_default();
        of.limit = of.limit.max(budget.daily.into());
        self.budgets.insert(budget.campaign, (budget.clone(), clock, day));
    }
}
