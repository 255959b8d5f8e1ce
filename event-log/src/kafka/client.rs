//! What every client of Kafka has in common: how it connects, and what becomes of what it says.

use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::{KafkaError, RDKafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseProducer, Producer, ProducerContext};

use super::KafkaOptions;
use crate::error::OpenError;
use crate::limits::{KAFKA_RECONNECT_MAX, KAFKA_SAID_INTERVAL};

/// Encryption, and who the servers and we are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tls {
    /// A file with the certificates of the authority that signed those of the servers; `None`: those the system trusts.
    pub authority: Option<PathBuf>,
    /// Files with our certificate and its key.
    pub identity: Option<(PathBuf, PathBuf)>,
}

/// Who we are, by name and password.
#[derive(Clone, PartialEq, Eq)]
pub struct Sasl {
    /// `PLAIN`, `SCRAM-SHA-256` or `SCRAM-SHA-512`.
    pub mechanism: String,
    /// The name.
    pub user: String,
    /// The password.
    pub password: String,
}

impl std::fmt::Debug for Sasl {
    /// Without the password.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sasl").field("mechanism", &self.mechanism).field("user", &self.user).finish_non_exhaustive()
    }
}

/// How any client connects.
pub(super) fn config(options: &KafkaOptions) -> ClientConfig {
    let mut config = ClientConfig::new();
    let protocol = match (&options.tls, &options.sasl) {
        (None, None) => "plaintext",
        (Some(_), None) => "ssl",
        (None, Some(_)) => "sasl_plaintext",
        (Some(_), Some(_)) => "sasl_ssl",
    };
    config
        .set("bootstrap.servers", options.brokers.join(","))
        .set("client.id", "vernier")
        .set("security.protocol", protocol)
        .set("reconnect.backoff.max.ms", KAFKA_RECONNECT_MAX.as_millis().to_string())
        .set("socket.timeout.ms", ANSWER.as_millis().to_string())
        .set("log.connection.close", "false");
    if let Some(tls) = &options.tls {
        let mut file = |key: &str, path: &PathBuf| {
            config.set(key, path.to_string_lossy());
        };
        tls.authority.iter().for_each(|path| file("ssl.ca.location", path));
        if let Some((certificate, key)) = &tls.identity {
            file("ssl.certificate.location", certificate);
            file("ssl.key.location", key);
        }
    }
    if let Some(Sasl { mechanism, user, password }) = &options.sasl {
        config.set("sasl.mechanism", mechanism).set("sasl.username", user).set("sasl.password", password);
    }
    config
}

/// What reads streams: only what is committed.
pub(super) fn reader(options: &KafkaOptions) -> ClientConfig {
    let mut config = config(options);
    config
        // It is neither joined nor committed to: places are kept by those who read.
        .set("group.id", format!("{}vernier", options.prefix))
        .set("enable.auto.commit", "false")
        .set("isolation.level", "read_committed")
        .set("enable.partition.eof", "true")
        .set("auto.offset.reset", "error")
        .set("allow.auto.create.topics", "false")
        // An answer to "is there more" takes as long as this where there is not.
        .set("fetch.wait.max.ms", "50")
        .set("queued.max.messages.kbytes", "16384");
    config
}

/// What keeps a producer from writing anything twice or out of order.
pub(super) fn producer(options: &KafkaOptions) -> ClientConfig {
    let mut config = config(options);
    config
        .set("enable.idempotence", "true")
        .set("acks", "all")
        .set("compression.codec", "zstd")
        // The next level takes a quarter more of the client's time, for some hundredths of the bytes.
        .set("compression.level", "1")
        .set("message.max.bytes", super::MESSAGE_BYTES_MAX.to_string());
    config
}

/// Whether all that `producer` was given is delivered, or given up, within `timeout`. It only looks, now and then: the
/// producer's own thread hears the servers, and a `flush` that waits turns a loop over the last millisecond of its time.
pub(super) fn flushed<C: ProducerContext>(producer: &BaseProducer<C>, timeout: Duration) -> bool {
    let start = Instant::now();
    loop {
        if producer.flush(Duration::ZERO).is_ok() {
            return true;
        }
        let passed = start.elapsed();
        if passed >= timeout {
            return false;
        }
        thread::park_timeout((passed / 4).clamp(FLUSH_MIN, FLUSH_MAX));
    }
}

pub(super) fn refused(problem: &KafkaError) -> OpenError {
    OpenError::Kafka(problem.to_string())
}

/// Whether what failed may be tried again as it was: whoever keeps transactions is looked for, or not ready.
pub(super) fn may_pass(error: &RDKafkaError) -> bool {
    use RDKafkaErrorCode::{
        ConcurrentTransactions, CoordinatorLoadInProgress, CoordinatorNotAvailable, NotCoordinator,
    };
    let passes = matches!(
        error.code(),
        ConcurrentTransactions | CoordinatorLoadInProgress | CoordinatorNotAvailable | NotCoordinator
    );
    !error.is_fatal() && (error.is_retriable() || passes)
}

/// Whether another producer of the same name has taken over.
pub(super) fn is_fenced(code: RDKafkaErrorCode) -> bool {
    use RDKafkaErrorCode::{Fenced, InvalidProducerEpoch, ProducerFenced};
    matches!(code, Fenced | ProducerFenced | InvalidProducerEpoch)
}

/// Hands on what a client says, connection failures now and then only: a broker that is away is tried every second.
#[derive(Debug, Default)]
pub(super) struct Said(Mutex<Heard>);

#[derive(Debug, Default)]
struct Heard {
    /// When something was handed on.
    told: Option<Instant>,
    /// Why a connection failed first.
    failure: Option<String>,
}

impl Said {
    /// Why a connection failed first: what comes of trying again says less.
    pub(super) fn failure(&self) -> Option<String> {
        self.heard().failure.clone()
    }

    fn heard(&self) -> MutexGuard<'_, Heard> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn log(&self, level: RDKafkaLogLevel, facility: &str, said: &str) {
        use RDKafkaLogLevel::{Alert, Critical, Emerg, Error, Warning};
        match level {
            Emerg | Alert | Critical | Error | Warning if self.is_due() => tracing::warn!(facility, "Kafka: {said}"),
            _ => tracing::debug!(facility, "Kafka: {said}"),
        }
    }

    pub(super) fn error(&self, error: &KafkaError, reason: &str) {
        // What is said last, once each of them has been tried.
        if !matches!(error, KafkaError::Global(RDKafkaErrorCode::AllBrokersDown)) {
            self.heard().failure.get_or_insert_with(|| reason.to_owned());
        }
        // The end of a partition is where a reader of it usually is.
        if !matches!(error, KafkaError::Global(RDKafkaErrorCode::PartitionEOF)) && self.is_due() {
            tracing::warn!(%error, "Kafka: {reason}");
        }
    }

    fn is_due(&self) -> bool {
        let now = Instant::now();
        let told = &mut self.heard().told;
        let due = told.is_none_or(|told| now - told >= KAFKA_SAID_INTERVAL);
        if due {
            *told = Some(now);
        }
        due
    }
}

impl ClientContext for Said {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, said: &str) {
        Self::log(self, level, facility, said);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        Self::error(self, &error, reason);
    }
}

impl ConsumerContext for Said {}

/// How long a server may take to answer a question.
pub(super) const ANSWER: Duration = Duration::from_secs(10);

/// The pauses before it is looked whether records are delivered.
const FLUSH_MIN: Duration = Duration::from_millis(1);
const FLUSH_MAX: Duration = Duration::from_millis(100);
