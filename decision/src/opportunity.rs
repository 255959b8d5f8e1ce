//! What a bid request offers, in our own types.

use crate::ids::{Country, Currency, ExchangeName, Region};
use crate::money::Nanos;
use crate::targeting::{DeviceType, Size};

/// What is the same for every impression of one bid request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Context<'a> {
    /// Who asks.
    pub exchange: ExchangeName,
    /// Where the device is, if it is said.
    pub country: Option<Country>,
    /// The part of the country, if it is said.
    pub region: Option<Region>,
    /// What kind of device it is.
    pub device: DeviceType,
    /// The currencies bids may be in, in the exchange's order; never empty (`USD` where the request names none).
    pub currencies: &'a [Currency],
    /// What the exchange bills besides media, in millionths of it: at most 1,000,000.
    pub exchange_fee_ppm: u32,
    /// Advertiser domains that may not bid (`badv`), as received.
    pub blocked_domains: &'a [&'a str],
    /// Content categories that may not bid (`bcat`), as received.
    pub blocked_categories: &'a [&'a str],
}

/// What a bid request offers for one `imp`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Opportunity<'a> {
    /// The banner sizes that fit; empty where no banner is asked for.
    pub sizes: &'a [Size],
    /// The least price, per impression.
    pub floor: Nanos,
    /// The currency of the floor; `None` where it is no currency code we can read.
    pub floor_currency: Option<Currency>,
    /// Whether every resource must be loaded over https.
    pub secure: bool,
    /// Whether only the deals named in the request may be used (`pmp.private_auction`).
    pub private_auction: bool,
}
