//! Answers how far streams reach: a thread, since the client blocks.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use tokio::sync::oneshot;

use super::client::{self, ANSWER, Said};
use super::{KafkaOptions, Topics};
use crate::error::{OpenError, ReadError};
use crate::limits::KAFKA_TRANSACTION_TIMEOUT;
use crate::stream::{Offset, Offsets, Stream};

/// From where to where the partitions of a stream reach.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Bounds {
    /// The oldest records that are kept.
    pub(crate) starts: Offsets,
    /// After the last committed ones.
    pub(crate) ends: Offsets,
}

/// Before a question that was not answered is asked again.
const PAUSE: Duration = Duration::from_millis(50);
/// Before it is asked again whether a transaction is over: they take milliseconds.
const SHOWN_PAUSE: Duration = Duration::from_millis(2);
/// How long a transaction can be under way whose writer is gone: the servers look for those every 10 s.
const TRANSACTION_END_MAX: Duration = KAFKA_TRANSACTION_TIMEOUT.saturating_add(Duration::from_secs(15));

struct Question {
    stream: Stream,
    answer: oneshot::Sender<Result<Bounds, KafkaError>>,
}

/// Where to ask.
pub(super) struct Desk(Sender<Question>);

/// The thread.
struct Clerk {
    topics: Arc<Topics>,
    /// Sees what is committed, up to the first transaction that is under way.
    committed: BaseConsumer<Said>,
    /// Sees all that is written.
    written: BaseConsumer<Said>,
}

impl Desk {
    /// Starts the thread; it ends with the desk.
    pub(super) fn open(options: &KafkaOptions, topics: Arc<Topics>) -> Result<Self, OpenError> {
        let consumer = |mut config: ClientConfig, isolation: &str| {
            let consumer = config.set("isolation.level", isolation).create_with_context(Said::default());
            consumer.map_err(|problem| client::refused(&problem))
        };
        let committed = consumer(client::reader(options), "read_committed")?;
        let written = consumer(client::reader(options), "read_uncommitted")?;
        let clerk = Clerk { topics, committed, written };
        let (questions, asked) = channel::<Question>();
        let serve = move |asked: Receiver<Question>| {
            for Question { stream, answer } in asked {
                // Who no longer waits need not know.
                let _ = answer.send(clerk.bounds(stream));
            }
        };
        let thread = thread::Builder::new().name("kafka-desk".into());
        thread.spawn(move || serve(asked)).map_err(|problem| OpenError::Kafka(problem.to_string()))?;
        Ok(Self(questions))
    }

    pub(super) async fn bounds(&self, stream: Stream) -> Result<Bounds, ReadError> {
        let (answer, answered) = oneshot::channel();
        let gone = || ReadError::Kafka("its thread ended".into());
        self.0.send(Question { stream, answer }).map_err(|_| gone())?;
        answered.await.map_err(|_| gone())?.map_err(|problem| ReadError::Kafka(problem.to_string().into()))
    }
}

impl Clerk {
    /// What was acknowledged before the question is within the answer. A transaction is acknowledged before its records
    /// are shown, so this waits until all that was written is shown, or taken back.
    fn bounds(&self, stream: Stream) -> Result<Bounds, KafkaError> {
        let deadline = Instant::now() + TRANSACTION_END_MAX;
        let written = bounds(&self.written, &self.topics, stream)?.ends;
        loop {
            let bounds = bounds(&self.committed, &self.topics, stream)?;
            if bounds.ends.reached(&written) {
                return Ok(bounds);
            }
            if Instant::now() > deadline {
                return Err(KafkaError::Global(RDKafkaErrorCode::ConcurrentTransactions));
            }
            thread::park_timeout(SHOWN_PAUSE);
        }
    }
}

/// From where to where `stream` reaches, as `consumer` may read it. A partition that moves to another server is asked
/// again for a while.
pub(super) fn bounds(consumer: &BaseConsumer<Said>, topics: &Topics, stream: Stream) -> Result<Bounds, KafkaError> {
    let deadline = Instant::now() + ANSWER;
    loop {
        match ask(consumer, topics, stream) {
            Err(_) if Instant::now() < deadline => thread::park_timeout(PAUSE),
            answer => return answer,
        }
    }
}

fn ask(consumer: &BaseConsumer<Said>, topics: &Topics, stream: Stream) -> Result<Bounds, KafkaError> {
    let (name, mut starts, mut ends) = (topics.name(stream), Offsets::default(), Offsets::default());
    for partition in topics.partitions(stream) {
        let (low, high) = consumer.fetch_watermarks(name, partition.0.cast_signed(), ANSWER)?;
        starts.set(partition, Offset(low.max(0).cast_unsigned()));
        ends.set(partition, Offset(high.max(0).cast_unsigned()));
    }
    Ok(Bounds { starts, ends })
}
