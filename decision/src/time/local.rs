//! The clock of a time zone, as far as a campaign needs it: nobody who has it needs a database of time zones.

use alloc::string::String;
use alloc::vec::Vec;

use super::Micros;

/// The largest distance of a clock from UTC in seconds, either way: zones reach from 12 hours behind to 14 ahead.
pub const OFFSET_S_MAX: i32 = 18 * 60 * 60;
/// Changes of a clock that a campaign may have: half a century of daylight saving time.
pub const OFFSET_CHANGES_MAX: usize = 100;

const DAY_S: i64 = 24 * 60 * 60;
const SECOND: i64 = 1_000_000;

/// When which offset from UTC is in force. The default is UTC itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LocalTime {
    time_zone: String,
    offset_s: i32,
    changes: Vec<(Micros, i32)>,
}

impl LocalTime {
    /// A clock that is `offset_s` seconds ahead of UTC, and from each of the `changes` on as many as stand there. `None`
    /// where an offset is larger than [`OFFSET_S_MAX`], the changes do not ascend by a day at least, or there are more
    /// than [`OFFSET_CHANGES_MAX`].
    pub fn new(time_zone: String, offset_s: i32, changes: Vec<(Micros, i32)>) -> Option<Self> {
        let apart =
            |a: &(Micros, i32), b: &(Micros, i32)| b.0.0.checked_sub(a.0.0).is_some_and(|d| d >= DAY_S * SECOND);
        let offsets = core::iter::once(offset_s).chain(changes.iter().map(|(_, offset)| *offset));
        let sound = offsets.into_iter().all(|offset| (-OFFSET_S_MAX..=OFFSET_S_MAX).contains(&offset))
            && changes.is_sorted_by(apart)
            && changes.len() <= OFFSET_CHANGES_MAX;
        sound.then_some(Self { time_zone, offset_s, changes })
    }

    /// The IANA name of the time zone; empty: UTC.
    pub fn time_zone(&self) -> &str {
        &self.time_zone
    }

    /// Seconds ahead of UTC before the first change.
    pub fn first_offset_s(&self) -> i32 {
        self.offset_s
    }

    /// When the clock is set anew, and how many seconds ahead of UTC it is from then on.
    pub fn changes(&self) -> &[(Micros, i32)] {
        &self.changes
    }

    /// Seconds ahead of UTC.
    pub fn offset_s(&self, at: Micros) -> i32 {
        let passed = self.changes.partition_point(|(change, _)| *change <= at);
        passed.checked_sub(1).map_or(self.offset_s, |last| self.changes[last].1)
    }

    /// What the clock shows, in seconds since 1970-01-01T00:00 of its own.
    pub fn shown_s(&self, at: Micros) -> i64 {
        at.0.div_euclid(SECOND) + i64::from(self.offset_s(at))
    }

    /// The day a moment is in, counted from 1970-01-01. A day begins when the clock first shows it, and days never go
    /// back with the clock.
    pub fn day(&self, at: Micros) -> i64 {
        let shown = self.shown_s(at).div_euclid(DAY_S);
        // Where the clock was set back over midnight, the day that had begun goes on.
        shown + i64::from(self.day_start(shown + 1) <= at)
    }

    /// The first moment of a day, held at the ends of the range.
    pub fn day_start(&self, day: i64) -> Micros {
        let midnight = |offset_s: i32| Micros((day.saturating_mul(DAY_S) - i64::from(offset_s)).saturating_mul(SECOND));
        let (mut from, mut offset_s) = (Micros(i64::MIN), self.offset_s);
        for (change, next) in &self.changes {
            // Where the clock was set forward over midnight, the day begins with that.
            let start = midnight(offset_s).max(from);
            if start < *change {
                return start;
            }
            (from, offset_s) = (*change, *next);
        }
        midnight(offset_s).max(from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600 * SECOND;

    /// Berlin in 2026: summer time from 29 March to 25 October, both at 01:00 UTC.
    fn berlin() -> LocalTime {
        let changes =
            [(1_774_746_000, 7_200), (1_792_890_000, 3_600)].map(|(at, offset)| (Micros(at * SECOND), offset));
        LocalTime::new("Europe/Berlin".into(), 3_600, changes.into()).expect("a clock")
    }

    fn length_h(clock: &LocalTime, day: i64) -> i64 {
        (clock.day_start(day + 1).0 - clock.day_start(day).0) / HOUR
    }

    #[test]
    fn days_are_as_long_as_the_clock_makes_them() {
        let (spring, autumn) = (20_541, 20_751);
        let lengths = |day: i64| [day - 1, day, day + 1].map(|day| length_h(&berlin(), day));
        assert_eq!(lengths(spring), [24, 23, 24]);
        assert_eq!(lengths(autumn), [24, 25, 24]);
        assert_eq!(berlin().day_start(20_454), Micros((20_454 * DAY_S - 3_600) * SECOND), "midnight of a winter day");
        assert_eq!(LocalTime::default().day(Micros(-1)), -1);
        assert_eq!(LocalTime::default().day(Micros(DAY_S * SECOND)), 1);
    }

    #[test]
    fn every_moment_is_in_the_day_that_began_last() {
        // Set forward over midnight (23:30 shows 00:30) and back over it (00:30 shows 23:30), as some zones have done.
        let changes = [(10 * DAY_S - 1_800, 3_600), (20 * DAY_S - 3_600 + 1_800, 0)];
        let changes = changes.map(|(at, offset)| (Micros(at * SECOND), offset));
        let odd = LocalTime::new("odd".into(), 0, changes.into()).expect("a clock");
        for clock in [odd, berlin(), LocalTime::default()] {
            let starts = [8, 9, 10, 11, 18, 19, 20, 21, 20_540, 20_541, 20_542, 20_751];
            for at in starts.iter().flat_map(|day| (-8..8).map(move |quarter| day * DAY_S + quarter * 900)) {
                let at = Micros(at * SECOND);
                let day = clock.day(at);
                assert!(clock.day_start(day) <= at && at < clock.day_start(day + 1), "{at:?} in day {day}");
            }
        }
    }

    #[test]
    fn clocks_that_cannot_be_are_refused() {
        let clock = |offset_s, changes: &[(i64, i32)]| {
            let changes = changes.iter().map(|(at, offset)| (Micros(*at), *offset)).collect();
            LocalTime::new("-".into(), offset_s, changes).is_some()
        };
        let day = DAY_S * SECOND;
        assert!(clock(OFFSET_S_MAX, &[(0, 0), (day, -OFFSET_S_MAX)]));
        assert!(!clock(OFFSET_S_MAX + 1, &[]) && !clock(0, &[(0, i32::MIN)]));
        assert!(!clock(0, &[(day, 0), (0, 1)]) && !clock(0, &[(0, 0), (day - 1, 1)]), "changes ascend");
        assert!(!clock(0, &(0..=OFFSET_CHANGES_MAX as i64).map(|at| (at * day, 0)).collect::<Vec<_>>()));
    }
}
