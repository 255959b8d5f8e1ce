//! The thread that writes one stream: it takes what waits, makes it durable with one sync, and answers all of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::watch;

use super::disk::Disk;
use super::queue::Queue;
use super::store::Store;
use crate::error::{AppendError, Failure};
use crate::stream::{Offset, Stream};

/// What readers may know of a stream.
#[derive(Clone, Debug)]
pub(crate) struct View {
    /// The oldest record kept.
    pub(crate) start: Offset,
    /// After the last durable record.
    pub(crate) end: Offset,
    /// Why nothing more will come.
    pub(crate) over: Option<Over>,
}

/// Why a stream grows no more.
#[derive(Clone, Debug)]
pub(crate) enum Over {
    /// Its storage failed.
    Failed(Failure),
    /// It was closed.
    Closed,
}

/// Writes one stream.
pub(crate) struct Writer<D: Disk> {
    pub(crate) stream: Stream,
    pub(crate) store: Store<D>,
    pub(crate) queue: Arc<Queue>,
    pub(crate) view: watch::Sender<View>,
    /// How long to gather appends for one sync.
    pub(crate) linger: Duration,
    /// Before this offset, a stream that keeps what is not released may forget.
    pub(crate) released: Arc<AtomicU64>,
}

impl<D: Disk> Writer<D> {
    /// Runs until the queue is closed and empty, or the storage fails.
    pub(crate) fn run(mut self) {
        while let Some(group) = self.queue.next_group(self.linger) {
            let mut offset = self.store.end();
            match self.store.commit(group.iter().map(|pending| pending.records.as_slice())) {
                Ok(end) => {
                    // Before the answers: who was answered can read.
                    self.view.send_modify(|view| view.end = end);
                    for pending in group {
                        offset.0 += pending.records.len() as u64;
                        pending.resolve(Ok(Offset(offset.0 - 1)));
                    }
                }
                Err(cause) => {
                    let failure = self.fail(cause);
                    group.into_iter().for_each(|pending| pending.resolve(Err(failure.clone().into())));
                    return;
                }
            }
            if let Err(cause) = self.trim() {
                self.fail(cause);
                return;
            }
        }
    }

    /// Removes what the stream no longer keeps.
    fn trim(&mut self) -> Result<(), Arc<str>> {
        let released = Offset(self.released.load(Ordering::Relaxed));
        let Some(start) = self.store.due_start(released) else { return Ok(()) };
        self.view.send_modify(|view| view.start = start);
        self.store.trim(start)
    }

    fn fail(&self, cause: Arc<str>) -> Failure {
        let failure = Failure { stream: self.stream, cause };
        tracing::error!(stream = %failure.stream, cause = %failure.cause, "stream failed");
        self.view.send_modify(|view| view.over = Some(Over::Failed(failure.clone())));
        failure
    }
}

impl<D: Disk> Drop for Writer<D> {
    /// Nobody waits for a writer that is gone, whatever ended it.
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.fail("its writer panicked".into());
        }
        self.view.send_modify(|view| {
            view.over.get_or_insert(Over::Closed);
        });
        let refusal = match &self.view.borrow().over {
            Some(Over::Failed(failure)) => AppendError::Failed(failure.clone()),
            Some(Over::Closed) | None => AppendError::Closed,
        };
        self.queue.refuse(refusal.clone());
        self.queue.abandon().into_iter().for_each(|pending| pending.resolve(Err(refusal.clone())));
    }
}

#[cfg(test)]
mod tests;
