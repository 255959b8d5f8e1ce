//! What exchanges and books get while streams cannot be written.

use std::io;
use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

use serde::Serialize;
use tokio::time::{Instant, sleep};

use super::measure::{Answers, Second, timeline};
use super::scenario::{Scenario, Stage, WARM_UP};
use super::traffic::{Log, Traffic};
use super::{Played, Settings, counters};
use crate::exchange::journal;
use crate::servers::vernier::Vernier;
use books::Books;
use judge::judge;

mod books;
mod judge;

/// Time between two looks at what waits for Kafka.
const LOOK: Duration = Duration::from_millis(250);
/// How long all that waits for Kafka may take to get there once it is back.
const SHIPPED_TIME_MAX: Duration = Duration::from_secs(120);
/// A ledger that is no more seconds behind has caught up.
const BEHIND_S_MAX: f64 = 5.0;
/// One whose Kafka is slow keeps up where it is no more seconds behind: a usual lease.
const SLOW_BEHIND_S_MAX: f64 = 30.0;
/// Under traffic some notices are always on their way; so many are no backlog.
const UNDER_WAY: u64 = 100;

/// What was measured of a scenario.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Figures {
    /// Whether the bidder itself was killed.
    bidder_killed: bool,
    /// Before the fault, during it, and after it.
    phases: [Phase; 3],
    /// From the onset of the fault to the end.
    since: Answers,
    /// Notices that waited for Kafka before it returned, or before the bidder was killed.
    waiting: u64,
    /// Seconds from the return of Kafka until no backlog was left; `None`: it was left.
    shipped_s: Option<f64>,
    /// Whether the ledger could not reach its streams.
    kafka_away: bool,
    /// How many seconds behind the streams the ledger said that it was, at the end of the fault.
    ledger_behind_s: f64,
    /// Seconds from the return of Kafka until the ledger had caught up; `None`: it had not.
    ledger_s: Option<f64>,
    books: Books,
    /// Answers that broke a rule of the exchange.
    invalid: u64,
    /// Notices that the bidder did not take.
    given_up: u64,
    /// Every second, for people.
    timeline: Vec<Second>,
}

/// A part of a scenario.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Phase {
    answers: Answers,
    bids: usize,
    /// Microseconds of processor time that the bidder's process used for each request, notices and streams included;
    /// `None` where it did not run all the time.
    cpu_us: Option<f64>,
}

/// A moment, and the processor time that the bidder had used until then, if it ran.
#[derive(Clone, Copy, Debug)]
struct Mark {
    at: Instant,
    cpu: Option<Duration>,
}

impl Mark {
    fn now(vernier: &mut Vernier) -> Self {
        Self { at: Instant::now(), cpu: vernier.cpu().ok() }
    }
}

/// Plays a scenario at this rate, ends it as an operator does, and reads the books.
pub(super) async fn play(settings: &Settings, scenario: Scenario, rate: u32) -> io::Result<Played> {
    let folder = settings.folder.join(scenario.name());
    let mut stage = Stage::set(settings, scenario, &folder).await?;
    let journal = folder.join("exchange.jsonl");
    let traffic = Traffic::start(stage.vernier.bid_url(), settings.load(rate), Some(journal.clone()))?;
    sleep(WARM_UP).await;
    let [before, during, after] = settings.streams;
    let begun = Mark::now(&mut stage.vernier);
    sleep(before).await;
    let struck = Mark::now(&mut stage.vernier);
    stage.strike(scenario)?;
    sleep(during / 2).await;
    let mut waits = waiting(&mut stage.vernier).await?;
    let bidder_killed = scenario == Scenario::BidderKilled;
    if bidder_killed {
        stage.vernier.kill("bidder")?;
    }
    sleep(during / 2).await;
    if !bidder_killed {
        waits = waiting(&mut stage.vernier).await?;
    }
    let ledger_behind_s = behind(&mut stage.vernier).await?;
    let ending = Mark::now(&mut stage.vernier);
    stage.end(scenario).await?;
    let returned = Mark::now(&mut stage.vernier);
    let shipped_s = shipped(&mut stage.vernier, returned.at, UNDER_WAY).await?;
    let ledger_s = caught_up(&mut stage.vernier, returned.at).await?;
    sleep(after.saturating_sub(returned.at.elapsed())).await;
    let over = Mark::now(&mut stage.vernier);
    let log = traffic.finish().await?;
    let (books, counters) = close(&mut stage.vernier, &journal).await?;
    let phases =
        [(begun, struck), (struck, ending), (returned, over)].map(|(from, to)| phase(settings, &log, from, to));
    let since = Answers::of(&log.seen, &(struck.at..over.at), settings.tmax());
    let timeline = timeline(&log.seen, &[], &(begun.at..over.at), settings.tmax());
    let Log { invalid, given_up, faults, .. } = log;
    let figures = Figures {
        bidder_killed,
        phases,
        since,
        waiting: waits,
        shipped_s,
        kafka_away: scenario != Scenario::KafkaSlow,
        ledger_behind_s,
        ledger_s,
        books,
        invalid,
        given_up,
        timeline,
    };
    Ok(Played { points: judge(&figures), since, figures: serde_json::to_value(&figures)?, counters, faults })
}

