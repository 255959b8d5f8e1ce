//! Profiles on Redis, one or a cluster: under each id stands its record, memberships and caps in one value. Every write
//! replaces a record that is still what its writer read, so writers on many nodes lose nothing of one another, and writing
//! again after a lost answer changes nothing.

mod counting;
mod lane;
mod link;

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use decision::ids::{IdHash, SegmentId};
use decision::profile::{Membership, UnknownWhy};
use decision::time::{Micros, Seconds};
use futures_util::future::join_all;
use prometheus_client::metrics::counter::Counter;
use tokio::time::Instant;

use crate::buffer::ProfileBuffer;
use crate::caps::CapEvent;
use crate::limits::{REDIS_SWAPS_MAX, REDIS_TOMBSTONE_S};
use crate::person::{self, check_ids};
use crate::profiles::{Join, Refusal, Stats, StoreError};
use crate::record::memberships::{Head, decode};
use crate::record::{Corrupt, whole};
use counting::Counting;
use lane::Lane;
use link::{Link, Swap, Swapped};

/// How Redis is reached.
#[derive(Clone)]
pub struct RedisOptions {
    /// `redis://[user:password@]host:port[/database]`; `rediss://` with TLS. Of one Redis and its replicas: whichever is
    /// the master is used. Of a cluster: some of its nodes.
    pub urls: Vec<String>,
    /// Whether it is a cluster.
    pub cluster: bool,
    /// Certificates (PEM) of the authority that signed those of the servers; `None`: those that the system trusts.
    pub authority: Option<Vec<u8>>,
    /// How long a look-up is waited for at most, not counting the time for which the caller's core was busy.
    pub lookup_timeout: Duration,
}

impl fmt::Debug for RedisOptions {
    /// Without the URLs, which may hold passwords.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisOptions").field("cluster", &self.cluster).finish_non_exhaustive()
    }
}

/// Whether `url` names a Redis, by host or socket, with or without TLS.
pub fn is_redis_url(url: &str) -> bool {
    redis::parse_redis_url(url).is_some() && redis::Client::open(url).is_ok()
}

/// What all handles of a store count.
#[derive(Default)]
struct Figures {
    corrupt: Counter,
    forgotten: Counter,
    lost_events: Counter,
}

/// Profiles on Redis. Clones share one connection, which belongs to the runtime on which it is first used.
#[derive(Clone)]
pub struct RedisProfiles {
    options: Arc<RedisOptions>,
    lane: Lane,
    counting: Arc<Counting>,
    figures: Arc<Figures>,
}

impl fmt::Debug for RedisProfiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisProfiles").field("options", &self.options).finish_non_exhaustive()
    }
}

impl RedisProfiles {
    /// Connects, and starts the thread that counts.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]: it cannot be reached, it may evict records, or its user may not do all that is needed.
    pub async fn open(options: RedisOptions) -> Result<Self, StoreError> {
        let (options, figures) = (Arc::new(options), Arc::<Figures>::default());
        let lane = Lane::new(Arc::clone(&options));
        let link = lane.link().await.map_err(|why| StoreError::Unavailable(why.into()))?;
        link.try_out().await.map_err(|error| StoreError::Unavailable(error.to_string().into()))?;
        let counting = Arc::new(Counting::start(Arc::clone(&options), Arc::clone(&figures))?);
        Ok(Self { options, lane, counting, figures })
    }

    /// The same store over a connection of its own.
    pub(crate) fn for_core(&self) -> Self {
        Self { lane: Lane::new(Arc::clone(&self.options)), ..self.clone() }
    }

    pub(crate) async fn read(
        &self,
        ids: &[IdHash],
        now: Micros,
        deadline: Instant,
        buffer: &mut ProfileBuffer,
    ) -> Result<(), UnknownWhy> {
        let records = self.lane.read(ids, deadline).await?;
        let taken_in = records.iter().try_for_each(|record| {
            let [memberships, caps] = whole::split(record)?;
            buffer.push(memberships, caps);
            Ok(())
        });
        taken_in.and_then(|()| buffer.resolve(ids, now.seconds())).map_err(|Corrupt| {
            self.figures.corrupt.inc();
            UnknownWhy::Failed
        })
    }

    pub(crate) fn count(&self, mut read: Option<&ProfileBuffer>, ids: &[IdHash], events: &[CapEvent], now: Micros) {
        let events = events.iter().filter(|event| event.counts());
        events.for_each(|event| self.counting.tell(read.take(), ids, event, now));
    }

    pub(crate) async fn flush(&self) -> Result<(), StoreError> {
        self.counting.flush().await
    }

