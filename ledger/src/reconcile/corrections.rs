//! Which outcomes others replace.

use std::collections::BTreeMap;

use proto::wire::Outcome;

use super::billed::Effect;

/// The corrections among all outcomes: a later one may replace any earlier one of its shard, so they must be known
/// before the first outcome is counted.
#[derive(Clone, Debug, Default)]
pub struct Corrections {
    /// By shard and sequence of what is replaced: the sequence of what stands for it, the last where there are several.
    latest: BTreeMap<(u32, u64), u64>,
}

impl Corrections {
    /// Takes in an outcome, in any order.
    pub fn learn(&mut self, outcome: &Outcome) {
        // A notice that books may also be a win, which is an outcome of the same sequence and corrected by itself.
        if let (Some(corrected), Ok(Some(_))) = (outcome.corrects, Effect::of(outcome)) {
            let latest = self.latest.entry((outcome.shard, corrected)).or_default();
            *latest = (*latest).max(outcome.sequence);
        }
    }

    /// Whether no other outcome stands for this one.
    pub(super) fn leave(&self, outcome: &Outcome) -> bool {
        let latest = |sequence: u64| self.latest.get(&(outcome.shard, sequence)).copied();
        let replaced = latest(outcome.sequence).is_some();
        let outdated = outcome.corrects.is_some_and(|corrected| latest(corrected) != Some(outcome.sequence));
        !replaced && !outdated
    }
}
