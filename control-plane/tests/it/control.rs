//! The writer of the stream `campaigns` over a real log.

use control_plane::{ApplyError, Changed, ControlPlane, SourceFile, State, StopError, sample};
use decision::time::Micros;
use event_log::{EventLog, LocalLog, LocalOptions, Stream, block_on};

/// The control plane over `log`, on 2026-06-01.
pub(crate) fn open(log: &EventLog) -> ControlPlane {
    ControlPlane::open(log.clone(), || Micros(1_780_272_000_000_000)).expect("the stream is readable")
}

fn local(directory: &tempfile::TempDir) -> EventLog {
    EventLog::from(LocalLog::open(LocalOptions::new(directory.path())).expect("the log opens"))
}

/// How many records were ever published.
fn end(log: &EventLog) -> u64 {
    block_on(log.ends(Stream::Campaigns)).expect("a local log answers").sum()
}

/// The sample with another daily budget of one campaign.
fn changed_sample() -> Vec<SourceFile> {
    let mut files = sample();
    for file in &mut files {
        file.text = file.text.replace("campaign: academy-next-course", "campaign: academy-two");
    }
    files
}

#[test]
fn what_was_applied_is_there_after_a_restart() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let log = local(&directory);
    let control = open(&log);
    assert_eq!(control.revision().expect("it reads"), None);
    let applied = control.apply(&sample(), "ann", false).expect("the sample applies");
    assert!(applied.changes.iter().all(|change| change.change == Changed::New));
    assert_eq!(applied.revision, Some(applied.changes.len() as u64 - 1));
    control.stop("cart-recovery", "ann").expect("it is there");
    let before = control.campaigns().expect("it reads");
    drop(control);
    log.close();

    let control = open(&local(&directory));
    assert_eq!(control.campaigns().expect("it reads"), before);
    let states: Vec<State> = before.campaigns.iter().map(|campaign| campaign.state).collect();
    assert_eq!(states, [State::Running, State::Stopped]);
    let again = control.apply(&sample(), "ann", false).expect("the sample applies");
    let resumed: Vec<&str> =
        again.changes.iter().filter(|c| c.change == Changed::Resumed).map(|c| c.name.as_str()).collect();
    assert_eq!(resumed, ["cart-recovery"]);
    assert!(again.changes.iter().filter(|c| c.name != "cart-recovery").all(|c| c.change == Changed::Unchanged));
}

#[test]
fn nothing_is_published_while_anything_is_wrong_or_only_tried() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let log = local(&directory);
    let control = open(&log);
    let mut files = sample();
    files[1].text += "---\nsegment: half-done\ndescription: x\nowner: x\n";
    let Err(ApplyError::Problems(problems)) = control.apply(&files, "ann", false) else {
        panic!("a wrong segment is refused");
    };
    assert_eq!(problems.len(), 1, "{problems:?}");
    let tried = control.apply(&sample(), "ann", true).expect("the sample is right");
    assert!(tried.dry_run && tried.revision.is_none() && tried.changes[0].change == Changed::New);
    assert!(matches!(control.apply(&sample(), "a\nb", false), Err(ApplyError::By)));
    assert_eq!(end(&log), 0);
}

#[test]
fn stopping_twice_changes_nothing_and_a_wrong_name_is_answered_with_a_near_one() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let log = local(&directory);
    let control = open(&log);
    control.apply(&sample(), "ann", false).expect("the sample applies");
    assert_eq!(control.stop("cart-recovery", "ann").expect("it is there").change, Changed::Stopped);
    let before = end(&log);
    assert_eq!(control.stop("cart-recovery", "ann").expect("it is there").change, Changed::Unchanged);
    assert_eq!(end(&log), before);
    let error = control.stop("cart-recovry", "ann").expect_err("there is none");
    assert!(matches!(error, StopError::Unknown { .. }));
    assert_eq!(error.to_string(), "no campaign `cart-recovry`; did you mean `cart-recovery`?");
}

#[test]
fn changes_at_the_same_time_do_not_share_numbers() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let log = local(&directory);
    let control = open(&log);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| control.apply(&sample(), "ann", false).expect("the sample applies"));
            scope.spawn(|| control.apply(&changed_sample(), "bob", false).expect("it applies"));
        }
    });
    let campaigns = control.campaigns().expect("it reads").campaigns;
    let mut numbers: Vec<u32> = campaigns.iter().map(|campaign| campaign.number).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, [1, 2, 3]);
    // One advertiser, seven segments, three campaigns: what was there already is not published again.
    assert_eq!(end(&log), 11);
}

#[test]
fn a_stream_that_cannot_be_understood_is_refused() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let log = local(&directory);
    log.append(Stream::Campaigns, "campaign/1", vec![9, 9]).wait().expect("it is durable");
    let error = ControlPlane::open(log, || Micros(0)).err().expect("it is refused");
    assert_eq!(
        error.to_string(),
        "record 0 of the stream campaigns: the record has version 9; this program reads version 1"
    );
}
