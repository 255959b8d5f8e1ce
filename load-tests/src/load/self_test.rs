//! Whether the generator tells the truth on this machine: a server that stands still for a while must show in full.

use std::io;
use std::path::Path;
use std::time::Duration;

use tokio::time::sleep;

use super::{Loop, Settings, Source, Stage, Tally, play};
use crate::floor::{Canned, Floor};

/// How long the server stands still, of how long a run, at how many requests a second.
const STOPPED: Duration = Duration::from_millis(1_400);
const SECONDS: u32 = 30;
const RATE: u32 = 2_000;
/// When it is stopped.
const AFTER: Duration = Duration::from_secs(10);
/// Of thirty seconds 4.7 % of the requests fall into the stop, so 99 % are answered after some 1.1 s.
const P99_MS: std::ops::Range<f64> = 1_000.0..1_300.0;
const MAX_MS_MIN: f64 = 1_350.0;
/// What a generator says that waits for answers, of the same server at the same time.
const CLOSED_P99_MS_MAX: f64 = 100.0;

/// Loads the bare server, stops it by a signal for 1.4 s, and lets it go on: an open and a closed loop at once.
///
/// # Errors
/// What the generator does not see as it was: its figures mean nothing on this machine then.
async fn self_test(folder: &Path) -> io::Result<String> {
    let canned = [Canned { status: 204, body: String::new() }];
    let floor = Floor::start(folder, &canned, None).await?;
    let load = |counted| Settings {
        target: floor.target.clone(),
        sources: vec![(Source::World { people: 1_000 }, 1.0)],
        stages: vec![Stage { rate: RATE, seconds: SECONDS }],
        connections: 32,
        counted,
        calls: false,
        checked_one_in: 0,
        kept: 0,
        seed: 1,
    };
    let loads = [Loop::Open, Loop::Closed].map(load).map(|load| tokio::task::spawn_blocking(move || play(&load)));
    sleep(AFTER).await;
    floor.process.signal("STOP")?;
    sleep(STOPPED).await;
    floor.process.signal("CONT")?;
    let [open, closed] = loads;
    let ((open, _), (closed, _)) = (open.await??, closed.await??);
    judge(&open, &closed)
}

/// What the generator says of itself, where it is to be tried out.
///
/// # Errors
/// As [`self_test`].
pub async fn tried_out(wanted: bool, folder: &Path) -> io::Result<String> {
    if wanted { self_test(folder).await } else { Ok("the generator was not tried out".to_owned()) }
}

fn judge(open: &Tally, closed: &Tally) -> io::Result<String> {
    let (p99, max, closed_p99) = (open.from_due.ms(0.99), open.from_due.max_ms(), closed.from_due.ms(0.99));
    let said = format!(
        "a server that stands still for 1.4 of 30 s: p99 {p99:.0} ms, longest {max:.0} ms; by a closed loop p99 {closed_p99:.1} ms"
    );
    let right = P99_MS.contains(&p99) && max >= MAX_MS_MIN && closed_p99 < CLOSED_P99_MS_MAX;
    if right { Ok(said) } else { Err(io::Error::other(format!("this machine cannot be measured with: {said}"))) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(times_ms: impl Iterator<Item = u64>) -> Tally {
        let mut tally = Tally::default();
        times_ms.for_each(|ms| tally.from_due.add(Duration::from_millis(ms)));
        tally
    }

    #[test]
    fn a_generator_that_hides_the_stop_is_refused() {
        let stopped = || (0..57_200).map(|_| 1).chain((0..2_800).map(|n| 1_400 - n / 2));
        let hidden = || (0..59_968).map(|_| 1).chain((0..32).map(|_| 1_400));
        assert!(judge(&tally(stopped()), &tally(hidden())).is_ok());
        assert!(judge(&tally(hidden()), &tally(hidden())).is_err(), "the open loop must show it");
        assert!(judge(&tally(stopped()), &tally(stopped())).is_err(), "the closed loop cannot");
        assert!(judge(&tally(stopped().map(|ms| 2 * ms)), &tally(hidden())).is_err());
    }
}
