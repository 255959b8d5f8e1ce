//! The view of a bid request: the fields we use, from their OpenRTB 2.5 and 2.6 places.
//!
//! Exchanges are read with tolerance (OpenRTB 2.6 section 2.6): unknown fields and enum values are left out or kept as
//! "other", numbers may be floats or quoted, null is absent, and an optional field of a wrong type is absent. Three
//! things are not read with tolerance, since a mistake there costs a person or a publisher: privacy signals, block lists
//! and floors. Of members that occur twice the last one counts.

use bumpalo::Bump;
use decision::opportunity::{Context, Opportunity};
use decision::privacy::{Flag, Permit};

use crate::exchange::dialect::{Auction, Dialect};
use crate::exchange::json::{JsonError, Reader, Shape};
use crate::limits::{PERSON_IDS_MAX, REQUEST_BUFFER_BYTES_KEPT, TMAX_MS_MAX};

mod read;

use read::Fields;

/// Room for what a view needs besides the body: lists, and texts that had to be decoded. One for each request in flight,
/// used again and again; nothing is allocated once it has grown to the size of its requests.
#[derive(Debug, Default)]
pub struct RequestBuffer(Bump);

/// A bid request, or what we use of it. Texts are decoded, and empty where the request has none.
#[derive(Clone, Debug)]
pub struct BidRequest<'a> {
    /// Its id.
    pub id: Id<'a>,
    /// What is the same for each of its impressions.
    pub context: Context<'a>,
    /// The impressions that can be bid on: each has an id that none before it has.
    pub imps: &'a [Imp<'a>],
    /// What they offer, in the same order.
    pub opportunities: &'a [Opportunity<'a>],
    /// Why there is nothing to bid on, if that is so: `imps` is empty then.
    pub unbiddable: Option<Unbiddable>,
    /// How the auction sets its price.
    pub auction: Auction,
    /// The milliseconds until the exchange stops waiting, network included.
    pub tmax_ms: u32,
    /// Whether it is a test that nobody is billed for.
    pub test: bool,
    /// The website, if it is one.
    pub site: Place<'a>,
    /// The application, if it is one.
    pub app: Place<'a>,
    /// The device.
    pub device: Device<'a>,
    /// The person.
    pub user: User<'a>,
    /// The privacy signals.
    pub regs: Regs,
    /// The seats that may bid (`wseat`); none: all may.
    pub wanted_seats: &'a [&'a str],
    /// The seats that may not bid (`bseat`).
    pub blocked_seats: &'a [&'a str],
    user_ids_ours: bool,
}

/// An id of the exchange's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Id<'a> {
    /// What stands between the quotes of its JSON token, to be echoed byte by byte.
    pub json: &'a str,
    /// What it says.
    pub text: &'a str,
}

/// What of one `imp` is not in its [`Opportunity`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Imp<'a> {
    /// Its id.
    pub id: Id<'a>,
    /// Whether it covers the screen (`instl`).
    pub interstitial: bool,
    /// The seconds that may pass between auction and impression (`exp`).
    pub exp_s: Option<u32>,
    /// Whether a video may fill it.
    pub video: bool,
    /// Whether audio may fill it.
    pub audio: bool,
    /// Whether a native advertisement may fill it.
    pub native: bool,
    /// The ids of its deals (`pmp.deals.id`).
    pub deals: &'a [&'a str],
}

/// A website or an application.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Place<'a> {
    /// `id`, the exchange's.
    pub id: &'a str,
    /// `domain`.
    pub domain: &'a str,
    /// `bundle`, of an application.
    pub bundle: &'a str,
    /// `page`, of a website.
    pub page: &'a str,
    /// `publisher.id`.
    pub publisher: &'a str,
}

/// What is said of a device, apart from what is in the [`Context`].
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Device<'a> {
    /// `ua`.
    pub user_agent: &'a str,
    /// `ip`.
    pub ip: &'a str,
    /// `ipv6`.
    pub ipv6: &'a str,
    /// `ifa` in lower case; empty where it is all zeros, as devices that limit tracking send it.
    pub ifa: &'a str,
    /// `language`.
    pub language: &'a str,
    /// `os`.
    pub os: &'a str,
    /// `geo.lat` and `geo.lon` in degrees.
    pub position: Option<(f64, f64)>,
    /// `lmt`; unreadable where `device` is no object. (`dnt` is obsolete and not looked at.)
    pub limit_ad_tracking: Flag,
}

