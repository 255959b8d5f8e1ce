//! What bids in flight are expected to cost: most of them lose, and where no exchange tells of it, holding the whole price of each
//! until the end of its auction window would keep the last of a budget from being spent.

use std::sync::atomic::{AtomicI64, Ordering};

use decision::money::{Nanos, ONE_PPM};
use decision::time::Micros;

use crate::limits::{
    ODDS_BIDS_MIN, ODDS_FAST_S, ODDS_LATELY_S, ODDS_LEASE_S, ODDS_MARGIN, ODDS_OPEN_MOST, ODDS_SLOW_S, ODDS_SPARE_BIDS,
};

/// Prices of a campaign's bids on this node since they were last looked at, in nanos.
#[derive(Debug, Default)]
pub(super) struct Counts {
    made: AtomicI64,
    won: AtomicI64,
    lost: AtomicI64,
    /// Of all that were made, those whose end is not known.
    open: AtomicI64,
}

impl Counts {
    pub(super) fn made(&self, price: Nanos) {
        self.made.fetch_add(price.get(), Ordering::Relaxed);
        self.open.fetch_add(price.get(), Ordering::Relaxed);
    }

    pub(super) fn won(&self, price: Nanos) {
        self.won.fetch_add(price.get(), Ordering::Relaxed);
        self.open.fetch_sub(price.get(), Ordering::Relaxed);
    }

    pub(super) fn lost(&self, price: Nanos) {
        self.lost.fetch_add(price.get(), Ordering::Relaxed);
        self.open.fetch_sub(price.get(), Ordering::Relaxed);
    }

    /// What became of bids so far tells nothing of those from now on.
    pub(super) fn forget(&self) {
        let _forgotten = self.take();
    }

    /// What was made, won and lost since the last time.
    fn take(&self) -> [f64; 3] {
        [&self.made, &self.won, &self.lost].map(|sum| sum.swap(0, Ordering::Relaxed) as f64)
    }
}

/// How often a campaign's bids win on this node: sums of prices that fade.
#[derive(Clone, Copy, Debug)]
pub(super) struct Odds {
    at: Micros,
    /// Over minutes, or over more where bids are few: of bids whose end is known, those that were won and all.
    won: f64,
    ended: f64,
    /// Bids whose end is not known: now, and in the mean of the last minutes.
    open: f64,
    open_usually: f64,
    /// Over seconds, in which most wins are told: bids that were won, and bids that were made.
    won_now: f64,
    made_now: f64,
}

impl Odds {
    pub(super) fn new(now: Micros) -> Self {
        Self { at: now, won: 0.0, ended: 0.0, open: 0.0, open_usually: 0.0, won_now: 0.0, made_now: 0.0 }
    }

    /// The clock was set back to `now`.
    pub(super) fn set_back(&mut self, now: Micros) {
        self.at = now.min(self.at);
    }

    /// Takes in what was counted since the last time. What few bids have told is kept for as long as it takes others to come: who
    /// holds whole prices bids less, and would never know that they hardly win. `price_max` is the most that one bid costs.
    pub(super) fn count(&mut self, counts: &Counts, price_max: Nanos, now: Micros) {
        let passed_s = now.0.saturating_sub(self.at.0).max(0) as f64 / 1e6;
        self.at = self.at.max(now);
        let [made, won, lost] = counts.take();
        let [slow, middle, fast] = [ODDS_SLOW_S, ODDS_LATELY_S, ODDS_FAST_S].map(|time_s| (-passed_s / time_s).exp());
        let enough = 2.0 * ODDS_BIDS_MIN * price_max.get() as f64;
        let kept = if self.ended > enough { slow.max(enough / self.ended) } else { 1.0 };
        self.won = self.won * kept + won;
        self.ended = self.ended * kept + won + lost;
        self.open = counts.open.load(Ordering::Relaxed) as f64;
        self.open_usually = self.open_usually * middle + self.open * (1.0 - middle);
        self.won_now = self.won_now * fast + won;
        self.made_now = self.made_now * fast + made;
    }

    /// What part of its price a bid holds, in millionths: several times what wins of it, over minutes or now, whichever is more,
    /// and a share for luck. All of it where too little is known, wins are frequent, or many more bids are open than usually, as
    /// after a pause: what was known before it may not hold any more. `price_max` is the most that one bid costs.
    pub(super) fn share_ppm(&self, price_max: Nanos) -> u32 {
        let price_max = price_max.get().max(1) as f64;
        if self.ended < ODDS_BIDS_MIN * price_max || self.open > ODDS_OPEN_MOST * self.open_usually {
            return ONE_PPM;
        }
        let usual = self.won / self.ended;
        // Two wins among few bids are no change yet.
        let now = (self.won_now - 2.0 * price_max).max(0.0) / self.made_now.max(price_max);
        // As many as are made while a lease lasts.
        let bids = self.made_now / ODDS_FAST_S * ODDS_LEASE_S / price_max;
        let share = ODDS_MARGIN * usual.max(now) + spare(bids);
        if share < 1.0 { ((share * f64::from(ONE_PPM)) as u32).max(1) } else { ONE_PPM }
    }
}

