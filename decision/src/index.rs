//! All live campaigns, compiled once off the request path into an immutable form that is quick to match.
//!
//! Targeting becomes alternatives (`conjunction`), equal ones of different campaigns only once; bitmaps over them say
//! which a request satisfies (`matching`). What a campaign is and offers stays in [`Campaign`]; what every request
//! needs of every candidate is laid out densely beside it.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use crate::campaign::{Campaign, CapSubject, Creative, Flight, FrequencyCap, Variant, WhenAudienceUnknown};
use crate::decide::person::Filter;
use crate::decide::price::{Limits, Rule};
use crate::ids::{AdvertiserId, CampaignId, CreativeId, Currency, SegmentId, VariantId};
use crate::money::Rates;
use crate::outcome::{Offer, Slot};
use crate::profile::Keep;
use crate::targeting::{Fact, Size};

pub(crate) mod bits;
pub(crate) mod blocklist;
pub(crate) mod conjunction;
mod keeps;
pub(crate) mod lists;
pub(crate) mod matching;

use blocklist::Blocklist;
use conjunction::Conjunction;
use keeps::Keeps;
use lists::Span;
use matching::Matcher;

/// All live campaigns of one revision, compiled.
#[derive(Debug)]
pub struct CampaignIndex {
    version: u64,
    rates: Rates,
    campaigns: Vec<Campaign>,
    /// What stands beside each campaign, by slot.
    pub(crate) terms: Vec<Terms>,
    /// The segments that campaigns have prices for, apart from the prices: they are gone through until one is the person's.
    pub(crate) priced_segments: Vec<SegmentId>,
    /// The price for each of them.
    pub(crate) rules: Vec<Rule>,
    /// The frequency caps of all campaigns.
    pub(crate) caps: Vec<FrequencyCap>,
    /// The creatives of all campaigns.
    pub(crate) creatives: Vec<CreativeTerms>,
    /// The variants of all creatives: a place here is a `variant_slot`.
    pub(crate) variants: Vec<VariantTerms>,
    /// The segments of all variants.
    pub(crate) variant_segments: Vec<SegmentId>,
    /// Currencies of campaigns.
    pub(crate) currencies: Vec<Currency>,
    pub(crate) matcher: Matcher,
    pub(crate) domains: Blocklist,
    pub(crate) categories: Blocklist,
    keeps: Keeps,
}

/// What every request asks of a campaign that it matches, close together: with many campaigns the time goes into fetching
/// them from memory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terms {
    pub(crate) id: CampaignId,
    pub(crate) advertiser: AdvertiserId,
    pub(crate) flight: Flight,
    /// The advertiser's domain in [`CampaignIndex::domains`] and its categories in [`CampaignIndex::categories`].
    pub(crate) domain: u32,
    pub(crate) categories: u32,
    /// In [`CampaignIndex::currencies`].
    pub(crate) currency: u32,
    pub(crate) limits: Limits,
    /// The segments it has prices for.
    pub(crate) priced: Filter,
    /// In [`CampaignIndex::priced_segments`] and [`CampaignIndex::rules`].
    pub(crate) rules: Span,
    /// In [`CampaignIndex::caps`].
    pub(crate) caps: Span,
    /// In [`CampaignIndex::creatives`].
    pub(crate) creatives: Span,
    /// Whether a cap on the advertiser's campaigns holds for it.
    pub(crate) caps_advertiser: bool,
    /// Whether a cap on what each micro-segment buys holds for it.
    pub(crate) caps_segments: bool,
    pub(crate) is_paced: bool,
    /// Whether an experiment measures it.
    pub(crate) is_measured: bool,
    pub(crate) excludes_a_segment: bool,
    pub(crate) when_audience_unknown: WhenAudienceUnknown,
}

/// What every request asks of a creative.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CreativeTerms {
    pub(crate) id: CreativeId,
    pub(crate) size: Size,
    /// In [`CampaignIndex::variants`].
    pub(crate) variants: Span,
}

/// What every request asks of a variant.
#[derive(Clone, Copy, Debug)]
pub(crate) struct VariantTerms {
    pub(crate) id: VariantId,
    /// Whether everything it loads is loaded over https.
    pub(crate) secure: bool,
    /// In [`CampaignIndex::variant_segments`].
    pub(crate) segments: Span,
}

