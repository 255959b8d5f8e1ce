//! The faults, and how one is played: healthy traffic, the fault, its end, and healthy traffic again.

use std::collections::BTreeMap;
use std::io;
use std::ops::Range;
use std::path::Path;
use std::time::Duration;

use clap::ValueEnum;
use serde::Serialize;
use tokio::time::{Instant, sleep};

use super::Settings;
use super::campaigns::Campaign;
use super::judge::Figures;
use super::measure::{Answers, bids, chances, excluded_bids, known, recovery, timeline};
use super::redis::Redis;
use super::traffic::{Load, Log, Traffic};
use super::vernier::Vernier;
use crate::proxy::{Fault, Proxy};

/// Time for leases and connections to come about before anything is measured.
pub(super) const WARM_UP: Duration = Duration::from_secs(4);
/// How much later a slow Redis answers: half of it on each way.
const SLOWNESS: Duration = Duration::from_millis(200);

/// What fails, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Scenario {
    /// Redis is killed, and started again on what it had.
    RedisKilled,
    /// Redis is stopped by a signal, so that connections stay and nothing answers, and goes on.
    RedisPaused,
    /// Every answer of Redis comes 200 ms later.
    RedisSlow,
    /// The master is killed for good; at the end of the fault its replica is promoted.
    RedisFailedOver,
}

impl Scenario {
    /// The name on the command line and in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::RedisKilled => "redis-killed",
            Self::RedisPaused => "redis-paused",
            Self::RedisSlow => "redis-slow",
            Self::RedisFailedOver => "redis-failed-over",
        }
    }
}

/// The servers of one scenario and the bidder that uses them.
pub(super) struct Stage {
    pub(super) vernier: Vernier,
    redis: Redis,
    replica: Option<Redis>,
    proxy: Option<Proxy>,
}

impl Stage {
    /// Starts what a scenario needs; without one, a bidder and its Redis.
    pub(super) async fn set(settings: &Settings, scenario: Option<Scenario>, folder: &Path) -> io::Result<Self> {
        let program = &settings.redis_server;
        let redis = Redis::start(program, folder.join("redis"), None).await?;
        let (mut replica, mut proxy, mut addresses) = (None, None, vec![redis.address()]);
        match scenario {
            Some(Scenario::RedisFailedOver) => {
                let started = Redis::start(program, folder.join("replica"), Some(redis.address())).await?;
                addresses.push(started.address());
                replica = Some(started);
            }
            Some(Scenario::RedisSlow) => {
                let started = Proxy::start(redis.address()).await?;
                addresses = vec![started.address()];
                proxy = Some(started);
            }
            Some(Scenario::RedisKilled | Scenario::RedisPaused) | None => {}
        }
        let vernier = Vernier::start(&settings.vernier, folder, &addresses, settings.people).await?;
        Ok(Self { vernier, redis, replica, proxy })
    }

    /// Lets it fail.
    fn strike(&mut self, scenario: Scenario) -> io::Result<()> {
        match (scenario, &self.proxy) {
            (Scenario::RedisKilled | Scenario::RedisFailedOver, _) => self.redis.kill(),
            (Scenario::RedisPaused, _) => self.redis.pause(),
            (Scenario::RedisSlow, Some(proxy)) => {
                proxy.set(Fault::Latency(SLOWNESS / 2));
                Ok(())
            }
            (Scenario::RedisSlow, None) => Err(io::Error::other("no proxy stands before Redis")),
        }
    }

    /// Ends the fault.
    async fn end(&mut self, scenario: Scenario) -> io::Result<()> {
        match (scenario, &self.proxy, &mut self.replica) {
            (Scenario::RedisKilled, ..) => self.redis.start_again(),
            (Scenario::RedisPaused, ..) => self.redis.go_on(),
            (Scenario::RedisSlow, Some(proxy), _) => {
                proxy.set(Fault::None);
                Ok(())
            }
            (Scenario::RedisFailedOver, _, Some(replica)) => replica.promote().await,
            _ => Err(io::Error::other("a server of this scenario is missing")),
        }
    }
}

/// When a scenario came to which point.
struct Times {
    begun: Instant,
    /// The fault's onset: when it began to be brought about, and when it was there.
    onset: Range<Instant>,
    /// When it began to be taken away.
    end: Instant,
    over: Instant,
}

/// Plays a scenario at this rate; what was measured, and what the bidder counted.
pub(super) async fn play(settings: &Settings, scenario: Scenario, rate: u32) -> io::Result<(Figures, String)> {
    let folder = settings.folder.join(scenario.name());
    let mut stage = Stage::set(settings, Some(scenario), &folder).await?;
    let names = stage.vernier.names().await?;
    let traffic = Traffic::start(stage.vernier.bid_url(), settings.load(rate))?;
    sleep(WARM_UP).await;
    let begun = Instant::now();
    sleep(settings.before).await;
    let striking = Instant::now();
    stage.strike(scenario)?;
    let onset = striking..Instant::now();
    sleep(settings.during).await;
    let end = Instant::now();
    stage.end(scenario).await?;
    sleep(settings.after).await;
    let times = Times { begun, onset, end, over: Instant::now() };
    let log = traffic.finish().await?;
    log.faults.iter().for_each(|fault| eprintln!("{fault}"));
    let figures = measure(settings.load(rate), &log, &times, &names);
    Ok((figures, stage.vernier.metrics().await?))
}

fn measure(load: Load, log: &Log, times: &Times, names: &BTreeMap<String, Campaign>) -> Figures {
    // A request that is under way when something changes belongs to neither time.
    let tmax = Duration::from_millis(load.tmax_ms.into());
    let before = times.begun..times.onset.start - tmax;
    let during = times.onset.end + tmax..times.end - tmax;
    let chances = chances(&log.seen, names);
    let known_before = known(&chances, &before);
    let recovery = known_before.and_then(|share| recovery(&chances, &(times.end..times.over), share));
    let after = times.end + recovery.unwrap_or_default()..times.over;
    Figures {
        before: Answers::of(&log.seen, &before, tmax),
        since: Answers::of(&log.seen, &(times.onset.start..times.over), tmax),
        known: [known_before, known(&chances, &during), known(&chances, &after)],
        bids_before: bids(&chances, &before),
        bids_during: bids(&chances, &during),
        bids_after: bids(&chances, &after),
        excluded_bids: excluded_bids(&log.seen, names),
        recovery_s: recovery.map(|time| time.as_secs_f64()),
        invalid: log.invalid,
        given_up: log.given_up,
        timeline: timeline(&log.seen, &chances, &(times.begun..times.over), tmax),
    }
}
