//! The faults, and the servers that they happen to.

use std::io;
use std::path::Path;
use std::time::Duration;

use clap::ValueEnum;
use serde::Serialize;

use super::Settings;
use super::campaigns;
use crate::proxy::{Fault, Proxy};
use crate::servers::kafka::{Access, Kafka};
use crate::servers::redis::Redis;
use crate::servers::vernier::{Engines, LONG_LEASES, Setup, Vernier};

/// Time for leases and connections to come about before anything is measured.
pub(super) const WARM_UP: Duration = Duration::from_secs(4);
/// How much later a slow server answers: half of it on each way.
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
    /// Kafka is ended as an operator does, and started again.
    KafkaDown,
    /// Kafka is killed, and started again on what it had.
    KafkaKilled,
    /// Every answer of Kafka comes 200 ms later.
    KafkaSlow,
    /// Kafka is killed, then the bidder; both are started again on what they had.
    BidderKilled,
}

/// What a scenario needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Engine {
    /// Profiles in a Redis that fails, streams in files; all roles in one process.
    Redis,
    /// Profiles in a Redis, streams in a Kafka that fails; each role in its own process.
    Kafka,
}

impl Scenario {
    /// The name on the command line and in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::RedisKilled => "redis-killed",
            Self::RedisPaused => "redis-paused",
            Self::RedisSlow => "redis-slow",
            Self::RedisFailedOver => "redis-failed-over",
            Self::KafkaDown => "kafka-down",
            Self::KafkaKilled => "kafka-killed",
            Self::KafkaSlow => "kafka-slow",
            Self::BidderKilled => "bidder-killed",
        }
    }

    pub(super) const fn engine(self) -> Engine {
        match self {
            Self::RedisKilled | Self::RedisPaused | Self::RedisSlow | Self::RedisFailedOver => Engine::Redis,
            Self::KafkaDown | Self::KafkaKilled | Self::KafkaSlow | Self::BidderKilled => Engine::Kafka,
        }
    }
}

/// The servers of one scenario and the bidder that uses them.
pub(super) struct Stage {
    pub(super) vernier: Vernier,
    redis: Redis,
    replica: Option<Redis>,
    proxy: Option<Proxy>,
    kafka: Option<Kafka>,
}

impl Stage {
    /// Starts what an engine's scenarios need.
    pub(super) async fn of(settings: &Settings, engine: Engine, folder: &Path) -> io::Result<Self> {
        let redis = Redis::start(&settings.redis_server, folder.join("redis"), None).await?;
        let kafka = match engine {
            Engine::Redis => None,
            Engine::Kafka => {
                Some(Kafka::start(&settings.kafka_libraries, folder.join("kafka"), &Access::default()).await?)
            }
        };
        Self::with(settings, folder, redis, None, None, kafka).await
    }

    /// Starts what a scenario needs.
    pub(super) async fn set(settings: &Settings, scenario: Scenario, folder: &Path) -> io::Result<Self> {
        let redis = async || Redis::start(&settings.redis_server, folder.join("redis"), None).await;
        match scenario {
            Scenario::RedisFailedOver => {
                let redis = redis().await?;
                let master = Some(redis.address());
                let replica = Redis::start(&settings.redis_server, folder.join("replica"), master).await?;
                Self::with(settings, folder, redis, Some(replica), None, None).await
            }
            Scenario::RedisSlow => {
                let redis = redis().await?;
                let proxy = Proxy::start(redis.address()).await?;
                Self::with(settings, folder, redis, None, Some(proxy), None).await
            }
            other => Self::of(settings, other.engine(), folder).await,
        }
    }

    async fn with(
        settings: &Settings,
        folder: &Path,
        redis: Redis,
        replica: Option<Redis>,
        proxy: Option<Proxy>,
        kafka: Option<Kafka>,
    ) -> io::Result<Self> {
        let reached = proxy.as_ref().map_or_else(|| redis.address(), Proxy::address);
        let redis_addresses = std::iter::once(reached).chain(replica.as_ref().map(Redis::address)).collect();
        let engines = Engines { redis: redis_addresses, kafka: kafka.as_ref().map(Kafka::address) };
        let setup = Setup {
            exchange: campaigns::EXCHANGE,
            campaigns: vec![campaigns::file()],
            people: campaigns::people(settings.people),
            settings: if kafka.is_some() { LONG_LEASES } else { "" },
            processor: None,
            bidders: 1,
            detour: None,
        };
        let vernier = Vernier::start(&settings.vernier, folder, &engines, setup).await?;
        Ok(Self { vernier, redis, replica, proxy, kafka })
    }

    /// Lets it fail.
    pub(super) fn strike(&mut self, scenario: Scenario) -> io::Result<()> {
        match (scenario, &self.proxy, &mut self.kafka) {
            (Scenario::RedisKilled | Scenario::RedisFailedOver, ..) => self.redis.kill(),
            (Scenario::RedisPaused, ..) => self.redis.pause(),
            (Scenario::RedisSlow, Some(proxy), _) => slow(proxy),
            (Scenario::KafkaDown, _, Some(kafka)) => kafka.end(),
            (Scenario::KafkaKilled | Scenario::BidderKilled, _, Some(kafka)) => kafka.kill(),
            (Scenario::KafkaSlow, _, Some(kafka)) => kafka.proxy().map_or_else(|| Err(missing()), slow),
            _ => Err(missing()),
        }
    }

    /// Ends the fault.
    pub(super) async fn end(&mut self, scenario: Scenario) -> io::Result<()> {
        match (scenario, &self.proxy, &mut self.replica, &mut self.kafka) {
            (Scenario::RedisKilled, ..) => self.redis.start_again(),
            (Scenario::RedisPaused, ..) => self.redis.go_on(),
            (Scenario::RedisSlow, Some(proxy), ..) => pass(proxy),
            (Scenario::RedisFailedOver, _, Some(replica), _) => replica.promote().await,
            (Scenario::KafkaDown | Scenario::KafkaKilled, .., Some(kafka)) => kafka.start_again().await,
            (Scenario::KafkaSlow, .., Some(kafka)) => kafka.proxy().map_or_else(|| Err(missing()), pass),
            (Scenario::BidderKilled, .., Some(kafka)) => {
                kafka.start_again().await?;
                self.vernier.start_again("bidder").await
            }
            _ => Err(missing()),
        }
    }
}

#[expect(clippy::unnecessary_wraps, reason = "an arm among others that may fail")]
fn slow(proxy: &Proxy) -> io::Result<()> {
    proxy.set(Fault::Latency(SLOWNESS / 2));
    Ok(())
}

#[expect(clippy::unnecessary_wraps, reason = "an arm among others that may fail")]
fn pass(proxy: &Proxy) -> io::Result<()> {
    proxy.set(Fault::None);
    Ok(())
}

fn missing() -> io::Error {
    io::Error::other("a server of this scenario is missing")
}
