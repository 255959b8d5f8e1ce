//! How many connections each core has.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Notify;

use super::counters::{Count, ServerCounters};

/// How many connections each core has: written by the acceptor and, when a connection ends, by its core.
#[derive(Debug)]
pub(super) struct Load {
    cores: Box<[AtomicUsize]>,
    total: AtomicUsize,
    emptied: Notify,
    counters: Arc<ServerCounters>,
}

/// One connection's place on a core, given back when dropped.
#[derive(Debug)]
pub(super) struct Seat {
    load: Arc<Load>,
    core: usize,
}

impl Load {
    pub(super) fn new(cores: usize, counters: Arc<ServerCounters>) -> Self {
        Self {
            cores: (0..cores).map(|_| AtomicUsize::new(0)).collect(),
            total: AtomicUsize::new(0),
            emptied: Notify::new(),
            counters,
        }
    }

    /// Connections open on all cores.
    pub(super) fn total(&self) -> usize {
        self.total.load(Ordering::Acquire)
    }

    /// A place on the core with the fewest connections.
    pub(super) fn seat(self: &Arc<Self>) -> Seat {
        let fewest = self.cores.iter().enumerate().min_by_key(|(_, open)| open.load(Ordering::Relaxed));
        let core = fewest.map_or(0, |(core, _)| core);
        self.cores[core].fetch_add(1, Ordering::Relaxed);
        self.total.fetch_add(1, Ordering::AcqRel);
        self.counters.add(core, Count::Accepted, 1);
        Seat { load: Arc::clone(self), core }
    }

    /// Waits until no connection is open. For one waiter.
    pub(super) async fn emptied(&self) {
        while self.total() > 0 {
            self.emptied.notified().await;
        }
    }
}

impl Seat {
    /// The core the place is on.
    pub(super) fn core(&self) -> usize {
        self.core
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.load.counters.add(self.core, Count::Closed, 1);
        self.load.cores[self.core].fetch_sub(1, Ordering::Relaxed);
        if self.load.total.fetch_sub(1, Ordering::AcqRel) == 1 {
            // Kept as a permit where nobody waits yet, so that no waiter misses it.
            self.load.emptied.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_loaded_core_is_next() {
        let load = Arc::new(Load::new(3, Arc::default()));
        let mut seats: Vec<_> = (0..6).map(|_| load.seat()).collect();
        assert_eq!(seats.iter().map(Seat::core).collect::<Vec<_>>(), [0, 1, 2, 0, 1, 2]);
        seats.retain(|seat| seat.core() != 1);
        assert_eq!((load.total(), load.seat().core()), (4, 1));
        assert_eq!((load.counters.read(Count::Accepted), load.counters.connections_open()), (7, 4));
    }

    #[tokio::test]
    async fn whoever_waits_for_the_last_connection_is_told() {
        let load = Arc::new(Load::new(1, Arc::default()));
        load.emptied().await;
        let (first, second) = (load.seat(), load.seat());
        drop(first);
        tokio::join!(load.emptied(), async { drop(second) });
        assert_eq!(load.total(), 0);
    }
}
