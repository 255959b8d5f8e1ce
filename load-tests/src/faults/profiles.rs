//! What exchanges and campaigns get while profiles cannot be looked up.

use std::collections::BTreeMap;
use std::io;
use std::ops::Range;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::campaigns::{self, Campaign};
use super::measure::{Answers, bids, chances, excluded_bids, known, recovery, timeline};
use super::scenario::{Scenario, Stage, WARM_UP};
use super::traffic::{Log, Traffic};
use super::{Played, Settings, counters};

mod judge;

use judge::{Figures, judge};

/// When a scenario came to which point.
struct Times {
    begun: Instant,
    /// The fault's onset: when it began to be brought about, and when it was there.
    onset: Range<Instant>,
    /// When it began to be taken away.
    end: Instant,
    over: Instant,
}

/// Plays a scenario at this rate: healthy traffic, the fault, its end, and healthy traffic again.
pub(super) async fn play(settings: &Settings, scenario: Scenario, rate: u32) -> io::Result<Played> {
    let folder = settings.folder.join(scenario.name());
    let mut stage = Stage::set(settings, scenario, &folder).await?;
    let names = campaigns::by_number(&stage.vernier.numbers().await?)?;
    let traffic = Traffic::start(stage.vernier.bid_url(), settings.load(rate), None)?;
    sleep(WARM_UP).await;
    let [before, during, after] = settings.profiles;
    let begun = Instant::now();
    sleep(before).await;
    let striking = Instant::now();
    stage.strike(scenario)?;
    let onset = striking..Instant::now();
    sleep(during).await;
    let end = Instant::now();
    stage.end(scenario).await?;
    sleep(after).await;
    let times = Times { begun, onset, end, over: Instant::now() };
    let log = traffic.finish().await?;
    let figures = measure(settings.tmax(), &log, &times, &names);
    Ok(Played {
        points: judge(&figures),
        since: figures.since,
        figures: serde_json::to_value(figures)?,
        counters: counters(&stage.vernier.metrics("bidder").await?),
        faults: log.faults,
    })
}

fn measure(tmax: Duration, log: &Log, times: &Times, names: &BTreeMap<String, Campaign>) -> Figures {
    // A request that is under way when something changes belongs to neither time.
    let before = times.begun..times.onset.start - tmax;
    let during = times.onset.end + tmax..times.end - tmax;
    let chances = chances(&log.seen, names);
    let known_before = known(&chances, &before);
    let recovery = known_before.and_then(|share| recovery(&chances, &(times.end..times.over), share));
    let after = times.end + recovery.unwrap_or_default()..times.over;
    Figures {
        before: Answers::of(&log.seen, &before, tmax),
        since: Answers::of(&log.seen, &(times.onset.start..times.over), tmax),
        known: [known_before, known(&chances, &during), known(&chances, &after)],
        bids_before: bids(&chances, &before),
        bids_during: bids(&chances, &during),
        bids_after: bids(&chances, &after),
        excluded_bids: excluded_bids(&log.seen, names),
        recovery_s: recovery.map(|time| time.as_secs_f64()),
        invalid: log.invalid,
        given_up: log.given_up,
        timeline: timeline(&log.seen, &chances, &(times.begun..times.over), tmax),
    }
}
