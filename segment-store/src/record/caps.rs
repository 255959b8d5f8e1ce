//! The field of caps, written by whoever learns what became of an impression.
//!
//! ```text
//! 1 byte    version of this form: 1, or 2 where something stands here that only that form has (*)
//! varint    how many scopes; then for each, ascending:
//!   1 byte    0 campaign, 1 creative; 2 advertiser*, 3 segment*; ghost bids*: 4 of a campaign, of which 5 of a creative,
//!             6 for a segment
//!   varint    its number; of 4 to 6 that of the campaign
//!   varint    of 5 and 6: the number of the creative or segment
//!   1 byte    how many times its largest cap needs, 1 to 64
//!   1 byte    how many times follow, 1 to that
//!   4 bytes   the newest, seconds since 1970, little endian
//!   varint    for each older one: how much older than the one before
//! varint    how many impressions that can still change; then for each, by ascending key:
//!   8 bytes   the first half of the impression id, little endian
//!   1 byte    0 pending, 1 won, 2 released, 3 confirmed; 4 more for a ghost bid*
//!   varint    campaign
//!   varint    creative
//!   1 byte    times that the campaign's largest cap needs, 0 to 64
//!   1 byte    times that the creatives' largest cap needs, 0 to 64
//!   1 byte*   times that the advertiser's largest cap needs, 0 to 64; in form 2 only
//!   varint*   where that is above 0: advertiser
//!   1 byte*   times that the segment's largest cap needs, 0 to 64; in form 2 only
//!   varint*   where that is above 0: segment
//!   4 bytes   until, seconds since 1970, little endian
//!   4 bytes   where confirmed: when it was billed
//! ```

use decision::ids::{AdvertiserId, CampaignId, CreativeId, SegmentId};
use decision::profile::{CapScope, GhostScope, Impression, Keep};
use decision::time::Seconds;

use super::Corrupt;
use super::bytes::{Reader, put_varint};
use crate::caps::{Caps, Open, State};
use crate::limits::{CAP_SCOPES_MAX, CAP_TIMES_MAX, OPEN_IMPRESSIONS_MAX};

/// The form that older nodes read too. It is written wherever it suffices, so that a record has one form.
const PLAIN: u8 = 1;
/// The form for what not all nodes knew from the start.
const WIDE: u8 = 2;
/// Added to the state of a ghost bid.
const GHOST: u8 = 4;

/// The form that caps need.
fn form(caps: &Caps) -> u8 {
    let plain_scope = |(scope, _): &(CapScope, u8)| matches!(scope, CapScope::Campaign(_) | CapScope::Creative(_));
    let plain_open = |open: &Open| !open.ghost && (open.keep.advertiser, open.keep.segment) == (0, 0);
    if caps.scopes.iter().all(plain_scope) && caps.open.iter().all(plain_open) { PLAIN } else { WIDE }
}

/// The kind of a scope and its numbers.
fn parts(scope: CapScope) -> (u8, u32, Option<u32>) {
    match scope {
        CapScope::Campaign(campaign) => (0, campaign.0, None),
        CapScope::Creative(creative) => (1, creative.0, None),
        CapScope::Advertiser(advertiser) => (2, advertiser.0, None),
        CapScope::Segment(segment) => (3, segment.0, None),
        CapScope::Ghosts(campaign, GhostScope::Campaign) => (4, campaign.0, None),
        CapScope::Ghosts(campaign, GhostScope::Creative(creative)) => (5, campaign.0, Some(creative.0)),
        CapScope::Ghosts(campaign, GhostScope::Segment(segment)) => (6, campaign.0, Some(segment.0)),
    }
}

/// Appends the field to `out`.
pub(crate) fn encode(caps: &Caps, out: &mut Vec<u8>) {
    let form = form(caps);
    out.push(form);
    put_varint(out, caps.scopes.len() as u64);
    let mut times = caps.times.as_slice();
    for &(scope, keep) in &caps.scopes {
        let (kind, number, of) = parts(scope);
        let (own, rest) = times.split_at(times.partition_point(|time| time.scope <= scope));
        times = rest;
        out.push(kind);
        put_varint(out, number.into());
        of.into_iter().for_each(|number| put_varint(out, number.into()));
        out.extend([keep, own.len() as u8]);
        out.extend(own[0].at.0.to_le_bytes());
        own.windows(2).for_each(|pair| put_varint(out, (pair[0].at.0 - pair[1].at.0).into()));
    }
    put_varint(out, caps.open.len() as u64);
    caps.open.iter().for_each(|open| encode_open(open, form, out));
}

