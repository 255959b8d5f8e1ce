//! Members of a group in a real Kafka.

use std::collections::BTreeSet;

use event_log::{EventLog, Membership, Notices, Partition, Stream, block_on};

use crate::kafka::Topics;

fn join(log: &EventLog) -> Membership {
    log.join("ledger", Stream::LedgerJournal).unwrap()
}

/// What the member is told, until that is `expected`.
fn until(member: &mut Membership, expected: impl Fn(&BTreeSet<Partition>) -> bool) -> BTreeSet<Partition> {
    loop {
        let held = block_on(member.next()).unwrap();
        if expected(&held) {
            return held;
        }
    }
}

#[test]
fn members_share_partitions_and_take_over_those_of_who_leaves() {
    let topics = Topics::new("group");
    let log = topics.open(Notices::Broker);
    let all: BTreeSet<Partition> = (0..3).map(Partition).collect();
    let mut first = join(&log);
    assert_eq!(until(&mut first, |held| held.len() == 3), all);
    let mut second = join(&log);
    let (some, rest) = (until(&mut second, |held| !held.is_empty()), until(&mut first, |held| held.len() < 3));
    assert!(some.is_disjoint(&rest), "{some:?} {rest:?}");
    assert_eq!(&some | &rest, all);
    drop(first);
    assert_eq!(until(&mut second, |held| held.len() == 3), all);
}

#[test]
fn who_comes_when_there_is_nothing_left_is_told_so() {
    let topics = Topics::new("standby");
    let log = topics.open(Notices::Broker);
    let mut members: Vec<Membership> = (0..3).map(|_| join(&log)).collect();
    for member in &mut members {
        until(member, |held| held.len() == 1);
    }
    let mut standby = join(&log);
    assert_eq!(block_on(standby.next()).unwrap(), BTreeSet::new());
    drop(members.pop());
    assert_eq!(until(&mut standby, |held| !held.is_empty()).len(), 1);
}

#[test]
fn groups_know_nothing_of_each_other() {
    let topics = Topics::new("groups");
    let log = topics.open(Notices::Broker);
    for group in ["ledger", "other"] {
        let mut member = log.join(group, Stream::LedgerJournal).unwrap();
        assert_eq!(until(&mut member, |held| held.len() == 3).len(), 3);
    }
}
