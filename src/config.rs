//! The configuration: one file, the environment over it, every mistake reported at once.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use bidder::exchange::dialect::Dialect;
use bidder::exchange::response::is_plain_url;
use decision::ids::Currency;
use decision::money::{Nanos, Rate, Rates};
use event_log::{KafkaOptions, LocalOptions};
use ledger::{LedgerPolicy, LedgerSettings};
use segment_store::RedisOptions;

mod exchange;
mod kafka;
mod profiles;
mod reader;
#[cfg(test)]
mod tests;
mod topics;

pub(crate) use reader::Problem;
use reader::{Reader, number};

/// Everything that can be set, checked.
#[derive(Debug)]
pub(crate) struct Config {
    /// `data.dir`: where streams, profiles and generated secrets are kept.
    pub(crate) data_dir: PathBuf,
    /// `events.*`: the local log.
    pub(crate) events: LocalOptions,
    /// `kafka.*`: Kafka, where it is to be used instead.
    pub(crate) kafka: Option<KafkaOptions>,
    /// `profiles.*`: Redis, where it is to be used.
    pub(crate) redis: Option<RedisOptions>,
    /// `bid.*`.
    pub(crate) bid: Bid,
    /// `admin.listen`: where operators and managers ask. It has no authentication, so it stays on a private address.
    pub(crate) admin_listen: SocketAddr,
    /// `secrets.*`: what is not set is generated once and kept in the data directory.
    pub(crate) secrets: Secrets,
    /// `rates.*`: US dollars for one unit of a currency.
    pub(crate) rates: Rates,
    /// `ledger.*`.
    pub(crate) ledger: LedgerSettings,
    /// `[[exchange]]`: whom the bidder answers.
    pub(crate) exchanges: Vec<Dialect>,
    /// `traffic.*`: the simulated exchange of `vernier up`.
    pub(crate) traffic: Traffic,
}

/// The bid port.
#[derive(Debug)]
pub(crate) struct Bid {
    /// `bid.listen`.
    pub(crate) listen: SocketAddr,
    /// `bid.public_url`: where exchanges and browsers reach it.
    pub(crate) public_url: Option<String>,
    /// `bid.cores`: serving threads; as many as the machine has, where it is not set.
    pub(crate) cores: NonZeroUsize,
    /// `bid.sampled_one_in`: one request in so many is recorded whole in the stream `opportunities`.
    pub(crate) sampled_one_in: u32,
}

/// Secrets, each 16 bytes.
#[derive(Debug, Default)]
pub(crate) struct Secrets {
    /// `secrets.token_keys`: `ID:HEX`, the first seals, both open.
    pub(crate) token_keys: Vec<(u8, [u8; 16])>,
    /// `secrets.id_key`: what ids are hashed with. Changing it forgets every person.
    pub(crate) id_key: Option<[u8; 16]>,
}

/// The simulated exchange.
#[derive(Clone, Debug)]
pub(crate) struct Traffic {
    /// `traffic.requests_per_s`.
    pub(crate) requests_per_s: u32,
    /// `traffic.people`: how many different people it plays.
    pub(crate) people: u32,
    /// `traffic.seed`.
    pub(crate) seed: u64,
}

/// Where data is kept unless the configuration says otherwise.
pub(crate) const DATA_DIR: &str = "vernier-data";
/// Where the admin port is unless the configuration says otherwise.
pub(crate) const ADMIN_LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8081);

/// What `vernier up` runs with where no file is named: one exchange, `demo`, whose user ids are ours.
const DEMO: &str = "[[exchange]]\nname = \"demo\"\nuser_ids = \"ours\"\n";

