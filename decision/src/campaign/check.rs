//! From draft to checked campaign: every problem at once, each with its place.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

use super::{
    Advertiser, AdvertiserDraft, Budget, Campaign, CampaignDraft, CapSubject, Creative, CreativeDraft, Flight,
    FrequencyCap, PriceRule, SegmentPrice, Strategy, Variant,
};
use crate::decide::price::{Limits, Rule, price};
use crate::ids::{AdvertiserId, CampaignId, CreativeId, Currency};
use crate::index::conjunction::alternatives;
use crate::money::{Cpm, Nanos, ONE_PPM, Percent, Rate};
use crate::outcome::PriceSteps;
use crate::targeting::{Fact, Size, Targeting};
use crate::time::Micros;

/// Every bound of a campaign.
pub mod limits {
    /// Bytes of a name.
    pub const NAME_BYTES_MAX: usize = 128;
    /// Bytes of an advertiser's domain (RFC 1035).
    pub const DOMAIN_BYTES_MAX: usize = 253;
    /// Content categories of an advertiser.
    pub const CATEGORIES_MAX: usize = 64;
    /// Levels of nesting of a targeting expression.
    pub const TARGETING_DEPTH_MAX: usize = 16;
    /// Facts and groups of a targeting expression.
    pub const TARGETING_NODES_MAX: usize = 1_024;
    /// Alternatives of a targeting expression, once those that differ in one requirement are merged: each is matched by
    /// itself in every request.
    pub const TARGETING_ALTERNATIVES_MAX: usize = 64;
    /// Priced segments of a campaign.
    pub const SEGMENT_PRICES_MAX: usize = 1_024;
    /// Frequency caps of a campaign.
    pub const CAPS_MAX: usize = 8;
    /// Impressions that one cap may allow, so that a person's record stays small.
    pub const CAP_COUNT_MAX: u32 = 64;
    /// Shortest window of a cap: one minute.
    pub const CAP_WINDOW_S_MIN: u32 = 60;
    /// Longest window of a cap: thirty days.
    pub const CAP_WINDOW_S_MAX: u32 = 30 * 24 * 60 * 60;
    /// Creatives of a campaign.
    pub const CREATIVES_MAX: usize = 64;
    /// Variants of a creative.
    pub const VARIANTS_MAX: usize = 256;
    /// Segments of a variant.
    pub const VARIANT_SEGMENTS_MAX: usize = 256;
    /// Bytes of a variant's markup.
    pub const MARKUP_BYTES_MAX: usize = 16 * 1024;
    /// Bytes of a landing URL.
    pub const URL_BYTES_MAX: usize = 1_024;
    /// Largest CPM in micros: 10,000 units a thousand impressions. Higher is a typing mistake.
    pub const CPM_MICROS_MAX: i64 = 10_000_000_000;
    /// Largest multiplier of a price, in millionths: a hundredfold.
    pub const MULTIPLIER_MAX: u32 = 100_000_000;
}

/// One thing that is wrong with a draft.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DraftProblem {
    /// Where: the field's path, such as `creatives[0].variants[1].markup`.
    pub path: String,
    /// What is wrong and what would be right.
    pub message: String,
}

impl fmt::Display for DraftProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.message)
    }
}

impl TryFrom<CampaignDraft> for Campaign {
    type Error = Vec<DraftProblem>;

