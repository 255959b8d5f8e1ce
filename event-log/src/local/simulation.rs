//! The files of a stream on a disk that forgets, tears and fails, judged by a model that does not.
//!
//! A seed is a life of one stream: groups are appended, the power goes or the process is killed at any operation,
//! recovery included, and the disk has trouble. Whatever happens, a record that was acknowledged or shown stays, at
//! its offset and as it was; of a group that failed, the first batches may appear, whole; nothing else ever does.

use std::collections::BTreeMap;

use self::disk::{SimulatedDisk, Trouble};
use super::cursor::Cursor;
use super::directory::Batches;
use super::disk::Disk;
use super::store::{Bounds, Retention, Store};
use super::{frame, segment};
use crate::error::OpenError;
use crate::stream::{KeyValue, Offset, Record};
use random::Random;

pub(crate) mod disk;
mod random;

/// Seeds that found something: they run first. In order, they catch a log that does not sync its appends, does not sync
/// what it recovers, does not compare checksums, does not write again what a failed sync may have skipped (two), and
/// removes several segments with one sync.
const SEEDS_KEPT: [u64; 6] = [0, 1, 22, 83, 200, 2011];
const SEEDS: u64 = 10_000;

#[test]
fn what_was_acknowledged_stays_on_a_disk_that_forgets_and_tears() {
    let mut seen = BTreeMap::new();
    for seed in SEEDS_KEPT.into_iter().chain(0..SEEDS) {
        let life = std::panic::catch_unwind(|| Life::new(seed).live());
        let Ok(events) = life else { panic!("seed {seed} failed: keep it in SEEDS_KEPT") };
        events.into_iter().for_each(|(event, count)| *seen.entry(event).or_insert(0) += count);
    }
    println!("{SEEDS} seeds: {seen:?}");
    for event in Event::ALL {
        assert!(seen.get(&event).is_some_and(|count| *count >= 100), "{event:?} is hardly ever tried");
    }
}

/// What a life should hold, so that the judge has something to judge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Acknowledged,
    AppendFailed,
    PowerLost,
    ProcessKilled,
    RecoveryFailed,
    /// A failed group left something, and it was recovered.
    LeftoverRecovered,
    /// A failed group left nothing that counts.
    LeftoverLost,
    Rolled,
    Trimmed,
}

impl Event {
    const ALL: [Self; 9] = [
        Self::Acknowledged,
        Self::AppendFailed,
        Self::PowerLost,
        Self::ProcessKilled,
        Self::RecoveryFailed,
        Self::LeftoverRecovered,
        Self::LeftoverLost,
        Self::Rolled,
        Self::Trimmed,
    ];
}

struct Life {
    random: Random,
    disk: SimulatedDisk,
    bounds: Bounds,
    store: Option<Store<SimulatedDisk>>,
    /// Every record that was acknowledged or shown, by offset.
    known: Vec<KeyValue>,
    /// The batches of the group that failed, if one did.
    unknown: Vec<Vec<KeyValue>>,
    /// The latest start that readers were told.
    start: Offset,
    serial: u64,
    events: BTreeMap<Event, u64>,
}

impl Life {
    fn new(seed: u64) -> Self {
        let mut random = Random(seed);
        let disk = SimulatedDisk::new(random.number());
        let segment = random.between(100, 3_000) as u64;
        let group = random.between(600, 2_000) as u64;
        let retention = match random.below(10) {
            0..3 => Retention::Bytes(random.between(2_000, 8_000) as u64),
            3..5 => Retention::Unreleased,
            _ => Retention::All,
        };
        let bounds = Bounds { segment, group, retention };
        Self {
            random,
            disk,
            bounds,
            store: None,
            known: Vec::new(),
            unknown: Vec::new(),
            start: Offset(0),
            serial: 0,
            events: BTreeMap::new(),
        }
    }

    fn live(mut self) -> BTreeMap<Event, u64> {
        self.recover();
        for _ in 0..self.random.between(5, 40) {
            match self.random.below(20) {
                0 => self.crash(),
                1 => {
                    let operations = self.random.below(12);
                    self.disk.burn(Some(operations));
                }
                2 => self.start_trouble(),
                3..6 => self.read_from_anywhere(),
                _ => self.append(),
            }
        }
        self.crash();
        self.events
    }

    fn count(&mut self, event: Event) {
        *self.events.entry(event).or_insert(0) += 1;
    }

    fn start_trouble(&mut self) {
        let random = &mut self.random;
        let space = random.percent(30).then(|| random.below(1_000));
        let trouble = Trouble { reads: 0, writes: random.below(20), syncs: random.below(20), space };
        self.disk.trouble(trouble);
    }

