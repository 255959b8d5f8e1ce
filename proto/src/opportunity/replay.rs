//! A recorded bid request, owned, so that it can be decided again.

use std::collections::BTreeMap;

use decision::decide::BidRequest;
use decision::ids::{CampaignId, Country, Currency, ExchangeName, Label, PersonKey, Region, SegmentId};
use decision::money::{Nanos, ONE_PPM, Rate, Rates};
use decision::opportunity::{Context, Opportunity};
use decision::profile::{Audience, Impression, Membership, Profile, UnknownWhy};
use decision::targeting::{DeviceType, Size};
use decision::time::{Micros, Seconds};
use thiserror::Error;

use crate::campaign::size;
use crate::{ids, wire};

/// A recorded bid request: with the campaigns of its index version, everything that `decide` is given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replay {
    /// When the request was accepted.
    pub now: Micros,
    /// The seed it was decided with.
    pub seed: u64,
    /// The revision of the campaigns that decided.
    pub index_version: u64,
    /// The rates that the index was compiled with.
    pub rates: Rates,
    /// Campaigns that were stopped without a recompile.
    pub stopped: Vec<CampaignId>,
    /// What prices of paced campaigns were multiplied by, in millionths; those not here: by 1,000,000.
    pub paces: BTreeMap<CampaignId, u32>,
    /// What the lease was asked and answered, in order.
    pub reserves: Vec<Reserved>,
    place: Place,
    opportunities: Vec<Offered>,
    audience: Result<Known, UnknownWhy>,
}

/// A reservation that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reserved {
    /// For which campaign.
    pub campaign: CampaignId,
    /// How much, in the campaign's currency.
    pub amount: Nanos,
    /// Whether the lease had it.
    pub granted: bool,
}

/// A part of a record, by its name in the schema, that has no meaning here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("`{0}` cannot be read")]
pub struct Unreadable(pub &'static str);

/// [`Context`], owned.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Place {
    exchange: ExchangeName,
    country: Option<Country>,
    region: Option<Region>,
    device: DeviceType,
    currencies: Vec<Currency>,
    exchange_fee_ppm: u32,
    blocked_domains: Vec<String>,
    blocked_categories: Vec<String>,
}

/// [`Opportunity`], owned.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Offered {
    sizes: Vec<Size>,
    floor: Nanos,
    floor_currency: Option<Currency>,
    secure: bool,
    private_auction: bool,
}

/// [`Profile`], owned.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Known {
    person: PersonKey,
    memberships: Vec<Membership>,
    impressions: Vec<Impression>,
}

impl Replay {
    /// Lends the request as it was decided.
    pub fn with_request<T>(&self, use_request: impl FnOnce(&BidRequest<'_>) -> T) -> T {
        let blocked_domains: Vec<&str> = self.place.blocked_domains.iter().map(String::as_str).collect();
        let blocked_categories: Vec<&str> = self.place.blocked_categories.iter().map(String::as_str).collect();
        let context = Context {
            exchange: self.place.exchange,
            country: self.place.country,
            region: self.place.region,
            device: self.place.device,
            currencies: &self.place.currencies,
            exchange_fee_ppm: self.place.exchange_fee_ppm,
            blocked_domains: &blocked_domains,
            blocked_categories: &blocked_categories,
        };
        let opportunities: Vec<Opportunity<'_>> = self.opportunities.iter().map(Offered::lend).collect();
        let audience = match &self.audience {
            Ok(known) => Audience::Known(known.lend()),
            Err(why) => Audience::Unknown(*why),
        };
        use_request(&BidRequest {
            context: &context,
            opportunities: &opportunities,
            audience,
            now: self.now,
            seed: self.seed,
        })
    }
}

impl Offered {
    fn lend(&self) -> Opportunity<'_> {
        Opportunity {
            sizes: &self.sizes,
            floor: self.floor,
            floor_currency: self.floor_currency,
            secure: self.secure,
            private_auction: self.private_auction,
        }
    }
}

impl Known {
    fn lend(&self) -> Profile<'_> {
        Profile { person: self.person, memberships: &self.memberships, impressions: &self.impressions }
    }
}

// === From the wire, which is not trusted ===

impl TryFrom<&wire::OpportunityRecord> for Replay {
    type Error = Unreadable;

