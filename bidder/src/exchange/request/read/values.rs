//! Reads the values that many fields of a bid request share.

use bumpalo::Bump;
use bumpalo::collections::{String, Vec};
use decision::ids::{Currency, Label, Region};
use decision::privacy::Flag;

use super::super::{Id, Signal};
use crate::exchange::json::{JsonError, Reader, Shape, Text, Value, number};
use crate::limits::{CURRENCIES_MAX, LISTED_MAX};

/// A list of texts. An element that is no text stands in it as an empty one.
#[derive(Clone, Copy, Default)]
pub(in crate::exchange::request) struct List<'a> {
    pub(in crate::exchange::request) texts: &'a [&'a str],
    /// It is no list, or longer than we read.
    pub(in crate::exchange::request) unreadable: bool,
}

/// The currency of bids and floors where none is named.
pub(super) fn usd() -> Option<Currency> {
    Currency::new("USD")
}

pub(super) fn currencies<'a>(json: &mut Reader<'a>, arena: &'a Bump) -> Result<Option<&'a [Currency]>, JsonError> {
    let mut currencies = list_in(arena);
    let mut named = false;
    let shape = json.array(|json| {
        named = true;
        if let Some(currency) = currency(json.value()?)
            && currencies.len() < CURRENCIES_MAX
        {
            currencies.push(currency);
        }
        Ok(())
    })?;
    Ok((named || shape == Shape::Other).then(|| currencies.into_bump_slice()))
}

pub(super) fn list<'a>(json: &mut Reader<'a>, arena: &'a Bump) -> Result<List<'a>, JsonError> {
    let mut texts = list_in(arena);
    let mut unreadable = false;
    let shape = json.array(|json| {
        let text = text(json, arena)?;
        if texts.len() < LISTED_MAX {
            texts.push(text);
        } else {
            unreadable = true;
        }
        Ok(())
    })?;
    Ok(List { texts: texts.into_bump_slice(), unreadable: unreadable || shape == Shape::Other })
}

/// A new list, with room for as many elements as most lists of a request have.
pub(super) fn list_in<T>(arena: &Bump) -> Vec<'_, T> {
    Vec::with_capacity_in(4, arena)
}

/// The `id` of an object; empty where it has none, or is none.
pub(super) fn id_of<'a>(json: &mut Reader<'a>, arena: &'a Bump) -> Result<&'a str, JsonError> {
    let mut id = "";
    json.object(|json, key| {
        match key {
            b"id" => id = text(json, arena)?,
            _ => json.skip()?,
        }
        Ok(())
    })?;
    Ok(id)
}

pub(super) fn id<'a>(json: &mut Reader<'a>, arena: &'a Bump) -> Result<Option<Id<'a>>, JsonError> {
    Ok(match json.value()? {
        Value::Text(text) => Some(Id { json: text.raw, text: decoded(&text, arena) }),
        _ => None,
    })
}

/// A text; empty where something else stands there.
pub(super) fn text<'a>(json: &mut Reader<'a>, arena: &'a Bump) -> Result<&'a str, JsonError> {
    Ok(match json.value()? {
        Value::Text(text) => decoded(&text, arena),
        _ => "",
    })
}

fn decoded<'a>(text: &Text<'a>, arena: &'a Bump) -> &'a str {
    if text.escaped { decode(text, arena) } else { text.raw }
}

#[cold]
fn decode<'a>(text: &Text<'a>, arena: &'a Bump) -> &'a str {
    // Decoded text is never longer than its escapes.
    let mut decoded = String::with_capacity_in(text.raw.len(), arena);
    decoded.extend(text.chars());
    decoded.into_bump_str()
}

/// An `ifa` as ids are compared: in lower case, and none where it is all zeros.
pub(super) fn ifa<'a>(text: &'a str, arena: &'a Bump) -> &'a str {
    if text.bytes().all(|byte| matches!(byte, b'0' | b'-')) {
        ""
    } else if text.bytes().any(|byte| byte.is_ascii_uppercase()) {
        let lower = arena.alloc_str(text);
        lower.make_ascii_lowercase();
        lower
    } else {
        text
    }
}

/// A yes-or-no signal: 0 or 1, also as a float or in quotes.
pub(super) fn flag(json: &mut Reader<'_>) -> Result<Flag, JsonError> {
    Ok(match json.value()? {
        Value::Null => Flag::Absent,
        value => match number::whole(value) {
            Some(0) => Flag::Off,
            Some(1) => Flag::On,
            _ => Flag::Unreadable,
        },
    })
}

/// A signal that is a text.
pub(super) fn text_signal(json: &mut Reader<'_>) -> Result<Signal, JsonError> {
    Ok(match json.value()? {
        Value::Null => Signal::Absent,
        Value::Text(_) => Signal::Present,
        _ => Signal::Unreadable,
    })
}

/// A signal that is a list.
pub(super) fn list_signal(json: &mut Reader<'_>) -> Result<Signal, JsonError> {
    Ok(match json.array(Reader::skip)? {
        Shape::Null => Signal::Absent,
        Shape::Wanted => Signal::Present,
        Shape::Other => Signal::Unreadable,
    })
}

/// A whole number above zero.
pub(super) fn positive(json: &mut Reader<'_>) -> Result<Option<u32>, JsonError> {
    let number = number::whole(json.value()?).filter(|number| *number > 0);
    Ok(number.map(|number| u32::try_from(number).unwrap_or(u32::MAX)))
}

/// Whether there is something other than null.
pub(super) fn present(json: &mut Reader<'_>) -> Result<bool, JsonError> {
    Ok(json.value()? != Value::Null)
}

/// A currency code: three letters, taken in upper case.
pub(super) fn currency(value: Value<'_>) -> Option<Currency> {
    upper(value).filter(|currency: &Currency| {
        let code = currency.as_str();
        code.len() == 3 && code.bytes().all(|byte| byte.is_ascii_uppercase())
    })
}

/// A short code such as a country's, taken in upper case.
pub(super) fn upper<const N: usize>(value: Value<'_>) -> Option<Label<N>> {
    let Value::Text(text) = value else { return None };
    let mut room = [0; N];
    let code = text.short(&mut room)?;
    let mut upper = [0; N];
    let upper = upper.get_mut(..code.len())?;
    upper.copy_from_slice(code.as_bytes());
    upper.make_ascii_uppercase();
    Label::new(std::str::from_utf8(upper).ok()?)
}

/// A part of a country. ISO 3166-2 writes `US-CA`, most exchanges `CA`: the country is left out.
pub(super) fn region(value: Value<'_>) -> Option<Region> {
    let region: Region = upper(value)?;
    match region.as_str().as_bytes() {
        [a, b, b'-', ..] if a.is_ascii_uppercase() && b.is_ascii_uppercase() => Region::new(&region.as_str()[3..]),
        _ => Some(region),
    }
}
