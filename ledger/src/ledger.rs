//! The books: a fold of the journal. No I/O, no clock: the same entries always lead to the same books and effects.

use std::collections::{BTreeMap, BTreeSet};

use decision::ids::{AdvertiserId, CampaignId, LeaseId, NodeId, ShardId};
use decision::money::Nanos;
use decision::time::Micros;
use proto::wire::{self, JournalEntry, LeaseRecord, LeaseSettled, Outcome, journal_entry::Input};

use crate::limits;
use crate::pacing::Pacing;
use crate::tally::{Oddity, Tally};
use account::{Account, AdvertiserAccount, Budget};
use memory::Memory;

pub use account::Sums;
pub(crate) use correct::stands_for_money;
pub use snapshot::SnapshotError;
pub(crate) use terms::BidTerms;

mod account;
mod audit;
mod charge;
mod correct;
mod days;
mod lend;
mod memory;
mod pace;
mod snapshot;
mod terms;
#[cfg(test)]
mod tests;

/// How the ledger lends and remembers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LedgerPolicy {
    /// How long a node may bid on a lease, in seconds.
    pub lease_s: u32,
    /// How long after its end a lease waits for billing notices, in seconds: at least as long as the longest time
    /// that an exchange's dialect allows between bid and billing, or charges are booked late.
    pub billing_window_s: u32,
    /// How long past its token's end an impression is remembered, in seconds.
    pub memory_margin_s: u32,
}

impl Default for LedgerPolicy {
    fn default() -> Self {
        Self {
            lease_s: limits::LEASE_S,
            billing_window_s: limits::BILLING_WINDOW_S,
            memory_margin_s: limits::MEMORY_MARGIN_S,
        }
    }
}

impl From<LedgerPolicy> for wire::LedgerPolicy {
    fn from(policy: LedgerPolicy) -> Self {
        let LedgerPolicy { lease_s, billing_window_s, memory_margin_s } = policy;
        Self { lease_s, billing_window_s, memory_margin_s, ..Self::default() }
    }
}

/// What follows from one journal entry, to be published in this order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Effects {
    /// For the stream `outcomes`.
    pub outcomes: Vec<Outcome>,
    /// For the stream `leases`: grants, settlements and paces.
    pub leases: Vec<LeaseRecord>,
}

/// Why an entry cannot be folded: the journal is damaged, of another shard, or was written by a newer program.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JournalError {
    /// Entries are missing or out of order.
    #[error("journal entry {found} follows {last}")]
    Gap {
        /// The last sequence folded.
        last: u64,
        /// The sequence found.
        found: u64,
    },
    /// The entry belongs to another shard.
    #[error("journal entry {sequence} belongs to shard {found}, not {expected}")]
    OtherShard {
        /// Its sequence.
        sequence: u64,
        /// The shard of these books.
        expected: u32,
        /// Its shard.
        found: u32,
    },
    /// The entry has no input that this program knows.
    #[error("journal entry {0} has no known input: it was written by a newer program")]
    UnknownInput(u64),
}

/// Money of one shard's campaigns. Invariant, per campaign and in total: `granted = charged + returned + outstanding`
/// and `spent = charged + late + corrected`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ledger {
    shard: ShardId,
    sequence: u64,
    epoch: u64,
    now: Micros,
    policy: LedgerPolicy,
    /// Which rules are in force: those of the program that wrote the last policy.
    rules: u32,
    /// The next offset of each stream's partitions.
    positions: BTreeMap<String, BTreeMap<u32, u64>>,
    accounts: BTreeMap<CampaignId, Account>,
    advertisers: BTreeMap<AdvertiserId, AdvertiserAccount>,
    leases: BTreeMap<LeaseId, Lease>,
    /// When each open lease is closed at the latest.
    closings: BTreeSet<(Micros, LeaseId)>,
    memory: Memory,
    /// What charges came to by their last corrections, by the sequence that booked them. Never forgotten: a few bytes for
    /// each, and what a correction asks for is held against it however late it comes.
    corrected: BTreeMap<u64, Nanos>,
    /// When each account's first open day is closed.
    day_closings: BTreeSet<(Micros, CampaignId)>,
    /// What the nodes have not been told yet.
    unsettled: BTreeMap<LeaseId, LeaseSettled>,
    pacing: Pacing,
    total: Sums,
    tally: Tally,
}

/// Money lent to a node. It is forgotten once it is closed.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Lease {
    node: NodeId,
    campaign: CampaignId,
    granted: Nanos,
    charged: Nanos,
    returned: Nanos,
    handed_back: bool,
    closes_at: Micros,
}

impl Ledger {
    /// The books before the first entry.
    pub fn new(shard: ShardId) -> Self {
        Self {
            shard,
            sequence: 0,
            epoch: 0,
            now: Micros(0),
            policy: LedgerPolicy::default(),
            rules: 0,
            positions: BTreeMap::new(),
            accounts: BTreeMap::new(),
            advertisers: BTreeMap::new(),
            leases: BTreeMap::new(),
            closings: BTreeSet::new(),
            memory: Memory::default(),
            corrected: BTreeMap::new(),
            day_closings: BTreeSet::new(),
            unsettled: BTreeMap::new(),
            pacing: Pacing::default(),
            total: Sums::default(),
            tally: Tally::default(),
        }
    }

