//! Several ledgers that share the shards, and take over those of one that is gone.

use std::collections::{BTreeMap, BTreeSet};

use event_log::{EventLog, KafkaLog, KafkaOptions, Notices, Offsets, Stream, block_on};
use proto::record::{decode, encode};
use proto::wire::{LeaseAsk, LeaseRecord, Outcome, OutcomeKind, lease_record::Event};
use rdkafka::admin::{AdminOptions, NewPartitions};
use serde_json::Value;

use super::{Installation, bids, call, charged, end, metrics, until_ready, until_told};
use crate::process::{servers, until, write};
use crate::started::Started;

/// The shards that a ledger should keep.
fn shards(ledger: &Started) -> BTreeSet<u32> {
    let of = |line: &str| {
        let shard = line.strip_prefix("vernier_ledger_shard_behind_seconds{shard=\"")?.split('"').next()?;
        Some(shard.parse().expect("a number"))
    };
    metrics(ledger).lines().filter_map(of).collect()
}

/// A figure of a ledger; 0: it does not tell it.
fn figure(ledger: &Started, name: &str) -> f64 {
    let value = |line: &str| line.strip_prefix(name)?.trim().parse().ok();
    metrics(ledger).lines().find_map(value).unwrap_or(0.0)
}

/// Waits until each of these ledgers keeps some of the four shards, none keeps another's, and all are caught up.
fn until_shared(ledgers: &[&Started]) {
    let shared = || {
        let each: Vec<BTreeSet<u32>> = ledgers.iter().map(|ledger| shards(ledger)).collect();
        let all: BTreeSet<u32> = each.iter().flatten().copied().collect();
        let apart = each.iter().map(BTreeSet::len).sum::<usize>() == all.len();
        let caught_up = ledgers.iter().all(|ledger| figure(ledger, "vernier_ledger_caught_up") == 1.0);
        apart && caught_up && all == (0..4).collect() && each.iter().all(|some| !some.is_empty())
    };
    until(shared, &|| ledgers.iter().map(|ledger| metrics(ledger)).collect());
}

const MADE: &str = "vernier_ledger_charges_total{outcome=\"made\"}";

/// Waits until the ledgers together charged so much.
fn until_charged(ledgers: &[&Started], count: usize) {
    let charged = || ledgers.iter().map(|ledger| figure(ledger, MADE)).sum::<f64>();
    until(|| charged() == count as f64, &|| format!("{count} charges, not {}", charged()));
}

/// What analysts see: the charges of each impression, which must be one.
fn charges(installation: &Installation) -> BTreeMap<String, u64> {
    let mut charges = BTreeMap::new();
    for outcome in installation.events("outcomes").iter().filter(|outcome| outcome["kind"] == "charge") {
        assert_eq!(outcome["late"], false, "its lease was known: {outcome}");
        let impression = outcome["impression"].as_str().expect("text").to_owned();
        assert_eq!(charges.insert(impression, charged(outcome)), None, "charged twice: {outcome}");
    }
    charges
}

#[test]
fn ledgers_share_shards_and_take_over_those_of_one_that_is_killed() {
    let installation = Installation::new();
    installation.publish(&installation.start("control"));
    let first = installation.start("ledger");
    until_shared(&[&first]);
    let second = installation.start("ledger");
    until_shared(&[&first, &second]);
    let bidder = installation.start("bidder");
    until_ready(&bidder);
    let users: Vec<String> = (0..40).map(|number| format!("visitor-{number}")).collect();
    installation.import(&installation.start("segments"), &users);
    let bids: Vec<Value> = bids(&bidder, &users, 9.0).collect();
    let (before, after) = bids.split_at(bids.len() / 2);
    let bill = |bids: &[Value]| bids.iter().for_each(|bid| assert!(call(&bidder, bid, "burl", "1")));
    bill(before);
    until_charged(&[&first, &second], before.len());

    // The one that charged, in the middle of it.
    let (mut killed, other) = if figure(&first, MADE) > 0.0 { (first, second) } else { (second, first) };
    bill(&after[..after.len() / 2]);
    killed.child.kill().expect("it runs");
    bill(&after[after.len() / 2..]);
    bill(before);
    until_shared(&[&other]);
    until_charged(&[&other], bids.len());

    let third = installation.start("ledger");
    until_shared(&[&other, &third]);
    bill(&bids);
    let repeated = "vernier_ledger_charges_total{outcome=\"repeated\"}";
    let told = || figure(&other, repeated) + figure(&third, repeated);
    until(|| told() == (before.len() + bids.len()) as f64, &|| format!("{} repeated", told()));
    let charges = charges(&installation);
    assert_eq!((charges.len(), charges.values().sum::<u64>()), (bids.len(), 1_000_000 * bids.len() as u64));
    // Nobody wrote after another had taken over.
    let mut epochs: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    for entry in installation.events("ledger-journal") {
        let epoch = entry["epoch"].as_u64().expect("a number");
        epochs.entry(entry["shard"].to_string()).or_default().push(epoch);
    }
    assert!(epochs.len() == 4 && epochs.values().all(|epochs| epochs.is_sorted()), "{epochs:?}");
}

