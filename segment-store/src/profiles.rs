//! The profile store: one interface, whatever stands behind it.

use std::sync::Arc;

use decision::ids::{IdHash, PersonKey, SegmentId};
use decision::privacy::Permit;
use decision::profile::{Membership, UnknownWhy};
use decision::time::Micros;
use tokio::time::Instant;

use crate::buffer::ProfileBuffer;
use crate::caps::CapEvent;
use crate::limits::IDS_MAX;
use crate::local::LocalProfiles;
use crate::record::memberships::Head;
use crate::redis::RedisProfiles;

/// The store of profiles. What each method says holds for every implementation; the contract suite checks it.
#[derive(Clone, Debug)]
pub enum Profiles {
    /// On one machine: all records in memory, durable in an embedded store.
    Local(Arc<LocalProfiles>),
    /// On many machines: Redis, or a cluster of them.
    Redis(RedisProfiles),
}

/// Memberships that a person gains or that change.
#[derive(Clone, Copy, Debug)]
pub struct Join<'a> {
    /// Every id that the person is known by, at most [`IDS_MAX`].
    pub ids: &'a [IdHash],
    /// The person's key. `None`: the one in the records, or else the one derived from the first id.
    pub person: Option<PersonKey>,
    /// The memberships; of several of one segment the last one holds.
    pub memberships: &'a [Membership],
}

/// Why a change of one person's memberships is refused. Nothing of it was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// What is stored cannot be read, so it cannot be added to. Removing the person mends it.
    #[error("the stored record cannot be read")]
    Unreadable,
    /// More than [`IDS_MAX`] ids.
    #[error("a person has at most {IDS_MAX} ids")]
    TooManyIds,
    /// More memberships than a record holds.
    #[error("a person has at most {} memberships", crate::limits::MEMBERSHIPS_MAX)]
    TooManyMemberships,
    /// A confidence above 100 percent.
    #[error("a confidence is at most 100 percent")]
    Confidence,
}

/// Why a change was not made durable.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// The change itself is refused.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The store failed. What it was told since may be lost, and it takes nothing more until it is opened again.
    #[error("the profile store failed: {0}")]
    Failed(Arc<str>),
    /// The store cannot be reached, so the change was made whole, in part or not at all. Making it again is harmless.
    #[error("the profile store cannot be reached: {0}")]
    Unavailable(Arc<str>),
}

/// What [`Profiles::sweep`] did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Memberships that had ended.
    pub memberships: usize,
    /// Records of which nothing was left.
    pub records: usize,
}

/// Figures of the store, for metrics and readiness.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Ids with a record, where the store is this process's alone.
    pub records: Option<usize>,
    /// Look-ups and changes that met a record that cannot be read.
    pub corrupt: u64,
    /// Impressions that were forgotten too early for want of room in a record.
    pub forgotten_impressions: u64,
    /// Events that were not counted because too many waited.
    pub lost_events: u64,
    /// Whether the store failed, so that nothing is durable any more.
    pub failed: bool,
}

impl Profiles {
    /// Looks a person up under all `ids` of a request in one wave (ids beyond [`IDS_MAX`] are left out) and leaves the
    /// profile in `buffer`. A person of whom nothing is stored has an empty profile, and the key derived from the
    /// first id.
    ///
    /// Where the ids lead to different records, memberships come from the one with the highest version, and of
    /// impressions each scope counts the larger number, for any window.
    ///
    /// # Errors
    /// [`UnknownWhy::NotPermitted`] and [`UnknownWhy::NoId`], and [`UnknownWhy::Failed`] where any of the records
    /// cannot be read: it might have named a segment that must be excluded. [`UnknownWhy::Late`] where `deadline`, or the
    /// time that a look-up may take, is over before.
    pub async fn read(
        &self,
        permit: Permit,
        ids: &[IdHash],
        now: Micros,
        deadline: Instant,
        buffer: &mut ProfileBuffer,
    ) -> Result<(), UnknownWhy> {
        buffer.clear();
        if !permit.ids() {
            return Err(UnknownWhy::NotPermitted);
        }
        let ids = &ids[..ids.len().min(IDS_MAX)];
        if ids.is_empty() {
            return Err(UnknownWhy::NoId);
        }
        match self {
            Self::Local(local) => local.read(ids, now, buffer),
            Self::Redis(redis) => redis.read(ids, now, deadline, buffer).await,
        }
    }

    /// Counts what became of an impression for all `ids` of a person (those beyond [`IDS_MAX`] are left out). The next
    /// look-up sees it, in Redis as soon as it is there; it is never waited for. On one machine it is durable within
    /// [`limits::CAPS_PERSIST_INTERVAL`](crate::limits::CAPS_PERSIST_INTERVAL): a crash loses the events of that time.
    pub fn count(&self, ids: &[IdHash], event: &CapEvent, now: Micros) {
        self.count_all(None, ids, std::slice::from_ref(event), now);
    }

