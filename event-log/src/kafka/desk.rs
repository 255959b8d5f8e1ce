//! Answers how far streams reach: a thread, since the client blocks.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::{Offset as At, TopicPartitionList};
use tokio::sync::oneshot;

use super::client::{self, ANSWER, Said};
use super::{KafkaOptions, Topics};
use crate::error::{OpenError, ReadError};
use crate::limits::KAFKA_TRANSACTION_TIMEOUT;
use crate::stream::{Offset, Offsets, Partition, Stream};

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
/// How long a server may take to say who leads, before another may be asked.
const LOOK: Duration = Duration::from_secs(1);
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
        let written = ends(&self.written, &self.topics, stream)?;
        loop {
            let ends = ends(&self.committed, &self.topics, stream)?;
            if ends.reached(&written) {
                return Ok(Bounds { starts: starts(&self.committed, &self.topics, stream)?, ends });
            }
            if Instant::now() > deadline {
                return Err(KafkaError::Global(RDKafkaErrorCode::ConcurrentTransactions));
            }
            thread::park_timeout(SHOWN_PAUSE);
        }
    }
}

/// From where to where `stream` reaches, as `consumer` may read it.
pub(super) fn bounds(consumer: &BaseConsumer<Said>, topics: &Topics, stream: Stream) -> Result<Bounds, KafkaError> {
    Ok(Bounds { starts: starts(consumer, topics, stream)?, ends: ends(consumer, topics, stream)? })
}

/// The oldest records of `stream` that are kept.
pub(super) fn starts(consumer: &BaseConsumer<Said>, topics: &Topics, stream: Stream) -> Result<Offsets, KafkaError> {
    ask(consumer, topics, stream, At::Beginning)
}

/// After the last records of `stream` that `consumer` may read.
pub(super) fn ends(consumer: &BaseConsumer<Said>, topics: &Topics, stream: Stream) -> Result<Offsets, KafkaError> {
    ask(consumer, topics, stream, At::End)
}

/// A place in every partition. One that moves to another server is asked again for a while.
fn ask(consumer: &BaseConsumer<Said>, topics: &Topics, stream: Stream, at: At) -> Result<Offsets, KafkaError> {
    let deadline = Instant::now() + ANSWER;
    loop {
        match ask_once(consumer, topics, stream, at) {
            Err(_) if Instant::now() < deadline => {
                // The client takes a partition that it once found without a leader, as while a server ends, for one that has
                // none, and does not look again for a quarter of an hour. Whether this is answered shows at the next try.
                let left = deadline.saturating_duration_since(Instant::now());
                let _ = consumer.fetch_metadata(Some(topics.name(stream)), left.min(LOOK));
                thread::park_timeout(PAUSE);
            }
            answer => return answer,
        }
    }
}

/// Asks each server once for all of its partitions. In place of a time, Kafka's protocol (`ListOffsets`) takes these two
/// places.
fn ask_once(consumer: &BaseConsumer<Said>, topics: &Topics, stream: Stream, at: At) -> Result<Offsets, KafkaError> {
    let mut list = TopicPartitionList::new();
    for partition in topics.partitions(stream) {
        list.add_partition_offset(topics.name(stream), partition.0.cast_signed(), at)?;
    }
    let mut offsets = Offsets::default();
    for found in consumer.offsets_for_times(list, ANSWER)?.elements() {
        found.error()?;
        let At::Offset(offset) = found.offset() else {
            return Err(KafkaError::OffsetFetch(RDKafkaErrorCode::NoOffset));
        };
        offsets.set(Partition(found.partition().cast_unsigned()), Offset(offset.cast_unsigned()));
    }
    Ok(offsets)
}

#[cfg(test)]
mod tests {
    use rdkafka::mocking::MockCluster;

    use super::*;

    /// Servers that end without haste first tell that nobody leads their partitions, which those of the client library's tests
    /// can be made to do.
    #[test]
    fn partitions_that_were_without_a_leader_are_found_again() {
        let (stream, cluster) = (Stream::Outcomes, MockCluster::new(1).expect("a cluster"));
        let topics = Topics::of_test("vernier.", 2);
        cluster.create_topic(topics.name(stream), 2, 1).expect("a topic");
        let lead = |broker| {
            for partition in 0..2 {
                cluster.partition_leader(topics.name(stream), partition, broker).expect("it is there");
            }
        };
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", cluster.bootstrap_servers()).set("group.id", "test");
        let consumer: BaseConsumer<Said> = config.create_with_context(Said::default()).expect("a consumer");
        lead(None);
        let led = ask_once(&consumer, &topics, stream, At::End).map_err(|problem| problem.rdkafka_error_code());
        assert_eq!(led.expect_err("nobody leads them"), Some(RDKafkaErrorCode::UnknownPartition));
        lead(Some(1));
        let ends = ask(&consumer, &topics, stream, At::End).expect("an answer");
        assert_eq!(ends.iter().count(), 2);
    }
}
