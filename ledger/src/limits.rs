//! Every bound of the ledger, in one place, related by compile-time assertions. Changing one is a design decision.

use std::time::Duration;

/// How long a node may bid on a lease, in seconds. Long enough that bidding outlives a restart of the ledger, short
/// enough that a dead node, or one that hears nothing of a stop, does not spend for long.
pub const LEASE_S: u32 = 30;

/// How long after its end a lease waits for billing notices, in seconds. OpenRTB 2.6, section 7.2, names 30 minutes
/// and "longer" between auction and billing; twice that. Later notices are still booked, but not to the lease.
pub const BILLING_WINDOW_S: u32 = 60 * 60;

/// How long past its token's end an impression is remembered, in seconds. Nodes take notices until a token ends by
/// their own clocks, and those notices have to come in before the impression may be forgotten: also those that waited
/// on a node while Kafka was away.
pub const MEMORY_MARGIN_S: u32 = 60 * 60;

/// How long a day stays open after its midnight, in seconds, for notices that are late: until no token of its bids is
/// valid any more, and what waited on a node is in as well.
pub const DAY_OPEN_S: u32 = 60 * 60 + MEMORY_MARGIN_S;

/// Impressions are forgotten in groups whose tokens end within the same this many seconds.
pub const MEMORY_GROUP_S: u32 = 60;

/// A lease's number is its shard followed by this many bits of the journal sequence that granted it.
pub const LEASE_SEQUENCE_BITS: u32 = 48;

/// Bytes of records after which the next ones go into an append of their own.
pub const APPEND_BYTES: usize = 4 * 1024 * 1024;

/// Records at the end of a stream that are read first in search of the last one published; then twice as many.
pub const LAST_PUBLISHED_RECORDS: u64 = 1_024;

/// Places before that of a snapshot in the journal that are read first in search of its last entry; then twice as many.
pub const LAST_ENTRY_RECORDS: u64 = 8;

/// How long an append waits, in milliseconds, after the stream's queue was full.
pub const OVERLOADED_PAUSE_MS: u64 = 20;

/// How long the ledger waits before it takes up the books anew, after the servers of the streams were away.
pub const TAKE_UP_PAUSE: Duration = Duration::from_secs(1);

/// How long a ledger that ends waits to be told how far the streams reach.
pub const LAST_LOOK_MAX: Duration = Duration::from_secs(5);

/// How long a ledger that ends goes on reading what the streams hold. The rest is read after the next start.
pub const DRAIN_TIME_MAX: Duration = Duration::from_secs(8);

/// How many seconds the books may be behind the streams and still count as caught up: an operator wants to hear of more.
pub const CAUGHT_UP_S: i64 = 5;

/// Records of a stream after which no more are taken into the same turn.
pub const REST_RECORDS: usize = 16_384;

/// Seconds between looks at whether time alone changes anything.
pub const TICK_S: u64 = 1;

/// Seconds between two records that say how far `outcomes` are whole.
pub const WATERMARK_S: i64 = 10;

/// Seconds between them while nothing happens.
pub const WATERMARK_IDLE_S: i64 = 300;

/// Records of a partition after which a shard notes that they were none of its own.
pub const PLACE_RECORDS: u64 = 16_384;

/// It notes its places after this many seconds in any case.
pub const PLACE_NOTED_S: u32 = 60 * 60;

/// How long a process leaves a shard alone that another has taken over, though the group says that it is this one's: longer
/// than the group takes to hear of it.
pub const TAKEN_OVER_PAUSE: Duration = Duration::from_secs(15);

/// Corrections in one file: what they make of the streams fits one batch, and memory, however long their reasons are.
pub const CORRECTIONS_MAX: usize = 10_000;

/// Bytes of a file of corrections.
pub const CORRECTIONS_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Bytes of the reason of a correction.
pub const REASON_BYTES_MAX: usize = 200;

/// Bytes of the name of whoever asks for corrections.
pub const BY_BYTES_MAX: usize = 256;

/// How long whoever asked for corrections waits for the ledgers to book them: longer than it takes to take over the shards of
/// one that was killed.
pub const CORRECTIONS_TIME_MAX: Duration = Duration::from_secs(60);

/// Mistakes in an exchange's report that are named; the others are counted.
pub const MISTAKES_LISTED_MAX: usize = 50;

/// Characters of a report's cell that are shown where it is wrong.
pub const CELL_CHARS_SHOWN_MAX: usize = 64;

/// The rules that this program folds by, said in the first entry of each run: what an older one folded keeps to its own. From 1
/// on charges say on which day they count, and days are closed. From 2 on nodes are told of wins and losses that came to others.
pub const FOLD_RULES: u32 = 2;

