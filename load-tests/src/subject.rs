//! The bidder that is measured, with the servers it uses.

use std::io::{self, Error};
use std::path::PathBuf;

use crate::load::Target;
use crate::servers::kafka::{Access, Kafka};
use crate::servers::redis::Redis;
use crate::servers::vernier::{Engines, LONG_LEASES, Setup, Vernier};
use crate::world;

mod metrics;

pub(crate) use metrics::Counters;

/// The processor that bidder and floor keep to; whoever starts this keeps it to another.
pub(crate) const PROCESSOR: &str = "0";
/// Requests of which it is asked who competes for them.
const EXPLAINED: u32 = 25;

/// What is measured, and where.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The program `vernier`.
    pub vernier: PathBuf,
    /// The program `redis-server`.
    pub redis_server: PathBuf,
    /// The Java archives of Kafka.
    pub kafka_libraries: PathBuf,
    /// Where figures are written.
    pub folder: PathBuf,
    /// Whether profiles and streams are in Redis and Kafka, or in files of one process.
    pub engines: bool,
    /// Another bidder instead: its URL, and its process where its processor time is to be told.
    pub peer: Option<(Target, Option<u32>)>,
    /// Campaigns.
    pub campaigns: u32,
    /// People.
    pub people: u32,
}

impl Settings {
    /// Where logs and data of what is started are. It is emptied first.
    pub(crate) fn running(&self) -> PathBuf {
        self.folder.join("run")
    }
}

/// The bidder, and what ends with it.
pub(crate) enum Subject {
    /// Ours.
    Vernier(Box<Installation>),
    /// Another one, which was started by others.
    Peer(Target, Option<u32>),
}

/// Processes of ours.
pub(crate) struct Installation {
    vernier: Vernier,
    _redis: Option<Redis>,
    _kafka: Option<Kafka>,
}

impl Subject {
    /// Starts it, in its folder, which is emptied first.
    pub(crate) async fn start(settings: &Settings) -> io::Result<Self> {
        let folder = settings.running();
        if folder.exists() {
            std::fs::remove_dir_all(&folder)?;
        }
        std::fs::create_dir_all(&folder)?;
        if let Some((target, process)) = &settings.peer {
            return Ok(Self::Peer(target.clone(), *process));
        }
        let (redis, kafka) = if settings.engines {
            let access = Access { direct: true, yields: true, ..Access::default() };
            let redis = Redis::start(&settings.redis_server, folder.join("redis"), None).await?;
            let kafka = Kafka::start(&settings.kafka_libraries, folder.join("kafka"), &access).await?;
            (Some(redis), Some(kafka))
        } else {
            (None, None)
        };
        let engines =
            Engines { redis: redis.iter().map(Redis::address).collect(), kafka: kafka.as_ref().map(Kafka::address) };
        let setup = Setup {
            exchange: world::EXCHANGE,
            campaigns: world::campaigns(settings.campaigns),
            people: world::people(settings.people),
            settings: if settings.engines { LONG_LEASES } else { "" },
            processor: Some(PROCESSOR),
            bidders: 1,
            detour: None,
        };
        let vernier = Vernier::start(&settings.vernier, &folder, &engines, setup).await?;
        Ok(Self::Vernier(Box::new(Installation { vernier, _redis: redis, _kafka: kafka })))
    }

    /// Where its bid requests go.
    pub(crate) fn target(&self) -> io::Result<Target> {
        match self {
            Self::Vernier(ours) => Target::new(&ours.vernier.bid_url()).map_err(Error::other),
            Self::Peer(target, _) => Ok(target.clone()),
        }
    }

    /// Its process, if that is known.
    pub(crate) fn process(&mut self) -> Option<u32> {
        match self {
            Self::Vernier(ours) => Some(ours.vernier.bidder_process()),
            Self::Peer(_, process) => *process,
        }
    }

    /// How many campaigns compete for an impression in the mean, where the bidder is ours.
    pub(crate) async fn eligible(&mut self) -> io::Result<Option<f64>> {
        let Self::Vernier(ours) = self else { return Ok(None) };
        let (mut imps, mut eligible) = (0, 0);
        for number in 0..EXPLAINED {
            let request = world::request(number, number);
            let explained = ours.vernier.explain(str::from_utf8(&request.body).map_err(Error::other)?).await?;
            for imp in explained["imps"].as_array().into_iter().flatten() {
                let campaigns = imp["campaigns"].as_array().into_iter().flatten();
                imps += 1;
                eligible +=
                    campaigns.filter(|one| one["price"].as_array().is_some_and(|steps| !steps.is_empty())).count();
            }
        }
        Ok(Some(eligible as f64 / f64::from(imps.max(1))))
    }

    /// What the bidder has counted, where it is ours.
    pub(crate) async fn counters(&mut self) -> io::Result<Option<Counters>> {
        match self {
            Self::Vernier(ours) => Ok(Some(Counters::read(&ours.vernier.metrics("bidder").await?))),
            Self::Peer(..) => Ok(None),
        }
    }
}
