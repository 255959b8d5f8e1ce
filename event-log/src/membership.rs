//! Sharing the partitions of a stream with other processes.

use std::collections::BTreeSet;

use crate::error::ReadError;
use crate::kafka::KafkaMembership;
use crate::stream::Partition;

/// A place in a group whose members share partitions. It says who should serve a partition, not who can: a member that is
/// cut off may not know that another has taken over, so whoever must be alone [writes](crate::EventLog::writer) under a name
/// of the partition. Dropping it leaves the group.
#[derive(Debug)]
pub enum Membership {
    /// Of one process.
    Local(Option<BTreeSet<Partition>>),
    /// Of a group in Kafka.
    Kafka(KafkaMembership),
}

impl Membership {
    /// That of the only member.
    pub(crate) fn of_all(partitions: u32) -> Self {
        Self::Local(Some((0..partitions).map(Partition).collect()))
    }

    /// Waits until it is said anew which partitions are this member's, all of them, and says so. First once the group has
    /// taken it in. A member that loses touch with the group keeps what it has until it is told otherwise. A dropped future
    /// misses nothing.
    ///
    /// # Errors
    /// The servers do not let it in.
    pub async fn next(&mut self) -> Result<BTreeSet<Partition>, ReadError> {
        match self {
            Self::Local(all) => match all.take() {
                Some(all) => Ok(all),
                None => std::future::pending().await,
            },
            Self::Kafka(membership) => membership.next().await,
        }
    }
}
