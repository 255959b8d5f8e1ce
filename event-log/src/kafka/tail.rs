//! Reading a stream of Kafka as it grows: a thread with a client of its own, which blocks, hands chunks over.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Message;
use rdkafka::{Offset as At, TopicPartitionList};
use tokio::sync::mpsc::error::TryRecvError;
use tokio::sync::mpsc::{Receiver, Sender, channel};

use super::client::{self, Said};
use super::desk::{Bounds, bounds, ends, starts};
use super::places::Places;
use super::{KafkaOptions, Topics};
use crate::error::ReadError;
use crate::limits::{READ_BYTES, READ_RECORDS};
use crate::stream::{Offset, Offsets, Partition, Record, Stream};

/// How long the thread waits for records before it looks whether anything else is asked of it.
const LOOK: Duration = Duration::from_millis(20);
/// Chunks that wait for the reader before no more are fetched: seconds of notices, where each round trip takes long.
const CHUNKS_MAX: usize = 16;

/// A reader's place in a stream of Kafka.
pub struct KafkaTail {
    chunks: Receiver<Result<Chunk, Over>>,
    goal: Arc<Mutex<Option<Offsets>>>,
    offsets: Offsets,
    over: Option<Over>,
}

struct Chunk {
    records: Vec<Record>,
    /// Behind them.
    offsets: Offsets,
}

/// Why nothing more will come.
#[derive(Clone, Debug)]
enum Over {
    Trimmed { asked: Offset, start: Offset },
    Beyond { asked: Offset, end: Offset },
    Kafka(Arc<str>),
    Closed,
}

impl Over {
    /// The thread went without a word.
    fn vanished() -> Self {
        Self::Kafka("its thread ended".into())
    }
}

impl From<Over> for ReadError {
    fn from(over: Over) -> Self {
        match over {
            Over::Trimmed { asked, start } => Self::Trimmed { asked, start },
            Over::Beyond { asked, end } => Self::Beyond { asked, end },
            Over::Kafka(cause) => Self::Kafka(cause),
            Over::Closed => Self::Closed,
        }
    }
}

impl From<KafkaError> for Over {
    fn from(problem: KafkaError) -> Self {
        Self::Kafka(problem.to_string().into())
    }
}

impl KafkaTail {
    pub(super) fn open(
        options: &KafkaOptions,
        topics: Arc<Topics>,
        stream: Stream,
        from: &Offsets,
        drained: Arc<AtomicBool>,
    ) -> Self {
        let (sender, chunks) = channel(CHUNKS_MAX);
        let goal = Arc::<Mutex<Option<Offsets>>>::default();
        let (config, from, aimed) = (client::reader(options), from.clone(), goal.clone());
        let tail = Self { chunks, goal, offsets: from.clone(), over: None };
        let failed = sender.clone();
        let work = move || {
            let over = config
                .create_with_context(Said::default())
                .map_err(Over::from)
                .and_then(|consumer| Reader::start(consumer, topics, stream, &from, aimed, drained, sender))
                .and_then(Reader::run);
            // Who reads no more does not want to know.
            let _ = over.or_else(|over| failed.blocking_send(Err(over)));
        };
        match thread::Builder::new().name(format!("read-{stream}")).spawn(work) {
            Ok(_) => tail,
            Err(problem) => Self { over: Some(Over::Kafka(problem.to_string().into())), ..tail },
        }
    }

    pub(crate) fn offsets(&self) -> Offsets {
        self.offsets.clone()
    }

    pub(crate) fn aim(&self, goal: &Offsets) {
        *self.goal.lock().unwrap_or_else(PoisonError::into_inner) = Some(goal.clone());
    }

    pub(crate) async fn next(&mut self) -> Result<Vec<Record>, ReadError> {
        if let Some(over) = &self.over {
            return Err(over.clone().into());
        }
        match self.chunks.recv().await.unwrap_or_else(|| Err(Over::vanished())) {
            Ok(chunk) => Ok(self.read(chunk)),
            Err(over) => {
                self.over = Some(over.clone());
                Err(over.into())
            }
        }
    }

    pub(crate) fn try_next(&mut self) -> Result<Vec<Record>, ReadError> {
        if self.over.is_none() {
            match self.chunks.try_recv() {
                Ok(Ok(chunk)) => return Ok(self.read(chunk)),
                Ok(Err(over)) => self.over = Some(over),
                Err(TryRecvError::Empty) => {}
                Err(TryRecvError::Disconnected) => self.over = Some(Over::vanished()),
            }
        }
        match &self.over {
            None | Some(Over::Closed) => Ok(Vec::new()),
            Some(over) => Err(over.clone().into()),
        }
    }

    fn read(&mut self, Chunk { records, offsets }: Chunk) -> Vec<Record> {
        self.offsets = offsets;
        records
    }
}

impl fmt::Debug for KafkaTail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KafkaTail").field("offsets", &self.offsets).finish_non_exhaustive()
    }
}

/// The thread.
struct Reader {
    consumer: BaseConsumer<Said>,
    topics: Arc<Topics>,
    stream: Stream,
    goal: Arc<Mutex<Option<Offsets>>>,
    drained: Arc<AtomicBool>,
    chunks: Sender<Result<Chunk, Over>>,
    places: Places,
    /// What was handed over.
    said: Offsets,
    records: Vec<Record>,
    bytes: usize,
}

/// Whoever read is gone.
struct Gone;

