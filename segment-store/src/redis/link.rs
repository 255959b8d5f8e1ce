//! One connection to a Redis, or to all masters of a cluster, and the few commands that are sent over it.

use decision::ids::IdHash;
use decision::time::Seconds;
use futures_util::future::join_all;
use redis::aio::{ConnectionLike, MultiplexedConnection};
use redis::cluster::ClusterClientBuilder;
use redis::cluster_async::ClusterConnection;
use redis::cluster_routing::{MultipleNodeRoutingInfo, ResponsePolicy, RoutingInfo};
use redis::{AsyncConnectionConfig, Client, Cmd, RedisError, TlsCertificates, Value, cmd};
use rustls::crypto::ring;

use super::RedisOptions;
use crate::limits::{REDIS_CONNECT_TIMEOUT, REDIS_RESPONSE_TIMEOUT};

/// The function that every write goes through, in the library of its version: old and new nodes run side by side.
const FUNCTIONS: &str = include_str!("swap.lua");

/// The field of memberships, and that of caps.
pub(super) const FIELDS: [&str; 2] = ["m", "c"];

/// A connection. Clones share it.
#[derive(Clone)]
pub(super) enum Link {
    Single(MultiplexedConnection),
    Cluster(ClusterConnection),
}

/// Both fields of a record, empty where there is none.
pub(super) type Record = [Vec<u8>; 2];

/// What Redis said of one id. `None`: nothing yet.
pub(super) type Answer = Option<Result<Record, RedisError>>;

/// What became of a swap.
pub(super) enum Swapped {
    /// The new value is stored.
    Yes,
    /// Something else was stored before: this.
    No(Vec<u8>),
}

impl Link {
    /// Connects, to the master where there is one Redis with replicas, and makes sure that nothing is ever evicted and
    /// that the function is there. The connection lives on the runtime that it is opened on.
    ///
    /// # Errors
    /// Why this Redis cannot be used, for people.
    pub(super) async fn open(options: &RedisOptions) -> Result<Self, String> {
        // The first caller decides; every caller asks for the same.
        let _set_before = ring::default_provider().install_default();
        let mut link = if options.cluster { cluster(options).await? } else { single(options).await? };
        let info = link.everywhere(cmd("INFO").arg("memory")).await.map_err(|error| error.to_string())?;
        let infos = texts(&info);
        let mut policies = infos.iter().map(|info| info_of(info, "maxmemory_policy").unwrap_or("not told"));
        if let Some(policy) = policies.find(|policy| *policy != "noeviction") {
            return Err(format!(
                "maxmemory-policy is {policy}: it must be noeviction, or people are forgotten at random"
            ));
        }
        link.load_functions().await.map_err(|error| error.to_string())?;
        Ok(link)
    }

    async fn load_functions(&mut self) -> Result<(), RedisError> {
        self.everywhere(cmd("FUNCTION").arg("LOAD").arg("REPLACE").arg(FUNCTIONS)).await.map(drop)
    }

    /// Does once what is done later, for an id that nobody has: what this user may not do is told at the start.
    pub(super) async fn try_out(&self) -> Result<(), RedisError> {
        let nobody = IdHash([0; 16]);
        self.fetch(&[nobody]).await?;
        self.swap(&nobody, FIELDS[0], b"", b"nobody", Seconds(u32::MAX)).await?;
        self.swap(&nobody, FIELDS[0], b"nobody", b"", Seconds(u32::MAX)).await?;
        self.remove(&[nobody]).await
    }

    /// Sends a command to every master; the answers, by master where there are several.
    async fn everywhere(&mut self, command: &Cmd) -> Result<Value, RedisError> {
        let all = RoutingInfo::MultiNode((MultipleNodeRoutingInfo::AllMasters, None::<ResponsePolicy>));
        match self {
            Self::Single(connection) => connection.send_packed_command(command).await,
            Self::Cluster(connection) => connection.route_command(command.clone(), all).await,
        }?
        .extract_error()
    }

    /// Sends a command, over a clone of its own where others are in flight.
    async fn ask(mut self, command: &Cmd) -> Result<Value, RedisError> {
        match &mut self {
            Self::Single(connection) => connection.send_packed_command(command).await,
            Self::Cluster(connection) => connection.req_packed_command(command).await,
        }?
        .extract_error()
    }

