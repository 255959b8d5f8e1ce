//! Any file of corrections: where nothing was ever booked nothing is asked for, and each line is told what is wrong with it.
#![no_main]

use std::collections::HashSet;

use decision::time::Micros;
use event_log::{EventLog, LocalLog, LocalOptions, Stream};
use ledger::correct::{CorrectError, Corrector};
use ledger::limits::MISTAKES_LISTED_MAX;
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

const NOTHING: &str = ", column impression: nothing was booked for it";

/// Where corrections are asked for. It is there once, since making its files takes longer than all else.
struct Desk {
    _directory: TempDir,
    runtime: Runtime,
    log: EventLog,
    corrector: Corrector,
}

impl Desk {
    fn new() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let log: EventLog = LocalLog::open(LocalOptions::new(directory.path())).expect("a log").into();
        let runtime = Builder::new_current_thread().enable_time().build().expect("a runtime");
        Self { _directory: directory, runtime, corrector: Corrector::new(log.clone()), log }
    }
}

thread_local!(static DESK: Desk = Desk::new());

/// The impressions of a file of whose lines none is wrong.
fn impressions(file: &[u8]) -> HashSet<String> {
    let text = |cell: &[u8]| String::from_utf8_lossy(cell).trim().to_owned();
    let lines = fuzz::lines(file);
    let at = lines[0].iter().position(|name| text(name) == "impression").expect("a column of impressions");
    lines[1..].iter().map(|line| text(&line[at]).to_ascii_lowercase()).collect()
}

libfuzzer_sys::fuzz_target!(|file: &[u8]| {
    DESK.with(|desk| {
        let answer = desk.runtime.block_on(desk.corrector.correct(file, "ann", Micros(1_800_000_000_000_000)));
        let mistakes = match answer {
            Err(CorrectError::Mistakes(mistakes)) => mistakes.to_string(),
            other => panic!("{other:?} where nothing was booked"),
        };
        fuzz::are_well_told(&mistakes, file);
        let asked = desk.runtime.block_on(desk.log.ends(Stream::Leases)).expect("an end");
        assert_eq!(asked.sum(), 0, "corrections of nothing were asked for");
        // A return ends no line of ours, and one of theirs.
        if mistakes.lines().all(|mistake| mistake.ends_with(NOTHING)) && !file.contains(&b'\r') {
            let told = mistakes.lines().count();
            assert!(told <= MISTAKES_LISTED_MAX && told == impressions(file).len(), "{mistakes}");
        }
    });
});
