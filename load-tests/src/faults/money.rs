//! Whether money stays right whatever fails: four bidders, one Redis with a replica, one Kafka, budgets that are reached.
//!
//! Each run starts processes of its own, asks all bidders in turn, delivers each notice to any of them one to three times,
//! lets one thing fail at a random moment, waits until all is shipped and charged, and writes a history: what the exchange
//! was promised, what failed and when, and what streams and books say. The history is then checked by itself (`audit`).

use std::fs;
use std::io::{self, Error};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;

pub mod audit;
mod fault;
mod history;
mod plan;
mod play;
mod report;
mod stage;

pub use fault::Fault;
use plan::Plan;
use report::{Report, Summary};

use crate::usage::load_average;

/// How runs are played.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The program `vernier`.
    pub vernier: PathBuf,
    /// An older one, which upgrades begin with.
    pub old: Option<PathBuf>,
    /// The program `redis-server`.
    pub redis_server: PathBuf,
    /// The Java archives of Kafka.
    pub kafka_libraries: PathBuf,
    /// Where runs are written. Those that are there with a report are not played again.
    pub folder: PathBuf,
    /// How many runs there are.
    pub runs: u32,
    /// How many are played at once.
    pub jobs: usize,
    /// Only this fault; `None`: one after the other.
    pub fault: Option<Fault>,
    /// How long a fault lasts.
    pub outage: Duration,
    /// Requests a second, of all bidders together.
    pub rate: u32,
    /// How many different people there are.
    pub people: u32,
    /// The same seed plans the same runs.
    pub seed: u64,
    /// Whether histories are kept of runs in which all held.
    pub keep: bool,
}

/// Plays the runs that are missing, prints what was seen, and writes a report of each and a summary of all; whether every
/// point held in each.
///
/// # Errors
/// Where a folder cannot be written, or a run could not be played to its end.
pub async fn run(settings: Settings) -> io::Result<bool> {
    fs::create_dir_all(&settings.folder)?;
    println!("load average {}", load_average().map_or_else(|| "unknown".to_owned(), |load| load.to_string()));
    let settings = Arc::new(settings);
    let mut missing = (1..=settings.runs).filter(|run| !report_file(&settings.folder, *run).exists());
    let (mut playing, mut unplayed) = (JoinSet::new(), 0);
    loop {
        while playing.len() < settings.jobs.max(1)
            && let Some(run) = missing.next()
        {
            let settings = Arc::clone(&settings);
            playing.spawn(async move { (run, one(&settings, run).await) });
        }
        let Some(played) = playing.join_next().await else { break };
        match played.map_err(Error::other)? {
            (_, Ok(report)) => println!("{report}"),
            (run, Err(problem)) => {
                unplayed += 1;
                println!("run {run} was not played to its end: {problem}");
            }
        }
    }
    let summary = Summary::of(&settings.folder, settings.runs)?;
    fs::write(settings.folder.join("summary.json"), serde_json::to_string_pretty(&summary)?)?;
    println!("{summary}");
    if unplayed > 0 {
        return Err(Error::other(format!("{unplayed} runs were not played to their end: run this again")));
    }
    Ok(summary.passed())
}

/// Plays one run, checks its history and writes its report.
async fn one(settings: &Settings, run: u32) -> io::Result<Report> {
    let plan = Plan::of(settings, run)?;
    let folder = settings.folder.join(run_name(run));
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    let history = folder.join("history");
    fs::create_dir_all(&history)?;
    let traffic = play::play(settings, &plan, &folder, &history).await?;
    let checked = history.clone();
    let audited = tokio::task::spawn_blocking(move || audit::audit(&checked)).await??;
    let report = Report::new(plan, traffic, audited, load_average());
    if report.passed && !settings.keep {
        fs::remove_dir_all(&folder)?;
    }
    fs::write(report_file(&settings.folder, run), serde_json::to_string_pretty(&report)?)?;
    Ok(report)
}

fn run_name(run: u32) -> String {
    format!("run-{run:03}")
}

fn report_file(folder: &Path, run: u32) -> PathBuf {
    folder.join(run_name(run)).with_extension("json")
}
