//! Every bound of the streams, in one place.

use std::time::Duration;

/// The largest record, key and value together, in bytes. A Kafka broker takes batches of 1 MiB unless told otherwise
/// (`message.max.bytes`), and every record must fit both implementations.
pub const RECORD_BYTES_MAX: usize = 1_000_000;

/// The largest batch of records as it is written, in bytes.
pub const BATCH_BYTES_MAX: usize = 16 * 1024 * 1024;

/// The most that is written before it is synced, in bytes. Recovery relies on it: no more than this can be missing or
/// torn at the end of a file, so damage further from the end is refused, not cut off. A later version may raise it,
/// but never lower it.
pub const GROUP_BYTES_MAX: usize = 16 * 1024 * 1024;

/// The most that waits to be written, in bytes of one stream. Above it appends are refused.
pub const QUEUE_BYTES_MAX: usize = 32 * 1024 * 1024;

/// The most appends of one stream that wait to be written. Above it appends are refused.
pub const QUEUE_APPENDS_MAX: usize = 65_536;

/// Telemetry that fills this much of its queue, in bytes, is written before its interval is over.
pub const TELEMETRY_QUEUE_BYTES: usize = 4 * 1024 * 1024;

/// Telemetry that fills this many places of its queue is written before its interval is over.
pub const TELEMETRY_QUEUE_APPENDS: usize = 16_384;

/// How long telemetry is gathered before it is written and synced.
pub const TELEMETRY_SYNC_INTERVAL: Duration = Duration::from_secs(1);

/// A segment file that would grow above this many bytes is followed by a new one.
pub const SEGMENT_BYTES: u64 = 64 * 1024 * 1024;

/// How much of each telemetry stream is kept at least, in bytes; on the disk there is up to a segment more.
pub const RETENTION_BYTES: u64 = 1024 * 1024 * 1024;

/// One read ends with the batch that reaches this many bytes.
pub const READ_BYTES: usize = 256 * 1024;

/// One read ends with the batch that reaches this many records.
pub const READ_RECORDS: usize = 4_096;

/// How much of a file is asked for at once, in bytes; more where one batch is larger.
pub const READ_AHEAD_BYTES: usize = 64 * 1024;

/// The bytes of one segment file of the notices that wait for Kafka.
pub const SPOOL_SEGMENT_BYTES: u64 = 8 * 1024 * 1024;

/// How long a single append to Kafka may take. Later it is answered with an error.
pub const KAFKA_APPEND_TIMEOUT: Duration = Duration::from_secs(5);

/// How long an append to Kafka that somebody waits for is held back, so that others go with it.
pub const KAFKA_APPEND_LINGER: Duration = Duration::from_millis(1);

/// How much later an answer of Kafka is heard than it is there, at most.
pub const KAFKA_ANSWER_PAUSE: Duration = Duration::from_millis(1);

/// How long telemetry is held back: the fewer batches, the less each record costs.
pub const KAFKA_TELEMETRY_LINGER: Duration = Duration::from_millis(250);

/// How long closing waits for Kafka to take what is queued.
pub const KAFKA_CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

/// The longest pause before a Kafka server that is away is tried again.
pub const KAFKA_RECONNECT_MAX: Duration = Duration::from_secs(1);

/// A client that cannot connect says so no more often than this.
pub const KAFKA_SAID_INTERVAL: Duration = Duration::from_secs(10);

/// How long a transaction may take before the servers end it, which is also how long one that its writer left open can
/// keep readers waiting.
pub const KAFKA_TRANSACTION_TIMEOUT: Duration = Duration::from_secs(20);

/// How long a writer tries to have a batch in Kafka. Later nobody knows whether it is there, and the writer takes no more:
/// whoever waits must be able to do something else, such as end.
pub const KAFKA_WRITE_TIMEOUT: Duration = Duration::from_secs(20);

/// How long a member of a group may say nothing before its partitions go to others. Kafka allows no less, unless its servers
/// are set otherwise (`group.min.session.timeout.ms`).
pub const KAFKA_SESSION_TIMEOUT: Duration = Duration::from_secs(6);

/// How often a member says that it is there, and hears that partitions are to be shared anew.
pub const KAFKA_HEARTBEAT: Duration = Duration::from_secs(1);

/// The most batches that wait for one writer to Kafka.
pub const WRITER_BATCHES_MAX: usize = 1_024;

// A record fits a batch, a batch a group, a group the queue.
const _: () = assert!(RECORD_BYTES_MAX < BATCH_BYTES_MAX);
const _: () = assert!(BATCH_BYTES_MAX <= GROUP_BYTES_MAX);
const _: () = assert!(GROUP_BYTES_MAX <= QUEUE_BYTES_MAX);
// On a crash no more is lost than where telemetry goes to files.
const _: () = assert!(KAFKA_TELEMETRY_LINGER.as_millis() < TELEMETRY_SYNC_INTERVAL.as_millis());
// Telemetry is written while there is still room for what comes during the write.
const _: () = assert!(2 * TELEMETRY_QUEUE_BYTES <= QUEUE_BYTES_MAX);
const _: () = assert!(2 * TELEMETRY_QUEUE_APPENDS <= QUEUE_APPENDS_MAX);
// What is removed first is a whole segment, so several must fit what is kept.
const _: () = assert!(4 * SEGMENT_BYTES <= RETENTION_BYTES);
// One that is lost matters little.
const _: () = assert!(3 * KAFKA_HEARTBEAT.as_millis() <= KAFKA_SESSION_TIMEOUT.as_millis());
// Lengths and counts are written as 32 bits.
const _: () = assert!(BATCH_BYTES_MAX < u32::MAX as usize);
