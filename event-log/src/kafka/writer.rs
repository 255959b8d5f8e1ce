//! Batches in transactions: a thread with a producer of its own, whose name fences those before it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseRecord, Producer};
use tokio::sync::oneshot;

use super::client::{self, ANSWER, Said};
use super::polled::Polled;
use super::{KafkaOptions, Topics};
use crate::error::{AppendError, Failure, OpenError};
use crate::limits::{
    BATCH_BYTES_MAX, KAFKA_ANSWER_PAUSE, KAFKA_TRANSACTION_TIMEOUT, KAFKA_WRITE_TIMEOUT, RECORD_BYTES_MAX,
    WRITER_BATCHES_MAX,
};
use crate::stream::{KeyValue, Stream};

/// How long the client is given to send what fills its queue, before that is looked at again.
const FULL_PAUSE: Duration = Duration::from_millis(10);

/// How long a transaction that was taken back waits before it is tried again.
const AGAIN_PAUSE: Duration = Duration::from_millis(100);

/// Writes batches to Kafka, until another writer of its name does.
#[derive(Clone)]
pub struct KafkaWriter {
    name: Arc<str>,
    batches: SyncSender<Batch>,
}

struct Batch {
    stream: Stream,
    records: Vec<KeyValue>,
    answer: oneshot::Sender<Result<(), AppendError>>,
}

impl std::fmt::Debug for KafkaWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KafkaWriter").field("name", &self.name).finish_non_exhaustive()
    }
}

impl KafkaWriter {
    pub(super) async fn open(
        options: &KafkaOptions,
        topics: Arc<Topics>,
        name: &str,
        closed: Arc<AtomicBool>,
    ) -> Result<Self, OpenError> {
        let mut config = client::producer(options);
        config
            .set("transactional.id", format!("{}{name}", options.prefix))
            .set("transaction.timeout.ms", KAFKA_TRANSACTION_TIMEOUT.as_millis().to_string())
            .set("message.timeout.ms", KAFKA_TRANSACTION_TIMEOUT.as_millis().to_string())
            .set("queue.buffering.max.messages", "1000000")
            .set("linger.ms", "0");
        let name: Arc<str> = name.into();
        let (batches, waiting) = sync_channel(WRITER_BATCHES_MAX);
        let (opened, is_open) = oneshot::channel();
        let named = name.clone();
        let work = move || {
            let producer = Polled::new(&config, Quiet(Said::default()), KAFKA_ANSWER_PAUSE);
            let ready = producer.and_then(|producer| {
                take_over(&producer, &closed)?;
                Ok(producer)
            });
            match ready {
                Ok(producer) => {
                    let _nobody_waits = opened.send(Ok(()));
                    Scribe { producer, topics, name: named, closed }.run(&waiting);
                }
                Err(problem) => drop(opened.send(Err(client::refused(&problem)))),
            }
        };
        let thread = thread::Builder::new().name(format!("write-{name}"));
        thread.spawn(work).map_err(|problem| OpenError::Kafka(problem.to_string()))?;
        is_open.await.unwrap_or_else(|_| Err(OpenError::Kafka("the thread of a writer panicked".into())))?;
        Ok(Self { name, batches })
    }

    pub(crate) async fn append_all(&self, stream: Stream, records: Vec<KeyValue>) -> Result<(), AppendError> {
        check(&records)?;
        let (answer, answered) = oneshot::channel();
        let gone = || Failure { stream, cause: "its writer ended".into() };
        self.batches.try_send(Batch { stream, records, answer }).map_err(|error| match error {
            TrySendError::Full(_) => AppendError::Overloaded,
            TrySendError::Disconnected(_) => gone().into(),
        })?;
        answered.await.unwrap_or_else(|_| Err(gone().into()))
    }
}

