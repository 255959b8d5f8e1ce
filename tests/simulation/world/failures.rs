//! What managers change, and what fails.

use super::*;

impl World<'_> {
    pub(super) fn change(&mut self, change: Change) {
        let daily = |change: &Change| match change {
            Change::Published(campaign) => Some((campaign.budget.campaign, campaign.budget.daily)),
            Change::Stopped(_) => None,
        };
        match daily(&change) {
            None => self.reached.add(Reach::Stopped),
            Some((id, new)) => {
                let before = self.streams.campaigns.all().filter_map(daily).filter(|(of, _)| *of == id).last();
                self.reached.add_if(before.is_some_and(|(_, old)| old < new), Reach::Raised);
                self.reached.add_if(before.is_some_and(|(_, old)| old > new), Reach::Lowered);
            }
        }
        self.streams.publish(change);
    }

    pub(super) fn fails(&mut self, fault: Fault) {
        match fault {
            Fault::Kill { machine, lasts } => {
                // A machine that is down or stands still already is left alone.
                if self.is_well(machine) {
                    self.machines[machine].process = None;
                    self.reached.add(Reach::NodeKilled);
                    self.plan(self.now + lasts, Event::Start(machine));
                }
            }
            Fault::Pause { machine, lasts } => {
                if self.is_well(machine) {
                    self.machines[machine].paused_until = self.now + lasts;
                    self.reached.add(Reach::NodePaused);
                    self.plan(self.now + lasts, Event::Resume(machine));
                }
            }
            Fault::CutOff { machine, lasts } => {
                self.machines[machine].cut_off_until = self.now + lasts;
                self.reached.add(Reach::NodeCutOff);
            }
            Fault::Drain { machine } => {
                let (is_well, clock) = (self.is_well(machine), self.clock(machine));
                let at = &mut self.machines[machine];
                if let Some(process) = at.process.as_mut().filter(|_| is_well && at.cut_off_until <= self.now) {
                    let records = process.drain(clock);
                    at.process = None;
                    records.into_iter().for_each(|record| self.tell(record));
                    self.reached.add(Reach::Drained);
                    self.plan(self.now + SECOND, Event::Start(machine));
                }
            }
            Fault::LedgerDies { at, lasts } => self.dooms(Doom::Dies(at, lasts)),
            Fault::TakeOver { at, lasts } => self.dooms(Doom::IsReplaced(at, lasts)),
            Fault::LedgerPauses { lasts } => {
                self.paused_until = self.now + lasts;
                self.reached.add(Reach::LedgerPaused);
            }
        }
    }

    pub(super) fn is_well(&self, machine: usize) -> bool {
        self.machines[machine].process.is_some() && self.machines[machine].paused_until <= self.now
    }

    pub(super) fn dooms(&mut self, doom: Doom) {
        if self.bank.is_some() && self.sleeper.is_none() {
            self.doom.get_or_insert(doom);
        }
    }

    pub(super) fn tally(&mut self) {
        assert!(self.machines.iter().all(|machine| machine.disk.is_shipped()), "all is shipped at the end");
        let tally = self.bank.as_ref().expect("the ledger is back at the end").books.tally();
        for (charge, reach) in [
            (Charge::Made, Reach::Made),
            (Charge::Late, Reach::Late),
            (Charge::Overdrawn, Reach::Overdrawn),
            (Charge::Repeated, Reach::Repeated),
            (Charge::Contradicted, Reach::Contradicted),
        ] {
            self.reached.add_many(reach, tally.charges(charge));
        }
        for (oddity, reach) in [
            (Oddity::Fenced, Reach::Fenced),
            (Oddity::Refolded, Reach::Refolded),
            (Oddity::RepeatedAsk, Reach::RepeatedAsk),
            (Oddity::UnknownLease, Reach::UnknownLease),
        ] {
            self.reached.add_many(reach, tally.oddities(oddity));
        }
    }
}
