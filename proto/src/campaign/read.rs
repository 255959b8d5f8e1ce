//! From the wire, which is not trusted, to a checked campaign.

use decision::campaign::{
    AdvertiserDraft, Campaign, CampaignDraft, CapSubject, CreativeDraft, DraftProblem, Experiment, Pacing, PriceRule,
    SegmentPrice, Variant, WhenAudienceUnknown, limits,
};
use decision::ids::{Country, ExchangeName, Region, SegmentId, VariantId};
use decision::money::Nanos;
use decision::targeting::{DeviceType, Fact, Size, Targeting};
use decision::time::{LocalTime, Micros, OFFSET_CHANGES_MAX};

use crate::ids::device;
use crate::wire;
use crate::wire::segment_price::Price;
use crate::wire::targeting::Expression;

/// The campaign of a record, or everything that is wrong with it: what cannot be read as well as what breaks a rule.
/// Checks the advertiser's daily budget too, which the campaign itself does not hold.
pub fn campaign(wire: &wire::Campaign) -> Result<Campaign, Vec<DraftProblem>> {
    let mut reader = Reader(Vec::new());
    reader.counts(wire);
    // What is too long is not looked into, so that a hostile record costs no more than its own size.
    if !reader.0.is_empty() {
        return Err(reader.0);
    }
    let draft = reader.draft(wire);
    match (Campaign::try_from(draft), reader.0) {
        (Ok(campaign), problems) if problems.is_empty() => Ok(campaign),
        (Ok(_), problems) => Err(problems),
        (Err(more), mut problems) => {
            problems.extend(more);
            Err(problems)
        }
    }
}

/// Collects what cannot be read. A placeholder that breaks no rule takes its place, so that places stay as they are on
/// the wire and nothing is reported twice.
struct Reader(Vec<DraftProblem>);

impl Reader {
    fn push(&mut self, path: impl Into<String>, message: impl Into<String>) {
        self.0.push(DraftProblem { path: path.into(), message: message.into() });
    }

    fn count(&mut self, path: &str, count: usize, max: usize) {
        if count > max {
            self.push(path, format!("must be at most {max} of them, not {count}"));
        }
    }

    fn counts(&mut self, wire: &wire::Campaign) {
        self.count("bids.segments", wire.segment_prices.len(), limits::SEGMENT_PRICES_MAX);
        self.count("frequency_caps", wire.frequency_caps.len(), limits::CAPS_MAX);
        self.count("creatives", wire.creatives.len(), limits::CREATIVES_MAX);
        let changes = wire.local_time.as_ref().map_or(0, |clock| clock.changes.len());
        self.count("time_zone", changes, OFFSET_CHANGES_MAX);
        for (at, creative) in wire.creatives.iter().take(limits::CREATIVES_MAX).enumerate() {
            self.count(&format!("creatives[{at}].variants"), creative.variants.len(), limits::VARIANTS_MAX);
        }
        let categories = wire.advertiser.as_ref().map_or(0, |advertiser| advertiser.categories.len());
        self.count("advertiser.categories", categories, limits::CATEGORIES_MAX);
        let mut left = limits::TARGETING_NODES_MAX;
        if let Some(targeting) = &wire.targeting
            && !fits(targeting, &mut left)
        {
            self.push("targeting", format!("must have at most {} parts", limits::TARGETING_NODES_MAX));
        }
    }

    fn draft(&mut self, wire: &wire::Campaign) -> CampaignDraft {
        CampaignDraft {
            id: wire.id,
            name: wire.name.clone(),
            advertiser: wire.advertiser.as_ref().map(|advertiser| self.advertiser(advertiser)).unwrap_or_default(),
            from: wire.from,
            until: wire.until,
            daily_budget: wire.daily_budget,
            total_budget: wire.total_budget,
            pacing: self.pacing(wire.pacing),
            local_time: self.local_time(wire.local_time.as_ref()),
            targeting: wire.targeting.as_ref().and_then(|targeting| self.targeting("targeting", targeting)),
            when_audience_unknown: self.when_audience_unknown(wire.when_audience_unknown),
            default_cpm: wire.default_cpm,
            min_cpm: wire.min_cpm,
            max_cpm: wire.max_cpm,
            margin_ppm: wire.margin_ppm,
            segments: wire.segment_prices.iter().enumerate().map(|(at, rule)| self.segment_price(at, rule)).collect(),
            caps: wire.frequency_caps.iter().enumerate().map(|(at, cap)| self.cap(at, cap)).collect(),
            creatives: wire.creatives.iter().map(creative).collect(),
            experiment: wire.experiment.as_ref().map(|experiment| Experiment {
                name: experiment.name.clone(),
                salt: experiment.salt,
                holdout_ppm: experiment.holdout_ppm,
            }),
        }
    }