/// The share of its price that each of so many bids holds for luck: of many, what comes to a few prices; of few, so much that all
/// for which a lease of so many prices has room may win and cost one bid more.
pub(super) fn spare(bids: f64) -> f64 {
    let bids = bids.max(1.0);
    (ODDS_SPARE_BIDS / bids).min(bids / (bids + 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A campaign that makes so many bids a second at a price of 100, of which every `win_one_in`th is won; the share after
    /// so many seconds.
    fn share(bids: i64, win_one_in: i64, seconds: i64) -> f64 {
        f64::from(play(&mut Odds::new(Micros(0)), bids, win_one_in, 0..seconds)) / f64::from(ONE_PPM)
    }

    fn play(odds: &mut Odds, bids: i64, win_one_in: i64, seconds: std::ops::Range<i64>) -> u32 {
        let (counts, mut number) = (Counts::default(), seconds.start * bids);
        for second in seconds {
            for _ in 0..bids {
                counts.made(Nanos::new(100));
                number += 1;
                let is_won = win_one_in > 0 && number % win_one_in == 0;
                if is_won { counts.won(Nanos::new(100)) } else { counts.lost(Nanos::new(100)) }
            }
            odds.count(&counts, Nanos::new(100), Micros(second * 1_000_000));
        }
        odds.share_ppm(Nanos::new(100))
    }

    #[test]
    fn a_bid_holds_several_times_what_wins_and_a_share_of_a_few_prices() {
        assert_eq!(share(100, 100, 4), 1.0, "too few to know");
        assert!((0.040..0.050).contains(&share(100, 100, 600)), "{}", share(100, 100, 600));
        assert!((0.09..0.2).contains(&share(1, 100, 3_600)), "few bids: {}", share(1, 100, 3_600));
        assert_eq!(share(100, 3, 600), 1.0, "wins are frequent");
        assert!(share(1_000, 0, 60) > 0.0, "something is always held");
    }

    #[test]
    fn who_wins_more_than_before_holds_all_again() {
        let mut odds = Odds::new(Micros(0));
        let calm = play(&mut odds, 100, 100, 0..600);
        let luckier = play(&mut odds, 100, 20, 600..605);
        assert!(luckier > 2 * calm, "{luckier} after five seconds with five times the wins, {calm} before");
        assert_eq!(play(&mut odds, 100, 2, 605..615), ONE_PPM);
    }

    #[test]
    fn what_is_known_outlasts_a_pause_and_does_not_vouch_for_many_bids_at_once() {
        let mut odds = Odds::new(Micros(0));
        play(&mut odds, 100, 100, 0..600);
        let after = play(&mut odds, 0, 1, 600..9_000);
        assert_eq!(after, 540_000, "half a price, of which one bid more may win, and four times the usual share");
        let counts = Counts::default();
        for second in 9_000..9_060 {
            (0..20).for_each(|_| counts.made(Nanos::new(100)));
            odds.count(&counts, Nanos::new(100), Micros(second * 1_000_000));
            assert_eq!(odds.share_ppm(Nanos::new(100)), ONE_PPM, "nothing ended of what began by {second}");
        }
    }

    /// However slowly bids come, it is known in the end how few of them win.
    #[test]
    fn few_bids_are_enough_in_the_end() {
        let (mut odds, counts) = (Odds::new(Micros(0)), Counts::default());
        for minute in 0..1_000 {
            counts.made(Nanos::new(100));
            if minute % 50 == 0 {
                counts.won(Nanos::new(100))
            } else {
                counts.lost(Nanos::new(100))
            }
            odds.count(&counts, Nanos::new(100), Micros(minute * 60_000_000));
            assert!(minute >= 498 || odds.share_ppm(Nanos::new(100)) == ONE_PPM, "too few to know: {minute}");
        }
        assert!((0.5..0.85).contains(&(f64::from(odds.share_ppm(Nanos::new(100))) / 1e6)));
    }

    #[test]
    fn if_all_of_a_few_bids_win_they_cost_one_more_than_is_held() {
        for prices in [0.3, 1.0, 2.0, 2.5] {
            // So many bids can be open on a lease of so many prices.
            let open = prices / spare(prices);
            assert!(open - prices <= 1.0 + 1e-9, "{open} bids on {prices} prices");
        }
        assert!((100.0 * spare(100.0) - ODDS_SPARE_BIDS).abs() < 1e-9);
    }
}
