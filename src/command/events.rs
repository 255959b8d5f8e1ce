//! `vernier events cat`: a stream as JSON, read from the data directory, while a process writes to it or not.

use std::io::{ErrorKind, Write};
use std::path::Path;

use event_log::{Offset, Stream, read_directory};

/// Prints every record of `stream` from offset `from` on, one a line.
pub(crate) fn cat(dir: &Path, stream: &str, from: u64) -> Result<(), String> {
    let found = Stream::of_name(stream).ok_or_else(|| {
        let names: Vec<&str> = Stream::ALL.iter().map(|stream| stream.name()).collect();
        format!("no stream \"{stream}\"; there are: {}", names.join(", "))
    })?;
    let records = read_directory(dir, found, Offset(from)).map_err(|problem| problem.to_string())?;
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    for record in records {
        let record = record.map_err(|problem| problem.to_string())?;
        let json = proto::json::to_json(found.name(), &record.key, &record.value)
            .map_err(|problem| format!("offset {}: {problem}", record.offset.0))?;
        match writeln!(out, "{json}") {
            // The reader of a pipe has seen enough.
            Err(problem) if problem.kind() == ErrorKind::BrokenPipe => return Ok(()),
            written => written.map_err(|problem| problem.to_string())?,
        }
    }
    out.flush()
        .or_else(|problem| if problem.kind() == ErrorKind::BrokenPipe { Ok(()) } else { Err(problem.to_string()) })
}