/// The number of the fold of which a snapshot is a state: raised whenever the fold has other state or other rules, so that a
/// snapshot of another program is left alone.
pub const SNAPSHOT_FOLD: u32 = 3;

/// The oldest fold whose snapshots are read all the same: what states of later ones have more, these have nothing of.
pub const SNAPSHOT_FOLD_OLDEST: u32 = 2;

/// Bytes of accounts or leases after which the next ones are in a part of a snapshot of their own. What one account takes
/// grows with the nodes that ask for it: two dozen bytes each.
pub const SNAPSHOT_PART_BYTES: usize = 256 * 1024;

/// Impressions in one part of a snapshot, 25 bytes each.
pub const SNAPSHOT_PART_IMPRESSIONS: usize = 20_000;

/// The fewest journal entries between two snapshots: a second or two of folding after a restart.
pub const SNAPSHOT_ENTRIES_MIN: u64 = 500_000;

/// As many impressions are remembered as journal entries this many times less lie between two snapshots, where that is more:
/// writing snapshots takes no more than a fixed share of the journal's bytes.
pub const SNAPSHOT_SHARE: u64 = 4;

// A correction has the fields of an outcome, all of them short, and its two names.
const _: () =
    assert!(CORRECTIONS_MAX * (REASON_BYTES_MAX + BY_BYTES_MAX + 1_024) <= event_log::limits::BATCH_BYTES_MAX);
// A part fits a record.
const _: () = assert!(SNAPSHOT_PART_IMPRESSIONS * 25 + 1_024 <= event_log::limits::RECORD_BYTES_MAX);
// The node has ended its lease long before the ledger gives up on what is outstanding.
const _: () = assert!(LEASE_S < BILLING_WINDOW_S);
// Forgetting by groups must not forget much later than by impression.
const _: () = assert!(MEMORY_GROUP_S <= MEMORY_MARGIN_S);
// What is told of the ends is read.
const _: () = assert!(LAST_LOOK_MAX.as_secs() < DRAIN_TIME_MAX.as_secs());
// How far the streams reach is asked for every tick.
const _: () = assert!((TICK_S as i64) < CAUGHT_UP_S);
// A tick more or less does not matter to a lease.
const _: () = assert!(TICK_S < LEASE_S as u64);
// By then a member that is gone is missed.
const _: () = assert!(event_log::limits::KAFKA_SESSION_TIMEOUT.as_secs() < TAKEN_OVER_PAUSE.as_secs());
// An append may exceed its bound by one record, and every record has a frame.
const _: () = assert!(2 * (APPEND_BYTES + event_log::limits::RECORD_BYTES_MAX) <= event_log::limits::BATCH_BYTES_MAX);

// --- pacing ---

/// Seconds between two looks at the multipliers of paced campaigns.
pub const PACE_S: u32 = 10;

/// Seconds between two looks after which nothing is concluded from what was spent meanwhile: the ledger was away, or the
/// campaign was stopped.
pub const PACE_PAUSE_S: u32 = 6 * PACE_S;

/// The least multiplier, in millionths.
pub const MULTIPLIER_PPM_MIN: u32 = 100;

/// Nodes are told of a multiplier that moved by this many millionths of itself.
pub const MULTIPLIER_TOLD_PPM: u32 = 10_000;

/// The least time, in seconds, in which spend at twice the plan divides the multiplier by e.
pub const PACE_TIME_S_MIN: u32 = 300;

/// The same as a multiple of the time between bid and charge.
pub const PACE_TIME_DELAYS: f64 = 4.0;

/// The same as a multiple of the time in which the plan spends a charge.
pub const PACE_TIME_CHARGES: f64 = 32.0;

/// Charges that the means of amount and delay are of.
pub const MEAN_OF_CHARGES: i64 = 64;

/// What was not spent is caught up with at no more than this multiple of the plan.
pub const CATCH_UP: f64 = 2.0;

/// Steps down are no larger than spend at one plus this many times the plan makes them: more of it, as in the first minutes
/// of a campaign, is as good a reason, but its answer has to be waited for all the same.
pub const OVERSPEND_ERROR_MAX: f64 = 4.0;

/// A day's weights begin at 1 plus this and end at 1 minus this where a campaign is front-loaded.
pub const FRONT_LOAD: f64 = 0.5;

/// The part of the way that an hour of the learnt week moves to what the same hour of this week was.
pub const CURVE_WEIGHTS_NEW: f64 = 0.25;

/// Of how many doublings of demand an hour counts for at most.
pub const CURVE_STEP_MAX: f64 = 1.0;

/// The least weight of an hour, as a part of the mean one: also where there was nobody once there may be somebody again.
pub const CURVE_WEIGHT_MIN: f64 = 0.02;
