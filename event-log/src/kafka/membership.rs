//! Members of a group in Kafka: a thread with a client of its own, which reads nothing and commits nothing.
//!
//! Partitions move one by one (`cooperative-sticky`): those that stay are not disturbed.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rdkafka::TopicPartitionList;
use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext, Rebalance};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use tokio::sync::watch;

use super::client::{self, Said};
use super::{KafkaOptions, Topics};
use crate::error::{OpenError, ReadError};
use crate::limits::{KAFKA_HEARTBEAT, KAFKA_SESSION_TIMEOUT};
use crate::stream::{Partition, Stream};

/// How long the thread waits for the group before it looks whether the member is gone.
const LOOK: Duration = Duration::from_millis(50);

/// What is known of a member: its partitions once the group has taken it in, or why it does not.
type Told = Option<Result<BTreeSet<Partition>, Arc<str>>>;

/// A place in a group.
pub struct KafkaMembership {
    told: Option<watch::Receiver<Told>>,
    thread: Option<JoinHandle<()>>,
}

impl KafkaMembership {
    pub(super) fn join(
        options: &KafkaOptions,
        topics: &Topics,
        group: &str,
        stream: Stream,
    ) -> Result<Self, OpenError> {
        let mut config = client::reader(options);
        config
            .set("group.id", format!("{}{group}", options.prefix))
            .set("partition.assignment.strategy", "cooperative-sticky")
            .set("session.timeout.ms", KAFKA_SESSION_TIMEOUT.as_millis().to_string())
            .set("heartbeat.interval.ms", KAFKA_HEARTBEAT.as_millis().to_string())
            .set("enable.partition.eof", "false")
            // Nothing is read: what is handed over before reading is paused is from the end on.
            .set("auto.offset.reset", "latest");
        let (teller, told) = watch::channel(None);
        let place = Place { said: Said::default(), held: Mutex::default(), teller };
        let consumer: BaseConsumer<Place> =
            config.create_with_context(place).map_err(|problem| client::refused(&problem))?;
        consumer.subscribe(&[topics.name(stream)]).map_err(|problem| client::refused(&problem))?;
        let thread = thread::Builder::new().name(format!("group-{group}")).spawn(move || stay(&consumer));
        let thread = thread.map_err(|problem| OpenError::Kafka(problem.to_string()))?;
        Ok(Self { told: Some(told), thread: Some(thread) })
    }

    pub(crate) async fn next(&mut self) -> Result<BTreeSet<Partition>, ReadError> {
        let gone = || ReadError::Kafka("the thread of a group's member ended".into());
        let told = self.told.as_mut().ok_or_else(gone)?;
        told.changed().await.map_err(|_| gone())?;
        let told = told.borrow_and_update().clone();
        told.ok_or_else(gone)?.map_err(ReadError::Kafka)
    }
}

/// Leaves, so that the others need not wait until it is missed.
impl Drop for KafkaMembership {
    fn drop(&mut self) {
        self.told = None;
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the thread of a group's member panicked");
        }
    }
}

impl fmt::Debug for KafkaMembership {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KafkaMembership").field("told", &self.told).finish_non_exhaustive()
    }
}

/// Takes part until nobody wants to know any more, or the servers refuse.
fn stay(consumer: &BaseConsumer<Place>) {
    let place = consumer.context();
    while !place.teller.is_closed() {
        match consumer.poll(LOOK) {
            Some(Err(problem)) if is_final(&problem) => {
                place.teller.send_replace(Some(Err(problem.to_string().into())));
                return;
            }
            Some(Err(problem)) => tracing::debug!(%problem, "the group goes on"),
            Some(Ok(_)) | None => {}
        }
    }
}

/// Whether trying again would lead to the same.
fn is_final(problem: &KafkaError) -> bool {
    use RDKafkaErrorCode::{Fatal, GroupAuthorizationFailed, InconsistentGroupProtocol, TopicAuthorizationFailed};
    let code = problem.rdkafka_error_code();
    let refused = [Fatal, GroupAuthorizationFailed, InconsistentGroupProtocol, TopicAuthorizationFailed];
    code.is_some_and(|code| refused.contains(&code))
}

/// What the client tells of the group.
struct Place {
    said: Said,
    held: Mutex<BTreeSet<Partition>>,
    teller: watch::Sender<Told>,
}

impl Place {
    fn change(&self, change: impl FnOnce(&mut BTreeSet<Partition>)) -> BTreeSet<Partition> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut held);
        held.clone()
    }

    fn tell(&self, held: BTreeSet<Partition>) {
        self.teller.send_replace(Some(Ok(held)));
    }
}

impl ClientContext for Place {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, said: &str) {
        self.said.log(level, facility, said);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.said.error(&error, reason);
    }
}

impl ConsumerContext for Place {
    fn pre_rebalance(&self, consumer: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        if let Rebalance::Revoke(list) = rebalance {
            let revoked: BTreeSet<Partition> = partitions(list).collect();
            let left = self.change(|held| held.retain(|partition| !revoked.contains(partition)));
            // A member that lost touch does not know who serves them now; whoever does fences it. As long as nobody does,
            // such as while Kafka is away, it goes on.
            if !consumer.assignment_lost() {
                self.tell(left);
            }
        }
    }

    fn post_rebalance(&self, consumer: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        match rebalance {
            Rebalance::Assign(list) => {
                if let Err(problem) = consumer.pause(list) {
                    tracing::debug!(%problem, "what nobody reads is fetched");
                }
                let held = self.change(|held| held.extend(partitions(list)));
                self.tell(held);
            }
            Rebalance::Revoke(_) => {}
            Rebalance::Error(problem) => tracing::warn!(%problem, "the group cannot share its partitions"),
        }
    }
}

fn partitions(list: &TopicPartitionList) -> impl Iterator<Item = Partition> {
    list.elements()
        .into_iter()
        .map(|place| Partition(place.partition().cast_unsigned()))
        .collect::<Vec<_>>()
        .into_iter()
}
