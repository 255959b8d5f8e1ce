//! What `vernier up` says: where to look, how to try it, and every few seconds what happens.

use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bidder::admin::Admin;
use bidder::bidder::Bidder;
use bidder::role::Running;
use load_tests::exchange::{self, Settings, Totals};
use segment_store::{IdHasher, Profiles};
use tokio::sync::{mpsc, watch};

use crate::app::{Shared, clock};
use crate::cli::DEFAULT_EXCHANGE;
use crate::config::{ADMIN_LISTEN, DATA_DIR, Traffic};
use crate::sample;

mod tally;

pub(crate) use tally::Tally;

/// Seconds between two summaries.
const EVERY_S: u64 = 5;
/// Milliseconds between two looks at whether the bidder is ready.
const READY_POLL_MS: u64 = 20;

/// `vernier up` as people see it.
pub(crate) struct Demonstration {
    admin: Admin,
    profiles: Profiles,
    hasher: IdHasher,
    traffic: Option<Traffic>,
    people: u32,
    exchange: String,
    bid_url: String,
    admin_listen: SocketAddr,
    data_dir: PathBuf,
    tally: Tally,
}

impl Demonstration {
    pub(crate) fn new(shared: &Shared, running: &Running, with_traffic: bool, tally: Tally) -> Self {
        let config = &shared.config;
        let exchange = config.exchanges.first().map(|exchange| exchange.name.to_string()).unwrap_or_default();
        Self {
            admin: running.admin.clone(),
            profiles: shared.profiles().clone(),
            hasher: shared.hasher,
            traffic: with_traffic.then(|| config.traffic.clone()),
            people: config.traffic.people,
            bid_url: format!("http://{}/bid/{exchange}", config.bid.listen),
            exchange,
            admin_listen: config.admin_listen,
            data_dir: config.data_dir.clone(),
            tally,
        }
    }

    /// Runs until `shutdown` turns true, and hands back what the last summary needs.
    pub(crate) async fn run(
        mut self,
        mut shutdown: watch::Receiver<bool>,
        failed: mpsc::UnboundedSender<String>,
    ) -> (Arc<Bidder>, Tally) {
        let bidder = Arc::clone(&self.admin.bidder);
        let end = async |shutdown: &mut watch::Receiver<bool>| drop(shutdown.wait_for(|down| *down).await);
        let begun = tokio::select! {
            begun = self.begin() => begun,
            () = end(&mut shutdown) => return (bidder, self.tally),
        };
        if let Err(problem) = begun {
            let _already_ending = failed.send(format!("the sample's people cannot be written: {problem}"));
            return (bidder, self.tally);
        }
        self.welcome();
        let totals = Arc::new(Totals::default());
        let traffic = self.traffic.clone().map(|traffic| self.play(traffic, Arc::clone(&totals), shutdown.clone()));
        let mut every = tokio::time::interval(Duration::from_secs(EVERY_S));
        every.tick().await;
        loop {
            tokio::select! {
                _ = every.tick() => say(&self.tally.line(&bidder, totals.invalid.load(Ordering::Relaxed))),
                () = end(&mut shutdown) => break,
            }
        }
        if let Some(traffic) = traffic {
            let joined = tokio::task::spawn_blocking(move || traffic.join()).await;
            if !matches!(joined, Ok(Ok(()))) {
                say("the simulated exchange ended badly");
            }
        }
        (bidder, self.tally)
    }

    /// Waits until the campaigns are in force, writes the people, waits until there is money.
    async fn begin(&self) -> Result<(), String> {
        let mut poll = tokio::time::interval(Duration::from_millis(READY_POLL_MS));
        while !self.admin.bidder.campaigns.caught_up() {
            poll.tick().await;
        }
        let snapshot = self.admin.bidder.campaigns.load_full();
        sample::join(&self.profiles, &self.hasher, &snapshot, self.people, clock()).await?;
        while !self.admin.readiness.ready() {
            poll.tick().await;
        }
        Ok(())
    }

