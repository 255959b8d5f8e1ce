//! The processes that share the shards: each keeps those that the group gives it, on a thread of its own each.
//!
//! The group says who should keep a shard; the writer of its journal decides who can. A member that does not know yet that it
//! lost one is fenced, which ends its work on that shard and nothing else.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::resume_unwind;
use std::pin::pin;

use decision::ids::ShardId;
use decision::time::Micros;
use event_log::{EventLog, Partition, Stream};
use tokio::sync::watch;
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, sleep_until};
use tracing::{info, warn};

use super::shard::Shard;
use super::{LedgerSettings, ServeError, keep};
use crate::books::LedgerHandle;
use crate::limits::TAKEN_OVER_PAUSE;

/// What the services of shards are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// Go on.
    No,
    /// Another process takes over.
    Now,
    /// Take in what is there before.
    Drain,
}

/// Waits until a service is to stop.
pub(super) async fn told(mut stop: watch::Receiver<Stop>) {
    // Who is gone wants nothing any more.
    let _gone = stop.wait_for(|stop| *stop != Stop::No).await;
}

/// Keeps the books of this process's shards until `shutdown`, then takes in what the streams hold, ends, and leaves them to
/// others. `clock` gives the wall time.
///
/// On files there is one process for all shards. On Kafka it is a member of the group `ledger`, which shares them. The log
/// must stay open until this has ended. It needs a runtime that tells the time.
///
/// # Errors
/// The ledger cannot go on; whoever started it should say why and stop, since here nobody keeps the books.
pub async fn serve<C>(
    log: EventLog,
    settings: LedgerSettings,
    clock: C,
    handle: LedgerHandle,
    shutdown: impl Future<Output = ()>,
) -> Result<(), ServeError>
where
    C: Fn() -> Micros + Clone + Send + 'static,
{
    let mut member = log.join("ledger", Stream::LedgerJournal)?;
    let mut shards = Shards::new(log, settings, clock, handle);
    let mut shutdown = pin!(shutdown);
    let over = loop {
        let trial = shards.next_trial();
        let going_on = tokio::select! {
            biased;
            held = member.next() => held.map(|held| shards.hold(&held)).map_err(ServeError::Group),
            Some(ended) = shards.services.join_next() => shards.ended(ended),
            () = due(trial) => {
                shards.try_again();
                Ok(())
            }
            () = &mut shutdown => break Ok(()),
        };
        if going_on.is_err() {
            break going_on;
        }
    };
    let ended = shards.end(if over.is_ok() { Stop::Drain } else { Stop::Now }).await;
    // Only now: others take over what is left.
    drop(member);
    over.and(ended)
}

async fn due(at: Option<Instant>) {
    match at {
        Some(at) => sleep_until(at).await,
        None => std::future::pending().await,
    }
}

/// The shards of this process.
struct Shards<C> {
    log: EventLog,
    settings: LedgerSettings,
    clock: C,
    handle: LedgerHandle,
    /// Those that it should keep.
    held: BTreeSet<ShardId>,
    /// Those that it keeps, or is about to leave.
    running: BTreeMap<ShardId, watch::Sender<Stop>>,
    /// Those that somebody else took over, with when to try again.
    taken: BTreeMap<ShardId, Instant>,
    services: JoinSet<Ended>,
}

/// How the work on a shard ended.
type Ended = (ShardId, Result<(), ServeError>);

impl<C: Fn() -> Micros + Clone + Send + 'static> Shards<C> {
    fn new(log: EventLog, settings: LedgerSettings, clock: C, handle: LedgerHandle) -> Self {
        let (held, running, taken) = (BTreeSet::new(), BTreeMap::new(), BTreeMap::new());
        Self { log, settings, clock, handle, held, running, taken, services: JoinSet::new() }
    }

    /// The group says that this process should keep `held` and nothing else.
    fn hold(&mut self, held: &BTreeSet<Partition>) {
        self.held = held.iter().map(|partition| ShardId(partition.0)).collect();
        info!(shards = ?held.iter().map(|partition| partition.0).collect::<Vec<_>>(), "shards of this process");
        self.handle.hold(&self.held);
        // What it said before of who keeps what is over.
        self.taken.clear();
        for (shard, stop) in &self.running {
            if !self.held.contains(shard) {
                stop.send_replace(Stop::Now);
            }
        }
        self.begin();
    }

    /// Begins with those that it should keep and does not.
    fn begin(&mut self) {
        for id in self.held.clone() {
            if self.running.contains_key(&id) || self.taken.contains_key(&id) {
                continue;
            }
            let (stop, told) = watch::channel(Stop::No);
            self.running.insert(id, stop);
            let shard = Shard { id, of: Shard::count(&self.log) };
            let (log, settings, clock) = (self.log.clone(), self.settings, self.clock.clone());
            let kept = self.handle.renew(id);
            // It reads files and folds, which must not keep the other shards waiting.
            self.services.spawn_blocking(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
                let runtime = runtime.expect("a runtime that only tells the time needs nothing of the system");
                (id, runtime.block_on(keep(&log, shard, settings, clock, kept, told)))
            });
        }
    }

    /// The work on a shard ended: it was told to, or somebody else took over.
    fn ended(&mut self, ended: Result<Ended, JoinError>) -> Result<(), ServeError> {
        let (shard, result) = ended.unwrap_or_else(|panic| resume_unwind(panic.into_panic()));
        self.running.remove(&shard);
        match result {
            Err(problem) if !problem.is_fenced() => return Err(problem),
            Err(_) => {
                info!(shard = shard.0, "another process keeps the books of this shard now");
                if self.held.contains(&shard) {
                    self.handle.renew(shard);
                    self.taken.insert(shard, Instant::now() + TAKEN_OVER_PAUSE);
                }
            }
            Ok(()) => {}
        }
        // It may have come back meanwhile.
        self.begin();
        Ok(())
    }

    fn next_trial(&self) -> Option<Instant> {
        self.taken.values().min().copied()
    }

    /// Takes over again what somebody else took over without the group.
    fn try_again(&mut self) {
        let now = Instant::now();
        for shard in self.taken.extract_if(.., |_, at| *at <= now).map(|(shard, _)| shard) {
            warn!(shard = shard.0, "a ledger that is not of this group took over: this one takes over again");
        }
        self.begin();
    }

    /// Ends all work.
    async fn end(mut self, how: Stop) -> Result<(), ServeError> {
        self.held.clear();
        for stop in self.running.values() {
            stop.send_replace(how);
        }
        let mut first = Ok(());
        while let Some(ended) = self.services.join_next().await {
            first = first.and(self.ended(ended));
        }
        first
    }
}
