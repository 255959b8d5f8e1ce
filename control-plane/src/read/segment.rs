//! A micro-segment as a document.

use proto::wire;

use super::{At, Fields};
use crate::limits::{RETENTION_DAYS_MAX, SOURCES_MAX};

const KEYS: &[&str] = &["segment", "description", "owner", "sources", "retention_days", "audience_min"];

/// People a segment must have before it can be targeted, where its document does not say.
const AUDIENCE_MIN: u32 = 100;

/// Reads the segment with this number and name. What is wrong is noted.
pub(crate) fn segment(document: &At<'_>, id: u32, name: &str) -> wire::Segment {
    let Some(fields) = document.fields(KEYS) else {
        return wire::Segment::default();
    };
    let prose = |key: &str| fields.require(key).and_then(|at| at.prose()).unwrap_or_default();
    let (description, owner) = (prose("description"), prose("owner"));
    let sources = sources(&fields);
    let retention = fields.require("retention_days");
    let retention_days = retention.as_ref().and_then(|at| at.count(RETENTION_DAYS_MAX));
    if let (Some(at), Some(0)) = (retention, retention_days) {
        at.problem("must be above 0");
    }
    let audience_min = match fields.get("audience_min") {
        Some(at) => at.count(u32::MAX).unwrap_or_default(),
        None => AUDIENCE_MIN,
    };
    let retention_days = retention_days.unwrap_or_default();
    wire::Segment { id, name: name.to_owned(), description, owner, retention_days, audience_min, sources }
}

/// Where memberships come from: names of signals, models or imports.
fn sources(fields: &Fields<'_>) -> Vec<String> {
    let Some(at) = fields.get("sources") else {
        return Vec::new();
    };
    let items = at.list();
    if items.len() > SOURCES_MAX {
        at.problem(format!("must be at most {SOURCES_MAX} of them, not {}", items.len()));
    }
    items.iter().filter_map(|at| at.slug(true)).map(str::to_owned).collect()
}
