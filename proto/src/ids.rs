//! Ids and enumerations between the wire and the nouns.

use decision::campaign::{CapSubject, WhenAudienceUnknown};
use decision::ids::{AdvertiserId, CampaignId, CreativeId, ImpressionId, PersonKey, SegmentId};
use decision::outcome::Arm;
use decision::privacy::Restriction;
use decision::profile::{CapScope, GhostScope, UnknownWhy};
use decision::targeting::DeviceType;

use crate::wire;

/// How the wire writes [`DeviceType::Other`]: the list of OpenRTB does not have this number.
const DEVICE_OTHER: u32 = 255;

/// An impression id, or `None` where it is not 16 bytes.
pub fn impression(bytes: &[u8]) -> Option<ImpressionId> {
    bytes.try_into().ok().map(ImpressionId)
}

/// A person key, or `None` where it is not 16 bytes. Where nobody may be named the wire has no bytes.
pub fn person(bytes: &[u8]) -> Option<PersonKey> {
    bytes.try_into().ok().map(PersonKey)
}

/// The bytes of a person key; none for the key of zeros, which is no key.
pub fn person_bytes(person: PersonKey) -> Vec<u8> {
    if person == PersonKey::default() { Vec::new() } else { person.0.to_vec() }
}

/// The arm of a number on the wire.
pub fn arm(number: i32) -> Option<Arm> {
    Some(match wire::Arm::try_from(number).ok()? {
        wire::Arm::None => Arm::None,
        wire::Arm::Treated => Arm::Treated,
        wire::Arm::HeldOut => Arm::HeldOut,
    })
}

impl From<Arm> for wire::Arm {
    fn from(arm: Arm) -> Self {
        match arm {
            Arm::None => Self::None,
            Arm::Treated => Self::Treated,
            Arm::HeldOut => Self::HeldOut,
        }
    }
}

/// Why nothing is known of a person: `Some(None)` where the profile is known, `None` where the number has no meaning.
pub fn unknown_why(number: i32) -> Option<Option<UnknownWhy>> {
    Some(match wire::UnknownWhy::try_from(number).ok()? {
        wire::UnknownWhy::Known => None,
        wire::UnknownWhy::NoId => Some(UnknownWhy::NoId),
        wire::UnknownWhy::NotPermitted => Some(UnknownWhy::NotPermitted),
        wire::UnknownWhy::Late => Some(UnknownWhy::Late),
        wire::UnknownWhy::Failed => Some(UnknownWhy::Failed),
    })
}

impl From<UnknownWhy> for wire::UnknownWhy {
    fn from(why: UnknownWhy) -> Self {
        match why {
            UnknownWhy::NoId => Self::NoId,
            UnknownWhy::NotPermitted => Self::NotPermitted,
            UnknownWhy::Late => Self::Late,
            UnknownWhy::Failed => Self::Failed,
        }
    }
}

impl From<Option<Restriction>> for wire::Restriction {
    fn from(restriction: Option<Restriction>) -> Self {
        match restriction {
            None => Self::None,
            Some(Restriction::Coppa) => Self::Coppa,
            Some(Restriction::Gpc) => Self::Gpc,
            Some(Restriction::LimitAdTracking) => Self::Lmt,
            Some(Restriction::Gdpr) => Self::Gdpr,
            Some(Restriction::Gpp) => Self::Gpp,
            Some(Restriction::UsPrivacy) => Self::UsPrivacy,
        }
    }
}

impl From<WhenAudienceUnknown> for wire::WhenAudienceUnknown {
    fn from(when: WhenAudienceUnknown) -> Self {
        match when {
            WhenAudienceUnknown::NoBid => Self::NoBid,
            WhenAudienceUnknown::Bid => Self::Bid,
        }
    }
}

impl From<CapSubject> for wire::CapSubject {
    fn from(subject: CapSubject) -> Self {
        match subject {
            CapSubject::Campaign => Self::Campaign,
            CapSubject::EachCreative => Self::EachCreative,
            CapSubject::Advertiser => Self::Advertiser,
            CapSubject::EachSegment => Self::EachSegment,
        }
    }
}

/// What a cap counts by, as its subject and number on the wire.
pub fn scope_parts(scope: CapScope) -> (wire::CapSubject, u32) {
    match scope {
        CapScope::Campaign(id) | CapScope::Ghosts(id, GhostScope::Campaign) => (wire::CapSubject::Campaign, id.0),
        CapScope::Creative(id) | CapScope::Ghosts(_, GhostScope::Creative(id)) => {
            (wire::CapSubject::EachCreative, id.0)
        }
        CapScope::Advertiser(id) => (wire::CapSubject::Advertiser, id.0),
        CapScope::Segment(id) | CapScope::Ghosts(_, GhostScope::Segment(id)) => (wire::CapSubject::EachSegment, id.0),
    }
}

/// The number on the wire of the campaign whose ghost bids are counted; 0 where it is impressions.
pub fn ghost_of(scope: CapScope) -> u32 {
    if let CapScope::Ghosts(campaign, _) = scope { campaign.0 } else { 0 }
}

/// What a cap counts by, or `None` where subject and `ghost_of` have no meaning together.
pub fn scope(subject: i32, id: u32, ghost_of: u32) -> Option<CapScope> {
    let subject = wire::CapSubject::try_from(subject).ok()?;
    if ghost_of == 0 {
        return match subject {
            wire::CapSubject::Unspecified => None,
            wire::CapSubject::Campaign => Some(CapScope::Campaign(CampaignId(id))),
            wire::CapSubject::EachCreative => Some(CapScope::Creative(CreativeId(id))),
            wire::CapSubject::Advertiser => Some(CapScope::Advertiser(AdvertiserId(id))),
            wire::CapSubject::EachSegment => Some(CapScope::Segment(SegmentId(id))),
        };
    }
    let ghosts = match subject {
        wire::CapSubject::Campaign => GhostScope::Campaign,
        wire::CapSubject::EachCreative => GhostScope::Creative(CreativeId(id)),
        wire::CapSubject::EachSegment => GhostScope::Segment(SegmentId(id)),
        wire::CapSubject::Unspecified | wire::CapSubject::Advertiser => return None,
    };
    Some(CapScope::Ghosts(CampaignId(ghost_of), ghosts))
}

/// The number of a device type on the wire; 0 where it is not said.
pub fn device_number(device: DeviceType) -> u32 {
    match device {
        DeviceType::Unknown => 0,
        DeviceType::Other => DEVICE_OTHER,
        listed => u32::try_from(listed.number()).unwrap_or(DEVICE_OTHER),
    }
}

/// The device type of a number on the wire.
pub fn device(number: u32) -> DeviceType {
    if number == 0 { DeviceType::Unknown } else { DeviceType::of_number(i64::from(number)) }
}
