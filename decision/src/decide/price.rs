//! What a campaign pays for a person.

use crate::campaign::{PriceRule, SegmentPrice, Strategy};
use crate::money::{Nanos, Rate};
use crate::outcome::PriceSteps;

/// The prices of a strategy that do not depend on the person.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    default_cpm: Option<Nanos>,
    min_cpm: Nanos,
    max_cpm: Nanos,
}

impl Limits {
    pub(crate) fn of(strategy: &Strategy) -> Self {
        Self { default_cpm: strategy.default_cpm, min_cpm: strategy.min_cpm, max_cpm: strategy.max_cpm }
    }
}

/// The price by `rule`, that of the first priced segment the person is in, or else the default price; in the currency of
/// the bid by `rate`. `None` where there is no price. The limits of the segment come first and those of the campaign
/// last, so that these always hold.
#[inline]
pub(crate) fn price(limits: &Limits, rule: Option<&SegmentPrice>, rate: Rate) -> Option<PriceSteps> {
    let ruled_cpm = match rule.map(|rule| rule.price) {
        None => limits.default_cpm?,
        Some(PriceRule::Fixed(cpm)) => cpm,
        Some(PriceRule::Multiplier(ppm)) => limits.default_cpm?.scaled(ppm),
    };
    let mut limited_cpm = ruled_cpm;
    if let Some(rule) = rule {
        limited_cpm = limited_cpm.max(rule.min_cpm.unwrap_or(limited_cpm)).min(rule.max_cpm.unwrap_or(Nanos::MAX));
    }
    limited_cpm = limited_cpm.max(limits.min_cpm).min(limits.max_cpm);
    Some(PriceSteps {
        segment: rule.map(|rule| rule.segment),
        default_cpm: limits.default_cpm,
        ruled_cpm,
        limited_cpm,
        bid_cpm: rate.convert_down(limited_cpm),
    })
}
