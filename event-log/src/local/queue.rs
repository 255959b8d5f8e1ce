//! What waits to be written by one thread.

use std::collections::VecDeque;
use std::mem;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;

use super::frame;
use crate::error::AppendError;
use crate::limits::{
    BATCH_BYTES_MAX, GROUP_BYTES_MAX, QUEUE_APPENDS_MAX, QUEUE_BYTES_MAX, RECORD_BYTES_MAX, TELEMETRY_QUEUE_APPENDS,
    TELEMETRY_QUEUE_BYTES,
};
use crate::stream::{KeyValue, Offset};

/// One append.
pub(crate) struct Pending {
    pub(crate) records: Vec<KeyValue>,
    /// Its length as a frame, in bytes.
    length: usize,
    answer: Option<oneshot::Sender<Result<Offset, AppendError>>>,
}

impl Pending {
    /// An append that is not too large, and where its answer goes.
    pub(crate) fn new(
        records: Vec<KeyValue>,
        answer: Option<oneshot::Sender<Result<Offset, AppendError>>>,
    ) -> Result<Self, AppendError> {
        if records.is_empty() {
            return Err(AppendError::EmptyBatch);
        }
        let largest = records.iter().map(|(key, value)| key.len() + value.len()).max().unwrap_or_default();
        if largest > RECORD_BYTES_MAX {
            return Err(AppendError::TooLarge { bytes: largest, bytes_max: RECORD_BYTES_MAX });
        }
        let length = frame::length(&records);
        if length > BATCH_BYTES_MAX {
            return Err(AppendError::TooLarge { bytes: length, bytes_max: BATCH_BYTES_MAX });
        }
        Ok(Self { records, length, answer })
    }

    /// Tells whoever waits; nobody may.
    pub(crate) fn resolve(self, result: Result<Offset, AppendError>) {
        if let Some(answer) = self.answer {
            // Who dropped the future does not want to know.
            let _ = answer.send(result);
        }
    }
}

/// A queue with many writers and one reader.
pub(crate) struct Queue {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    waiting: VecDeque<Pending>,
    bytes: usize,
    /// Why no more is taken.
    refusal: Option<AppendError>,
}

impl State {
    /// Whether what waits is enough to be written before the interval is over.
    fn is_pressing(&self) -> bool {
        self.bytes >= TELEMETRY_QUEUE_BYTES || self.waiting.len() >= TELEMETRY_QUEUE_APPENDS || self.refusal.is_some()
    }
}

impl Queue {
    pub(crate) fn new() -> Self {
        let state = State { waiting: VecDeque::new(), bytes: 0, refusal: None };
        Self { state: Mutex::new(state), changed: Condvar::new() }
    }

    /// Queues an append.
    ///
    /// # Errors
    /// Nothing was queued.
    pub(crate) fn push(&self, pending: Pending) -> Result<(), AppendError> {
        let mut state = self.lock();
        if let Some(refusal) = &state.refusal {
            return Err(refusal.clone());
        }
        if state.waiting.len() >= QUEUE_APPENDS_MAX || state.bytes + pending.length > QUEUE_BYTES_MAX {
            return Err(AppendError::Overloaded);
        }
        let was_pressing = state.is_pressing();
        state.bytes += pending.length;
        state.waiting.push_back(pending);
        let concerns_the_writer = state.waiting.len() == 1 || state.is_pressing() != was_pressing;
        // The writer that wakes while the lock is held would only go back to sleep until it is released.
        drop(state);
        if concerns_the_writer {
            self.changed.notify_one();
        }
        Ok(())
    }

    /// Waits for an append, gathers more for `linger` unless it becomes too much, and takes what fits one group.
    /// `None`: nothing waits, and no more is taken.
    pub(crate) fn next_group(&self, linger: Duration) -> Option<Vec<Pending>> {
        let state = self.lock();
        let idle = |state: &mut State| state.waiting.is_empty() && state.refusal.is_none();
        let mut state = self.changed.wait_while(state, idle).unwrap_or_else(PoisonError::into_inner);
        if !linger.is_zero() {
            let gathering = |state: &mut State| !state.is_pressing();
            let waited = self.changed.wait_timeout_while(state, linger, gathering);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        let (mut count, mut bytes) = (0, 0);
        for pending in &state.waiting {
            if bytes + pending.length > GROUP_BYTES_MAX {
                break;
            }
            (count, bytes) = (count + 1, bytes + pending.length);
        }
        state.bytes -= bytes;
        let group: Vec<Pending> = state.waiting.drain(..count).collect();
        (!group.is_empty()).then_some(group)
    }

    /// Takes no more appends, for this reason unless there was one before. What waits is still handed out.
    pub(crate) fn refuse(&self, refusal: AppendError) {
        self.lock().refusal.get_or_insert(refusal);
        self.changed.notify_all();
    }

    /// Takes what waits.
    pub(crate) fn abandon(&self) -> VecDeque<Pending> {
        let mut state = self.lock();
        state.bytes = 0;
        mem::take(&mut state.waiting)
    }

    /// No code panics while it holds the lock, so a poisoned one holds what a sound one would.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
