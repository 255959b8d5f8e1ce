//! Reads the impressions of a bid request.

use bumpalo::Bump;
use bumpalo::collections::Vec;
use decision::ids::Currency;
use decision::money::Nanos;
use decision::opportunity::Opportunity;
use decision::privacy::Flag;
use decision::targeting::Size;

use super::super::Imp;
use super::values::{currency, flag, id, id_of, list_in, positive, present, usd};
use crate::exchange::json::{JsonError, Reader, Shape, Value, number};
use crate::limits::{DEALS_MAX, IMPS_MAX, SIZES_MAX};

/// The impressions that can be bid on, and in the same order what they offer.
pub(in crate::exchange::request) struct Imps<'a> {
    pub(in crate::exchange::request) imps: Vec<'a, Imp<'a>>,
    pub(in crate::exchange::request) opportunities: Vec<'a, Opportunity<'a>>,
    /// Whether two of them have the same id.
    pub(in crate::exchange::request) repeated: bool,
}

/// Reads `imp`; `None` where it is no array. Those past [`IMPS_MAX`] are left unanswered.
pub(super) fn imps<'a>(json: &mut Reader<'a>, arena: &'a Bump) -> Result<Option<Imps<'a>>, JsonError> {
    let mut read = Imps { imps: list_in(arena), opportunities: Vec::new_in(arena), repeated: false };
    let shape = json.array(|json| {
        if let Some((imp, opportunity)) = imp(json, arena)?
            && read.imps.len() < IMPS_MAX
        {
            read.repeated |= read.imps.iter().any(|earlier| earlier.id.text == imp.id.text);
            read.imps.push(imp);
            read.opportunities.push(opportunity);
        }
        Ok(())
    })?;
    Ok((shape == Shape::Wanted).then_some(read))
}

/// Reads one impression; `None` where it has no id.
fn imp<'a>(json: &mut Reader<'a>, arena: &'a Bump) -> Result<Option<(Imp<'a>, Opportunity<'a>)>, JsonError> {
    let mut imp = Imp::default();
    let mut imp_id = None;
    let mut offer =
        Opportunity { sizes: &[], floor: Nanos::ZERO, floor_currency: usd(), secure: false, private_auction: false };
    json.object(|json, key| {
        match key {
            b"id" => imp_id = id(json, arena)?,
            b"banner" => offer.sizes = banner(json, arena)?,
            b"bidfloor" => offer.floor = floor(json)?,
            b"bidfloorcur" => offer.floor_currency = floor_currency(json)?,
            b"secure" => offer.secure = demanded(json)?,
            b"pmp" => (offer.private_auction, imp.deals) = pmp(json, arena)?,
            b"instl" => imp.interstitial = flag(json)? == Flag::On,
            b"exp" => imp.exp_s = positive(json)?,
            b"video" => imp.video = present(json)?,
            b"audio" => imp.audio = present(json)?,
            b"native" => imp.native = present(json)?,
            _ => json.skip()?,
        }
        Ok(())
    })?;
    Ok(imp_id.map(|id| (Imp { id, ..imp }, offer)))
}

/// The sizes of a banner: those of `format`, or where it has none we can read, `w` and `h`.
fn banner<'a>(json: &mut Reader<'a>, arena: &'a Bump) -> Result<&'a [Size], JsonError> {
    let mut formats = list_in(arena);
    let (mut w, mut h) = (None, None);
    json.object(|json, key| {
        match key {
            b"w" => w = pixels(json)?,
            b"h" => h = pixels(json)?,
            b"format" => {
                formats.clear();
                json.array(|json| format(json, &mut formats))?;
            }
            _ => json.skip()?,
        }
        Ok(())
    })?;
    if let (true, Some(w), Some(h)) = (formats.is_empty(), w, h) {
        formats.push(Size { w, h });
    }
    Ok(formats.into_bump_slice())
}

fn format(json: &mut Reader<'_>, formats: &mut Vec<'_, Size>) -> Result<(), JsonError> {
    let (mut w, mut h) = (None, None);
    json.object(|json, key| {
        match key {
            b"w" => w = pixels(json)?,
            b"h" => h = pixels(json)?,
            _ => json.skip()?,
        }
        Ok(())
    })?;
    if let Some((w, h)) = w.zip(h)
        && formats.len() < SIZES_MAX
        && !formats.contains(&Size { w, h })
    {
        formats.push(Size { w, h });
    }
    Ok(())
}

fn pixels(json: &mut Reader<'_>) -> Result<Option<u16>, JsonError> {
    Ok(positive(json)?.and_then(|pixels| u16::try_from(pixels).ok()))
}

/// The floor of a CPM price; nothing reaches one that cannot be read. An empty text is none.
fn floor(json: &mut Reader<'_>) -> Result<Nanos, JsonError> {
    Ok(match json.value()? {
        Value::Null => Nanos::ZERO,
        Value::Text(text) if text.raw.is_empty() => Nanos::ZERO,
        value => number::read(value, Nanos::parse_cpm_up).unwrap_or(Nanos::MAX).max(Nanos::ZERO),
    })
}

fn floor_currency(json: &mut Reader<'_>) -> Result<Option<Currency>, JsonError> {
    Ok(match json.value()? {
        Value::Null => usd(),
        Value::Text(text) if text.raw.is_empty() => usd(),
        value => currency(value),
    })
}

/// Whether there is a demand: one that cannot be read is one.
fn demanded(json: &mut Reader<'_>) -> Result<bool, JsonError> {
    Ok(matches!(flag(json)?, Flag::On | Flag::Unreadable))
}

/// Whether only deals may be used, and the ids of those with one.
fn pmp<'a>(json: &mut Reader<'a>, arena: &'a Bump) -> Result<(bool, &'a [&'a str]), JsonError> {
    let mut private = false;
    let mut deals = list_in(arena);
    json.object(|json, key| {
        match key {
            b"private_auction" => private = demanded(json)?,
            b"deals" => {
                deals.clear();
                json.array(|json| {
                    let deal = id_of(json, arena)?;
                    if !deal.is_empty() && deals.len() < DEALS_MAX {
                        deals.push(deal);
                    }
                    Ok(())
                })?;
            }
            _ => json.skip()?,
        }
        Ok(())
    })?;
    Ok((private, deals.into_bump_slice()))
}