    fn append(&mut self) {
        let group = self.group();
        let store = self.store.as_mut().expect("every crash ends with a recovery");
        let segments = store.segments();
        let expected: usize = group.iter().map(Vec::len).sum();
        match store.commit(group.iter().map(Vec::as_slice)) {
            Ok(end) => {
                self.known.extend(group.into_iter().flatten());
                assert_eq!(end, Offset(self.known.len() as u64), "{expected} records moved the end otherwise");
                let rolled = store.segments() > segments;
                self.count(Event::Acknowledged);
                if rolled {
                    self.count(Event::Rolled);
                }
                self.trim();
            }
            Err(cause) => {
                let again = store.commit(group.iter().map(Vec::as_slice));
                assert_eq!(again, Err(cause), "a failed stream takes nothing");
                self.unknown = group;
                self.count(Event::AppendFailed);
                self.read_from_anywhere();
                self.crash();
            }
        }
    }

    fn trim(&mut self) {
        let store = self.store.as_mut().expect("the caller has it");
        let released = Offset(self.random.below(self.known.len() + 1) as u64);
        let Some(start) = store.due_start(released) else { return };
        assert!(self.bounds.retention != Retention::Unreleased || start <= released);
        assert!(start > self.start && start.0 <= self.known.len() as u64);
        self.start = start;
        if self.random.percent(30) {
            self.disk.burn(Some(self.random.below(6)));
        }
        if store.trim(start).is_ok() {
            assert!(store.start() == start && store.due_start(released).is_none());
            self.count(Event::Trimmed);
        } else {
            self.crash();
        }
    }

    /// A few batches that fit a group.
    fn group(&mut self) -> Vec<Vec<KeyValue>> {
        let mut left = self.bounds.group as usize;
        let mut group = Vec::new();
        for _ in 0..self.random.between(1, 5) {
            let batch: Vec<KeyValue> = (0..self.random.between(1, 4)).map(|_| self.record()).collect();
            let length = frame::length(&batch);
            if length > left {
                break;
            }
            left -= length;
            group.push(batch);
        }
        if group.is_empty() { vec![vec![(Vec::new(), Vec::new())]] } else { group }
    }

    /// A record that no other equals.
    fn record(&mut self) -> KeyValue {
        self.serial += 1;
        let length = if self.random.percent(90) { self.random.below(30) } else { self.random.below(300) };
        let mut value = self.serial.to_le_bytes().to_vec();
        value.extend((0..length).map(|_| self.random.number() as u8));
        (vec![0xff; self.random.below(4)], value)
    }

    fn crash(&mut self) {
        self.store = None;
        self.fall();
        self.read_without_recovery();
        self.recover();
    }

    fn fall(&mut self) {
        if self.random.percent(50) {
            self.disk.lose_power();
            self.count(Event::PowerLost);
        } else {
            self.disk.kill_process();
            self.count(Event::ProcessKilled);
        }
    }

    /// Opens the stream, through further crashes and trouble, and judges whatever it shows.
    fn recover(&mut self) {
        while self.random.percent(40) {
            let random = &mut self.random;
            if random.percent(50) {
                self.disk.burn(Some(random.below(30)));
            }
            let (reads, writes, syncs) = (random.below(4), random.below(20), random.below(20));
            self.disk.trouble(Trouble { reads, writes, syncs, space: None });
            match Store::open(self.disk.clone(), self.bounds) {
                Ok(store) => self.judge(store),
                Err(OpenError::Io { .. }) => self.count(Event::RecoveryFailed),
                Err(error) => panic!("what a crash leaves is no damage: {error}"),
            }
            self.fall();
        }
        let store = Store::open(self.disk.clone(), self.bounds).expect("the disk works again");
        self.judge(store);
    }

    /// Compares all of the stream with what must and what may be there.
    fn judge(&mut self, store: Store<SimulatedDisk>) {
        self.disk.burn(None);
        self.disk.trouble(Trouble::default());
        let (start, end) = (store.start(), store.end());
        assert!(start <= self.start, "records from {} on were kept, now those from {start} on are", self.start);
        assert!(end.0 >= self.known.len() as u64, "{} records were acknowledged, {end} are there", self.known.len());
        let records = self.read(start, end);
        assert_eq!(records.last().map_or(start, |record| record.offset.next()), end);
        let expected = self.known_and_leftover(end);
        self.compare(start, &records, &expected);
        if !self.unknown.is_empty() {
            let recovered = expected.len() > self.known.len();
            self.count(if recovered { Event::LeftoverRecovered } else { Event::LeftoverLost });
        }
        // From here on it was shown: it stays, and what is not there never comes.
        (self.known, self.start, self.store) = (expected, start, Some(store));
        self.unknown.clear();
    }

    /// Every known record and the first batches of the failed group, up to `end`, which must be the end of one.
    fn known_and_leftover(&self, end: Offset) -> Vec<KeyValue> {
        let mut expected = self.known.clone();
        for batch in &self.unknown {
            if expected.len() as u64 >= end.0 {
                break;
            }
            expected.extend(batch.iter().cloned());
        }
        assert_eq!(expected.len() as u64, end.0, "a batch is there in part, or a record that nobody wrote");
        expected
    }

