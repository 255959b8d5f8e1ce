//! Every bound of the bidder, in one place, related by compile-time assertions. Changing one is a design decision.

use std::time::Duration;

// --- server ---

/// Connections open at once; one more is answered 503 and closed.
pub const CONNECTIONS_MAX: usize = 10_000;
/// Connections that wait to be accepted, as far as the system allows (`net.core.somaxconn`). One more is dropped without a
/// word, and its client tries again after a second, which is late for every auction.
pub const CONNECTIONS_QUEUED_MAX: u32 = 4_096;
/// From the first byte of a request's head to its end.
pub const HEAD_TIME_MAX: Duration = Duration::from_secs(5);
/// From the end of the head to the end of the body.
pub const BODY_TIME_MAX: Duration = Duration::from_secs(5);
/// Between two requests of a core that came before the one ahead of them, on their connections, was answered.
pub const PUSHED_PAUSE: Duration = Duration::from_millis(1);
/// From the moment an answer does not fit the socket's buffer until the client has taken it.
pub const ANSWER_TIME_MAX: Duration = Duration::from_secs(5);
/// Silence between requests, or before the first. Exchanges keep connections idle for up to 150 s.
pub const IDLE_TIME_MAX: Duration = Duration::from_secs(170);
/// How long what a client still sends is read and thrown away after our last byte, since a socket closed over unread
/// bytes resets the connection and may destroy the answer on its way.
pub const LINGER_TIME_MAX: Duration = Duration::from_secs(2);
/// Request line and header fields together: a sealed token in the path and a browser's cookies fit.
pub const HEAD_BYTES_MAX: usize = 32 * 1024;
/// A connection's read buffer, and its write buffer: what a client can make us hold outside of a body.
pub const BUFFER_BYTES_MAX: usize = 64 * 1024;
/// A body as sent. Prebid Server's default for requests.
pub const BODY_BYTES_MAX: usize = 256 * 1024;
/// A body once inflated.
pub const INFLATED_BYTES_MAX: usize = 1024 * 1024;
/// Answers below this are not compressed: they fit one packet either way.
pub const GZIP_BYTES_MIN: usize = 860;
/// Shards of the server's counters; further cores share.
pub const COUNTER_SHARDS: usize = 64;
/// How long the acceptor waits after the system had no descriptor or memory for a connection.
pub const ACCEPT_PAUSE: Duration = Duration::from_millis(10);

/// A drain goes on accepting for so long, so that whoever balances load has time to notice.
pub const DRAIN_ACCEPT_TIME: Duration = Duration::from_secs(7);
/// A drain ends early once no connection has been open for so long.
pub const DRAIN_QUIET_TIME: Duration = Duration::from_secs(2);
/// Silence on a connection during a drain, after which it is closed.
pub const DRAIN_IDLE: Duration = Duration::from_secs(5);
/// A drain is over after this, whatever is still open.
pub const DRAIN_TIME_MAX: Duration = Duration::from_secs(10);

const _: () = assert!(IDLE_TIME_MAX.as_secs() >= 150);
const _: () = assert!(HEAD_BYTES_MAX <= BUFFER_BYTES_MAX && BODY_BYTES_MAX <= INFLATED_BYTES_MAX);
// An idle connection is closed politely before accepting ends; what is accepted last has time to be answered.
const _: () = assert!(DRAIN_QUIET_TIME.as_secs() <= DRAIN_IDLE.as_secs());
const _: () = assert!(DRAIN_IDLE.as_secs() + LINGER_TIME_MAX.as_secs() <= DRAIN_ACCEPT_TIME.as_secs());
const _: () = assert!(DRAIN_ACCEPT_TIME.as_secs() + LINGER_TIME_MAX.as_secs() < DRAIN_TIME_MAX.as_secs());

/// Requests in a hurry that a core begins in one round: some milliseconds of work, so that what has begun goes on soon, and
/// enough to answer in one round what arrives in a millisecond.
pub const BEGUN_A_ROUND_MAX: usize = 32;