/// Reads `path`, or the built-in demonstration where there is none, and the process's environment.
///
/// # Errors
/// Every problem there is.
pub(crate) fn load(path: Option<&Path>) -> Result<Config, Vec<String>> {
    let (name, text) = match path {
        None => ("built-in configuration".to_owned(), DEMO.to_owned()),
        Some(path) => {
            let name = path.display().to_string();
            let text = std::fs::read_to_string(path).map_err(|problem| vec![format!("{name}: {problem}")])?;
            (name, text)
        }
    };
    #[expect(clippy::disallowed_methods, reason = "this is the one entry point")]
    let environment = std::env::vars();
    parse(&name, &text, environment).map_err(|problems| problems.iter().map(Problem::to_string).collect())
}

/// Reads a configuration.
///
/// # Errors
/// Every problem there is.
pub(crate) fn parse(
    name: &str,
    text: &str,
    environment: impl IntoIterator<Item = (String, String)>,
) -> Result<Config, Vec<Problem>> {
    let mut reader = Reader::new(name, text, environment);
    let r = &mut reader;
    let data_dir = r.get("data.dir", PathBuf::from(DATA_DIR), |text| match text {
        "" => Err("must name a directory".to_owned()),
        named => Ok(PathBuf::from(named)),
    });
    let config = Config {
        events: events(r, &data_dir),
        kafka: kafka::options(r, &data_dir),
        data_dir,
        redis: profiles::redis(r),
        bid: bid(r),
        admin_listen: r.get("admin.listen", ADMIN_LISTEN, address),
        secrets: secrets(r),
        rates: rates(r),
        ledger: ledger(r),
        exchanges: exchange::all(r),
        traffic: traffic(r),
    };
    addresses(r, &config);
    let windows = |d: &Dialect| d.auction_window_s.saturating_add(d.billing_window_s);
    let longest = config.exchanges.iter().map(windows).max().unwrap_or(0);
    if longest > config.ledger.policy.billing_window_s {
        r.refuse("ledger.billing_window_s", "must be at least every exchange's auction and billing window together");
    }
    let problems = reader.finish();
    if problems.is_empty() { Ok(config) } else { Err(problems) }
}

/// Addresses that cannot be used together.
fn addresses(r: &mut Reader, config: &Config) {
    let (bid, admin) = (config.bid.listen, config.admin_listen);
    let any = |address: SocketAddr| address.ip().is_unspecified();
    let same_port = bid.port() == admin.port() && bid.port() != 0;
    let right = r.is_right("bid.listen") && r.is_right("admin.listen");
    if right && same_port && (bid.ip() == admin.ip() || any(bid) || any(admin)) {
        r.refuse_together(&["admin.listen", "bid.listen"], "bid.listen and admin.listen must have a port each");
    }
    if any(bid) && !r.is_given("bid.public_url") {
        r.refuse("bid.listen", "is every address of the machine, so bid.public_url must say where exchanges reach it");
    }
}

fn events(r: &mut Reader, data_dir: &Path) -> LocalOptions {
    let mut options = LocalOptions::new(data_dir.join("events"));
    let mebibytes = |r: &mut Reader, key: &str, default: u64| {
        r.get(key, default, |text| number(1, 1 << 20)(text).map(|mebibytes| mebibytes << 20))
    };
    options.segment_bytes = mebibytes(r, "events.segment_mib", options.segment_bytes);
    options.retention_bytes = mebibytes(r, "events.telemetry_retention_mib", options.retention_bytes);
    options
}

fn bid(r: &mut Reader) -> Bid {
    let all = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    let cores = r.get("bid.cores", all.get() as u64, number(1, 1_024));
    Bid {
        listen: r.get("bid.listen", SocketAddr::from(([127, 0, 0, 1], 8080)), address),
        public_url: r.find("bid.public_url", public_url),
        cores: NonZeroUsize::new(cores as usize).unwrap_or(NonZeroUsize::MIN),
        sampled_one_in: r.get("bid.sampled_one_in", 100, number(1, u64::from(u32::MAX))) as u32,
    }
}