    fn compare(&self, from: Offset, records: &[Record], expected: &[KeyValue]) {
        for (record, at) in records.iter().zip(from.0..) {
            assert_eq!(record.offset, Offset(at));
            assert_eq!((&record.key, &record.value), (&expected[at as usize].0, &expected[at as usize].1), "at {at}");
        }
    }

    fn read(&self, from: Offset, end: Offset) -> Vec<Record> {
        let mut cursor = Cursor::new(self.disk.clone(), from);
        let mut records = Vec::new();
        while cursor.offset() < end {
            let before = records.len();
            records.extend(cursor.read(end).expect("what is durable can be read"));
            assert!(records.len() > before);
        }
        records
    }

    /// Reads what is durable from some offset on, while the stream may have failed.
    fn read_from_anywhere(&mut self) {
        let Some(store) = &self.store else { return };
        let (start, end) = (store.start(), store.end());
        let from = Offset(self.random.between(start.0 as usize, end.0 as usize) as u64);
        let fuse = self.disk.burn(None);
        let records = self.read(from, end);
        self.disk.burn(fuse);
        assert_eq!(records.len() as u64, end.0 - from.0);
        self.compare(from, &records, &self.known);
    }

    /// Who reads the files of a dead process sees what was acknowledged, and perhaps what it left behind.
    fn read_without_recovery(&mut self) {
        let from = Offset(self.random.below(self.known.len() + 1) as u64);
        let mut batches = Batches::open(self.disk.clone(), from).expect("the disk works");
        let mut records = Vec::new();
        while let Some(batch) = batches.next().expect("what a crash leaves is no damage") {
            records.extend(batch);
        }
        let Some(first) = records.first().map(|record| record.offset) else {
            assert_eq!(from.0, self.known.len() as u64, "known records are not there");
            return;
        };
        assert!(first <= from.max(self.start), "the record at {from} is not there");
        let end = records[records.len() - 1].offset.next();
        assert!(end.0 >= self.known.len() as u64, "known records are not there");
        let expected = self.known_and_leftover(end);
        self.compare(first, &records, &expected);
    }
}

#[test]
fn damage_that_no_crash_explains_is_refused_and_left_as_it_is() {
    // Frames of 90 bytes: four in the first segment, two in the second; at most one of them was not synced.
    let bounds = Bounds { segment: 400, group: 100, retention: Retention::All };
    let (first, second) = (segment::name(Offset(0)), segment::name(Offset(4)));
    let check = |damage: &dyn Fn(&SimulatedDisk), expected: Result<u64, (u64, &'static str)>| {
        let disk = SimulatedDisk::new(0);
        let mut store = Store::open(disk.clone(), bounds).expect("a new stream");
        for number in 0..6 {
            let batch = [(vec![number], vec![number; 60])];
            store.commit([batch.as_slice()].into_iter()).expect("the disk works");
        }
        damage(&disk);
        let before = disk.contents();
        match Store::open(disk.clone(), bounds) {
            Ok(store) => assert_eq!(Ok(store.end().0), expected),
            Err(OpenError::Corrupt(found)) => {
                assert_eq!(Err((found.byte, found.why)), expected);
                assert_eq!(disk.contents(), before);
            }
            Err(error) => panic!("{error}"),
        }
    };
    let flip = |name: &str, byte: usize| {
        let name = name.to_owned();
        move |disk: &SimulatedDisk| disk.damage(&name, |bytes| bytes[byte] ^= 1)
    };
    check(&|_| {}, Ok(6));
    check(&flip(&second, 100), Ok(5));
    check(&flip(&second, 89), Err((0, segment::NOT_WHOLE)));
    for byte in 90..180 {
        check(&flip(&first, byte), Err((90, segment::NOT_WHOLE)));
    }
    check(&|disk| disk.damage(&first, |bytes| bytes.truncate(359)), Err((270, segment::NOT_WHOLE)));
    check(&|disk| disk.damage(&first, |bytes| bytes.truncate(270)), Err((0, segment::MISSING)));
    check(&|disk| disk.damage(&second, |bytes| bytes.extend([0; 100])), Ok(6));
    check(&|disk| disk.damage(&second, |bytes| bytes.extend([0; 101])), Err((180, segment::NOT_WHOLE)));
    check(&|disk| disk.remove(&first).expect("it is there"), Err((0, segment::MISSING)));
    let repeated = |bytes: &mut Vec<u8>| bytes.copy_within(0..90, 180);
    check(&|disk| disk.damage(&first, repeated), Err((180, segment::NOT_WHOLE)));
    let newer = |bytes: &mut Vec<u8>| {
        bytes[90 + 8] = 2;
        frame::seal(&mut bytes[90..]);
    };
    check(&|disk| disk.damage(&second, newer), Err((90, segment::FOREIGN)));
}
