//! How fast streams of files are on this disk: `cargo bench -p event-log`, with `-- DIR` on the disk of `DIR`.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use event_log::{EventLog, LocalLog, LocalOptions, Offset, Stream};
use tokio::task::JoinSet;

/// As large as a notice with its token.
const NOTICE: usize = 250;
const RUN: Duration = Duration::from_secs(3);

fn main() {
    let given = std::env::args().skip(1).find(|argument| !argument.starts_with('-'));
    let dir = PathBuf::from(given.unwrap_or_else(|| env!("CARGO_TARGET_TMPDIR").to_owned()));
    let dir = tempfile::tempdir_in(dir).expect("the directory can be written");
    println!("{:<44} {:>10} {:>9} {:>9} {:>9} {:>9}", "", "appends/s", "MB/s", "p50 us", "p99 us", "max us");
    floor(&dir.path().join("floor"));
    let open = || EventLog::from(LocalLog::open(LocalOptions::new(dir.path().join("log"))).expect("it opens"));
    let log = open();
    for (waiters, bytes) in [(1, NOTICE), (8, NOTICE), (64, NOTICE), (512, NOTICE), (64, 64 * 1024)] {
        let name = format!("{waiters} waiting for {bytes} bytes each");
        report(&name, bytes, appends(&log, waiters, bytes));
    }
    let stop = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        let telemetry = scope.spawn(|| offers(&log, &stop));
        report("64 waiting for 250 bytes, telemetry offered", NOTICE, appends(&log, 64, NOTICE));
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        println!("{}", telemetry.join().expect("it does not panic"));
    });
    read(&log);
    log.close();
    let started = Instant::now();
    let log = open();
    println!("opened and verified in {:.0} ms", started.elapsed().as_secs_f64() * 1e3);
    log.close();
}

/// What the disk does by itself: one write and one sync after the other.
fn floor(path: &Path) {
    let mut file = File::create(path).expect("the directory can be written");
    let started = Instant::now();
    let mut latencies = Vec::new();
    while started.elapsed() < RUN {
        let at = Instant::now();
        file.write_all(&[7; NOTICE]).and_then(|()| file.sync_data()).expect("the disk works");
        latencies.push(at.elapsed());
    }
    report("the disk alone: write and fdatasync", NOTICE, (latencies, started.elapsed()));
}

/// So many tasks on one thread, each of which appends, waits and appends again.
fn appends(log: &EventLog, waiters: usize, bytes: usize) -> (Vec<Duration>, Duration) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("the system has threads");
    let started = Instant::now();
    let task = |log: EventLog| async move {
        let mut latencies = Vec::new();
        while started.elapsed() < RUN {
            let at = Instant::now();
            log.append(Stream::Notices, [1; 16], vec![7; bytes]).await.expect("the disk works");
            latencies.push(at.elapsed());
        }
        latencies
    };
    let all = async {
        let tasks: JoinSet<Vec<Duration>> = (0..waiters).map(|_| task(log.clone())).collect();
        tasks.join_all().await.concat()
    };
    (runtime.block_on(all), started.elapsed())
}

/// Offers bids of 400 bytes, 20,000 a second in bursts of 200.
fn offers(log: &EventLog, stop: &std::sync::atomic::AtomicBool) -> String {
    let started = Instant::now();
    let (mut offered, mut busy) = (0u32, Duration::ZERO);
    while !stop.load(std::sync::atomic::Ordering::Relaxed) {
        let at = Instant::now();
        for _ in 0..200 {
            log.offer(Stream::Bids, [1; 16], vec![7; 400]);
        }
        busy += at.elapsed();
        offered += 200;
        std::thread::park_timeout(
            (started + Duration::from_micros(50) * offered).saturating_duration_since(Instant::now()),
        );
    }
    let each = busy.as_secs_f64() * 1e9 / f64::from(offered);
    format!("offered {offered}, dropped {}, {each:.0} ns each", log.dropped(Stream::Bids))
}

/// Reads all notices from the start.
fn read(log: &EventLog) {
    let (mut tail, mut bytes, started) = (log.read_from(Stream::Notices, Offset(0)), 0, Instant::now());
    while tail.offset() < log.end(Stream::Notices) {
        let records = tail.try_next().expect("the disk works");
        bytes += records.iter().map(|record| record.key.len() + record.value.len()).sum::<usize>();
    }
    let seconds = started.elapsed().as_secs_f64();
    let (records, megabytes) = (tail.offset().0 as f64, bytes as f64 / 1e6);
    println!("read {:.0} MB/s, {:.0} records/s of {megabytes:.0} MB", megabytes / seconds, records / seconds);
}

fn report(name: &str, bytes: usize, (mut latencies, elapsed): (Vec<Duration>, Duration)) {
    latencies.sort_unstable();
    let at = |share: f64| latencies[((latencies.len() - 1) as f64 * share) as usize].as_micros();
    let rate = latencies.len() as f64 / elapsed.as_secs_f64();
    let megabytes = rate * bytes as f64 / 1e6;
    println!("{name:<44} {rate:>10.0} {megabytes:>9.1} {:>9} {:>9} {:>9}", at(0.5), at(0.99), at(1.0));
}
