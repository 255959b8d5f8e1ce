//! Campaign files on a disk.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crate::limits::{FILE_BYTES_MAX, FILES_MAX};
use crate::problem::{Problem, SourceFile};

/// Reads `paths`: files, and the files `*.yaml` and `*.yml` right in directories, by name. Reads no more than may be
/// applied.
///
/// # Errors
/// Every file that cannot be read, is too large, or is not UTF-8; a directory without such files.
pub fn read_paths(paths: &[PathBuf]) -> Result<Vec<SourceFile>, Vec<Problem>> {
    let mut problems = Vec::new();
    let mut files = Vec::new();
    for path in paths {
        let listed = if path.is_dir() { list(path) } else { Ok(vec![path.clone()]) };
        match listed {
            Ok(listed) if listed.is_empty() => problems.push(problem(path, "has no files *.yaml")),
            Ok(listed) => files.extend(listed),
            Err(error) => problems.push(problem(path, &format!("cannot be read: {error}"))),
        }
    }
    if files.len() > FILES_MAX {
        let message = format!("{} files: at most {FILES_MAX} can be applied at once", files.len());
        return Err(vec![problem(&files[FILES_MAX], &message)]);
    }
    let mut sources = Vec::new();
    for path in &files {
        match read(path) {
            Ok(source) => sources.push(source),
            Err(message) => problems.push(problem(path, &message)),
        }
    }
    if problems.is_empty() { Ok(sources) } else { Err(problems) }
}

fn list(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        let yaml = path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml");
        if yaml && path.is_file() {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn read(path: &Path) -> Result<SourceFile, String> {
    let cannot = |error: io::Error| format!("cannot be read: {error}");
    let mut bytes = Vec::new();
    let one_more = FILE_BYTES_MAX as u64 + 1;
    File::open(path).map_err(cannot)?.take(one_more).read_to_end(&mut bytes).map_err(cannot)?;
    if bytes.len() > FILE_BYTES_MAX {
        return Err(format!("a file may have {FILE_BYTES_MAX} bytes"));
    }
    let text = String::from_utf8(bytes).map_err(|error| format!("is not UTF-8: {}", error.utf8_error()))?;
    Ok(SourceFile { name: path.display().to_string(), text })
}

fn problem(path: &Path, message: &str) -> Problem {
    let file = path.display().to_string();
    Problem { file, line: 1, column: 1, path: String::new(), message: message.to_owned() }
}
