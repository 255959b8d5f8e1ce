//! What exchanges and campaigns get from a bidder while a server that it depends on fails.
//!
//! Each scenario starts servers and a bidder of its own, on the loopback, plays an exchange that asks at a steady rate,
//! lets something fail, and judges by what the exchange saw: which answers were late, which campaigns bid for whom, and
//! how long after the end of the fault people were known again. Processes end with the scenario, however it ends.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;

mod campaigns;
mod measure;
pub mod money;
mod point;
mod profiles;
mod scenario;
mod search;
mod streams;
mod traffic;

use measure::Answers;
use point::Point;
use scenario::Engine;
pub use scenario::Scenario;
use traffic::Load;

use crate::usage::load_average;

/// How scenarios are played.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The program `vernier`.
    pub vernier: PathBuf,
    /// The program `redis-server`.
    pub redis_server: PathBuf,
    /// The Java archives of Kafka.
    pub kafka_libraries: PathBuf,
    /// Where logs and reports are written. What scenarios left there before is removed.
    pub folder: PathBuf,
    /// Requests a second; `None`: half of what this machine sustains, which is found first.
    pub rate: Option<u32>,
    /// How many different people there are.
    pub people: u32,
    /// The same seed asks the same requests.
    pub seed: u64,
    /// Milliseconds that an answer may take.
    pub tmax_ms: u32,
    /// Where Redis fails: how long traffic is measured before the fault, how long the fault lasts, and how long traffic
    /// goes on after it.
    pub profiles: [Duration; 3],
    /// Where Kafka fails, likewise.
    pub streams: [Duration; 3],
}

impl Settings {
    fn tmax(&self) -> Duration {
        Duration::from_millis(self.tmax_ms.into())
    }

    fn load(&self, rate: u32) -> Load {
        Load { rate, people: self.people, seed: self.seed, tmax_ms: self.tmax_ms }
    }
}

/// What a scenario showed.
struct Played {
    points: Vec<Point>,
    /// The answers from the onset of the fault to the end.
    since: Answers,
    /// Everything that was measured.
    figures: serde_json::Value,
    /// The bidder's counters of look-ups and of what it lost, at the end.
    counters: Vec<String>,
    /// The first answers that broke a rule, for people.
    faults: Vec<String>,
}

/// What is written of a scenario.
#[derive(Debug, Serialize)]
struct Report {
    scenario: Scenario,
    rate: u32,
    tmax_ms: u32,
    /// Of the last minute, at the end of the scenario.
    load_average: Option<f64>,
    passed: bool,
    points: Vec<Point>,
    figures: serde_json::Value,
    counters: Vec<String>,
}

/// Plays scenarios one after the other, prints what was seen, and writes a report of each; whether every point held.
///
/// # Errors
/// Where a program does not start or does not do what it is told.
pub async fn run(settings: &Settings, scenarios: &[Scenario]) -> io::Result<bool> {
    if settings.folder.exists() {
        fs::remove_dir_all(&settings.folder)?;
    }
    fs::create_dir_all(&settings.folder)?;
    println!("load average {}", load_average().map_or_else(|| "unknown".to_owned(), |load| load.to_string()));
    let mut passed = true;
    let mut last: Option<(Engine, u32)> = None;
    for scenario in scenarios {
        let engine = scenario.engine();
        let rate = match (settings.rate, last) {
            (Some(rate), _) => rate,
            (None, Some((before, rate))) if before == engine => rate,
            (None, _) => search::sustained(settings, engine).await? / 2,
        };
        if last != Some((engine, rate)) {
            println!("scenarios of {engine:?} at {rate} requests a second, tmax {} ms", settings.tmax_ms);
            last = Some((engine, rate));
        }
        let played = match engine {
            Engine::Redis => profiles::play(settings, *scenario, rate).await?,
            Engine::Kafka => streams::play(settings, *scenario, rate).await?,
        };
        passed &= report(settings, *scenario, rate, played)?;
    }
    Ok(passed)
}

/// Prints a scenario and writes it down; whether every point held.
fn report(settings: &Settings, scenario: Scenario, rate: u32, played: Played) -> io::Result<bool> {
    let Played { points, since, figures, counters, faults } = played;
    faults.iter().for_each(|fault| eprintln!("{fault}"));
    let passed = points.iter().all(|point| point.holds);
    let (tmax_ms, load_average) = (settings.tmax_ms, load_average());
    let report = Report { scenario, rate, tmax_ms, load_average, passed, points, figures, counters };
    println!("{}", line(&report, &since));
    let file = settings.folder.join(format!("{}.json", scenario.name()));
    fs::write(file, serde_json::to_string_pretty(&report)?)?;
    Ok(passed)
}

/// One line for people.
fn line(report: &Report, since: &Answers) -> String {
    let [median, p99, p999] = since.ms;
    let load = report.load_average.unwrap_or_default();
    let mut text = format!("{}: {}", report.scenario.name(), if report.passed { "passed" } else { "FAILED" });
    for Point { name, holds, seen } in &report.points {
        let mark = if *holds { "" } else { "FAILED " };
        text.push_str(&format!("; {mark}{name}: {seen}"));
    }
    text.push_str(&format!("; {median:.1} ms median, {p99:.1} p99, {p999:.1} p99.9; load average {load}"));
    text
}

fn counters(metrics: &str) -> Vec<String> {
    let wanted = ["vernier_lookups_total", "vernier_cap_events_lost", "vernier_events_dropped"];
    let lines = metrics.lines().filter(|line| wanted.iter().any(|name| line.starts_with(name)));
    lines.map(|line| line.trim().to_owned()).collect()
}