/// Buffers for requests that wait which a core keeps: each holds what is read at once.
pub const WAITING_BUFFERS_KEPT_MAX: usize = 1_024;

// --- bid requests' time ---

/// The estimate of how long our own answers take is never below this.
pub const OWN_TIME_MIN: Duration = Duration::from_micros(100);
/// Nor above this: the longest time that an exchange can leave.
pub const OWN_TIME_MAX: Duration = Duration::from_millis(TMAX_MS_MAX as u64);

// --- exchange ---

/// Objects and arrays that may be nested in a bid request.
pub const JSON_DEPTH_MAX: u32 = 64;
const _: () = assert!(JSON_DEPTH_MAX <= u64::BITS, "the reader of JSON keeps one bit for each");
/// Bytes of a number, a code or the name of a member that is written with escapes: a longer one is none we know.
pub const ESCAPED_BYTES_MAX: usize = 64;
/// Impressions of one request that are answered.
pub const IMPS_MAX: usize = 64;
/// Banner sizes of one impression.
pub const SIZES_MAX: usize = 64;
/// Deals of one impression.
pub const DEALS_MAX: usize = 64;
/// Currencies of one request.
pub const CURRENCIES_MAX: usize = 32;
/// Entries of a block list or a list of seats. A longer one is not cut: nothing is bid on.
pub const LISTED_MAX: usize = 8_192;
/// Ids of a person that are looked up.
pub const PERSON_IDS_MAX: usize = 8;
/// Milliseconds that an exchange may wait for an answer; a longer `tmax` is taken as this one.
pub const TMAX_MS_MAX: u32 = 10_000;
/// Bytes of a request's buffer that are kept for the next request.
pub const REQUEST_BUFFER_BYTES_KEPT: usize = 256 * 1024;

// --- bidding ---

/// Bids in flight whose money is held: above it a bid is not made. Where an exchange tells of no losses, they are all bids of an
/// auction window: so many are 140,000 bids a second for a minute, in 1.3 GB by the size of their entries.
pub const RESERVATIONS_MAX: usize = 1 << 23;
/// Locks that the reservations are spread over.
pub const RESERVATION_SHARDS: usize = 64;
const _: () = assert!(RESERVATION_SHARDS <= 256, "an impression's first byte picks its shard");
/// Room of a shard, in reservations, that is kept even if it is empty.
pub const RESERVATIONS_ROOM_MIN: usize = 256;

/// Seconds before a lease's end at which the next one is asked for.
pub const LEASE_RENEW_S: i64 = 10;
/// Of a short lease, this part of its length is the most instead.
pub const LEASE_RENEW_SHARE: i64 = 3;
/// Seconds after which an unanswered ask is repeated.
pub const LEASE_ASK_AGAIN_S: i64 = 5;
/// Seconds after a refusal until the next ask.
pub const LEASE_REFUSED_AGAIN_S: i64 = 2;
/// Seconds over which it is noted what the lowest price of a campaign's bids is, twice in turn.
pub const LEASE_LEAST_S: i64 = 300;
/// Seconds between two asks for a campaign that does not bid: first so many, then twice as many each time.
pub const LEASE_IDLE_S_MIN: i64 = 2;
/// The most of those. A usual lease (30 s) is renewed in time all the same.
pub const LEASE_IDLE_S_MAX: i64 = 20;

/// Seconds that a notice may be on its way from the node that took it into the stream: so much longer a bid in flight is waited for.
pub const NOTICE_UNDER_WAY_S: i64 = 3;