    fn advertiser(&mut self, wire: &wire::Advertiser) -> AdvertiserDraft {
        if wire.daily_budget.is_some_and(|budget| budget <= 0) {
            self.push("advertiser.daily_budget", "must be above 0");
        }
        AdvertiserDraft {
            id: wire.id,
            name: wire.name.clone(),
            currency: wire.currency.clone(),
            domain: wire.domain.clone(),
            categories: wire.categories.clone(),
        }
    }

    fn pacing(&mut self, number: i32) -> Pacing {
        pacing(number).unwrap_or_else(|| {
            self.push("pacing", format!("has a value that is not known here: {number}"));
            Pacing::default()
        })
    }

    fn local_time(&mut self, wire: Option<&wire::LocalTime>) -> LocalTime {
        local_time(wire).unwrap_or_else(|| {
            self.push("time_zone", "must be a clock with few changes, none of them within a day of another");
            LocalTime::default()
        })
    }

    fn when_audience_unknown(&mut self, number: i32) -> WhenAudienceUnknown {
        match wire::WhenAudienceUnknown::try_from(number) {
            Ok(wire::WhenAudienceUnknown::Bid) => WhenAudienceUnknown::Bid,
            Ok(wire::WhenAudienceUnknown::NoBid | wire::WhenAudienceUnknown::Unspecified) => WhenAudienceUnknown::NoBid,
            Err(_) => {
                self.push("when_audience_unknown", format!("has a value that is not known here: {number}"));
                WhenAudienceUnknown::NoBid
            }
        }
    }

    fn segment_price(&mut self, at: usize, wire: &wire::SegmentPrice) -> SegmentPrice {
        let price = match wire.price {
            Some(Price::FixedCpm(cpm)) => PriceRule::Fixed(Nanos::of_one_impression(cpm)),
            Some(Price::MultiplierPpm(ppm)) => PriceRule::Multiplier(ppm),
            None => {
                self.push(format!("bids.segments[{at}]"), "must have a price or a multiplier");
                PriceRule::Fixed(Nanos::ZERO)
            }
        };
        SegmentPrice {
            segment: SegmentId(wire.segment),
            price,
            min_cpm: wire.min_cpm.map(Nanos::of_one_impression),
            max_cpm: wire.max_cpm.map(Nanos::of_one_impression),
            data_cpm: Nanos::of_one_impression(wire.data_cpm),
        }
    }

    fn cap(&mut self, at: usize, wire: &wire::FrequencyCap) -> (CapSubject, u32, u32) {
        let subject = match wire::CapSubject::try_from(wire.subject) {
            Ok(wire::CapSubject::Campaign) => CapSubject::Campaign,
            Ok(wire::CapSubject::EachCreative) => CapSubject::EachCreative,
            Ok(wire::CapSubject::Advertiser) => CapSubject::Advertiser,
            Ok(wire::CapSubject::EachSegment) => CapSubject::EachSegment,
            Ok(wire::CapSubject::Unspecified) | Err(_) => {
                let message = "must be the campaign, the advertiser, each creative or each segment";
                self.push(format!("frequency_caps[{at}].subject"), message);
                CapSubject::Campaign
            }
        };
        (subject, wire.count, wire.window_s)
    }

