//! Streams in files of this machine: one directory a stream, in it segment files of checksummed batches.
//!
//! One thread a stream writes (group commit): telemetry never stands in line before a notice. [`disk`] is what the
//! files ask of the operating system, [`frame`] the bytes, [`store`] writing and recovery, [`cursor`] reading.

use std::collections::BTreeMap;
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::sync::{oneshot, watch};

use crate::appending::Appending;
use crate::error::{AppendError, Failure, OpenError};
use crate::limits::{GROUP_BYTES_MAX, RETENTION_BYTES, SEGMENT_BYTES, TELEMETRY_SYNC_INTERVAL};
use crate::stream::{Class, KeyValue, Offset, Offsets, Partition, Stream};
use cursor::Cursor;
use disk::Directory;
use queue::{Pending, Queue};
use store::{Bounds, Retention, Store};
use writer::{Over, View, Writer};

mod cursor;
mod directory;
mod disk;
pub(crate) mod frame;
mod frames;
mod queue;
mod segment;
mod store;
mod tail;
mod writer;

#[cfg(test)]
mod simulation;

pub use directory::read_directory;
pub use tail::LocalTail;

/// Where a local log lives and how much it keeps.
#[derive(Clone, Debug)]
pub struct LocalOptions {
    /// The directory. It is created where it is missing.
    pub dir: PathBuf,
    /// A segment file that would grow above this many bytes is followed by a new one.
    pub segment_bytes: u64,
    /// How much of each telemetry stream is kept at least, in bytes: the oldest segment goes once those after it hold
    /// as much. Of money everything is kept.
    pub retention_bytes: u64,
    /// How long telemetry is gathered before it is written and synced. A crash loses that much of it.
    pub telemetry_sync_interval: Duration,
}

impl LocalOptions {
    /// The usual ones, in `dir`.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self { dir: dir.into(), ..Self::default() }
    }
}

impl Default for LocalOptions {
    /// In the directory `vernier-data/events`.
    fn default() -> Self {
        Self {
            dir: PathBuf::from("vernier-data/events"),
            segment_bytes: SEGMENT_BYTES,
            retention_bytes: RETENTION_BYTES,
            telemetry_sync_interval: TELEMETRY_SYNC_INTERVAL,
        }
    }
}

/// The streams of one process in files of one directory. Clones share everything; when the last one goes, the log is
/// closed.
#[derive(Clone, Debug)]
pub struct LocalLog(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    channels: Vec<Channel>,
    /// How often each named writer was opened.
    openings: Mutex<BTreeMap<String, u64>>,
    running: Mutex<Option<Running>>,
}

/// What other threads see of a stream.
struct Channel {
    stream: Stream,
    disk: Directory,
    queue: Arc<Queue>,
    view: watch::Receiver<View>,
    dropped: AtomicU64,
    released: Arc<AtomicU64>,
}

#[derive(Debug)]
struct Running {
    writers: Vec<JoinHandle<()>>,
    /// Held until the writers are gone.
    _lock: File,
}

impl LocalLog {
    /// Opens the log in `options.dir` and recovers what a crash left; blocks until then.
    ///
    /// # Errors
    /// Another process has it open; or damage that no crash explains, with the file and the byte; or the disk does not
    /// work.
    pub fn open(options: LocalOptions) -> Result<Self, OpenError> {
        Self::with(&options, &Stream::ALL, Retention::All)
    }

    /// Opens a log of one stream of money, of which only what was not released is kept.
    pub(crate) fn spool(dir: &Path, stream: Stream, segment_bytes: u64) -> Result<Self, OpenError> {
        let options = LocalOptions { segment_bytes, ..LocalOptions::new(dir) };
        Self::with(&options, &[stream], Retention::Unreleased)
    }

    /// A log of `streams`, of which money is kept like that.
    fn with(options: &LocalOptions, streams: &[Stream], money: Retention) -> Result<Self, OpenError> {
        let unusable = |path: &Path| {
            let path = path.to_owned();
            move |source| OpenError::Io { path, source }
        };
        Directory::create_all(&options.dir).map_err(unusable(&options.dir))?;
        let lock = lock(&options.dir)?;
        let mut channels = Vec::with_capacity(streams.len());
        let mut ready = Vec::with_capacity(streams.len());
        for &stream in streams {
            let path = options.dir.join(stream.name());
            let disk = Directory::create_all(&path).map_err(unusable(&path))?;
            let (retention, linger) = match stream.class() {
                Class::Money => (money, Duration::ZERO),
                Class::Derived => (Retention::Unreleased, Duration::ZERO),
                Class::Telemetry => (Retention::Bytes(options.retention_bytes), options.telemetry_sync_interval),
            };
            let bounds = Bounds { segment: options.segment_bytes, group: GROUP_BYTES_MAX as u64, retention };
            let store = Store::open(disk.clone(), bounds)?;
            let queue = Arc::new(Queue::new());
            let (view, seen) = watch::channel(View { start: store.start(), end: store.end(), over: None });
            let released = Arc::<AtomicU64>::default();
            ready.push(Writer { stream, store, queue: queue.clone(), view, linger, released: released.clone() });
            channels.push(Channel { stream, disk, queue, view: seen, dropped: AtomicU64::new(0), released });
        }
        // Only now, when nothing refuses to start any more.
        let log = Self(Arc::new(Inner { channels, openings: Mutex::default(), running: Mutex::new(None) }));
        let mut running = Running { writers: Vec::with_capacity(ready.len()), _lock: lock };
        for writer in ready {
            let thread = thread::Builder::new().name(format!("log-{}", writer.stream));
            running.writers.push(thread.spawn(move || writer.run()).map_err(unusable(&options.dir))?);
        }
        *log.0.running.lock().unwrap_or_else(PoisonError::into_inner) = Some(running);
        Ok(log)
    }

