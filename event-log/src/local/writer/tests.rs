use super::*;
use crate::appending::Appending;
use crate::limits::GROUP_BYTES_MAX;
use crate::local::queue::Pending;
use crate::local::simulation::disk::{SimulatedDisk, Trouble};
use crate::local::store::{Bounds, Retention};
use tokio::sync::oneshot;

/// A writer on the calling thread: what it is to write is queued, and the queue closed, before it runs.
struct Bench {
    disk: SimulatedDisk,
    queue: Arc<Queue>,
    view: watch::Receiver<View>,
    released: Arc<AtomicU64>,
    writer: Writer<SimulatedDisk>,
}

fn bench(retention: Retention) -> Bench {
    let disk = SimulatedDisk::new(1);
    let bounds = Bounds { segment: 1_000, group: GROUP_BYTES_MAX as u64, retention };
    let store = Store::open(disk.clone(), bounds).expect("a new stream");
    let queue = Arc::new(Queue::new());
    let (sender, view) = watch::channel(View { start: store.start(), end: store.end(), over: None });
    let (stream, linger, released) = (Stream::Notices, Duration::ZERO, Arc::<AtomicU64>::default());
    let writer = Writer { stream, store, queue: queue.clone(), view: sender, linger, released: released.clone() };
    Bench { disk, queue, view, released, writer }
}

fn append(queue: &Queue, records: usize, bytes: usize) -> Appending {
    let (sender, answer) = oneshot::channel();
    let pending = Pending::new(vec![(Vec::new(), vec![7; bytes]); records], Some(sender)).expect("it is not too large");
    queue.push(pending).expect("there is room");
    Appending::queued(Stream::Notices, answer)
}

#[test]
fn all_that_waits_takes_one_sync() {
    let Bench { disk, queue, view, writer, .. } = bench(Retention::All);
    let answers: Vec<Appending> = (1..=64).map(|records| append(&queue, records, 10)).collect();
    queue.refuse(AppendError::Closed);
    let before = disk.syncs();
    writer.run();
    assert_eq!(disk.syncs() - before, 1);
    let mut end = 0;
    for (records, answer) in (1..).zip(answers) {
        end += records;
        assert_eq!(answer.wait(), Ok(Offset(end - 1)));
    }
    assert_eq!(view.borrow().end, Offset(end));
    assert!(matches!(view.borrow().over, Some(Over::Closed)));
}

#[test]
fn a_failed_sync_fails_its_group_and_all_that_follow() {
    for trouble in [
        Trouble { syncs: 100, ..Trouble::default() },
        Trouble { writes: 100, ..Trouble::default() },
        Trouble { space: Some(100), ..Trouble::default() },
    ] {
        let Bench { disk, queue, view, writer, .. } = bench(Retention::All);
        let in_the_group = [append(&queue, 1, 10), append(&queue, 15, 1_000_000)];
        let behind_it = append(&queue, 15, 1_000_000);
        disk.trouble(trouble);
        writer.run();
        let Some(Over::Failed(failure)) = view.borrow().over.clone() else { panic!("the stream still lives") };
        for answer in in_the_group.into_iter().chain([behind_it]) {
            assert_eq!(answer.wait(), Err(AppendError::Failed(failure.clone())));
        }
        assert_eq!(view.borrow().end, Offset(0));
        let next = Pending::new(vec![(Vec::new(), Vec::new())], None).expect("it is small");
        assert_eq!(queue.push(next), Err(AppendError::Failed(failure)));
    }
}

#[test]
fn what_is_no_longer_kept_goes_by_whole_segments() {
    let Bench { disk, queue, view, writer, .. } = bench(Retention::Bytes(2_500));
    // Each is a group, and so a segment, of its own.
    let answers = [append(&queue, 15, 1_000_000), append(&queue, 15, 1_000_000)];
    queue.refuse(AppendError::Closed);
    writer.run();
    assert_eq!(answers.map(Appending::wait), [Ok(Offset(14)), Ok(Offset(29))]);
    assert_eq!((view.borrow().start, view.borrow().end), (Offset(15), Offset(30)));
    assert_eq!(disk.contents().keys().collect::<Vec<_>>(), ["00000000000000000015.log"]);
}

#[test]
fn what_was_not_released_stays() {
    let Bench { disk, queue, released, writer, .. } = bench(Retention::Unreleased);
    // Too large to share a group, so each has a segment of its own.
    let _answers = [9, 9, 9].map(|records| append(&queue, records, 1_000_000));
    released.store(17, Ordering::Relaxed);
    queue.refuse(AppendError::Closed);
    writer.run();
    assert_eq!(disk.contents().keys().collect::<Vec<_>>(), ["00000000000000000009.log", "00000000000000000018.log"]);
}

#[test]
fn a_writer_that_panics_leaves_nobody_waiting() {
    let Bench { queue, view, writer, .. } = bench(Retention::All);
    let answer = append(&queue, 1, 10);
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(move || {
        let _writer = writer;
        panic!("a bug");
    }));
    assert!(panicked.is_err());
    assert!(matches!(answer.wait(), Err(AppendError::Failed(_))));
    assert!(matches!(view.borrow().over, Some(Over::Failed(_))));
}
