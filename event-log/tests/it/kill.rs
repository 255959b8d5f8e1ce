//! A real process is killed while it appends; whatever it said was acknowledged is there afterwards.
//!
//! A kill leaves the system's memory intact, so this shows that nothing is acknowledged before it left the process.
//! What a power cut does is simulated beside the code.

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;

use event_log::{EventLog, LocalLog, LocalOptions, Offset, Record, Stream};

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
    let mut acknowledged = BTreeMap::new();
    for (round, kill_after) in ROUNDS.into_iter().enumerate() {
        run_and_kill(dir.path(), round, kill_after, &mut acknowledged);
        let log = open(dir.path());
        let records = all(&log);
        assert_eq!(records.len() as u64, log.end(Stream::Notices).0);
        for (offset, text) in &acknowledged {
            assert_eq!(records.get(*offset).map(|record| &record.value[..]), Some(text.as_bytes()), "at {offset}");
        }
        let batched = records.iter().filter(|record| record.key == [WRITERS - 1]).count();
        assert_eq!(batched % BATCH, 0, "a batch is there in part");
        log.close();
    }
    assert!(acknowledged.len() >= ROUNDS.iter().sum());
}

fn all(log: &EventLog) -> Vec<Record> {
    let (mut tail, mut records) = (log.read_from(Stream::Notices, Offset(0)), Vec::new());
    loop {
        match tail.try_next().unwrap() {
            read if read.is_empty() => return records,
            read => records.extend(read),
        }
    }
}

/// Collects what the child acknowledges, also in its last moments: by offset, what it appended there.
fn run_and_kill(dir: &Path, round: usize, kill_after: usize, acknowledged: &mut BTreeMap<usize, String>) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "kill::child", "--ignored", "--nocapture"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    write!(child.stdin.take().unwrap(), "{round}\n{}", dir.display()).unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    let mut count = 0;
    loop {
        if count == kill_after {
            child.kill().unwrap();
        }
        let mut line = String::new();
        // The last line may be cut off by the kill.
        if output.read_line(&mut line).unwrap() == 0 || !line.ends_with('\n') {
            break;
        }
        if let Some((offset, text)) = line.strip_prefix("acknowledged ").and_then(|rest| rest.trim().split_once(' ')) {
            assert_eq!(acknowledged.insert(offset.parse().unwrap(), text.to_owned()), None, "{offset} was given twice");
            count += 1;
        }
    }
    assert!(!child.wait().unwrap().success(), "it was killed");
}

#[test]
#[ignore = "the process that is killed: it appends until then, in the directory that its input names"]
fn child() {
    let mut input = String::new();
    io::stdin().read_to_string(&mut input).unwrap();
    let Some((round, dir)) = input.split_once('\n') else { return };
    let log = open(&PathBuf::from(dir));
    thread::scope(|scope| {
        for writer in 0..WRITERS {
            let log = &log;
            scope.spawn(move || {
                let size = if writer == WRITERS - 1 { BATCH } else { 1 };
                for serial in 0.. {
                    let text = format!("{round}-{writer}-{serial}");
                    let records = vec![(vec![writer], text.clone().into_bytes()); size];
                    let offset = log.append_all(Stream::Notices, records).wait().unwrap();
                    // One write, so that lines of several threads do not mix.
                    let line = format!("acknowledged {offset} {text}\n");
                    io::stdout().lock().write_all(line.as_bytes()).unwrap();
                }
            });
        }
    });
}
