//! The multiplier of one campaign, and what it is found by.

use decision::money::ONE_PPM;
use decision::time::{LocalTime, Micros};

use super::curve::Curve;
use super::plan::{Plan, Spent, Terms};
use crate::limits::{
    CATCH_UP, MEAN_OF_CHARGES, MULTIPLIER_PPM_MIN, MULTIPLIER_TOLD_PPM, OVERSPEND_ERROR_MAX, PACE_PAUSE_S, PACE_S,
    PACE_TIME_CHARGES, PACE_TIME_DELAYS, PACE_TIME_S_MIN,
};

/// Millionths of the natural logarithm.
const NEPER: f64 = 1e6;

/// What pacing knows of a campaign: plain whole numbers, so that two folds of a journal are equal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pacer {
    /// The natural logarithm of the multiplier, in millionths; never above 0.
    pub(crate) level: i32,
    /// The multiplier that the nodes were told, in millionths.
    pub(crate) told_ppm: u32,
    /// What the first nodes asked for, by which the level is set.
    pub(crate) beginning: Option<Beginning>,
    /// Whether the level is set.
    pub(crate) started: bool,
    /// When it was last looked at; `None`: it begins anew.
    pub(crate) looked_at: Option<Micros>,
    /// What had been spent in all by then, in nanos.
    pub(crate) spent: i128,
    /// When anybody was last bid for, if only for lack of money in vain.
    pub(crate) demanded_at: Micros,
    /// The hour that is being learnt, since 1970 by the campaign's clock, its demand so far, and whether that began with it.
    pub(crate) hour: i64,
    pub(crate) hour_demand: i64,
    pub(crate) hour_is_whole: bool,
    /// The mean of the latest charges in nanos, and of the time between bid and charge in microseconds; 0: none yet.
    pub(crate) charge: i64,
    pub(crate) delay: i64,
    pub(crate) curve: Curve,
}

/// What the bids of a node came to before pacing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Demand {
    /// Nanos.
    pub(crate) amount: i64,
    /// The time of the first of these bids, or before.
    pub(crate) since: Micros,
}

/// What the first nodes asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Beginning {
    /// When the first one asked.
    pub(crate) at: Micros,
    /// When the first one began to bid.
    pub(crate) from: Micros,
    /// What bids have come to since, in nanos.
    pub(crate) demand: i64,
}

impl Pacer {
    /// Nothing is known; the multiplier is 1 until somebody is bid for.
    pub(crate) fn new() -> Self {
        Self {
            level: 0,
            told_ppm: ONE_PPM,
            beginning: None,
            started: false,
            looked_at: None,
            spent: 0,
            demanded_at: Micros(i64::MIN),
            hour: i64::MIN,
            hour_demand: 0,
            hour_is_whole: false,
            charge: 0,
            delay: 0,
            curve: Curve::default(),
        }
    }

    /// What the nodes multiply prices by, in millionths: above 0 and at most 1,000,000.
    pub(crate) fn told_ppm(&self) -> u32 {
        self.told_ppm
    }

    /// A charge was booked, so long after its bid.
    pub(crate) fn charged(&mut self, amount: i64, delay_us: i64) {
        let mean = |mean: i64, new: i64| if mean == 0 { new } else { mean + (new - mean) / MEAN_OF_CHARGES };
        self.charge = mean(self.charge, amount);
        self.delay = mean(self.delay, delay_us.max(0));
    }

    /// What was booked before was changed by so much: that is no spend since the last look.
    pub(crate) fn corrected(&mut self, difference: i64) {
        self.spent += i128::from(difference);
    }

    /// A node asked for money, and says what it would have spent.
    pub(crate) fn asked(&mut self, now: Micros, demand: Demand, terms: Terms<'_>, spent: Spent) {
        let amount = demand.amount;
        if amount <= 0 {
            return;
        }
        self.learn_until(now, terms.clock);
        self.hour_demand = self.hour_demand.saturating_add(amount);
        self.demanded_at = now;
        if !self.started {
            self.begin(now, demand, terms, spent);
        }
    }

    /// Sets the first level by what all nodes ask for in the first seconds, since nobody knows how many there are.
    fn begin(&mut self, now: Micros, demand: Demand, terms: Terms<'_>, spent: Spent) {
        let plan = Plan::of_day(terms, self.curve.weights(), now, spent);
        let wanted = plan.budget * plan.share(now, now.plus_seconds(60)) / 60.0;
        if wanted <= 0.0 {
            return;
        }
        // Who bid once, long ago, says nothing of how much there is to buy.
        let earliest = now.plus_seconds(-i64::from(PACE_PAUSE_S));
        let since = demand.since.max(earliest);
        let begun = self.beginning.filter(|begun| begun.at >= earliest);
        let beginning = self.beginning.insert(begun.unwrap_or(Beginning { at: now, from: since, demand: 0 }));
        beginning.from = beginning.from.min(since);
        beginning.demand = beginning.demand.saturating_add(demand.amount);
        let Beginning { at, from, demand } = *beginning;
        let seconds = ((now.0.saturating_sub(from.0)) as f64 / 1e6).max(1.0);
        self.started = now >= at.plus_seconds(PACE_S.into());
        // Between buying everything and buying in proportion: spend falls faster than the multiplier.
        self.set_level(libm::log(libm::sqrt(wanted * seconds / demand as f64)));
    }

