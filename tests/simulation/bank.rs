//! The ledger's service: journals what the streams hold, folds it with the real fold, publishes what follows. It dies at any
//! point, sleeps while another takes over, and begins anew from a snapshot or from the whole journal.

use std::cmp::Ordering;

use decision::ids::ShardId;
use decision::time::Micros;
use ledger::limits::FOLD_RULES;
use ledger::{Effects, Ledger, LedgerPolicy};
use proto::wire::{
    self, CampaignStop, JournalEntry, LeaseRead, LeaseRecord, Outcome, Source, Tick, journal_entry::Input,
    lease_record::Event,
};

use crate::network::{Change, Place, Read, Streams, Topic};

/// Another writer has taken over.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Refused;

/// What a new service begins with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Start {
    pub(crate) from_snapshot: bool,
    /// How many records of each stream it reads once more.
    pub(crate) again: u64,
    /// By how much its clock is ahead.
    pub(crate) skew: i64,
}

pub(crate) struct Bank {
    pub(crate) books: Ledger,
    writer: u64,
    epoch: u64,
    /// Entries of the journal that are folded.
    folded: usize,
    campaigns: Place,
    notices: Place,
    leases: Place,
    next_tick: Micros,
    skew: i64,
    /// When it last had read everything, where that is not said yet.
    read_at: Option<Micros>,
    /// When the next one is said.
    next_said: Micros,
}

impl Bank {
    /// Takes over, rebuilds the books, publishes what was not, and journals the policy.
    pub(crate) fn begin(streams: &mut Streams, now: i64, start: Start) -> Self {
        streams.writer += 1;
        let writer = streams.writer;
        let (books, folded) = if start.from_snapshot {
            Ledger::restore(streams.snapshot.iter().cloned()).expect("a whole snapshot")
        } else {
            (Ledger::new(ShardId(0)), 0)
        };
        let (place, next_tick) = (Place::default(), Micros(i64::MIN));
        let mut bank = Self {
            books,
            writer,
            epoch: 0,
            folded: folded as usize,
            campaigns: place,
            notices: place,
            leases: place,
            next_tick,
            skew: start.skew,
            read_at: None,
            next_said: Micros(i64::MIN),
        };
        let missing = bank.rebuild(streams);
        bank.publish(streams, missing).expect("nobody took over meanwhile");
        bank.epoch = bank.books.epoch() + 1;
        let behind =
            |stream: &str| Place::new(|partition| bank.books.position(stream, partition).saturating_sub(start.again));
        (bank.campaigns, bank.notices, bank.leases) = (behind("campaigns"), behind("notices"), behind("leases"));
        let policy = wire::LedgerPolicy { rules: FOLD_RULES, ..LedgerPolicy::default().into() };
        let policy = bank.entries(vec![(None, Input::Policy(policy))], Micros(now + start.skew));
        bank.append(streams, policy).expect("nobody took over meanwhile");
        let effects = bank.fold(streams);
        bank.publish(streams, effects).expect("nobody took over meanwhile");
        bank
    }

    /// Folds the journal; the effects that are not published yet.
    fn rebuild(&mut self, streams: &Streams) -> Effects {
        let outcomes = Published::find(&streams.outcomes, |outcome: &Outcome| outcome.sequence);
        let leases = Published::find(&streams.leases, |record: &LeaseRecord| record.sequence);
        let mut missing = Effects::default();
        for entry in &streams.journal[self.folded..] {
            let effects = self.books.apply(entry).unwrap();
            missing.outcomes.extend(outcomes.missing(entry.sequence, effects.outcomes));
            missing.leases.extend(leases.missing(entry.sequence, effects.leases));
        }
        self.folded = streams.journal.len();
        self.books.audit();
        assert!(outcomes.sequence.max(leases.sequence) <= self.books.sequence(), "effects of nothing are published");
        missing
    }

    /// What is there, up to `most` records of each partition, as entries that are not journalled yet.
    pub(crate) fn batch(&mut self, streams: &Streams, now: i64, most: usize) -> Vec<JournalEntry> {
        let now = Micros(now + self.skew);
        let mut batch = Vec::new();
        batch.extend(streams.campaigns.read(&mut self.campaigns, most).map(|read| sourced("campaigns", &read, change)));
        batch.extend(streams.notices.read(&mut self.notices, most).map(|read| {
            sourced("notices", &read, |notice| {
                Input::Notice(proto::wire::Notice { query: String::new(), ..notice.clone() })
            })
        }));
        for read in streams.leases.read(&mut self.leases, most) {
            let input = match &read.value.event {
                Some(Event::Ask(ask)) => Input::Ask(*ask),
                Some(Event::Return(back)) => Input::Return(*back),
                _ => continue,
            };
            batch.push(sourced("leases", &read, |_| input));
        }
        let caught_up = (self.campaigns, self.notices, self.leases)
            == (streams.campaigns.end(), streams.notices.end(), streams.leases.end());
        if caught_up && now >= self.next_tick && self.books.is_tick_due(now) {
            self.next_tick = now.plus_seconds(1);
            batch.push((None, Input::Tick(Tick {})));
        }
        self.read_at = caught_up.then_some(now);
        self.entries(batch, now)
    }

