//! Loads that are kept in files: what is asked, at which rates, over how many connections, beside how many clients that
//! are slow; and what a bidder did with them, as JSON and as a page.

use std::fs;
use std::io::{self, Error};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};

use crate::load::{self, Loop, Settings as Load, Source, Stage, Tally};
use crate::subject::{self, Counters, Subject};
use crate::usage::Usage;

mod page;
mod report;
mod slow;

use report::Report;

/// One answer in so many is looked at as a strict exchange does.
const CHECKED_ONE_IN: u64 = 100;

/// A load as its file has it.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// What it is for, in a sentence.
    pub title: String,
    /// Connections for bid requests.
    pub connections: usize,
    /// Whether notices, views and clicks follow bids.
    pub calls: bool,
    /// Clients besides that are silent, or send and read a byte a second.
    #[serde(default)]
    pub slow_clients: usize,
    /// At least so many people: with few, each is asked for so often that their caps fill.
    #[serde(default)]
    pub people: u32,
    /// Shares of the kinds of requests.
    pub requests: Shares,
    /// The rates, one after the other.
    pub stages: Vec<Stage>,
}

/// Shares of the kinds of requests.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Shares {
    /// About 2 KB, two impressions, people in eight segments.
    #[serde(default)]
    world: f64,
    /// Those of the simulated exchange: small, with privacy signals, a third of them compressed.
    #[serde(default)]
    exchange: f64,
    /// Those that others published, in `../shared/data`; left out with a notice where they are not there.
    #[serde(default)]
    published: f64,
}

impl Scenario {
    /// Reads a file.
    ///
    /// # Errors
    /// It cannot be read, or says what no load can be.
    pub fn read(path: &Path) -> io::Result<Self> {
        let about = |problem: String| Error::other(format!("{}: {problem}", path.display()));
        let text = fs::read_to_string(path).map_err(|problem| about(problem.to_string()))?;
        let scenario: Self = toml::from_str(&text).map_err(|problem| about(problem.to_string()))?;
        let Shares { world, exchange, published } = scenario.requests;
        let shares = [world, exchange, published];
        if shares.iter().any(|share| *share < 0.0) || shares.iter().sum::<f64>() <= 0.0 {
            return Err(about("requests: shares must not be negative, nor all nothing".to_owned()));
        }
        if scenario.connections == 0 || scenario.stages.is_empty() {
            return Err(about("connections and stages: there must be some".to_owned()));
        }
        Ok(scenario)
    }

    fn sources(&self, people: u32) -> io::Result<Vec<(Source, f64)>> {
        let Shares { world, exchange, published } = self.requests;
        let mut sources = vec![(Source::World { people }, world), (Source::Exchange, exchange)];
        let folder = Path::new(PUBLISHED);
        match (published > 0.0, folder.is_dir()) {
            (true, true) => sources.push((Source::folder(folder)?, published)),
            (true, false) => println!("notice: published requests are left out, since {PUBLISHED} is not there"),
            (false, _) => {}
        }
        sources.retain(|(_, share)| *share > 0.0);
        if sources.is_empty() { Err(Error::other("no requests are left")) } else { Ok(sources) }
    }
}

/// Where published requests are.
const PUBLISHED: &str = "../shared/data/openrtb/requests";

/// How a scenario is played.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The file.
    pub file: PathBuf,
    /// Rates are multiplied by this.
    pub times: f64,
    /// Whether the generator is tried out first.
    pub self_test: bool,
    /// The bidder.
    pub subject: subject::Settings,
}

/// What the bidder's process held and used at one moment.
#[derive(Clone, Debug, Serialize)]
struct Sample {
    /// Seconds since the start.
    at: f64,
    #[serde(flatten)]
    usage: Usage,
}

/// Plays a scenario, prints what was seen, and writes it as JSON and as a page.
///
/// # Errors
/// A program does not start, or the generator cannot be trusted on this machine.
pub async fn run(settings: &Settings) -> io::Result<()> {
    let mut scenario = Scenario::read(&settings.file)?;
    for stage in &mut scenario.stages {
        stage.rate = (f64::from(stage.rate) * settings.times).round() as u32;
    }
    let people = scenario.people.max(settings.subject.people);
    let mut subject = Subject::start(&subject::Settings { people, ..settings.subject.clone() }).await?;
    let folder = &settings.subject.folder;
    let self_test = load::tried_out(settings.self_test, &settings.subject.running()).await?;
    println!("{self_test}");
    let load = Load {
        target: subject.target()?,
        sources: scenario.sources(people)?,
        stages: scenario.stages.clone(),
        connections: scenario.connections,
        counted: Loop::Open,
        calls: scenario.calls,
        checked_one_in: CHECKED_ONE_IN,
        kept: 0,
        seed: 1,
    };
    let slow = slow::Clients::start(load.target.clone(), scenario.slow_clients);
    let before = subject.counters().await?;
    let (tally, samples) = play(load, subject.process()).await?;
    drop(slow);
    let counted = subject.counters().await?.zip(before).map(|(after, before): (Counters, _)| after.since(&before));
    let name = settings.file.file_stem().map_or_else(|| "load".into(), |stem| stem.to_string_lossy().into_owned());
    let report = Report::new(name, scenario, self_test, &tally, &samples, counted.as_ref());
    report.print();
    fs::write(folder.join(format!("{}.json", report.name)), serde_json::to_string_pretty(&report)?)?;
    let page = folder.join(format!("{}.html", report.name));
    fs::write(&page, page::html(&report, &tally))?;
    println!("{}", page.display());
    Ok(())
}

/// Plays a load, and looks at a process every second meanwhile.
async fn play(load: Load, process: Option<u32>) -> io::Result<(Tally, Vec<Sample>)> {
    let (over, mut is_over) = watch::channel(false);
    let watching = tokio::spawn(async move {
        let (start, mut samples) = (Instant::now(), Vec::new());
        let mut looks = interval(Duration::from_secs(1));
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            // One that has ended is seen in the answers.
            if let Some(usage) = process.and_then(|process| Usage::of(process).ok()) {
                samples.push(Sample { at: start.elapsed().as_secs_f64(), usage });
            }
            if *is_over.borrow() {
                return samples;
            }
            tokio::select! {
                _ = looks.tick() => {}
                _ = is_over.changed() => {}
            }
        }
    });
    let (tally, _) = tokio::task::spawn_blocking(move || load::play(&load)).await??;
    over.send_replace(true);
    Ok((tally, watching.await?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scenario_that_is_kept_can_be_read() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
        let files: Vec<_> = fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).collect();
        assert!(files.len() >= 6, "{files:?}");
        for file in files {
            Scenario::read(&file).unwrap();
        }
    }

    #[test]
    fn what_no_load_can_be_is_refused_with_its_place() {
        let folder = std::env::temp_dir().join(format!("vernier-scenario-{}", std::process::id()));
        for (text, problem) in [
            ("title = 1", "title"),
            ("title=''\nconnections=1\ncalls=false\nrate=3\nrequests={world=1}\nstages=[]", "rate"),
            ("title=''\nconnections=1\ncalls=false\nrequests={}\nstages=[{rate=1,seconds=1}]", "requests"),
            ("title=''\nconnections=0\ncalls=false\nrequests={world=1.0}\nstages=[{rate=1,seconds=1}]", "connections"),
        ] {
            fs::write(&folder, text).unwrap();
            let said = Scenario::read(&folder).unwrap_err().to_string();
            assert!(said.contains(problem) && said.contains("vernier-scenario"), "{said}");
        }
        fs::remove_file(folder).unwrap();
    }
}