    /// Reports every problem at once, so that an editor is corrected in one round trip.
    fn try_from(draft: CampaignDraft) -> Result<Self, Self::Error> {
        let mut problems = Problems(Vec::new());
        problems.name("name", &draft.name);
        problems.require(draft.id > 0, "id", "must be above 0");
        let advertiser = problems.advertiser(&draft.advertiser);
        problems.require(draft.from < draft.until, "flight", "must end after it begins");
        problems.require(draft.daily_budget > 0, "budget.daily", "must be above 0");
        problems.require(draft.total_budget > 0, "budget.total", "must be above 0");
        let targeting = draft.targeting.clone().unwrap_or(Targeting::EVERYONE);
        problems.targeting(&targeting);
        problems.strategy(&draft);
        let caps = problems.caps(&draft.caps);
        problems.count("creatives", draft.creatives.len(), 1, limits::CREATIVES_MAX);
        let creatives =
            draft.creatives.iter().enumerate().filter_map(|(at, creative)| problems.creative(at, creative)).collect();
        problems.distinct("creatives", draft.creatives.iter().map(|c| c.id));
        if let Some(experiment) = &draft.experiment {
            problems.name("experiment.name", &experiment.name);
            problems.require(experiment.holdout_ppm <= 1_000_000, "experiment.holdout", "must be at most 1");
        }
        let (Some(advertiser), true) = (advertiser, problems.0.is_empty()) else {
            return Err(problems.0);
        };
        Ok(Self {
            id: CampaignId(draft.id),
            name: draft.name,
            advertiser,
            flight: Flight { from: Micros(draft.from), until: Micros(draft.until) },
            budget: Budget { daily: Nanos::new(draft.daily_budget), total: Nanos::new(draft.total_budget) },
            pacing: draft.pacing,
            local_time: draft.local_time,
            targeting,
            when_audience_unknown: draft.when_audience_unknown,
            strategy: Strategy {
                default_cpm: draft.default_cpm.map(Nanos::of_one_impression),
                min_cpm: Nanos::of_one_impression(draft.min_cpm),
                max_cpm: Nanos::of_one_impression(draft.max_cpm),
                margin_ppm: draft.margin_ppm,
                segments: draft.segments,
            },
            caps,
            creatives,
            experiment: draft.experiment,
        })
    }
}

impl TryFrom<AdvertiserDraft> for Advertiser {
    type Error = Vec<DraftProblem>;

    /// Reports every problem at once, with paths as in a campaign: `advertiser.currency`.
    fn try_from(draft: AdvertiserDraft) -> Result<Self, Self::Error> {
        let mut problems = Problems(Vec::new());
        problems.advertiser(&draft).filter(|_| problems.0.is_empty()).ok_or(problems.0)
    }
}

/// How a draft's price comes about, by this rule or by default, before an exchange's fee and pacing.
fn steps(draft: &CampaignDraft, rule: Option<&SegmentPrice>) -> Option<PriceSteps> {
    let CampaignDraft { min_cpm, max_cpm, margin_ppm, .. } = *draft;
    let [min_cpm, max_cpm] = [min_cpm, max_cpm].map(Nanos::of_one_impression);
    let default_cpm = draft.default_cpm.map(Nanos::of_one_impression);
    let limits = Limits { default_cpm, min_cpm, max_cpm, margin_ppm };
    price(&limits, rule.map(Rule::of).as_ref(), 0, Rate::ONE, ONE_PPM)
}

struct Problems(Vec<DraftProblem>);

impl Problems {
    fn push(&mut self, path: impl Into<String>, message: impl Into<String>) {
        self.0.push(DraftProblem { path: path.into(), message: message.into() });
    }

    fn require(&mut self, holds: bool, path: &str, message: &str) {
        if !holds {
            self.push(path, message);
        }
    }

    fn name(&mut self, path: &str, name: &str) {
        let fits = !name.is_empty() && name.len() <= limits::NAME_BYTES_MAX;
        if !fits || name.chars().any(char::is_control) {
            self.push(path, format!("must be 1 to {} bytes without control characters", limits::NAME_BYTES_MAX));
        }
    }

    fn count(&mut self, path: &str, count: usize, min: usize, max: usize) {
        if count < min || count > max {
            self.push(path, format!("must be {min} to {max} of them, not {count}"));
        }
    }

    fn distinct(&mut self, path: &str, ids: impl Iterator<Item = u32>) {
        let mut ids: Vec<u32> = ids.collect();
        ids.sort_unstable();
        if ids.first() == Some(&0) || ids.windows(2).any(|pair| pair[0] == pair[1]) {
            self.push(path, "ids must be above 0 and distinct");
        }
    }

    fn cpm(&mut self, path: &str, cpm: i64) {
        if !(0..=limits::CPM_MICROS_MAX).contains(&cpm) {
            self.push(path, format!("must be 0 to {} (CPM)", limits::CPM_MICROS_MAX / 1_000_000));
        }
    }

