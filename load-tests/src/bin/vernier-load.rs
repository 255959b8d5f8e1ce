//! `vernier-load`: plays an exchange against a bidder, and audits the bidder's books against the exchange's journal.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Parser;
use load_tests::exchange::audit::audit;
use load_tests::exchange::{self, Settings, Totals, journal};
use serde_json::Value;

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

fn lines(path: &Path) -> Result<Vec<Value>, Box<dyn std::error::Error>> {
    let text = std::fs::read_to_string(path)?;
    text.lines().map(|line| serde_json::from_str(line).map_err(Into::into)).collect()
}
