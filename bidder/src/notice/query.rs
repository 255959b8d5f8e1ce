//! The query of a notice URL: what exchanges put in place of the macros.

use std::borrow::Cow;

use decision::money::Nanos;
use percent_encoding::percent_decode_str;

/// The parameters we put macros in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Query<'a> {
    /// As received, cut to [`crate::limits::NOTICE_QUERY_BYTES_MAX`].
    pub raw: &'a str,
    /// `p`: the price of the impression (OpenRTB macro `AUCTION_PRICE`, a CPM). `None` where the macro was not replaced, or
    /// by nothing that is a price.
    pub price: Option<Nanos>,
    /// `m`: the least price that would have won (`AUCTION_MIN_TO_WIN`).
    pub min_to_win: Option<Nanos>,
    /// `r`: the loss reason (`AUCTION_LOSS`, OpenRTB 3.0 list of loss reasons).
    pub loss_reason: Option<u32>,
    /// Whether a macro was replaced by `AUDIT`: a quality scan of the creative (OpenRTB 2.6, section 4.4).
    pub audit: bool,
}

impl<'a> Query<'a> {
    /// Reads a query; of a parameter that stands twice the first counts.
    pub(super) fn read(raw: &'a str) -> Self {
        let end = raw.len().min(crate::limits::NOTICE_QUERY_BYTES_MAX);
        let raw = &raw[..raw.floor_char_boundary(end)];
        let (price, min_to_win, loss_reason) = (value(raw, "p"), value(raw, "m"), value(raw, "r"));
        Self {
            raw,
            price: amount(&price),
            min_to_win: amount(&min_to_win),
            loss_reason: loss_reason.parse().ok(),
            audit: [price, min_to_win, loss_reason].iter().any(|value| value == "AUDIT"),
        }
    }
}

/// The value of a parameter, decoded; empty where it is not there or is no text.
fn value<'a>(raw: &'a str, name: &str) -> Cow<'a, str> {
    let value = raw.split('&').filter_map(|pair| pair.split_once('=')).find(|(key, _)| *key == name);
    value.and_then(|(_, value)| percent_decode_str(value).decode_utf8().ok()).unwrap_or_default()
}

fn amount(text: &str) -> Option<Nanos> {
    Nanos::parse_cpm(text).filter(|price| *price >= Nanos::ZERO)
}
