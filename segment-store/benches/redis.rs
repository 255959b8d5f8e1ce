//! What an id takes in Redis, and what a look-up there costs this process. `cargo bench -p segment-store --bench redis`.
#![allow(clippy::unwrap_used, reason = "a measurement that went wrong ends")]

#[path = "../tests/it/server.rs"]
mod server;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use decision::ids::{AdvertiserId, CampaignId, CreativeId, IdHash, ImpressionId, SegmentId};
use decision::privacy::{Permit, Signals};
use decision::profile::Membership;
use decision::time::{Micros, Seconds};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use segment_store::{CapChange, CapEvent, IdHasher, Join, Keep, ProfileBuffer, Profiles, RedisOptions, RedisProfiles};
use server::Server;
use tokio::task::JoinSet;
use tokio::time::Instant;

const IDS: u64 = 50_000;
/// Ids that are asked how much memory they take.
const ASKED: u64 = 1_000;
const SEGMENTS: u32 = 10_000;
const DAY_S: u32 = 24 * 3_600;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    println!("load average {}", load_average());
    println!("bytes an id, {IDS} ids with an expiry: by the server's memory, by MEMORY USAGE");
    for memberships in [8, 64] {
        for (caps, times) in [("no caps", 0), ("2 scopes of 3 times", 3), ("2 scopes of 64 times", 64)] {
            let (whole, each) = memory(memberships, times).await;
            println!("{memberships:3} memberships, {caps:21} {whole:6} {each:6}");
        }
    }
    println!("microseconds of this process (user and system) a look-up of 8 memberships and small caps");
    let (one, two) = (Server::start(&[]), Server::cluster());
    for (name, options) in [("one Redis", options(&one, false)), ("a cluster", options(&two[0], true))] {
        let profiles = Profiles::Redis(RedisProfiles::open(options).await.unwrap());
        fill(&profiles, 8, 3).await;
        for ids in [1, 3] {
            for in_flight in [1, 16, 64] {
                let cost = cost(&profiles, ids, in_flight).await;
                println!("{name}, ids: {ids}, in flight: {in_flight:2} {cost:6.1}   load average {}", load_average());
            }
        }
    }
}

fn options(server: &Server, cluster: bool) -> RedisOptions {
    RedisOptions { urls: vec![server.url()], cluster, authority: None, lookup_timeout: Duration::from_secs(10) }
}

fn now() -> Seconds {
    Seconds(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() as u32)
}

fn micros(seconds: Seconds) -> Micros {
    Micros(i64::from(seconds.0) * 1_000_000)
}

fn id(number: u64) -> IdHash {
    IdHasher::new([1; 16]).hash(&[&number.to_string()])
}

/// Puts people into segments at random, each with an end within 30 days, and shows them something.
async fn fill(profiles: &Profiles, memberships: usize, times: u8) {
    let (now, mut random) = (now(), StdRng::seed_from_u64(1));
    for start in (0..IDS).step_by(500) {
        let mut person = |number| {
            let mut membership = || Membership {
                segment: SegmentId(random.random_range(1..=SEGMENTS)),
                until: Seconds(now.0 + random.random_range(DAY_S..30 * DAY_S)),
                confidence: 100,
            };
            (id(number), (0..memberships).map(|_| membership()).collect::<Vec<_>>())
        };
        let people: Vec<_> = (start..start + 500).map(&mut person).collect();
        let join = |(id, memberships)| Join { ids: std::slice::from_ref(id), person: None, memberships };
        let joins: Vec<_> = people.iter().map(|(id, memberships)| join((id, memberships))).collect();
        profiles.join_all(&joins, micros(now)).await.unwrap();
        for (id, _) in &people {
            for _ in 0..times {
                let at = Seconds(now.0 - random.random_range(0..7 * DAY_S));
                let event = CapEvent {
                    impression: ImpressionId(random.random()),
                    campaign: CampaignId(300),
                    creative: CreativeId(300),
                    advertiser: AdvertiserId(300),
                    segment: None,
                    ghost: false,
                    keep: Keep { campaign: times, creative: times, ..Keep::default() },
                    change: CapChange::Confirmed { at, until: at },
                };
                profiles.count(&[*id], &event, micros(now));
            }
        }
        profiles.flush().await.unwrap();
    }
    assert_eq!(profiles.stats().lost_events, 0);
}

/// Bytes an id in a Redis of its own: of all that its memory grew by, and of what it says of single ones.
async fn memory(memberships: usize, times: u8) -> (u64, u64) {
    let server = Server::start(&[]);
    let client = redis::Client::open(server.url()).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    let mut used = async || -> u64 {
        let info: String = redis::cmd("INFO").arg("memory").query_async(&mut connection).await.unwrap();
        info.lines().find_map(|line| line.strip_prefix("used_memory:")).unwrap().trim().parse().unwrap()
    };
    let profiles = Profiles::Redis(RedisProfiles::open(options(&server, false)).await.unwrap());
    let before = used().await;
    fill(&profiles, memberships, times).await;
    let whole = used().await - before;
    let mut each = 0;
    for number in 0..ASKED {
        let mut ask = redis::cmd("MEMORY");
        each += ask.arg("USAGE").arg(&id(number).0).query_async::<u64>(&mut connection).await.unwrap();
    }
    (whole / IDS, each / ASKED)
}

/// Microseconds of processor time a look-up of `ids` ids, with so many in flight at any time.
async fn cost(profiles: &Profiles, ids: u64, in_flight: u64) -> f64 {
    let lookups = if in_flight == 1 { 20_000 } else { 200_000 };
    let profiles = profiles.for_core();
    let run = async |lookups: u64| {
        let mut tasks = JoinSet::new();
        for task in 0..in_flight {
            tasks.spawn(look_up(profiles.clone(), ids, task, lookups / in_flight));
        }
        tasks.join_all().await;
    };
    run(lookups / 10).await;
    let before = processor_time();
    run(lookups).await;
    (processor_time() - before).as_secs_f64() * 1e6 / lookups as f64
}

async fn look_up(profiles: Profiles, ids: u64, task: u64, lookups: u64) {
    let (now, permit) = (micros(now()), Permit::of(&Signals::default()));
    let mut buffer = ProfileBuffer::new();
    let known: Vec<_> = (0..1_000 * ids).map(|number| id((task * 7_919 + number * 104_729) % IDS)).collect();
    for ids in known.chunks(ids as usize).cycle().take(lookups as usize) {
        let deadline = Instant::now() + Duration::from_secs(10);
        profiles.read(permit, ids, now, deadline, &mut buffer).await.unwrap();
        assert!(!buffer.profile().memberships.is_empty());
    }
}

/// What all threads of this process have used, in steps of ten milliseconds, as Linux tells it.
fn processor_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let ticks = stat.rsplit(')').next().unwrap().split(' ').skip(12).take(2);
    Duration::from_millis(10 * ticks.map(|ticks| ticks.parse::<u64>().unwrap()).sum::<u64>())
}

fn load_average() -> String {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().unwrap_or_default().to_owned()
}
