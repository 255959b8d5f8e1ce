//! The streams of an installation, for commands that only read: from the data directory, while a process writes to it
//! or not, or from Kafka.

use std::collections::BTreeMap;
use std::path::PathBuf;

use event_log::{
    EventLog, KafkaLog, KafkaOptions, Notices, Offset, Offsets, ReadError, Record, Stream, block_on, read_directory,
};

use crate::config::Config;

/// Where the streams are.
pub(crate) enum Streams {
    Files(PathBuf),
    Kafka(EventLog),
}

/// What was read of a stream.
pub(crate) struct Extent {
    /// Whether older records are no longer kept.
    pub(crate) trimmed: bool,
    /// Behind the last records.
    pub(crate) ends: Offsets,
}

impl Streams {
    /// Those of a configuration.
    ///
    /// # Errors
    /// A sentence, where Kafka does not serve.
    pub(crate) fn open(config: &Config) -> Result<Self, String> {
        let Some(kafka) = &config.kafka else { return Ok(Self::Files(config.events.dir.clone())) };
        // Who only reads makes no topics.
        let options = KafkaOptions { notices: Notices::Broker, topics: BTreeMap::new(), ..kafka.clone() };
        KafkaLog::open(options).map(|log| Self::Kafka(log.into())).map_err(|problem| problem.to_string())
    }

    /// Reads `stream` from offset `from` of each partition to `to`, or to where it ends now; several partitions as they
    /// arrive.
    ///
    /// # Errors
    /// The stream cannot be read, or `each` refuses.
    pub(crate) fn read<E: From<ReadError>>(
        &self,
        stream: Stream,
        from: Offset,
        to: Option<&Offsets>,
        mut each: impl FnMut(&Record) -> Result<(), E>,
    ) -> Result<Extent, E> {
        match self {
            Self::Files(directory) => {
                let (mut first, mut end) = (None, from);
                for record in read_directory(directory, stream, from)? {
                    let record = record?;
                    if to.is_some_and(|to| record.offset >= to.of(record.partition)) {
                        break;
                    }
                    first = first.or(Some(record.offset));
                    end = Offset(record.offset.0 + 1);
                    each(&record)?;
                }
                Ok(Extent { trimmed: first.is_some_and(|first| first > from), ends: end.into() })
            }
            Self::Kafka(log) => {
                let starts = block_on(log.starts(stream))?;
                let ends = to.map_or_else(|| block_on(log.ends(stream)), |to| Ok(to.clone()))?;
                let within = |(partition, end): (_, Offset)| from.max(starts.of(partition)).min(end);
                let begin: Offsets = ends.iter().map(within).collect();
                let mut tail = log.read_from(stream, &begin);
                block_on(tail.read_to(&ends, |records| {
                    let there = |record: &&Record| record.offset < ends.of(record.partition);
                    records.iter().filter(there).try_for_each(&mut each)
                }))?;
                Ok(Extent { trimmed: starts.iter().any(|(_, start)| start > from), ends })
            }
        }
    }
}
