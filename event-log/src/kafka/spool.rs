//! Notices on their way to Kafka: durable in files of this process first, so that nobody waits for Kafka and nothing is
//! lost while it is away, and shipped from there in order.

use std::cell::Cell;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::DeliveryResult;
use rdkafka::producer::{BaseRecord, Producer, ProducerContext};

use super::client::{self, Said};
use super::polled::Polled;
use super::{KafkaOptions, Topics};
use crate::appending::Appending;
use crate::error::{Failure, OpenError, ReadError};
use crate::limits::{KAFKA_ANSWER_PAUSE, KAFKA_CLOSE_TIMEOUT, KAFKA_RECONNECT_MAX, SPOOL_SEGMENT_BYTES};
use crate::local::{LocalLog, LocalTail};
use crate::stream::{Offset, Record, Stream};
use crate::wait::block_on;

/// How long the shipper waits for acknowledgements before it looks whether it is to end.
const LOOK: Duration = Duration::from_millis(100);

/// The files and the thread that ships them.
pub(super) struct Spool {
    log: LocalLog,
    shipped: Arc<AtomicU64>,
    closing: Arc<AtomicBool>,
    shipper: Mutex<Option<JoinHandle<()>>>,
}

impl Spool {
    pub(super) fn open(options: &KafkaOptions, topics: Arc<Topics>, dir: &Path) -> Result<Self, OpenError> {
        let log = LocalLog::spool(dir, Stream::Notices, SPOOL_SEGMENT_BYTES)?;
        let mark = Mark(dir.join("shipped"));
        // A mark that was lost means that some are shipped twice, which every reader of notices expects.
        let from = mark.read().clamp(log.start(Stream::Notices), log.end(Stream::Notices));
        let shipped = Arc::new(AtomicU64::new(from.0));
        let closing = Arc::<AtomicBool>::default();
        let shipper = Shipper {
            options: options.clone(),
            topics,
            log: log.clone(),
            mark,
            shipped: shipped.clone(),
            closing: closing.clone(),
            deadline: Cell::new(None),
        };
        let tail = log.read_from(Stream::Notices, &from.into());
        let thread = thread::Builder::new().name("kafka-shipper".into());
        let thread =
            thread.spawn(move || shipper.run(tail)).map_err(|problem| OpenError::Kafka(problem.to_string()))?;
        Ok(Self { log, shipped, closing, shipper: Mutex::new(Some(thread)) })
    }

    pub(super) fn append(&self, key: Vec<u8>, value: Vec<u8>) -> Appending {
        self.log.append_all(Stream::Notices, vec![(key, value)])
    }

    /// How many are not in Kafka yet.
    pub(super) fn waiting(&self) -> u64 {
        waiting(&self.log, &self.shipped)
    }

    pub(super) fn health(&self) -> Result<(), Failure> {
        self.log.health()?;
        let shipper = self.shipper.lock().unwrap_or_else(PoisonError::into_inner);
        match shipper.as_ref() {
            Some(shipper) if shipper.is_finished() => Err(Failure {
                stream: Stream::Notices,
                cause: "what was acknowledged is not shipped to Kafka any more".into(),
            }),
            _ => Ok(()),
        }
    }

    /// Makes durable what is queued, and ships it unless that takes too long: then it is shipped after the next start.
    pub(super) fn close(&self) {
        self.log.clone().close();
        self.closing.store(true, Ordering::Relaxed);
        let shipper = self.shipper.lock().unwrap_or_else(PoisonError::into_inner).take();
        if shipper.is_some_and(|shipper| shipper.join().is_err()) {
            tracing::error!("the shipper of notices panicked");
        }
    }
}

/// The thread.
struct Shipper {
    options: KafkaOptions,
    topics: Arc<Topics>,
    log: LocalLog,
    mark: Mark,
    shipped: Arc<AtomicU64>,
    closing: Arc<AtomicBool>,
    /// When it ends, whatever is left, once the log is to be closed.
    deadline: Cell<Option<Instant>>,
}

/// It is to end, with records left.
struct Ending;

impl Shipper {
    fn run(self, mut tail: LocalTail) {
        let mut producer = None;
        loop {
            match block_on(tail.next()) {
                Ok(records) => {
                    if self.ship(&mut producer, &records).is_err() {
                        tracing::warn!(waiting = self.waiting(), "notices are shipped to Kafka after the next start");
                        return;
                    }
                    let Some(last) = records.last() else { continue };
                    self.note(last.offset.next());
                }
                Err(ReadError::Closed) => return,
                Err(ReadError::Io(problem)) => {
                    tracing::error!(%problem, waiting = self.waiting(), "notices cannot be read: it is tried again");
                    if self.closing.load(Ordering::Relaxed) {
                        return;
                    }
                    thread::park_timeout(KAFKA_RECONNECT_MAX);
                }
                Err(problem) => {
                    tracing::error!(%problem, waiting = self.waiting(), "notices cannot be shipped to Kafka");
                    return;
                }
            }
        }
    }

