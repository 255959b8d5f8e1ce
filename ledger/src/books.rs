//! What others may know of the books: copies, made when asked for.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use decision::ids::{AdvertiserId, CampaignId, Currency};
use decision::money::Nanos;
use decision::time::Micros;
use event_log::Offsets;

use crate::ledger::{Ledger, Sums};
use crate::limits::CAUGHT_UP_S;
use crate::tally::Tally;

/// A look at the books. All sums since the journal began, unless they say otherwise.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Books {
    /// The last journal entry that is in.
    pub sequence: u64,
    /// The writer's epoch.
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

/// A way to the books for those who do not keep them. Clones look at the same books.
#[derive(Clone, Debug)]
pub struct LedgerHandle(Arc<Shared>);

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

impl Default for LedgerHandle {
    fn default() -> Self {
        Self(Arc::new(Shared {
            ledger: Mutex::default(),
            whole_at: AtomicI64::new(NEVER),
            taken_in: Default::default(),
            ends: Default::default(),
        }))
    }
}

impl LedgerHandle {
    /// How long ago it was that all which the streams held then is in the books, in microseconds. `None` until they are
    /// rebuilt and that is said for the first time. It grows while a batch waits for Kafka, or nobody says how far the
    /// streams reach.
    pub fn behind(&self, now: Micros) -> Option<i64> {
        let whole_at = self.0.whole_at.load(Ordering::Acquire);
        (whole_at != NEVER).then(|| now.0.saturating_sub(whole_at).max(0))
    }

    /// Whether they are at most [`CAUGHT_UP_S`] seconds behind.
    pub fn caught_up(&self, now: Micros) -> bool {
        self.behind(now).is_some_and(|behind| behind <= CAUGHT_UP_S * 1_000_000)
    }

    /// A look at the books on the UTC day of `now`. Empty until they are rebuilt.
    pub fn books(&self, now: Micros) -> Books {
        self.lock().as_ref().map(|ledger| ledger.books(now)).unwrap_or_default()
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
