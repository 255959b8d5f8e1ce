//! Records one by one: those that somebody waits for, and telemetry. Each has a producer of its own, so that neither
//! stands in line behind the other.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{DeliveryResult, Message};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer, ProducerContext, PurgeConfig};
use tokio::sync::oneshot;

use super::client::{self, Said};
use super::polled::Polled;
use super::{KafkaOptions, Topics};
use crate::appending::Appending;
use crate::error::{AppendError, Failure, OpenError};
use crate::limits::{
    KAFKA_ANSWER_PAUSE, KAFKA_APPEND_LINGER, KAFKA_APPEND_TIMEOUT, KAFKA_CLOSE_TIMEOUT, KAFKA_TELEMETRY_LINGER,
    QUEUE_APPENDS_MAX, QUEUE_BYTES_MAX,
};
use crate::stream::{Offset, Stream};

/// Whoever waits for a record.
pub(super) struct Waiting {
    stream: Stream,
    answer: oneshot::Sender<Result<Offset, AppendError>>,
}

/// Answers appends.
#[derive(Default)]
pub(super) struct Answers(Said);

impl ClientContext for Answers {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, said: &str) {
        self.0.log(level, facility, said);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.0.error(&error, reason);
    }
}

impl ProducerContext for Answers {
    type DeliveryOpaque = Box<Waiting>;

    fn delivery(&self, result: &DeliveryResult<'_>, waiting: Box<Waiting>) {
        let result = match result {
            Ok(message) => Ok(Offset(message.offset().max(0).cast_unsigned())),
            Err((problem, _)) => {
                let cause = problem.to_string().into();
                Err(AppendError::Unacknowledged { stream: waiting.stream, cause })
            }
        };
        // Who dropped the future does not want to know.
        let _ = waiting.answer.send(result);
    }
}

/// Counts what was not delivered, by the number of the stream.
pub(super) struct Losses {
    said: Said,
    dropped: [AtomicU64; Stream::ALL.len()],
}

impl ClientContext for Losses {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, said: &str) {
        self.said.log(level, facility, said);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.said.error(&error, reason);
    }
}

impl ProducerContext for Losses {
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, stream: usize) {
        if result.is_err() {
            self.dropped[stream].fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// The two producers.
pub(super) struct Singles {
    topics: Arc<Topics>,
    answered: Polled<Answers>,
    offered: Polled<Losses>,
}

impl Singles {
    pub(super) fn open(options: &KafkaOptions, topics: Arc<Topics>) -> Result<Self, OpenError> {
        let bounded = |linger: Duration| {
            let mut config = client::producer(options);
            config
                .set("queue.buffering.max.messages", QUEUE_APPENDS_MAX.to_string())
                .set("queue.buffering.max.kbytes", (QUEUE_BYTES_MAX / 1024).to_string())
                .set("message.timeout.ms", KAFKA_APPEND_TIMEOUT.as_millis().to_string())
                .set("linger.ms", linger.as_millis().to_string());
            config
        };
        let losses = Losses { said: Said::default(), dropped: Default::default() };
        let answered = Polled::new(&bounded(KAFKA_APPEND_LINGER), Answers::default(), KAFKA_ANSWER_PAUSE);
        // Of telemetry nobody waits for, only losses are told.
        let mut offered = bounded(KAFKA_TELEMETRY_LINGER);
        offered.set("delivery.report.only.error", "true");
        let offered = Polled::new(&offered, losses, KAFKA_TELEMETRY_LINGER);
        let (answered, offered) =
            answered.and_then(|answered| Ok((answered, offered?))).map_err(|p| client::refused(&p))?;
        Ok(Self { topics, answered, offered })
    }

    pub(super) fn append(&self, stream: Stream, key: &[u8], value: &[u8]) -> Appending {
        let (answer, answered) = oneshot::channel();
        let record = BaseRecord::with_opaque_to(self.topics.name(stream), Box::new(Waiting { stream, answer }))
            .partition(self.topics.partition_of(stream, key).0.cast_signed())
            .key(key)
            .payload(value);
        match self.answered.send(record) {
            Ok(()) => Appending::queued(stream, answered),
            Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), _)) => {
                Appending::refused(AppendError::Overloaded)
            }
            Err((problem, _)) => {
                Appending::refused(AppendError::Unacknowledged { stream, cause: problem.to_string().into() })
            }
        }
    }

    /// Whether it was queued.
    pub(super) fn offer(&self, stream: Stream, key: &[u8], value: &[u8]) -> bool {
        let record = BaseRecord::with_opaque_to(self.topics.name(stream), stream as usize)
            .partition(self.topics.partition_of(stream, key).0.cast_signed())
            .key(key)
            .payload(value);
        let queued = self.offered.send(record).is_ok();
        if !queued {
            self.drop_one(stream);
        }
        queued
    }

    pub(super) fn drop_one(&self, stream: Stream) {
        self.offered.context().dropped[stream as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn dropped(&self, stream: Stream) -> u64 {
        self.offered.context().dropped[stream as usize].load(Ordering::Relaxed)
    }

    /// Whether both producers still send.
    pub(super) fn health(&self) -> Result<(), Failure> {
        let answered = (Stream::Leases, self.answered.client().fatal_error());
        let offered = (Stream::Bids, self.offered.client().fatal_error());
        let failed = [answered, offered].into_iter().find_map(|(stream, error)| Some((stream, error?.1)));
        failed.map_or(Ok(()), |(stream, cause)| Err(Failure { stream, cause: cause.into() }))
    }

    /// Delivers what is queued, for a while; what is not delivered then is answered so.
    pub(super) fn close(&self) {
        fn drain<C: ProducerContext>(producer: &BaseProducer<C>) {
            if !client::flushed(producer, KAFKA_CLOSE_TIMEOUT) {
                producer.purge(PurgeConfig::default().queue().inflight());
                // Only to have the answers given; what is purged needs no server.
                let _ = producer.flush(Duration::from_secs(1));
            }
        }
        drain(&self.answered);
        drain(&self.offered);
    }
}
