//! Restarts on snapshots of the books, whole and otherwise.

use std::sync::atomic::Ordering;

use decision::time::Micros;
use event_log::{KeyValue, Offset, ReadError, Stream};
use ledger::{Books, LedgerSettings, ServeError};
use proto::record::{decode, encode};
use proto::wire::{CampaignAccount, LedgerSnapshot, MoneySums, SnapshotHead};

use crate::machine::{Machine, append_all, ask, campaign, once_each, win};

const EACH: LedgerSettings = LedgerSettings { policy: POLICY, snapshot_entries: 1 };
const POLICY: ledger::LedgerPolicy =
    ledger::LedgerPolicy { lease_s: 30, billing_window_s: 3_600, memory_margin_s: 3_600 };

/// A machine that wrote a snapshot, and took in some more after it.
fn machine() -> Machine {
    let mut machine = Machine::new();
    machine.settings = EACH;
    machine.append(Stream::Campaigns, vec![campaign(1)]);
    machine.append(Stream::Leases, vec![ask(1, 700)]);
    machine.run().unwrap();
    let lease = machine.grants()[0].lease;
    machine.append(Stream::Notices, (0..5).map(|i| win(i, lease, 10)).collect());
    machine.run().unwrap();
    machine.settings = LedgerSettings::default();
    machine.append(Stream::Notices, (3..9).map(|i| win(i, lease, 10)).collect());
    machine.run().unwrap();
    machine
}

/// The same streams, with others in the place of these.
fn with(machine: &Machine, stream: Stream, records: Vec<KeyValue>) -> Machine {
    let copy = Machine::new();
    let log = copy.open();
    for of in Stream::ALL {
        let records = if of == stream { records.clone() } else { machine.records(of) };
        if !records.is_empty() {
            append_all(&log, of, records);
        }
    }
    log.close();
    copy
}

fn parts(machine: &Machine) -> Vec<LedgerSnapshot> {
    machine.decoded(Stream::LedgerSnapshots)
}

/// What a restart comes to; how often there were restarts before does not matter.
fn books(machine: &Machine) -> Books {
    let now = Micros(machine.now.load(Ordering::Relaxed));
    let books = machine.run().unwrap().books(now);
    Books { sequence: 0, epoch: 0, ..books }
}

#[test]
fn a_restart_reads_no_more_of_the_journal_than_what_came_since() {
    let machine = machine();
    let last = parts(&machine).into_iter().rfind(|part| part.head.is_some()).unwrap();
    let read_from = last.head.unwrap().journal_offset;
    let mut journal = machine.records(Stream::LedgerJournal);
    assert!(0 < read_from && read_from < journal.len() as u64);
    // The last one is looked at, whether it is that of the books.
    journal.iter_mut().take(read_from as usize - 1).for_each(|(_, value)| *value = b"not understood".to_vec());
    let copy = with(&machine, Stream::LedgerJournal, journal.clone());
    assert_eq!(books(&copy), books(&machine));
    assert_eq!(copy.outcomes(), once_each(|_| 10, 0..9));
    // Without it the whole journal is needed.
    let without = with(&with(&machine, Stream::LedgerJournal, journal), Stream::LedgerSnapshots, Vec::new());
    assert!(matches!(without.run(), Err(ServeError::Unreadable { stream: Stream::LedgerJournal, .. })));
}

#[test]
fn a_snapshot_of_a_program_that_knew_no_corrections_is_read() {
    let machine = machine();
    let mut parts = parts(&machine);
    let last = parts.iter().rposition(|part| part.head.is_some()).unwrap();
    let head = parts[last].head.as_mut().unwrap();
    (head.fold, head.oddities) = (2, head.oddities[..11].to_vec());
    let read_from = head.journal_offset as usize;
    let records = parts.iter().map(|part| (b"0".to_vec(), encode(part))).collect();
    let mut journal = machine.records(Stream::LedgerJournal);
    journal.iter_mut().take(read_from - 1).for_each(|(_, value)| *value = b"not understood".to_vec());
    let copy = with(&with(&machine, Stream::LedgerSnapshots, records), Stream::LedgerJournal, journal);
    assert_eq!(books(&copy), books(&machine));
}

