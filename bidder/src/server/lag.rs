//! How long a core makes newcomers wait: measured by a probe that takes its turn as a request does.

use std::cell::Cell;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::yield_now;
use tokio::time::Instant;

use crate::limits::LAG_PROBE_INTERVAL;

/// The lag of one core.
///
/// A runtime looks for what has arrived only between its turns, and in a turn goes through all that had. So what is read
/// now may have arrived when the turn before began. The probe gives its turn away and comes back with the next one.
#[derive(Debug, Default)]
pub(super) struct Lag {
    wanted: Notify,
    /// When the probe that is under way was sent out.
    began: Cell<Option<Instant>>,
    /// When the last probe came back, and after how long.
    last: Cell<Option<(Instant, Duration)>>,
}

impl Lag {
    /// How long what is read at `now` may have waited before. Sends out a probe, unless one is under way or came back a
    /// moment ago.
    pub(super) fn at(&self, now: Instant) -> Duration {
        let under_way = self.began.get().map_or(Duration::ZERO, |began| now - began);
        let since = |at: Instant| now.saturating_duration_since(at);
        if self.began.get().is_none() && self.last.get().is_none_or(|(at, _)| since(at) >= LAG_PROBE_INTERVAL) {
            self.began.set(Some(now));
            self.wanted.notify_one();
        }
        // The turn after a long one deals with what arrived during that.
        let last = self.last.get().filter(|(at, took)| since(*at) <= *took).map_or(Duration::ZERO, |(_, took)| took);
        under_way.max(last)
    }

    /// The probe of a core, for as long as the core runs.
    pub(super) async fn probe(&self) {
        loop {
            self.wanted.notified().await;
            yield_now().await;
            self.back(Instant::now());
        }
    }

    fn back(&self, now: Instant) {
        if let Some(began) = self.began.take() {
            self.last.set(Some((now, now - began)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Plays a core: at each millisecond a request is seen (`r`), or the probe comes back (`p`). What the requests may have
    /// waited.
    fn check(events: &[(u64, char)], expected: &[u128]) {
        let (lag, start) = (Lag::default(), Instant::now());
        let mut waited = Vec::new();
        for (ms, event) in events {
            let now = start + Duration::from_millis(*ms);
            match event {
                'r' => waited.push(lag.at(now).as_millis()),
                _ => lag.back(now),
            }
        }
        assert_eq!(waited, expected, "{events:?}");
    }

    #[test]
    fn a_core_with_little_to_do_lags_little() {
        check(&[(0, 'r'), (0, 'p'), (5, 'r'), (5, 'p'), (90, 'r')], &[0, 0, 0]);
    }

    #[test]
    fn a_long_turn_is_seen_while_it_lasts() {
        check(&[(0, 'r'), (10, 'r'), (40, 'r')], &[0, 10, 40]);
    }

    #[test]
    fn the_turn_after_a_long_one_deals_with_what_arrived_during_it() {
        check(&[(0, 'r'), (40, 'p'), (40, 'r'), (50, 'r'), (80, 'r'), (81, 'r')], &[0, 40, 40, 40, 31]);
        check(&[(0, 'r'), (40, 'p'), (41, 'r'), (50, 'p'), (51, 'r'), (70, 'r')], &[0, 40, 9, 19]);
    }

    #[test]
    fn an_old_lag_says_nothing() {
        check(&[(0, 'r'), (40, 'p'), (81, 'r')], &[0, 0]);
    }

    #[tokio::test]
    async fn a_probe_comes_back_after_the_others_had_their_turn() {
        let lag = Lag::default();
        let others = async {
            lag.at(Instant::now());
            for _ in 0..100 {
                yield_now().await;
            }
        };
        tokio::select! {
            () = others => {}
            () = lag.probe() => unreachable!("it has no end"),
        }
        assert!(lag.began.get().is_none() && lag.last.get().is_some());
    }
}