    fn advertiser(&mut self, draft: &AdvertiserDraft) -> Option<Advertiser> {
        self.require(draft.id > 0, "advertiser.id", "must be above 0");
        self.name("advertiser.name", &draft.name);
        let currency = Currency::new(&draft.currency)
            .filter(|code| code.as_str().len() == 3 && code.as_str().bytes().all(|byte| byte.is_ascii_uppercase()));
        if currency.is_none() {
            self.push("advertiser.currency", "must be an ISO 4217 code such as USD");
        }
        let domain = draft.domain.as_bytes();
        let plain = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-.".contains(byte);
        if domain.is_empty() || domain.len() > limits::DOMAIN_BYTES_MAX || !domain.iter().all(plain) {
            self.push("advertiser.domain", "must be a domain in lower case, such as shop.example");
        }
        self.count("advertiser.categories", draft.categories.len(), 0, limits::CATEGORIES_MAX);
        for (at, category) in draft.categories.iter().enumerate() {
            self.name(&format!("advertiser.categories[{at}]"), category);
        }
        Some(Advertiser {
            id: AdvertiserId(draft.id),
            name: draft.name.clone(),
            currency: currency?,
            domain: draft.domain.clone(),
            categories: draft.categories.clone(),
        })
    }

    fn targeting(&mut self, targeting: &Targeting) {
        let mut nodes = 0;
        let mut level = Vec::from([targeting]);
        for depth in 0.. {
            if level.is_empty() {
                break;
            }
            nodes += level.len();
            if depth >= limits::TARGETING_DEPTH_MAX || nodes > limits::TARGETING_NODES_MAX {
                let (depth, nodes) = (limits::TARGETING_DEPTH_MAX, limits::TARGETING_NODES_MAX);
                self.push("targeting", format!("must be at most {depth} levels deep and have at most {nodes} parts"));
                return;
            }
            let mut next = Vec::new();
            for part in level {
                match part {
                    Targeting::All(parts) | Targeting::Any(parts) | Targeting::None(parts) => next.extend(parts),
                    Targeting::Is(Fact::Segment { confidence_min, .. }) if *confidence_min > 100 => {
                        self.push("targeting", "a confidence must be at most 100 percent");
                    }
                    Targeting::Is(_) => {}
                }
            }
            level = next;
        }
        let max = limits::TARGETING_ALTERNATIVES_MAX;
        if alternatives(targeting, max).is_none() {
            let hint = "name fewer different kinds of things side by side in `any`";
            self.push("targeting", format!("must come to at most {max} alternatives: {hint}"));
        }
    }

    fn strategy(&mut self, draft: &CampaignDraft) {
        self.cpm("bids.min", draft.min_cpm);
        self.cpm("bids.max", draft.max_cpm);
        self.require(draft.max_cpm > 0, "bids.max", "must be above 0");
        self.require(draft.min_cpm <= draft.max_cpm, "bids", "min must not be above max");
        self.margin(draft);
        if let Some(cpm) = draft.default_cpm {
            self.cpm("bids.default", cpm);
        }
        self.count("bids.segments", draft.segments.len(), 0, limits::SEGMENT_PRICES_MAX);
        if draft.default_cpm.is_none() && draft.segments.is_empty() {
            self.push("bids", "must have a default price or a priced segment");
        }
        for (at, rule) in draft.segments.iter().enumerate() {
            self.segment_price(&format!("bids.segments[{at}]"), rule, draft);
        }
    }

    fn segment_price(&mut self, path: &str, rule: &SegmentPrice, draft: &CampaignDraft) {
        match rule.price {
            PriceRule::Fixed(cpm) => self.cpm(&format!("{path}.cpm"), cpm.cpm_micros()),
            PriceRule::Multiplier(_) if draft.default_cpm.is_none() => {
                self.push(format!("{path}.multiplier"), "needs a default price to multiply");
            }
            PriceRule::Multiplier(ppm) if ppm > limits::MULTIPLIER_MAX => {
                self.push(
                    format!("{path}.multiplier"),
                    format!("must be at most {}", limits::MULTIPLIER_MAX / 1_000_000),
                );
            }
            PriceRule::Multiplier(_) => {}
        }
        for (name, cpm) in [("min", rule.min_cpm), ("max", rule.max_cpm)] {
            if let Some(cpm) = cpm {
                self.cpm(&format!("{path}.{name}"), cpm.cpm_micros());
            }
        }
        if let (Some(min), Some(max)) = (rule.min_cpm, rule.max_cpm)
            && min > max
        {
            self.push(path, "min must not be above max");
        }
        self.data_fee(&format!("{path}.data_fee"), rule, draft);
    }

