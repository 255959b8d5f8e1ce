//! The streams: what is appended is there for good, in the order of its partition, and everybody reads at a place of their
//! own.

use decision::money::Rate;
use proto::wire::{CampaignBudget, JournalEntry, LeaseRecord, LedgerSnapshot, Notice, Outcome, lease_record::Event};

const PARTITIONS: usize = 2;

/// How far somebody has read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Place([usize; PARTITIONS]);

impl Place {
    /// The place that `behind` tells of each partition.
    pub(crate) fn new(behind: impl Fn(u32) -> u64) -> Self {
        Self(std::array::from_fn(|partition| behind(partition as u32) as usize))
    }
}

/// A record and where it stands.
pub(crate) struct Read<'t, T> {
    pub(crate) partition: u32,
    pub(crate) offset: u64,
    pub(crate) value: &'t T,
}

/// One stream.
pub(crate) struct Topic<T>([Vec<T>; PARTITIONS]);

impl<T> Default for Topic<T> {
    fn default() -> Self {
        Self(std::array::from_fn(|_| Vec::new()))
    }
}

impl<T> Topic<T> {
    /// Records of one key keep their order.
    pub(crate) fn append(&mut self, key: u32, value: T) {
        self.0[key as usize % PARTITIONS].push(value);
    }

    pub(crate) fn end(&self) -> Place {
        Place(self.0.each_ref().map(Vec::len))
    }

    /// Up to `most` records of each partition behind `place`, which moves on.
    pub(crate) fn read(&self, place: &mut Place, most: usize) -> impl Iterator<Item = Read<'_, T>> {
        let from = place.0;
        for (at, records) in place.0.iter_mut().zip(&self.0) {
            *at = records.len().min(at.saturating_add(most));
        }
        let to = place.0;
        let partitions = self.0.iter().zip(0..).zip(from.into_iter().zip(to));
        partitions.flat_map(|((records, partition), (from, to))| {
            let read = move |(value, offset)| Read { partition, offset, value };
            records[from..to].iter().zip(from as u64..).map(read)
        })
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &T> {
        self.0.iter().flatten()
    }
}

/// A campaign as it is published.
#[derive(Clone, Debug)]
pub(crate) struct Campaign {
    pub(crate) budget: CampaignBudget,
    /// The most that one impression costs, in the campaign's currency.
    pub(crate) price_max: i64,
    /// Units of the exchange's currency for one of the campaign's.
    pub(crate) rate: Rate,
}

/// A record of the stream `campaigns`.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    Published(Campaign),
    Stopped(u32),
}

/// All of them, and which writer of the ledger's streams was let in last.
#[derive(Default)]
pub(crate) struct Streams {
    pub(crate) campaigns: Topic<Change>,
    pub(crate) leases: Topic<LeaseRecord>,
    pub(crate) notices: Topic<Notice>,
    pub(crate) outcomes: Topic<Outcome>,
    pub(crate) journal: Vec<JournalEntry>,
    /// The last snapshot of the ledger's books; empty: none yet.
    pub(crate) snapshot: Vec<LedgerSnapshot>,
    pub(crate) writer: u64,
}

impl Streams {
    /// There is one partition of campaigns.
    pub(crate) fn publish(&mut self, change: Change) {
        self.campaigns.append(0, change);
    }

    pub(crate) fn tell(&mut self, record: LeaseRecord) {
        self.leases.append(campaign_of(&record), record);
    }

    pub(crate) fn take(&mut self, notice: Notice) {
        self.notices.append(notice.impression[0].into(), notice);
    }
}

fn campaign_of(record: &LeaseRecord) -> u32 {
    match record.event.as_ref().unwrap() {
        Event::Ask(ask) => ask.campaign,
        Event::Grant(grant) => grant.campaign,
        Event::Return(back) => back.campaign,
        Event::Settled(settled) => settled.campaign,
        Event::Pace(pace) => pace.campaign,
        Event::Correction(correction) => correction.original.as_ref().unwrap().campaign,
    }
}
