//! What a bid request costs a bidder, as a multiple of what it costs a bare HTTP server to read the same bytes and answer
//! the same bytes.
//!
//! Both keep to one processor; the generator, Redis and Kafka to another, where all of them run all the time. The two are
//! asked in turns, at one rate, over as many connections, so that a machine that drifts drifts for both, and each turn of
//! the bidder is held against the turns of the floor beside it.

use std::fs;
use std::io;
use std::time::Duration;

use tokio::time::sleep;

use crate::floor::{Canned, Floor};
use crate::load::{self, Loop, Settings as Load, Source, Stage, Tally, Target};
use crate::subject::{self, PROCESSOR, Subject};
use crate::usage::{Usage, load_average};

mod figure;

use figure::Figure;

/// How long a bidder is loaded before anything is measured: leases, connections and caches come about.
const WARM_UP_S: u32 = 6;
/// Answers of the bidder that the floor gives.
const ANSWERS: usize = 2_000;
/// What is done behind an answer is waited for, so that it is counted where it belongs.
const SETTLE: Duration = Duration::from_millis(300);
/// How long a bidder without requests is watched.
const IDLE: Duration = Duration::from_secs(4);
/// One answer in so many is looked at as a strict exchange does.
const CHECKED_ONE_IN: u64 = 200;

/// How it is measured.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The bidder.
    pub subject: subject::Settings,
    /// Requests a second.
    pub rate: u32,
    /// Seconds of a turn.
    pub seconds: u32,
    /// Turns of the bidder.
    pub turns: u32,
    /// Connections.
    pub connections: usize,
    /// Whether notices follow bids.
    pub calls: bool,
    /// Whether the generator is tried out first.
    pub self_test: bool,
}

/// One turn.
struct Turn {
    tally: Tally,
    usage: Option<Usage>,
}

/// Measures, prints what was seen, and writes one object a figure.
///
/// # Errors
/// A program does not start, or does not do what it is told.
pub async fn run(settings: &Settings) -> io::Result<()> {
    let folder = &settings.subject.running();
    let mut subject = Subject::start(&settings.subject).await?;
    println!("{}", load::tried_out(settings.self_test, folder).await?);
    let (target, process) = (subject.target()?, subject.process());
    let _warmed_up = turn(settings, &target, None, WARM_UP_S, 0, 0).await?;
    let (_, answers) = turn(settings, &target, None, 2, 1, ANSWERS).await?;
    let canned: Vec<Canned> = answers.iter().map(Canned::of).collect::<io::Result<_>>()?;
    let floor = Floor::start(folder, &canned, Some(PROCESSOR)).await?;
    let (eligible, idle) = (subject.eligible().await?, idle(process).await?);
    let before = subject.counters().await?;
    let (mut floors, mut bidders) = (Vec::new(), Vec::new());
    for number in 0..=2 * settings.turns {
        let seed = 2 + u64::from(number);
        if number % 2 == 0 {
            floors.push(turn(settings, &floor.target, Some(floor.process.id()), settings.seconds, seed, 0).await?.0);
        } else {
            bidders.push(turn(settings, &target, process, settings.seconds, seed, 0).await?.0);
        }
    }
    let counted = subject.counters().await?.zip(before).map(|(after, before)| after.since(&before));
    let figures = figure::all(&floors, &bidders, counted.as_ref(), eligible, idle.as_ref());
    for Figure { name, value, unit, ratio_to_floor, note } in &figures {
        let ratio = ratio_to_floor.as_ref().map(|ratio| format!("   {ratio}")).unwrap_or_default();
        let note = note.as_ref().map(|note| format!("   ({note})")).unwrap_or_default();
        println!("{name:<34} {value:>12.3} {unit:<8}{ratio}{note}");
    }
    println!("load average {:.2}", load_average().unwrap_or_default());
    let name = match (&settings.subject.peer, settings.subject.engines) {
        (Some(_), _) => "peer.json",
        (None, true) => "engines.json",
        (None, false) => "local.json",
    };
    fs::write(settings.subject.folder.join(name), serde_json::to_string_pretty(&figures)?)
}

/// Loads a server, and sees what its process uses meanwhile.
async fn turn(
    settings: &Settings,
    target: &Target,
    process: Option<u32>,
    seconds: u32,
    seed: u64,
    kept: usize,
) -> io::Result<(Turn, Vec<load::Kept>)> {
    let load = Load {
        target: target.clone(),
        sources: vec![(Source::World { people: settings.subject.people }, 1.0)],
        stages: vec![Stage { rate: settings.rate, seconds }],
        connections: settings.connections,
        counted: Loop::Open,
        calls: settings.calls,
        checked_one_in: CHECKED_ONE_IN,
        kept,
        seed,
    };
    let before = process.map(Usage::of).transpose()?;
    let (tally, answers) = tokio::task::spawn_blocking(move || load::play(&load)).await??;
    sleep(SETTLE).await;
    let after = process.map(Usage::of).transpose()?;
    let usage = after.zip(before).map(|(after, before)| after.since(&before));
    Ok((Turn { tally, usage }, answers))
}

/// What a process uses in [`IDLE`] without requests.
async fn idle(process: Option<u32>) -> io::Result<Option<Usage>> {
    let Some(process) = process else { return Ok(None) };
    let before = Usage::of(process)?;
    sleep(IDLE).await;
    Ok(Some(Usage::of(process)?.since(&before)))
}
