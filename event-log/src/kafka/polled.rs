//! A producer, and the thread that hears what becomes of its records. The library's own thread turns in a loop over the
//! last millisecond of each tenth of a second; this one rests while nothing is under way.

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::message::ToBytes;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer, ProducerContext};

/// Between two looks while nothing is under way: only connections that come and go are told then.
const REST: Duration = Duration::from_millis(250);

/// A producer that hears by itself what becomes of its records.
pub(super) struct Polled<C: ProducerContext + 'static> {
    ear: Arc<Ear<C>>,
    thread: Option<JoinHandle<()>>,
}

struct Ear<C: ProducerContext> {
    producer: BaseProducer<C>,
    /// Between two looks while something is under way.
    pause: Duration,
    /// Nothing was under way at the last look: whoever sends wakes the thread.
    resting: AtomicBool,
    ended: AtomicBool,
}

impl<C: ProducerContext + 'static> Polled<C> {
    /// A producer; what becomes of its records is heard `pause` later at most.
    pub(super) fn new(config: &ClientConfig, context: C, pause: Duration) -> KafkaResult<Self> {
        let producer: BaseProducer<C> = config.create_with_context(context)?;
        let ear = Arc::new(Ear { producer, pause, resting: AtomicBool::new(false), ended: AtomicBool::new(false) });
        let listening = Arc::clone(&ear);
        let thread = thread::Builder::new().name("kafka-ear".into()).spawn(move || listening.listen());
        let thread = thread.map_err(|problem| KafkaError::ClientCreation(problem.to_string()))?;
        Ok(Self { ear, thread: Some(thread) })
    }

    /// Queues a record.
    #[expect(clippy::result_large_err, clippy::type_complexity, reason = "as the library's: the record comes back")]
    pub(super) fn send<'r, K: ToBytes + ?Sized, P: ToBytes + ?Sized>(
        &self,
        record: BaseRecord<'r, K, P, C::DeliveryOpaque>,
    ) -> Result<(), (KafkaError, BaseRecord<'r, K, P, C::DeliveryOpaque>)> {
        let sent = self.ear.producer.send(record);
        if self.ear.resting.swap(false, Ordering::SeqCst) {
            self.wake();
        }
        sent
    }

    fn wake(&self) {
        self.thread.iter().for_each(|thread| thread.thread().unpark());
    }
}

impl<C: ProducerContext> Deref for Polled<C> {
    type Target = BaseProducer<C>;

    fn deref(&self) -> &BaseProducer<C> {
        &self.ear.producer
    }
}

impl<C: ProducerContext> Ear<C> {
    fn listen(&self) {
        while !self.ended.load(Ordering::SeqCst) {
            // Said before it is looked, so that whoever sends after the look wakes this thread.
            self.resting.store(true, Ordering::SeqCst);
            let under_way = self.producer.in_flight_count();
            self.producer.poll(Duration::ZERO);
            let left = self.producer.in_flight_count();
            if left == 0 {
                thread::park_timeout(REST);
            } else {
                self.resting.store(false, Ordering::SeqCst);
                // One look hears of one batch; there may be more.
                if left >= under_way {
                    thread::park_timeout(self.pause);
                }
            }
        }
    }
}

impl<C: ProducerContext + 'static> Drop for Polled<C> {
    fn drop(&mut self) {
        self.ear.ended.store(true, Ordering::SeqCst);
        self.wake();
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the thread of a Kafka producer panicked");
        }
    }
}
