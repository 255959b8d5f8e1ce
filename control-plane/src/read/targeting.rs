//! Targeting expressions.

use decision::targeting::{Fact, Targeting};

use super::At;
use crate::names::Names;

const KEYS: &[&str] = &["all", "any", "none", "segment", "exchange", "country", "region", "device", "size"];
const SEGMENT_KEYS: &[&str] = &["name", "min_confidence"];

/// Reads the expression here. Several keys in one map must all hold. What is wrong is noted and left out.
pub(super) fn targeting(at: &At<'_>, names: &Names<'_>) -> Targeting {
    let Some(fields) = at.fields(KEYS) else {
        return Targeting::EVERYONE;
    };
    if fields.is_empty() {
        at.problem("must not be empty; leave targeting out to reach everyone");
    }
    let mut parts: Vec<Targeting> = fields.entries().filter_map(|(key, at)| part(key, &at, names)).collect();
    match (parts.len(), parts.pop()) {
        (1, Some(only)) => only,
        (_, last) => Targeting::All(parts.into_iter().chain(last).collect()),
    }
}

fn part(key: &str, at: &At<'_>, names: &Names<'_>) -> Option<Targeting> {
    let list = || {
        let items = at.list();
        if items.is_empty() {
            at.problem("must not be empty");
        }
        items.iter().map(|at| targeting(at, names)).collect()
    };
    let fact = match key {
        "all" => return Some(Targeting::All(list())),
        "any" => return Some(Targeting::Any(list())),
        "none" => return Some(Targeting::None(list())),
        "segment" => segment(at, names)?,
        "exchange" => Fact::Exchange(at.exchange()?),
        "country" => Fact::Country(at.country()?),
        "region" => at.region().map(|(country, region)| Fact::Region(country, region))?,
        "device" => Fact::Device(at.device()?),
        "size" => Fact::Size(at.size()?),
        _ => return None,
    };
    Some(Targeting::Is(fact))
}

/// `segment: name`, or `segment: {name: name, min_confidence: 0.5}`.
fn segment(at: &At<'_>, names: &Names<'_>) -> Option<Fact> {
    if !at.is_map() {
        return names.segment(at).map(|segment| Fact::Segment { segment, confidence_min: 0 });
    }
    let fields = at.fields(SEGMENT_KEYS)?;
    let segment = fields.require("name").and_then(|at| names.segment(&at));
    let confidence_min = fields.get("min_confidence").and_then(|at| at.percent()).unwrap_or_default();
    Some(Fact::Segment { segment: segment?, confidence_min })
}
