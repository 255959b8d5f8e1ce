//! Which creative and variant a campaign shows.

use core::ops::Range;

use super::caps::Seen;
use super::person::Person;
use crate::index::{CampaignIndex, CreativeTerms, Terms};
use crate::opportunity::Opportunity;
use crate::outcome::{NoBidReason, Slot};

/// The creative and variant picked: places in the index.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pick {
    pub(crate) creative: usize,
    pub(crate) variant: usize,
}

/// The first creative in rotation that fits, with its variant. Where none fits, the reason is that of the creative that
/// came closest.
pub(crate) fn pick(
    index: &CampaignIndex,
    rotation: impl Iterator<Item = usize>,
    opportunity: &Opportunity<'_>,
    seen: &Seen<'_>,
    (slot, campaign): (Slot, &Terms),
) -> Result<Pick, NoBidReason> {
    let mut closest = NoBidReason::NoCreativeOfSize;
    for creative in rotation {
        let terms = &index.creatives[creative];
        if opportunity.sizes.contains(&terms.size) {
            match variant(index, terms, opportunity.secure, seen.person) {
                Ok(_) if seen.creative_is_capped(slot, campaign, terms.id) => closest = NoBidReason::CreativeCap,
                Ok(variant) => return Ok(Pick { creative, variant }),
                Err(reason) => closest = closest.max(reason),
            }
        }
    }
    Err(closest)
}

/// The variant of a creative for a person, among those that are secure where that is required: the first with a segment
/// the person is in, else the first without segments.
fn variant(
    index: &CampaignIndex,
    creative: &CreativeTerms,
    secure: bool,
    person: &Person<'_>,
) -> Result<usize, NoBidReason> {
    let segments = |variant: usize| &index.variant_segments[index.variants[variant].segments.range()];
    let usable = || creative.variants.range().filter(|variant| !secure || index.variants[*variant].secure);
    let own = usable().find(|variant| person.is_in_any(segments(*variant)));
    let found = own.or_else(|| usable().find(|variant| segments(*variant).is_empty()));
    found.ok_or(if usable().next().is_some() { NoBidReason::NoVariant } else { NoBidReason::NotSecure })
}

/// All `creatives`, in turn. `lot` says where the rotation starts, and each opportunity of a request (`imp`) starts one
/// further, so that a page does not show one creative twice while there is another.
pub(crate) fn rotation(creatives: Range<usize>, lot: u64, imp: usize) -> impl Iterator<Item = usize> {
    let count = creatives.len().max(1);
    let start = creatives.start + ((lot % count as u64) as usize + imp) % count;
    (start..creatives.end).chain(creatives.start..start)
}
