//! A new index, by number of campaigns: the time to compile one, and to drop the old one.
//!
//! Readers go over to a new index by one atomic store, so that dropping the old one is what swapping costs: whoever had it
//! last pays. What a drop deallocates is exactly what the index takes; with campaigns alone it is their part in that.

use decision::campaign::Campaign;
use decision::index::CampaignIndex;
use divan::Bencher;

use crate::campaigns::{campaigns, index};

const COUNTS: [usize; 4] = [1_000, 10_000, 100_000, 1_000_000];

#[divan::bench(args = COUNTS, sample_count = 5, sample_size = 1)]
fn compile_index(bencher: Bencher<'_, '_>, count: usize) {
    bencher.with_inputs(|| campaigns(count)).bench_local_values(index)
}

#[divan::bench(args = COUNTS, sample_count = 5, sample_size = 1)]
fn drop_index(bencher: Bencher<'_, '_>, count: usize) {
    bencher.with_inputs(|| index(campaigns(count))).bench_local_values(drop::<CampaignIndex>)
}

#[divan::bench(args = COUNTS, sample_count = 5, sample_size = 1)]
fn drop_campaigns(bencher: Bencher<'_, '_>, count: usize) {
    bencher.with_inputs(|| campaigns(count)).bench_local_values(drop::<Vec<Campaign>>)
}
