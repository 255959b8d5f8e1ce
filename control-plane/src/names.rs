//! The names a set of files may use: what it declares, and what was published before.

use std::collections::BTreeMap;

use decision::ids::SegmentId;
use proto::wire;

use crate::numbers::Numbers;
use crate::read::At;
use crate::registry::Registry;

/// Names, their numbers, and the advertisers behind them.
pub(crate) struct Names<'a> {
    /// What was published before.
    pub(crate) registry: &'a Registry,
    /// Numbers given out before, and now to what the files declare.
    pub(crate) numbers: Numbers,
    /// Advertisers that the files declare; `None` for one that is declared wrongly.
    pub(crate) advertisers: BTreeMap<String, Option<wire::Advertiser>>,
    /// Whether a file could not be read to its end: names may be declared in the rest.
    pub(crate) incomplete: bool,
}

impl<'a> Names<'a> {
    /// The names in `registry`.
    pub(crate) fn of(registry: &'a Registry) -> Self {
        Self { registry, numbers: registry.numbers.clone(), advertisers: BTreeMap::new(), incomplete: false }
    }

    /// The segment that is named here. What is wrong is noted.
    pub(crate) fn segment(&self, at: &At<'_>) -> Option<SegmentId> {
        let name = at.text()?;
        let number = self.numbers.segments.get(name);
        if number.is_none() && !self.incomplete {
            at.unknown("segment", name, self.numbers.segments.iter().map(|(name, _)| name.as_str()));
        }
        number.map(SegmentId)
    }

    /// The advertiser that is named here, as it will be. What is wrong is noted.
    pub(crate) fn advertiser(&self, at: &At<'_>) -> Option<wire::Advertiser> {
        let name = at.text()?;
        if let Some(declared) = self.advertisers.get(name) {
            return declared.clone();
        }
        let published = self.registry.advertisers.get(name);
        if published.is_none() && !self.incomplete {
            let known = self.advertisers.keys().chain(self.registry.advertisers.keys());
            at.unknown("advertiser", name, known.map(String::as_str));
        }
        published.cloned()
    }
}