    /// Folds the next entry. Entries of a lower epoch than the highest seen change nothing.
    ///
    /// # Errors
    /// The entry is not the next one of this shard, or not understood; the books are unchanged.
    ///
    /// # Panics
    /// When the sums do not agree: better no books than wrong ones.
    pub fn apply(&mut self, entry: &JournalEntry) -> Result<Effects, JournalError> {
        let (shard, sequence) = (self.shard.0, entry.sequence);
        if entry.shard != shard {
            return Err(JournalError::OtherShard { sequence, expected: shard, found: entry.shard });
        }
        let mut effects = Effects::default();
        if entry.epoch < self.epoch {
            self.tally.odd(Oddity::Fenced);
            return Ok(effects);
        }
        if sequence != self.sequence + 1 {
            return Err(JournalError::Gap { last: self.sequence, found: sequence });
        }
        let input = entry.input.as_ref().ok_or(JournalError::UnknownInput(sequence))?;
        self.sequence = sequence;
        self.epoch = entry.epoch;
        self.now = self.now.max(Micros(entry.at));
        if self.is_new(entry.source.as_ref()) {
            self.input(input, &mut effects);
        } else {
            self.tally.odd(Oddity::Refolded);
        }
        if entry.settle {
            self.settle(&mut effects);
        }
        Ok(effects)
    }

    fn input(&mut self, input: &Input, effects: &mut Effects) {
        match input {
            Input::Notice(notice) => self.notice(notice, effects),
            Input::Ask(ask) => self.ask(ask, effects),
            Input::Return(back) => self.hand_back(back),
            Input::Budget(budget) => self.budget(budget),
            Input::Stop(stop) => self.stop(CampaignId(stop.campaign)),
            Input::Tick(_) => self.tick(effects),
            Input::Correction(correction) => self.correct(correction, effects),
            Input::Policy(policy) => {
                let wire::LedgerPolicy { lease_s, billing_window_s, memory_margin_s, .. } = *policy;
                self.policy = LedgerPolicy { lease_s, billing_window_s, memory_margin_s };
                self.rules = policy.rules;
            }
        }
    }

    /// Notes where the input came from; whether it was not folded before.
    fn is_new(&mut self, source: Option<&wire::Source>) -> bool {
        let Some(source) = source else { return true };
        if !self.positions.contains_key(&source.stream) {
            self.positions.insert(source.stream.clone(), BTreeMap::new());
        }
        let partitions = self.positions.get_mut(&source.stream).expect("it was put there");
        let next = partitions.entry(source.partition).or_insert(0);
        let new = source.offset >= *next;
        *next = (*next).max(source.offset + 1);
        new
    }

    fn budget(&mut self, wire: &wire::CampaignBudget) {
        let id = CampaignId(wire.campaign);
        let account = self.accounts.get(&id);
        let old = account.and_then(|account| account.budget.as_ref());
        // Sums in one currency and limits of one advertiser hold only while both stay what they are.
        let new = Budget::read(wire)
            .filter(|new| old.is_none_or(|old| old.advertiser == new.advertiser && old.currency == new.currency));
        let Some(new) = new else {
            self.tally.odd(Oddity::RefusedBudget);
            return self.stop(id);
        };
        self.advertisers.entry(new.advertiser).or_default().daily = wire.advertiser_daily.map(Nanos::new);
        let account = self.accounts.entry(id).or_insert_with(|| Account::new(new.advertiser, None));
        // What was booked before the campaign was known, another may have been named for.
        let (before, spent) = (account.advertiser, account.sums.spent);
        self.advertisers.entry(before).or_default().spent -= spent;
        self.advertisers.entry(new.advertiser).or_default().spent += spent;
        let now = self.now;
        self.with_days(id, |account| {
            let day = account.day(now);
            account.advertiser = new.advertiser;
            account.budget = Some(new);
            // What was spent today was, also where today has another number by a new clock.
            account.today.renumber(day, account.day(now));
            account.stopped = false;
        });
        self.set_pacing(id);
    }

    fn stop(&mut self, campaign: CampaignId) {
        if let Some(account) = self.accounts.get_mut(&campaign) {
            account.stopped = true;
        }
    }

    fn tick(&mut self, effects: &mut Effects) {
        while let Some((_, lease)) = self.closings.first().filter(|(closes_at, _)| *closes_at <= self.now).copied() {
            self.close(lease);
        }
        self.memory.forget(self.forgettable(self.now));
        self.close_days(effects);
        self.pace(effects);
    }

    /// Whether a tick at `now` would change anything.
    pub fn is_tick_due(&self, now: Micros) -> bool {
        self.closings.first().is_some_and(|(closes_at, _)| *closes_at <= now)
            || self.memory.is_due(self.forgettable(now))
            || self.is_day_over(now)
            || self.is_pacing_due(now)
    }

    fn forgettable(&self, now: Micros) -> Micros {
        now.plus_seconds(-i64::from(self.policy.memory_margin_s))
    }

    /// Whether a lease is open.
    pub fn is_lending(&self) -> bool {
        !self.leases.is_empty()
    }

    /// The last sequence folded; 0: none.
    pub fn sequence(&self) -> u64 {
        self.sequence
    }

    /// The highest epoch seen; 0: none.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// The latest time of an entry.
    pub fn now(&self) -> Micros {
        self.now
    }

    /// The offset behind the last input of a stream's partition that was folded.
    pub fn position(&self, stream: &str, partition: u32) -> u64 {
        self.positions.get(stream).and_then(|partitions| partitions.get(&partition)).copied().unwrap_or(0)
    }

    /// Impressions that are remembered, so that no notice is taken twice.
    pub fn impressions_remembered(&self) -> usize {
        self.memory.len()
    }

    /// Sums over all campaigns. Currencies are added up as if they were one: good for checking, not for showing.
    pub fn total(&self) -> Sums {
        self.total
    }

    /// What became of notices, and what was odd.
    pub fn tally(&self) -> &Tally {
        &self.tally
    }
}
