//! Streams in topics of Kafka, which many processes share.
//!
//! [`topics`] makes them and looks at them, [`singles`] appends record by record, [`writer`] batch by batch, [`spool`]
//! takes notices while Kafka is away, [`tail`] reads, [`desk`] answers how far streams reach, and [`membership`] shares
//! partitions with other processes.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::error::KafkaError;
use rdkafka::{Offset as At, TopicPartitionList};

use crate::appending::Appending;
use crate::error::{AppendError, Failure, OpenError, ReadError};
use crate::limits::RECORD_BYTES_MAX;
use crate::stream::{Offsets, Partition, Stream};
use client::Said;
use desk::{Bounds, Desk};
use singles::Singles;
use spool::Spool;
use topics::Topics;

mod client;
mod desk;
mod membership;
mod partitioner;
mod places;
mod polled;
mod singles;
mod spool;
mod tail;
mod topics;
mod writer;

pub use client::{Sasl, Tls};
pub(crate) use membership::KafkaMembership;
pub use tail::KafkaTail;
pub use topics::Topic;
pub(crate) use writer::KafkaWriter;

/// A record with what Kafka puts around it.
const MESSAGE_BYTES_MAX: usize = RECORD_BYTES_MAX + 16_384;

/// Where Kafka is, and what our part of it is.
#[derive(Clone, Debug)]
pub struct KafkaOptions {
    /// Servers to begin with, `host:port`.
    pub brokers: Vec<String>,
    /// What the names of topics, writers and the group begin with.
    pub prefix: String,
    /// How topics that are missing are made.
    pub topics: BTreeMap<Stream, Topic>,
    /// Where notices are durable before they are acknowledged.
    pub notices: Notices,
    /// Encryption; `None`: none.
    pub tls: Option<Tls>,
    /// Who we are; `None`: nobody asks.
    pub sasl: Option<Sasl>,
}

/// Where a notice is durable when it is acknowledged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notices {
    /// In files of this process, in that directory; a thread ships them. They are taken while Kafka is away, and those
    /// that were not shipped are lost with the disk.
    Spool(PathBuf),
    /// In Kafka. While it is away, none is taken.
    Broker,
}

/// The streams of an installation in Kafka. Clones share everything; when the last one goes, the log is closed.
#[derive(Clone)]
pub struct KafkaLog(Arc<Inner>);

struct Inner {
    options: KafkaOptions,
    topics: Arc<Topics>,
    singles: Singles,
    spool: Option<Spool>,
    desk: Desk,
    /// Nothing more is taken once it is set; writers end.
    closed: Arc<AtomicBool>,
    /// What was taken is in Kafka or given up once it is set: readers end when they have it.
    drained: Arc<AtomicBool>,
}

impl KafkaLog {
    /// Connects, makes the topics that are missing, and recovers the notices a crash left; blocks until then.
    ///
    /// # Errors
    /// No server answers, or topics are set so that money would be lost, or the directory of notices does not serve.
    pub fn open(options: KafkaOptions) -> Result<Self, OpenError> {
        if options.tls.is_some() && !cfg!(feature = "kafka-tls") {
            return Err(OpenError::Kafka(
                "this program was built without TLS: build it with --features kafka-tls".into(),
            ));
        }
        let topics = Arc::new(Topics::open(&client::config(&options), &options)?);
        let singles = Singles::open(&options, topics.clone())?;
        let spool = match &options.notices {
            Notices::Spool(dir) => Some(Spool::open(&options, topics.clone(), dir)?),
            Notices::Broker => None,
        };
        let desk = Desk::open(&options, topics.clone())?;
        Ok(Self(Arc::new(Inner {
            options,
            topics,
            singles,
            spool,
            desk,
            closed: Arc::default(),
            drained: Arc::default(),
        })))
    }

