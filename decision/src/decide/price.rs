//! What a campaign pays for a person.

use crate::campaign::{PriceRule, SegmentPrice, Strategy};
use crate::ids::SegmentId;
use crate::money::{Fees, Nanos, ONE_PPM, Rate};
use crate::outcome::PriceSteps;

/// What of a strategy does not depend on the person.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) default_cpm: Option<Nanos>,
    pub(crate) min_cpm: Nanos,
    pub(crate) max_cpm: Nanos,
    pub(crate) margin_ppm: u32,
}

impl Limits {
    pub(crate) fn of(strategy: &Strategy) -> Self {
        let Strategy { default_cpm, min_cpm, max_cpm, margin_ppm, .. } = *strategy;
        Self { default_cpm, min_cpm, max_cpm, margin_ppm }
    }
}

/// A price for people in one micro-segment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rule {
    pub(crate) segment: SegmentId,
    price: PriceRule,
    min_cpm: Nanos,
    max_cpm: Nanos,
    data_cpm: Nanos,
}

impl Rule {
    pub(crate) fn of(price: &SegmentPrice) -> Self {
        let SegmentPrice { segment, price, min_cpm, max_cpm, data_cpm } = *price;
        let (min_cpm, max_cpm) = (min_cpm.unwrap_or(Nanos::ZERO), max_cpm.unwrap_or(Nanos::MAX));
        Self { segment, price, min_cpm, max_cpm, data_cpm }
    }
}

/// The price by `rule`, that of the first priced segment the person is in, or else the default price. `None` where there is
/// no price. The limits of the segment come first and those of the campaign after them, so that these always hold; then it
/// is multiplied by `pace_ppm`, as far down as the limits allow. What the margin, the segment's data and the exchange's
/// `exchange_fee_ppm` leave of it is media, and offered in the currency of the bid by `rate`.
#[inline]
pub(crate) fn price(
    limits: &Limits,
    rule: Option<&Rule>,
    exchange_fee_ppm: u32,
    rate: Rate,
    pace_ppm: u32,
) -> Option<PriceSteps> {
    let ruled_cpm = match rule.map(|rule| rule.price) {
        None => limits.default_cpm?,
        Some(PriceRule::Fixed(cpm)) => cpm,
        Some(PriceRule::Multiplier(ppm)) => limits.default_cpm?.scaled(ppm),
    };
    let limited_cpm = limited(ruled_cpm, limits, rule);
    let mut paced_cpm = limited_cpm;
    if pace_ppm < ONE_PPM {
        paced_cpm = limited_cpm.scaled(pace_ppm).max(limited(Nanos::ZERO, limits, rule));
    }
    let fees = Fees {
        exchange_ppm: exchange_fee_ppm,
        data_cpm: rule.map_or(Nanos::ZERO, |rule| rule.data_cpm),
        margin_ppm: limits.margin_ppm,
    };
    let media_cpm = if fees.is_none() { paced_cpm } else { fees.net(paced_cpm) };
    Some(PriceSteps {
        segment: rule.map(|rule| rule.segment),
        default_cpm: limits.default_cpm,
        ruled_cpm,
        limited_cpm,
        pace_ppm,
        paced_cpm,
        fees,
        media_cpm,
        bid_cpm: rate.convert_down(media_cpm),
    })
}

/// A price within the limits of the segment and the campaign.
#[inline]
fn limited(mut cpm: Nanos, limits: &Limits, rule: Option<&Rule>) -> Nanos {
    if let Some(rule) = rule {
        cpm = cpm.max(rule.min_cpm).min(rule.max_cpm);
    }
    cpm.max(limits.min_cpm).min(limits.max_cpm)
}

/// Whether pacing holds a bid back. Where it would take the price below the least that the campaign offers, that is
/// offered so many times less often: on the average of the requests, `lot` by lot, the offer is the paced price.
#[inline]
pub(crate) fn is_held_back(steps: &PriceSteps, lot: impl FnOnce() -> u64) -> bool {
    if steps.pace_ppm >= ONE_PPM {
        return false;
    }
    let (wanted, offered) = (steps.limited_cpm.scaled(steps.pace_ppm), steps.paced_cpm);
    let share = |nanos: Nanos| u128::from(nanos.get().unsigned_abs());
    wanted < offered && u128::from(lot()) * share(offered) >= share(wanted) << 64
}
