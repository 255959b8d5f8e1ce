//! What others may know of the books: copies, made when asked for.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use decision::ids::{AdvertiserId, CampaignId, Currency, ShardId};
use decision::money::Nanos;
use decision::time::Micros;
use event_log::Offsets;

use crate::ledger::{Ledger, Sums};
use crate::limits::CAUGHT_UP_S;
use crate::tally::Tally;

/// A look at the books of the shards that a process keeps. All sums since their journals began, unless they say otherwise.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Books {
    /// The journal entries that are in.
    pub sequence: u64,
    /// The highest epoch of a writer.
    pub epoch: u64,
    /// Leases that were granted and not closed.
    pub open_leases: usize,
    /// Impressions that are remembered, so that no notice is taken twice.
    pub impressions_remembered: usize,
    /// Every campaign that was published or charged, by ascending number.
    pub campaigns: Vec<CampaignBooks>,
    /// What became of notices, and what was odd.
    pub tally: Tally,
}

/// Money of one campaign, in nanos of its currency.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CampaignBooks {
    /// Its number.
    pub campaign: CampaignId,
    /// Its name; empty where it was never published.
    pub name: String,
    /// Who pays.
    pub advertiser: AdvertiserId,
    /// Its currency; `None` where it was never published.
    pub currency: Option<Currency>,
    /// Whether it gets no grants until it is published again.
    pub stopped: bool,
    /// The most it may spend in one day of its own clock.
    pub daily_budget: Nanos,
    /// The most it may spend in all.
    pub total_budget: Nanos,
    /// Booked on the day of the look, by the campaign's clock.
    pub spent_today: i128,
    /// What nodes multiply its prices by so that its budget lasts, in millionths; `None`: it is not paced.
    pub multiplier_ppm: Option<u32>,
    /// Its sums.
    pub sums: Sums,
}

impl Books {
    /// Takes in those of another shard.
    fn add(&mut self, other: Self) {
        self.sequence += other.sequence;
        self.epoch = self.epoch.max(other.epoch);
        self.open_leases += other.open_leases;
        self.impressions_remembered += other.impressions_remembered;
        self.campaigns.extend(other.campaigns);
        self.campaigns.sort_by_key(|campaign| campaign.campaign);
        self.tally += &other.tally;
    }
}

/// A way to the books for those who do not keep them: of all shards that this process should keep. Clones look at the same
/// books.
#[derive(Clone, Debug, Default)]
pub struct LedgerHandle(Arc<Mutex<Option<BTreeMap<ShardId, KeptShard>>>>);

impl LedgerHandle {
    /// How long ago it was that all which the streams held then is in the books, in microseconds, by the shard that is the
    /// furthest behind; 0 where the process has none. `None` until it is said which it has, and until each of these is
    /// rebuilt and that is said of it for the first time. It grows while a batch waits for Kafka, or nobody says how far the
    /// streams reach.
    pub fn behind(&self, now: Micros) -> Option<i64> {
        let guard = self.shards();
        guard.as_ref()?.values().try_fold(0, |most, kept| Some(kept.behind(now)?.max(most)))
    }

    /// Whether they are at most [`CAUGHT_UP_S`] seconds behind.
    pub fn caught_up(&self, now: Micros) -> bool {
        self.behind(now).is_some_and(|behind| behind <= CAUGHT_UP_S * 1_000_000)
    }

    /// A look at the books on the UTC day of `now`. Those of shards that are not rebuilt yet are not in it.
    pub fn books(&self, now: Micros) -> Books {
        let mut books = Books::default();
        for kept in self.kept().into_values() {
            let one = kept.lock().as_ref().map(|ledger| ledger.books(now));
            one.into_iter().for_each(|one| books.add(one));
        }
        books
    }

    /// The shards that this process should keep.
    pub(crate) fn kept(&self) -> BTreeMap<ShardId, KeptShard> {
        self.shards().clone().unwrap_or_default()
    }

    /// These are the shards from now on.
    pub(crate) fn hold(&self, shards: &BTreeSet<ShardId>) {
        let mut guard = self.shards();
        let kept = guard.get_or_insert_default();
        kept.retain(|shard, _| shards.contains(shard));
        for shard in shards {
            kept.entry(*shard).or_default();
        }
    }

    /// Forgets the books of a shard, which are to be rebuilt.
    pub(crate) fn renew(&self, shard: ShardId) -> KeptShard {
        let new = KeptShard::default();
        self.shards().get_or_insert_default().insert(shard, new.clone());
        new
    }

    fn shards(&self) -> MutexGuard<'_, Option<BTreeMap<ShardId, KeptShard>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The books of one shard, and how far they are.
#[derive(Clone, Debug, Default)]
pub(crate) struct KeptShard(Arc<Shared>);

const NEVER: i64 = i64::MIN;

#[derive(Debug)]
struct Shared {
    ledger: Mutex<Option<Ledger>>,
    /// All that the streams held at this moment is in; [`NEVER`] before there is one.
    whole_at: AtomicI64,
    /// Behind what was taken in of each stream that is read, all partitions together.
    taken_in: [AtomicU64; 3],
    /// Where each ended when it was last looked at.
    ends: [AtomicU64; 3],
}

impl Default for Shared {
    fn default() -> Self {
        let (taken_in, ends) = Default::default();
        Self { ledger: Mutex::default(), whole_at: AtomicI64::new(NEVER), taken_in, ends }
    }
}

impl KeptShard {
    /// As [`LedgerHandle::behind`], of this shard.
    pub(crate) fn behind(&self, now: Micros) -> Option<i64> {
        let whole_at = self.0.whole_at.load(Ordering::Acquire);
        (whole_at != NEVER).then(|| now.0.saturating_sub(whole_at).max(0))
    }

    pub(crate) fn set_taken_in(&self, places: [Offsets; 3]) {
        store(&self.0.taken_in, &places);
    }

    pub(crate) fn taken_in(&self) -> [u64; 3] {
        load(&self.0.taken_in)
    }

    pub(crate) fn set_ends(&self, places: &[Offsets; 3]) {
        store(&self.0.ends, places);
    }

    pub(crate) fn ends(&self) -> [u64; 3] {
        load(&self.0.ends)
    }

    pub(crate) fn set_whole(&self, at: Micros) {
        self.0.whole_at.store(at.0, Ordering::Release);
    }

    /// The books themselves. If their service panicked nobody changes them any more, and an operator wants to see them
    /// as they were.
    pub(crate) fn lock(&self) -> MutexGuard<'_, Option<Ledger>> {
        self.0.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn store(shared: &[AtomicU64; 3], places: &[Offsets; 3]) {
    shared.iter().zip(places).for_each(|(shared, place)| shared.store(place.sum(), Ordering::Relaxed));
}

fn load(shared: &[AtomicU64; 3]) -> [u64; 3] {
    shared.each_ref().map(|offset| offset.load(Ordering::Relaxed))
}
