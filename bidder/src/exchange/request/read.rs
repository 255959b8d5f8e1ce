//! Reads the objects of a bid request.
//!
//! Each function reads one object from nothing, so that an object that occurs twice counts as the last one alone.

use bumpalo::Bump;
use decision::ids::{Country, Currency, Region};
use decision::privacy::Flag;
use decision::targeting::DeviceType;

use super::{Device, Id, Place, Regs, Sections, Signal, Unbiddable, User};
use crate::exchange::dialect::Auction;
use crate::exchange::json::{JsonError, Reader, Shape, number};

mod imp;
mod person;
mod values;

use imp::{Imps, imps};
use person::{regs, user};
use values::{List, currencies, flag, id, id_of, ifa, list, positive, region, text, upper, usd};

/// What was read of a request.
pub(super) struct Fields<'a> {
    arena: &'a Bump,
    pub(super) id: Option<Id<'a>>,
    pub(super) imps: Option<Imps<'a>>,
    /// The currencies we can read, where some are named.
    pub(super) currencies: Option<&'a [Currency]>,
    pub(super) blocked_domains: List<'a>,
    pub(super) blocked_categories: List<'a>,
    pub(super) wanted_seats: List<'a>,
    pub(super) blocked_seats: List<'a>,
    pub(super) auction: Option<Auction>,
    pub(super) tmax_ms: Option<u32>,
    pub(super) test: bool,
    pub(super) site: Place<'a>,
    pub(super) app: Place<'a>,
    pub(super) device: DeviceFields<'a>,
    pub(super) user: User<'a>,
    pub(super) regs: Regs,
}

/// What was read of `device`.
#[derive(Default)]
pub(super) struct DeviceFields<'a> {
    pub(super) device: Device<'a>,
    pub(super) kind: DeviceType,
    pub(super) geo: Geo,
}

/// What was read of `device.geo`.
#[derive(Default)]
pub(super) struct Geo {
    pub(super) country: Option<Country>,
    pub(super) region: Option<Region>,
    position: Option<(f64, f64)>,
}

impl<'a> Fields<'a> {
    pub(super) fn new(arena: &'a Bump) -> Self {
        Self {
            arena,
            id: None,
            imps: None,
            currencies: None,
            blocked_domains: List::default(),
            blocked_categories: List::default(),
            wanted_seats: List::default(),
            blocked_seats: List::default(),
            auction: None,
            tmax_ms: None,
            test: false,
            site: Place::default(),
            app: Place::default(),
            device: DeviceFields::default(),
            user: User::default(),
            regs: Regs::default(),
        }
    }

    /// Reads a whole request.
    pub(super) fn read(&mut self, json: &mut Reader<'a>) -> Result<Shape, JsonError> {
        let arena = self.arena;
        json.object(|json, key| {
            match key {
                b"id" => self.id = id(json, arena)?,
                b"imp" => self.imps = imps(json, arena)?,
                b"site" => self.site = place(json, arena)?,
                b"app" => self.app = place(json, arena)?,
                b"device" => self.device = device(json, arena)?,
                b"user" => self.user = user(json, arena)?,
                b"regs" => self.regs = regs(json)?,
                b"cur" => self.currencies = currencies(json, arena)?,
                b"badv" => self.blocked_domains = list(json, arena)?,
                b"bcat" => self.blocked_categories = list(json, arena)?,
                b"wseat" => self.wanted_seats = list(json, arena)?,
                b"bseat" => self.blocked_seats = list(json, arena)?,
                b"at" => self.auction = number::whole(json.value()?).map(auction),
                b"tmax" => self.tmax_ms = positive(json)?,
                b"test" => self.test = flag(json)? == Flag::On,
                _ => json.skip()?,
            }
            Ok(())
        })
    }