#[test]
fn a_correction_gets_to_the_shard_that_booked_whichever_ledger_is_asked() {
    let installation = Installation::new();
    installation.publish(&installation.start("control"));
    let ledgers = ["ledger", "ledger"].map(|role| installation.start(role));
    until_shared(&[&ledgers[0], &ledgers[1]]);
    let bidder = installation.start("bidder");
    until_ready(&bidder);
    let users: Vec<String> = (0..10).map(|number| format!("visitor-{number}")).collect();
    installation.import(&installation.start("segments"), &users);
    let bids: Vec<Value> = bids(&bidder, &users, 9.0).collect();
    bids.iter().for_each(|bid| assert!(call(&bidder, bid, "burl", "1")));
    until_charged(&[&ledgers[0], &ledgers[1]], bids.len());
    let lines: String =
        bids.iter().map(|bid| format!("{},0.0004,credit\n", bid["id"].as_str().expect("an id"))).collect();
    let file = write(installation.scratch.path(), "credit.csv", &format!("impression,charged,reason\n{lines}"));
    let ask = |ledger: &Started| {
        let said = installation.succeed(&["correct", &file, "--admin", ledger.address("admin on ")]);
        said.lines().last().expect("a line").to_owned()
    };
    // The one that does not keep the shard of this advertiser, then the one that does.
    let (keeps, other) = if figure(&ledgers[0], MADE) > 0.0 { (0, 1) } else { (1, 0) };
    assert_eq!(figure(&ledgers[other], MADE), 0.0);
    assert_eq!(ask(&ledgers[other]), format!("{} booked, 0 unchanged", bids.len()));
    assert_eq!(ask(&ledgers[keeps]), format!("0 booked, {} unchanged", bids.len()));
    let corrected = "vernier_ledger_corrected{currency=\"USD\"}";
    let sum = -0.0006 * bids.len() as f64;
    assert!((figure(&ledgers[keeps], corrected) - sum).abs() < 1e-9);
    let corrections = installation.events("outcomes").into_iter().filter(|outcome| outcome["kind"] == "correction");
    assert_eq!(corrections.count(), bids.len());
}

#[test]
fn where_there_is_one_shard_a_second_ledger_waits_for_it() {
    let mut installation = Installation::new();
    let topics = include_str!("../../../deploy/topics.yaml").replace("partitions: 4", "partitions: 1");
    let file = write(installation.scratch.path(), "topics.yaml", &topics);
    installation.set("VERNIER_KAFKA_TOPICS", &file);
    let first = installation.start("ledger");
    until_told(&first, "vernier_ledger_caught_up 1");
    let second = installation.start("ledger");
    until_told(&second, "vernier_ledger_caught_up 1");
    let only = BTreeSet::from([0]);
    assert_eq!((shards(&first), shards(&second)), (only.clone(), BTreeSet::new()));
    drop(first);
    until(|| shards(&second) == only, &|| metrics(&second));
    until_told(&second, "vernier_ledger_caught_up 1");
}

/// A program that is no member of the group, such as a ledger that knows of none.
fn stranger(installation: &Installation) -> EventLog {
    let brokers = servers("KAFKA_BROKERS", "127.0.0.1:17392");
    let (prefix, notices) = (installation.prefix.clone(), Notices::Broker);
    let options = KafkaOptions { brokers, prefix, topics: BTreeMap::new(), notices, tls: None, sasl: None };
    KafkaLog::open(options).expect("it is there").into()
}