    /// People who share no id are joined at once, the others one after the other.
    pub(crate) async fn join_all(
        &self,
        joins: &[Join<'_>],
        now: Micros,
    ) -> Result<Vec<Result<(), Refusal>>, StoreError> {
        let mut results = Vec::with_capacity(joins.len());
        while results.len() < joins.len() {
            let rest = &joins[results.len()..];
            let mut seen = BTreeSet::new();
            let together = rest.iter().take_while(|join| {
                let apart = join.ids.iter().all(|id| !seen.contains(id));
                seen.extend(join.ids.iter().copied());
                apart
            });
            let together = together.count();
            for joined in join_all(rest[..together].iter().map(|join| self.join(join, now))).await {
                results.push(match joined {
                    Ok(()) => Ok(()),
                    Err(StoreError::Refused(refusal)) => Err(refusal),
                    Err(other) => return Err(other),
                });
            }
        }
        Ok(results)
    }

    async fn join(&self, join: &Join<'_>, now: Micros) -> Result<(), StoreError> {
        self.change(join.ids, |stored| person::joined(join, stored, now.seconds())).await.map(drop)
    }

    pub(crate) async fn leave(&self, ids: &[IdHash], segments: &[SegmentId], now: Micros) -> Result<(), StoreError> {
        self.change(ids, |stored| person::left(segments, stored, now.seconds())).await.map(drop)
    }

    pub(crate) async fn put(
        &self,
        ids: &[IdHash],
        head: Head,
        memberships: &[Membership],
    ) -> Result<usize, StoreError> {
        self.change(ids, |stored| person::put(head, memberships, stored)).await
    }

    pub(crate) async fn remove(&self, ids: &[IdHash]) -> Result<(), StoreError> {
        // What was told of them before must not bring them back.
        self.flush().await?;
        self.link().await?.remove(ids).await.map_err(|error| self.lost(&error))
    }

    pub(crate) fn stats(&self) -> Stats {
        Stats {
            records: None,
            corrupt: self.figures.corrupt.get(),
            forgotten_impressions: self.figures.forgotten.get(),
            lost_events: self.figures.lost_events.get(),
            failed: false,
        }
    }

    /// Replaces the memberships of a person by what `change` makes of those stored; how many ids took them.
    async fn change(
        &self,
        ids: &[IdHash],
        change: impl Fn(&[&[u8]]) -> Result<Vec<Option<Vec<u8>>>, Refusal>,
    ) -> Result<usize, StoreError> {
        check_ids(ids)?;
        let link = self.link().await?;
        let mut stored = link.fetch(ids).await.map_err(|error| self.lost(&error))?;
        let mut took = BTreeSet::new();
        for _ in 0..REDIS_SWAPS_MAX {
            let new = changed(&stored, &change).inspect_err(|refusal| {
                self.figures.corrupt.inc_by(u64::from(*refusal == Refusal::Unreadable));
            })?;
            let swaps = new.into_iter().enumerate().filter_map(|(at, new)| Some((at, new?)));
            let swaps: Vec<(usize, New)> = swaps.filter(|(at, new)| new.record != stored[*at]).collect();
            let sent = swaps.iter().map(|(at, new)| Swap {
                id: &ids[*at],
                expected: &stored[*at],
                new: &new.record,
                until: new.until,
            });
            let answers = link.swap_each(&sent.collect::<Vec<_>>()).await;
            let mut contended = false;
            for ((at, new), answer) in swaps.into_iter().zip(answers) {
                stored[at] = match answer.map_err(|error| self.lost(&error))? {
                    Swapped::Yes => {
                        took.insert(at);
                        new.record
                    }
                    Swapped::No(now) => {
                        contended = true;
                        now
                    }
                };
            }
            if !contended {
                return Ok(took.len());
            }
        }
        Err(StoreError::Unavailable("other writers keep changing this person".into()))
    }

    async fn link(&self) -> Result<Link, StoreError> {
        self.lane.link().await.map_err(|why| StoreError::Unavailable(why.into()))
    }

    fn lost(&self, error: &redis::RedisError) -> StoreError {
        self.lane.drop_link();
        StoreError::Unavailable(error.to_string().into())
    }
}

/// A record in the place of another.
struct New {
    record: Vec<u8>,
    /// Until when its memberships say something.
    until: Seconds,
}

/// The records after a change of memberships; `None` where one stays.
fn changed(
    stored: &[Vec<u8>],
    change: impl Fn(&[&[u8]]) -> Result<Vec<Option<Vec<u8>>>, Refusal>,
) -> Result<Vec<Option<New>>, Refusal> {
    let fields: Result<Vec<_>, Corrupt> = stored.iter().map(|record| whole::split(record)).collect();
    let fields = fields.map_err(|Corrupt| Refusal::Unreadable)?;
    let before: Vec<&[u8]> = fields.iter().map(|[memberships, _]| *memberships).collect();
    let after = change(&before)?.into_iter().zip(&fields).map(|(memberships, [_, caps])| {
        memberships.map(|new| New { record: whole::join(&new, caps), until: kept_until(&new) })
    });
    Ok(after.collect())
}

/// Until when a field of memberships says something: until its last one ends, and for a while where nobody is in any, so
/// that an older record does not come back.
fn kept_until(field: &[u8]) -> Seconds {
    let mut memberships = Vec::new();
    let ends = decode(field, &mut memberships).ok().and_then(|_| memberships.iter().map(|it| it.until).max());
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let shortest = Seconds(u32::try_from(now + REDIS_TOMBSTONE_S).unwrap_or(u32::MAX));
    ends.unwrap_or_default().max(shortest)
}
