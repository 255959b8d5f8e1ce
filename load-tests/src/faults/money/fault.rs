//! What can fail while money is spent.

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

/// What fails, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Fault {
    /// A bidder is killed, and started again on what it had.
    BidderKilled,
    /// A bidder is stopped by a signal, so that connections stay and nothing answers, and goes on.
    BidderPaused,
    /// The ledger is killed, and started again.
    LedgerKilled,
    /// The ledger is stopped by a signal, and goes on.
    LedgerPaused,
    /// The master of Redis is killed for good; at the end of the fault its replica is promoted.
    RedisFailedOver,
    /// Kafka is ended as an operator does, and started again.
    KafkaDown,
    /// Kafka is killed, and started again on what it had.
    KafkaKilled,
    /// Every answer of Kafka comes 200 ms later.
    KafkaSlow,
    /// Nothing passes between one bidder and Kafka.
    BidderParted,
    /// A bidder cannot write its notices down, as where the disk is full; at the end it is started again.
    DiskFull,
    /// Every process is ended as an operator does and started again, one after the other.
    RollingRestart,
    /// Every process begins as one of an older program and is replaced by one of the new program, one after the other.
    RollingUpgrade,
}

impl Fault {
    /// The name on the command line and in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::BidderKilled => "bidder-killed",
            Self::BidderPaused => "bidder-paused",
            Self::LedgerKilled => "ledger-killed",
            Self::LedgerPaused => "ledger-paused",
            Self::RedisFailedOver => "redis-failed-over",
            Self::KafkaDown => "kafka-down",
            Self::KafkaKilled => "kafka-killed",
            Self::KafkaSlow => "kafka-slow",
            Self::BidderParted => "bidder-parted",
            Self::DiskFull => "disk-full",
            Self::RollingRestart => "rolling-restart",
            Self::RollingUpgrade => "rolling-upgrade",
        }
    }

    /// The fault of a run: one after the other; upgrades only where there is something to upgrade from.
    pub(super) fn of_run(run: u32, upgrades: bool) -> Self {
        let all = Self::value_variants();
        let count = if upgrades { all.len() } else { all.len() - 1 };
        all[run.saturating_sub(1) as usize % count]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_go_through_all_faults_and_names_are_those_of_the_command_line() {
        let faults = |upgrades| (1..=24).map(|run| Fault::of_run(run, upgrades)).collect::<Vec<_>>();
        for fault in Fault::value_variants() {
            assert_eq!(fault.to_possible_value().expect("it is named").get_name(), fault.name());
            assert_eq!(faults(false).contains(fault), *fault != Fault::RollingUpgrade);
            assert_eq!(faults(true).iter().filter(|other| *other == fault).count(), 2, "{}", fault.name());
        }
    }
}
