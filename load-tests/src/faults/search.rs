//! The highest rate that this machine sustains, exchange and bidder on the same cores.

use std::io;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::Settings;
use super::measure::Answers;
use super::point::LATE_SHARE_MAX;
use super::scenario::{Engine, Stage, WARM_UP};
use super::traffic::Traffic;

/// The first rate that is tried, and the last: requests a second.
const RATES: std::ops::RangeInclusive<u32> = 500..=100_000;
/// How long a rate is held.
const STEP: Duration = Duration::from_secs(6);
/// Steps between the last rate that was sustained and the first that was not.
const REFINEMENTS: u32 = 3;

/// Finds the rate of a bidder on these servers: twice as much until answers are late, then by halves of what lies between.
///
/// # Errors
/// Where the servers do not start, or not even the first rate is sustained.
pub(super) async fn sustained(settings: &Settings, engine: Engine) -> io::Result<u32> {
    let folder = settings.folder.join(format!("search-{engine:?}").to_lowercase());
    let mut stage = Stage::of(settings, engine, &folder).await?;
    let (mut good, mut bad) = (0, *RATES.start());
    while bad <= *RATES.end() && is_sustained(settings, &mut stage, bad).await? {
        (good, bad) = (bad, 2 * bad);
    }
    if good == 0 {
        return Err(io::Error::other(format!("answers are late at {bad} requests a second already")));
    }
    for _ in 0..REFINEMENTS {
        let rate = good.midpoint(bad);
        if is_sustained(settings, &mut stage, rate).await? { good = rate } else { bad = rate }
    }
    Ok(good)
}

async fn is_sustained(settings: &Settings, stage: &mut Stage, rate: u32) -> io::Result<bool> {
    let load = settings.load(rate);
    let traffic = Traffic::start(stage.vernier.bid_url(), load, None)?;
    sleep(WARM_UP).await;
    let begun = Instant::now();
    sleep(STEP).await;
    let time = begun..Instant::now();
    let seen = traffic.finish().await?.seen;
    let answers = Answers::of(&seen, &time, Duration::from_millis(load.tmax_ms.into()));
    let [median, p99, p999] = answers.ms;
    let late = 100.0 * answers.late_share();
    println!("{rate} requests a second: {late:.2} % late; {median:.1} ms median, {p99:.1} p99, {p999:.1} p99.9");
    Ok(answers.late_share() <= LATE_SHARE_MAX)
}
