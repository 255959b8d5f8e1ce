//! Any campaign file: every problem is within the file and within bounds, and moves with the text by which it stands.
#![no_main]

use control_plane::limits::{MESSAGE_CHARS_MAX, PROBLEMS_MAX};
use control_plane::{Problem, SourceFile, check};

fn problems(text: String) -> Vec<Problem> {
    check(&[SourceFile { name: "campaigns.yaml".into(), text }])
}

fn within_bounds(problem: &Problem, text: &str) {
    // The parser ends lines at carriage returns too, and its last place may be behind the last line.
    let lines = 2 + text.bytes().filter(|byte| matches!(byte, b'\n' | b'\r')).count();
    let columns = 2 + text.split(['\n', '\r']).map(|line| line.chars().count()).max().unwrap_or(0);
    assert_eq!(problem.file, "campaigns.yaml");
    assert!((1..=lines).contains(&(problem.line as usize)), "{problem}");
    assert!((1..=columns).contains(&(problem.column as usize)), "{problem}");
    for shown in [&problem.path, &problem.message] {
        assert!(shown.chars().count() <= MESSAGE_CHARS_MAX && !shown.chars().any(char::is_control), "{problem}");
    }
}

libfuzzer_sys::fuzz_target!(|text: &str| {
    let found = problems(text.to_owned());
    assert!(found.len() <= PROBLEMS_MAX + 1);
    assert!(found.is_sorted_by_key(|problem| (problem.line, problem.column)));
    found.iter().for_each(|problem| within_bounds(problem, text));

    // A comment above it changes nothing but the lines. A byte order mark is one only at the start.
    if text.starts_with('\u{feff}') {
        return;
    }
    let below = problems(format!("# comment\n{text}"));
    let places = |found: &[Problem], down: u32| {
        let place = |problem: &Problem| (problem.line + down, problem.column, problem.path.clone());
        found.iter().filter(|problem| !is_at_the_start(problem, down)).map(place).collect::<Vec<_>>()
    };
    assert_eq!(places(&found, 1), places(&below, 0));
});

/// Whether a problem may concern all files: those stand at the start of the first and do not move.
fn is_at_the_start(problem: &Problem, down: u32) -> bool {
    problem.path.is_empty() && problem.column == 1 && problem.line + down <= 2
}