impl CampaignIndex {
    /// Compiles checked campaigns, where one id comes twice the later one. `rates` are those prices and floors are
    /// converted by; `version` is the offset of the last record in the index.
    pub fn compile(campaigns: Vec<Campaign>, rates: Rates, version: u64) -> Self {
        let by_id: BTreeMap<CampaignId, Campaign> = campaigns.into_iter().map(|c| (c.id, c)).collect();
        let campaigns: Vec<Campaign> = by_id.into_values().collect();
        let mut currencies: Vec<Currency> = campaigns.iter().map(|c| c.advertiser.currency).collect();
        currencies.sort_unstable();
        currencies.dedup();
        let mut domains = Blocklist::builder('.');
        let mut categories = Blocklist::builder('-');
        let (mut rules, mut caps) = (Vec::new(), Vec::new());
        let (mut creatives, mut variants, mut variant_segments) = (Vec::new(), Vec::new(), Vec::new());
        let mut variant = |variant: &Variant| VariantTerms {
            id: variant.id,
            secure: is_secure(&variant.markup),
            segments: Span::append(&mut variant_segments, variant.segments.iter().copied()),
        };
        let mut creative = |creative: &Creative| CreativeTerms {
            id: creative.id,
            size: creative.size,
            variants: Span::append(&mut variants, creative.variants.iter().map(&mut variant)),
        };
        let terms = campaigns.iter().map(|campaign| Terms {
            id: campaign.id,
            advertiser: campaign.advertiser.id,
            flight: campaign.flight,
            domain: domains.insert([campaign.advertiser.domain.as_str()]),
            categories: categories.insert(campaign.advertiser.categories.iter().map(|name| name.as_str())),
            currency: currencies.partition_point(|currency| *currency < campaign.advertiser.currency) as u32,
            limits: Limits::of(&campaign.strategy),
            priced: Filter::new(campaign.strategy.segments.iter().map(|price| price.segment.0)),
            rules: Span::append(&mut rules, campaign.strategy.segments.iter().map(Rule::of)),
            caps: Span::append(&mut caps, campaign.caps.iter().copied()),
            creatives: Span::append(&mut creatives, campaign.creatives.iter().map(&mut creative)),
            caps_advertiser: campaign.caps_by(CapSubject::Advertiser),
            caps_segments: campaign.caps_by(CapSubject::EachSegment),
            is_paced: campaign.pacing.is_paced(),
            is_measured: campaign.experiment.is_some(),
            excludes_a_segment: campaign.targeting.excludes_a_segment(),
            when_audience_unknown: campaign.when_audience_unknown,
        });
        Self {
            version,
            rates,
            terms: terms.collect(),
            priced_segments: rules.iter().map(|rule| rule.segment).collect(),
            rules,
            caps,
            creatives,
            variants,
            variant_segments,
            matcher: Matcher::new(&requirements(&campaigns), campaigns.len()),
            domains: domains.build(),
            categories: categories.build(),
            currencies,
            keeps: Keeps::of(&campaigns),
            campaigns,
        }
    }

    /// The offset of the last record in the index.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// What prices and floors are converted by.
    pub fn rates(&self) -> &Rates {
        &self.rates
    }

    /// Every campaign by ascending id: its place here is its [`Slot`].
    pub fn campaigns(&self) -> &[Campaign] {
        &self.campaigns
    }

    /// The campaign in a slot of this index.
    pub fn campaign(&self, slot: Slot) -> &Campaign {
        &self.campaigns[slot.0 as usize]
    }

    /// The slot of a campaign, if it is in the index.
    pub fn slot_of(&self, campaign: CampaignId) -> Option<Slot> {
        self.campaigns.binary_search_by_key(&campaign, |c| c.id).ok().map(|at| Slot(at as u32))
    }

    /// How many impressions like that of `offer` have to be remembered, for whichever campaign has a cap that counts it. For a
    /// ghost bid only the caps of its own campaign matter: [`Keep::of`].
    pub fn keep(&self, offer: &Offer) -> Keep {
        self.keeps.keep(offer.slot, offer.segment)
    }

    /// Every variant of every creative in the order of campaigns, with its `variant_slot`: 0, 1, 2, …
    pub fn variants(&self) -> impl Iterator<Item = (u32, &Campaign, &Creative, &Variant)> {
        let creatives =
            self.campaigns.iter().flat_map(|campaign| campaign.creatives.iter().map(move |c| (campaign, c)));
        let variants = creatives.flat_map(|(campaign, c)| c.variants.iter().map(move |variant| (campaign, c, variant)));
        variants.zip(0..).map(|((campaign, creative, variant), slot)| (slot, campaign, creative, variant))
    }

    /// How many variants there are.
    pub fn variant_count(&self) -> usize {
        self.variants.len()
    }
}

/// What the campaigns require, each requirement once with the slots of those that make it. That an impression can be
/// filled in the size of a creative is a requirement too.
fn requirements(campaigns: &[Campaign]) -> BTreeMap<Conjunction, Vec<u32>> {
    let mut requirements: BTreeMap<Conjunction, Vec<u32>> = BTreeMap::new();
    for (slot, campaign) in (0..).zip(campaigns) {
        let mut sizes: Vec<Fact> = campaign.creatives.iter().map(|creative| Fact::Size(creative.size)).collect();
        sizes.sort_unstable();
        sizes.dedup();
        for mut alternative in conjunction::alternatives(&campaign.targeting, usize::MAX).unwrap_or_default() {
            alternative.require_any_of(sizes.clone());
            requirements.entry(alternative).or_default().push(slot);
        }
    }
    requirements
}

/// Whether everything that `markup` loads is loaded over https.
fn is_secure(markup: &str) -> bool {
    !markup.as_bytes().windows(7).any(|bytes| bytes.eq_ignore_ascii_case(b"http://"))
}

#[cfg(test)]
mod tests;
