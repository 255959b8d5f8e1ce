//! A disk that keeps what the system shows apart from what the platter holds, and has every right a real one has:
//! to write back early, in any order and in part, to lose, tear and garble what was not synced, names included, to
//! fail, to be full, and, where a sync failed, to never write what the system shows.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::ops::Range;
use std::path::PathBuf;
use std::rc::Rc;

use super::random::Random;
use crate::local::disk::{Disk, DiskFile};

/// The unit that is written back, in bytes: small, so that a few records span several.
const SECTOR: usize = 64;

#[derive(Clone)]
pub(crate) struct SimulatedDisk(Rc<RefCell<State>>);

/// An open file.
pub(crate) struct SimulatedFile {
    disk: SimulatedDisk,
    file: usize,
}

struct State {
    random: Random,
    /// Names and files as the system shows them.
    names: BTreeMap<String, usize>,
    /// As the platter holds them.
    durable_names: BTreeMap<String, usize>,
    files: Vec<Contents>,
    /// How many operations until the machine or the process dies; then every operation fails.
    fuse: Option<usize>,
    trouble: Trouble,
    /// How often a file was synced.
    syncs: usize,
}

/// What may go wrong while the machine runs.
#[derive(Clone, Copy, Default)]
pub(crate) struct Trouble {
    /// How many of a hundred reads fail.
    pub(crate) reads: usize,
    /// How many of a hundred writes fail or are cut short.
    pub(crate) writes: usize,
    /// How many of a hundred syncs, creations and removals fail.
    pub(crate) syncs: usize,
    /// How many bytes files may still grow; `None`: any.
    pub(crate) space: Option<usize>,
}

#[derive(Default)]
struct Contents {
    /// As the system shows it.
    seen: Vec<u8>,
    /// As the platter holds it; `durable_length` bytes of it count.
    platter: Vec<u8>,
    durable_length: usize,
    /// Sectors that the next sync writes. A failed sync forgets them.
    dirty: BTreeSet<usize>,
}

impl SimulatedDisk {
    pub(crate) fn new(seed: u64) -> Self {
        Self(Rc::new(RefCell::new(State {
            random: Random(seed),
            names: BTreeMap::new(),
            durable_names: BTreeMap::new(),
            files: Vec::new(),
            fuse: None,
            trouble: Trouble::default(),
            syncs: 0,
        })))
    }

    /// Everything fails after so many operations. Returns what was set before.
    pub(crate) fn burn(&self, operations: Option<usize>) -> Option<usize> {
        std::mem::replace(&mut self.0.borrow_mut().fuse, operations)
    }

    pub(crate) fn trouble(&self, trouble: Trouble) {
        self.0.borrow_mut().trouble = trouble;
    }

    /// The power goes: the system shows what the platter holds.
    pub(crate) fn lose_power(&self) {
        let state = &mut *self.0.borrow_mut();
        state.files.iter_mut().for_each(|file| file.lose_power(&mut state.random));
        let names: BTreeSet<String> = state.names.keys().chain(state.durable_names.keys()).cloned().collect();
        for name in names {
            if state.random.percent(50) {
                state.persist_name(&name);
            }
        }
        state.names = state.durable_names.clone();
        state.fuse = None;
        state.trouble = Trouble::default();
    }

    /// The process is killed: the system lives on, but may drop from memory whatever it takes for written.
    pub(crate) fn kill_process(&self) {
        let state = &mut *self.0.borrow_mut();
        state.files.iter_mut().for_each(|file| file.evict(&mut state.random));
        state.fuse = None;
        state.trouble = Trouble::default();
    }

    /// How often a file was synced, or was to be.
    pub(crate) fn syncs(&self) -> usize {
        self.0.borrow().syncs
    }

    /// Changes a file behind everyone's back.
    pub(crate) fn damage(&self, name: &str, damage: impl FnOnce(&mut Vec<u8>)) {
        let state = &mut *self.0.borrow_mut();
        damage(&mut state.files[state.names[name]].seen);
    }

