//! Campaign files on a disk.

use std::fs;

use control_plane::read_paths;

#[test]
fn a_directory_is_its_yaml_files_by_name() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = |name: &str| directory.path().join(name);
    for name in ["b.yaml", "a.yml", "notes.txt", "deeper.yaml/c.yaml"] {
        fs::create_dir_all(path(name).parent().expect("it has one")).expect("it can be made");
        fs::write(path(name), name).expect("it can be written");
    }
    let files = read_paths(&[directory.path().to_owned(), path("notes.txt")]).expect("all can be read");
    let texts: Vec<&str> = files.iter().map(|file| file.text.as_str()).collect();
    assert_eq!(texts, ["a.yml", "b.yaml", "notes.txt"]);
    assert_eq!(files[1].name, path("b.yaml").display().to_string());
}

#[test]
fn everything_that_cannot_be_read_is_listed() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = |name: &str| directory.path().join(name);
    fs::create_dir(path("empty")).expect("it can be made");
    fs::write(path("large"), vec![b'#'; 1024 * 1024 + 1]).expect("it can be written");
    fs::write(path("latin"), b"caf\xe9").expect("it can be written");
    let paths = ["empty", "none", "large", "latin"].map(path);
    let problems = read_paths(&paths).expect_err("none can be read");
    let messages: Vec<&str> = problems.iter().map(|problem| problem.message.as_str()).collect();
    assert_eq!(
        messages,
        [
            "has no files *.yaml",
            "cannot be read: No such file or directory (os error 2)",
            "a file may have 1048576 bytes",
            "is not UTF-8: incomplete utf-8 byte sequence from index 3",
        ]
    );
}
