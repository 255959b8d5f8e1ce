//! The field of caps, written by whoever learns what became of an impression.
//!
//! ```text
//! 1 byte    version of this form: 1
//! varint    how many scopes; then for each, ascending:
//!   1 byte    0 campaign, 1 creative
//!   varint    its number
//!   1 byte    how many times its largest cap needs, 1 to 64
//!   1 byte    how many times follow, 1 to that
//!   4 bytes   the newest, seconds since 1970, little endian
//!   varint    for each older one: how much older than the one before
//! varint    how many impressions that can still change; then for each, by ascending key:
//!   8 bytes   the first half of the impression id, little endian
//!   1 byte    0 pending, 1 won, 2 released, 3 confirmed
//!   varint    campaign
//!   varint    creative
//!   1 byte    times that the campaign's largest cap needs, 0 to 64
//!   1 byte    times that the creatives' largest cap needs, 0 to 64
//!   4 bytes   until, seconds since 1970, little endian
//!   4 bytes   where confirmed: when it was billed
//! ```

use decision::ids::{CampaignId, CreativeId};
use decision::profile::{CapScope, Impression};
use decision::time::Seconds;

use super::Corrupt;
use super::bytes::{Reader, put_varint};
use crate::caps::{Caps, Keep, Open, State};
use crate::limits::{CAP_SCOPES_MAX, CAP_TIMES_MAX, OPEN_IMPRESSIONS_MAX};

const FORM: u8 = 1;

/// Appends the field to `out`.
pub(crate) fn encode(caps: &Caps, out: &mut Vec<u8>) {
    out.push(FORM);
    put_varint(out, caps.scopes.len() as u64);
    let mut times = caps.times.as_slice();
    for &(scope, keep) in &caps.scopes {
        let (kind, number) = match scope {
            CapScope::Campaign(campaign) => (0, campaign.0),
            CapScope::Creative(creative) => (1, creative.0),
        };
        let (own, rest) = times.split_at(times.partition_point(|time| time.scope <= scope));
        times = rest;
        out.push(kind);
        put_varint(out, number.into());
        out.extend([keep, own.len() as u8]);
        out.extend(own[0].at.0.to_le_bytes());
        own.windows(2).for_each(|pair| put_varint(out, (pair[0].at.0 - pair[1].at.0).into()));
    }
    put_varint(out, caps.open.len() as u64);
    for open in &caps.open {
        let (state, at) = match open.state {
            State::Pending => (0, None),
            State::Won => (1, None),
            State::Released => (2, None),
            State::Confirmed(at) => (3, Some(at)),
        };
        out.extend(open.key.to_le_bytes());
        out.push(state);
        put_varint(out, open.campaign.0.into());
        put_varint(out, open.creative.0.into());
        out.extend([open.keep.campaign, open.keep.creative]);
        out.extend(open.until.0.to_le_bytes());
        out.extend(at.into_iter().flat_map(|at: Seconds| at.0.to_le_bytes()));
    }
}

/// Reads the field into `caps`, whose former content goes. After an error it is in part filled.
pub(crate) fn decode(bytes: &[u8], caps: &mut Caps) -> Result<(), Corrupt> {
    caps.clear();
    let mut reader = Reader::new(bytes);
    if reader.u8()? != FORM {
        return Err(Corrupt);
    }
    for _ in 0..reader.count(CAP_SCOPES_MAX)? {
        scope(&mut reader, caps)?;
    }
    for _ in 0..reader.count(OPEN_IMPRESSIONS_MAX)? {
        let open = open(&mut reader)?;
        if caps.open.last().is_some_and(|before| before.key >= open.key) {
            return Err(Corrupt);
        }
        caps.open.push(open);
    }
    reader.end()
}

fn scope(reader: &mut Reader<'_>, caps: &mut Caps) -> Result<(), Corrupt> {
    let kind = reader.u8()?;
    let number = reader.varint_u32()?;
    let scope = match kind {
        0 => CapScope::Campaign(CampaignId(number)),
        1 => CapScope::Creative(CreativeId(number)),
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

fn open(reader: &mut Reader<'_>) -> Result<Open, Corrupt> {
    let key = reader.u64()?;
    let state = reader.u8()?;
    let campaign = CampaignId(reader.varint_u32()?);
    let creative = CreativeId(reader.varint_u32()?);
    let keep = Keep { campaign: reader.u8()?, creative: reader.u8()? };
    if usize::from(keep.campaign.max(keep.creative)) > CAP_TIMES_MAX {
        return Err(Corrupt);
    }
    let until = Seconds(reader.u32()?);
    let state = match state {
        0 => State::Pending,
        1 => State::Won,
        2 => State::Released,
        3 => State::Confirmed(Seconds(reader.u32()?)),
        _ => return Err(Corrupt),
    };
    Ok(Open { key, campaign, creative, keep, state, until })
}

#[cfg(test)]
mod tests;
