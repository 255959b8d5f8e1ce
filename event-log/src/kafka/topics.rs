//! The topics of the streams: made where they are missing, and refused where they would lose money.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, ResourceSpecifier, TopicReplication};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use super::client::{self, ANSWER, Said};
use super::{KafkaOptions, MESSAGE_BYTES_MAX, partitioner};
use crate::error::OpenError;
use crate::stream::{Class, Partition, Stream};
use crate::wait::block_on;

/// The pause before it is looked again whether a topic is there.
const LED_PAUSE: Duration = Duration::from_millis(50);

/// How much of what the client says is read in search of why nobody answers.
const SAID_MAX: usize = 100;

/// How a topic is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Topic {
    /// Its partitions. [`Stream::Campaigns`] has one: it is in order as a whole. [`Stream::LedgerSnapshots`] has as many as
    /// [`Stream::LedgerJournal`], also where that has others than here.
    pub partitions: u32,
    /// On how many brokers it is kept; `None`: as the cluster has it.
    pub replication: Option<u16>,
    /// Its settings, by the names that Kafka has for them.
    pub settings: BTreeMap<String, String>,
}

/// Streams that are read from their beginning.
const WHOLE: [Stream; 2] = [Stream::Campaigns, Stream::LedgerJournal];

/// The topics there are.
#[derive(Debug)]
pub(super) struct Topics {
    /// By the number of the stream.
    topics: Vec<(String, u32)>,
}

impl Topics {
    /// Makes what is missing and looks at all of it; blocks until then.
    pub(super) fn open(config: &ClientConfig, options: &KafkaOptions) -> Result<Self, OpenError> {
        let admin: AdminClient<Said> =
            config.create_with_context(Said::default()).map_err(|problem| client::refused(&problem))?;
        let reader: BaseConsumer<Said> = client::reader(options)
            .create_with_context(Said::default())
            .map_err(|problem| client::refused(&problem))?;
        let names: Vec<String> = Stream::ALL.iter().map(|stream| format!("{}{stream}", options.prefix)).collect();
        let there = partitions(&reader, options)?;
        make(&admin, options, &names, &there)?;
        let deadline = Instant::now() + ANSWER;
        let topics = loop {
            let there = partitions(&reader, options)?;
            let found: Option<Vec<_>> =
                names.iter().map(|name| there.get(name).map(|count| (name.clone(), *count))).collect();
            match found {
                Some(topics) => break topics,
                None if Instant::now() > deadline => {
                    return Err(OpenError::Kafka(unled(&names, &there)));
                }
                None => std::thread::park_timeout(LED_PAUSE),
            }
        };
        let topics = Self { topics };
        topics.audit(&admin)?;
        Ok(topics)
    }

    /// As they would be with so many partitions each.
    #[cfg(test)]
    pub(super) fn of_test(prefix: &str, partitions: u32) -> Self {
        Self { topics: Stream::ALL.iter().map(|stream| (format!("{prefix}{stream}"), partitions)).collect() }
    }

    pub(super) fn name(&self, stream: Stream) -> &str {
        &self.topics[stream as usize].0
    }

    pub(super) fn count(&self, stream: Stream) -> u32 {
        self.topics[stream as usize].1
    }

    pub(super) fn partitions(&self, stream: Stream) -> impl Iterator<Item = Partition> + use<> {
        (0..self.count(stream)).map(Partition)
    }

    pub(super) fn partition_of(&self, stream: Stream, key: &[u8]) -> Partition {
        let count = self.count(stream);
        let numbered = if stream.is_numbered() { partitioner::numbered(key, count) } else { None };
        numbered.unwrap_or_else(|| partitioner::partition_of(key, count))
    }

    /// Refuses what would lose money later, however well it works now.
    fn audit(&self, admin: &AdminClient<Said>) -> Result<(), OpenError> {
        let kept: Vec<Stream> = Stream::ALL.into_iter().filter(|stream| stream.class() != Class::Telemetry).collect();
        let resources: Vec<_> = kept.iter().map(|stream| ResourceSpecifier::Topic(self.name(*stream))).collect();
        let options = AdminOptions::new().request_timeout(Some(ANSWER));
        let said = block_on(admin.describe_configs(&resources, &options)).map_err(|p| client::refused(&p))?;
        let mut all = Vec::new();
        for (stream, config) in kept.into_iter().zip(said) {
            let name = self.name(stream);
            let config = config.map_err(|code| OpenError::Kafka(format!("topic {name}: {code}")))?;
            let value = |key: &str| Some(config.get(key).and_then(|entry| entry.value.clone()).unwrap_or_default());
            all.extend(wrong(stream, name, self.count(stream), value));
        }
        let (journal, snapshots) = (Stream::LedgerJournal, Stream::LedgerSnapshots);
        if self.count(snapshots) != self.count(journal) {
            let (name, journal) = (self.name(snapshots), self.name(journal));
            all.push(format!("topic {name}: must have as many partitions as {journal}: each is for one of these"));
        }
        refuse(&all)
    }
}

