//! Opening the files of a stream after whatever happened to them.

use std::collections::VecDeque;
use std::io;

use super::{Bounds, Retention, Segment, Store};
use crate::error::{Corruption, OpenError};
use crate::local::disk::{Disk, DiskFile, write_all_at};
use crate::local::frame::Bad;
use crate::local::frames::{Found, Frames};
use crate::local::segment;
use crate::stream::Offset;

/// Why recovery stops; becomes an [`OpenError`] once the directory is known.
enum Stop {
    Corrupt(Corruption),
    Io(io::Error),
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<Corruption> for Stop {
    fn from(corruption: Corruption) -> Self {
        Self::Corrupt(corruption)
    }
}

impl<D: Disk> Store<D> {
    /// Opens the stream in `disk`. Every segment is read through; of the last one, what a crash left unfinished at
    /// its end is cut off. Whatever is kept is durable when this returns, also what was not when the crash came.
    ///
    /// # Errors
    /// Damage that no crash explains: nothing is changed then. Or a disk that does not work: opening it again is
    /// harmless.
    pub(crate) fn open(disk: D, bounds: Bounds) -> Result<Self, OpenError> {
        Self::recover(&disk, bounds).map_err(|stop| match stop {
            Stop::Corrupt(corruption) => OpenError::Corrupt(corruption),
            Stop::Io(source) => OpenError::Io { path: disk.path(""), source },
        })
    }

    fn recover(disk: &D, bounds: Bounds) -> Result<Self, Stop> {
        let mut firsts = segment::list(disk)?;
        if firsts.is_empty() {
            disk.create(&segment::name(Offset(0)))?;
            firsts.push(Offset(0));
        }
        // Only what is removed on purpose may be missing at the front.
        let mut end = if bounds.retention == Retention::All { Offset(0) } else { firsts[0] };
        let mut segments = VecDeque::with_capacity(firsts.len());
        let mut unfinished = 0;
        for (at, &first) in firsts.iter().enumerate() {
            if first != end {
                return Err(segment::corruption(disk, first, 0, segment::MISSING).into());
            }
            let scan = Scan::of(disk, first)?;
            if scan.bad == Some(Bad::Version) {
                return Err(segment::corruption(disk, first, scan.whole, segment::FOREIGN).into());
            }
            let is_last = at + 1 == firsts.len();
            unfinished = scan.length - scan.whole;
            if unfinished > if is_last { bounds.group } else { 0 } {
                return Err(segment::corruption(disk, first, scan.whole, segment::NOT_WHOLE).into());
            }
            end = scan.end;
            segments.push_back(Segment { first, bytes: scan.whole });
        }
        let active = segments.pop_back().expect("there is at least the segment created above");
        let file = disk.edit(&segment::name(active.first))?;
        if unfinished > 0 {
            file.truncate(active.bytes)?;
        }
        write_again(&file, active.bytes.saturating_sub(bounds.group), active.bytes)?;
        file.sync()?;
        // The crash may have come between the creation of the last segment and the sync of its name.
        disk.sync()?;
        let disk = disk.clone();
        Ok(Self { disk, bounds, sealed: segments, active, file, end, failed: None, bytes: Vec::new() })
    }
}

/// Writes the bytes from `from` to `to` over themselves. Where a sync failed before, the system may hold bytes in
/// memory as clean that the disk never got: the next sync would skip them. At most one group can be such bytes.
fn write_again(file: &impl DiskFile, from: u64, to: u64) -> io::Result<()> {
    let mut chunk = vec![0; 1024 * 1024];
    let mut position = from;
    while position < to {
        let length = chunk.len().min((to - position) as usize);
        let read = file.read_at(&mut chunk[..length], position)?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        write_all_at(file, &chunk[..read], position)?;
        position += read as u64;
    }
    Ok(())
}

/// What is in a segment file.
struct Scan {
    /// How many bytes there are.
    length: u64,
    /// How many of them, from the start, are whole batches that follow one another.
    whole: u64,
    /// The offset after the last of these.
    end: Offset,
    /// What comes then, unless it is the end of the file.
    bad: Option<Bad>,
}

impl Scan {
    fn of(disk: &impl Disk, first: Offset) -> io::Result<Self> {
        let file = disk.open(&segment::name(first))?;
        let length = file.length()?;
        let mut frames = Frames::new(file);
        let (mut whole, mut end) = (0, first);
        let bad = loop {
            match frames.next()? {
                Found::Frame(frame) if frame.first == end => end = frame.end(),
                Found::Frame(_) => break Some(Bad::Torn),
                Found::End => break None,
                Found::Bad(bad) => break Some(bad),
            }
            whole = frames.position();
        };
        Ok(Self { length, whole, end, bad })
    }
}
