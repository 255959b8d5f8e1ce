//! What a decision can be: a bid, or one reason why not.

use crate::campaign::Campaign;
use crate::ids::{AdvertiserId, CampaignId, CreativeId, Currency, SegmentId, VariantId};
use crate::money::{Fees, Nanos, Rate};
use crate::profile::CapScope;
use crate::targeting::{Fact, Size};

/// A campaign's place in the index of one revision: dense, from zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slot(pub u32);

/// What becomes of one opportunity.
#[derive(Debug, PartialEq, Eq)]
pub enum Decision {
    /// An offer, with money set aside for it.
    Bid(Bid),
    /// No offer.
    NoBid(NoBidReason),
}

/// An offer for one opportunity.
#[derive(Debug, PartialEq, Eq)]
pub struct Bid {
    /// What is offered, and why.
    pub offer: Offer,
    /// What the offer was computed from, for streams.
    pub grounds: Grounds,
    /// The money set aside.
    pub reservation: Reservation,
}

/// The bid that a held-out person would have got: logged, not sent. It holds no money, and of the caps it uses up only those
/// that hold for later ghost bids of the campaign, as if it had been shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ghost {
    /// The opportunity, by its place in the request.
    pub imp: usize,
    /// What would have been offered.
    pub offer: Offer,
    /// What the offer was computed from, for streams.
    pub grounds: Grounds,
}

/// What an offer was computed from. The counts of its frequency caps are read through
/// [`Evidence::caps`](crate::decide::Evidence::caps).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grounds {
    /// How the price came about.
    pub price: PriceSteps,
    pub(crate) caps: u32,
}

/// How far a frequency cap was used up when an offer was made, the offer not counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CapCount {
    /// What is counted; for a ghost bid, with the ghost bids before it.
    pub subject: CapScope,
    /// The rolling window in seconds.
    pub window_s: u32,
    /// Impressions and bids in it.
    pub count: u32,
    /// The most that the cap allows.
    pub limit: u32,
}

/// What a campaign offers for an opportunity: a bid, or for a held-out person a ghost bid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offer {
    /// The campaign's place in the index.
    pub slot: Slot,
    /// The campaign.
    pub campaign: CampaignId,
    /// Who pays.
    pub advertiser: AdvertiserId,
    /// The creative.
    pub creative: CreativeId,
    /// The variant of the creative.
    pub variant: VariantId,
    /// Which variant of the index's render table this is: dense, from zero.
    pub variant_slot: u32,
    /// The size of the creative.
    pub size: Size,
    /// The price of the impression in the currency of the bid: net, what the exchange is offered.
    pub price: Nanos,
    /// The currency of the bid.
    pub currency: Currency,
    /// How many units of the bid's currency buy one unit of the campaign's.
    pub rate: Rate,
    /// The price of the impression in the campaign's currency: gross, the most that the advertiser pays for it.
    pub campaign_price: Nanos,
    /// What is charged besides the price.
    pub fees: Fees,
    /// The micro-segment that set the price; `None`: the default price.
    pub segment: Option<SegmentId>,
    /// The arm of the campaign's experiment.
    pub arm: Arm,
}

/// Which side of an experiment a person is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Arm {
    /// The campaign has no experiment, or the person has no key to split by.
    None,
    /// Bids are sent.
    Treated,
    /// Bids are logged as ghost bids and not sent.
    HeldOut,
}

impl Arm {
    /// The name in streams and reports.
    pub const fn label(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Treated => "treated",
            Self::HeldOut => "held_out",
        }
    }
}

/// Proof that money was set aside: a [`Bid`] cannot be built without one, and only a decision makes one.
#[must_use = "settle or release a reservation, or the money is lost to the campaign"]
#[derive(Debug, PartialEq, Eq)]
pub struct Reservation {
    slot: Slot,
    amount: Nanos,
}

impl Reservation {
    /// What the caller of a decision has just set aside.
    pub(crate) fn new(slot: Slot, amount: Nanos) -> Self {
        Self { slot, amount }
    }

    /// The campaign's place in the index.
    pub fn slot(&self) -> Slot {
        self.slot
    }

    /// The amount in the campaign's currency.
    pub fn amount(&self) -> Nanos {
        self.amount
    }
}

/// Declares the reasons with their names in metrics, streams and explanations, each once.
macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident = $label:literal, $code:literal;)*) => {
        /// Why there is no bid, or why a campaign does not compete for an opportunity.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum NoBidReason { $($(#[$doc])* $name,)* }

        impl NoBidReason {
            /// Every reason, in the order in which a campaign is checked.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The name in metrics and explanations.
            pub const fn label(self) -> &'static str {
                match self { $(Self::$name => $label,)* }
            }

            /// The number in streams, fixed forever.
            pub const fn code(self) -> u32 {
                match self { $(Self::$name => $code,)* }
            }

            /// The reason of a number in streams.
            pub fn of_code(code: u32) -> Option<Self> {
                Self::ALL.iter().copied().find(|reason| reason.code() == code)
            }
        }
    };
}

