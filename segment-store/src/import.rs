//! Import of memberships: one JSON object a line, each a membership of one person.
//!
//! ```json
//! {"user": "f47ac10b", "segment": "cart-abandoned-24h", "until": "2026-12-01T00:00:00Z", "confidence": 0.9}
//! {"ids": ["f47ac10b", "ios:9c1b"], "segment": "high-value", "until": 1796083200}
//! ```
//! Either `user`, one id, or `ids`, all that are known of the person. `until` is RFC 3339 or seconds since 1970, and
//! `confidence` 0 to 1, which is the default. Of two lines for the same person and segment the later one holds.

use std::fmt;

use decision::ids::{IdHash, SegmentId};
use decision::profile::Membership;
use decision::time::{Micros, Seconds};
use serde::{Deserialize, Deserializer};

use crate::id_hash::IdHasher;
use crate::limits::{IDS_MAX, IMPORT_ID_BYTES_MAX, IMPORT_LINE_BYTES_MAX, IMPORT_SEGMENT_BYTES_MAX};

/// Finds a segment by its name.
pub type SegmentNames = dyn Fn(&str) -> Option<SegmentId> + Send + Sync;

/// A line that was understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Imported {
    /// The person's ids.
    pub ids: Vec<IdHash>,
    /// What they become.
    pub membership: Membership,
}

/// Why a line is left out, in words for whoever made the file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Problem(String);

/// Reads one line, without its end and the white space around it.
///
/// # Errors
/// [`Problem`]: the first thing that is wrong with it.
pub fn parse(line: &[u8], hasher: &IdHasher, segments: &SegmentNames, now: Micros) -> Result<Imported, Problem> {
    // A list would be read as the fields in their order.
    if !line.starts_with(b"{") {
        return problem("not a JSON object");
    }
    let draft: Draft = serde_json::from_slice(line).map_err(|error| {
        // The document is one line of a file whose lines have other numbers.
        Problem(error.to_string().replace(" at line 1 column ", " at column "))
    })?;
    let ids = match (draft.user, draft.ids) {
        (Some(user), None) => vec![user],
        (None, Some(ids)) => ids,
        (Some(_), Some(_)) => return problem("both `user` and `ids`: one of them names the person"),
        (None, None) => return problem("missing field `user` (or `ids`)"),
    };
    if ids.is_empty() || ids.len() > IDS_MAX {
        return problem(format!("`ids` has {} entries, must have 1 to {IDS_MAX}", ids.len()));
    }
    if let Some(id) = ids.iter().find(|id| id.is_empty() || id.len() > IMPORT_ID_BYTES_MAX) {
        return problem(format!("an id has {} bytes, must have 1 to {IMPORT_ID_BYTES_MAX}", id.len()));
    }
    if draft.segment.len() > IMPORT_SEGMENT_BYTES_MAX {
        return problem(format!("a segment's name has at most {IMPORT_SEGMENT_BYTES_MAX} bytes"));
    }
    let Some(segment) = segments(&draft.segment) else {
        return problem(format!("unknown segment {:?}", draft.segment));
    };
    let Until(until) = draft.until;
    if until <= now.seconds() {
        return problem("`until` has passed");
    }
    let confidence = draft.confidence.unwrap_or(1.0);
    if !(0.0..=1.0).contains(&confidence) {
        return problem(format!("`confidence` is {confidence}, must be 0 to 1"));
    }
    let confidence = (confidence * 100.0).round() as u8;
    let ids = ids.iter().map(|id| hasher.hash(&[id])).collect();
    Ok(Imported { ids, membership: Membership { segment, until, confidence } })
}

fn problem<T>(text: impl Into<String>) -> Result<T, Problem> {
    Err(Problem(text.into()))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Draft {
    user: Option<String>,
    ids: Option<Vec<String>>,
    segment: String,
    until: Until,
    confidence: Option<f64>,
}

struct Until(Seconds);

impl<'de> Deserialize<'de> for Until {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(UntilVisitor).map(Self)
    }
}

struct UntilVisitor;

impl serde::de::Visitor<'_> for UntilVisitor {
    type Value = Seconds;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an RFC 3339 time or whole seconds since 1970, before 2106")
    }

    fn visit_u64<E: serde::de::Error>(self, seconds: u64) -> Result<Seconds, E> {
        let unexpected = serde::de::Unexpected::Unsigned(seconds);
        u32::try_from(seconds).map(Seconds).map_err(|_| E::invalid_value(unexpected, &self))
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Seconds, E> {
        let time = text.parse().ok().and_then(|time: jiff::Timestamp| u32::try_from(time.as_second()).ok());
        time.map(Seconds).ok_or_else(|| E::invalid_value(serde::de::Unexpected::Str(text), &self))
    }
}

/// Cuts a stream of bytes into numbered lines and never holds more than the longest that is allowed.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    line: Vec<u8>,
    number: u64,
    too_long: bool,
    /// `line` was given out.
    complete: bool,
}

/// A line's number, from 1, and the line without its end.
pub(crate) type Numbered<'a> = (u64, Result<&'a [u8], Problem>);

impl Lines {
    /// The number of lines given out.
    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    /// The next line, or `None` once all of `chunk` was taken in.
    pub(crate) fn next(&mut self, chunk: &mut &[u8]) -> Option<Numbered<'_>> {
        if std::mem::take(&mut self.complete) {
            self.line.clear();
            self.too_long = false;
        }
        let (part, rest) = match chunk.iter().position(|byte| *byte == b'\n') {
            Some(end) => (&chunk[..end], Some(&chunk[end + 1..])),
            None => (*chunk, None),
        };
        self.too_long |= self.line.len() + part.len() > IMPORT_LINE_BYTES_MAX;
        if !self.too_long {
            self.line.extend_from_slice(part);
        }
        *chunk = rest.unwrap_or_default();
        rest.map(|_| self.give())
    }

    /// What stands after the last line end, if anything does.
    pub(crate) fn last(&mut self) -> Option<Numbered<'_>> {
        let more = !self.complete && (self.too_long || !self.line.is_empty());
        more.then(|| self.give())
    }

    fn give(&mut self) -> Numbered<'_> {
        self.number += 1;
        self.complete = true;
        let too_long = || problem(format!("a line has at most {IMPORT_LINE_BYTES_MAX} bytes"));
        (self.number, if self.too_long { too_long() } else { Ok(&self.line) })
    }
}

#[cfg(test)]
mod tests;