fn check(records: &[KeyValue]) -> Result<(), AppendError> {
    let lengths = || records.iter().map(|(key, value)| key.len() + value.len());
    let (largest, all) = (lengths().max().ok_or(AppendError::EmptyBatch)?, lengths().sum());
    let bounds = [(largest, RECORD_BYTES_MAX), (all, BATCH_BYTES_MAX)];
    match bounds.into_iter().find(|(bytes, bytes_max)| bytes > bytes_max) {
        Some((bytes, bytes_max)) => Err(AppendError::TooLarge { bytes, bytes_max }),
        None => Ok(()),
    }
}

/// The thread.
struct Scribe {
    producer: Polled<Quiet>,
    topics: Arc<Topics>,
    name: Arc<str>,
    closed: Arc<AtomicBool>,
}

/// Why a transaction was not committed.
enum Lost {
    /// Nothing of it is there, and trying again may help.
    Again,
    /// Nothing of it is there, nor will be.
    Refused(AppendError),
    /// It may be there.
    Unknown(Arc<str>),
}

impl Scribe {
    /// Writes what waits, several batches in one transaction, until nobody can send any more.
    fn run(self, waiting: &Receiver<Batch>) {
        let mut refusal: Option<AppendError> = None;
        let mut left = None;
        while let Some(first) = left.take().or_else(|| waiting.recv().ok()) {
            let mut bytes = first.bytes();
            let mut batches = vec![first];
            while let Ok(batch) = waiting.try_recv() {
                bytes += batch.bytes();
                if bytes > BATCH_BYTES_MAX {
                    left = Some(batch);
                    break;
                }
                batches.push(batch);
            }
            let result = match &refusal {
                Some(refusal) => Err(refusal.clone()),
                None => self.write(&batches),
            };
            if let Err(AppendError::Fenced { .. } | AppendError::Unknown { .. }) = &result {
                refusal = result.clone().err();
            }
            for batch in batches {
                // Who dropped the future does not want to know.
                let _ = batch.answer.send(result.clone());
            }
        }
    }

    fn write(&self, batches: &[Batch]) -> Result<(), AppendError> {
        let unknown = |cause| AppendError::Unknown { stream: batches[0].stream, cause };
        let deadline = Instant::now() + KAFKA_WRITE_TIMEOUT;
        loop {
            if self.closed.load(Ordering::Relaxed) {
                return Err(AppendError::Closed);
            }
            let begun = Instant::now();
            let lost = match self.transact(batches, begun, deadline) {
                Ok(()) => return Ok(()),
                Err(lost) => lost,
            };
            match lost {
                Lost::Refused(error) => return Err(error),
                Lost::Unknown(cause) => return Err(unknown(cause)),
                Lost::Again => self.abort(begun, deadline).map_err(|lost| match lost {
                    Lost::Refused(error) => error,
                    Lost::Unknown(cause) => unknown(cause),
                    Lost::Again => unknown("a transaction cannot be ended".into()),
                })?,
            }
            // Nothing of it is there.
            if Instant::now() >= deadline {
                return Err(unknown("it was refused again and again".into()));
            }
            thread::park_timeout(AGAIN_PAUSE);
        }
    }

    fn transact(&self, batches: &[Batch], begun: Instant, deadline: Instant) -> Result<(), Lost> {
        let sort = |problem: KafkaError| self.sort(&problem, begun);
        self.producer.begin_transaction().map_err(sort)?;
        for batch in batches {
            batch.records.iter().try_for_each(|record| self.send(batch.stream, record).map_err(sort))?;
        }
        if !client::flushed(&self.producer, ANSWER) {
            return Err(Lost::Again);
        }
        let mut told = false;
        loop {
            match self.producer.commit_transaction(ANSWER) {
                Ok(()) => return Ok(()),
                Err(KafkaError::Transaction(error)) if error.is_retriable() && Instant::now() < deadline => told = true,
                Err(KafkaError::Transaction(error)) if error.is_retriable() => {
                    return Err(Lost::Unknown(error.to_string().into()));
                }
                // After a question without an answer, nobody knows what the first attempt did.
                Err(KafkaError::Transaction(error)) if told && !error.txn_requires_abort() => {
                    return Err(Lost::Unknown(error.to_string().into()));
                }
                Err(problem) => return Err(sort(problem)),
            }
        }
    }

