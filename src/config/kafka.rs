//! `kafka.*`: the streams, where many processes share them.

use std::path::{Path, PathBuf};

use event_log::{KafkaOptions, Notices, Sasl, Tls};

use super::reader::{Reader, one_of, truth};
use super::topics;

/// The most bytes of a prefix: with the name of a stream it must be a name of a topic, 249 bytes at most.
const PREFIX_BYTES_MAX: usize = 200;

/// Kafka, where its servers are given; else files of this machine.
pub(super) fn options(r: &mut Reader, data_dir: &Path) -> Option<KafkaOptions> {
    let brokers = r.get("kafka.brokers", Vec::new(), brokers);
    let prefix = r.get("kafka.prefix", "vernier.".to_owned(), prefix);
    let default = topics::read(topics::DEFAULT).unwrap_or_default();
    let topics = r.get("kafka.topics", default, |path| {
        let text = std::fs::read_to_string(path).map_err(|problem| format!("cannot be read: {problem}"))?;
        topics::read(&text).map_err(|problem| format!("{path}: {problem}"))
    });
    let spool = r.get("kafka.notices", true, one_of(&[("spool", true), ("broker", false)]));
    let notices = if spool { Notices::Spool(data_dir.join("notices")) } else { Notices::Broker };
    let (tls, sasl) = (tls(r), sasl(r));
    if brokers.is_empty() && (tls.is_some() || sasl.is_some()) {
        r.refuse("kafka.brokers", "is missing: TLS and a user are for servers");
    }
    (!brokers.is_empty()).then_some(KafkaOptions { brokers, prefix, topics, notices, tls, sasl })
}

fn brokers(text: &str) -> Result<Vec<String>, String> {
    let brokers: Vec<String> = text.split(',').map(|broker| broker.trim().to_owned()).collect();
    let is_address = |broker: &String| {
        let plain = |host: &str| !host.is_empty() && !host.contains(|c: char| c.is_whitespace() || c == '/');
        broker.rsplit_once(':').is_some_and(|(host, port)| plain(host) && port.parse::<u16>().is_ok())
    };
    if brokers.iter().all(is_address) { Ok(brokers) } else { Err("must be HOST:PORT addresses".to_owned()) }
}

fn prefix(text: &str) -> Result<String, String> {
    let right = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
    let said = || format!("must be at most {PREFIX_BYTES_MAX} letters, digits, dots, hyphens and underscores");
    if right && text.len() <= PREFIX_BYTES_MAX { Ok(text.to_owned()) } else { Err(said()) }
}

fn tls(r: &mut Reader) -> Option<Tls> {
    let file = |path: &str| {
        std::fs::File::open(path).map(|_| PathBuf::from(path)).map_err(|problem| format!("cannot be read: {problem}"))
    };
    let enabled = r.get("kafka.tls", false, truth);
    let authority = r.find("kafka.authority", file);
    let (certificate, key) = (r.find("kafka.certificate", file), r.find("kafka.key", file));
    for setting in ["kafka.authority", "kafka.certificate", "kafka.key"] {
        if r.is_given(setting) && !enabled {
            r.refuse(setting, "is for TLS: kafka.tls must be true");
        }
    }
    if r.is_given("kafka.certificate") != r.is_given("kafka.key") {
        r.refuse_together(&["kafka.certificate", "kafka.key"], "kafka.certificate and kafka.key belong together");
    }
    if enabled && !cfg!(feature = "kafka-tls") {
        r.refuse("kafka.tls", "this program was built without it: cargo build --release --features kafka-tls");
    }
    enabled.then(|| Tls { authority, identity: certificate.zip(key) })
}

fn sasl(r: &mut Reader) -> Option<Sasl> {
    let plain = |text: &str| if text.is_empty() { Err("must not be empty".to_owned()) } else { Ok(text.to_owned()) };
    let (user, password) = (r.find("kafka.username", plain), r.find("kafka.password", plain));
    let names = &[("PLAIN", "PLAIN"), ("SCRAM-SHA-256", "SCRAM-SHA-256"), ("SCRAM-SHA-512", "SCRAM-SHA-512")];
    let mechanism = r.get("kafka.mechanism", "PLAIN", one_of(names)).to_owned();
    if mechanism != "PLAIN" && !cfg!(feature = "kafka-tls") {
        let said = "this program was built without it: cargo build --release --features kafka-tls";
        r.refuse("kafka.mechanism", said);
    }
    if mechanism != "PLAIN" && !r.is_given("kafka.username") {
        r.refuse("kafka.mechanism", "is for a user: kafka.username and kafka.password are missing");
    }
    if r.is_given("kafka.username") != r.is_given("kafka.password") {
        r.refuse_together(&["kafka.username", "kafka.password"], "kafka.username and kafka.password belong together");
    }
    user.zip(password).map(|(user, password)| Sasl { mechanism, user, password })
}
