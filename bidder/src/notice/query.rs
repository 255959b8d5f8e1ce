//! The query of a notice URL: what exchanges put in place of the macros.

use decision::money::Nanos;

/// The parameters we put macros in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Query<'a> {
    /// As received, cut to [`crate::limits::NOTICE_QUERY_BYTES_MAX`].
    pub raw: &'a str,
    /// `p`: the price of the impression (OpenRTB macro `AUCTION_PRICE`, a CPM).
    pub price: Price,
    /// `m`: the least price that would have won (`AUCTION_MIN_TO_WIN`).
    pub min_to_win: Price,
    /// `r`: the loss reason (`AUCTION_LOSS`, OpenRTB 3.0 list of loss reasons).
    pub loss_reason: Option<u32>,
}

/// What stands in place of a price macro.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Price {
    /// Nothing: the macro was not replaced, or by nothing.
    Absent,
    /// `AUDIT`: a quality scan of the creative (OpenRTB 2.6, section 4.4).
    Audit,
    /// Something that is no price.
    Unreadable,
    /// A price.
    Amount(Nanos),
}

impl Price {
    fn read(text: &str) -> Self {
        match text {
            "" => Self::Absent,
            "AUDIT" => Self::Audit,
            _ if is_macro(text) => Self::Absent,
            _ => Nanos::parse_cpm(text).filter(|price| *price >= Nanos::ZERO).map_or(Self::Unreadable, Self::Amount),
        }
    }

    /// The price, if there is one.
    pub(super) fn amount(self) -> Option<Nanos> {
        match self {
            Self::Amount(amount) => Some(amount),
            Self::Absent | Self::Audit | Self::Unreadable => None,
        }
    }
}

/// A macro that was left standing, as it is or percent-encoded.
fn is_macro(text: &str) -> bool {
    text.starts_with("${") || text.get(..3).is_some_and(|start| start.eq_ignore_ascii_case("%24"))
}

impl<'a> Query<'a> {
    /// Reads a query; of a parameter that stands twice the first counts.
    pub(super) fn read(raw: &'a str) -> Self {
        let end = raw.len().min(crate::limits::NOTICE_QUERY_BYTES_MAX);
        let raw = &raw[..raw.floor_char_boundary(end)];
        let value = |name: &str| {
            raw.split('&').filter_map(|pair| pair.split_once('=')).find(|(key, _)| *key == name).map_or("", |(_, v)| v)
        };
        Self {
            raw,
            price: Price::read(value("p")),
            min_to_win: Price::read(value("m")),
            loss_reason: value("r").parse().ok(),
        }
    }
}
