//! Reads the person of a bid request, and the privacy signals.

use bumpalo::Bump;
use bumpalo::collections::Vec;
use decision::privacy::Flag;

use super::super::{Eid, Regs, Sections, Signal, User};
use super::values::{flag, id_of, list_in, list_signal, text, text_signal};
use crate::exchange::json::{JsonError, Reader, Shape};
use crate::limits::PERSON_IDS_MAX;

pub(super) fn user<'a>(json: &mut Reader<'a>, arena: &'a Bump) -> Result<User<'a>, JsonError> {
    let mut user = User::default();
    let mut ext = User::default();
    let mut eids = None;
    let shape = json.object(|json, key| {
        match key {
            b"id" => user.id = text(json, arena)?,
            b"buyeruid" => user.buyeruid = text(json, arena)?,
            b"consent" => user.consent = text_signal(json)?,
            b"eids" => eids = Some(self::eids(json, arena)?),
            b"ext" => ext = user_ext(json, arena)?,
            _ => json.skip()?,
        }
        Ok(())
    })?;
    user.consent = match (user.consent, ext.consent) {
        _ if shape == Shape::Other => Signal::Unreadable,
        (Signal::Unreadable, _) | (_, Signal::Unreadable) => Signal::Unreadable,
        (Signal::Absent, other) | (other, _) => other,
    };
    let mut eids = eids.unwrap_or_else(|| list_in(arena));
    ext.eids.iter().for_each(|eid| add_eid(&mut eids, *eid));
    user.eids = eids.into_bump_slice();
    Ok(user)
}

/// The places of 2.5: what 2.6 has in `user` itself.
fn user_ext<'a>(json: &mut Reader<'a>, arena: &'a Bump) -> Result<User<'a>, JsonError> {
    let mut ext = User::default();
    let shape = json.object(|json, key| {
        match key {
            b"consent" => ext.consent = text_signal(json)?,
            b"eids" => ext.eids = eids(json, arena)?.into_bump_slice(),
            _ => json.skip()?,
        }
        Ok(())
    })?;
    if shape == Shape::Other {
        ext.consent = Signal::Unreadable;
    }
    Ok(ext)
}

fn eids<'a>(json: &mut Reader<'a>, arena: &'a Bump) -> Result<Vec<'a, Eid<'a>>, JsonError> {
    let mut eids = list_in(arena);
    json.array(|json| {
        let mut source = "";
        let mut ids = list_in(arena);
        json.object(|json, key| {
            match key {
                b"source" => source = text(json, arena)?,
                b"uids" => {
                    ids.clear();
                    json.array(|json| {
                        let id = id_of(json, arena)?;
                        if !id.is_empty() && ids.len() < PERSON_IDS_MAX {
                            ids.push(id);
                        }
                        Ok(())
                    })?;
                }
                _ => json.skip()?,
            }
            Ok(())
        })?;
        ids.iter().for_each(|id| add_eid(&mut eids, Eid { source, id }));
        Ok(())
    })?;
    Ok(eids)
}

fn add_eid<'a>(eids: &mut Vec<'a, Eid<'a>>, eid: Eid<'a>) {
    if !eid.source.is_empty() && eids.len() < PERSON_IDS_MAX && !eids.contains(&eid) {
        eids.push(eid);
    }
}

pub(super) fn regs(json: &mut Reader<'_>) -> Result<Regs, JsonError> {
    let mut regs = Regs::default();
    let shape = json.object(|json, key| {
        match key {
            b"coppa" => regs.coppa = flag(json)?,
            b"ext" => regs.ext = sections(json)?,
            _ => section(json, key, &mut regs.here)?,
        }
        Ok(())
    })?;
    if shape == Shape::Other {
        regs = Regs { coppa: Flag::Unreadable, here: Sections::UNREADABLE, ext: Sections::UNREADABLE };
    }
    Ok(regs)
}

fn sections(json: &mut Reader<'_>) -> Result<Sections, JsonError> {
    let mut sections = Sections::default();
    let shape = json.object(|json, key| section(json, key, &mut sections))?;
    Ok(if shape == Shape::Other { Sections::UNREADABLE } else { sections })
}

fn section(json: &mut Reader<'_>, key: &[u8], sections: &mut Sections) -> Result<(), JsonError> {
    match key {
        b"gpc" => sections.gpc = flag(json)?,
        b"gdpr" => sections.gdpr = flag(json)?,
        b"gpp" => sections.gpp = text_signal(json)?,
        b"gpp_sid" => sections.gpp_sid = list_signal(json)?,
        b"us_privacy" => sections.us_privacy = text_signal(json)?,
        _ => json.skip()?,
    }
    Ok(())
}
