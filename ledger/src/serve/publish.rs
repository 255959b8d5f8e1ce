//! Appends to the streams that the ledger writes.

use std::time::Duration;

use event_log::{AppendError, KeyValue, Stream, Writer};
use proto::record::encode;
use proto::wire::{JournalEntry, LeaseRecord, Outcome};

use super::ServeError;
use crate::ledger::Effects;
use crate::limits::{APPEND_BYTES, OVERLOADED_PAUSE_MS};

/// Publishes effects in their order.
pub(super) async fn publish(writer: &Writer, effects: &Effects) -> Result<(), ServeError> {
    let outcomes = append(writer, Stream::Outcomes, effects.outcomes.iter().map(outcome_record));
    let leases = append(writer, Stream::Leases, effects.leases.iter().map(lease_record));
    let (outcomes, leases) = tokio::join!(outcomes, leases);
    outcomes.and(leases)
}

/// Appends records in their order, in as many batches as their bytes need, and waits until all are durable.
pub(super) async fn append(
    writer: &Writer,
    stream: Stream,
    records: impl Iterator<Item = KeyValue>,
) -> Result<(), ServeError> {
    let (mut batch, mut bytes) = (Vec::new(), 0);
    for (key, value) in records {
        bytes += key.len() + value.len();
        batch.push((key, value));
        if bytes >= APPEND_BYTES {
            append_batch(writer, stream, std::mem::take(&mut batch)).await?;
            bytes = 0;
        }
    }
    if batch.is_empty() { Ok(()) } else { append_batch(writer, stream, batch).await }
}

/// One batch at a time: the next one must not get in where this one did not.
pub(crate) async fn append_batch(writer: &Writer, stream: Stream, batch: Vec<KeyValue>) -> Result<(), ServeError> {
    loop {
        match writer.append_all(stream, batch.clone()).await {
            Ok(()) => return Ok(()),
            // Others write too. Nothing of the batch is there, and nothing may be left out.
            Err(AppendError::Overloaded) => tokio::time::sleep(Duration::from_millis(OVERLOADED_PAUSE_MS)).await,
            Err(source) => return Err(ServeError::Append { stream, source }),
        }
    }
}

pub(super) fn journal_record(entry: &JournalEntry) -> KeyValue {
    (entry.shard.to_string().into_bytes(), encode(entry))
}

pub(super) fn outcome_record(outcome: &Outcome) -> KeyValue {
    (outcome.campaign.to_string().into_bytes(), encode(outcome))
}

pub(crate) fn lease_record(record: &LeaseRecord) -> KeyValue {
    (record.key(), encode(record))
}
