//! What Prometheus reads of the ledger, told from the books when it is asked for.

use std::collections::BTreeMap;
use std::fmt;

use decision::ids::ShardId;
use decision::time::Micros;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::TypedMetric;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;

use super::inputs::STREAMS;
use crate::books::{Books, KeptShard, LedgerHandle};
use crate::tally::{Charge, Oddity};

/// The figures of a ledger, `ledger_…`. They are sums since its journal began, so a restart does not set them back.
#[derive(Clone, Debug)]
pub struct Figures {
    /// Its books.
    pub books: LedgerHandle,
    /// The wall clock.
    pub clock: fn() -> Micros,
}

impl Collector for Figures {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let e = &mut encoder;
        let now = (self.clock)();
        let books = self.books.books(now);
        let kept = self.books.kept();
        streams(e, kept.values())?;
        let charges = Charge::ALL.iter().map(|it| (it.label(), ConstCounter::new(books.tally.charges(*it))));
        family(e, "ledger_charges", "Billable notices by what became of them", "outcome", charges)?;
        let oddities = Oddity::ALL.iter().map(|it| (it.label(), ConstCounter::new(books.tally.oddities(*it))));
        family(e, "ledger_oddities", "Inputs that were odd, by what was odd", "what", oddities)?;
        self.money(e, &books)?;
        let paced: Vec<u32> = books.campaigns.iter().filter_map(|campaign| campaign.multiplier_ppm).collect();
        let whole = |count: usize| ConstGauge::new(i64::try_from(count).unwrap_or(i64::MAX));
        let entries = ConstCounter::new(books.sequence);
        one(e, "ledger_journal_entries", "Entries of the journal that are in the books", entries)?;
        one(e, "ledger_paced_campaigns", "Campaigns that are paced", whole(paced.len()))?;
        let least = paced.into_iter().min().map_or(1.0, |ppm| f64::from(ppm) / 1e6);
        one(e, "ledger_multiplier_min", "The least that prices are multiplied by to pace", ConstGauge::new(least))?;
        one(e, "ledger_open_leases", "Leases that are not closed", whole(books.open_leases))?;
        one(e, "ledger_impressions", "Impressions that are remembered", whole(books.impressions_remembered))?;
        let behind = seconds(self.books.behind(now));
        let help = "How long ago it was that all which the streams held then is in";
        one(e, "ledger_behind_seconds", help, ConstGauge::new(behind))?;
        shards(e, &kept, now)?;
        let caught_up = ConstGauge::new(i64::from(self.books.caught_up(now)));
        one(e, "ledger_caught_up", "Whether that is at most five seconds", caught_up)
    }
}

impl Figures {
    fn money(&self, e: &mut DescriptorEncoder<'_>, books: &Books) -> fmt::Result {
        let (mut booked, mut lent, mut corrected) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        for campaign in &books.campaigns {
            if let Some(currency) = campaign.currency {
                // A counter may not go down.
                *booked.entry(currency).or_insert(0_i128) += campaign.sums.charged + campaign.sums.late;
                *lent.entry(currency).or_insert(0_i128) += campaign.sums.outstanding;
                *corrected.entry(currency).or_insert(0_i128) += campaign.sums.corrected;
            }
        }
        let units = |nanos: &i128| *nanos as f64 / 1e9;
        let booked: Vec<_> =
            booked.iter().map(|(currency, nanos)| (currency.as_str(), ConstCounter::new(units(nanos)))).collect();
        family(e, "ledger_spent", "Money that was charged, in units of its currency", "currency", booked)?;
        let corrected: Vec<_> =
            corrected.iter().map(|(currency, nanos)| (currency.as_str(), ConstGauge::new(units(nanos)))).collect();
        let help = "What corrections changed of that, in units of its currency";
        family(e, "ledger_corrected", help, "currency", corrected)?;
        let lent: Vec<_> =
            lent.iter().map(|(currency, nanos)| (currency.as_str(), ConstGauge::new(units(nanos)))).collect();
        family(
            e,
            "ledger_lent",
            "Money that nodes hold and that is not charged, in units of its currency",
            "currency",
            lent,
        )
    }
}

/// How far the streams were read, by the shard that is the furthest behind.
fn streams<'k>(e: &mut DescriptorEncoder<'_>, kept: impl Iterator<Item = &'k KeptShard>) -> fmt::Result {
    let (mut taken_in, mut lag) = ([None; 3], [0; 3]);
    for shard in kept {
        for (at, (offset, end)) in shard.taken_in().into_iter().zip(shard.ends()).enumerate() {
            taken_in[at] = Some(taken_in[at].map_or(offset, |least: u64| least.min(offset)));
            lag[at] = lag[at].max(end.saturating_sub(offset));
        }
    }
    let read = STREAMS.into_iter().zip(taken_in);
    let read = read.map(|(stream, offset)| (stream.name(), ConstCounter::new(offset.unwrap_or(0))));
    family(e, "ledger_records", "Offsets of a stream that were taken in, in all partitions", "stream", read)?;
    let lag = STREAMS.into_iter().zip(lag).map(|(stream, lag)| (stream.name(), ConstGauge::new(lag)));
    family(e, "ledger_lag_records", "Records of a stream that wait to be taken in", "stream", lag)
}

/// Which shards are kept here, and how each is doing.
fn shards(e: &mut DescriptorEncoder<'_>, kept: &BTreeMap<ShardId, KeptShard>, now: Micros) -> fmt::Result {
    let told: Vec<(String, f64)> =
        kept.iter().map(|(shard, kept)| (shard.to_string(), seconds(kept.behind(now)))).collect();
    let told = told.iter().map(|(shard, behind)| (shard.as_str(), ConstGauge::new(*behind)));
    family(e, "ledger_shard_behind_seconds", "The same of each shard that this process keeps", "shard", told)
}

fn seconds(micros: Option<i64>) -> f64 {
    micros.map_or(f64::INFINITY, |micros| micros as f64 / 1e6)
}

/// One number.
fn one<M: EncodeMetric + TypedMetric>(e: &mut DescriptorEncoder<'_>, name: &str, help: &str, value: M) -> fmt::Result {
    value.encode(e.encode_descriptor(name, help, None, M::TYPE)?)
}

/// A number for each of these labels.
fn family<'l, M: EncodeMetric + TypedMetric>(
    e: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    label: &str,
    values: impl IntoIterator<Item = (&'l str, M)>,
) -> fmt::Result {
    let mut metric = e.encode_descriptor(name, help, None, M::TYPE)?;
    values.into_iter().try_for_each(|(of, value)| value.encode(metric.encode_family(&[(label, of)])?))
}
