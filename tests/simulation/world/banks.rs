//! The ledger in the world: its turns, and how it ends and is replaced.

use super::*;

impl World<'_> {
    pub(super) fn ledger_begins(&mut self) {
        let from_snapshot = self.random.random_bool(0.6) && !self.streams.snapshot.is_empty();
        let again = if self.is_faulty && self.random.random_bool(0.3) { self.random.random_range(1..20) } else { 0 };
        let skew = self.random.random_range(-SECOND..=SECOND);
        self.reached.add(if from_snapshot { Reach::BeganFromSnapshot } else { Reach::BeganFromJournal });
        self.reached.add_if(again > 0, Reach::ReadAgain);
        self.bank = Some(Bank::begin(&mut self.streams, self.now, Start { from_snapshot, again, skew }));
    }

    pub(super) fn turn(&mut self) {
        if self.paused_until > self.now {
            return;
        }
        let Some(mut bank) = self.bank.take() else { return };
        let most = if self.random.random_bool(0.05) { self.random.random_range(1..20) } else { usize::MAX };
        let entries = bank.batch(&self.streams, self.now, most);
        match self.doom.take_if(|_| !entries.is_empty()) {
            None => {
                if !entries.is_empty() {
                    bank.append(&mut self.streams, entries).expect("nobody took over");
                }
                let effects = bank.fold(&self.streams);
                bank.publish(&mut self.streams, effects).expect("nobody took over");
                bank.say_read(&mut self.streams);
                if self.random.random_bool(0.0005) {
                    bank.keep_snapshot(&mut self.streams);
                    self.reached.add(Reach::Snapshot);
                }
                self.bank = Some(bank);
            }
            Some(Doom::Dies(point, lasts)) => {
                let _lost = self.half_a_turn(&mut bank, entries, point);
                self.reached.add(match point {
                    Point::Before => Reach::LedgerDiedBefore,
                    Point::Between => Reach::LedgerDiedBetween,
                    Point::Amid => Reach::LedgerDiedAmid,
                });
                self.plan(self.now + lasts, Event::LedgerBegins);
            }
            Some(Doom::IsReplaced(point, lasts)) => {
                let (entries, effects) = self.half_a_turn(&mut bank, entries, point);
                self.sleeper = Some(Sleeper { bank, entries, effects });
                self.reached.add(Reach::TakenOver);
                let begins = self.now + self.random.random_range(0..3 * SECOND);
                self.plan(begins, Event::LedgerBegins);
                self.plan(begins + lasts, Event::Replaced);
            }
        }
    }

    /// A turn until `point`: what is left to journal, and to publish.
    pub(super) fn half_a_turn(
        &mut self,
        bank: &mut Bank,
        entries: Vec<JournalEntry>,
        point: Point,
    ) -> (Vec<JournalEntry>, Effects) {
        if point == Point::Before {
            return (entries, Effects::default());
        }
        bank.append(&mut self.streams, entries).expect("nobody took over");
        let mut effects = bank.fold(&self.streams);
        if point == Point::Between {
            return (Vec::new(), effects);
        }
        let mut cut = |length: usize| self.random.random_range(0..=length);
        let rest = Effects {
            outcomes: effects.outcomes.split_off(cut(effects.outcomes.len())),
            leases: effects.leases.split_off(cut(effects.leases.len())),
        };
        bank.publish(&mut self.streams, effects).expect("nobody took over");
        (Vec::new(), rest)
    }

    /// The ledger that was replaced wakes up. It is refused; that entries of it get into the journal all the same must not
    /// matter either.
    pub(super) fn replaced(&mut self) {
        let Sleeper { mut bank, mut entries, effects } = self.sleeper.take().expect("a ledger sleeps");
        assert_eq!(bank.append(&mut self.streams, entries.clone()), Err(Refused));
        assert_eq!(bank.publish(&mut self.streams, effects), Err(Refused));
        self.reached.add(Reach::WriterRefused);
        if self.random.random_bool(0.5) {
            entries.extend(bank.batch(&self.streams, self.now, usize::MAX));
            self.reached.add_if(!entries.is_empty(), Reach::StaleEntry);
            self.streams.journal.extend(entries);
        }
    }
}
