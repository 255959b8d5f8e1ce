//! What a campaign pays for a person.

use crate::campaign::{PriceRule, Strategy};
use crate::decide::person::Person;
use crate::money::{Nanos, Rate};
use crate::outcome::PriceSteps;

/// The price that `strategy` has for `person`, in the currency of the bid by `rate`; `None` where it has none. The
/// first segment price whose segment the person is in applies, else the default. The limits of the segment come first
/// and those of the campaign last, so that these always hold.
pub(crate) fn price(strategy: &Strategy, person: &Person<'_>, rate: Rate) -> Option<PriceSteps> {
    let rule = strategy.segments.iter().find(|rule| person.is_in(rule.segment, 0) == Some(true));
    let ruled_cpm = match rule.map(|rule| rule.price) {
        None => strategy.default_cpm?,
        Some(PriceRule::Fixed(cpm)) => cpm,
        Some(PriceRule::Multiplier(ppm)) => strategy.default_cpm?.scaled(ppm),
    };
    let mut limited_cpm = ruled_cpm;
    if let Some(rule) = rule {
        limited_cpm = limited_cpm.max(rule.min_cpm.unwrap_or(limited_cpm)).min(rule.max_cpm.unwrap_or(Nanos::MAX));
    }
    limited_cpm = limited_cpm.max(strategy.min_cpm).min(strategy.max_cpm);
    Some(PriceSteps {
        segment: rule.map(|rule| rule.segment),
        default_cpm: strategy.default_cpm,
        ruled_cpm,
        limited_cpm,
        bid_cpm: rate.convert_down(limited_cpm),
    })
}