    /// Every file as the system shows it.
    pub(crate) fn contents(&self) -> BTreeMap<String, Vec<u8>> {
        let state = self.0.borrow();
        state.names.iter().map(|(name, file)| (name.clone(), state.files[*file].seen.clone())).collect()
    }

    fn file(&self, name: &str) -> io::Result<SimulatedFile> {
        let state = &mut *self.0.borrow_mut();
        state.begin(state.trouble.reads)?;
        let file = *state.names.get(name).ok_or(io::ErrorKind::NotFound)?;
        Ok(SimulatedFile { disk: self.clone(), file })
    }
}

impl State {
    /// Counts an operation. `Err`: it fails, for `percent` in a hundred or since everything does.
    fn begin(&mut self, percent: usize) -> io::Result<()> {
        match &mut self.fuse {
            Some(0) => return Err(io::Error::other("the machine is gone")),
            Some(left) => *left -= 1,
            None => {}
        }
        if self.random.percent(percent) { Err(io::Error::other("simulated trouble")) } else { Ok(()) }
    }

    fn persist_name(&mut self, name: &str) {
        match self.names.get(name) {
            Some(file) => self.durable_names.insert(name.to_owned(), *file),
            None => self.durable_names.remove(name),
        };
    }
}

impl Contents {
    fn sector(&self, sector: usize) -> Range<usize> {
        sector * SECTOR..((sector + 1) * SECTOR).min(self.seen.len())
    }

    fn write(&mut self, bytes: &[u8], position: usize) {
        let end = position + bytes.len();
        if self.seen.len() < end {
            self.seen.resize(end, 0);
        }
        self.seen[position..end].copy_from_slice(bytes);
        self.dirty.extend(position / SECTOR..end.div_ceil(SECTOR));
    }

    fn truncate(&mut self, length: usize) {
        self.seen.truncate(length);
        self.dirty.retain(|sector| sector * SECTOR < length);
    }

    /// Copies the first `bytes` bytes of a sector to the platter.
    fn write_back(&mut self, sector: usize, bytes: usize, random: &mut Random) {
        let Range { start, end } = self.sector(sector);
        let end = end.min(start + bytes);
        if start < end {
            self.allocate(end, random);
            self.platter[start..end].copy_from_slice(&self.seen[start..end]);
        }
    }

    /// Space that was never written holds zeros, or what was there before.
    fn allocate(&mut self, length: usize, random: &mut Random) {
        let garbage = random.percent(50);
        while self.platter.len() < length {
            self.platter.push(if garbage { random.number() as u8 } else { 0 });
        }
    }

    /// Some dirty sectors, some in part, and perhaps the length reach the platter.
    fn write_back_some(&mut self, random: &mut Random) {
        for sector in self.dirty.clone() {
            match random.below(4) {
                0 | 1 => {}
                2 => self.write_back(sector, SECTOR, random),
                _ => {
                    let bytes = random.below(SECTOR);
                    self.write_back(sector, bytes, random);
                }
            }
        }
        let (low, high) = (self.durable_length.min(self.seen.len()), self.durable_length.max(self.seen.len()));
        match random.below(3) {
            0 => {}
            1 => self.durable_length = self.seen.len(),
            _ => self.durable_length = random.between(low, high),
        }
        self.allocate(self.durable_length, random);
    }

    fn sync(&mut self, random: &mut Random) {
        for sector in std::mem::take(&mut self.dirty) {
            self.write_back(sector, SECTOR, random);
            // The length follows the data.
            self.durable_length = self.durable_length.max(self.sector(sector).end);
        }
        // Shortening is durable, and what was cut off does not come back when the file grows.
        self.durable_length = self.durable_length.min(self.seen.len());
        self.platter.truncate(self.durable_length);
    }

    fn lose_power(&mut self, random: &mut Random) {
        self.write_back_some(random);
        self.dirty.clear();
        self.platter.truncate(self.durable_length);
        self.seen = self.platter.clone();
    }

    fn evict(&mut self, random: &mut Random) {
        for sector in 0..self.seen.len().min(self.durable_length) / SECTOR {
            if !self.dirty.contains(&sector) && random.percent(50) {
                let range = self.sector(sector);
                self.seen[range.clone()].copy_from_slice(&self.platter[range]);
            }
        }
    }
}

