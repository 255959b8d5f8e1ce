//! Creatives and their variants.

use std::collections::BTreeSet;

use decision::campaign::{CreativeDraft, Variant};
use decision::ids::{SegmentId, VariantId};

use super::{At, Fields};
use crate::names::Names;

/// Reads the creatives of campaign number `campaign`. Their names are its own: other campaigns may use the same.
pub(super) fn creatives(fields: &Fields<'_>, campaign: u32, names: &mut Names<'_>) -> Vec<CreativeDraft> {
    let mut seen = BTreeSet::new();
    let items = fields.require("creatives").map(|at| at.list()).unwrap_or_default();
    items.iter().map(|at| creative(at, campaign, &mut seen, names)).collect()
}

fn creative<'a>(at: &At<'a>, campaign: u32, seen: &mut BTreeSet<&'a str>, names: &mut Names<'_>) -> CreativeDraft {
    let fields = at.fields(&["creative", "size", "variants"]);
    let name = fields.as_ref().and_then(|fields| own_name(fields, "creative", seen));
    let id = match name {
        Some(name) => names.numbers.creatives.give((campaign, name.to_owned())),
        None => names.numbers.creatives.spare(),
    };
    let size = fields.as_ref().and_then(|fields| fields.require("size")).and_then(|at| at.size());
    let (w, h) = size.map_or((1, 1), |size| (size.w.into(), size.h.into()));
    let mut seen = BTreeSet::new();
    let items = fields.and_then(|fields| fields.require("variants")).map(|at| at.list()).unwrap_or_default();
    let variants = items.iter().map(|at| variant(at, id, &mut seen, names)).collect();
    CreativeDraft { id, name: name.unwrap_or("-").to_owned(), w, h, variants }
}

fn variant<'a>(at: &At<'a>, creative: u32, seen: &mut BTreeSet<&'a str>, names: &mut Names<'_>) -> Variant {
    let fields = at.fields(&["variant", "segments", "markup", "landing_url"]);
    let name = fields.as_ref().and_then(|fields| own_name(fields, "variant", seen));
    let id = match name {
        Some(name) => names.numbers.variants.give((creative, name.to_owned())),
        None => names.numbers.variants.spare(),
    };
    let segments = fields.as_ref().map(|fields| fields.list("segments")).unwrap_or_default();
    let segments: Vec<SegmentId> = segments.iter().map(|at| names.segment(at).unwrap_or_default()).collect();
    let text = |key: &str| fields.as_ref().and_then(|fields| fields.require(key)).and_then(|at| at.text());
    Variant {
        id: VariantId(id),
        name: name.unwrap_or("-").to_owned(),
        segments,
        markup: text("markup").unwrap_or("${CLICK_URL}").to_owned(),
        landing_url: fields.as_ref().and_then(landing_url).unwrap_or("https://x").to_owned(),
    }
}

/// Where a click leads. Exchanges never see it, and neither they nor we replace anything in it.
fn landing_url<'a>(fields: &Fields<'a>) -> Option<&'a str> {
    let at = fields.require("landing_url")?;
    let url = at.text()?;
    if url.contains("${") {
        at.problem("must be without macros: they are replaced in markup only");
        return None;
    }
    Some(url)
}

/// The name at `key`, which none of those before it may have.
fn own_name<'a>(fields: &Fields<'a>, key: &str, seen: &mut BTreeSet<&'a str>) -> Option<&'a str> {
    let at = fields.require(key)?;
    let name = at.slug(false)?;
    if !seen.insert(name) {
        at.problem(format!("stands twice here: each {key} needs a name of its own"));
        return None;
    }
    Some(name)
}