    /// What a segment's data costs must leave something of its price for media, or the campaign would never bid for it.
    fn data_fee(&mut self, path: &str, rule: &SegmentPrice, draft: &CampaignDraft) {
        self.cpm(path, rule.data_cpm.cpm_micros());
        let Some(steps) = steps(draft, Some(rule)) else { return };
        // What is wrong with the fee itself, the margin or the price is told already.
        let right = (1..=limits::CPM_MICROS_MAX).contains(&rule.data_cpm.cpm_micros()) && draft.margin_ppm < ONE_PPM;
        if right && steps.limited_cpm > Nanos::ZERO && steps.media_cpm <= Nanos::ZERO {
            let (paid, margin) = (Cpm(steps.limited_cpm), Percent(draft.margin_ppm));
            self.push(path, format!("leaves nothing for media of a price of {paid} with a margin of {margin}"));
        }
    }

    /// The margin must leave something of some price for media, or the campaign would never bid.
    fn margin(&mut self, draft: &CampaignDraft) {
        if draft.margin_ppm >= ONE_PPM {
            return self.push("bids.margin", "must be below 100%");
        }
        let without_data = |rule: &SegmentPrice| SegmentPrice { data_cpm: Nanos::ZERO, ..*rule };
        let ruled = draft.segments.iter().filter_map(|rule| steps(draft, Some(&without_data(rule))));
        let paid: Vec<PriceSteps> = steps(draft, None).into_iter().chain(ruled).collect();
        let most = paid.iter().map(|steps| steps.limited_cpm).max().unwrap_or_default();
        if most > Nanos::ZERO && paid.iter().all(|steps| steps.media_cpm <= Nanos::ZERO) {
            self.push("bids.margin", format!("leaves nothing for media of prices up to {}", Cpm(most)));
        }
    }

    fn caps(&mut self, caps: &[(CapSubject, u32, u32)]) -> Vec<FrequencyCap> {
        self.count("frequency_caps", caps.len(), 0, limits::CAPS_MAX);
        let mut checked = Vec::with_capacity(caps.len());
        for (at, &(scope, count, window_s)) in caps.iter().enumerate() {
            if !(1..=limits::CAP_COUNT_MAX).contains(&count) {
                self.push(format!("frequency_caps[{at}].count"), format!("must be 1 to {}", limits::CAP_COUNT_MAX));
            }
            if !(limits::CAP_WINDOW_S_MIN..=limits::CAP_WINDOW_S_MAX).contains(&window_s) {
                self.push(format!("frequency_caps[{at}].window"), "must be 1 minute to 30 days");
            }
            checked.extend(u8::try_from(count).ok().map(|count| FrequencyCap { scope, count, window_s }));
        }
        checked
    }

    fn creative(&mut self, at: usize, draft: &CreativeDraft) -> Option<Creative> {
        let path = format!("creatives[{at}]");
        self.name(&format!("{path}.name"), &draft.name);
        let side = |side: u32| u16::try_from(side).ok().filter(|side| *side > 0);
        let size = side(draft.w).zip(side(draft.h)).map(|(w, h)| Size { w, h });
        if size.is_none() {
            self.push(format!("{path}.size"), "must be WxH with both sides 1 to 65535");
        }
        self.count(&format!("{path}.variants"), draft.variants.len(), 1, limits::VARIANTS_MAX);
        self.distinct(&format!("{path}.variants"), draft.variants.iter().map(|v| v.id.0));
        for (at, variant) in draft.variants.iter().enumerate() {
            self.variant(&format!("{path}.variants[{at}]"), variant);
        }
        Some(Creative {
            id: CreativeId(draft.id),
            name: draft.name.clone(),
            size: size?,
            variants: draft.variants.clone(),
        })
    }

    fn variant(&mut self, path: &str, variant: &Variant) {
        self.name(&format!("{path}.name"), &variant.name);
        self.count(&format!("{path}.segments"), variant.segments.len(), 0, limits::VARIANT_SEGMENTS_MAX);
        let markup = format!("{path}.markup");
        if variant.markup.is_empty() || variant.markup.len() > limits::MARKUP_BYTES_MAX {
            self.push(markup, format!("must be 1 to {} bytes", limits::MARKUP_BYTES_MAX));
        } else if !variant.markup.contains("${CLICK_URL}") {
            self.push(markup, "must have the macro ${CLICK_URL}, or clicks cannot be counted");
        }
        let url = variant.landing_url.as_str();
        let host = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://")).unwrap_or_default();
        let starts = host.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric());
        if !starts || url.len() > limits::URL_BYTES_MAX || !url.bytes().all(|byte| byte.is_ascii_graphic()) {
            let message = format!("must be an http or https URL of at most {} bytes", limits::URL_BYTES_MAX);
            self.push(format!("{path}.landing_url"), message.to_string());
        }
    }
}
