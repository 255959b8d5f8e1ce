//! How fast notices are folded on one core, what an impression costs in memory while it is remembered, how long a restart
//! takes on a snapshot, and how fast the service takes in notices that lie in a local log.
//!
//! `cargo bench -p ledger`. Each notice is a first billing notice, the dearest kind: it charges, is remembered and
//! makes an outcome.

use std::time::{Duration, Instant};

use decision::ids::ShardId;
use decision::time::Micros;
use event_log::{EventLog, LocalLog, LocalOptions, Stream, block_on};
use ledger::{Ledger, LedgerHandle, LedgerSettings, serve};
use proto::record::{decode, encode};
use proto::wire::{CampaignBudget, JournalEntry, LeaseAsk, Notice, NoticeKind, Sealed, Source, journal_entry::Input};

const CAMPAIGNS: u32 = 1_000;
const NOTICES: u64 = 10_000_000;
const BATCH: u64 = 4_096;
/// Notices that the service takes in from a log.
const ON_DISK: u64 = 2_000_000;
/// Between two looks at whether it has.
const LOOK: Duration = Duration::from_millis(50);

fn main() {
    let mut ledger = Ledger::new(ShardId(0));
    for campaign in 1..=CAMPAIGNS {
        let (daily, total, until) = (1 << 50, 1 << 50, i64::MAX);
        let currency = "EUR".to_owned();
        let budget = CampaignBudget { campaign, currency, daily, total, until, ..CampaignBudget::default() };
        fold(&mut ledger, entry(campaign.into(), Input::Budget(budget)));
    }
    for campaign in 1..=CAMPAIGNS {
        let ask = LeaseAsk { node: 1, campaign, ask: 1, amount: 1 << 50, demand: 0, demand_us: 0 };
        fold(&mut ledger, entry(u64::from(CAMPAIGNS + campaign), Input::Ask(ask)));
    }
    let first = u64::from(2 * CAMPAIGNS);
    let before = resident_bytes();
    let (mut folding, mut whole) = (0.0, 0.0);
    for batch in 0..NOTICES / BATCH {
        let sequences = (first + 1 + batch * BATCH)..=(first + (batch + 1) * BATCH);
        let entries: Vec<JournalEntry> = sequences.map(|sequence| entry(sequence, notice(sequence))).collect();
        let start = Instant::now();
        // As the service does: the journal's bytes, the fold, the bytes of its effects.
        let journalled: Vec<Vec<u8>> = entries.iter().map(encode).collect();
        let folded = Instant::now();
        let effects: Vec<_> = entries.iter().map(|entry| ledger.apply(entry).expect("entries are dense")).collect();
        folding += folded.elapsed().as_secs_f64();
        let published: usize = effects.iter().flat_map(|effects| &effects.outcomes).map(|o| encode(o).len()).sum();
        whole += start.elapsed().as_secs_f64();
        assert!(published > 0 && decode::<JournalEntry>(&journalled[0]).as_ref() == Ok(&entries[0]));
    }
    let folded = NOTICES / BATCH * BATCH;
    let remembered = ledger.books(ledger.now()).impressions_remembered;
    assert_eq!(remembered as u64, folded);
    println!("fold: {:.0} notices/s on one core", folded as f64 / folding);
    println!("fold, and encoding of journal and outcomes: {:.0} notices/s on one core", folded as f64 / whole);
    let bytes = resident_bytes().saturating_sub(before) as f64 / remembered as f64;
    println!("memory: {bytes:.0} bytes an impression remembered ({remembered} of them)");
    restart(&ledger);
    drop(ledger);
    from_disk();
}

/// Writes a snapshot as the service does, and starts the service on it.
fn restart(ledger: &Ledger) {
    let dir = tempfile::tempdir().expect("a directory");
    let open = || EventLog::from(LocalLog::open(LocalOptions::new(dir.path())).expect("a log"));
    let log = open();
    let (start, mut bytes) = (Instant::now(), 0);
    for part in ledger.snapshot(0) {
        let record = encode(&part);
        bytes += record.len();
        log.append(Stream::LedgerSnapshots, "0", record).wait().expect("a part is appended");
    }
    println!("snapshot: {} MB in {:.1} s, durable", bytes / 1_000_000, start.elapsed().as_secs_f64());
    log.close();
    let (log, handle) = (open(), LedgerHandle::default());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    let start = Instant::now();
    let now = ledger.now();
    let clock = move || now;
    let served = runtime.block_on(serve(log.clone(), LedgerSettings::default(), clock, handle.clone(), async {}));
    served.expect("the service starts and ends");
    let remembered = handle.books(ledger.now()).impressions_remembered;
    println!("restart: {:.1} s with {remembered} impressions remembered", start.elapsed().as_secs_f64());
    assert_eq!(remembered, ledger.impressions_remembered());
    log.close();
}