    /// Asks for the record of each id, all at once, and puts each answer in its place as soon as it is there.
    pub(super) async fn fetch_each(self, ids: &[IdHash], answers: &mut [Answer]) {
        let of = async |link: Self, id: &IdHash| {
            let value = link.ask(cmd("HMGET").arg(&id.0).arg(&FIELDS)).await?;
            let [memberships, caps]: [Option<Vec<u8>>; 2] = redis::from_redis_value(value)?;
            Ok([memberships.unwrap_or_default(), caps.unwrap_or_default()])
        };
        match (ids, answers) {
            ([id], [answer]) => *answer = Some(of(self, id).await),
            (ids, answers) => {
                let asked =
                    ids.iter().zip(answers).map(async |(id, answer)| *answer = Some(of(self.clone(), id).await));
                join_all(asked).await;
            }
        }
    }

    /// The record of each id, all asked for at once.
    pub(super) async fn fetch(&self, ids: &[IdHash]) -> Result<Vec<Record>, RedisError> {
        let mut answers = vec![None; ids.len()];
        self.clone().fetch_each(ids, &mut answers).await;
        answers.into_iter().flatten().collect()
    }

    /// Replaces a field that still is `expected`. The record is kept until `until` at least.
    pub(super) async fn swap(
        &self,
        id: &IdHash,
        field: &str,
        expected: &[u8],
        new: &[u8],
        until: Seconds,
    ) -> Result<Swapped, RedisError> {
        let mut call = cmd("FCALL");
        call.arg("vernier_swap_1").arg(1).arg(&id.0).arg(field).arg(expected).arg(new).arg(until.0);
        let answer = match self.clone().ask(&call).await {
            // A master that was added since.
            Err(error) if error.detail().is_some_and(|detail| detail.contains("Function not found")) => {
                self.clone().load_functions().await?;
                self.clone().ask(&call).await?
            }
            answer => answer?,
        };
        Ok(match answer {
            Value::BulkString(stored) => Swapped::No(stored),
            _ => Swapped::Yes,
        })
    }

    /// Removes whole records.
    pub(super) async fn remove(&self, ids: &[IdHash]) -> Result<(), RedisError> {
        let remove = async |id: &IdHash| self.clone().ask(cmd("UNLINK").arg(&id.0)).await;
        join_all(ids.iter().map(remove)).await.into_iter().try_for_each(|removed| removed.map(drop))
    }
}

async fn single(options: &RedisOptions) -> Result<Link, String> {
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(REDIS_CONNECT_TIMEOUT))
        .set_response_timeout(Some(REDIS_RESPONSE_TIMEOUT));
    let mut problems = Vec::new();
    for url in &options.urls {
        let client = match &options.authority {
            Some(_) => Client::build_with_tls(url.as_str(), certificates(options)),
            None => Client::open(url.as_str()),
        };
        let attempt = async {
            let mut link = Link::Single(client?.get_multiplexed_async_connection_with_config(&config).await?);
            let info = link.everywhere(cmd("INFO").arg("replication")).await?;
            Ok::<_, RedisError>((link, info))
        };
        match attempt.await {
            Ok((link, info)) if texts(&info).iter().all(|info| info_of(info, "role") == Some("master")) => {
                return Ok(link);
            }
            Ok(_) => problems.push("a replica".to_owned()),
            Err(error) => problems.push(error.to_string()),
        }
    }
    Err(problems.join("; "))
}

async fn cluster(options: &RedisOptions) -> Result<Link, String> {
    let mut builder = ClusterClientBuilder::new(options.urls.iter().map(String::as_str))
        .connection_timeout(REDIS_CONNECT_TIMEOUT)
        .response_timeout(REDIS_RESPONSE_TIMEOUT)
        .overall_response_timeout(Some(REDIS_RESPONSE_TIMEOUT))
        .retries(2);
    if options.authority.is_some() {
        builder = builder.certs(certificates(options));
    }
    let client = builder.build().map_err(|error| error.to_string())?;
    client.get_async_connection().await.map(Link::Cluster).map_err(|error| error.to_string())
}

fn certificates(options: &RedisOptions) -> TlsCertificates {
    TlsCertificates { client_tls: None, root_cert: options.authority.clone() }
}

/// The texts of an answer, of every master where there are several.
fn texts(answer: &Value) -> Vec<String> {
    match answer {
        Value::Map(pairs) => pairs.iter().flat_map(|(_, value)| texts(value)).collect(),
        Value::Array(values) => values.iter().flat_map(texts).collect(),
        Value::BulkString(bytes) => vec![String::from_utf8_lossy(bytes).into_owned()],
        Value::SimpleString(text) | Value::VerbatimString { text, .. } => vec![text.clone()],
        _ => Vec::new(),
    }
}

fn info_of<'a>(info: &'a str, name: &str) -> Option<&'a str> {
    info.lines().find_map(|line| line.trim().strip_prefix(name)?.strip_prefix(':'))
}
