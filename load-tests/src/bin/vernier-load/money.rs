//! `vernier-load money`, and `vernier-load audit` of what it wrote.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use load_tests::faults::money::{self, Fault};

use crate::{Programs, until_interrupted};

#[derive(Debug, Args)]
pub(crate) struct Money {
    /// How many runs there are.
    #[arg(long, default_value_t = 11)]
    runs: u32,
    /// How many are played at once.
    #[arg(long, default_value_t = 1)]
    jobs: usize,
    /// Only this fault; without it, one after the other.
    #[arg(long)]
    fault: Option<Fault>,
    /// Seconds that a fault lasts.
    #[arg(long, default_value_t = 60)]
    outage: u64,
    /// Requests a second.
    #[arg(long, default_value_t = 150)]
    rate: u32,
    /// How many different people there are.
    #[arg(long, default_value_t = 2_000)]
    people: u32,
    /// The same seed plans the same runs.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Where runs are written.
    #[arg(long, default_value = "target/money")]
    folder: PathBuf,
    /// Keep histories also of runs in which all held.
    #[arg(long)]
    keep: bool,
    /// An older `vernier`, which upgrades to the present one begin with; without it there are none.
    #[arg(long)]
    old: Option<PathBuf>,
    #[command(flatten)]
    programs: Programs,
}

/// Checks a history; whether all is right.
pub(crate) fn check(history: &Path) -> Result<bool, Box<dyn Error>> {
    let audit = money::audit::audit(history)?;
    print!("{audit}");
    Ok(audit.passed())
}

/// Plays runs until they are over or somebody ends them; whether money was right in all.
pub(crate) fn spend(given: Money) -> Result<bool, Box<dyn Error>> {
    let settings = money::Settings {
        vernier: given.programs.vernier()?,
        old: given.old.map(std::path::absolute).transpose()?,
        redis_server: given.programs.redis_server()?,
        kafka_libraries: given.programs.kafka_libraries()?,
        folder: std::path::absolute(given.folder)?,
        runs: given.runs,
        jobs: given.jobs,
        fault: given.fault,
        outage: Duration::from_secs(given.outage),
        rate: given.rate,
        people: given.people,
        seed: given.seed,
        keep: given.keep,
    };
    until_interrupted(money::run(settings))
}
