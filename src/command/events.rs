//! `vernier events cat`: a stream as JSON, while processes write to it or not: from the data directory, or from Kafka.

use std::collections::BTreeMap;
use std::io::{BufWriter, ErrorKind, StdoutLock, Write};

use event_log::{
    EventLog, KafkaLog, KafkaOptions, Notices, Offset, Offsets, ReadError, Record, Stream, block_on, read_directory,
};

use crate::config::Config;

/// Prints every record of `stream` from offset `from` on, one a line; of several partitions as they arrive.
pub(crate) fn cat(config: &Config, stream: &str, from: u64) -> Result<(), String> {
    let found = Stream::of_name(stream).ok_or_else(|| {
        let names: Vec<&str> = Stream::ALL.iter().map(|stream| stream.name()).collect();
        format!("no stream \"{stream}\"; there are: {}", names.join(", "))
    })?;
    let mut out = BufWriter::new(std::io::stdout().lock());
    let printed = match &config.kafka {
        Some(kafka) => of_kafka(kafka, found, from, &mut out),
        None => of_files(config, found, from, &mut out),
    };
    match printed.and_then(|()| out.flush().map_err(Unprinted::Out)) {
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

fn of_files(config: &Config, stream: Stream, from: u64, out: &mut BufWriter<StdoutLock<'_>>) -> Result<(), Unprinted> {
    for record in read_directory(&config.events.dir, stream, Offset(from))? {
        print(stream, &record?, out)?;
    }
    Ok(())
}

/// What is there now.
fn of_kafka(
    kafka: &KafkaOptions,
    stream: Stream,
    from: u64,
    out: &mut BufWriter<StdoutLock<'_>>,
) -> Result<(), Unprinted> {
    // Who only reads makes no topics.
    let log = KafkaLog::open(KafkaOptions { notices: Notices::Broker, topics: BTreeMap::new(), ..kafka.clone() });
    let log = EventLog::from(log.map_err(|problem| Unprinted::Stream(problem.to_string()))?);
    let (starts, ends) = (block_on(log.starts(stream))?, block_on(log.ends(stream))?);
    let within = |(partition, end): (_, Offset)| Offset(from).max(starts.of(partition)).min(end);
    let begin: Offsets = ends.iter().map(within).collect();
    let mut tail = log.read_from(stream, &begin);
    block_on(tail.read_to(&ends, |records| {
        let there = |record: &&Record| record.offset < ends.of(record.partition);
        records.iter().filter(there).try_for_each(|record| print(stream, record, out))
    }))
}

fn print(stream: Stream, record: &Record, out: &mut BufWriter<StdoutLock<'_>>) -> Result<(), Unprinted> {
    let json = proto::json::to_json(stream.name(), &record.key, &record.value)
        .map_err(|problem| Unprinted::Stream(format!("offset {}: {problem}", record.offset)))?;
    writeln!(out, "{json}").map_err(Unprinted::Out)
}
