//! How much of its budget a campaign is to have spent by when.

use decision::campaign::Pacing;
use decision::time::{LocalTime, Micros};

use super::curve::Weights;
use crate::limits::FRONT_LOAD;

/// The pieces that a plan is added up by.
const PIECE_US: i64 = 30 * 60 * 1_000_000;

/// What a campaign may spend when.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terms<'a> {
    pub(crate) pacing: Pacing,
    pub(crate) clock: &'a LocalTime,
    pub(crate) daily: i128,
    pub(crate) total: i128,
    pub(crate) from: Micros,
    pub(crate) until: Micros,
}

/// What it has spent, in nanos.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spent {
    pub(crate) today: i128,
    pub(crate) in_all: i128,
}

/// The plan of a day.
pub(crate) struct Plan<'a> {
    terms: Terms<'a>,
    weights: Weights,
    start: Micros,
    end: Micros,
    /// Of the whole day, from the start on.
    mass: f64,
    /// When `mass` was summed up, the day's budget in nanos.
    pub(crate) budget: f64,
}

impl<'a> Plan<'a> {
    /// The plan of the day that `now` is in: the daily budget, or, where that is less, the share of the total budget that
    /// is due to the day by the traffic that the flight has left.
    pub(crate) fn of_day(terms: Terms<'a>, weights: Weights, now: Micros, spent: Spent) -> Self {
        let day = terms.clock.day(now);
        let (start, end) = (terms.clock.day_start(day), terms.clock.day_start(day + 1));
        let mut plan = Self { start, end, mass: 0.0, budget: terms.daily as f64, terms, weights };
        let (from, until) = (start.max(terms.from), end.min(terms.until));
        plan.mass = plan.mass(from, until);
        let left = (terms.total - spent.in_all).max(0);
        let days_left = (i128::from(terms.until.0) - i128::from(now.0)) / (PIECE_US as i128 * 48) + 1;
        if left < terms.daily.saturating_mul(days_left) {
            let later_s = (terms.until.0.saturating_sub(until.0)) as f64 / 1e6;
            let today = plan.mass(now, until);
            let all = today + plan.weights.ahead(terms.clock, until, later_s);
            let due = spent.today as f64 + if all > 0.0 { left as f64 * today / all } else { 0.0 };
            plan.budget = plan.budget.min(due);
        }
        plan
    }

    /// The part of the day's budget that belongs between two moments.
    pub(crate) fn share(&self, from: Micros, until: Micros) -> f64 {
        if self.mass > 0.0 { self.mass(from, until) / self.mass } else { 0.0 }
    }

    /// The part that belongs to what is left of the day.
    pub(crate) fn share_left(&self, now: Micros) -> f64 {
        self.share(now, self.end.min(self.terms.until))
    }

    fn mass(&self, from: Micros, until: Micros) -> f64 {
        let (mut at, mut mass) = (from.0, 0.0);
        while at < until.0 {
            let next = ((at.div_euclid(PIECE_US) + 1) * PIECE_US).min(until.0);
            let middle = Micros(at + (next - at) / 2);
            mass += self.weights.at(self.terms.clock, middle) * self.load(middle) * (next - at) as f64 / 1e6;
            at = next;
        }
        mass
    }

    /// What the day's course adds to the weight of the traffic.
    fn load(&self, at: Micros) -> f64 {
        match self.terms.pacing {
            Pacing::Asap | Pacing::Even => 1.0,
            Pacing::FrontLoaded => {
                let passed = (at.0 - self.start.0) as f64 / (self.end.0 - self.start.0) as f64;
                1.0 + FRONT_LOAD * (1.0 - 2.0 * passed)
            }
        }
    }
}