    /// A writer by that name, which ends those opened before.
    pub(crate) fn writer(&self, name: &str) -> LocalWriter {
        let mut openings = self.0.openings.lock().unwrap_or_else(PoisonError::into_inner);
        let opening = openings.entry(name.to_owned()).or_insert(0);
        *opening += 1;
        LocalWriter { log: self.clone(), name: name.into(), opening: *opening }
    }

    pub(crate) fn append_all(&self, stream: Stream, records: Vec<KeyValue>) -> Appending {
        let (sender, answer) = oneshot::channel();
        let queued = Pending::new(records, Some(sender)).and_then(|pending| self.channel(stream).queue.push(pending));
        match queued {
            Ok(()) => Appending::queued(stream, answer),
            Err(error) => Appending::refused(error),
        }
    }

    pub(crate) fn offer(&self, stream: Stream, key: Vec<u8>, value: Vec<u8>) -> bool {
        let channel = self.channel(stream);
        let queued = Pending::new(vec![(key, value)], None).and_then(|pending| channel.queue.push(pending));
        if queued.is_err() {
            channel.dropped.fetch_add(1, Ordering::Relaxed);
        }
        queued.is_ok()
    }

    pub(crate) fn dropped(&self, stream: Stream) -> u64 {
        self.channel(stream).dropped.load(Ordering::Relaxed)
    }

    pub(crate) fn end(&self, stream: Stream) -> Offset {
        self.channel(stream).view.borrow().end
    }

    pub(crate) fn start(&self, stream: Stream) -> Offset {
        self.channel(stream).view.borrow().start
    }

    pub(crate) fn read_from(&self, stream: Stream, from: &Offsets) -> LocalTail {
        let channel = self.channel(stream);
        let cursor = Cursor::new(channel.disk.clone(), from.of(Partition(0)));
        LocalTail::new(cursor, channel.view.clone())
    }

    /// Allows a spool, or a stream of what is derived, to forget what is before `offset`; it does with its next append.
    pub(crate) fn release(&self, stream: Stream, offset: Offset) {
        self.channel(stream).released.fetch_max(offset.0, Ordering::Relaxed);
    }

    pub(crate) fn health(&self) -> Result<(), Failure> {
        self.0.channels.iter().try_for_each(|channel| match &channel.view.borrow().over {
            Some(Over::Failed(failure)) => Err(failure.clone()),
            Some(Over::Closed) | None => Ok(()),
        })
    }

    pub(crate) fn close(self) {
        self.0.close();
    }

    fn channel(&self, stream: Stream) -> &Channel {
        let found = self.0.channels.iter().find(|channel| channel.stream == stream);
        found.expect("only the streams of a spool are asked of it")
    }
}

/// One of the writers that must not write beside each other.
#[derive(Clone, Debug)]
pub struct LocalWriter {
    log: LocalLog,
    name: Arc<str>,
    opening: u64,
}

impl LocalWriter {
    pub(crate) fn append_all(&self, stream: Stream, records: Vec<KeyValue>) -> Appending {
        // Held until the records are queued, so that nothing of the old is behind the new.
        let openings = self.log.0.openings.lock().unwrap_or_else(PoisonError::into_inner);
        if openings.get(&*self.name).is_some_and(|opening| *opening > self.opening) {
            return Appending::refused(AppendError::Fenced { name: self.name.clone() });
        }
        self.log.append_all(stream, records)
    }
}

impl Inner {
    /// Ends the writers once what waits is written, and unlocks the directory.
    fn close(&self) {
        self.channels.iter().for_each(|channel| channel.queue.refuse(AppendError::Closed));
        // Held while the writers end, so that whoever closes a second time returns no earlier.
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        for writer in running.take().into_iter().flat_map(|running| running.writers) {
            if writer.join().is_err() {
                tracing::error!("a writer of the log panicked");
            }
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.close();
    }
}

impl std::fmt::Debug for Channel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Channel").field("stream", &self.stream).field("view", &*self.view.borrow()).finish()
    }
}

/// Takes the directory for this process, until the file is dropped or the process ends.
fn lock(dir: &Path) -> Result<File, OpenError> {
    let path = dir.join("lock");
    let file = File::create(&path).map_err(|source| OpenError::Io { path: path.clone(), source })?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(OpenError::InUse { dir: dir.to_owned() }),
        Err(TryLockError::Error(source)) => Err(OpenError::Io { path, source }),
    }
}
