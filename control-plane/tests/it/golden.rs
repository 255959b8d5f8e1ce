//! `tests/golden/NAME.yaml` has exactly the problems in `NAME.problems`.

use std::fs;
use std::path::Path;

use control_plane::{SourceFile, check};

#[test]
fn every_problem_is_listed_with_its_place() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let mut names: Vec<String> = fs::read_dir(&directory)
        .expect("the folder is part of the source")
        .map(|entry| entry.expect("it can be listed").file_name().into_string().expect("names are ASCII"))
        .filter_map(|name| name.strip_suffix(".yaml").map(str::to_owned))
        .collect();
    names.sort();
    assert!(names.len() >= 10);
    let mut wrong = String::new();
    for name in names {
        let read = |suffix: &str| fs::read_to_string(directory.join(format!("{name}.{suffix}"))).unwrap_or_default();
        let found = check(&[SourceFile { name: format!("{name}.yaml"), text: read("yaml") }]);
        let found: String = found.iter().map(|problem| format!("{problem}\n")).collect();
        if found != read("problems") {
            wrong += &format!("== {name}.problems should be\n{}== but is\n{found}", read("problems"));
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}
