//! The lines of a CSV file.

use std::io;

use csv::{ByteRecord, ReaderBuilder, Terminator};

/// The lines of a file that are not blank.
pub(crate) struct Lines<R> {
    reader: csv::Reader<R>,
    pub(crate) record: ByteRecord,
}

impl<R: io::Read> Lines<io::Chain<R, &'static [u8]>> {
    pub(crate) fn new(file: R) -> Self {
        let mut format = ReaderBuilder::new();
        // The reader counts lines by their feeds, so nothing else may end one; the return before it is trimmed. With
        // one more feed also the last line ends.
        format.has_headers(false).flexible(true).terminator(Terminator::Any(b'\n'));
        Self { reader: format.from_reader(file.chain(b"\n")), record: ByteRecord::new() }
    }

    /// Reads the next line into `record`; the number on which it begins, counted from 1.
    pub(crate) fn next(&mut self) -> Result<Option<u64>, csv::Error> {
        while self.reader.read_byte_record(&mut self.record)? {
            let blank = self.record.len() == 1 && self.record.as_slice().trim_ascii().is_empty();
            if !blank {
                return Ok(Some(self.line()));
            }
        }
        Ok(None)
    }

    /// The line on which the record begins. The reader tells where it began to look, which may be blank lines before,
    /// and where it is now: on the line below, unless a quote was never closed.
    fn line(&self) -> u64 {
        let inside = self.record.as_slice().iter().filter(|byte| **byte == b'\n').count() as u64;
        let looked_from = self.record.position().map_or(1, csv::Position::line);
        (self.reader.position().line().saturating_sub(1 + inside)).max(looked_from)
    }
}
