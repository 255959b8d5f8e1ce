//! What a manager edits: a campaign, first as a draft that may be wrong in many ways, then as a checked value.

use alloc::string::String;
use alloc::vec::Vec;

use crate::ids::{AdvertiserId, CampaignId, CreativeId, Currency, SegmentId, VariantId};
use crate::money::Nanos;
use crate::targeting::{Size, Targeting};
use crate::time::{LocalTime, Micros};

mod check;

pub use check::{DraftProblem, limits};

/// A checked campaign: everything that decides and bills can rely on what stands here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Campaign {
    /// Its number.
    pub id: CampaignId,
    /// Its name in campaign files and reports.
    pub name: String,
    /// Who pays.
    pub advertiser: Advertiser,
    /// When it may bid.
    pub flight: Flight,
    /// How much it may spend, in the advertiser's currency.
    pub budget: Budget,
    /// How it spreads its budget.
    pub pacing: Pacing,
    /// The clock that its days go by.
    pub local_time: LocalTime,
    /// Whom and where it wants to reach.
    pub targeting: Targeting,
    /// What to do where memberships or caps cannot be known.
    pub when_audience_unknown: WhenAudienceUnknown,
    /// What it pays for whom.
    pub strategy: Strategy,
    /// How often one person may see it. Each one must hold.
    pub caps: Vec<FrequencyCap>,
    /// What is shown. Never empty.
    pub creatives: Vec<Creative>,
    /// The experiment that measures it, if any.
    pub experiment: Option<Experiment>,
}

impl Campaign {
    /// Whether there is a cap that counts by `subject`.
    pub fn caps_by(&self, subject: CapSubject) -> bool {
        self.caps.iter().any(|cap| cap.scope == subject)
    }
}

/// Who pays, as far as a bid has to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Advertiser {
    /// Its number.
    pub id: AdvertiserId,
    /// Its name in campaign files and reports.
    pub name: String,
    /// The currency of its prices and budgets.
    pub currency: Currency,
    /// The domain that exchanges show and block by (`adomain`), lower case.
    pub domain: String,
    /// Content categories of its advertisements (`cat`, IAB content taxonomy 1.0), matched against `bcat`.
    pub categories: Vec<String>,
}

/// From when (inclusive) until when (exclusive) a campaign may bid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flight {
    /// The first moment.
    pub from: Micros,
    /// The first moment after the end.
    pub until: Micros,
}

/// The most a campaign may spend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// In one day of the campaign's clock.
    pub daily: Nanos,
    /// Over the whole flight.
    pub total: Nanos,
}

/// How a campaign spreads its budget over the day and the flight.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pacing {
    /// As fast as its prices buy.
    #[default]
    Asap,
    /// In proportion to the traffic.
    Even,
    /// The same, with more of it early in the day.
    FrontLoaded,
}

impl Pacing {
    /// Whether prices are multiplied so that the budget lasts.
    pub const fn is_paced(self) -> bool {
        !matches!(self, Self::Asap)
    }
}

/// What a campaign that needs memberships or caps does where the look-up was late, failed or not permitted.
/// A campaign that *excludes* a segment never bids then, whatever stands here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WhenAudienceUnknown {
    /// It does not bid.
    #[default]
    NoBid,
    /// It bids its default price as if the person qualified and had seen nothing.
    Bid,
}

/// What a campaign pays for whom. All prices are gross: what the advertiser pays for an impression, media, fees and margin
/// together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Strategy {
    /// The price of an impression (CPM) for people in none of the segments below; `None`: no bid for them.
    pub default_cpm: Option<Nanos>,
    /// The least it offers: lower prices are raised to it.
    pub min_cpm: Nanos,
    /// The most it offers: higher prices are lowered to it.
    pub max_cpm: Nanos,
    /// What of its prices stays with us, in millionths of gross; below 1,000,000.
    pub margin_ppm: u32,
    /// Prices by micro-segment. The first one whose segment the person is in applies.
    pub segments: Vec<SegmentPrice>,
}

/// The price for people in one micro-segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SegmentPrice {
    /// The micro-segment.
    pub segment: SegmentId,
    /// How the price is found.
    pub price: PriceRule,
    /// The least it offers for this segment; the campaign's limits hold as well.
    pub min_cpm: Option<Nanos>,
    /// The most it offers for this segment; the campaign's limits hold as well.
    pub max_cpm: Option<Nanos>,
    /// What of the price goes to whom the data is of.
    pub data_cpm: Nanos,
}

/// How a price is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PriceRule {
    /// This CPM.
    Fixed(Nanos),
    /// The default CPM times this many millionths.
    Multiplier(u32),
}

