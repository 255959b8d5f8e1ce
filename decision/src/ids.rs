//! Names of things, as types, so that one cannot be passed for another.

use core::fmt;

/// Declares ids that are dense numbers, given out once by the control plane and never used again.
macro_rules! numbered {
    ($($(#[$doc:meta])* $name:ident($number:ty);)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub $number);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    )*};
}

numbered! {
    /// Who pays.
    AdvertiserId(u32);
    /// What a manager edits: a flight with budget, targeting, prices and creatives.
    CampaignId(u32);
    /// One advertisement in one size, with its variants.
    CreativeId(u32);
    /// One of the wordings or pictures of a creative, picked by micro-segment.
    VariantId(u32);
    /// A micro-segment.
    SegmentId(u32);
    /// One running bidder process; a restarted one has a new id.
    NodeId(u64);
    /// Money lent by the ledger to one node for one campaign.
    LeaseId(u64);
    /// An advertiser's shard of the ledger.
    ShardId(u32);
}

/// Declares ids that are 16 bytes of random or keyed-hash output, shown as hexadecimal.
macro_rules! sixteen_bytes {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub [u8; 16]);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(str::from_utf8(&hex(self.0)).unwrap_or_default())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }
    )*};
}

/// Each byte as two digits, high one first.
fn hex(bytes: [u8; 16]) -> [u8; 32] {
    const DIGITS: [u8; 16] = *b"0123456789abcdef";
    let mut text = [0; 32];
    for (pair, byte) in text.as_chunks_mut::<2>().0.iter_mut().zip(bytes) {
        *pair = [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]];
    }
    text
}

sixteen_bytes! {
    /// One bid, from the moment it is made: the key by which notices and events are deduplicated. Random.
    ImpressionId;
    /// The key by which streams know a person. It says nothing about the ids that lead to it.
    PersonKey;
    /// Keyed hash of one of a person's ids (cookie, device id, extended id): the key of a profile record.
    IdHash;
}

/// Short ASCII text held in place, such as a country or the name of an exchange: copied, compared and hashed without
/// an allocation. Unused bytes are zero.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Label<const N: usize>([u8; N]);

impl<const N: usize> Label<N> {
    /// The label of `text`, or `None` where it is empty, longer than `N` bytes, or not printable ASCII.
    pub fn new(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        if bytes.is_empty() || bytes.len() > N || !bytes.iter().all(u8::is_ascii_graphic) {
            return None;
        }
        let mut label = [0; N];
        label[..bytes.len()].copy_from_slice(bytes);
        Some(Self(label))
    }

    /// The text without its padding.
    pub fn as_str(&self) -> &str {
        let end = self.0.iter().position(|byte| *byte == 0).unwrap_or(N);
        core::str::from_utf8(&self.0[..end]).unwrap_or_default()
    }
}

impl<const N: usize> fmt::Display for Label<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl<const N: usize> fmt::Debug for Label<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.as_str())
    }
}

/// An exchange's name, as configured and as it stands in `/bid/{exchange}`: `[a-z0-9-]`, 1 to 16 bytes.
pub type ExchangeName = Label<16>;
/// A country by ISO 3166-1 alpha-3, upper case, as OpenRTB's `geo.country`.
pub type Country = Label<3>;
/// A part of a country by ISO 3166-2 without the country, upper case, as OpenRTB's `geo.region`.
pub type Region = Label<8>;
/// A currency by ISO 4217, upper case.
pub type Currency = Label<3>;
