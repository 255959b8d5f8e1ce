//! Streams in a real Kafka, whose brokers `KAFKA_BROKERS` names.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::ops::Range;
use std::path::Path;
use std::thread;

use event_log::{EventLog, KafkaLog, KafkaOptions, Notices, Offset, Offsets, Record, Stream, Topic, block_on};
use rdkafka::ClientConfig;
use rdkafka::admin::{
    AdminClient, AdminOptions, AlterConfig, NewPartitions, NewTopic, ResourceSpecifier, TopicReplication,
};
use rdkafka::client::DefaultClientContext;

use crate::contract::{self, read_to, wait_for, writer};
use crate::end;
use crate::kill::{acknowledge, input, run_and_kill};

/// Topics of a test, which go with it.
pub(crate) struct Topics {
    prefix: String,
}

fn brokers() -> Vec<String> {
    #[expect(clippy::disallowed_methods, reason = "where the server is, is not configuration of Vernier")]
    let brokers = std::env::var("KAFKA_BROKERS").expect("KAFKA_BROKERS is set: deploy/local/services with COMMAND");
    brokers.split(',').map(str::to_owned).collect()
}

fn admin() -> AdminClient<DefaultClientContext> {
    ClientConfig::new().set("bootstrap.servers", brokers().join(",")).create().unwrap()
}

fn options(prefix: &str, notices: Notices) -> KafkaOptions {
    let topic = |stream| {
        let partitions = if stream == Stream::Campaigns { 1 } else { 3 };
        let settings = settings(&[("retention.ms", "-1"), ("retention.bytes", "-1"), ("cleanup.policy", "delete")]);
        (stream, Topic { partitions, replication: None, settings })
    };
    let topics: BTreeMap<Stream, Topic> = Stream::ALL.into_iter().map(topic).collect();
    KafkaOptions { brokers: brokers(), prefix: prefix.to_owned(), topics, notices, tls: None, sasl: None }
}

