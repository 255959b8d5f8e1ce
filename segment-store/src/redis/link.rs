//! One connection to a Redis, or to all masters of a cluster, and the few commands that are sent over it.

use decision::ids::IdHash;
use decision::time::Seconds;
use futures_util::future::join_all;
use redis::aio::MultiplexedConnection;
use redis::cluster::ClusterClientBuilder;
use redis::cluster_async::ClusterConnection;
use redis::cluster_routing::{
    MultipleNodeRoutingInfo, ResponsePolicy, Route, RoutingInfo, SingleNodeRoutingInfo, SlotAddr,
};
use redis::io::tcp::TcpSettings;
use redis::{
    AsyncConnectionConfig, Client, Cmd, ErrorKind, IntoConnectionInfo, Pipeline, RedisError, TlsCertificates, Value,
    cmd,
};
use rustls::crypto::ring;

use super::RedisOptions;
use crate::limits::{REDIS_CONNECT_TIMEOUT, REDIS_RESPONSE_TIMEOUT};

/// Slots of a cluster (Redis Cluster specification).
pub(super) const SLOTS: u16 = 16_384;

/// The function that every write goes through, in the library of its version: old and new nodes run side by side.
const FUNCTIONS: &str = include_str!("swap.lua");

/// A connection. Clones share it; each command in flight needs one of its own.
#[derive(Clone)]
pub(super) enum Link {
    Single(MultiplexedConnection),
    Cluster(ClusterConnection),
}

/// A record as it is stored, empty where there is none.
pub(super) type Record = Vec<u8>;

/// What Redis said of one id. `None`: nothing yet.
pub(super) type Answer = Option<Result<Record, RedisError>>;

/// A record in the place of another.
pub(super) struct Swap<'a> {
    pub(super) id: &'a IdHash,
    /// What is there now, empty where nothing is.
    pub(super) expected: &'a [u8],
    pub(super) new: &'a [u8],
    /// Until when it is kept at least.
    pub(super) until: Seconds,
}

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
        self.remove(&[nobody]).await?;
        let (id, until) = (&nobody, Seconds(u32::MAX));
        self.swap(&Swap { id, expected: b"", new: b"nobody", until }).await?;
        self.swap(&Swap { id, expected: b"nobody", new: b"", until }).await.map(drop)
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

    /// Sends a command about an id.
    async fn ask(&mut self, id: &IdHash, command: Cmd) -> Result<Value, RedisError> {
        match self {
            Self::Single(connection) => connection.send_packed_command(&command).await,
            Self::Cluster(connection) => {
                let master = SingleNodeRoutingInfo::SpecificNode(Route::new(slot(id), SlotAddr::Master));
                connection.route_command(command, RoutingInfo::SingleNode(master)).await
            }
        }?
        .extract_error()
    }

    async fn get(&mut self, id: &IdHash) -> Result<Record, RedisError> {
        record(self.ask(id, about("GET", id)).await?)
    }

    /// Asks for the record of each id, all at once, and puts each answer in its place as soon as it is there.
    pub(super) async fn fetch_each(&mut self, ids: &[IdHash], answers: &mut [Answer]) {
        match (self, ids, answers) {
            (link, [id], [answer]) => *answer = Some(link.get(id).await),
            (Self::Single(connection), ids, answers) => pipelined(connection, ids, answers).await,
            // A pipeline goes to one master.
            (link, ids, answers) => {
                let get = async |mut link: Self, id, answer: &mut Answer| *answer = Some(link.get(id).await);
                join_all(ids.iter().zip(answers).map(|(id, answer)| get(link.clone(), id, answer))).await;
            }
        }
    }

    /// The record of each id, all asked for at once.
    pub(super) async fn fetch(&self, ids: &[IdHash]) -> Result<Vec<Record>, RedisError> {
        let mut answers = vec![None; ids.len()];
        self.clone().fetch_each(ids, &mut answers).await;
        answers.into_iter().flatten().collect()
    }

    /// Makes many swaps, all sent at once; what became of each.
    pub(super) async fn swap_each(&self, swaps: &[Swap<'_>]) -> Vec<Result<Swapped, RedisError>> {
        let Self::Single(connection) = self else {
            // A pipeline goes to one master.
            return join_all(swaps.iter().map(|swap| self.swap(swap))).await;
        };
        let mut calls = Pipeline::with_capacity(swaps.len());
        for swap in swaps {
            calls.add_command(swap.call());
        }
        match connection.clone().send_packed_commands(&calls, 0, swaps.len()).await {
            Ok(answers) => {
                let answers = answers.into_iter().map(|answer| answer.extract_error().and_then(Swapped::of));
                let answers: Vec<_> = answers.collect();
                // Then none was made, and each brings it.
                let missing = answers.iter().any(|answer| answer.as_ref().is_err_and(is_function_missing));
                if missing { join_all(swaps.iter().map(|swap| self.swap(swap))).await } else { answers }
            }
            Err(error) => swaps.iter().map(|_| Err(error.clone())).collect(),
        }
    }

    /// Replaces a record that still is what it is expected to be.
    pub(super) async fn swap(&self, swap: &Swap<'_>) -> Result<Swapped, RedisError> {
        let (mut link, call) = (self.clone(), swap.call());
        match link.ask(swap.id, call.clone()).await {
            // A master that was added since.
            Err(error) if is_function_missing(&error) => {
                link.load_functions().await?;
                link.ask(swap.id, call).await.and_then(Swapped::of)
            }
            answer => answer.and_then(Swapped::of),
        }
    }

    /// Removes whole records.
    pub(super) async fn remove(&self, ids: &[IdHash]) -> Result<(), RedisError> {
        let remove = async |id| self.clone().ask(id, about("UNLINK", id)).await;
        join_all(ids.iter().map(remove)).await.into_iter().try_for_each(|removed| removed.map(drop))
    }
}