    /// Why nothing can be bid on in a request with `imps`, if nothing can.
    pub(super) fn unbiddable(&self, imps: &Imps<'_>) -> Option<Unbiddable> {
        if self.id.is_none() {
            Some(Unbiddable::NoId)
        } else if imps.imps.is_empty() {
            Some(Unbiddable::NoImp)
        } else if imps.repeated {
            Some(Unbiddable::RepeatedImp)
        } else if self.currencies.is_some_and(<[_]>::is_empty) {
            Some(Unbiddable::NoCurrency)
        } else if self.lists().iter().any(|list| list.unreadable) {
            Some(Unbiddable::UnreadableList)
        } else if self.privacy_unreadable() {
            Some(Unbiddable::UnreadablePrivacy)
        } else {
            None
        }
    }

    fn privacy_unreadable(&self) -> bool {
        let flags = [self.regs.coppa, self.device.device.limit_ad_tracking];
        let sections = [self.regs.here, self.regs.ext];
        flags.contains(&Flag::Unreadable)
            || sections.iter().any(Sections::unreadable)
            || self.user.consent == Signal::Unreadable
    }

    /// Every list that must be read whole.
    fn lists(&self) -> [List<'a>; 4] {
        [self.blocked_domains, self.blocked_categories, self.wanted_seats, self.blocked_seats]
    }

    /// The currencies that bids may be in. Those of a request that names none: `USD` (`cur`; also the default of
    /// `imp.bidfloorcur`).
    pub(super) fn listed_currencies(&self) -> &'a [Currency] {
        self.currencies.unwrap_or_else(|| self.arena.alloc_slice_fill_iter(usd()))
    }
}

fn auction(at: i64) -> Auction {
    match at {
        1 => Auction::First,
        2 => Auction::Second,
        _ => Auction::Other,
    }
}

fn place<'a>(json: &mut Reader<'a>, arena: &'a Bump) -> Result<Place<'a>, JsonError> {
    let mut place = Place::default();
    json.object(|json, key| {
        match key {
            b"id" => place.id = text(json, arena)?,
            b"domain" => place.domain = text(json, arena)?,
            b"bundle" => place.bundle = text(json, arena)?,
            b"page" => place.page = text(json, arena)?,
            b"publisher" => place.publisher = id_of(json, arena)?,
            _ => json.skip()?,
        }
        Ok(())
    })?;
    Ok(place)
}

fn device<'a>(json: &mut Reader<'a>, arena: &'a Bump) -> Result<DeviceFields<'a>, JsonError> {
    let mut fields = DeviceFields::default();
    let device = &mut fields.device;
    let shape = json.object(|json, key| {
        match key {
            b"ua" => device.user_agent = text(json, arena)?,
            b"ip" => device.ip = text(json, arena)?,
            b"ipv6" => device.ipv6 = text(json, arena)?,
            b"ifa" => device.ifa = ifa(text(json, arena)?, arena),
            b"language" => device.language = text(json, arena)?,
            b"os" => device.os = text(json, arena)?,
            b"lmt" => device.limit_ad_tracking = flag(json)?,
            b"devicetype" => {
                fields.kind = number::whole(json.value()?).map_or(DeviceType::Unknown, DeviceType::of_number)
            }
            b"geo" => fields.geo = geo(json)?,
            _ => json.skip()?,
        }
        Ok(())
    })?;
    device.position = fields.geo.position;
    if shape == Shape::Other {
        device.limit_ad_tracking = Flag::Unreadable;
    }
    Ok(fields)
}

fn geo(json: &mut Reader<'_>) -> Result<Geo, JsonError> {
    let mut geo = Geo::default();
    let (mut lat, mut lon) = (None, None);
    json.object(|json, key| {
        match key {
            b"country" => geo.country = upper(json.value()?),
            b"region" => geo.region = region(json.value()?),
            b"lat" => lat = number::float(json.value()?).filter(|lat| lat.abs() <= 90.0),
            b"lon" => lon = number::float(json.value()?).filter(|lon| lon.abs() <= 180.0),
            _ => json.skip()?,
        }
        Ok(())
    })?;
    geo.position = lat.zip(lon);
    Ok(geo)
}