    /// Names the first part that cannot be read.
    fn try_from(wire: &wire::OpportunityRecord) -> Result<Self, Unreadable> {
        let context = wire.context.as_ref().ok_or(Unreadable("context"))?;
        let audience = wire.audience.as_ref().ok_or(Unreadable("audience"))?;
        Ok(Self {
            now: Micros(wire.at),
            seed: wire.seed,
            index_version: wire.index_version,
            rates: Rates::new(wire.rates.iter().map(rate).collect::<Result<Vec<_>, _>>()?),
            stopped: wire.stopped_campaigns.iter().copied().map(CampaignId).collect(),
            paces: wire.paces.iter().map(|pace| (CampaignId(pace.campaign), pace.multiplier_ppm)).collect(),
            reserves: wire.reserves.iter().map(reserved).collect(),
            place: place(context)?,
            opportunities: wire.opportunities.iter().map(offered).collect::<Result<_, _>>()?,
            audience: known(audience, &wire.person)?,
        })
    }
}

fn rate(wire: &wire::CurrencyRate) -> Result<(Currency, Rate), Unreadable> {
    Currency::new(&wire.currency).zip(Rate::new(wire.usd)).ok_or(Unreadable("rates"))
}

fn reserved(wire: &wire::ReserveAnswer) -> Reserved {
    Reserved { campaign: CampaignId(wire.campaign), amount: Nanos::new(wire.amount), granted: wire.granted }
}

fn place(wire: &wire::Context) -> Result<Place, Unreadable> {
    let exchange_fee_ppm = Some(wire.exchange_fee_ppm).filter(|ppm| *ppm <= ONE_PPM);
    let currencies = wire.currencies.iter().map(|text| Currency::new(text)).collect::<Option<Vec<_>>>();
    Ok(Place {
        exchange: ExchangeName::new(&wire.exchange).ok_or(Unreadable("context.exchange"))?,
        country: label(&wire.country, "context.country")?,
        region: label(&wire.region, "context.region")?,
        device: ids::device(wire.device),
        currencies: currencies.filter(|list| !list.is_empty()).ok_or(Unreadable("context.currencies"))?,
        exchange_fee_ppm: exchange_fee_ppm.ok_or(Unreadable("context.exchange_fee_ppm"))?,
        blocked_domains: wire.blocked_domains.clone(),
        blocked_categories: wire.blocked_categories.clone(),
    })
}

/// A label that may be absent.
fn label<const N: usize>(text: &str, name: &'static str) -> Result<Option<Label<N>>, Unreadable> {
    if text.is_empty() { Ok(None) } else { Label::new(text).map(Some).ok_or(Unreadable(name)) }
}

fn offered(wire: &wire::Opportunity) -> Result<Offered, Unreadable> {
    Ok(Offered {
        sizes: wire.sizes.iter().map(size).collect::<Option<_>>().ok_or(Unreadable("opportunities.sizes"))?,
        floor: Nanos::of_one_impression(wire.floor),
        floor_currency: label(&wire.floor_currency, "opportunities.floor_currency")?,
        secure: wire.secure,
        private_auction: wire.private_auction,
    })
}

fn known(wire: &wire::Audience, person: &[u8]) -> Result<Result<Known, UnknownWhy>, Unreadable> {
    if let Some(why) = ids::unknown_why(wire.unknown).ok_or(Unreadable("audience.unknown"))? {
        return Ok(Err(why));
    }
    let person = if person.is_empty() { Some(PersonKey::default()) } else { ids::person(person) };
    let memberships = wire.memberships.iter().map(membership).collect::<Option<Vec<_>>>();
    let impressions = wire.impressions.iter().map(impression).collect::<Option<Vec<_>>>();
    // A profile is searched, so its order is part of its meaning.
    let ascending = |list: &Vec<Membership>| list.is_sorted_by(|a, b| a.segment < b.segment);
    let newest_first = |list: &Vec<Impression>| list.is_sorted_by(|a, b| (a.scope, b.at) <= (b.scope, a.at));
    Ok(Ok(Known {
        person: person.ok_or(Unreadable("person"))?,
        memberships: memberships.filter(ascending).ok_or(Unreadable("audience.memberships"))?,
        impressions: impressions.filter(newest_first).ok_or(Unreadable("audience.impressions"))?,
    }))
}

fn membership(wire: &wire::Membership) -> Option<Membership> {
    let confidence = u8::try_from(wire.confidence).ok()?;
    Some(Membership { segment: SegmentId(wire.segment), until: Seconds(wire.until), confidence })
}

fn impression(wire: &wire::SeenImpression) -> Option<Impression> {
    Some(Impression { scope: ids::scope(wire.subject, wire.id, wire.ghost_of)?, at: Seconds(wire.at) })
}