fn is_function_missing(error: &RedisError) -> bool {
    error.detail().is_some_and(|detail| detail.contains("Function not found"))
}

impl Swap<'_> {
    fn call(&self) -> Cmd {
        let Self { id, expected, new, until } = self;
        let mut call = cmd("FCALL");
        call.arg("vernier_swap_2").arg(1).arg(&id.0).arg(*expected).arg(*new).arg(until.0);
        call
    }
}

impl Swapped {
    fn of(answer: Value) -> Result<Self, RedisError> {
        match answer {
            Value::Okay => Ok(Self::Yes),
            stored => record(stored).map(Self::No),
        }
    }
}

async fn pipelined(connection: &mut MultiplexedConnection, ids: &[IdHash], answers: &mut [Answer]) {
    let mut gets = Pipeline::with_capacity(ids.len());
    for id in ids {
        gets.cmd("GET").arg(&id.0);
    }
    match connection.send_packed_commands(&gets, 0, ids.len()).await {
        Ok(values) => {
            let records = values.into_iter().map(|value| value.extract_error().and_then(record));
            answers.iter_mut().zip(records).for_each(|(answer, record)| *answer = Some(record));
        }
        Err(error) => answers.fill(Some(Err(error))),
    }
}

fn about(verb: &str, id: &IdHash) -> Cmd {
    let mut command = cmd(verb);
    command.arg(&id.0);
    command
}

/// The slot of an id's key in a cluster (Redis Cluster specification): where a key has something between braces, as one
/// of random bytes may, only that counts.
pub(super) fn slot(id: &IdHash) -> u16 {
    let key = &id.0[..];
    let tag = key.iter().position(|byte| *byte == b'{').and_then(|open| {
        let rest = &key[open + 1..];
        let close = rest.iter().position(|byte| *byte == b'}')?;
        Some(&rest[..close]).filter(|tag| !tag.is_empty())
    });
    crc16::State::<crc16::XMODEM>::calculate(tag.unwrap_or(key)) % SLOTS
}

/// The record in an answer.
fn record(answer: Value) -> Result<Record, RedisError> {
    match answer {
        Value::BulkString(record) => Ok(record),
        Value::Nil => Ok(Record::new()),
        _ => Err((ErrorKind::UnexpectedReturnType, "no record").into()),
    }
}

async fn single(options: &RedisOptions) -> Result<Link, String> {
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(REDIS_CONNECT_TIMEOUT))
        .set_response_timeout(Some(REDIS_RESPONSE_TIMEOUT));
    let mut problems = Vec::new();
    for url in &options.urls {
        let address = url.as_str().into_connection_info().map(|address| address.set_tcp_settings(tcp()));
        let client = address.and_then(|address| match &options.authority {
            Some(_) => Client::build_with_tls(address, certificates(options)),
            None => Client::open(address),
        });
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
        .tcp_settings(tcp())
        .retries(2);
    if options.authority.is_some() {
        builder = builder.certs(certificates(options));
    }
    let client = builder.build().map_err(|error| error.to_string())?;
    client.get_async_connection().await.map(Link::Cluster).map_err(|error| error.to_string())
}

/// A look-up is sent at once, and not only when the answer to the one before is there (Nagle's algorithm).
fn tcp() -> TcpSettings {
    TcpSettings::default().set_nodelay(true)
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

#[cfg(test)]
mod tests {
    use redis::cluster_routing::Slot;

    use super::*;

    #[test]
    fn slots_are_those_of_the_client() {
        for key in
            [b"sixteen bytes 16", b"a{tag}  and more", b"an{}empty tag {}", b"a}stray{ brace {", b"{{}two of them}}"]
        {
            assert_eq!(Slot::new(slot(&IdHash(*key))), Some(Slot::for_key(key)), "{key:?}");
        }
    }
}
