//! Sealed tokens: what a bid says of itself in its notice URLs, so that any node can take the notice and no node keeps
//! a session.
//!
//! What a bid says is sealed once: base64url (no padding) of `version, key id, nonce (12), ciphertext, tag (16)`, with
//! AES-128-GCM-SIV (RFC 8452) and the first two bytes as associated data. It is sealed and not merely signed, since a
//! readable segment would leak. The nonce is the first 12 bytes of the impression id, which is random.
//!
//! The token for a kind of notice is that, and a mark: base64url of SipHash-2-4 with 128 bits (Aumasson and Bernstein,
//! 2012), under a key of its own, of `version, key id, nonce, tag, kind` and, for a click, of where it leads. So a click
//! URL cannot be turned into a billing one. Where a click leads stands in the open behind a dot: whoever clicks sees it.
//!
//! Tokens of version 1, sealed for each kind with the kind as associated data and the landing URL inside, still open. Version 3
//! is version 2 with one thing more, that caps on advertisers or segments count the impression; it is written only where they
//! do, since nodes that are older than these caps open versions 1 and 2. Version 4 is version 3 with the fees behind that,
//! and written only where there are any: whoever books the impression needs no configuration to know what it costs.

use decision::ids::{
    AdvertiserId, CampaignId, CreativeId, Currency, ExchangeName, IdHash, ImpressionId, LeaseId, NodeId, PersonKey,
    SegmentId, VariantId,
};
use decision::money::{Fees, Nanos, Rate};
use decision::outcome::Arm;
use decision::profile::Keep;
use decision::time::Micros;

use crate::limits::{TOKEN_IDS_MAX, TOKEN_IMP_ID_BYTES_MAX};

mod claims;
mod keys;
#[cfg(test)]
mod tests;

pub use keys::{Key, Keys, Sealed};

const NONCE_BYTES: usize = 12;

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
    /// How many impressions the caps that count it need to be remembered.
    pub keep: Keep,
    /// The request was a test (`test=1`): nothing of it is billed.
    pub test: bool,
    /// The node that bid.
    pub node: NodeId,
    /// The lease whose money is set aside.
    pub lease: LeaseId,
    /// The price bid for the impression: net, media alone.
    pub price: Nanos,
    /// The currency of the price.
    pub currency: Currency,
    /// How many units of that currency buy one unit of the campaign's.
    pub rate: Rate,
    /// What is charged besides the price.
    pub fees: Fees,
    /// The micro-segment that set the price.
    pub segment: Option<SegmentId>,
    /// The arm of the campaign's experiment.
    pub arm: Arm,
    /// The revision of the campaigns that decided.
    pub index_version: u64,
    /// When the bid was made.
    pub bid_at: Micros,
    /// The last moment at which notices are taken; the ledger books none that arrives later.
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
    /// Of a click.
    landing_url: String,
    more: claims::More,
}

impl Opened {
    /// What the bid said of itself.
    ///
    /// # Panics
    /// Never: [`Keys::open`] has read the same bytes.
    pub fn claims(&self) -> Claims<'_> {
        let (claims, _) = claims::read(self.impression, &self.plain).expect("they were read when the token was opened");
        let claims::More { wide_keep: [advertiser, segment], fees } = self.more;
        Claims { landing_url: &self.landing_url, keep: Keep { advertiser, segment, ..claims.keep }, fees, ..claims }
    }
}