/// What paths of ours can be put behind.
fn public_url(text: &str) -> Result<String, String> {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")).unwrap_or_default();
    let host = rest.starts_with(|first: char| first.is_ascii_alphanumeric() || first == '[');
    let bare = is_plain_url(text) && !text.ends_with('/') && !text.contains(['?', '#']);
    let said = "must be an http or https URL without a final slash, query, fragment or characters that need escaping";
    if host && bare { Ok(text.to_owned()) } else { Err(said.to_owned()) }
}

fn secrets(r: &mut Reader) -> Secrets {
    let keys = r.get("secrets.token_keys", Vec::new(), |text| {
        let keys: Option<Vec<_>> = text.split(',').map(|key| token_key(key.trim())).collect();
        let distinct = |keys: &Vec<(u8, [u8; 16])>| keys.len() < 2 || keys[0].0 != keys[1].0;
        let said = "must be one or two of NUMBER:HEX, numbers 0 to 255 and distinct, 32 hexadecimal digits each";
        keys.filter(|keys| keys.len() <= 2 && distinct(keys)).ok_or_else(|| said.to_owned())
    });
    let id_key =
        r.find("secrets.id_key", |text| sixteen(text).ok_or_else(|| "must be 32 hexadecimal digits".to_owned()));
    Secrets { token_keys: keys, id_key }
}

fn token_key(text: &str) -> Option<(u8, [u8; 16])> {
    let (id, secret) = text.split_once(':')?;
    Some((id.parse().ok()?, sixteen(secret)?))
}

/// Sixteen bytes of 32 hexadecimal digits.
pub(crate) fn sixteen(text: &str) -> Option<[u8; 16]> {
    let digits = text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    digits.then(|| u128::from_str_radix(text, 16).ok()).flatten().map(u128::to_be_bytes)
}

fn rates(r: &mut Reader) -> Rates {
    let mut rates = Vec::new();
    for key in r.keys_of("rates") {
        let value = r.find(&format!("rates.{key}"), |text| {
            let rate = Nanos::parse_decimal(text).and_then(|nanos| Rate::new(nanos.get()));
            rate.ok_or_else(|| "must be above 0 with at most nine decimals: US dollars for one unit".to_owned())
        });
        match (currency(&key), value) {
            (Some(currency), Some(rate)) => rates.push((currency, rate)),
            (None, _) => r.refuse(&format!("rates.{key}"), "must be named by an ISO 4217 code other than USD"),
            (Some(_), None) => {}
        }
    }
    Rates::new(rates)
}

fn currency(code: &str) -> Option<Currency> {
    let plain = code.len() == 3 && code != "USD" && code.bytes().all(|byte| byte.is_ascii_uppercase());
    Currency::new(code).filter(|_| plain)
}

fn ledger(r: &mut Reader) -> LedgerSettings {
    let LedgerSettings { policy: default, snapshot_entries } = LedgerSettings::default();
    let seconds = |r: &mut Reader, key: &str, default: u32| r.get(key, u64::from(default), number(1, 86_400)) as u32;
    let policy = LedgerPolicy {
        lease_s: seconds(r, "ledger.lease_s", default.lease_s),
        billing_window_s: seconds(r, "ledger.billing_window_s", default.billing_window_s),
        memory_margin_s: seconds(r, "ledger.memory_margin_s", default.memory_margin_s),
    };
    let snapshot_entries = r.get("ledger.snapshot_entries", snapshot_entries, number(1, u64::MAX));
    LedgerSettings { policy, snapshot_entries }
}

fn traffic(r: &mut Reader) -> Traffic {
    Traffic {
        requests_per_s: r.get("traffic.requests_per_s", 50, number(1, 100_000)) as u32,
        people: r.get("traffic.people", 2_000, number(1, 10_000_000)) as u32,
        seed: r.get("traffic.seed", 1, number(0, u64::MAX)),
    }
}

fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| "must be an address and port such as 127.0.0.1:8080".to_owned())
}
