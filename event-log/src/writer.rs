//! Batches, from parts of which there must be one.

use crate::error::AppendError;
use crate::kafka::KafkaWriter;
use crate::local::LocalWriter;
use crate::stream::{KeyValue, Stream};

/// Appends batches, until another writer of its name is opened. Clones share everything.
#[derive(Clone, Debug)]
pub enum Writer {
    /// To files.
    Local(LocalWriter),
    /// To Kafka.
    Kafka(KafkaWriter),
}

impl Writer {
    /// Appends records that readers, also those after a crash, see all at once or not at all, and returns when they are
    /// durable. Batches of one caller keep their order. Giving up waiting does not take the batch back.
    ///
    /// # Errors
    /// Why they were not appended. With Kafka away this waits until it is back.
    pub async fn append_all(&self, stream: Stream, records: Vec<KeyValue>) -> Result<(), AppendError> {
        match self {
            Self::Local(writer) => writer.append_all(stream, records).await.map(drop),
            Self::Kafka(writer) => writer.append_all(stream, records).await,
        }
    }
}
