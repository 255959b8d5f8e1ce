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
    /// Every input of the ledger; the key is the advertiser's shard.
    LedgerJournal,
}

/// What a stream may lose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Nothing: every record is durable before it is acknowledged.
    Money,
    /// Records under overload, which are counted, and the last moments before a crash.
    Telemetry,
}

impl Stream {
    /// Every stream, in the order of their numbers.
    pub const ALL: [Self; 7] = [
        Self::Campaigns,
        Self::Opportunities,
        Self::Bids,
        Self::Notices,
        Self::Outcomes,
        Self::Leases,
        Self::LedgerJournal,
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
        }
    }

    /// The stream of that name.
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|stream| stream.name() == name)
    }

    /// What the stream may lose.
    pub const fn class(self) -> Class {
        match self {
            Self::Opportunities | Self::Bids => Class::Telemetry,
            Self::Campaigns | Self::Notices | Self::Outcomes | Self::Leases | Self::LedgerJournal => Class::Money,
        }
    }
}

impl fmt::Display for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The place of a record in its stream: 0, 1, 2 and so on, without gaps.
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

/// One record of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Its place in the stream.
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
}
