//! One run, from its first request to its history.

use std::io::{self, Error};
use std::path::Path;
use std::time::Duration;

use serde::Serialize;
use tokio::time::{Instant, sleep};

use super::history::{BOOKS, JOURNAL, RUN, Recorded, STREAMS};
use super::plan::{BIDDERS, Plan};
use super::stage::Stage;
use super::{Settings, history};
use crate::exchange::{self, Repeats};
use crate::faults::streams::figure;
use crate::faults::traffic::{Load, Log, Traffic};
use crate::servers::vernier::{Vernier, bidder_name};

/// Milliseconds that an answer may take. What comes later is late, and nobody is judged by it here.
const TMAX_MS: u32 = 150;
/// How long notices that are sent again after a failure are waited for at the end.
const END_TIMEOUT: Duration = Duration::from_secs(60);
/// Time between two looks at what is waited for.
const LOOK: Duration = Duration::from_millis(250);
/// How long it may take until all is shipped and charged.
const QUIET_TIME_MAX: Duration = Duration::from_secs(300);

/// What the exchange counted.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(super) struct Counts {
    requests: usize,
    unanswered: usize,
    bids: usize,
    /// Answers that broke a rule of the exchange.
    invalid: u64,
    /// Notices that no bidder took.
    given_up: u64,
}

impl Counts {
    fn of(log: &Log) -> Self {
        let bids = log.seen.iter().flat_map(|seen| &seen.imps).filter(|imp| imp.campaign.is_some()).count();
        let unanswered = log.seen.iter().filter(|seen| seen.took.is_none()).count();
        let Log { invalid, given_up, .. } = *log;
        Self { requests: log.seen.len(), unanswered, bids, invalid, given_up }
    }
}

/// Plays a run in `folder` and writes its `history`.
pub(super) async fn play(settings: &Settings, plan: &Plan, folder: &Path, history: &Path) -> io::Result<Counts> {
    let mut stage = Stage::set(settings, plan, folder).await?;
    let load = Load { rate: plan.rate, people: settings.people, seed: plan.seed, tmax_ms: TMAX_MS };
    let exchange = exchange::Settings {
        bid_urls: stage.vernier.bid_urls(),
        repeats: Repeats::Common,
        end_timeout: END_TIMEOUT,
        journal: Some(history.join(JOURNAL)),
        ..exchange::Settings::new(String::new())
    };
    let traffic = Traffic::play(exchange, load)?;
    sleep(plan.time(0)).await;
    let happened = stage.fail(plan).await?;
    sleep(plan.time(2)).await;
    let log = traffic.finish().await?;
    log.faults.iter().for_each(|fault| eprintln!("run {}: {fault}", plan.run));
    let numbers = stage.vernier.numbers().await?;
    close(&mut stage.vernier, history).await?;
    history::write(&history.join(RUN), &Recorded { plan: plan.clone(), numbers, happened })?;
    Ok(Counts::of(&log))
}

/// Ends bidders and ledger as an operator does once nothing waits any more, and writes down what streams and books say.
async fn close(vernier: &mut Vernier, history: &Path) -> io::Result<()> {
    let begun = Instant::now();
    for name in (0..BIDDERS).map(bidder_name) {
        while figure::<u64>(&vernier.metrics(&name).await?, "vernier_notices_waiting ")? > 0 {
            patience(begun, &name).await?;
        }
    }
    for name in (0..BIDDERS).map(bidder_name) {
        vernier.end(&name).await?;
    }
    // Nothing is written to what it reads from now on, so it is whole once it has seen the ends of all of it later than this.
    let ended = Instant::now();
    loop {
        let since_s = ended.elapsed().as_secs_f64();
        if figure::<f64>(&vernier.metrics("ledger").await?, "vernier_ledger_behind_seconds ")? < since_s {
            break;
        }
        patience(begun, "ledger").await?;
    }
    history::write(&history.join(BOOKS), &vernier.books().await?)?;
    vernier.end("ledger").await?;
    for stream in STREAMS {
        vernier.save_events(stream, &history::stream_file(history, stream)).await?;
    }
    Ok(())
}

async fn patience(begun: Instant, name: &str) -> io::Result<()> {
    if begun.elapsed() > QUIET_TIME_MAX {
        return Err(Error::other(format!("{name} does not get done")));
    }
    sleep(LOOK).await;
    Ok(())
}