fn refuse(wrong: &[String]) -> Result<(), OpenError> {
    if wrong.is_empty() { Ok(()) } else { Err(OpenError::Kafka(wrong.join("\n"))) }
}

/// What would lose money of a topic with these settings; `None`: the server's own, which are looked at once it is made.
fn wrong(stream: Stream, name: &str, partitions: u32, value: impl Fn(&str) -> Option<String>) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut must = |holds: bool, what: &str| {
        if !holds {
            wrong.push(format!("topic {name}: {what}"));
        }
    };
    let is = |key: &str, right: &str| value(key).is_none_or(|value| value == right);
    let bytes = value("max.message.bytes").is_none_or(|bytes| bytes.parse().unwrap_or(0) >= MESSAGE_BYTES_MAX);
    if stream.class() != Class::Telemetry {
        must(is("cleanup.policy", "delete"), "cleanup.policy must be delete: every record of it counts");
        must(bytes, &format!("max.message.bytes must be at least {MESSAGE_BYTES_MAX}"));
        let clean = is("unclean.leader.election.enable", "false");
        must(clean, "unclean.leader.election.enable must be false: a server that leads without them loses records");
    }
    if stream == Stream::Campaigns {
        must(partitions == 1, "must have one partition: its records are in order as a whole");
    }
    if WHOLE.contains(&stream) {
        for key in ["retention.ms", "retention.bytes"] {
            must(is(key, "-1"), &format!("{key} must be -1: it is read from its beginning"));
        }
    }
    wrong
}

/// Which topics have a partition that no server leads.
fn unled(names: &[String], led: &BTreeMap<String, u32>) -> String {
    let names: Vec<&str> = names.iter().filter(|name| !led.contains_key(*name)).map(String::as_str).collect();
    format!("no server leads all partitions of {} within {ANSWER:?}", names.join(", "))
}

/// Every topic whose partitions are all led by a server, and how many these are.
fn partitions(reader: &BaseConsumer<Said>, options: &KafkaOptions) -> Result<BTreeMap<String, u32>, OpenError> {
    let away = |problem: KafkaError| {
        let brokers = options.brokers.join(", ");
        // Such as a wrong password: the problem itself is only that no answer came.
        (0..SAID_MAX).for_each(|_| drop(reader.poll(Duration::ZERO)));
        let cause = reader.context().failure().unwrap_or_else(|| problem.to_string());
        OpenError::Kafka(format!("none of {brokers} answers within {ANSWER:?}: {cause}"))
    };
    let metadata = reader.fetch_metadata(None, ANSWER).map_err(away)?;
    let led = |topic: &&rdkafka::metadata::MetadataTopic| {
        topic.error().is_none() && topic.partitions().iter().all(|partition| partition.leader() >= 0)
    };
    let topics = metadata.topics().iter().filter(led);
    Ok(topics.map(|topic| (topic.name().to_owned(), topic.partitions().len() as u32)).collect())
}

fn make(
    admin: &AdminClient<Said>,
    options: &KafkaOptions,
    names: &[String],
    there: &BTreeMap<String, u32>,
) -> Result<(), OpenError> {
    let mut new = Vec::new();
    let mut all = Vec::new();
    let journal = Stream::LedgerJournal;
    let journal = there.get(&names[journal as usize]).or(options.topics.get(&journal).map(|topic| &topic.partitions));
    for (stream, name) in Stream::ALL.into_iter().zip(names).filter(|(_, name)| !there.contains_key(*name)) {
        let topic = options.topics.get(&stream).ok_or_else(|| {
            OpenError::Kafka(format!("topic {name} is not there, and nothing says how it is to be made"))
        })?;
        // Before it is there, and has to be deleted.
        all.extend(wrong(stream, name, topic.partitions, |key| topic.settings.get(key).cloned()));
        let replication = TopicReplication::Fixed(topic.replication.map_or(-1, i32::from));
        let as_journal = journal.filter(|_| stream == Stream::LedgerSnapshots);
        let partitions = *as_journal.unwrap_or(&topic.partitions);
        let start = NewTopic::new(name, partitions.cast_signed(), replication);
        new.push(topic.settings.iter().fold(start, |new, (key, value)| new.set(key, value)));
    }
    refuse(&all)?;
    if new.is_empty() {
        return Ok(());
    }
    let options = AdminOptions::new().request_timeout(Some(ANSWER)).operation_timeout(Some(ANSWER));
    let made = block_on(admin.create_topics(&new, &options)).map_err(|problem| client::refused(&problem))?;
    for answer in made {
        match answer {
            // Another process was faster.
            Ok(_) | Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
            Err((name, code)) => return Err(OpenError::Kafka(format!("topic {name} cannot be made: {code}"))),
        }
    }
    Ok(())
}