#[test]
fn a_ledger_that_is_fenced_from_outside_goes_on_and_takes_over_again() {
    let installation = Installation::new();
    let ledger = installation.start("ledger");
    until_shared(&[&ledger]);
    let stranger = stranger(&installation);
    let _taken = block_on(stranger.writer("ledger")).expect("a writer");
    // An ask that does not say who pays is the first shard's.
    let ask = LeaseAsk { node: 77, campaign: 99, ask: 1, amount: 1, ..LeaseAsk::default() };
    let ask = encode(&LeaseRecord { event: Some(Event::Ask(ask)), ..LeaseRecord::default() });
    stranger.append(Stream::Leases, "99", ask).wait().expect("it is there");
    until_told(&ledger, "vernier_ledger_caught_up 0");
    until_shared(&[&ledger]);
    let grants = || installation.events("leases").into_iter().filter_map(|record| Some(record.get("grant")?.clone()));
    let refusals: Vec<Value> = grants().map(|grant| grant["refusal"].clone()).collect();
    assert_eq!(refusals, ["unknown_campaign"], "{:?}", grants().collect::<Vec<_>>());
}

/// The shards that say in a stream how far they have read, by partition.
fn watermarks(log: &EventLog, stream: Stream) -> BTreeMap<u32, BTreeSet<u32>> {
    let shard_of = |value: &[u8]| match stream {
        Stream::Leases => {
            let record: LeaseRecord = decode(value).expect("a record");
            matches!(record.event, Some(Event::Read(_))).then_some(record.shard)
        }
        _ => {
            let outcome: Outcome = decode(value).expect("a record");
            (outcome.kind() == OutcomeKind::Watermark).then_some(outcome.shard)
        }
    };
    let ends = block_on(log.ends(stream)).expect("they are told");
    let mut tail = log.read_from(stream, &Offsets::default());
    let mut shards = BTreeMap::<u32, BTreeSet<u32>>::new();
    while !tail.offsets().reached(&ends) {
        for record in block_on(tail.next()).expect("they are read") {
            shards.entry(record.partition.0).or_default().extend(shard_of(&record.value));
        }
    }
    shards
}

#[test]
fn each_shard_says_in_each_partition_how_far_it_has_read() {
    let installation = Installation::new();
    let ledger = installation.start("ledger");
    until_shared(&[&ledger]);
    let log = stranger(&installation);
    for stream in [Stream::Leases, Stream::Outcomes] {
        let each = (0..log.partitions(stream)).map(|partition| (partition, (0..4).collect())).collect();
        until(|| watermarks(&log, stream) == each, &|| format!("{stream}: {:?}", watermarks(&log, stream)));
    }
}

#[test]
fn a_shard_without_notices_starts_though_those_of_others_are_kept_no_longer() {
    let installation = Installation::new();
    installation.publish(&installation.start("control"));
    let ledger = installation.start("ledger");
    let bidder = installation.start("bidder");
    until_ready(&bidder);
    let users: Vec<String> = (0..40).map(|number| format!("visitor-{number}")).collect();
    installation.import(&installation.start("segments"), &users);
    let bids: Vec<Value> = bids(&bidder, &users, 9.0).collect();
    bids.iter().for_each(|bid| assert!(call(&bidder, bid, "burl", "1")));
    until_charged(&[&ledger], bids.len());
    // It notes its places when it has caught up for the first time.
    drop(ledger);
    let ledger = installation.start("ledger");
    until_shared(&[&ledger]);
    drop(ledger);
    installation.trim(Stream::Notices);
    let ledger = installation.start("ledger");
    until_shared(&[&ledger]);
    assert_eq!(figure(&ledger, MADE), bids.len() as f64);
}

#[test]
fn shards_that_were_added_are_refused() {
    let installation = Installation::new();
    let ledger = installation.start("ledger");
    until_shared(&[&ledger]);
    drop(ledger);
    let names =
        [Stream::LedgerJournal, Stream::LedgerSnapshots].map(|stream| format!("{}{stream}", installation.prefix));
    let more = names.each_ref().map(|name| NewPartitions::new(name, 5));
    let made = block_on(Installation::admin().create_partitions(&more, &AdminOptions::new())).expect("an answer");
    assert!(made.iter().all(Result::is_ok), "{made:?}");
    let said = end(&mut installation.start("ledger"));
    assert!(said.contains("the journal was begun with 4 shards and has 5 partitions"), "{said}");
}
