//! Where a reader of Kafka is, in every partition.
//!
//! The offsets of a partition have holes: the end of a transaction takes one, and so does what was not committed. A
//! reader that is to say "I have read all there was" must therefore step over what is not handed to it. It may do so
//! when the client says that a partition is at its end, and fetched that after the goal was known: then everything
//! before the goal was handed over. An end that was fetched earlier says nothing, so the partition is begun anew.

use crate::stream::{Offset, Offsets, Partition};

/// A reader's place in each partition.
#[derive(Debug)]
pub(super) struct Places(Vec<Place>);

#[derive(Clone, Copy, Debug)]
struct Place {
    /// Everything before was handed over, or is nobody's.
    next: u64,
    /// Up to where the reader wants to be.
    goal: u64,
    /// The client was set to its place after the goal was known.
    fresh: bool,
    /// The client said so, and has handed over nothing since.
    at_end: bool,
}

impl Places {
    /// A client that is set to `from` after it was known that the stream ends at `goal`.
    pub(super) fn new(from: &Offsets, partitions: impl Iterator<Item = Partition>, goal: &Offsets) -> Self {
        let place = |p| Place { next: from.of(p).0, goal: goal.of(p).0, fresh: true, at_end: false };
        Self(partitions.map(place).collect())
    }

    pub(super) fn offsets(&self) -> Offsets {
        self.0.iter().map(|place| Offset(place.next)).collect()
    }

    /// Whether every goal is reached.
    pub(super) fn is_there(&self) -> bool {
        self.0.iter().all(|place| place.next >= place.goal)
    }

    /// A record was handed over.
    pub(super) fn read(&mut self, partition: Partition, offset: Offset) {
        let place = &mut self.0[partition.0 as usize];
        place.next = place.next.max(offset.0 + 1);
        place.at_end = false;
    }

    /// The client is at the end of a partition. `Some`: it must be set there again to reach the goal.
    pub(super) fn ended(&mut self, partition: Partition) -> Option<Offset> {
        let place = &mut self.0[partition.0 as usize];
        place.at_end = true;
        if place.fresh {
            place.next = place.next.max(place.goal);
        }
        place.restart()
    }

    /// Wants to be there. Where the client must be set anew for that.
    pub(super) fn aim(&mut self, goal: &Offsets) -> Vec<(Partition, Offset)> {
        let mut restarts = Vec::new();
        for (partition, place) in (0..).map(Partition).zip(&mut self.0) {
            if goal.of(partition).0 > place.goal {
                place.goal = goal.of(partition).0;
                place.fresh = false;
                restarts.extend(place.restart().map(|offset| (partition, offset)));
            }
        }
        restarts
    }
}

impl Place {
    /// At the end and not at the goal: nothing would come any more.
    fn restart(&mut self) -> Option<Offset> {
        if !self.at_end || self.next >= self.goal {
            return None;
        }
        self.fresh = true;
        self.at_end = false;
        Some(Offset(self.next))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const P: Partition = Partition(0);

    fn at(from: u64, goal: u64) -> Places {
        Places::new(&Offset(from).into(), std::iter::once(P), &Offset(goal).into())
    }

    #[test]
    fn a_first_end_leads_to_what_the_stream_had_at_the_start() {
        let mut places = at(3, 7);
        places.read(P, Offset(4));
        assert!(!places.is_there());
        assert_eq!(places.ended(P), None);
        assert!(places.is_there() && places.offsets() == Offset(7).into());
    }

    #[test]
    fn an_end_that_is_older_than_the_goal_says_nothing() {
        let mut places = at(0, 0);
        assert_eq!(places.aim(&Offset(5).into()), []);
        places.read(P, Offset(1));
        assert_eq!(places.ended(P), Some(Offset(2)), "records 2 to 4 may still come");
        assert!(!places.is_there());
        places.read(P, Offset(3));
        assert_eq!(places.ended(P), None);
        assert_eq!(places.offsets(), Offset(5).into());
    }

    #[test]
    fn who_waits_at_the_end_is_set_anew() {
        let mut places = at(2, 2);
        assert_eq!(places.ended(P), None);
        assert_eq!(places.aim(&Offset(4).into()), [(P, Offset(2))]);
        assert_eq!(places.aim(&Offset(4).into()), [], "once");
        places.read(P, Offset(3));
        assert!(places.is_there());
        assert_eq!(places.aim(&Offset(3).into()), [], "it was passed");
    }
}
