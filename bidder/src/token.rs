//! Sealed tokens: what a bid says of itself in its notice URLs, so that any node can take the notice and no node keeps
//! a session.
//!
//! A token is base64url (no padding) of `version, key id, nonce (12), ciphertext, tag (16)`, sealed with AES-128-GCM-SIV
//! (RFC 8452). It is sealed and not merely signed, since a readable segment would leak. The notice's kind is associated
//! data, so a click URL cannot be turned into a billing one. The nonce is the first 12 bytes of the impression id, which
//! is random; where several kinds share it their associated data differ, which this mode is made for.

use aes_gcm_siv::aead::{AeadInOut, KeyInit};
use aes_gcm_siv::{Aes128GcmSiv, Nonce};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use decision::ids::{
    AdvertiserId, CampaignId, CreativeId, Currency, ExchangeName, IdHash, ImpressionId, LeaseId, NodeId, PersonKey,
    SegmentId, VariantId,
};
use decision::money::{Nanos, Rate};
use decision::outcome::Arm;
use decision::time::Micros;

use crate::limits::{TOKEN_BYTES_MAX, TOKEN_IDS_MAX, TOKEN_IMP_ID_BYTES_MAX};

mod claims;
#[cfg(test)]
mod tests;

const VERSION: u8 = 1;
const HEAD_BYTES: usize = 2;
const NONCE_BYTES: usize = 12;
const TAG_BYTES: usize = 16;

/// What a notice URL is for. Bound into its token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NoticeKind {
    /// The exchange's auction was won (`nurl`).
    Win,
    /// The exchange books revenue (`burl`).
    Billing,
    /// The bid lost (`lurl`).
    Loss,
    /// The advertisement was seen: our pixel in the markup.
    View,
    /// The advertisement was clicked.
    Click,
}

impl NoticeKind {
    /// Every kind.
    pub const ALL: [Self; 5] = [Self::Win, Self::Billing, Self::Loss, Self::View, Self::Click];

    /// The name in URLs, metrics and streams.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Win => "win",
            Self::Billing => "billing",
            Self::Loss => "loss",
            Self::View => "view",
            Self::Click => "click",
        }
    }

    /// The kind of a name in URLs.
    pub fn of_label(label: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.label() == label)
    }

    const fn code(self) -> u8 {
        match self {
            Self::Win => 1,
            Self::Billing => 2,
            Self::Loss => 3,
            Self::View => 4,
            Self::Click => 5,
        }
    }
}

/// What a bid says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claims<'a> {
    /// The deduplication key.
    pub impression: ImpressionId,
    /// Who asked.
    pub exchange: ExchangeName,
    /// The request's name for the impression; empty where it is longer than [`TOKEN_IMP_ID_BYTES_MAX`].
    pub imp_id: &'a str,
    /// The campaign.
    pub campaign: CampaignId,
    /// Who pays.
    pub advertiser: AdvertiserId,
    /// The creative.
    pub creative: CreativeId,
    /// The variant.
    pub variant: VariantId,
    /// Whom the bid was for, where that may be known.
    pub person: Option<PersonKey>,
    /// The keys of the profile records whose caps count the impression.
    pub ids: Ids,
    /// How many impressions the campaign's caps and each creative's caps need to be remembered.
    pub keep: (u8, u8),
    /// The request was a test (`test=1`): nothing of it is billed.
    pub test: bool,
    /// The node that bid.
    pub node: NodeId,
    /// The lease whose money is set aside.
    pub lease: LeaseId,
    /// The price bid for the impression.
    pub price: Nanos,
    /// The currency of the price.
    pub currency: Currency,
    /// How many units of that currency buy one unit of the campaign's.
    pub rate: Rate,
    /// The micro-segment that set the price.
    pub segment: Option<SegmentId>,
    /// The arm of the campaign's experiment.
    pub arm: Arm,
    /// The revision of the campaigns that decided.
    pub index_version: u64,
    /// When the bid was made.
    pub bid_at: Micros,
    /// From when on notices are expired.
    pub expires_at: Micros,
    /// Where a click ends; empty in every other kind of token.
    pub landing_url: &'a str,
}

/// Up to [`TOKEN_IDS_MAX`] keys of profile records, held in place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ids {
    ids: [IdHash; TOKEN_IDS_MAX],
    len: u8,
}

impl Ids {
    /// The first [`TOKEN_IDS_MAX`] of `ids`: each of them answers for the person, so the others are not needed.
    pub fn new(ids: &[IdHash]) -> Self {
        let mut kept = Self::default();
        for (place, id) in kept.ids.iter_mut().zip(ids) {
            *place = *id;
            kept.len += 1;
        }
        kept
    }