/// What is said of a person.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct User<'a> {
    /// `id`: the exchange's name for the person.
    pub id: &'a str,
    /// `buyeruid`: ours.
    pub buyeruid: &'a str,
    /// `eids` of 2.6, then those of 2.5 (`ext.eids`), each once, none of them with an empty part.
    pub eids: &'a [Eid<'a>],
    /// `consent` or `ext.consent`; unreadable where something that can hold it is no object.
    pub consent: Signal,
}

/// What a third party calls a person.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Eid<'a> {
    /// The third party.
    pub source: &'a str,
    /// Its name for the person.
    pub id: &'a str,
}

/// The privacy signals of `regs`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Regs {
    /// `coppa`.
    pub coppa: Flag,
    /// Those of 2.6: in `regs` itself.
    pub here: Sections,
    /// Those of 2.5: in `regs.ext`.
    pub ext: Sections,
}

/// The privacy signals that moved from `regs.ext` to `regs`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sections {
    /// `gpc`.
    pub gpc: Flag,
    /// `gdpr`.
    pub gdpr: Flag,
    /// `gpp`.
    pub gpp: Signal,
    /// `gpp_sid`.
    pub gpp_sid: Signal,
    /// `us_privacy`.
    pub us_privacy: Signal,
}

/// A privacy signal whose value is not decoded here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Signal {
    /// Not there, or null.
    #[default]
    Absent,
    /// There.
    Present,
    /// There, but not the kind of value that OpenRTB has there.
    Unreadable,
}

impl Signal {
    /// Whether there is something other than null.
    pub fn is_there(self) -> bool {
        self != Self::Absent
    }
}

impl Sections {
    /// What stands for a place that should hold signals and is no object.
    const UNREADABLE: Self = Self {
        gpc: Flag::Unreadable,
        gdpr: Flag::Unreadable,
        gpp: Signal::Unreadable,
        gpp_sid: Signal::Unreadable,
        us_privacy: Signal::Unreadable,
    };

    fn unreadable(&self) -> bool {
        let flags = [self.gpc, self.gdpr].contains(&Flag::Unreadable);
        flags || [self.gpp, self.gpp_sid, self.us_privacy].contains(&Signal::Unreadable)
    }
}

/// Why something is no bid request. It is answered with 400 (OpenRTB 2.6 section 2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum NotABidRequest {
    /// It is not JSON in UTF-8.
    NotJson,
    /// It nests too deep to be read.
    TooDeep,
    /// It is JSON, and no object.
    NotAnObject,
    /// It has no array `imp`.
    NoImp,
}

impl NotABidRequest {
    /// The name in metrics and explanations.
    pub const fn label(self) -> &'static str {
        match self {
            Self::NotJson => "not_json",
            Self::TooDeep => "too_deep",
            Self::NotAnObject => "not_an_object",
            Self::NoImp => "no_imp",
        }
    }
}

impl From<JsonError> for NotABidRequest {
    fn from(error: JsonError) -> Self {
        match error {
            JsonError::Syntax => Self::NotJson,
            JsonError::TooDeep => Self::TooDeep,
        }
    }
}

/// Why nothing in a bid request can be bid on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Unbiddable {
    /// It has no id that an answer could name.
    NoId,
    /// None of its impressions has an id.
    NoImp,
    /// It names currencies (`cur`), none of them one we can read.
    NoCurrency,
    /// Two of its impressions have the same id: which one an answer means could not be told.
    RepeatedImp,
    /// What is blocked, or who may bid, cannot be told: the list is no list, or longer than we read.
    UnreadableList,
    /// What the person allows cannot be told: a privacy signal is not the kind of value that OpenRTB has there.
    UnreadablePrivacy,
}

