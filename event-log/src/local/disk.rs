//! What the log asks of a disk: little enough that a simulation can forget and tear everything a real one may.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// One directory. Files and names are durable only once synced; what was not may be lost in any part and any order.
pub(crate) trait Disk: Clone {
    type File: DiskFile;

    /// The names of the files.
    fn list(&self) -> io::Result<Vec<String>>;
    /// Creates an empty file, which must not exist.
    fn create(&self, name: &str) -> io::Result<Self::File>;
    /// Opens a file for reading.
    fn open(&self, name: &str) -> io::Result<Self::File>;
    /// Opens a file for reading and writing.
    fn edit(&self, name: &str) -> io::Result<Self::File>;
    /// Removes a file. Who has it open can go on reading it.
    fn remove(&self, name: &str) -> io::Result<()>;
    /// Makes creations and removals durable.
    fn sync(&self) -> io::Result<()>;
    /// How to call a file in messages.
    fn path(&self, name: &str) -> PathBuf;
}

/// One open file.
pub(crate) trait DiskFile {
    /// Its length in bytes.
    fn length(&self) -> io::Result<u64>;
    /// Reads at most `buffer.len()` bytes at `position`; 0 only at the end of the file.
    fn read_at(&self, buffer: &mut [u8], position: u64) -> io::Result<usize>;
    /// Writes at least one and at most all of `bytes` at `position`.
    fn write_at(&self, bytes: &[u8], position: u64) -> io::Result<usize>;
    /// Shortens it to `length` bytes.
    fn truncate(&self, length: u64) -> io::Result<()>;
    /// Makes its length and its bytes durable.
    fn sync(&self) -> io::Result<()>;
}

/// Writes all of `bytes` at `position`.
pub(crate) fn write_all_at(file: &impl DiskFile, mut bytes: &[u8], mut position: u64) -> io::Result<()> {
    while !bytes.is_empty() {
        match file.write_at(bytes, position) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => {
                bytes = &bytes[written..];
                position += written as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// A directory of the operating system.
#[derive(Clone, Debug)]
pub(crate) struct Directory(pub(crate) PathBuf);

impl Directory {
    /// Creates `path` and what is missing above it, durably.
    pub(crate) fn create_all(path: &Path) -> io::Result<Self> {
        if !path.is_dir() {
            match path.parent() {
                Some(parent) if parent != Path::new("") => {
                    Self::create_all(parent)?;
                    fs::create_dir(path)?;
                    File::open(parent)?.sync_all()?;
                }
                _ => {
                    fs::create_dir(path)?;
                    File::open(".")?.sync_all()?;
                }
            }
        }
        Ok(Self(path.to_owned()))
    }
}

impl Disk for Directory {
    type File = File;

    fn list(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.0).map_err(in_path(&self.0))? {
            // A name that is not text is not one of ours.
            names.extend(entry?.file_name().into_string());
        }
        Ok(names)
    }

    fn create(&self, name: &str) -> io::Result<File> {
        let path = self.path(name);
        OpenOptions::new().read(true).write(true).create_new(true).open(&path).map_err(in_path(&path))
    }

    fn open(&self, name: &str) -> io::Result<File> {
        let path = self.path(name);
        File::open(&path).map_err(in_path(&path))
    }

    fn edit(&self, name: &str) -> io::Result<File> {
        let path = self.path(name);
        OpenOptions::new().read(true).write(true).open(&path).map_err(in_path(&path))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let path = self.path(name);
        fs::remove_file(&path).map_err(in_path(&path))
    }

    fn sync(&self) -> io::Result<()> {
        File::open(&self.0)?.sync_all().map_err(in_path(&self.0))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

/// Names the file in an error; its kind stays.
fn in_path(path: &Path) -> impl FnOnce(io::Error) -> io::Error {
    move |error| io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

impl DiskFile for File {
    fn length(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }

    fn read_at(&self, buffer: &mut [u8], position: u64) -> io::Result<usize> {
        FileExt::read_at(self, buffer, position)
    }

    fn write_at(&self, bytes: &[u8], position: u64) -> io::Result<usize> {
        FileExt::write_at(self, bytes, position)
    }

    fn truncate(&self, length: u64) -> io::Result<()> {
        self.set_len(length)
    }

    fn sync(&self) -> io::Result<()> {
        self.sync_data()
    }
}