    fn send(&self, stream: Stream, (key, value): &KeyValue) -> Result<(), KafkaError> {
        let partition = self.topics.partition_of(stream, key).0.cast_signed();
        let mut record = BaseRecord::to(self.topics.name(stream)).partition(partition).key(key).payload(value);
        loop {
            match self.producer.send(record) {
                Ok(()) => return Ok(()),
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), back)) => record = back,
                Err((problem, _)) => return Err(problem),
            }
            // Whether or not all of it got through, some of it may have.
            let _ = self.producer.flush(FULL_PAUSE);
        }
    }

    /// Takes a transaction back, so that nothing of it is ever seen.
    fn abort(&self, begun: Instant, deadline: Instant) -> Result<(), Lost> {
        loop {
            match self.producer.abort_transaction(ANSWER) {
                Ok(()) => return Ok(()),
                Err(KafkaError::Transaction(error)) if error.is_retriable() => {
                    if self.closed.load(Ordering::Relaxed) {
                        return Err(Lost::Refused(AppendError::Closed));
                    }
                    if Instant::now() >= deadline {
                        return Err(Lost::Unknown(error.to_string().into()));
                    }
                }
                Err(problem) => return Err(self.sort(&problem, begun)),
            }
        }
    }

    /// What became of a transaction that was begun then. The servers end one that takes too long, as where its process stood
    /// still meanwhile, and refuse its writer from then on in the words in which they refuse one that another replaced.
    fn sort(&self, problem: &KafkaError, begun: Instant) -> Lost {
        let fenced = || {
            if begun.elapsed() < KAFKA_TRANSACTION_TIMEOUT {
                Lost::Refused(AppendError::Fenced { name: self.name.clone() })
            } else {
                Lost::Unknown("the transaction took too long, so the servers ended it".into())
            }
        };
        match problem {
            KafkaError::Transaction(error) if client::is_fenced(error.code()) => fenced(),
            KafkaError::Transaction(error) if !error.is_fatal() => Lost::Again,
            _ => match self.producer.client().fatal_error() {
                Some((code, _)) if client::is_fenced(code) => fenced(),
                Some((_, cause)) => Lost::Unknown(cause.into()),
                None => Lost::Again,
            },
        }
    }
}

impl Batch {
    fn bytes(&self) -> usize {
        self.records.iter().map(|(key, value)| key.len() + value.len()).sum()
    }
}

/// Ends what an earlier writer of this name began, and its right to write. The server that keeps transactions may have to be
/// found first, or to read what it keeps, as where Kafka was started just now.
fn take_over(producer: &Polled<Quiet>, closed: &AtomicBool) -> Result<(), KafkaError> {
    let deadline = Instant::now() + KAFKA_WRITE_TIMEOUT;
    loop {
        match producer.init_transactions(ANSWER) {
            Err(KafkaError::Transaction(error))
                if client::may_pass(&error) && Instant::now() < deadline && !closed.load(Ordering::Relaxed) =>
            {
                thread::park_timeout(AGAIN_PAUSE);
            }
            done => return done,
        }
    }
}

/// A failed record fails its transaction, so nobody asks for each.
struct Quiet(Said);

impl rdkafka::ClientContext for Quiet {
    fn log(&self, level: rdkafka::config::RDKafkaLogLevel, facility: &str, said: &str) {
        self.0.log(level, facility, said);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.0.error(&error, reason);
    }
}

impl rdkafka::producer::ProducerContext for Quiet {
    type DeliveryOpaque = ();

    fn delivery(&self, _: &rdkafka::message::DeliveryResult<'_>, (): ()) {}
}