/// Has the service take in notices from a local log, with its journal and all that it publishes written there and durable.
fn from_disk() {
    let dir = tempfile::tempdir().expect("a directory");
    let log = EventLog::from(LocalLog::open(LocalOptions::new(dir.path())).expect("a log"));
    let writer = block_on(log.writer("bench")).expect("a writer");
    for batch in 0..ON_DISK / BATCH {
        let sequences = batch * BATCH..(batch + 1) * BATCH;
        let records = sequences.map(|sequence| match notice(sequence) {
            Input::Notice(notice) => (notice.impression.clone(), encode(&notice)),
            other => unreachable!("it is a notice: {other:?}"),
        });
        block_on(writer.append_all(Stream::Notices, records.collect())).expect("notices are appended");
    }
    let (handle, now) = (LedgerHandle::default(), Micros(3_600_000_000));
    let watched = handle.clone();
    let all_are_in = async move {
        while watched.books(now).impressions_remembered as u64 != ON_DISK / BATCH * BATCH {
            tokio::time::sleep(LOOK).await;
        }
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    let (start, cpu) = (Instant::now(), cpu_s());
    let served = runtime.block_on(serve(log.clone(), LedgerSettings::default(), move || now, handle, all_are_in));
    let (took, cpu) = (start.elapsed().as_secs_f64(), cpu_s() - cpu);
    served.expect("the service starts and ends");
    log.close();
    let taken_in = (ON_DISK / BATCH * BATCH) as f64;
    println!(
        "service on a local log: {:.0} notices/s, all threads together {:.2} us of CPU each",
        taken_in / took,
        1e6 * cpu / taken_in,
    );
}

/// Processor time of all threads so far, by the kernel; 0 where the kernel does not say.
fn cpu_s() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let ticks = stat.rsplit(')').next().unwrap_or_default().split_whitespace().skip(11).take(2);
    ticks.filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>() / 100.0
}

fn fold(ledger: &mut Ledger, entry: JournalEntry) {
    ledger.apply(&entry).expect("entries are dense");
}

fn entry(sequence: u64, input: Input) -> JournalEntry {
    // Not one that a restart would look for.
    let source = Some(Source { stream: "nowhere".to_owned(), partition: 0, offset: sequence });
    let settle = sequence.is_multiple_of(BATCH);
    JournalEntry { sequence, epoch: 1, source, input: Some(input), settle, ..JournalEntry::default() }
}

fn notice(sequence: u64) -> Input {
    // Spreads the ids as random ones are, without a generator in the measurement.
    let spread = u128::from(sequence).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
    let campaign = 1 + (sequence % u64::from(CAMPAIGNS)) as u32;
    let sealed = Sealed {
        exchange: "demo".to_owned(),
        imp_id: "1".to_owned(),
        campaign,
        advertiser: 0,
        creative: 7,
        variant: 3,
        person: vec![5; 16],
        node: 1,
        lease: u64::from(CAMPAIGNS + campaign),
        price: 2_500_000,
        currency: "EUR".to_owned(),
        rate: 1_000_000_000,
        // An hour of impressions at a steady rate.
        expires_at: (sequence * 3_600_000_000 / NOTICES).cast_signed(),
        ..Sealed::default()
    };
    Input::Notice(Notice {
        kind: NoticeKind::Billing.into(),
        impression: spread.to_le_bytes().to_vec(),
        sealed: Some(sealed),
        price: Some(1_250_000),
        billable: true,
        ..Notice::default()
    })
}

/// Memory that this process holds, by the kernel; 0 where the kernel does not say.
fn resident_bytes() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    statm.split_whitespace().nth(1).and_then(|pages| pages.parse::<usize>().ok()).unwrap_or(0) * 4_096
}