    /// The keys.
    pub fn as_slice(&self) -> &[IdHash] {
        &self.ids[..usize::from(self.len)]
    }
}

/// A token that was not sealed by us for this kind of notice, or was altered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Forged;

/// A token that was opened.
pub struct Opened {
    plain: Vec<u8>,
    impression: ImpressionId,
}

impl Opened {
    /// What the bid said of itself.
    ///
    /// # Panics
    /// Never: [`Keys::open`] has read the same bytes.
    pub fn claims(&self) -> Claims<'_> {
        claims::read(self.impression, &self.plain).expect("the bytes were read when the token was opened")
    }
}

/// One key and the number by which tokens name it.
#[derive(Clone)]
pub struct Key {
    id: u8,
    cipher: Aes128GcmSiv,
}

impl Key {
    /// A key of 16 secret bytes.
    pub fn new(id: u8, secret: &[u8; 16]) -> Self {
        Self { id, cipher: Aes128GcmSiv::new(secret.into()) }
    }
}

impl std::fmt::Debug for Key {
    /// Without the secret.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Key({})", self.id)
    }
}

/// The keys in use: the current one seals; the previous one still opens, so that keys can be changed without losing a
/// notice.
#[derive(Clone, Debug)]
pub struct Keys {
    current: Key,
    previous: Option<Key>,
}

impl Keys {
    /// Seals with `current` and opens with both.
    pub fn new(current: Key, previous: Option<Key>) -> Self {
        Self { current, previous }
    }

    /// Appends the token of `claims` for a notice of `kind` to `url`. `scratch` is room to work in.
    pub fn seal(&self, kind: NoticeKind, claims: &Claims<'_>, scratch: &mut Vec<u8>, url: &mut String) {
        scratch.clear();
        scratch.extend_from_slice(&[VERSION, self.current.id]);
        scratch.extend_from_slice(&claims.impression.0[..NONCE_BYTES]);
        let start = scratch.len();
        claims::write(claims, kind == NoticeKind::Click, scratch);
        let nonce = nonce(&claims.impression.0);
        let body = &mut scratch[start..];
        let tag = self.current.cipher.encrypt_inout_detached(&nonce, &aad(self.current.id, kind), body.into());
        scratch.extend_from_slice(&tag.expect("a token is far below the mode's limit of 2^36 bytes"));
        URL_SAFE_NO_PAD.encode_string(&*scratch, url);
    }

    /// Opens a token for a notice of `kind` that arrived at `now`, and says whether its time is over.
    ///
    /// # Errors
    /// [`Forged`] where the token is not one of ours for this kind.
    pub fn open(&self, kind: NoticeKind, token: &str, now: Micros) -> Result<(Opened, bool), Forged> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(Forged);
        }
        let mut bytes = URL_SAFE_NO_PAD.decode(token).map_err(|_| Forged)?;
        let [VERSION, key_id, ..] = *bytes else { return Err(Forged) };
        if bytes.len() < HEAD_BYTES + NONCE_BYTES + TAG_BYTES {
            return Err(Forged);
        }
        let key = [Some(&self.current), self.previous.as_ref()].into_iter().flatten().find(|key| key.id == key_id);
        let key = key.ok_or(Forged)?;
        let nonce = nonce(&bytes[HEAD_BYTES..]);
        let mut body = bytes.split_off(HEAD_BYTES + NONCE_BYTES);
        key.cipher.decrypt_in_place(&nonce, &aad(key_id, kind), &mut body).map_err(|_| Forged)?;
        let rest = body.first_chunk::<{ 16 - NONCE_BYTES }>().ok_or(Forged)?;
        let mut impression = ImpressionId::default();
        impression.0[..NONCE_BYTES].copy_from_slice(&nonce);
        impression.0[NONCE_BYTES..].copy_from_slice(rest);
        let claims = claims::read(impression, &body).ok_or(Forged)?;
        let expired = now >= claims.expires_at;
        Ok((Opened { plain: body, impression }, expired))
    }
}

fn nonce(bytes: &[u8]) -> Nonce {
    let mut nonce = Nonce::default();
    nonce.copy_from_slice(&bytes[..NONCE_BYTES]);
    nonce
}

fn aad(key_id: u8, kind: NoticeKind) -> [u8; 3] {
    [VERSION, key_id, kind.code()]
}
