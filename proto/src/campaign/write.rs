//! From a checked campaign to the wire.

use decision::campaign::{
    Advertiser, Campaign, Creative, Experiment, FrequencyCap, Pacing, PriceRule, SegmentPrice, Variant,
};
use decision::money::Nanos;
use decision::targeting::{Fact, Size, Targeting};
use decision::time::{LocalTime, Micros};

use crate::ids::device_number;
use crate::wire;
use crate::wire::segment_price::Price;
use crate::wire::targeting::Expression;

impl From<&Campaign> for wire::Campaign {
    /// Leaves out what a bid does not depend on: objective, KPI and the advertiser's daily budget.
    fn from(campaign: &Campaign) -> Self {
        Self {
            id: campaign.id.0,
            name: campaign.name.clone(),
            advertiser: Some((&campaign.advertiser).into()),
            from: campaign.flight.from.0,
            until: campaign.flight.until.0,
            daily_budget: campaign.budget.daily.get(),
            total_budget: campaign.budget.total.get(),
            pacing: wire::Pacing::from(campaign.pacing).into(),
            local_time: local_time_record(&campaign.local_time),
            targeting: Some((&campaign.targeting).into()),
            when_audience_unknown: wire::WhenAudienceUnknown::from(campaign.when_audience_unknown).into(),
            default_cpm: campaign.strategy.default_cpm.map(Nanos::cpm_micros),
            min_cpm: campaign.strategy.min_cpm.cpm_micros(),
            max_cpm: campaign.strategy.max_cpm.cpm_micros(),
            margin_ppm: campaign.strategy.margin_ppm,
            segment_prices: campaign.strategy.segments.iter().map(Into::into).collect(),
            frequency_caps: campaign.caps.iter().map(Into::into).collect(),
            creatives: campaign.creatives.iter().map(Into::into).collect(),
            experiment: campaign.experiment.as_ref().map(Into::into),
            objective: String::new(),
            kpi: String::new(),
        }
    }
}

impl From<Pacing> for wire::Pacing {
    fn from(pacing: Pacing) -> Self {
        match pacing {
            Pacing::Asap => Self::Asap,
            Pacing::Even => Self::Even,
            Pacing::FrontLoaded => Self::FrontLoaded,
        }
    }
}

/// A clock on the wire; none for UTC.
pub fn local_time_record(clock: &LocalTime) -> Option<wire::LocalTime> {
    let change = |(at, offset_s): &(Micros, i32)| wire::OffsetChange { at: at.0, offset_s: *offset_s };
    (*clock != LocalTime::default()).then(|| wire::LocalTime {
        time_zone: clock.time_zone().to_owned(),
        offset_s: clock.first_offset_s(),
        changes: clock.changes().iter().map(change).collect(),
    })
}

impl From<&Advertiser> for wire::Advertiser {
    /// Leaves out the daily budget, which a bid does not depend on.
    fn from(advertiser: &Advertiser) -> Self {
        Self {
            id: advertiser.id.0,
            name: advertiser.name.clone(),
            currency: advertiser.currency.to_string(),
            domain: advertiser.domain.clone(),
            categories: advertiser.categories.clone(),
            daily_budget: None,
        }
    }
}

impl From<&Targeting> for wire::Targeting {
    fn from(targeting: &Targeting) -> Self {
        let list = |parts: &[Targeting]| wire::TargetingList { parts: parts.iter().map(Into::into).collect() };
        let expression = match targeting {
            Targeting::All(parts) => Expression::All(list(parts)),
            Targeting::Any(parts) => Expression::Any(list(parts)),
            Targeting::None(parts) => Expression::None(list(parts)),
            Targeting::Is(fact) => fact_expression(*fact),
        };
        Self { expression: Some(expression) }
    }
}

fn fact_expression(fact: Fact) -> Expression {
    match fact {
        Fact::Segment { segment, confidence_min } => {
            Expression::Segment(wire::SegmentFact { segment: segment.0, confidence_min: confidence_min.into() })
        }
        Fact::Exchange(exchange) => Expression::Exchange(exchange.to_string()),
        Fact::Country(country) => Expression::Country(country.to_string()),
        Fact::Region(country, region) => {
            Expression::Region(wire::RegionFact { country: country.to_string(), region: region.to_string() })
        }
        Fact::Device(device) => Expression::Device(device_number(device)),
        Fact::Size(size) => Expression::Size(size.into()),
    }
}

impl From<Size> for wire::Size {
    fn from(size: Size) -> Self {
        Self { w: size.w.into(), h: size.h.into() }
    }
}

impl From<&SegmentPrice> for wire::SegmentPrice {
    fn from(rule: &SegmentPrice) -> Self {
        let price = match rule.price {
            PriceRule::Fixed(cpm) => Price::FixedCpm(cpm.cpm_micros()),
            PriceRule::Multiplier(ppm) => Price::MultiplierPpm(ppm),
        };
        Self {
            segment: rule.segment.0,
            price: Some(price),
            min_cpm: rule.min_cpm.map(Nanos::cpm_micros),
            max_cpm: rule.max_cpm.map(Nanos::cpm_micros),
            data_cpm: rule.data_cpm.cpm_micros(),
        }
    }
}

impl From<&FrequencyCap> for wire::FrequencyCap {
    fn from(cap: &FrequencyCap) -> Self {
        Self { subject: wire::CapSubject::from(cap.scope).into(), count: cap.count.into(), window_s: cap.window_s }
    }
}

impl From<&Creative> for wire::Creative {
    fn from(creative: &Creative) -> Self {
        Self {
            id: creative.id.0,
            name: creative.name.clone(),
            size: Some(creative.size.into()),
            variants: creative.variants.iter().map(Into::into).collect(),
        }
    }
}

impl From<&Variant> for wire::Variant {
    fn from(variant: &Variant) -> Self {
        Self {
            id: variant.id.0,
            name: variant.name.clone(),
            segments: variant.segments.iter().map(|segment| segment.0).collect(),
            markup: variant.markup.clone(),
            landing_url: variant.landing_url.clone(),
        }
    }
}

impl From<&Experiment> for wire::Experiment {
    fn from(experiment: &Experiment) -> Self {
        Self { name: experiment.name.clone(), salt: experiment.salt, holdout_ppm: experiment.holdout_ppm }
    }
}