impl Unbiddable {
    /// The name in metrics and explanations.
    pub const fn label(self) -> &'static str {
        match self {
            Self::NoId => "no_request_id",
            Self::NoImp => "no_imp_id",
            Self::NoCurrency => "no_currency",
            Self::RepeatedImp => "repeated_imp_id",
            Self::UnreadableList => "unreadable_list",
            Self::UnreadablePrivacy => "unreadable_privacy",
        }
    }
}

impl RequestBuffer {
    /// Reads `body`, a bid request of the exchange that speaks `dialect`.
    ///
    /// # Errors
    /// Where `body` is no bid request.
    pub fn read<'a>(&'a mut self, body: &'a [u8], dialect: &Dialect) -> Result<BidRequest<'a>, NotABidRequest> {
        // One odd request must not hold its memory forever.
        if self.0.allocated_bytes() > REQUEST_BUFFER_BYTES_KEPT {
            self.0 = Bump::new();
        }
        self.0.reset();
        let text = std::str::from_utf8(body).map_err(|_| NotABidRequest::NotJson)?;
        let mut json = Reader::new(text);
        let mut fields = Fields::new(&self.0);
        let shape = fields.read(&mut json)?;
        json.end()?;
        match shape {
            Shape::Wanted => fields.view(dialect),
            Shape::Null | Shape::Other => Err(NotABidRequest::NotAnObject),
        }
    }
}

impl<'a> Fields<'a> {
    /// The view of what was read.
    fn view(mut self, dialect: &Dialect) -> Result<BidRequest<'a>, NotABidRequest> {
        let imps = self.imps.take().ok_or(NotABidRequest::NoImp)?;
        let unbiddable = self.unbiddable(&imps);
        let (imps, opportunities) = match unbiddable {
            Some(_) => (&[][..], &mut [][..]),
            None => (imps.imps.into_bump_slice(), imps.opportunities.into_bump_slice_mut()),
        };
        for opportunity in &mut *opportunities {
            opportunity.secure |= dialect.secure_required;
        }
        Ok(BidRequest {
            id: self.id.unwrap_or_default(),
            context: Context {
                exchange: dialect.name,
                country: self.device.geo.country,
                region: self.device.geo.region,
                device: self.device.kind,
                currencies: self.listed_currencies(),
                exchange_fee_ppm: dialect.fee_ppm,
                blocked_domains: self.blocked_domains.texts,
                blocked_categories: self.blocked_categories.texts,
            },
            imps,
            opportunities,
            unbiddable,
            auction: self.auction.unwrap_or(dialect.auction),
            tmax_ms: self.tmax_ms.unwrap_or(dialect.tmax_default_ms).min(TMAX_MS_MAX),
            test: self.test,
            site: self.site,
            app: self.app,
            device: self.device.device,
            user: self.user,
            regs: self.regs,
            wanted_seats: self.wanted_seats.texts,
            blocked_seats: self.blocked_seats.texts,
            user_ids_ours: dialect.user_ids_ours,
        })
    }
}

impl BidRequest<'_> {
    /// The ids of the person, those we trust most first, at most [`PERSON_IDS_MAX`]; none where `permit` forbids it. Each
    /// one is the text that its parts make one after the other: `buyeruid`, `ifa` and our own `user.id` as they are,
    /// another `user.id` behind the exchange's name, an extended id behind its source.
    pub fn person_ids(&self, permit: &Permit) -> impl Iterator<Item = [&str; 3]> {
        let user = ["", "", self.user.id];
        let foreign = [self.context.exchange.as_str(), "/", self.user.id];
        let plain = [["", "", self.user.buyeruid], ["", "", self.device.ifa]];
        let named = [if self.user_ids_ours { user } else { foreign }];
        let extended = self.user.eids.iter().map(|eid| [eid.source, "/", eid.id]);
        let permitted = if permit.ids() { PERSON_IDS_MAX } else { 0 };
        let ids = plain.into_iter().chain(named).chain(extended);
        ids.filter(|[.., id]| !id.is_empty()).take(permitted)
    }

    /// Whether `seat` may bid (`wseat`, `bseat`).
    pub fn seat_allowed(&self, seat: &str) -> bool {
        let wanted = self.wanted_seats.is_empty() || self.wanted_seats.contains(&seat);
        wanted && !self.blocked_seats.contains(&seat)
    }
}

#[cfg(test)]
mod tests;
