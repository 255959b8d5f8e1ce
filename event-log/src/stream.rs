//! The streams there are, and what they are made of.

use std::fmt;

/// What a record is made of before it has an offset: its key and its value.
pub type KeyValue = (Vec<u8>, Vec<u8>);

/// A stream of records of one schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stream {
    /// Campaigns as they are edited and stopped; the key is the campaign.
    Campaigns,
    /// A share of the opportunities and what was decided about them; the key is the person.
    Opportunities,
    /// Bids and ghost bids; the key is the impression.
    Bids,
    /// What exchanges and advertisements report, raw; the key is the impression.
    Notices,
    /// What came of bids, deduplicated, for analysts; the key is the campaign.
    Outcomes,
    /// Money lent to nodes; the key is the campaign.
    Leases,
    /// Every input of the ledger; the key is the advertiser's shard, which is the number of the partition.
    LedgerJournal,
    /// The ledger's books as they stood at some entry of its journal; key and partition are those of the journal.
    LedgerSnapshots,
}

/// What a stream may lose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Nothing: every record is durable before it is acknowledged.
    Money,
    /// Records under overload, which are counted, and the last moments before a crash.
    Telemetry,
    /// Everything before a place, once somebody [released](crate::EventLog::release) it: it can be made anew from streams of
    /// money.
    Derived,
}

impl Stream {
    /// Every stream, in the order of their numbers.
    pub const ALL: [Self; 8] = [
        Self::Campaigns,
        Self::Opportunities,
        Self::Bids,
        Self::Notices,
        Self::Outcomes,
        Self::Leases,
        Self::LedgerJournal,
        Self::LedgerSnapshots,
    ];

    /// The name in commands, directories and topics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Campaigns => "campaigns",
            Self::Opportunities => "opportunities",
            Self::Bids => "bids",
            Self::Notices => "notices",
            Self::Outcomes => "outcomes",
            Self::Leases => "leases",
            Self::LedgerJournal => "ledger-journal",
            Self::LedgerSnapshots => "ledger-snapshots",
        }
    }

    /// The stream of that name.
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|stream| stream.name() == name)
    }

    /// Whether keys are numbers of partitions, in decimal digits.
    pub(crate) const fn is_numbered(self) -> bool {
        matches!(self, Self::LedgerJournal | Self::LedgerSnapshots)
    }

    /// What the stream may lose.
    pub const fn class(self) -> Class {
        match self {
            Self::Opportunities | Self::Bids => Class::Telemetry,
            Self::Campaigns | Self::Notices | Self::Outcomes | Self::Leases | Self::LedgerJournal => Class::Money,
            Self::LedgerSnapshots => Class::Derived,
        }
    }
}

impl fmt::Display for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A part of a stream with an order of its own: 0, 1, 2 and so on. Records of one key are all in the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Partition(pub u32);

/// The place of a record in its partition. Later records have larger offsets; some are nobody's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Offset(pub u64);

impl Offset {
    /// The offset after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl fmt::Display for Offset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A place in a stream: an offset in each of its partitions. Where none is set it is 0.
#[derive(Clone, Debug, Default)]
pub struct Offsets(Vec<Offset>);

impl Offsets {
    /// The offset in `partition`.
    pub fn of(&self, partition: Partition) -> Offset {
        self.0.get(partition.0 as usize).copied().unwrap_or_default()
    }

    /// Sets the offset in `partition`.
    pub fn set(&mut self, partition: Partition, offset: Offset) {
        let place = partition.0 as usize;
        if self.0.len() <= place {
            self.0.resize(place + 1, Offset::default());
        }
        self.0[place] = offset;
    }

    /// The partitions that have an offset, with it.
    pub fn iter(&self) -> impl Iterator<Item = (Partition, Offset)> + '_ {
        (0..).map(Partition).zip(self.0.iter().copied())
    }

    /// Whether this is no earlier than `goal` in any partition.
    pub fn reached(&self, goal: &Self) -> bool {
        goal.iter().all(|(partition, offset)| self.of(partition) >= offset)
    }

    /// All offsets together.
    pub fn sum(&self) -> u64 {
        self.0.iter().map(|offset| offset.0).sum()
    }
}

/// Unset is 0.
impl PartialEq for Offsets {
    fn eq(&self, other: &Self) -> bool {
        self.reached(other) && other.reached(self)
    }
}

impl Eq for Offsets {}

impl FromIterator<Offset> for Offsets {
    /// By ascending partition.
    fn from_iter<T: IntoIterator<Item = Offset>>(offsets: T) -> Self {
        Self(offsets.into_iter().collect())
    }
}

/// In the first partition, which is the only one of a local log.
impl From<Offset> for Offsets {
    fn from(offset: Offset) -> Self {
        Self(vec![offset])
    }
}

/// One record of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The part of the stream it is in.
    pub partition: Partition,
    /// Its place there.
    pub offset: Offset,
    /// What it is about.
    pub key: Vec<u8>,
    /// What happened.
    pub value: Vec<u8>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_back_to_their_streams() {
        for (number, stream) in Stream::ALL.into_iter().enumerate() {
            assert_eq!(stream as usize, number);
            assert_eq!(Stream::of_name(stream.name()), Some(stream));
        }
        assert_eq!(Stream::of_name("gossip"), None);
    }

    #[test]
    fn places_are_compared_partition_by_partition() {
        let mut place = Offsets::from(Offset(3));
        assert_eq!(place, [Offset(3), Offset(0)].into_iter().collect());
        assert!(place.reached(&Offsets::default()) && !Offsets::default().reached(&place));
        place.set(Partition(2), Offset(4));
        assert!(place.reached(&Offset(3).into()) && !Offsets::from(Offset(9)).reached(&place));
        assert_eq!(place.sum(), 7);
    }
}