reasons! {
    /// The impression asks for no banner, or in no size we can read.
    NoBanner = "no_banner", 1;
    /// Only deals may be used, and we have none.
    PrivateAuction = "private_auction", 2;
    /// None of the currencies that bids may be in is one we have a rate for, or the campaign's own is not.
    Currency = "currency", 3;
    /// The floor is in a currency we have no rate for.
    FloorCurrency = "floor_currency", 4;
    /// No campaign matches the request and the person.
    NoEligibleCampaign = "no_eligible_campaign", 5;
    /// The campaign was stopped.
    Stopped = "stopped", 6;
    /// The campaign's flight has not begun or is over.
    NotInFlight = "not_in_flight", 7;
    /// The targeting expression is false.
    Targeting = "targeting", 8;
    /// Memberships or caps are needed and cannot be known, and the campaign does not bid then.
    AudienceUnknown = "audience_unknown", 9;
    /// The publisher blocks the advertiser's domain.
    BlockedDomain = "blocked_domain", 10;
    /// The publisher blocks one of the advertiser's categories.
    BlockedCategory = "blocked_category", 11;
    /// A frequency cap on all campaigns of the advertiser is reached.
    AdvertiserCap = "advertiser_cap", 22;
    /// The campaign's frequency cap is reached.
    CampaignCap = "campaign_cap", 15;
    /// The strategy has no price for this person.
    NoPrice = "no_price", 17;
    /// The frequency cap on what the micro-segment that set the price buys is reached.
    SegmentCap = "segment_cap", 23;
    /// What is offered is below the floor, or nothing: also where fees leave nothing of the price.
    BelowFloor = "below_floor", 18;
    /// Pacing has taken the price below the least the campaign offers, and it was not this request's turn.
    Paced = "paced", 24;
    /// No creative has a size that fits.
    NoCreativeOfSize = "no_creative_of_size", 12;
    /// Every creative that fits needs http where https is required.
    NotSecure = "not_secure", 13;
    /// No creative that fits has a variant for this person.
    NoVariant = "no_variant", 14;
    /// The frequency cap of every creative that fits is reached.
    CreativeCap = "creative_cap", 16;
    /// The person is held out of the campaign by its experiment: the bid is logged and not sent.
    HeldOut = "held_out", 19;
    /// This node has no money lent for the campaign, or not enough.
    NoLease = "no_lease", 20;
    /// Another campaign of ours bids more.
    Outbid = "outbid", 21;
}

/// How a price came about, for streams and explanations: CPM prices in the campaign's currency, gross up to pacing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PriceSteps {
    /// The segment whose rule applied; `None`: the default price.
    pub segment: Option<SegmentId>,
    /// The default price, where there is one.
    pub default_cpm: Option<Nanos>,
    /// What the rule gave.
    pub ruled_cpm: Nanos,
    /// After the limits of the segment and the campaign.
    pub limited_cpm: Nanos,
    /// What pacing multiplies it by, in millionths; 1,000,000: not paced.
    pub pace_ppm: u32,
    /// After pacing: never above [`Self::limited_cpm`], nor below the least that the limits allow.
    pub paced_cpm: Nanos,
    /// What is charged besides media.
    pub fees: Fees,
    /// What they leave of the paced price: net. Zero or less: nothing.
    pub media_cpm: Nanos,
    /// After conversion to the currency of the bid.
    pub bid_cpm: Nanos,
}

/// Watches a decision being made. The hot path passes [`Silent`], which costs nothing.
pub trait Trace {
    /// Whether campaigns that the index rules out are to be explained one by one.
    const EXPLAINS: bool;

    /// A fact keeps a campaign's targeting from being true: it had to hold (`wanted`), or had to be absent. All of them
    /// are named before the campaign is refused for [`NoBidReason::Targeting`].
    fn missed(&mut self, _imp: usize, _campaign: &Campaign, _fact: Fact, _wanted: bool) {}

    /// A campaign does not get the opportunity (the imp's place in the request).
    fn refused(&mut self, imp: usize, campaign: &Campaign, reason: NoBidReason);

    /// A price was found for a campaign.
    fn priced(&mut self, imp: usize, campaign: &Campaign, steps: PriceSteps);
}

/// Watches nothing.
pub struct Silent;

impl Trace for Silent {
    const EXPLAINS: bool = false;
    fn refused(&mut self, _: usize, _: &Campaign, _: NoBidReason) {}
    fn priced(&mut self, _: usize, _: &Campaign, _: PriceSteps) {}
}
