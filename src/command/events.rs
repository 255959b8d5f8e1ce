//! `vernier events cat`: a stream as JSON, while processes write to it or not: from the data directory, or from Kafka.

use std::io::{BufWriter, ErrorKind, StdoutLock, Write};

use event_log::{Offset, ReadError, Record, Stream};

use super::streams::Streams;
use crate::config::Config;

/// Prints every record of `stream` from offset `from` on, one a line; of several partitions as they arrive.
pub(crate) fn cat(config: &Config, stream: &str, from: u64) -> Result<(), String> {
    let found = Stream::of_name(stream).ok_or_else(|| {
        let names: Vec<&str> = Stream::ALL.iter().map(|stream| stream.name()).collect();
        format!("no stream \"{stream}\"; there are: {}", names.join(", "))
    })?;
    let streams = Streams::open(config)?;
    let mut out = BufWriter::new(std::io::stdout().lock());
    let printed = streams.read(found, Offset(from), None, |record| print(found, record, &mut out));
    match printed.and_then(|_| out.flush().map_err(Unprinted::Out)) {
        // The reader of a pipe has seen enough.
        Err(Unprinted::Out(problem)) if problem.kind() == ErrorKind::BrokenPipe => Ok(()),
        Err(Unprinted::Out(problem)) => Err(problem.to_string()),
        Err(Unprinted::Stream(problem)) => Err(problem),
        Ok(()) => Ok(()),
    }
}

/// What kept a record from being printed.
enum Unprinted {
    Stream(String),
    Out(std::io::Error),
}

impl From<ReadError> for Unprinted {
    fn from(problem: ReadError) -> Self {
        Self::Stream(problem.to_string())
    }
}

fn print(stream: Stream, record: &Record, out: &mut BufWriter<StdoutLock<'_>>) -> Result<(), Unprinted> {
    let json = proto::json::to_json(stream.name(), &record.key, &record.value)
        .map_err(|problem| Unprinted::Stream(format!("offset {}: {problem}", record.offset)))?;
    writeln!(out, "{json}").map_err(Unprinted::Out)
}
