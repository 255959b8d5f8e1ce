//! The one thread that writes to the disk.

use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;

use decision::ids::IdHash;
use fjall::{Database, Keyspace, KeyspaceCreateOptions, PersistMode};
use tokio::sync::oneshot;

use super::shards::{Record, Shards};
use crate::limits::{BLOCK_CACHE_BYTES, CAPS_PERSIST_INTERVAL, MEMTABLE_BYTES, WRITE_RECORDS_MAX};
use crate::profiles::StoreError;

/// Somebody who waits until all changes made so far are durable.
type Waiter = oneshot::Sender<Result<(), StoreError>>;

/// The thread; it writes what is left and ends when this is dropped.
#[derive(Debug)]
pub(super) struct Writer {
    waiters: Option<Sender<Waiter>>,
    thread: Option<JoinHandle<()>>,
    failure: Arc<OnceLock<StoreError>>,
}

/// The embedded store: a keyspace a field, so that the one that changes with every bid is written alone.
struct Disk {
    database: Database,
    memberships: Keyspace,
    caps: Keyspace,
}

impl Writer {
    /// Reads all records into `shards` and starts the thread.
    pub(super) fn start(path: &Path, shards: Arc<Shards>) -> Result<Self, StoreError> {
        let disk = Disk::open(path).map_err(failed)?;
        load(&disk.memberships, &shards, |record, field| record.memberships = field)?;
        load(&disk.caps, &shards, |record, field| record.caps = field)?;
        Self::run(move || disk.write(&shards))
    }

    /// Starts the thread; `write` makes all changes durable that were made before it is called.
    fn run<E: ToString>(write: impl FnMut() -> Result<(), E> + Send + 'static) -> Result<Self, StoreError> {
        let (waiters, queue) = channel();
        let failure = Arc::new(OnceLock::new());
        let of_thread = Arc::clone(&failure);
        let thread = std::thread::Builder::new()
            .name("profile-writer".to_owned())
            .spawn(move || write_until_closed(write, &queue, &of_thread))
            .map_err(failed)?;
        Ok(Self { waiters: Some(waiters), thread: Some(thread), failure })
    }

    pub(super) fn failed(&self) -> bool {
        self.failure.get().is_some() || self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }

    pub(super) async fn flush(&self) -> Result<(), StoreError> {
        let (waiter, done) = oneshot::channel();
        let ended = || failed("its writer has ended");
        self.waiters.as_ref().ok_or_else(ended)?.send(waiter).map_err(|_| ended())?;
        done.await.map_err(|_| ended())?
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        drop(self.waiters.take());
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the writer of profiles panicked");
        }
    }
}

/// Writes whenever somebody waits for it, and else at every interval; after a failure never again.
fn write_until_closed<E: ToString>(
    mut write: impl FnMut() -> Result<(), E>,
    queue: &Receiver<Waiter>,
    failure: &OnceLock<StoreError>,
) {
    loop {
        let first = queue.recv_timeout(CAPS_PERSIST_INTERVAL);
        let closing = matches!(first, Err(RecvTimeoutError::Disconnected));
        // Whoever is in the queue by now has made their change before, so this write has it: one fsync for all.
        let waiters: Vec<Waiter> = first.into_iter().chain(queue.try_iter()).collect();
        if failure.get().is_none()
            && let Err(error) = write()
        {
            let error = failure.get_or_init(|| failed(error));
            tracing::error!(%error, "profiles are not durable any more");
        }
        let result = failure.get().map_or(Ok(()), |error| Err(error.clone()));
        for waiter in waiters {
            // One that has gone away needs no answer.
            let _gone = waiter.send(result.clone());
        }
        if closing {
            return;
        }
    }
}

impl Disk {
    fn open(path: &Path) -> fjall::Result<Self> {
        let database = Database::builder(path).cache_size(BLOCK_CACHE_BYTES).worker_threads(1).open()?;
        let options = || KeyspaceCreateOptions::default().max_memtable_size(MEMTABLE_BYTES);
        let memberships = database.keyspace("memberships", options)?;
        let caps = database.keyspace("caps", options)?;
        Ok(Self { database, memberships, caps })
    }

    /// Writes every changed record and waits until the disk has them.
    fn write(&self, shards: &Shards) -> fjall::Result<()> {
        let mut batch = self.database.batch();
        let mut wrote = false;
        for mut shard in shards.iter() {
            let mut put = |keyspace: &Keyspace, id: IdHash, field: &[u8]| match field {
                [] => batch.remove(keyspace, id.0),
                _ => batch.insert(keyspace, id.0, field),
            };
            shard.drain(|record| {
                if record.memberships_changed {
                    put(&self.memberships, record.id, &record.memberships);
                }
                if record.caps_changed {
                    put(&self.caps, record.id, &record.caps);
                }
            });
            drop(shard);
            if batch.len() >= WRITE_RECORDS_MAX {
                std::mem::replace(&mut batch, self.database.batch()).commit()?;
                wrote = true;
            }
        }
        if !batch.is_empty() {
            batch.commit()?;
            wrote = true;
        }
        if wrote { self.database.persist(PersistMode::SyncAll) } else { Ok(()) }
    }
}

/// Reads one field of every record into memory.
fn load(keyspace: &Keyspace, shards: &Shards, set: impl Fn(&mut Record, Box<[u8]>)) -> Result<(), StoreError> {
    for entry in keyspace.iter() {
        let (key, value) = entry.into_inner().map_err(failed)?;
        let id = IdHash(key.as_ref().try_into().map_err(|_| failed("a key is no hash of an id"))?);
        shards.lock(&id).load(&id, |record| set(record, value.as_ref().into()));
    }
    Ok(())
}

fn failed(error: impl ToString) -> StoreError {
    StoreError::Failed(error.to_string().into())
}

#[cfg(test)]
mod tests {
    use std::task::{Context, Poll, Waker};

    use super::*;

    #[test]
    fn nobody_is_told_before_the_write_has_ended() {
        let (began, begins) = channel();
        let (end, ends) = channel::<()>();
        let writer = Writer::run(move || {
            began.send(()).map_err(|_| "nobody looks")?;
            // Goes on when the other end is dropped.
            let _dropped = ends.recv();
            Ok::<_, &str>(())
        });
        let writer = writer.unwrap();
        let mut flush = std::pin::pin!(writer.flush());
        let context = &mut Context::from_waker(Waker::noop());
        assert_eq!(flush.as_mut().poll(context), Poll::Pending);
        begins.recv().unwrap();
        assert_eq!(flush.as_mut().poll(context), Poll::Pending);
        drop(end);
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        assert_eq!(runtime.block_on(flush), Ok(()));
    }

    #[test]
    fn a_failure_is_told_to_all_who_wait_from_then_on() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let mut writes = 0;
        let writer = Writer::run(move || {
            writes += 1;
            if writes == 2 { Err("the disk is full") } else { Ok(()) }
        });
        let writer = writer.unwrap();
        let told = Err(StoreError::Failed("the disk is full".into()));
        // The interval may write before anyone waits, so one of the first two flushes meets the failure.
        let results: Vec<_> = (0..3).map(|_| runtime.block_on(writer.flush())).collect();
        assert!(
            results[1..] == [told.clone(), told.clone()] || results == [told.clone(), told.clone(), told],
            "{results:?}"
        );
        assert!(writer.failed());
    }
}