/// The seconds over which it is averaged how fast a campaign spends here: a usual lease.
pub const LEASE_SPEND_S: f64 = 30.0;
/// A lease is asked for with this many times what it is expected to need. Above twice, so that more than half of it is left
/// until it is renewed.
pub const LEASE_ROOM: f64 = 2.5;
const _: () = assert!(LEASE_ROOM > 2.0);
/// How many times what usually wins of bids in flight is held for them.
pub const ODDS_MARGIN: f64 = 4.0;
/// And for luck so many whole prices: for all bids together that are made while a lease lasts, and for those on one lease.
pub const ODDS_SPARE_BIDS: f64 = 2.0;
/// The time that is meant, in seconds: a usual lease.
pub const ODDS_LEASE_S: f64 = 30.0;
/// Bids at the highest price whose end is known, before less than the whole price is held.
pub const ODDS_BIDS_MIN: f64 = 500.0;
/// The seconds over which it is averaged what usually wins, or those in which twice [`ODDS_BIDS_MIN`] bids end, if these are more.
pub const ODDS_SLOW_S: f64 = 600.0;
/// The seconds over which it is averaged how many bids are open.
pub const ODDS_LATELY_S: f64 = 150.0;
/// With more than so many times as many open, each holds its price.
pub const ODDS_OPEN_MOST: f64 = 2.0;
/// And what wins now.
pub const ODDS_FAST_S: f64 = 10.0;
/// Ticks between two looks at which campaigns want money, where none was published: a flight that begins or ends.
pub const LEASE_WANT_TICKS: u32 = 10;
/// Milliseconds between two looks at what the node needs.
pub const LEASE_TICK_MS: u64 = 100;
/// The least to ask for, in impressions at the campaign's highest price.
pub const LEASE_IMPRESSIONS_MIN: i64 = 64;
/// The most to ask for at once is the daily budget divided by this: what a dead node can keep from others.
pub const LEASE_SHARE_OF_DAY: i64 = 100;

/// How long records of telemetry are gathered before the producer thread takes them.
pub const EVENTS_INTERVAL: Duration = Duration::from_millis(50);
/// Records of telemetry that wait for it.
pub const EVENTS_QUEUED_MAX: usize = 65_536;
/// From this length of the queue on, a growing share of people is left out.
pub const EVENTS_THINNED_FROM: usize = EVENTS_QUEUED_MAX / 2;

/// This part of the time for an answer is kept from the look-up, so that a person of whom nothing is heard can still be
/// decided on as one who is not known.
pub const DECISION_SHARE: u32 = 8;

/// Time between two looks whether a snapshot of the campaigns that was replaced is still used by a request.
pub const RETIRE_INTERVAL: Duration = Duration::from_millis(100);

/// Longest time of a bid request that the histogram tells apart, in microseconds: one minute.
pub const LATENCY_US_MAX: u64 = 60_000_000;

/// Bytes of a notice's query that are kept.
pub const NOTICE_QUERY_BYTES_MAX: usize = 2_048;

/// Seconds after a bid in which its notices are taken: one hour, in which the longest auction and billing windows end
/// (OpenRTB 2.6 section 7.2) and a person may still click.
pub const TOKEN_LIFE_S: i64 = 3_600;

/// Room for the id and the notice URLs of one bid before it has to grow.
pub const URLS_BYTES_EXPECTED: usize = 2 * 1_024;
/// Room for ids and URLs that a buffer keeps.
pub const URLS_BYTES_KEPT_MAX: usize = 8 * URLS_BYTES_EXPECTED;
/// Buffers of finished requests that a core keeps.
pub const BUFFERS_KEPT_MAX: usize = 256;

/// How long the look-up for an explanation may take: nobody auctions it.
pub const EXPLAIN_TIMEOUT: Duration = Duration::from_secs(1);
/// Bytes of a request to explain.
pub const EXPLAIN_BYTES_MAX: usize = 1024 * 1024;

/// Bytes of a token in a URL: more is refused unread.
pub const TOKEN_BYTES_MAX: usize = 4_096;
/// Keys of profile records that a token carries.
pub const TOKEN_IDS_MAX: usize = 4;
/// Bytes of an impression's name in a token: a longer one is left out.
pub const TOKEN_IMP_ID_BYTES_MAX: usize = 64;
