//! What several targets check.

use csv::{ByteRecord, ReaderBuilder};
use ledger::limits::{CELL_CHARS_SHOWN_MAX, MISTAKES_LISTED_MAX};

/// How long a mistake may be, in characters: what is shown of the file, and what we say.
const MISTAKE_CHARS_MAX: usize = CELL_CHARS_SHOWN_MAX + 160;

/// Mistakes in a CSV file are told one a line, within bounds and the file, and as a terminal can show them.
pub fn are_well_told(mistakes: &str, file: &[u8]) {
    let lines_of_file = 1 + file.iter().filter(|byte| **byte == b'\n').count();
    let mistakes: Vec<&str> = mistakes.split('\n').collect();
    assert!(mistakes.len() <= MISTAKES_LISTED_MAX + 1);
    for (at, mistake) in mistakes.iter().enumerate() {
        assert!(mistake.chars().count() <= MISTAKE_CHARS_MAX && !mistake.contains(char::is_control), "{mistake}");
        let Some(place) = mistake.strip_prefix("line ") else {
            assert!(at == MISTAKES_LISTED_MAX && mistake.starts_with("and "), "{mistake}");
            continue;
        };
        let number: String = place.chars().take_while(char::is_ascii_digit).collect();
        assert!((1..=lines_of_file).contains(&number.parse().expect("a line")), "{mistake}");
    }
}

/// The lines of a CSV file that are not blank, its header first, as a reader has them that knows nothing of what they say.
pub fn lines(file: &[u8]) -> Vec<ByteRecord> {
    let reader = ReaderBuilder::new().has_headers(false).flexible(true).from_reader(file);
    let lines = reader.into_byte_records().map(|line| line.expect("nothing else than memory is read"));
    lines.filter(|line| line.len() > 1 || !line.as_slice().trim_ascii().is_empty()).collect()
}
