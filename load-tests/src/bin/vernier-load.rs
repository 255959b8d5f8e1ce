//! `vernier-load`: plays an exchange against a bidder, and audits the bidder's books against the exchange's journal.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, Parser, ValueEnum};
use load_tests::exchange::audit::audit;
use load_tests::exchange::{self, Settings, Totals, journal};
use load_tests::faults::{self, Scenario};
use serde_json::Value;
use tokio::signal::unix::{SignalKind, signal};

/// Plays the counterparties of a bidder on this machine.
#[derive(Debug, Parser)]
#[command(version, about)]
enum Command {
    /// Send bid requests and notices for a while.
    Exchange {
        /// Where bid requests go.
        #[arg(long)]
        bid_url: String,
        /// Requests a second.
        #[arg(long, default_value_t = 100)]
        rate: u32,
        /// How long.
        #[arg(long, default_value_t = 30)]
        seconds: u64,
        /// How many different people, named `person-0` and so on.
        #[arg(long, default_value_t = 2_000)]
        people: u32,
        /// The same seed asks the same.
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// Where acknowledged notices are written.
        #[arg(long)]
        journal: Option<PathBuf>,
    },
    /// Compare a journal with the streams `notices` and `outcomes`, as `vernier events cat` printed them.
    Audit {
        /// The exchange's journal.
        #[arg(long)]
        journal: PathBuf,
        /// `vernier events cat notices`.
        #[arg(long)]
        notices: PathBuf,
        /// `vernier events cat outcomes`.
        #[arg(long)]
        outcomes: PathBuf,
    },
    /// Let servers of a bidder fail under traffic, and judge what exchanges and campaigns got. Exit code 1: a point
    /// failed. Servers and bidder are started for it, on free ports of the loopback.
    Faults(Faults),
}

#[derive(Debug, Args)]
struct Faults {
    /// Only these scenarios; all, where none is named.
    #[arg(long)]
    only: Vec<Scenario>,
    /// Requests a second; without it, half of the highest rate at which no more than 0.1 % of the answers are late.
    #[arg(long)]
    rate: Option<u32>,
    /// Seconds before the fault, during it and after it, where Redis fails.
    #[arg(long, num_args = 3, default_values_t = [10, 15, 10])]
    seconds: Vec<u64>,
    /// The same where Kafka fails.
    #[arg(long, num_args = 3, default_values_t = [30, 60, 30])]
    kafka_seconds: Vec<u64>,
    /// Milliseconds that an answer may take.
    #[arg(long, default_value_t = 100)]
    tmax: u32,
    /// How many different people there are.
    #[arg(long, default_value_t = 20_000)]
    people: u32,
    /// The same seed asks the same.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Where logs and reports are written; it is emptied first.
    #[arg(long, default_value = "target/faults")]
    out: PathBuf,
    /// The program `vernier`; without it, the one beside this program.
    #[arg(long)]
    vernier: Option<PathBuf>,
    /// The program `redis-server`; without it, what the variable REDIS_SERVER names, else the one in the path.
    #[arg(long)]
    redis_server: Option<PathBuf>,
    /// The folder with Kafka's Java archives; without it, what the variable KAFKA_LIBS names, else that of
    /// `deploy/local/services`.
    #[arg(long)]
    kafka_libs: Option<PathBuf>,
}

fn main() -> ExitCode {
    let done = match Command::parse() {
        Command::Exchange { bid_url, rate, seconds, people, seed, journal } => {
            let mut settings = Settings::new(bid_url);
            settings.requests_per_s = rate;
            settings.people = people;
            settings.seed = seed;
            settings.journal = journal;
            play(settings, Duration::from_secs(seconds))
        }
        Command::Audit { journal, notices, outcomes } => compare(&journal, &notices, &outcomes),
        Command::Faults(faults) => fail(faults),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(problem) => {
            eprintln!("vernier-load: {problem}");
            ExitCode::from(2)
        }
    }
}

/// Plays; whether every answer kept to the rules.
fn play(settings: Settings, time: Duration) -> Result<bool, Box<dyn std::error::Error>> {
    let totals = Arc::new(Totals::default());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let end = async move { tokio::time::sleep(time).await };
    let faults = runtime.block_on(exchange::run(settings, Arc::clone(&totals), end))?;
    for (name, value) in totals.all() {
        println!("{name} {value}");
    }
    faults.iter().for_each(|fault| eprintln!("{fault}"));
    Ok(faults.is_empty())
}

/// Compares; whether the books agree.
fn compare(journal: &Path, notices: &Path, outcomes: &Path) -> Result<bool, Box<dyn std::error::Error>> {
    let report = audit(&journal::read(journal)?, &lines(notices)?, &lines(outcomes)?);
    for (kind, count) in &report.acknowledged {
        println!("acknowledged {kind} {count}");
    }
    println!("charges {}", report.charges);
    println!("charged_nanos {}", report.charged_nanos);
    println!("billed_and_acknowledged_nanos {}", report.billed_nanos);
    println!("charges_without_acknowledgement {}", report.unacknowledged_charges);
    println!("failures {}", report.failures.len());
    report.failures.iter().for_each(|failure| eprintln!("{failure}"));
    Ok(report.failures.is_empty())
}

/// Plays scenarios until they are over or somebody ends them; whether every point held.
fn fail(faults: Faults) -> Result<bool, Box<dyn std::error::Error>> {
    let seconds = |seconds: &[u64]| [0, 1, 2].map(|at| Duration::from_secs(seconds[at]));
    let named = faults.redis_server.or_else(|| std::env::var_os("REDIS_SERVER").map(PathBuf::from));
    // It is started in other directories; a bare name is looked for in the path.
    let redis_server = match named {
        Some(program) if program.components().count() > 1 => std::path::absolute(program)?,
        named => named.unwrap_or_else(|| "redis-server".into()),
    };
    let kafka_libraries = faults.kafka_libs.or_else(|| std::env::var_os("KAFKA_LIBS").map(PathBuf::from));
    let settings = faults::Settings {
        vernier: faults.vernier.map_or_else(|| std::env::current_exe().map(|own| own.with_file_name("vernier")), Ok)?,
        redis_server,
        kafka_libraries: std::path::absolute(kafka_libraries.unwrap_or_else(|| "target/services/kafka/libs".into()))?,
        folder: std::path::absolute(faults.out)?,
        rate: faults.rate,
        people: faults.people,
        seed: faults.seed,
        tmax_ms: faults.tmax,
        profiles: seconds(&faults.seconds),
        streams: seconds(&faults.kafka_seconds),
    };
    let scenarios = if faults.only.is_empty() { Scenario::value_variants() } else { &faults.only };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    runtime.block_on(async {
        let (mut interrupted, mut terminated) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
        tokio::select! {
            played = faults::run(&settings, scenarios) => Ok(played?),
            _ = interrupted.recv() => Err("interrupted".into()),
            _ = terminated.recv() => Err("terminated".into()),
        }
    })
}

fn lines(path: &Path) -> Result<Vec<Value>, Box<dyn std::error::Error>> {
    let text = std::fs::read_to_string(path)?;
    text.lines().map(|line| serde_json::from_str(line).map_err(Into::into)).collect()
}