/// At most `count` impressions in any `window_s` seconds for one person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrequencyCap {
    /// What is counted.
    pub scope: CapSubject,
    /// The most impressions, 1 to 64.
    pub count: u8,
    /// The rolling window in seconds, one minute to thirty days.
    pub window_s: u32,
}

/// What a frequency cap counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CapSubject {
    /// Impressions of the whole campaign.
    Campaign,
    /// Impressions of each creative by itself.
    EachCreative,
    /// Impressions of all campaigns of the advertiser, with such a cap or without.
    Advertiser,
    /// Impressions that were bought for the micro-segment that sets the price, by whichever campaign: each segment by
    /// itself. At the default price there is no such segment, so the cap does not hold.
    EachSegment,
}

/// One advertisement in one size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Creative {
    /// Its number.
    pub id: CreativeId,
    /// Its name in campaign files and reports.
    pub name: String,
    /// Its size.
    pub size: Size,
    /// Its wordings. Never empty. The first one whose segments the person is in is shown, else the first one that
    /// names no segments.
    pub variants: Vec<Variant>,
}

/// One wording or picture of a creative.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variant {
    /// Its number.
    pub id: VariantId,
    /// Its name in campaign files and reports.
    pub name: String,
    /// Shown to people in any of these segments; empty: to everyone.
    pub segments: Vec<SegmentId>,
    /// HTML with the macro `${CLICK_URL}` where the click leads through us, and `${VIEW_URL}` where the view is
    /// reported (a pixel is added where it is left out).
    pub markup: String,
    /// Where a click ends, http or https.
    pub landing_url: String,
}

/// An experiment: people are split by a salted hash, and those held out get ghost bids only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Experiment {
    /// Its name in reports.
    pub name: String,
    /// What the hash is salted with; experiments with different salts split people independently.
    pub salt: u64,
    /// The share of people held out, in millionths.
    pub holdout_ppm: u32,
}

/// A campaign as it came from outside: every field may be wrong. [`Campaign::try_from`] reports all that is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CampaignDraft {
    /// Becomes [`Campaign::id`].
    pub id: u32,
    /// Becomes [`Campaign::name`].
    pub name: String,
    /// Becomes [`Campaign::advertiser`].
    pub advertiser: AdvertiserDraft,
    /// Flight start, microseconds since 1970.
    pub from: i64,
    /// Flight end (exclusive), microseconds since 1970.
    pub until: i64,
    /// Daily budget in nanos.
    pub daily_budget: i64,
    /// Total budget in nanos.
    pub total_budget: i64,
    /// Becomes [`Campaign::pacing`].
    pub pacing: Pacing,
    /// Becomes [`Campaign::local_time`].
    pub local_time: LocalTime,
    /// Becomes [`Campaign::targeting`]; `None`: everyone.
    pub targeting: Option<Targeting>,
    /// Becomes [`Campaign::when_audience_unknown`].
    pub when_audience_unknown: WhenAudienceUnknown,
    /// Default CPM in micros; `None`: only people in a priced segment are bid for.
    pub default_cpm: Option<i64>,
    /// Least CPM in micros.
    pub min_cpm: i64,
    /// Largest CPM in micros.
    pub max_cpm: i64,
    /// Becomes [`Strategy::margin_ppm`].
    pub margin_ppm: u32,
    /// Becomes [`Strategy::segments`].
    pub segments: Vec<SegmentPrice>,
    /// Becomes [`Campaign::caps`]: subject, count, window in seconds.
    pub caps: Vec<(CapSubject, u32, u32)>,
    /// Becomes [`Campaign::creatives`].
    pub creatives: Vec<CreativeDraft>,
    /// Becomes [`Campaign::experiment`].
    pub experiment: Option<Experiment>,
}

/// An advertiser as it came from outside.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AdvertiserDraft {
    /// Becomes [`Advertiser::id`].
    pub id: u32,
    /// Becomes [`Advertiser::name`].
    pub name: String,
    /// Becomes [`Advertiser::currency`].
    pub currency: String,
    /// Becomes [`Advertiser::domain`].
    pub domain: String,
    /// Becomes [`Advertiser::categories`].
    pub categories: Vec<String>,
}

/// A creative as it came from outside.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CreativeDraft {
    /// Becomes [`Creative::id`].
    pub id: u32,
    /// Becomes [`Creative::name`].
    pub name: String,
    /// Width of [`Creative::size`].
    pub w: u32,
    /// Height of [`Creative::size`].
    pub h: u32,
    /// Becomes [`Creative::variants`].
    pub variants: Vec<Variant>,
}

#[cfg(test)]
pub(crate) mod tests;
