//! Whether the ledger is heard. A bid may have been won by a notice that another node took, of which only the ledger tells:
//! while it is silent, nothing counts as lost.

use decision::time::Micros;

use crate::limits::LEDGER_CATCH_UP_S;

/// What this node hears of the ledger.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Hearing {
    last: Option<Micros>,
    silent: bool,
    /// When it was heard again after it was silent, and until when it may not have told yet of all that happened meanwhile.
    back: Option<Micros>,
    catching_up: Micros,
    told: Option<Micros>,
}

impl Hearing {
    /// The ledger said something, to whomever; whether it was silent before.
    pub(super) fn hear(&mut self, now: Micros) -> bool {
        if self.silent && now >= self.catching_up {
            // What came before its last return is told by now, also where it is silent every few seconds.
            self.told = self.told.max(self.back);
            self.back = Some(now);
            self.catching_up = now.plus_seconds(LEDGER_CATCH_UP_S);
        }
        self.last = self.last.max(Some(now));
        std::mem::take(&mut self.silent)
    }

    /// It was asked and did not answer.
    pub(super) fn miss(&mut self) {
        self.silent = true;
    }

    /// The moment up to which it has told what was won; `None`: of none yet.
    pub(super) fn told(&mut self, now: Micros) -> Option<Micros> {
        if !self.silent && now >= self.catching_up {
            self.told = self.last;
        }
        self.told
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000;

    /// `check("0 heard, 5 missed, 9", Some(0))`: what happened at which seconds; up to when is told at the last one.
    fn check(script: &str, expected: Option<i64>) {
        let (mut hearing, mut told) = (Hearing::default(), None);
        for step in script.split(", ") {
            let (second, what) = step.split_once(' ').unwrap_or((step, ""));
            let now = Micros(second.parse::<i64>().expect("a second") * SECOND);
            match what {
                "heard" => _ = hearing.hear(now),
                "missed" => hearing.miss(),
                _ => {}
            }
            told = hearing.told(now);
        }
        assert_eq!(told, expected.map(|second| Micros(second * SECOND)), "{script}");
    }

    #[test]
    fn what_the_ledger_may_have_to_tell_is_waited_for() {
        check("100", None);
        check("0 heard, 20 heard, 45", Some(20));
        check("0 heard, 20 heard, 500", Some(20));
        check("0 heard, 20 missed, 500", Some(0));
        check("0 heard, 20 missed, 100 heard, 159", Some(0));
        check("0 heard, 20 missed, 100 heard, 150 heard, 160", Some(150));
        check("0 missed, 1 heard, 2", None);
    }

    #[test]
    fn who_is_silent_again_and_again_is_not_waited_for_without_end() {
        check("0 heard, 20 missed, 100 heard, 120 missed, 125 heard, 159", Some(0));
        check("0 heard, 20 missed, 100 heard, 155 missed, 170 heard, 229", Some(100));
        check("0 heard, 20 missed, 100 heard, 155 missed, 170 heard, 230", Some(170));
    }
}
