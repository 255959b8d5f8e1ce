//! A real process is killed while it appends; whatever it said was acknowledged is there afterwards.
//!
//! A kill leaves the system's memory intact, so this shows that nothing is acknowledged before it left the process.
//! What a power cut does is simulated beside the code.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;

use event_log::{EventLog, LocalLog, LocalOptions, Offset, Offsets, Record, Stream, block_on};

use crate::end;

/// After how many acknowledgements the child is killed, one round each.
const ROUNDS: [usize; 6] = [0, 1, 20, 101, 333, 700];
const WRITERS: u8 = 4;
/// Each append of the last writer is a batch of so many records.
const BATCH: usize = 3;

fn open(dir: &Path) -> EventLog {
    // Small segments, so that some kills come while a new one begins.
    LocalLog::open(LocalOptions { segment_bytes: 4_000, ..LocalOptions::new(dir) }).unwrap().into()
}

#[test]
fn a_killed_process_keeps_what_it_acknowledged() {
    let dir = tempfile::tempdir().unwrap();
    let mut acknowledged = Acknowledged::default();
    for (round, kill_after) in ROUNDS.into_iter().enumerate() {
        let input = format!("{round}\n{}", dir.path().display());
        run_and_kill("kill::child", &input, kill_after).iter().for_each(|line| acknowledged.add(line));
        let log = open(dir.path());
        let records = all(&log);
        assert_eq!(end(&log, Stream::Notices), Offset(records.len() as u64).into());
        for (offset, text) in &acknowledged.singles {
            assert_eq!(records.get(*offset).map(|record| &record.value[..]), Some(text.as_bytes()), "at {offset}");
        }
        let batched = records.iter().filter(|record| record.key == [WRITERS - 1]);
        let mut batches = BTreeMap::new();
        batched.for_each(|record| *batches.entry(record.value.clone()).or_insert(0) += 1);
        assert!(batches.values().all(|size| *size == BATCH), "a batch is there in part");
        assert!(acknowledged.batches.iter().all(|text| batches.contains_key(text.as_bytes())));
        log.close();
    }
    assert!(acknowledged.singles.len() + acknowledged.batches.len() >= ROUNDS.iter().sum());
}

/// What the children said.
#[derive(Default)]
struct Acknowledged {
    /// By offset.
    singles: BTreeMap<usize, String>,
    batches: BTreeSet<String>,
}

impl Acknowledged {
    fn add(&mut self, line: &str) {
        let (offset, text) = line.split_once(' ').unwrap();
        if offset == "batch" {
            assert!(self.batches.insert(text.to_owned()));
        } else {
            let before = self.singles.insert(offset.parse().unwrap(), text.to_owned());
            assert_eq!(before, None, "{offset} was given twice");
        }
    }
}

fn all(log: &EventLog) -> Vec<Record> {
    let (mut tail, mut records) = (log.read_from(Stream::Notices, &Offsets::default()), Vec::new());
    loop {
        match tail.try_next().unwrap() {
            read if read.is_empty() => return records,
            read => records.extend(read),
        }
    }
}

/// Runs that ignored test in a process of its own, which is killed after so many acknowledgements. All of them, also
/// those of its last moments.
pub(crate) fn run_and_kill(child: &str, input: &str, kill_after: usize) -> Vec<String> {
    let mut process = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", child, "--ignored", "--nocapture"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    process.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let mut output = BufReader::new(process.stdout.take().unwrap());
    let mut acknowledged = Vec::new();
    loop {
        if acknowledged.len() == kill_after {
            process.kill().unwrap();
        }
        let mut line = String::new();
        // The last line may be cut off by the kill.
        if output.read_line(&mut line).unwrap() == 0 || !line.ends_with('\n') {
            break;
        }
        acknowledged.extend(line.strip_prefix("acknowledged ").map(|said| said.trim_end().to_owned()));
    }
    assert!(!process.wait().unwrap().success(), "it was killed");
    acknowledged
}

/// What a child was given, line by line; none where it was started by hand.
pub(crate) fn input<const LINES: usize>() -> Option<[String; LINES]> {
    let mut input = String::new();
    io::stdin().read_to_string(&mut input).unwrap();
    input.lines().map(str::to_owned).collect::<Vec<_>>().try_into().ok()
}

/// Tells whoever runs this child.
pub(crate) fn acknowledge(said: &str) {
    // One write, so that lines of several threads do not mix.
    io::stdout().lock().write_all(format!("acknowledged {said}\n").as_bytes()).unwrap();
}

#[test]
#[ignore = "the process that is killed: it appends until then, in the directory that its input names"]
fn child() {
    let Some([round, dir]) = input() else { return };
    let log = open(dir.as_ref());
    thread::scope(|scope| {
        for writer in 0..WRITERS {
            let (log, round) = (&log, &round);
            scope.spawn(move || {
                let batches = (writer == WRITERS - 1).then(|| block_on(log.writer("batches")).unwrap());
                for serial in 0.. {
                    let text = format!("{round}-{writer}-{serial}");
                    if let Some(batches) = &batches {
                        let records = vec![(vec![writer], text.clone().into_bytes()); BATCH];
                        block_on(batches.append_all(Stream::Notices, records)).unwrap();
                        acknowledge(&format!("batch {text}"));
                    } else {
                        let offset = log.append(Stream::Notices, [writer], text.clone()).wait().unwrap();
                        acknowledge(&format!("{offset} {text}"));
                    }
                }
            });
        }
    });
}
