//! Campaign files on a disk.

use std::fs::{self, DirEntry, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crate::limits::{FILE_BYTES_MAX, FILES_MAX};
use crate::problem::{Problem, SourceFile};

/// What was read of campaign files.
#[derive(Debug, Default)]
pub struct FilesRead {
    /// The files. In one that is not UTF-8 the bytes that are wrong are replaced, so that the rest can be checked.
    pub files: Vec<SourceFile>,
    /// What cannot be read.
    pub problems: Vec<Problem>,
    /// Whether files are missing here: what they declare is not known.
    pub missing: bool,
}

/// Reads `paths`: files, and the files `*.yaml` and `*.yml` in directories and the directories in them, by name. What
/// begins with a dot is passed over. Reads no more than may be applied.
pub fn read_paths(paths: &[PathBuf]) -> FilesRead {
    let mut read = FilesRead::default();
    let mut files = Vec::new();
    for path in paths {
        let before = files.len();
        if !path.is_dir() {
            files.push(path.clone());
        } else if read.list(path, &mut files) && files.len() == before {
            read.miss(path, "has no files *.yaml");
        }
    }
    if let Some(path) = files.get(FILES_MAX) {
        read.miss(path, &format!("{} files: at most {FILES_MAX} can be applied at once", files.len()));
        files.clear();
    }
    files.iter().for_each(|path| read.file(path));
    read
}

impl FilesRead {
    /// Lists the files in `directory`; whether all of it could be.
    fn list(&mut self, directory: &Path, files: &mut Vec<PathBuf>) -> bool {
        let listed = fs::read_dir(directory).and_then(|entries| entries.collect::<io::Result<Vec<_>>>());
        let mut entries = match listed {
            Ok(entries) => entries,
            Err(error) => {
                self.miss(directory, &format!("cannot be read: {error}"));
                return false;
            }
        };
        entries.sort_by_key(DirEntry::file_name);
        let mut all = true;
        for entry in entries.iter().filter(|entry| !entry.file_name().as_encoded_bytes().starts_with(b".")) {
            let path = entry.path();
            let yaml = path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml");
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                all &= self.list(&path, files);
            } else if path.is_dir() {
                // It may lead back to where it stands.
                self.miss(&path, "is a link to a directory, which is not followed: name the directory itself");
                all = false;
            } else if yaml {
                files.push(path);
            }
        }
        all
    }

    fn file(&mut self, path: &Path) {
        let mut bytes = Vec::new();
        let one_more = FILE_BYTES_MAX as u64 + 1;
        if let Err(error) = File::open(path).and_then(|file| file.take(one_more).read_to_end(&mut bytes)) {
            return self.miss(path, &format!("cannot be read: {error}"));
        }
        if bytes.len() > FILE_BYTES_MAX {
            return self.miss(path, &format!("a file may have {FILE_BYTES_MAX} bytes"));
        }
        if let Err(error) = str::from_utf8(&bytes) {
            let (line, column) = end_of(&String::from_utf8_lossy(&bytes[..error.valid_up_to()]));
            self.problems.push(problem(path, line, column, "a byte here is not UTF-8"));
        }
        self.files
            .push(SourceFile { name: path.display().to_string(), text: String::from_utf8_lossy(&bytes).into_owned() });
    }

    /// Notes what is not there.
    fn miss(&mut self, path: &Path, message: &str) {
        self.problems.push(problem(path, 1, 1, message));
        self.missing = true;
    }
}

/// Where the text that ends here ends: line and column in characters, from 1.
fn end_of(text: &str) -> (usize, usize) {
    let line = text.rsplit('\n').next().unwrap_or_default();
    (text.matches('\n').count() + 1, line.chars().count() + 1)
}

fn problem(path: &Path, line: usize, column: usize, message: &str) -> Problem {
    let number = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
    Problem {
        file: path.display().to_string(),
        line: number(line),
        column: number(column),
        path: String::new(),
        message: message.to_owned(),
    }
}