    /// Leads the multiplier towards the plan by what was spent since the last look.
    pub(crate) fn look(&mut self, now: Micros, terms: Terms<'_>, spent: Spent) {
        self.learn_until(now, terms.clock);
        let before = self.looked_at.replace(now);
        let delta = (spent.in_all - std::mem::replace(&mut self.spent, spent.in_all)) as f64;
        let Some(before) = before.filter(|before| now.0 - before.0 <= i64::from(PACE_PAUSE_S) * 1_000_000) else {
            return;
        };
        if terms.clock.day(before) != terms.clock.day(now) {
            return;
        }
        let plan = Plan::of_day(terms, self.curve.weights(), now, spent);
        let (left, seconds) = (plan.budget - spent.today as f64, (now.0 - before.0) as f64 / 1e6);
        let passed = plan.share(before, now);
        let planned = plan.budget * passed;
        // Where nothing is left nothing can be learnt of the multiplier, and tomorrow wants it as it is.
        if left <= 0.0 || planned <= 0.0 {
            return;
        }
        let target = (left + delta) * passed / (passed + plan.share_left(now));
        let error = (delta - target.min(CATCH_UP * planned)) / planned;
        let answer = self.answer_time_s();
        let time = answer.max(self.charges_time_s(planned / seconds));
        // Without anybody to bid for, a higher multiplier would find nobody either, and too many people later.
        let is_idle = (now.0.saturating_sub(self.demanded_at.0)) as f64 / 1e6 > time;
        if error > 0.0 || !is_idle {
            let step = (error * seconds / time).min(OVERSPEND_ERROR_MAX * seconds / answer);
            self.set_level(f64::from(self.level) / NEPER - step);
        }
    }

    /// Whether the nodes are to be told of a new multiplier, which this then is: at most that of `above`.
    pub(crate) fn tell(&mut self, above: Option<&Self>) -> bool {
        let level = above.map_or(self.level, |above| self.level.min(above.level));
        let new =
            ((libm::exp(f64::from(level) / NEPER) * f64::from(ONE_PPM)) as u32).clamp(MULTIPLIER_PPM_MIN, ONE_PPM);
        let moved = u64::from(new.abs_diff(self.told_ppm)) * u64::from(ONE_PPM);
        let is_news =
            moved >= u64::from(self.told_ppm) * u64::from(MULTIPLIER_TOLD_PPM) || (new == ONE_PPM && moved > 0);
        if is_news {
            self.told_ppm = new;
        }
        is_news
    }

    fn set_level(&mut self, level: f64) {
        let least = libm::log(f64::from(MULTIPLIER_PPM_MIN) / f64::from(ONE_PPM));
        self.level = (level.clamp(least, 0.0) * NEPER) as i32;
    }

    /// In how many seconds spend at twice the plan divides the multiplier by e, so that what a change did is seen before
    /// the next one.
    fn answer_time_s(&self) -> f64 {
        (PACE_TIME_DELAYS * self.delay as f64 / 1e6).max(f64::from(PACE_TIME_S_MIN))
    }

    /// The same, so that one charge more or less is not taken for a trend. `rate` is the plan, in nanos a second.
    fn charges_time_s(&self, rate: f64) -> f64 {
        PACE_TIME_CHARGES * self.charge as f64 / rate
    }

    /// Ends the hours that are over. One that began before it was looked at, or while nobody looked, is not learnt.
    fn learn_until(&mut self, now: Micros, clock: &LocalTime) {
        let hour = clock.shown_s(now).div_euclid(3_600);
        let pause = i64::from(PACE_PAUSE_S) * 1_000_000;
        let missed = self.looked_at.is_some_and(|at| now.0.saturating_sub(at.0) > pause);
        if hour == self.hour {
            self.hour_is_whole &= !missed;
            return;
        }
        let is_next = self.hour.checked_add(1) == Some(hour);
        if is_next && self.hour_is_whole && !missed {
            self.curve.learn(self.hour, self.hour_demand);
        }
        (self.hour, self.hour_demand, self.hour_is_whole) = (hour, 0, is_next && !missed);
    }
}

#[cfg(test)]
mod tests {
    use decision::campaign::Pacing;

    use super::*;

    /// The multiplier's logarithm after two looks, between which so much was corrected of what was spent on other days.
    fn level_after(difference: i64) -> i32 {
        let (hour, clock) = (3_600 * 1_000_000, LocalTime::default());
        let until = Micros(i64::MAX);
        let (daily, total, from) = (24_000_000, i128::MAX, Micros(0));
        let terms = || Terms { pacing: Pacing::Even, clock: &clock, daily, total, from, until };
        let mut pacer = Pacer { level: -500_000, started: true, ..Pacer::new() };
        pacer.look(Micros(hour), terms(), Spent { today: 1_000_000, in_all: 90_000_000 });
        pacer.demanded_at = Micros(hour);
        pacer.corrected(difference);
        let in_all = 90_020_000 + i128::from(difference);
        pacer.look(Micros(hour + 10 * 1_000_000), terms(), Spent { today: 1_020_000, in_all });
        pacer.level
    }

    #[test]
    fn what_is_corrected_is_no_spend() {
        let level = level_after(0);
        assert!(level < -500_000, "it spent more than planned: {level}");
        assert_eq!([level_after(-50_000_000), level_after(7_000_000)], [level; 2]);
    }
}
