//! How fast streams of files are, beside what their disk does alone: `cargo bench -p event-log --bench append`, with
//! `-- DIR` on the disk of `DIR`.
//!
//! A shared machine drifts within seconds, and a thread that waited for the disk may then wait for a core. So the log
//! and the disk alone take short turns, in which both write the same bytes in the same way, and every line has the load
//! average of its end.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use event_log::{EventLog, LocalLog, LocalOptions, Offsets, Stream, block_on};
use tokio::task::JoinSet;

/// As large as a notice with its token.
const NOTICE: usize = 250;
const TURNS: usize = 30;
const TURN: Duration = Duration::from_millis(100);

fn main() {
    let given = std::env::args().skip(1).find(|argument| !argument.starts_with('-'));
    let dir = PathBuf::from(given.unwrap_or_else(|| env!("CARGO_TARGET_TMPDIR").to_owned()));
    let dir = tempfile::tempdir_in(dir).expect("the directory can be written");
    let dir = dir.path();
    println!(
        "{:<44} {:>10} {:>8} {:>8} {:>8} {:>8} {:>6}",
        "", "appends/s", "MB/s", "p50 us", "p99 us", "max us", "load"
    );
    let open = || EventLog::from(LocalLog::open(LocalOptions::new(dir.join("log"))).expect("it opens"));
    let log = open();
    for (waiters, bytes) in [(1, NOTICE), (8, NOTICE), (64, NOTICE), (512, NOTICE), (64, 64 * 1024)] {
        compare(&format!("{waiters} waiting for {bytes} bytes each"), &log, dir, waiters, bytes);
    }
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let telemetry = scope.spawn(|| offers(&log, &stop));
        compare("64 waiting for 250 bytes, telemetry offered", &log, dir, 64, NOTICE);
        stop.store(true, Ordering::Relaxed);
        println!("{}", telemetry.join().expect("it does not panic"));
    });
    read(&log);
    log.close();
    let started = Instant::now();
    let log = open();
    println!("opened and verified in {:.0} ms", started.elapsed().as_secs_f64() * 1e3);
    log.close();
}

/// The log, with so many tasks on one thread each of which appends, waits and appends again, and the disk alone.
fn compare(name: &str, log: &EventLog, dir: &Path, waiters: usize, bytes: usize) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("the system has threads");
    // What the log writes when all wait for one sync.
    let group = frame(&dir.join("frame"), bytes).repeat(waiters);
    let mut growing = Floor::new(&dir.join("growing"), group.clone(), 0);
    let mut there = (waiters == 1).then(|| Floor::new(&dir.join("there"), group, 64 * 1024 * 1024));
    let (mut of_log, mut of_growing, mut of_there) = (Taken::default(), Taken::default(), Taken::default());
    for _ in 0..TURNS {
        of_log.turn(|start| runtime.block_on(appends(log, waiters, bytes, start)));
        of_growing.turn(|start| growing.turn(start));
        if let Some(there) = &mut there {
            of_there.turn(|start| there.turn(start));
        }
    }
    of_log.report(name, bytes, 1);
    of_growing.report("  the disk alone: write and fdatasync", bytes, waiters);
    if there.is_some() {
        of_there.report("  over bytes that are there: no growth", bytes, waiters);
    }
}

async fn appends(log: &EventLog, waiters: usize, bytes: usize, start: Instant) -> Vec<Duration> {
    let task = |log: EventLog| async move {
        let mut latencies = Vec::new();
        while start.elapsed() < TURN {
            let at = Instant::now();
            log.append(Stream::Notices, [1; 16], vec![7; bytes]).await.expect("the disk works");
            latencies.push(at.elapsed());
        }
        latencies
    };
    let tasks: JoinSet<Vec<Duration>> = (0..waiters).map(|_| task(log.clone())).collect();
    tasks.join_all().await.concat()
}

/// What the log writes for one append: the file of a log that got no other.
fn frame(dir: &Path, bytes: usize) -> Vec<u8> {
    let log = EventLog::from(LocalLog::open(LocalOptions::new(dir)).expect("it opens"));
    log.append(Stream::Notices, [1; 16], vec![7; bytes]).wait().expect("the disk works");
    log.close();
    let segment =
        fs::read_dir(dir.join(Stream::Notices.name())).expect("it is there").next().expect("it has a segment");
    let frame = fs::read(segment.expect("it can be listed").path()).expect("it can be read");
    fs::remove_dir_all(dir).expect("it is ours");
    frame
}

/// The disk by itself: one write and one sync after the other.
struct Floor {
    file: File,
    group: Vec<u8>,
    position: u64,
}

impl Floor {
    /// Into a new file, the first bytes of which are there before.
    fn new(path: &Path, group: Vec<u8>, there: usize) -> Self {
        let file = File::create(path).expect("the directory can be written");
        file.write_all_at(&vec![0; there], 0).and_then(|()| file.sync_all()).expect("the disk works");
        Self { file, group, position: 0 }
    }

    fn turn(&mut self, start: Instant) -> Vec<Duration> {
        let mut latencies = Vec::new();
        while start.elapsed() < TURN {
            let at = Instant::now();
            self.file.write_all_at(&self.group, self.position).expect("the disk works");
            self.file.sync_data().expect("the disk works");
            latencies.push(at.elapsed());
            self.position += self.group.len() as u64;
        }
        latencies
    }
}

/// What the turns of one side took.
#[derive(Default)]
struct Taken {
    latencies: Vec<Duration>,
    elapsed: Duration,
}

impl Taken {
    fn turn(&mut self, turn: impl FnOnce(Instant) -> Vec<Duration>) {
        let start = Instant::now();
        self.latencies.extend(turn(start));
        self.elapsed += start.elapsed();
    }

    /// Prints a line; each latency is that of so many `appends` of so many `bytes`.
    fn report(mut self, name: &str, bytes: usize, appends: usize) {
        self.latencies.sort_unstable();
        let at = |share: f64| self.latencies[((self.latencies.len() - 1) as f64 * share) as usize].as_micros();
        let rate = (self.latencies.len() * appends) as f64 / self.elapsed.as_secs_f64();
        let (megabytes, load) = (rate * bytes as f64 / 1e6, fs::read_to_string("/proc/loadavg").unwrap_or_default());
        let load = load.split(' ').next().unwrap_or_default();
        println!("{name:<44} {rate:>10.0} {megabytes:>8.1} {:>8} {:>8} {:>8} {load:>6}", at(0.5), at(0.99), at(1.0));
    }
}

/// Offers bids of 400 bytes, 20,000 a second in bursts of 200.
fn offers(log: &EventLog, stop: &AtomicBool) -> String {
    let started = Instant::now();
    let (mut offered, mut busy) = (0u32, Duration::ZERO);
    while !stop.load(Ordering::Relaxed) {
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
    let (mut tail, mut bytes, started) = (log.read_from(Stream::Notices, &Offsets::default()), 0, Instant::now());
    let end = block_on(log.ends(Stream::Notices)).expect("files are always there");
    while !tail.offsets().reached(&end) {
        let records = tail.try_next().expect("the disk works");
        bytes += records.iter().map(|record| record.key.len() + record.value.len()).sum::<usize>();
    }
    let seconds = started.elapsed().as_secs_f64();
    let (records, megabytes) = (end.sum() as f64, bytes as f64 / 1e6);
    println!("read {:.0} MB/s, {:.0} records/s of {megabytes:.0} MB", megabytes / seconds, records / seconds);
}