fn encode_open(open: &Open, form: u8, out: &mut Vec<u8>) {
    let (state, at) = match open.state {
        State::Pending => (0, None),
        State::Won => (1, None),
        State::Released => (2, None),
        State::Confirmed(at) => (3, Some(at)),
    };
    out.extend(open.key.to_le_bytes());
    out.push(if open.ghost { state + GHOST } else { state });
    put_varint(out, open.campaign.0.into());
    put_varint(out, open.creative.0.into());
    out.extend([open.keep.campaign, open.keep.creative]);
    if form == WIDE {
        for (keep, number) in [(open.keep.advertiser, open.advertiser.0), (open.keep.segment, open.segment.0)] {
            out.push(keep);
            if keep > 0 {
                put_varint(out, number.into());
            }
        }
    }
    out.extend(open.until.0.to_le_bytes());
    out.extend(at.into_iter().flat_map(|at: Seconds| at.0.to_le_bytes()));
}

/// Reads the field into `caps`, whose former content goes. After an error it is in part filled.
pub(crate) fn decode(bytes: &[u8], caps: &mut Caps) -> Result<(), Corrupt> {
    caps.clear();
    let mut reader = Reader::new(bytes);
    let form = reader.u8()?;
    if form != PLAIN && form != WIDE {
        return Err(Corrupt);
    }
    for _ in 0..reader.count(CAP_SCOPES_MAX)? {
        scope(&mut reader, caps)?;
    }
    for _ in 0..reader.count(OPEN_IMPRESSIONS_MAX)? {
        let open = open(&mut reader, form)?;
        if caps.open.last().is_some_and(|before| before.key >= open.key) {
            return Err(Corrupt);
        }
        caps.open.push(open);
    }
    // What form 1 can say is not said in form 2, and the other way round.
    if self::form(caps) != form {
        return Err(Corrupt);
    }
    reader.end()
}

fn scope(reader: &mut Reader<'_>, caps: &mut Caps) -> Result<(), Corrupt> {
    let kind = reader.u8()?;
    let number = reader.varint_u32()?;
    let scope = match kind {
        0 => CapScope::Campaign(CampaignId(number)),
        1 => CapScope::Creative(CreativeId(number)),
        2 => CapScope::Advertiser(AdvertiserId(number)),
        3 => CapScope::Segment(SegmentId(number)),
        4 => CapScope::Ghosts(CampaignId(number), GhostScope::Campaign),
        5 => CapScope::Ghosts(CampaignId(number), GhostScope::Creative(CreativeId(reader.varint_u32()?))),
        6 => CapScope::Ghosts(CampaignId(number), GhostScope::Segment(SegmentId(reader.varint_u32()?))),
        _ => return Err(Corrupt),
    };
    if caps.scopes.last().is_some_and(|(before, _)| *before >= scope) {
        return Err(Corrupt);
    }
    let [keep, count] = reader.array()?;
    if usize::from(keep) > CAP_TIMES_MAX || count == 0 || count > keep {
        return Err(Corrupt);
    }
    caps.scopes.push((scope, keep));
    let mut at = reader.u32()?;
    caps.times.push(Impression { scope, at: Seconds(at) });
    for _ in 1..count {
        at = at.checked_sub(reader.varint_u32()?).ok_or(Corrupt)?;
        caps.times.push(Impression { scope, at: Seconds(at) });
    }
    Ok(())
}

fn open(reader: &mut Reader<'_>, form: u8) -> Result<Open, Corrupt> {
    let key = reader.u64()?;
    let state = reader.u8()?;
    let ghost = form == WIDE && state >= GHOST;
    let campaign = CampaignId(reader.varint_u32()?);
    let creative = CreativeId(reader.varint_u32()?);
    let mut keep = Keep { campaign: reader.u8()?, creative: reader.u8()?, ..Keep::default() };
    let (mut advertiser, mut segment) = (0, 0);
    if form == WIDE {
        (keep.advertiser, advertiser) = numbered(reader)?;
        (keep.segment, segment) = numbered(reader)?;
    }
    if [keep.campaign, keep.creative, keep.advertiser, keep.segment].iter().any(|it| usize::from(*it) > CAP_TIMES_MAX) {
        return Err(Corrupt);
    }
    let until = Seconds(reader.u32()?);
    let state = match if ghost { state - GHOST } else { state } {
        0 => State::Pending,
        1 => State::Won,
        2 => State::Released,
        3 => State::Confirmed(Seconds(reader.u32()?)),
        _ => return Err(Corrupt),
    };
    let (advertiser, segment) = (AdvertiserId(advertiser), SegmentId(segment));
    Ok(Open { key, campaign, creative, advertiser, segment, ghost, keep, state, until })
}

/// How many times are needed, and where any are, the number of what they are needed of; else 0.
fn numbered(reader: &mut Reader<'_>) -> Result<(u8, u32), Corrupt> {
    let keep = reader.u8()?;
    Ok((keep, if keep > 0 { reader.varint_u32()? } else { 0 }))
}

#[cfg(test)]
mod tests;