    pub(crate) fn append(&self, stream: Stream, key: Vec<u8>, value: Vec<u8>) -> Appending {
        let bytes = key.len() + value.len();
        if bytes > RECORD_BYTES_MAX {
            return Appending::refused(AppendError::TooLarge { bytes, bytes_max: RECORD_BYTES_MAX });
        }
        if self.is_closed() {
            return Appending::refused(AppendError::Closed);
        }
        match &self.0.spool {
            Some(spool) if stream == Stream::Notices => spool.append(key, value),
            _ => self.0.singles.append(stream, &key, &value),
        }
    }

    pub(crate) async fn writer(&self, name: &str) -> Result<KafkaWriter, OpenError> {
        KafkaWriter::open(&self.0.options, self.0.topics.clone(), name, self.0.closed.clone()).await
    }

    pub(crate) fn offer(&self, stream: Stream, key: &[u8], value: &[u8]) -> bool {
        let takes = key.len() + value.len() <= RECORD_BYTES_MAX && !self.is_closed();
        if !takes {
            self.0.singles.drop_one(stream);
        }
        takes && self.0.singles.offer(stream, key, value)
    }

    pub(crate) fn dropped(&self, stream: Stream) -> u64 {
        self.0.singles.dropped(stream)
    }

    pub(crate) fn waiting(&self) -> u64 {
        self.0.spool.as_ref().map_or(0, Spool::waiting)
    }

    pub(crate) fn partitions(&self, stream: Stream) -> u32 {
        self.0.topics.count(stream)
    }

    pub(crate) fn partition_of(&self, stream: Stream, key: &[u8]) -> Partition {
        self.0.topics.partition_of(stream, key)
    }

    pub(crate) async fn bounds(&self, stream: Stream) -> Result<Bounds, ReadError> {
        self.0.desk.bounds(stream).await
    }

    pub(crate) fn join(&self, group: &str, stream: Stream) -> Result<KafkaMembership, OpenError> {
        KafkaMembership::join(&self.0.options, &self.0.topics, group, stream)
    }

    /// Has the servers delete what is before `before` in each partition of `stream`.
    pub(crate) async fn release(&self, stream: Stream, before: &Offsets) -> Result<(), ReadError> {
        let refused = |problem: KafkaError| ReadError::Kafka(problem.to_string().into());
        let config = client::config(&self.0.options);
        let admin: AdminClient<Said> = config.create_with_context(Said::default()).map_err(refused)?;
        let mut places = TopicPartitionList::new();
        for (partition, before) in before.iter().filter(|(_, before)| before.0 > 0) {
            let (partition, at) = (partition.0.cast_signed(), At::Offset(before.0.cast_signed()));
            places.add_partition_offset(self.0.topics.name(stream), partition, at).map_err(refused)?;
        }
        if places.count() == 0 {
            return Ok(());
        }
        let options = AdminOptions::new().request_timeout(Some(client::ANSWER));
        let done = admin.delete_records(&places, &options).await.map_err(refused)?;
        done.elements().iter().try_for_each(|place| place.error()).map_err(refused)
    }

    pub(crate) fn read_from(&self, stream: Stream, from: &Offsets) -> KafkaTail {
        KafkaTail::open(&self.0.options, self.0.topics.clone(), stream, from, self.0.drained.clone())
    }

    pub(crate) fn health(&self) -> Result<(), Failure> {
        self.0.spool.as_ref().map_or(Ok(()), Spool::health)?;
        self.0.singles.health()
    }

    pub(crate) fn close(self) {
        self.0.close();
    }

    fn is_closed(&self) -> bool {
        self.0.closed.load(Ordering::Relaxed)
    }
}

impl Inner {
    fn close(&self) {
        if self.closed.swap(true, Ordering::Relaxed) {
            return;
        }
        if let Some(spool) = &self.spool {
            spool.close();
        }
        self.singles.close();
        self.drained.store(true, Ordering::Relaxed);
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.close();
    }
}

impl std::fmt::Debug for KafkaLog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KafkaLog").field("topics", &self.0.topics).finish_non_exhaustive()
    }
}