    /// Called with an expression that [`fits`] only.
    fn targeting(&mut self, path: &str, wire: &wire::Targeting) -> Option<Targeting> {
        let is = |fact: Option<Fact>, message| fact.map(Targeting::Is).ok_or(message);
        let read = match wire.expression.as_ref() {
            Some(Expression::All(list)) => Ok(Targeting::All(self.parts(path, "all", list))),
            Some(Expression::Any(list)) => Ok(Targeting::Any(self.parts(path, "any", list))),
            Some(Expression::None(list)) => Ok(Targeting::None(self.parts(path, "none", list))),
            Some(Expression::Segment(fact)) => Ok(Targeting::Is(Fact::Segment {
                segment: SegmentId(fact.segment),
                // Above 255 is as wrong as 255, and reported by the check that follows.
                confidence_min: u8::try_from(fact.confidence_min).unwrap_or(u8::MAX),
            })),
            Some(Expression::Exchange(name)) => {
                is(ExchangeName::new(name).map(Fact::Exchange), "must be an exchange of at most 16 bytes")
            }
            Some(Expression::Country(country)) => {
                is(Country::new(country).map(Fact::Country), "must be a country such as DEU")
            }
            Some(Expression::Region(fact)) => {
                let region = Country::new(&fact.country).zip(Region::new(&fact.region));
                is(region.map(|(country, region)| Fact::Region(country, region)), "must be a region such as DEU and BY")
            }
            Some(Expression::Device(number)) => {
                is(listed_device(*number).map(Fact::Device), "must be a device type of OpenRTB, 1 to 8")
            }
            Some(Expression::Size(wire)) => is(size(wire).map(Fact::Size), "must be a size with both sides 1 to 65535"),
            None => Err("must have a condition that is known here"),
        };
        read.map_err(|message| self.push(path, message)).ok()
    }

    fn parts(&mut self, path: &str, group: &str, list: &wire::TargetingList) -> Vec<Targeting> {
        let parts = list.parts.iter().enumerate();
        parts.filter_map(|(at, part)| self.targeting(&format!("{path}.{group}[{at}]"), part)).collect()
    }
}

/// How a campaign spreads its budget; `None` where the number has no meaning.
pub fn pacing(number: i32) -> Option<Pacing> {
    Some(match wire::Pacing::try_from(number).ok()? {
        wire::Pacing::Asap => Pacing::Asap,
        wire::Pacing::Even => Pacing::Even,
        wire::Pacing::FrontLoaded => Pacing::FrontLoaded,
    })
}

/// The clock of a campaign, UTC where the record has none; `None` where there can be no such clock.
pub fn local_time(wire: Option<&wire::LocalTime>) -> Option<LocalTime> {
    let Some(wire) = wire else { return Some(LocalTime::default()) };
    let changes = wire.changes.iter().map(|change| (Micros(change.at), change.offset_s)).collect();
    LocalTime::new(wire.time_zone.clone(), wire.offset_s, changes)
}

/// Whether an expression has no more parts than are `left`, which it uses up. It is then no deeper either; how deep a
/// campaign's may be is checked with the campaign.
fn fits(wire: &wire::Targeting, left: &mut usize) -> bool {
    let Some(rest) = left.checked_sub(1) else { return false };
    *left = rest;
    match &wire.expression {
        Some(Expression::All(list) | Expression::Any(list) | Expression::None(list)) => {
            list.parts.iter().all(|part| fits(part, left))
        }
        _ => true,
    }
}

fn listed_device(number: u32) -> Option<DeviceType> {
    Some(device(number)).filter(|device| !matches!(device, DeviceType::Unknown | DeviceType::Other))
}

/// A size, or `None` where a side is 0 or above 65,535.
pub(crate) fn size(wire: &wire::Size) -> Option<Size> {
    let side = |side: u32| u16::try_from(side).ok().filter(|side| *side > 0);
    Some(Size { w: side(wire.w)?, h: side(wire.h)? })
}

fn creative(wire: &wire::Creative) -> CreativeDraft {
    let size = wire.size.unwrap_or_default();
    CreativeDraft {
        id: wire.id,
        name: wire.name.clone(),
        w: size.w,
        h: size.h,
        variants: wire.variants.iter().map(variant).collect(),
    }
}

fn variant(wire: &wire::Variant) -> Variant {
    Variant {
        id: VariantId(wire.id),
        name: wire.name.clone(),
        segments: wire.segments.iter().copied().map(SegmentId).collect(),
        markup: wire.markup.clone(),
        landing_url: wire.landing_url.clone(),
    }
}
