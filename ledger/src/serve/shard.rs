//! The shards there are, and whose an input is.

use std::collections::BTreeMap;

use decision::ids::ShardId;
use event_log::{EventLog, Offset, Offsets, Partition, Stream};

use crate::limits::LEASE_SEQUENCE_BITS;

#[cfg(test)]
mod tests;

/// One of the shards that there are. Its journal and its snapshots are the partitions of its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shard {
    pub(super) id: ShardId,
    /// How many there are.
    pub(super) of: u32,
}

impl Shard {
    /// All of them: as many as the journal has partitions.
    pub(super) fn count(log: &EventLog) -> u32 {
        log.partitions(Stream::LedgerJournal)
    }

    pub(super) fn partition(self) -> Partition {
        Partition(self.id.0)
    }

    /// The name of its writer `what`. The first has the name that the only one had, so that a ledger which knows of no
    /// shards is fenced.
    pub(super) fn writer(self, what: &str) -> String {
        if self.id.0 == 0 { what.to_owned() } else { format!("{what}-{}", self.id) }
    }

    /// The place `from` in its partition, and `ends` in those of the others.
    pub(super) fn only(self, from: Offset, ends: &Offsets) -> Offsets {
        let mut places = ends.clone();
        places.set(self.partition(), from);
        places
    }

    pub(super) fn is_alone(self) -> bool {
        self.of == 1
    }
}

/// What tells whose an input is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Whose {
    /// Of the shard of this number.
    Shard(u32),
    /// Of the shard of whoever pays.
    Advertiser(u32),
    /// Of the shard that granted the lease.
    Lease(u64),
    /// Of the shard of the campaign, which is published for this advertiser, or only named.
    Campaign(u32, Option<u32>),
}

/// Which shard each input goes to: every shard that reads the same finds the same.
#[derive(Debug)]
pub(super) struct Routes {
    shards: u32,
    /// Whoever paid for a campaign when it was published first has it for good, so that no campaign is in two shards: the
    /// shard refuses it once another is to pay.
    campaigns: BTreeMap<u32, ShardId>,
}

impl Routes {
    pub(super) fn over(shards: u32) -> Self {
        Self { shards, campaigns: BTreeMap::new() }
    }

    /// Where the input goes. Campaigns must be asked about in the order of their stream, from its start on.
    pub(super) fn shard(&mut self, whose: Whose) -> ShardId {
        match whose {
            Whose::Shard(shard) => ShardId(shard),
            Whose::Advertiser(advertiser) => self.of(advertiser),
            Whose::Lease(lease) => self.of((lease >> LEASE_SEQUENCE_BITS) as u32),
            Whose::Campaign(campaign, Some(advertiser)) => {
                let shard = self.of(advertiser);
                *self.campaigns.entry(campaign).or_insert(shard)
            }
            // Nothing follows from it where the campaign was never published.
            Whose::Campaign(campaign, None) => self.campaigns.get(&campaign).copied().unwrap_or(self.of(campaign)),
        }
    }

    fn of(&self, number: u32) -> ShardId {
        ShardId(number % self.shards)
    }
}
