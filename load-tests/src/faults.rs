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
mod judge;
mod measure;
mod process;
mod redis;
mod scenario;
mod search;
mod traffic;
mod vernier;

use judge::{Figures, Point, judge};
pub use scenario::Scenario;
use traffic::Load;

/// How scenarios are played.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The program `vernier`.
    pub vernier: PathBuf,
    /// The program `redis-server`.
    pub redis_server: PathBuf,
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
    /// How long traffic is measured before the fault.
    pub before: Duration,
    /// How long the fault lasts.
    pub during: Duration,
    /// How long traffic goes on after it.
    pub after: Duration,
}

impl Settings {
    fn load(&self, rate: u32) -> Load {
        Load { rate, people: self.people, seed: self.seed, tmax_ms: self.tmax_ms }
    }
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
    figures: Figures,
    /// The bidder's counters of look-ups and of lost cap events, at the end.
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
    let rate = match settings.rate {
        Some(rate) => rate,
        None => search::sustained(settings).await? / 2,
    };
    println!("scenarios at {rate} requests a second, tmax {} ms", settings.tmax_ms);
    let mut passed = true;
    for scenario in scenarios {
        let (figures, metrics) = scenario::play(settings, *scenario, rate).await?;
        let points = judge(&figures);
        let report = Report {
            scenario: *scenario,
            rate,
            tmax_ms: settings.tmax_ms,
            load_average: load_average(),
            passed: points.iter().all(|point| point.holds),
            points,
            figures,
            counters: counters(&metrics),
        };
        passed &= report.passed;
        println!("{}", line(&report));
        let file = settings.folder.join(format!("{}.json", scenario.name()));
        fs::write(file, serde_json::to_string_pretty(&report)?)?;
    }
    Ok(passed)
}

/// One line for people.
fn line(report: &Report) -> String {
    let [median, p99, p999] = report.figures.since.ms;
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
    let wanted = ["vernier_lookups_total", "vernier_segments_lost_cap_events", "vernier_events_dropped"];
    let lines = metrics.lines().filter(|line| wanted.iter().any(|name| line.starts_with(name)));
    lines.map(|line| line.trim().to_owned()).collect()
}

/// Of the last minute.
fn load_average() -> Option<f64> {
    fs::read_to_string("/proc/loadavg").ok()?.split(' ').next()?.parse().ok()
}
