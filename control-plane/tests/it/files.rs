//! Campaign files on a disk.

use std::fs;

use control_plane::{FilesRead, Problem, SourceFile, check, check_part, read_paths};

/// Makes files with these names and texts and reads `paths`.
fn read(files: &[(&str, &[u8])], paths: &[&str]) -> (Vec<SourceFile>, Vec<String>, bool) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = |name: &str| directory.path().join(name);
    for (name, text) in files {
        fs::create_dir_all(path(name).parent().expect("it has one")).expect("it can be made");
        fs::write(path(name), text).expect("it can be written");
    }
    let paths: Vec<_> = paths.iter().map(|name| path(name)).collect();
    let FilesRead { mut files, problems, missing } = read_paths(&paths);
    let prefix = format!("{}/", directory.path().display());
    let plain = |text: &str| text.strip_prefix(&prefix).unwrap_or(text).to_owned();
    files.iter_mut().for_each(|file| file.name = plain(&file.name));
    (files, problems.iter().map(|problem| plain(&problem.to_string())).collect(), missing)
}

#[test]
fn a_directory_is_its_yaml_files_by_name_and_those_of_its_directories() {
    let names = ["b.yaml", "a.yml", "notes.txt", "deeper.yaml/c.yaml", "a/z/d.yaml", ".git/e.yaml", ".f.yaml"];
    let files = names.map(|name| (name, name.as_bytes()));
    let (files, problems, missing) = read(&files, &["", "notes.txt"]);
    let texts: Vec<&str> = files.iter().map(|file| file.text.as_str()).collect();
    assert_eq!(texts, ["a/z/d.yaml", "a.yml", "b.yaml", "deeper.yaml/c.yaml", "notes.txt"]);
    assert_eq!(files[2].name, "b.yaml");
    assert_eq!((problems, missing), (Vec::new(), false));
}

#[test]
fn everything_that_cannot_be_read_is_listed_and_the_rest_is_read() {
    let large = vec![b'#'; 1024 * 1024 + 1];
    let files = [("large", &*large), ("latin", b"a\n\xc3\xa9caf\xe9 b"), ("empty/x", b""), ("right.yaml", b"x: y")];
    let (files, problems, missing) = read(&files, &["empty", "none", "large", "latin", "right.yaml"]);
    assert_eq!(
        problems,
        [
            "empty:1:1: has no files *.yaml",
            "none:1:1: cannot be read: No such file or directory (os error 2)",
            "large:1:1: a file may have 1048576 bytes",
            "latin:2:5: a byte here is not UTF-8",
        ]
    );
    let texts: Vec<&str> = files.iter().map(|file| file.text.as_str()).collect();
    assert_eq!(texts, ["a\n\u{e9}caf\u{fffd} b", "x: y"]);
    assert!(missing);
    let (_, problems, missing) = read(&[("latin", b"\xff")], &["latin"]);
    assert_eq!((problems.len(), missing), (1, false));
}

#[test]
fn a_link_to_a_directory_is_named() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    fs::write(directory.path().join("a.yaml"), "a").expect("it can be written");
    std::os::unix::fs::symlink(directory.path(), directory.path().join("back")).expect("it can be made");
    let read = read_paths(&[directory.path().to_owned()]);
    assert_eq!((read.files.len(), read.problems.len(), read.missing), (1, 1, true));
    assert!(read.problems[0].file.ends_with("back"), "{}", read.problems[0]);
}

#[test]
fn names_may_be_declared_in_what_is_missing() {
    let text = "campaign: a\nadvertiser: nobody\n";
    let files = [SourceFile { name: "f".into(), text: text.into() }];
    let unknown = |problems: Vec<Problem>| problems.iter().any(|problem| problem.message.contains("no advertiser"));
    assert!(unknown(check(&files)));
    assert!(!unknown(check_part(&files)) && !check_part(&files).is_empty());
    assert_eq!(check_part(&[]), []);
}