impl Reader {
    fn start(
        consumer: BaseConsumer<Said>,
        topics: Arc<Topics>,
        stream: Stream,
        from: &Offsets,
        goal: Arc<Mutex<Option<Offsets>>>,
        drained: Arc<AtomicBool>,
        chunks: Sender<Result<Chunk, Over>>,
    ) -> Result<Self, Over> {
        // A server that is away may come back, unless nobody waits for it.
        let Bounds { starts, ends } = loop {
            match bounds(&consumer, &topics, stream) {
                Ok(bounds) => break bounds,
                Err(problem) if chunks.is_closed() || drained.load(Ordering::Relaxed) => return Err(problem.into()),
                Err(_) => {}
            }
        };
        for partition in topics.partitions(stream) {
            let (asked, start, end) = (from.of(partition), starts.of(partition), ends.of(partition));
            if asked > end {
                return Err(Over::Beyond { asked, end });
            }
            if asked < start {
                return Err(Over::Trimmed { asked, start });
            }
        }
        let places = Places::new(from, topics.partitions(stream), &ends);
        let all = topics.partitions(stream).map(|partition| (partition, from.of(partition)));
        consumer.assign(&list(topics.name(stream), all)?)?;
        let said = from.clone();
        Ok(Self { consumer, topics, stream, goal, drained, chunks, places, said, records: Vec::new(), bytes: 0 })
    }

    fn run(mut self) -> Result<(), Over> {
        let mut closing = false;
        while !self.chunks.is_closed() {
            let wait = if self.records.is_empty() { LOOK } else { Duration::ZERO };
            let polled = self.consumer.poll(wait).map(|polled| {
                polled.map(|message| Record {
                    partition: Partition(message.partition().cast_unsigned()),
                    offset: Offset(message.offset().cast_unsigned()),
                    key: message.key().unwrap_or_default().to_vec(),
                    value: message.payload().unwrap_or_default().to_vec(),
                })
            });
            let idle = polled.is_none();
            match polled {
                None => {}
                Some(Ok(record)) => self.read(record),
                Some(Err(KafkaError::PartitionEOF(partition))) => {
                    let partition = Partition(partition.cast_unsigned());
                    if let Some(offset) = self.places.ended(partition) {
                        self.restart(&[(partition, offset)])?;
                    }
                }
                Some(Err(problem)) => self.failed(problem)?,
            }
            if (idle || self.is_full()) && self.hand_over().is_err() {
                break;
            }
            if let Some(goal) = self.goal.lock().unwrap_or_else(PoisonError::into_inner).take() {
                let restarts = self.places.aim(&goal);
                self.restart(&restarts)?;
            }
            if closing && idle && self.places.is_there() {
                return Err(Over::Closed);
            }
            if !closing && self.drained.load(Ordering::Relaxed) {
                closing = true;
                let restarts = self.places.aim(&ends(&self.consumer, &self.topics, self.stream)?);
                self.restart(&restarts)?;
            }
        }
        Ok(())
    }

    fn read(&mut self, record: Record) {
        self.places.read(record.partition, record.offset);
        self.bytes += record.key.len() + record.value.len();
        self.records.push(record);
    }

    fn is_full(&self) -> bool {
        self.bytes >= READ_BYTES || self.records.len() >= READ_RECORDS
    }

    /// Hands over what was read, or that the place moved on.
    fn hand_over(&mut self) -> Result<(), Gone> {
        let offsets = self.places.offsets();
        if self.records.is_empty() && self.said == offsets {
            return Ok(());
        }
        self.bytes = 0;
        self.said = offsets.clone();
        let chunk = Chunk { records: std::mem::take(&mut self.records), offsets };
        self.chunks.blocking_send(Ok(chunk)).map_err(|_| Gone)
    }

    /// Sets the client to these places.
    fn restart(&self, places: &[(Partition, Offset)]) -> Result<(), KafkaError> {
        if places.is_empty() {
            return Ok(());
        }
        let list = list(self.topics.name(self.stream), places.iter().copied())?;
        self.consumer.incremental_unassign(&list)?;
        self.consumer.incremental_assign(&list)
    }

    /// What the client cannot mend by trying again.
    fn failed(&self, problem: KafkaError) -> Result<(), Over> {
        match problem {
            KafkaError::MessageConsumption(RDKafkaErrorCode::AutoOffsetReset | RDKafkaErrorCode::OffsetOutOfRange) => {
                let starts = starts(&self.consumer, &self.topics, self.stream)?;
                let offsets = self.places.offsets();
                let lost = offsets.iter().find(|(partition, offset)| *offset < starts.of(*partition));
                Err(lost.map_or_else(
                    || problem.into(),
                    |(partition, asked)| Over::Trimmed { asked, start: starts.of(partition) },
                ))
            }
            KafkaError::MessageConsumptionFatal(_) => Err(problem.into()),
            _ => {
                tracing::debug!(stream = %self.stream, %problem, "Kafka is read on");
                Ok(())
            }
        }
    }
}

fn list(topic: &str, places: impl Iterator<Item = (Partition, Offset)>) -> Result<TopicPartitionList, KafkaError> {
    let mut list = TopicPartitionList::new();
    for (partition, Offset(offset)) in places {
        list.add_partition_offset(topic, partition.0.cast_signed(), At::Offset(offset.cast_signed()))?;
    }
    Ok(list)
}
