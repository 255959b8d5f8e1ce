//! Every bound of this crate, in one place. Changing one is a design decision.

use std::time::Duration;

use decision::campaign::limits::{CAP_COUNT_MAX, CAP_WINDOW_S_MAX};

/// Ids of one person that are looked up or written together.
pub const IDS_MAX: usize = 8;
/// Memberships of one person.
pub const MEMBERSHIPS_MAX: usize = 1_024;
/// Times that one scope of a person's caps holds: as many as the largest cap needs.
pub const CAP_TIMES_MAX: usize = CAP_COUNT_MAX as usize;
/// Seconds after which an impression is in no window any more.
pub const CAP_TIMES_S_MAX: u32 = CAP_WINDOW_S_MAX;
/// Impressions of one person that can still change (open, or remembered so that a repeated notice counts once). Above
/// it the least useful is forgotten, and that is counted.
pub const OPEN_IMPRESSIONS_MAX: usize = 256;
/// Scopes of one person's caps. A person who saw this many campaigns in thirty days is none; above it the scope whose
/// newest impression is oldest is forgotten.
pub const CAP_SCOPES_MAX: usize = 1_024;

/// Parts of the map of records, each behind its own lock. So many that one part is short to sweep.
pub const SHARDS: usize = 4_096;
/// Longest time for which changed caps are in memory only.
pub const CAPS_PERSIST_INTERVAL: Duration = Duration::from_millis(500);
/// Records in one write to the disk.
pub const WRITE_RECORDS_MAX: usize = 8_192;
/// Bytes of the disk store's memtable. Reads never use it, so it need not be large.
pub const MEMTABLE_BYTES: u64 = 16 * 1024 * 1024;
/// Bytes of the disk store's block cache, which serves only the load at start.
pub const BLOCK_CACHE_BYTES: u64 = 8 * 1024 * 1024;

/// How long a connection to Redis may take to come about.
pub const REDIS_CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
/// How long a write to Redis may take, after which it may or may not have been made. Look-ups have their own time.
pub const REDIS_RESPONSE_TIMEOUT: Duration = Duration::from_secs(2);
/// Look-ups of one core that wait for Redis. One more would wait behind them: its person is taken for unknown.
pub const REDIS_IN_FLIGHT_MAX: usize = 1_024;
/// A clock that rings later than this tells of a busy core and not of Redis. It is exact to a millisecond.
pub const REDIS_CLOCK_LATE: Duration = Duration::from_millis(3);
/// Look-ups that fail one after the other until Redis is given up for a while.
pub const REDIS_FAILURES_MAX: u32 = 16;
/// And the time for which they do so at least.
pub const REDIS_FAILING_MIN: Duration = Duration::from_millis(100);
/// The same where it may have been a busy core that did not read the answers.
pub const REDIS_FAILING_BUSY_MIN: Duration = Duration::from_secs(1);
/// How often it is then asked whether it is there again.
pub const REDIS_MEND_INTERVAL: Duration = Duration::from_millis(200);
/// While Redis cannot be used, it is told why no more often than this.
pub const REDIS_SAID_INTERVAL: Duration = Duration::from_secs(10);
/// Parts of the keys of a cluster that are given up apart from one another.
pub const REDIS_REGIONS: usize = 16;
/// Times that a change is made again because another writer was faster.
pub const REDIS_SWAPS_MAX: usize = 256;
/// Events that wait to be counted, by id; further ones are lost, and counted as such.
pub const REDIS_COUNTS_QUEUED_MAX: usize = 65_536;
/// How long events are gathered before they are counted: a fraction of the time after which a person comes again.
pub const REDIS_COUNT_INTERVAL: Duration = Duration::from_millis(20);
/// Events that are counted together.
pub const REDIS_COUNT_BATCH_MAX: usize = 512;
/// Seconds for which a person who is in no segment is remembered at least.
pub const REDIS_TOMBSTONE_S: u64 = 24 * 3_600;

/// Bytes of one line of an import.
pub const IMPORT_LINE_BYTES_MAX: usize = 16 * 1024;
/// Bytes of one id in an import.
pub const IMPORT_ID_BYTES_MAX: usize = 512;
/// Bytes of a segment's name in an import.
pub const IMPORT_SEGMENT_BYTES_MAX: usize = 128;
/// Lines of an import that become durable together.
pub const IMPORT_BATCH_LINES: usize = 1_000;
/// Answers of an import that wait for a slow client, before the import waits for it.
pub const IMPORT_ANSWERS_QUEUED_MAX: usize = 64;

// The counter of a scope's times and the number that a cap needs are bytes of the record.
const _: () = assert!(CAP_TIMES_MAX <= u8::MAX as usize);
// A shard is picked by two bytes of the id's hash.
const _: () = assert!(SHARDS.is_power_of_two() && SHARDS <= 1 << 16);
// The largest line that is not refused for one of its parts fits.
const _: () = assert!(IDS_MAX * IMPORT_ID_BYTES_MAX + IMPORT_SEGMENT_BYTES_MAX + 1_024 <= IMPORT_LINE_BYTES_MAX);