impl Disk for SimulatedDisk {
    type File = SimulatedFile;

    fn list(&self) -> io::Result<Vec<String>> {
        let state = &mut *self.0.borrow_mut();
        state.begin(state.trouble.reads)?;
        Ok(state.names.keys().cloned().collect())
    }

    fn create(&self, name: &str) -> io::Result<SimulatedFile> {
        let state = &mut *self.0.borrow_mut();
        state.begin(state.trouble.syncs)?;
        if state.names.contains_key(name) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        state.files.push(Contents::default());
        let file = state.files.len() - 1;
        state.names.insert(name.to_owned(), file);
        Ok(SimulatedFile { disk: self.clone(), file })
    }

    fn open(&self, name: &str) -> io::Result<SimulatedFile> {
        self.file(name)
    }

    fn edit(&self, name: &str) -> io::Result<SimulatedFile> {
        self.file(name)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let state = &mut *self.0.borrow_mut();
        state.begin(state.trouble.syncs)?;
        state.names.remove(name).map(drop).ok_or(io::ErrorKind::NotFound.into())
    }

    fn sync(&self) -> io::Result<()> {
        let state = &mut *self.0.borrow_mut();
        state.begin(state.trouble.syncs)?;
        state.durable_names = state.names.clone();
        Ok(())
    }

    fn path(&self, name: &str) -> PathBuf {
        PathBuf::from("simulated").join(name)
    }
}

impl DiskFile for SimulatedFile {
    fn length(&self) -> io::Result<u64> {
        let state = &mut *self.disk.0.borrow_mut();
        state.begin(state.trouble.reads)?;
        Ok(state.files[self.file].seen.len() as u64)
    }

    fn read_at(&self, buffer: &mut [u8], position: u64) -> io::Result<usize> {
        let state = &mut *self.disk.0.borrow_mut();
        state.begin(state.trouble.reads)?;
        let seen = &state.files[self.file].seen;
        let there = &seen[seen.len().min(position as usize)..];
        let mut length = there.len().min(buffer.len());
        if length > 1 && state.random.percent(10) {
            length = state.random.between(1, length);
        }
        buffer[..length].copy_from_slice(&there[..length]);
        Ok(length)
    }

    fn write_at(&self, bytes: &[u8], position: u64) -> io::Result<usize> {
        let state = &mut *self.disk.0.borrow_mut();
        let (file, random, position) = (&mut state.files[self.file], &mut state.random, position as usize);
        let mut length = bytes.len();
        let dies = state.fuse == Some(0);
        let trouble = random.percent(state.trouble.writes);
        if dies || trouble {
            length = random.below(length + 1);
        }
        let growth = (position + length).saturating_sub(file.seen.len());
        let space = state.trouble.space.unwrap_or(usize::MAX);
        let is_full = growth > space;
        length -= growth.saturating_sub(space);
        if let Some(space) = &mut state.trouble.space {
            *space = space.saturating_sub(growth);
        }
        file.write(&bytes[..length], position);
        if random.percent(20) {
            file.write_back_some(random);
        }
        state.begin(0)?;
        match length {
            0 if is_full => Err(io::ErrorKind::StorageFull.into()),
            0 => Err(io::Error::other("simulated trouble")),
            _ if trouble && state.random.percent(50) => Err(io::Error::other("simulated trouble")),
            _ => Ok(length),
        }
    }

    fn truncate(&self, length: u64) -> io::Result<()> {
        let state = &mut *self.disk.0.borrow_mut();
        state.begin(state.trouble.writes)?;
        state.files[self.file].truncate(length as usize);
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        let state = &mut *self.disk.0.borrow_mut();
        state.syncs += 1;
        let begun = state.begin(state.trouble.syncs);
        let (file, random) = (&mut state.files[self.file], &mut state.random);
        if begun.is_ok() {
            file.sync(random);
        } else if state.fuse != Some(0) {
            // Whether it was written or not, the system takes it for written.
            file.write_back_some(random);
            file.dirty.clear();
        }
        begun
    }
}