    /// [`Self::count`] of several impressions, for somebody who was just looked up under the same `ids`: what was `read` then
    /// need not be asked for again.
    pub fn count_after(&self, read: &ProfileBuffer, ids: &[IdHash], events: &[CapEvent], now: Micros) {
        self.count_all(Some(read), ids, events, now);
    }

    fn count_all(&self, read: Option<&ProfileBuffer>, ids: &[IdHash], events: &[CapEvent], now: Micros) {
        if !events.iter().any(CapEvent::counts) {
            return;
        }
        let ids = &ids[..ids.len().min(IDS_MAX)];
        match self {
            Self::Local(local) => local.count(ids, events, now),
            Self::Redis(redis) => redis.count(read, ids, events, now),
        }
    }

    /// Adds memberships to a person, under each of their ids; durable when it returns. Of a segment that the person is
    /// in already, the new membership holds, even where it ends earlier: a writer may correct itself. One that has
    /// ended by `now` takes the person out.
    ///
    /// Where the ids lead to different records: of the same person (by key), the newest is true; of different persons,
    /// which are now linked, the person is in all segments of either, of one in both until the later end.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn join(&self, join: &Join<'_>, now: Micros) -> Result<(), StoreError> {
        let results = self.join_all(std::slice::from_ref(join), now).await?;
        results.into_iter().collect::<Result<(), _>>().map_err(StoreError::Refused)
    }

    /// [`Self::join`] for many people, in order; waits once for all. Says for each whether it was refused.
    ///
    /// # Errors
    /// [`StoreError::Failed`]
    pub async fn join_all(&self, joins: &[Join<'_>], now: Micros) -> Result<Vec<Result<(), Refusal>>, StoreError> {
        match self {
            Self::Local(local) => {
                let results = joins.iter().map(|join| local.join(join, now)).collect();
                local.flush().await?;
                Ok(results)
            }
            Self::Redis(redis) => redis.join_all(joins, now).await,
        }
    }

    /// Takes a person out of `segments`; durable when it returns.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn leave(&self, ids: &[IdHash], segments: &[SegmentId], now: Micros) -> Result<(), StoreError> {
        match self {
            Self::Local(local) => {
                local.leave(ids, segments, now)?;
                local.flush().await
            }
            Self::Redis(redis) => redis.leave(ids, segments, now).await,
        }
    }

    /// Puts a person's memberships in the place of those stored, wherever the stored version is lower; durable when it
    /// returns. Says how many of the ids took it. For writers that compute whole records and may repeat old ones.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn put(
        &self,
        ids: &[IdHash],
        version: u64,
        person: PersonKey,
        memberships: &[Membership],
    ) -> Result<usize, StoreError> {
        let head = Head { version, person };
        match self {
            Self::Local(local) => {
                let taken = local.put(ids, head, memberships)?;
                local.flush().await?;
                Ok(taken)
            }
            Self::Redis(redis) => redis.put(ids, head, memberships).await,
        }
    }

    /// Removes all that is stored under `ids`, memberships and caps, readable or not; durable when it returns.
    ///
    /// # Errors
    /// [`StoreError::Failed`]
    pub async fn remove(&self, ids: &[IdHash]) -> Result<(), StoreError> {
        match self {
            Self::Local(local) => {
                local.remove(ids);
                local.flush().await
            }
            Self::Redis(redis) => redis.remove(ids).await,
        }
    }

    /// Drops memberships and impressions that have ended, and records of which nothing is left. Takes a while (the
    /// whole store is gone through, a little at a time for those who read), so it is no call for a thread that serves.
    /// Redis does it by itself.
    pub fn sweep(&self, now: Micros) -> Swept {
        match self {
            Self::Local(local) => local.sweep(now),
            Self::Redis(_) => Swept::default(),
        }
    }

    /// Figures of the store.
    pub fn stats(&self) -> Stats {
        match self {
            Self::Local(local) => local.stats(),
            Self::Redis(redis) => redis.stats(),
        }
    }

    /// Makes all that was counted so far durable; in Redis, puts it there.
    ///
    /// # Errors
    /// [`StoreError::Failed`], [`StoreError::Unavailable`]
    pub async fn flush(&self) -> Result<(), StoreError> {
        match self {
            Self::Local(local) => local.flush().await,
            Self::Redis(redis) => redis.flush().await,
        }
    }

    /// The same store for one more core: with a connection of its own, on the runtime on which it is first used.
    #[must_use]
    pub fn for_core(&self) -> Self {
        match self {
            Self::Local(local) => Self::Local(Arc::clone(local)),
            Self::Redis(redis) => Self::Redis(redis.for_core()),
        }
    }
}