fn phase(settings: &Settings, log: &Log, from: Mark, to: Mark) -> Phase {
    let time = from.at..to.at;
    let answers = Answers::of(&log.seen, &time, settings.tmax());
    let imps = log.seen.iter().filter(|seen| time.contains(&seen.due)).flat_map(|seen| &seen.imps);
    let bids = imps.filter(|imp| imp.campaign.is_some()).count();
    let cpu = to.cpu.zip(from.cpu).and_then(|(to, from)| to.checked_sub(from));
    let cpu_us = cpu.map(|cpu| cpu.as_secs_f64() * 1e6 / answers.requests.max(1) as f64);
    Phase { answers, bids, cpu_us }
}

/// A figure that a role tells.
pub(super) fn figure<T: FromStr>(metrics: &str, name: &str) -> io::Result<T> {
    let value = metrics.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok());
    value.ok_or_else(|| io::Error::other(format!("{name}is not told")))
}

/// Notices that wait for Kafka.
async fn waiting(vernier: &mut Vernier) -> io::Result<u64> {
    figure(&vernier.metrics("bidder").await?, "vernier_notices_waiting ")
}

/// How many seconds behind the streams the ledger says that it is.
async fn behind(vernier: &mut Vernier) -> io::Result<f64> {
    figure(&vernier.metrics("ledger").await?, "vernier_ledger_behind_seconds ")
}

/// Seconds from `since` until the ledger has caught up; `None` where it does not.
async fn caught_up(vernier: &mut Vernier, since: Instant) -> io::Result<Option<f64>> {
    while behind(vernier).await? > BEHIND_S_MAX {
        if since.elapsed() > SHIPPED_TIME_MAX {
            return Ok(None);
        }
        sleep(LOOK).await;
    }
    Ok(Some(since.elapsed().as_secs_f64()))
}

/// Seconds from `since` until no more than so many notices wait for Kafka; `None` where more go on waiting.
async fn shipped(vernier: &mut Vernier, since: Instant, waiting_max: u64) -> io::Result<Option<f64>> {
    while waiting(vernier).await? > waiting_max {
        if since.elapsed() > SHIPPED_TIME_MAX {
            return Ok(None);
        }
        sleep(LOOK).await;
    }
    Ok(Some(since.elapsed().as_secs_f64()))
}

/// Ends the bidder and the ledger as an operator does, when nothing waits any more; what the books say then, and what
/// the bidder counted.
async fn close(vernier: &mut Vernier, journal: &Path) -> io::Result<(Books, Vec<String>)> {
    shipped(vernier, Instant::now(), 0).await?;
    let metrics = vernier.metrics("bidder").await?;
    let dropped = |place| figure::<u64>(&metrics, &format!("vernier_events_dropped_total{{where=\"{place}\"}} "));
    let dropped = dropped("bids")? + dropped("queue")?;
    vernier.end("bidder").await?;
    // It takes in what the streams hold, and ends.
    vernier.end("ledger").await?;
    let [notices, outcomes, bids] =
        [vernier.events("notices").await?, vernier.events("outcomes").await?, vernier.events("bids").await?];
    let books = Books::of(&journal::read(journal)?, &notices, &outcomes, &bids, dropped);
    Ok((books, counters(&metrics)))
}