fn settings(settings: &[(&str, &str)]) -> BTreeMap<String, String> {
    settings.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

impl Topics {
    pub(crate) fn new(test: &str) -> Self {
        let unique = tempfile::Builder::new().prefix("").tempdir().unwrap();
        let unique = unique.path().file_name().unwrap().to_string_lossy().into_owned();
        Self { prefix: format!("test-{test}-{unique}.") }
    }

    fn options(&self, notices: Notices) -> KafkaOptions {
        options(&self.prefix, notices)
    }

    pub(crate) fn open(&self, notices: Notices) -> EventLog {
        KafkaLog::open(self.options(notices)).unwrap().into()
    }

    fn spooled(&self, dir: &Path) -> EventLog {
        self.open(Notices::Spool(dir.to_owned()))
    }

    fn name(&self, stream: Stream) -> String {
        format!("{}{stream}", self.prefix)
    }

    /// All that `stream` has, as those see it who append nothing.
    fn read(&self, stream: Stream) -> Vec<Record> {
        let log = self.open(Notices::Broker);
        read_to(&mut log.read_from(stream, &Offsets::default()), &end(&log, stream))
    }
}

impl Topics {
    /// Changes how large a batch of notices may be.
    fn limit_notices(&self, bytes: &str) {
        let name = self.name(Stream::Notices);
        let change = AlterConfig::new(ResourceSpecifier::Topic(&name)).set("max.message.bytes", bytes);
        block_on(admin().alter_configs([&change], &AdminOptions::new())).unwrap()[0].as_ref().unwrap();
    }
}

impl Drop for Topics {
    fn drop(&mut self) {
        let names = Stream::ALL.map(|stream| self.name(stream));
        // A test may have made none of them.
        let _ = block_on(admin().delete_topics(&names.each_ref().map(String::as_str), &AdminOptions::new()));
    }
}

/// Appends a record of each number, those of one of three keys in their order.
fn append(log: &EventLog, numbers: Range<u32>) -> Vec<Offset> {
    let answers: Vec<_> = numbers.map(|n| log.append(Stream::Notices, (n % 3).to_string(), n.to_string())).collect();
    answers.into_iter().map(|answer| answer.wait().unwrap()).collect()
}

/// Ships all there is to ship.
fn close(log: &EventLog) {
    log.clone().close();
    assert_eq!(log.waiting(), 0);
}

/// The numbers of each key, in the order of their first appearance.
fn first_seen(records: &[Record]) -> BTreeMap<String, Vec<u32>> {
    let mut seen = BTreeMap::<String, Vec<u32>>::new();
    for record in records {
        let text = |bytes: &[u8]| str::from_utf8(bytes).unwrap().to_owned();
        let (numbers, number) = (seen.entry(text(&record.key)).or_default(), text(&record.value).parse().unwrap());
        if !numbers.contains(&number) {
            numbers.push(number);
        }
    }
    seen
}

/// What [`append`] did with those numbers.
fn by_key(numbers: Range<u32>) -> BTreeMap<String, Vec<u32>> {
    (0..3).map(|key| (key.to_string(), numbers.clone().filter(|n| n % 3 == key).collect())).collect()
}

/// So many bytes that cannot be compressed.
fn noise(bytes: usize) -> Vec<u8> {
    let xorshift = |state: &u32| {
        let state = state ^ (state << 13);
        let state = state ^ (state >> 17);
        Some(state ^ (state << 5))
    };
    std::iter::successors(Some(1), xorshift).map(|state| state as u8).take(bytes).collect()
}

#[test]
fn kafka() {
    let topics = Topics::new("contract");
    contract::check(|| topics.open(Notices::Broker));
}

#[test]
fn spooled_notices_are_shipped_once_and_in_order() {
    let (topics, dir) = (Topics::new("spool"), tempfile::tempdir().unwrap());
    for round in 0..3 {
        let log = topics.spooled(dir.path());
        let numbers = 100 * round..100 * (round + 1);
        let expected: Vec<Offset> = numbers.clone().map(|n| Offset(n.into())).collect();
        assert_eq!(append(&log, numbers), expected, "the spool goes on where it was");
        close(&log);
    }
    let read = topics.read(Stream::Notices);
    assert_eq!((read.len(), first_seen(&read)), (300, by_key(0..300)));
}

#[test]
fn without_its_mark_a_spool_ships_again_what_it_has() {
    let (topics, dir) = (Topics::new("mark"), tempfile::tempdir().unwrap());
    let log = topics.spooled(dir.path());
    append(&log, 0..100);
    close(&log);
    fs::remove_file(dir.path().join("shipped")).unwrap();
    let log = topics.spooled(dir.path());
    append(&log, 100..150);
    close(&log);
    let read = topics.read(Stream::Notices);
    assert_eq!((read.len(), first_seen(&read)), (250, by_key(0..150)));
}

#[test]
fn a_notice_that_kafka_refuses_stays_in_the_spool() {
    let (topics, dir) = (Topics::new("refused"), tempfile::tempdir().unwrap());
    let log = topics.spooled(dir.path());
    topics.limit_notices("500");
    log.append(Stream::Notices, "key", noise(1_000)).wait().unwrap();
    log.clone().close();
    assert_eq!(log.waiting(), 1);
    topics.limit_notices("2000000");
    close(&topics.spooled(dir.path()));
    let read = topics.read(Stream::Notices);
    assert!(!read.is_empty() && read.iter().all(|record| record.value == noise(1_000)));
}

/// Each batch of the child has so many records.
const BATCH: usize = 3;
/// The values of one round of the child begin here.
const ROUND: u32 = 1_000_000;

#[test]
fn a_killed_process_keeps_what_it_acknowledged() {
    let (topics, dir) = (Topics::new("kill"), tempfile::tempdir().unwrap());
    let mut acknowledged = BTreeSet::<(String, u32)>::new();
    for (round, kill_after) in [0, 1, 100, 500].into_iter().enumerate() {
        let input = format!("{}\n{}\n{round}", topics.prefix, dir.path().display());
        for said in run_and_kill("kafka::child", &input, kill_after) {
            let (key, number) = said.split_once(' ').unwrap();
            acknowledged.insert((key.to_owned(), number.parse().unwrap()));
        }
        let log = topics.spooled(dir.path());
        // Ends the transaction that the kill left open.
        drop(writer(&log, "ledger"));
        close(&log);
        let (notices, batches) = (topics.read(Stream::Notices), topics.read(Stream::LedgerJournal));
        let there = first_seen(&[notices, batches.clone()].concat());
        assert!(there.values().all(|numbers| numbers.is_sorted()), "{there:?}");
        let is_there = |(key, number): &(String, u32)| there.get(key).is_some_and(|numbers| numbers.contains(number));
        assert!(acknowledged.iter().all(is_there), "{acknowledged:?}, but {there:?}");
        let whole = |batch: &[Record]| batch.len() == BATCH && batch.iter().all(|part| part.value == batch[0].value);
        assert!(batches.chunks(BATCH).all(whole), "a batch is there in part");
    }
}

#[test]
#[ignore = "the process that is killed: it appends until then, where its input says"]
fn child() {
    let Some([prefix, dir, round]) = input() else { return };
    let log = EventLog::from(KafkaLog::open(options(&prefix, Notices::Spool(dir.into()))).unwrap());
    let ledger = writer(&log, "ledger");
    let first = ROUND * round.parse::<u32>().unwrap();
    let append_until_killed = |key: &str, append: &dyn Fn(String)| {
        for number in first.. {
            append(number.to_string());
            acknowledge(&format!("{key} {number}"));
        }
    };
    thread::scope(|scope| {
        for key in ["a", "b"] {
            let log = &log;
            scope.spawn(move || {
                append_until_killed(key, &|number| wait_for([log.append(Stream::Notices, key, number)]))
            });
        }
        append_until_killed("batch", &|number| {
            let batch = vec![(b"batch".to_vec(), number.into_bytes()); BATCH];
            block_on(ledger.append_all(Stream::LedgerJournal, batch)).unwrap();
        });
    });
}

#[test]
fn topics_are_made_as_said_and_stay_as_they_are() {
    let topics = Topics::new("made");
    let mut options = topics.options(Notices::Broker);
    let hour = settings(&[("retention.ms", "3600000"), ("segment.bytes", "1048576")]);
    options.topics.insert(Stream::Bids, Topic { partitions: 5, replication: Some(1), settings: hour });
    let log = EventLog::from(KafkaLog::open(options).unwrap());
    assert_eq!((log.partitions(Stream::Bids), log.partitions(Stream::Campaigns)), (5, 1));
    // With other options: those are for topics that are missing.
    let log = topics.open(Notices::Broker);
    assert_eq!((log.partitions(Stream::Bids), log.partitions(Stream::Notices)), (5, 3));
    let setting = |stream, key: &str| {
        let (name, options) = (topics.name(stream), AdminOptions::new());
        let said = block_on(admin().describe_configs([&ResourceSpecifier::Topic(&name)], &options)).unwrap();
        said[0].as_ref().unwrap().get(key).unwrap().value.clone().unwrap()
    };
    assert_eq!(setting(Stream::Bids, "retention.ms"), "3600000");
    assert_eq!(setting(Stream::Bids, "segment.bytes"), "1048576");
    assert_eq!(setting(Stream::Notices, "retention.ms"), "-1");
}

#[test]
fn topics_that_would_lose_money_are_refused_all_at_once() {
    let topics = Topics::new("audit");
    let mut options = topics.options(Notices::Broker);
    for line in "campaigns      2 retention.bytes=1000000
                 notices        3 cleanup.policy=compact
                 outcomes       3 cleanup.policy=compact,delete
                 leases         3 max.message.bytes=500
                 leases         3 unclean.leader.election.enable=true
                 bids           3 cleanup.policy=compact
                 ledger-journal 2 retention.ms=1000
                 ledger-snapshots 2 retention.ms=1000"
        .lines()
    {
        let [stream, partitions, setting] = line.split_whitespace().collect::<Vec<_>>().try_into().unwrap();
        let topic = options.topics.get_mut(&Stream::of_name(stream).unwrap()).unwrap();
        let (key, value) = setting.split_once('=').unwrap();
        topic.partitions = partitions.parse().unwrap();
        topic.settings.insert(key.to_owned(), value.to_owned());
    }
    let problems = "
topic P.campaigns: must have one partition: its records are in order as a whole
topic P.campaigns: retention.bytes must be -1: it is read from its beginning
topic P.notices: cleanup.policy must be delete: every record of it counts
topic P.outcomes: cleanup.policy must be delete: every record of it counts
topic P.leases: max.message.bytes must be at least 1016384
topic P.leases: unclean.leader.election.enable must be false: a server that leads without them loses records
topic P.ledger-journal: retention.ms must be -1: it is read from its beginning";
    let problems = format!("Kafka: {}", problems.trim_start().replace("P.", &topics.prefix));
    let check = |options: &KafkaOptions, problems: &str| {
        assert_eq!(KafkaLog::open(options.clone()).unwrap_err().to_string(), problems);
    };
    check(&options, &problems);
    // None of them was made, also not by who only reads.
    let reader = KafkaOptions { topics: BTreeMap::new(), ..options.clone() };
    let name = topics.name(Stream::ALL[0]);
    check(&reader, &format!("Kafka: topic {name} is not there, and nothing says how it is to be made"));
    // Also when they are there, whatever is to be made.
    let names = Stream::ALL.map(|stream| topics.name(stream));
    let made = options.topics.iter().map(|(stream, topic)| {
        let partitions = topic.partitions.cast_signed();
        let new = NewTopic::new(&names[*stream as usize], partitions, TopicReplication::Fixed(1));
        topic.settings.iter().fold(new, |new, (key, value)| new.set(key, value))
    });
    let made = block_on(admin().create_topics(&made.collect::<Vec<_>>(), &AdminOptions::new())).unwrap();
    assert!(made.iter().all(Result::is_ok), "{made:?}");
    check(&topics.options(Notices::Broker), &problems);
}

#[test]
fn snapshots_have_the_partitions_of_the_journal() {
    let topics = Topics::new("pair");
    let mut options = topics.options(Notices::Broker);
    options.topics.get_mut(&Stream::LedgerSnapshots).unwrap().partitions = 5;
    let log = EventLog::from(KafkaLog::open(options).unwrap());
    assert_eq!((log.partitions(Stream::LedgerJournal), log.partitions(Stream::LedgerSnapshots)), (3, 3));
    let [journal, snapshots] = [Stream::LedgerJournal, Stream::LedgerSnapshots].map(|stream| topics.name(stream));
    let more = NewPartitions::new(&snapshots, 4);
    block_on(admin().create_partitions([&more], &AdminOptions::new())).unwrap()[0].as_ref().unwrap();
    let refused = KafkaLog::open(topics.options(Notices::Broker)).unwrap_err().to_string();
    let must = format!("Kafka: topic {snapshots}: must have as many partitions as {journal}: each is for one of these");
    assert_eq!(refused, must);
}

#[test]
fn where_no_server_answers_its_address_is_named() {
    let options = KafkaOptions { brokers: vec!["127.0.0.1:1".into()], ..options("test-nobody.", Notices::Broker) };
    let refused = KafkaLog::open(options).unwrap_err().to_string();
    assert!(refused.contains("none of 127.0.0.1:1 answers"), "{refused}");
}

#[cfg(not(feature = "kafka-tls"))]
#[test]
fn without_the_feature_tls_is_refused_and_says_how_to_get_it() {
    let options = KafkaOptions { tls: Some(event_log::Tls::default()), ..options("test-tls.", Notices::Broker) };
    let refused = KafkaLog::open(options).unwrap_err().to_string();
    assert!(refused.contains("--features kafka-tls"), "{refused}");
}

#[test]
fn offered_records_that_are_not_delivered_are_counted() {
    let topics = Topics::new("offer");
    let mut options = topics.options(Notices::Broker);
    options.topics.get_mut(&Stream::Bids).unwrap().settings = settings(&[("max.message.bytes", "500")]);
    let log = EventLog::from(KafkaLog::open(options).unwrap());
    for n in 0..30 {
        // Every third is too large for the topic, and takes those along that are sent with it.
        let value = if n % 3 == 0 { noise(1_000) } else { Vec::new() };
        assert!(log.offer(Stream::Bids, n.to_string(), value));
    }
    log.clone().close();
    let there = topics.read(Stream::Bids);
    assert!(there.iter().all(|record| record.value.is_empty()));
    assert_eq!(there.len() as u64 + log.dropped(Stream::Bids), 30);
}
