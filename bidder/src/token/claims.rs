//! The plain bytes inside a token: fixed parts, then LEB128 numbers and texts with their length.

use decision::ids::{
    AdvertiserId, CampaignId, CreativeId, IdHash, ImpressionId, Label, LeaseId, NodeId, PersonKey, SegmentId, VariantId,
};
use decision::money::{Fees, Nanos, Rate};
use decision::outcome::Arm;
use decision::profile::Keep;
use decision::time::Micros;

use super::{Claims, Ids, NONCE_BYTES, TOKEN_IMP_ID_BYTES_MAX};

/// Appends everything but the first bytes of the impression id, which are the nonce, and but the landing URL.
pub(super) fn write(claims: &Claims<'_>, out: &mut Vec<u8>) {
    out.extend_from_slice(&claims.impression.0[NONCE_BYTES..]);
    out.extend_from_slice(&claims.node.0.to_le_bytes());
    let arm = match claims.arm {
        Arm::None => 0,
        Arm::Treated => 1,
        Arm::HeldOut => 2,
    };
    out.extend_from_slice(&[arm, u8::from(claims.test), claims.keep.campaign, claims.keep.creative]);
    out.push(u8::from(claims.person.is_some()));
    out.extend_from_slice(claims.person.as_ref().map_or(&[][..], |person| &person.0));
    let ids = claims.ids.as_slice();
    out.push(ids.len() as u8);
    ids.iter().for_each(|id| out.extend_from_slice(&id.0));
    for number in [
        u64::from(claims.campaign.0),
        u64::from(claims.advertiser.0),
        u64::from(claims.creative.0),
        u64::from(claims.variant.0),
        claims.lease.0,
        claims.price.get().cast_unsigned(),
        claims.rate.get().cast_unsigned(),
        claims.segment.map_or(0, |segment| u64::from(segment.0)),
        claims.index_version,
        claims.bid_at.0.cast_unsigned(),
        claims.expires_at.0.cast_unsigned(),
    ] {
        number_out(number, out);
    }
    text_out(claims.exchange.as_str(), out);
    text_out(claims.currency.as_str(), out);
    text_out(if claims.imp_id.len() > TOKEN_IMP_ID_BYTES_MAX { "" } else { claims.imp_id }, out);
}

/// The version that is written wherever it suffices.
const VERSION: u8 = 2;
/// The version of what caps on advertisers or segments count.
const WIDE_VERSION: u8 = 3;
/// The version of what costs more than media.
const FEES_VERSION: u8 = 4;

/// What stands behind the claims, in those versions that have it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct More {
    /// How many impressions caps on the advertiser and on the segment need to be remembered.
    pub(super) wide_keep: [u8; 2],
    pub(super) fees: Fees,
}

impl More {
    pub(super) fn of(claims: &Claims<'_>) -> Self {
        Self { wide_keep: [claims.keep.advertiser, claims.keep.segment], fees: claims.fees }
    }

    /// The oldest version that can say it, so that the oldest nodes understand it.
    pub(super) fn version(&self) -> u8 {
        match (self.fees.is_none(), self.wide_keep) {
            (false, _) => FEES_VERSION,
            (true, [0, 0]) => VERSION,
            (true, _) => WIDE_VERSION,
        }
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        let version = self.version();
        if version >= WIDE_VERSION {
            out.extend_from_slice(&self.wide_keep);
        }
        if version >= FEES_VERSION {
            number_out(self.fees.exchange_ppm().into(), out);
            number_out(self.fees.data_cpm().get().cast_unsigned(), out);
            number_out(self.fees.margin_ppm().into(), out);
        }
    }

    /// Reads what [`More::write`] wrote in a token of this version; `None` for anything else, versions that are not known
    /// here included.
    pub(super) fn read(version: u8, rest: &[u8]) -> Option<Self> {
        let mut input = Input(rest);
        let mut more = Self::default();
        if !(VERSION..=FEES_VERSION).contains(&version) {
            return None;
        }
        if version >= WIDE_VERSION {
            more.wide_keep = input.array()?;
        }
        if version >= FEES_VERSION {
            let exchange_ppm = input.number_u32()?;
            let data_cpm = Nanos::of_one_impression(input.number()?.cast_signed());
            more.fees = Fees::new(exchange_ppm, data_cpm, input.number_u32()?)?;
        }
        input.0.is_empty().then_some(more)
    }
}

/// Reads what [`write`] wrote, and what stands behind it; `None` for anything else.
pub(super) fn read(impression: ImpressionId, bytes: &[u8]) -> Option<(Claims<'_>, &[u8])> {
    let mut input = Input(bytes.get(16 - NONCE_BYTES..)?);
    let node = NodeId(u64::from_le_bytes(input.array()?));
    let arm = match input.array()? {
        [0] => Arm::None,
        [1] => Arm::Treated,
        [2] => Arm::HeldOut,
        _ => return None,
    };
    let test = match input.array()? {
        [0] => false,
        [1] => true,
        _ => return None,
    };
    let [campaign, creative] = input.array()?;
    let person = match input.array()? {
        [0] => None,
        [1] => Some(PersonKey(input.array()?)),
        _ => return None,
    };
    let [count] = input.array()?;
    let mut ids = [IdHash::default(); super::TOKEN_IDS_MAX];
    for id in ids.get_mut(..usize::from(count))? {
        *id = IdHash(input.array()?);
    }
    let claims = Claims {
        impression,
        node,
        arm,
        test,
        keep: Keep { campaign, creative, ..Keep::default() },
        person,
        ids: Ids::new(&ids[..usize::from(count)]),
        campaign: CampaignId(input.number_u32()?),
        advertiser: AdvertiserId(input.number_u32()?),
        creative: CreativeId(input.number_u32()?),
        variant: VariantId(input.number_u32()?),
        lease: LeaseId(input.number()?),
        price: Nanos::new(input.number()?.cast_signed()),
        rate: Rate::new(input.number()?.cast_signed())?,
        fees: Fees::NONE,
        segment: Some(input.number_u32()?).filter(|segment| *segment > 0).map(SegmentId),
        index_version: input.number()?,
        bid_at: Micros(input.number()?.cast_signed()),
        expires_at: Micros(input.number()?.cast_signed()),
        exchange: Label::new(input.text()?)?,
        currency: Label::new(input.text()?)?,
        imp_id: input.text()?,
        landing_url: "",
    };
    Some((claims, input.0))
}

/// What stands behind the claims of version 1; `None` for anything else.
pub(super) fn landing_url(rest: &[u8]) -> Option<&str> {
    let mut input = Input(rest);
    let landing_url = input.text()?;
    input.0.is_empty().then_some(landing_url)
}

fn number_out(mut number: u64, out: &mut Vec<u8>) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

fn text_out(text: &str, out: &mut Vec<u8>) {
    number_out(text.len() as u64, out);
    out.extend_from_slice(text.as_bytes());
}

struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*head)
    }

    fn number(&mut self) -> Option<u64> {
        let mut number = 0_u64;
        for shift in (0..64).step_by(7) {
            let [byte] = self.array()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(number);
            }
        }
        None
    }

    fn number_u32(&mut self) -> Option<u32> {
        u32::try_from(self.number()?).ok()
    }

    fn text(&mut self) -> Option<&'a str> {
        let len = usize::try_from(self.number()?).ok()?;
        let (head, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        std::str::from_utf8(head).ok()
    }
}