    /// Sends records in their order, as often as it takes, until Kafka has all of them.
    fn ship(&self, producer: &mut Option<Polled<Refusals>>, records: &[Record]) -> Result<(), Ending> {
        loop {
            self.check()?;
            let sent = match producer.take().map_or_else(|| self.producer(), Ok) {
                Ok(open) => self.send(&open, records)?.map(|()| *producer = Some(open)),
                Err(problem) => Err(problem),
            };
            let Err(problem) = sent else { return Ok(()) };
            tracing::error!(%problem, waiting = self.waiting(), "Kafka refuses notices: they are sent again");
            thread::park_timeout(KAFKA_RECONNECT_MAX);
        }
    }

    fn send(&self, producer: &Polled<Refusals>, records: &[Record]) -> Result<Result<(), KafkaError>, Ending> {
        for Record { key, value, .. } in records {
            let partition = self.topics.partition_of(Stream::Notices, key).0.cast_signed();
            let name = self.topics.name(Stream::Notices);
            let mut record = BaseRecord::to(name).partition(partition).key(key).payload(value);
            while let Err((problem, back)) = producer.send(record) {
                if problem != KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull) {
                    return Ok(Err(problem));
                }
                self.check()?;
                record = back;
                // Whether or not all of it got through, some of it may have.
                let _ = producer.flush(LOOK);
            }
        }
        while !client::flushed(producer, LOOK) {
            self.check()?;
        }
        let refusal = producer.context().refusal.lock().unwrap_or_else(PoisonError::into_inner).take();
        Ok(refusal.map_or(Ok(()), Err))
    }

    /// Whether there is still time, once the log is to be closed.
    fn check(&self) -> Result<(), Ending> {
        if !self.closing.load(Ordering::Relaxed) {
            return Ok(());
        }
        let now = Instant::now();
        let deadline = self.deadline.get().unwrap_or(now + KAFKA_CLOSE_TIMEOUT);
        self.deadline.set(Some(deadline));
        if now < deadline { Ok(()) } else { Err(Ending) }
    }

    fn producer(&self) -> Result<Polled<Refusals>, KafkaError> {
        let mut config = client::producer(&self.options);
        // A notice is never given up.
        config.set("message.timeout.ms", "0").set("linger.ms", "5");
        Polled::new(&config, Refusals::default(), KAFKA_ANSWER_PAUSE)
    }

    /// Everything before `offset` is in Kafka.
    fn note(&self, offset: Offset) {
        self.shipped.store(offset.0, Ordering::Relaxed);
        self.log.release(Stream::Notices, offset);
        if let Err(problem) = self.mark.write(offset) {
            tracing::warn!(%problem, "how far notices are shipped cannot be noted: after a restart some come twice");
        }
    }

    fn waiting(&self) -> u64 {
        waiting(&self.log, &self.shipped)
    }
}

fn waiting(log: &LocalLog, shipped: &AtomicU64) -> u64 {
    log.end(Stream::Notices).0.saturating_sub(shipped.load(Ordering::Relaxed))
}

/// The file that says how far notices are shipped.
struct Mark(PathBuf);

impl Mark {
    fn read(&self) -> Offset {
        let text = fs::read_to_string(&self.0).unwrap_or_default();
        Offset(text.trim().parse().unwrap_or(0))
    }

    /// Replaces it whole. It need not be durable: behind is as good as lost.
    fn write(&self, offset: Offset) -> std::io::Result<()> {
        let next = self.0.with_extension("next");
        fs::write(&next, offset.to_string())?;
        fs::rename(next, &self.0)
    }
}

/// The first record that was refused, and why.
#[derive(Default)]
struct Refusals {
    said: Said,
    refusal: Mutex<Option<KafkaError>>,
}

impl ClientContext for Refusals {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, said: &str) {
        self.said.log(level, facility, said);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.said.error(&error, reason);
    }
}

impl ProducerContext for Refusals {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        if let Err((problem, _)) = result {
            let mut refusal = self.refusal.lock().unwrap_or_else(PoisonError::into_inner);
            refusal.get_or_insert_with(|| problem.clone());
        }
    }
}