#[test]
fn what_is_no_whole_snapshot_of_this_fold_is_left_alone() {
    let machine = machine();
    let whole = books(&machine);
    let change = |what: &str, change: &dyn Fn(&mut Vec<LedgerSnapshot>)| {
        let mut parts = parts(&machine);
        change(&mut parts);
        let records = parts.iter().map(|part| (b"0".to_vec(), encode(part))).collect();
        let copy = with(&machine, Stream::LedgerSnapshots, records);
        assert_eq!(books(&copy), whole, "{what}");
        assert_eq!(copy.outcomes(), once_each(|_| 10, 0..9), "{what}");
    };
    let last = |parts: &[LedgerSnapshot]| parts.iter().rposition(|part| part.head.is_some()).unwrap();
    let head = |parts: &mut Vec<LedgerSnapshot>, change: &dyn Fn(&mut SnapshotHead)| {
        let at = last(parts);
        change(parts[at].head.as_mut().unwrap());
    };
    change("none", &|parts| parts.clear());
    change("its end is missing", &|parts| drop(parts.pop()));
    change("its beginning is missing", &|parts| parts.truncate(last(parts)));
    change("a part is missing", &|parts| drop(parts.remove(last(parts) + 1)));
    change("of another fold", &|parts| head(parts, &|head| head.fold += 1));
    change("of other lists", &|parts| head(parts, &|head| head.oddities.push(0)));
    change("of another shard", &|parts| parts.iter_mut().for_each(|part| part.shard = 1));
    change("impressions are cut off", &|parts| {
        let packed = &mut parts.iter_mut().flat_map(|part| &mut part.impressions).next_back().unwrap().packed;
        packed.truncate(24);
    });
    change("a lease was charged more than it holds", &|parts| {
        let lease = parts.iter_mut().flat_map(|part| &mut part.leases).next_back().unwrap();
        lease.charged = lease.granted + 1;
    });
    change("more was lent than leases are of", &|parts| {
        let sums = parts.iter_mut().flat_map(|part| &mut part.campaigns).next_back().unwrap().sums.as_mut().unwrap();
        sums.granted = (1_i128 << 100).to_le_bytes().to_vec();
    });
    change("nobody pays", &|parts| {
        let at = last(parts);
        parts[at..].iter_mut().for_each(|part| {
            part.advertisers.clear();
            part.leases.clear();
            part.campaigns.iter_mut().for_each(|campaign| campaign.sums = Some(zero()));
        });
    });
    let campaigns = |parts: &mut Vec<LedgerSnapshot>, change: &dyn Fn(&mut CampaignAccount)| {
        let at = last(parts);
        parts[at..].iter_mut().flat_map(|part| &mut part.campaigns).for_each(change);
    };
    change("another pays", &|parts| campaigns(parts, &|campaign| campaign.advertiser += 1));
    change("more was taken back than was spent", &|parts| {
        campaigns(parts, &|campaign| {
            campaign.sums.as_mut().unwrap().corrected = (-(1_i128 << 90)).to_le_bytes().to_vec();
        });
    });
    change("a day with more than was spent", &|parts| {
        campaigns(parts, &|campaign| campaign.days[0].charged = (1_i128 << 90).to_le_bytes().to_vec());
    });
    change("a day that stands there twice", &|parts| {
        campaigns(parts, &|campaign| campaign.days.push(campaign.days[0].clone()));
    });
    change("a day that is closed", &|parts| campaigns(parts, &|campaign| campaign.open_from = Some(u32::MAX)));
    change("an advertiser that spent something else", &|parts| {
        let spent = (-1_i128).to_le_bytes().to_vec();
        parts.iter_mut().flat_map(|part| &mut part.advertisers).for_each(|advertiser| advertiser.spent = spent.clone());
    });
    change("a lease has no account", &|parts| {
        let at = last(parts);
        parts[at..].iter_mut().for_each(|part| part.campaigns.clear());
    });
}

fn zero() -> MoneySums {
    let zero = || 0_i128.to_le_bytes().to_vec();
    MoneySums { granted: zero(), charged: zero(), returned: zero(), late: zero(), ..MoneySums::default() }
}

#[test]
fn a_journal_that_lost_its_end_is_refused() {
    let machine = machine();
    let read_from = parts(&machine).iter().rev().find_map(|part| Some(part.head.as_ref()?.journal_offset)).unwrap();
    let mut journal = machine.records(Stream::LedgerJournal);
    journal.truncate(read_from as usize - 1);
    let refused = with(&machine, Stream::LedgerJournal, journal).run();
    let beyond = ReadError::Beyond { asked: Offset(read_from), end: Offset(read_from - 1) };
    let Err(ServeError::Read { stream: Stream::LedgerJournal, source }) = refused else { panic!("{refused:?}") };
    assert_eq!(source.to_string(), beyond.to_string());
}

#[test]
fn what_is_written_again_replaces_what_was_given_up() {
    let machine = machine();
    let (whole, first) = (parts(&machine), decode(&machine.records(Stream::LedgerSnapshots)[0].1).unwrap());
    let begun: Vec<&LedgerSnapshot> = [&first].into_iter().chain(&whole).chain([&first]).collect();
    let records = begun.into_iter().map(|part| (b"0".to_vec(), encode(part))).collect();
    let copy = with(&machine, Stream::LedgerSnapshots, records);
    let mut journal = copy.records(Stream::LedgerJournal);
    journal[0].1.clear();
    let copy = with(&copy, Stream::LedgerJournal, journal);
    assert_eq!(books(&copy), books(&machine));
}

/// A ledger that stands still between the end of its last batch and asking where the journal ends (`Snapshots::begin`),
/// while another takes over and writes, says a place that is too far: entries lie between the books and it.
#[test]
fn a_snapshot_whose_place_in_the_journal_is_too_far_is_left_alone() {
    let machine = machine();
    let (whole, journal) = (books(&machine), machine.records(Stream::LedgerJournal).len() as u64);
    let at = |parts: &[LedgerSnapshot]| parts.iter().rposition(|part| part.head.is_some()).unwrap();
    let begins = parts(&machine)[at(&parts(&machine))].head.as_ref().unwrap().journal_offset;
    let mut wrong = Vec::new();
    for offset in begins + 1..=journal {
        let mut parts = parts(&machine);
        let last = at(&parts);
        parts[last].head.as_mut().unwrap().journal_offset = offset;
        let records = parts.iter().map(|part| (b"0".to_vec(), encode(part))).collect();
        let copy = with(&machine, Stream::LedgerSnapshots, records);
        let now = Micros(machine.now.load(Ordering::Relaxed));
        match copy.run() {
            Err(problem) => wrong.push(format!("{offset} of {journal}: {problem}")),
            Ok(handle) if Books { sequence: 0, epoch: 0, ..handle.books(now) } != whole => {
                wrong.push(format!("{offset} of {journal}: other books"));
            }
            Ok(_) => {
                let without = with(&copy, Stream::LedgerSnapshots, Vec::new());
                if let Err(problem) = without.run() {
                    wrong.push(format!("{offset} of {journal}: the journal cannot be folded any more: {problem}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
