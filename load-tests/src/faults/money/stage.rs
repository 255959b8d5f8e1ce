//! The servers and processes of a run, and what happens to them.

use std::io::{self, Error};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::sleep;

use super::plan::{BIDDERS, EURO, Plan};
use super::{Fault, Settings};
use crate::exchange::journal::now_ms;
use crate::faults::campaigns::{EXCHANGE, people};
use crate::proxy::{self, Proxy};
use crate::servers::kafka::{Access, Kafka};
use crate::servers::ports::free_addresses;
use crate::servers::redis::Redis;
use crate::servers::vernier::{Engines, Setup, Vernier, bidder_name};

/// How much later a slow Kafka answers: half of it on each way.
const SLOWNESS: Duration = Duration::from_millis(200);

/// Something that happened to a run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Happened {
    /// What.
    pub(super) what: String,
    /// When: milliseconds since 1970.
    pub(super) at_ms: u64,
}

/// What a run is played on.
pub(super) struct Stage {
    pub(super) vernier: Vernier,
    redis: Redis,
    replica: Redis,
    kafka: Kafka,
    /// What only the bidder that is to fail reaches Kafka through.
    detour: Proxy,
    new: PathBuf,
    happened: Vec<Happened>,
}

impl Stage {
    /// Starts everything.
    pub(super) async fn set(settings: &Settings, plan: &Plan, folder: &Path) -> io::Result<Self> {
        let redis = Redis::start(&settings.redis_server, folder.join("redis"), None).await?;
        let replica = Redis::start(&settings.redis_server, folder.join("replica"), Some(redis.address())).await?;
        let [parted] = free_addresses()?;
        let detour = Proxy::start(parted).await?;
        let (inside, outside) = (parted.port(), detour.address().port());
        let properties = format!(
            "listeners=PLAINTEXT://127.0.0.1:@KAFKA@,PARTED://127.0.0.1:{inside},CONTROLLER://127.0.0.1:@CONTROLLER@
advertised.listeners=PLAINTEXT://127.0.0.1:@ADVERTISED@,PARTED://127.0.0.1:{outside}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,PARTED:PLAINTEXT,CONTROLLER:PLAINTEXT
"
        );
        let access = Access { properties, ..Access::default() };
        let kafka = Kafka::start(&settings.kafka_libraries, folder.join("kafka"), &access).await?;
        let engines = Engines { redis: vec![redis.address(), replica.address()], kafka: Some(kafka.address()) };
        let setup = Setup {
            exchange: EXCHANGE,
            campaigns: vec![plan.file()],
            people: people(settings.people),
            settings: EURO,
            processor: None,
            bidders: BIDDERS,
            detour: Some((plan.victim, detour.address())),
        };
        let old = settings.old.as_ref().filter(|_| plan.fault == Fault::RollingUpgrade);
        let vernier = Vernier::start(old.unwrap_or(&settings.vernier), folder, &engines, setup).await?;
        let new = settings.vernier.clone();
        Ok(Self { vernier, redis, replica, kafka, detour, new, happened: Vec::new() })
    }

    /// Lets it fail, for as long as planned, and ends the fault; what happened when.
    pub(super) async fn fail(&mut self, plan: &Plan) -> io::Result<Vec<Happened>> {
        let (victim, outage) = (bidder_name(plan.victim), plan.time(1));
        match plan.fault {
            Fault::BidderKilled => self.kill(&victim, outage).await?,
            Fault::LedgerKilled => self.kill("ledger", outage).await?,
            Fault::BidderPaused => self.pause(&victim, outage).await?,
            Fault::LedgerPaused => self.pause("ledger", outage).await?,
            Fault::RedisFailedOver => {
                self.redis.kill()?;
                self.lasts("the master of Redis is killed", outage).await;
                self.replica.promote().await?;
                self.note("its replica is promoted");
            }
            Fault::KafkaDown | Fault::KafkaKilled => {
                if plan.fault == Fault::KafkaDown {
                    self.kafka.end()?
                } else {
                    self.kafka.kill()?
                };
                self.lasts("Kafka is away", outage).await;
                self.kafka.start_again().await?;
                self.note("Kafka is back");
            }
            Fault::KafkaSlow => {
                self.ways([true, true], proxy::Fault::Latency(SLOWNESS / 2))?;
                self.lasts("Kafka is slow", outage).await;
                self.ways([true, true], proxy::Fault::None)?;
                self.note("Kafka is as fast as before");
            }
            Fault::BidderParted => {
                self.ways([false, true], proxy::Fault::Blackhole)?;
                self.lasts(&format!("{victim} is parted from Kafka"), outage).await;
                self.ways([false, true], proxy::Fault::None)?;
                self.note("it is not any more");
            }
            Fault::DiskFull => self.fill_disk(&victim, outage).await?,
            Fault::RollingRestart | Fault::RollingUpgrade => self.replace_all(plan.fault, outage).await?,
        }
        Ok(std::mem::take(&mut self.happened))
    }

    async fn kill(&mut self, name: &str, outage: Duration) -> io::Result<()> {
        self.vernier.kill(name)?;
        self.lasts(&format!("{name} is killed"), outage).await;
        self.vernier.start_again(name).await?;
        self.note("it is started again");
        Ok(())
    }

    async fn pause(&mut self, name: &str, outage: Duration) -> io::Result<()> {
        self.vernier.pause(name)?;
        self.lasts(&format!("{name} is stopped"), outage).await;
        self.vernier.go_on(name)?;
        self.note("it goes on");
        Ok(())
    }

    async fn fill_disk(&mut self, name: &str, outage: Duration) -> io::Result<()> {
        self.vernier.fill_disk(name)?;
        self.lasts(&format!("the disk of {name} is full"), outage).await;
        if !self.vernier.ended(name).await? {
            return Err(Error::other(format!("{name} ended as if nothing were wrong")));
        }
        self.note("it has ended");
        self.vernier.start_again(name).await?;
        self.note("it is started again");
        Ok(())
    }

    async fn replace_all(&mut self, fault: Fault, outage: Duration) -> io::Result<()> {
        if fault == Fault::RollingUpgrade {
            self.vernier.upgrade(&self.new);
        }
        let names = self.vernier.names();
        let pause = outage / names.len() as u32;
        for name in names {
            self.note(&format!("{name} is told to end"));
            self.vernier.end(&name).await?;
            self.vernier.start_again(&name).await?;
            self.lasts(&format!("{name} is started again"), pause).await;
        }
        Ok(())
    }

    /// Behaves like that on the way to Kafka of most processes, and on that of the bidder that is to fail.
    fn ways(&self, which: [bool; 2], fault: proxy::Fault) -> io::Result<()> {
        let main = self.kafka.proxy().ok_or_else(|| Error::other("there is no proxy before Kafka"))?;
        for (_, proxy) in which.into_iter().zip([main, &self.detour]).filter(|(affected, _)| *affected) {
            proxy.set(fault);
        }
        Ok(())
    }

    fn note(&mut self, what: &str) {
        self.happened.push(Happened { what: what.to_owned(), at_ms: now_ms() });
    }

    async fn lasts(&mut self, what: &str, time: Duration) {
        self.note(what);
        sleep(time).await;
    }
}