    /// The simulated exchange, on a thread of its own: it is a counterparty, not a part of us.
    fn play(
        &self,
        traffic: Traffic,
        totals: Arc<Totals>,
        mut shutdown: watch::Receiver<bool>,
    ) -> std::thread::JoinHandle<()> {
        let mut settings = Settings::new(self.bid_url.clone());
        settings.requests_per_s = traffic.requests_per_s;
        settings.people = traffic.people;
        settings.person_id = sample::person_id;
        settings.seed = traffic.seed;
        settings.journal = Some(self.data_dir.join("exchange-journal.jsonl"));
        let work = move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let shutdown = async move { drop(shutdown.wait_for(|down| *down).await) };
            let played = runtime.map_err(|problem| problem.to_string()).and_then(|r| {
                r.block_on(exchange::run(settings, totals, shutdown)).map_err(|problem| problem.to_string())
            });
            if let Err(problem) = played {
                say(&format!("the simulated exchange ended: {problem}"));
            }
        };
        std::thread::spawn(work)
    }

    fn welcome(&self) {
        let Self { bid_url, admin_listen, .. } = self;
        let number = sample::VISITORS - 1;
        let visitor = sample::visitor_id(number);
        let prefix = visitor.trim_end_matches(|digit: char| digit.is_ascii_digit());
        let traffic = self.traffic.as_ref().map_or_else(
            || "off".to_owned(),
            |traffic| format!("{} requests a second from a simulated exchange", traffic.requests_per_s),
        );
        let request = format!(
            "'{{\"id\":\"1\",\"imp\":[{{\"id\":\"1\",\"banner\":{{\"w\":300,\"h\":250}},\"bidfloor\":0.1}}],\
             \"site\":{{\"domain\":\"news.example\"}},\"user\":{{\"id\":\"{prefix}'$((RANDOM))'\"}}}}'"
        );
        let Hints { program, admin, exchange, data } = self.hints();
        say(&format!(
            "vernier is up
  bid requests   POST {bid_url}
  admin          http://{admin_listen}/readyz  http://{admin_listen}/metrics  http://{admin_listen}/campaigns
  data           {}
  traffic        {traffic}

Send it a bid request of a visitor who left shoes in the cart:
  curl -si {bid_url} -H 'content-type: application/json' -d {request}
Then look at why and what:
  echo {request} | {program} explain --request -{exchange}{admin}
  {program} campaigns{admin}
  {data}{program} events cat outcomes
Ctrl-C drains and ends it.
",
            self.data_dir.display()
        ));
    }

    /// What commands need that ask this process: as little as its configuration leaves to say.
    fn hints(&self) -> Hints {
        let option = |name: &str, value: &str, default: &str| match value {
            value if value == default => String::new(),
            value => format!(" --{name} {value}"),
        };
        let data = self.data_dir.display().to_string();
        Hints {
            program: std::env::args().next().map_or_else(|| "vernier".to_owned(), |program| quoted(&program)),
            admin: option("admin", &self.admin_listen.to_string(), &ADMIN_LISTEN.to_string()),
            exchange: option("exchange", &self.exchange, DEFAULT_EXCHANGE),
            data: if data == DATA_DIR { String::new() } else { format!("VERNIER_DATA_DIR={} ", quoted(&data)) },
        }
    }
}

/// Parts of the commands that are shown.
struct Hints {
    /// As it was called.
    program: String,
    admin: String,
    exchange: String,
    data: String,
}

/// `text` as one word of a shell.
fn quoted(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./+,:@%".contains(&byte);
    if text.bytes().all(plain) { text.to_owned() } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

/// Prints to standard output. Who closed it does not want to know.
fn say(text: &str) {
    let _nobody_reads = writeln!(std::io::stdout().lock(), "{text}");
}
