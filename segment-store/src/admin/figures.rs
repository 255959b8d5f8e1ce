//! What Prometheus reads of the store.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::TypedMetric;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;

use crate::profiles::Profiles;

/// What imports did since the start of this process.
#[derive(Debug, Default)]
pub struct Imports {
    joined: AtomicU64,
    rejected: AtomicU64,
}

impl Imports {
    pub(super) fn joined(&self) {
        self.joined.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn rejected(&self) {
        self.rejected.fetch_add(1, Ordering::Relaxed);
    }
}

/// The figures of a store, `segments_…`.
#[derive(Clone, Debug)]
pub struct Figures {
    pub(super) profiles: Profiles,
    pub(super) imports: Arc<Imports>,
}

impl Collector for Figures {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let e = &mut encoder;
        let stats = self.profiles.stats();
        if let Some(records) = whole(stats.records) {
            one(e, "segments_records", "Ids with a profile record", ConstGauge::new(records))?;
        }
        let imported = ConstCounter::new(self.imports.joined.load(Ordering::Relaxed));
        one(e, "segments_imported", "Memberships that were imported and are durable", imported)?;
        let rejected = ConstCounter::new(self.imports.rejected.load(Ordering::Relaxed));
        one(e, "segments_rejected", "Lines that imports left out", rejected)?;
        let corrupt = ConstCounter::new(stats.corrupt);
        one(e, "segments_corrupt", "Look-ups and changes that met a record that cannot be read", corrupt)?;
        let forgotten = ConstCounter::new(stats.forgotten_impressions);
        one(
            e,
            "segments_forgotten_impressions",
            "Impressions forgotten early for want of room in a record",
            forgotten,
        )?;
        let lost = ConstCounter::new(stats.lost_events);
        one(e, "segments_lost_cap_events", "Events that were not counted because too many waited for Redis", lost)?;
        let failed = ConstGauge::new(i64::from(stats.failed));
        one(e, "segments_store_failed", "Whether a write failed, so that nothing is durable until a restart", failed)
    }
}

fn one<M: EncodeMetric + TypedMetric>(e: &mut DescriptorEncoder<'_>, name: &str, help: &str, value: M) -> fmt::Result {
    value.encode(e.encode_descriptor(name, help, None, M::TYPE)?)
}

/// A number of records, where it is known.
fn whole(count: impl Into<Option<usize>>) -> Option<i64> {
    count.into().map(|count| i64::try_from(count).unwrap_or(i64::MAX))
}
