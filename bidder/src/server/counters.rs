//! What the server counts.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::limits::COUNTER_SHARDS;

/// Declares what is counted, with its name in metrics.
macro_rules! counts {
    ($($(#[$doc:meta])* $name:ident = $label:literal;)*) => {
        /// What the server counts.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Count {$(
            $(#[$doc])*
            $name,
        )*}

        impl Count {
            /// Everything that is counted.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The name in metrics.
            pub const fn label(self) -> &'static str {
                match self {$(Self::$name => $label,)*}
            }
        }
    };
}

counts! {
    /// Connections taken in.
    Accepted = "connections_accepted";
    /// Connections that have ended, of those taken in.
    Closed = "connections_closed";
    /// Connections answered 503 at once, because too many were open.
    Refused = "connections_refused";
    /// Connections the system could not give us, for want of descriptors or memory.
    AcceptFailed = "accept_failed";
    /// Connections closed after silence.
    Idle = "closed_idle";
    /// Connections closed because a request's head was not complete in time.
    HeadLate = "closed_head_late";
    /// Connections closed because the client did not take its answer in time.
    AnswerLate = "closed_answer_late";
    /// Connections closed because the network failed, or the client left amid a request or an answer.
    Broken = "closed_broken";
    /// Connections still at work when a drain ran out of time.
    DrainAborted = "closed_drain_aborted";
    /// Heads that are not HTTP, or too large; answered 400, 414 or 431 and closed.
    HeadRefused = "head_refused";
    /// Requests whose head was complete.
    Requests = "requests";
    /// Requests whose end is not clear, having both `content-length` and `transfer-encoding`: 400.
    LengthAmbiguous = "body_length_ambiguous";
    /// Bodies that were not complete in time: 408.
    BodyLate = "body_late";
    /// Bodies above the limit: 413.
    BodyTooLarge = "body_too_large";
    /// Bodies that ended early or were wrongly chunked: 400.
    BodyBroken = "body_broken";
    /// Bodies in an unknown encoding: 415.
    EncodingUnknown = "encoding_unknown";
    /// Bodies that are not the gzip they claim to be: 400.
    NotGzip = "not_gzip";
    /// Bodies above the limit once inflated: 413.
    InflatedTooLarge = "inflated_too_large";
    /// Handlers that panicked: 500.
    Panicked = "handler_panicked";
}

/// What all cores have counted since the start. A core writes to a shard of its own, so counting never waits.
#[derive(Debug)]
pub struct ServerCounters {
    shards: [Shard; COUNTER_SHARDS],
}

/// Padded, so that two cores never write to one cache line (128 bytes: lines are fetched in pairs).
#[derive(Debug, Default)]
#[repr(align(128))]
struct Shard([AtomicU64; Count::ALL.len()]);

impl Default for ServerCounters {
    fn default() -> Self {
        Self { shards: std::array::from_fn(|_| Shard::default()) }
    }
}

impl ServerCounters {
    /// How often `what` has happened on all cores.
    pub fn read(&self, what: Count) -> u64 {
        self.shards.iter().map(|shard| shard.0[what as usize].load(Ordering::Relaxed)).sum()
    }

    /// Connections open now, give or take those that open or close meanwhile.
    pub fn connections_open(&self) -> u64 {
        self.read(Count::Accepted).saturating_sub(self.read(Count::Closed))
    }

    pub(super) fn add(&self, core: usize, what: Count, n: u64) {
        self.shards[core % COUNTER_SHARDS].0[what as usize].fetch_add(n, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cores_are_summed_and_labels_differ() {
        let counters = ServerCounters::default();
        counters.add(0, Count::Accepted, 2);
        counters.add(COUNTER_SHARDS + 3, Count::Accepted, 1);
        counters.add(1, Count::Closed, 1);
        assert_eq!((counters.read(Count::Accepted), counters.connections_open()), (3, 2));

        let labels: std::collections::BTreeSet<_> = Count::ALL.iter().map(|count| count.label()).collect();
        assert_eq!(labels.len(), Count::ALL.len());
        assert!(Count::ALL.iter().enumerate().all(|(place, count)| *count as usize == place));
    }
}