    fn entries(&self, batch: Vec<(Option<Source>, Input)>, now: Micros) -> Vec<JournalEntry> {
        let (last, at) = (batch.len().saturating_sub(1), now.max(self.books.now()).0);
        let numbered = batch.into_iter().zip(self.books.sequence() + 1..).enumerate();
        numbered
            .map(|(i, ((source, input), sequence))| {
                let (epoch, settle) = (self.epoch, i == last);
                JournalEntry { shard: 0, sequence, epoch, at, source, input: Some(input), settle }
            })
            .collect()
    }

    pub(crate) fn append(&self, streams: &mut Streams, entries: Vec<JournalEntry>) -> Result<(), Refused> {
        if self.writer != streams.writer {
            return Err(Refused);
        }
        streams.journal.extend(entries);
        Ok(())
    }

    /// Folds what the journal has more.
    pub(crate) fn fold(&mut self, streams: &Streams) -> Effects {
        let mut all = Effects::default();
        for entry in &streams.journal[self.folded..] {
            let effects = self.books.apply(entry).unwrap();
            all.outcomes.extend(effects.outcomes);
            all.leases.extend(effects.leases);
        }
        if self.folded < streams.journal.len() {
            self.books.audit();
        }
        self.folded = streams.journal.len();
        all
    }

    pub(crate) fn publish(&self, streams: &mut Streams, effects: Effects) -> Result<(), Refused> {
        if self.writer != streams.writer {
            return Err(Refused);
        }
        effects.outcomes.into_iter().for_each(|outcome| streams.outcomes.append(outcome.campaign, outcome));
        effects.leases.into_iter().for_each(|record| streams.tell(record));
        Ok(())
    }

    /// Says how far it has read, in each partition, while money is lent: all of it is folded and published.
    pub(crate) fn say_read(&mut self, streams: &mut Streams) {
        let Some(at) = self.read_at.take().filter(|at| *at >= self.next_said && self.books.is_lending()) else {
            return;
        };
        self.next_said = at.plus_seconds(1);
        let event = Some(Event::Read(LeaseRead { notices_until: at.0 }));
        streams.leases.append_to_all(&LeaseRecord { at: at.0, event, ..LeaseRecord::default() });
    }

    pub(crate) fn keep_snapshot(&self, streams: &mut Streams) {
        assert!(self.books.is_settled(), "between two batches everybody was told everything");
        streams.snapshot = self.books.snapshot(self.folded as u64).collect();
    }
}

fn sourced<T>(stream: &str, read: &Read<'_, T>, input: impl FnOnce(&T) -> Input) -> (Option<Source>, Input) {
    let source = Source { stream: stream.to_owned(), partition: read.partition, offset: read.offset };
    (Some(source), input(read.value))
}

fn change(change: &Change) -> Input {
    match change {
        Change::Published(campaign) => Input::Budget(campaign.budget.clone()),
        Change::Stopped(campaign) => Input::Stop(CampaignStop { campaign: *campaign, ..CampaignStop::default() }),
    }
}

/// How far a stream has got: the last journal entry of which there are effects, and how many of them.
#[derive(Default)]
struct Published {
    sequence: u64,
    count: usize,
}

impl Published {
    fn find<T>(topic: &Topic<T>, sequence_of: impl Fn(&T) -> u64) -> Self {
        let mut last = Self::default();
        for sequence in topic.all().map(sequence_of).filter(|sequence| *sequence > 0) {
            match sequence.cmp(&last.sequence) {
                Ordering::Less => {}
                Ordering::Equal => last.count += 1,
                Ordering::Greater => last = Self { sequence, count: 1 },
            }
        }
        last
    }

    fn missing<T>(&self, sequence: u64, effects: Vec<T>) -> impl Iterator<Item = T> {
        let there = match sequence.cmp(&self.sequence) {
            Ordering::Less => effects.len(),
            Ordering::Equal => self.count,
            Ordering::Greater => 0,
        };
        effects.into_iter().skip(there)
    }
}
