//! What an impression costs beside its media: the fees of exchanges and of data, and the margin.

use super::{Nanos, ONE_PPM, saturate};

/// What is charged for an impression besides media, which is what the exchange is offered and gets. Together they are
/// the gross: what the advertiser pays.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fees {
    pub(crate) exchange_ppm: u32,
    pub(crate) data_cpm: Nanos,
    pub(crate) margin_ppm: u32,
}

/// What an impression costs, part by part, in one currency. Their sum is the gross, to the nano.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Parts {
    /// What the exchange gets for the impression.
    pub media: Nanos,
    /// What it bills besides.
    pub exchange_fee: Nanos,
    /// What the micro-segment's data costs.
    pub data_fee: Nanos,
    /// What stays with us.
    pub margin: Nanos,
}

const WHOLE: i128 = ONE_PPM as i128;

impl Fees {
    /// Media is all there is.
    pub const NONE: Self = Self { exchange_ppm: 0, data_cpm: Nanos::ZERO, margin_ppm: 0 };

    /// Fees of `exchange_ppm` millionths of media, of `data_cpm` in the campaign's currency, and of `margin_ppm` millionths
    /// of gross. `None` where the exchange bills more than media besides, data costs less than nothing, or the margin leaves
    /// nothing.
    pub fn new(exchange_ppm: u32, data_cpm: Nanos, margin_ppm: u32) -> Option<Self> {
        let fits = exchange_ppm <= ONE_PPM && data_cpm >= Nanos::ZERO && margin_ppm < ONE_PPM;
        fits.then_some(Self { exchange_ppm, data_cpm, margin_ppm })
    }

    /// What the exchange bills besides, in millionths of media.
    pub const fn exchange_ppm(self) -> u32 {
        self.exchange_ppm
    }

    /// What the micro-segment's data costs, per impression.
    pub const fn data_cpm(self) -> Nanos {
        self.data_cpm
    }

    /// What stays with us, in millionths of gross.
    pub const fn margin_ppm(self) -> u32 {
        self.margin_ppm
    }

    /// Whether gross is media.
    #[inline]
    pub fn is_none(self) -> bool {
        self == Self::NONE
    }

    /// What an impression of this much media costs. Each part is rounded up to the nano by itself: the exchange's fee is the
    /// least that is its share of media, the margin the least that is its share of gross. `None` where media is below
    /// zero, or the gross more than an amount can be.
    pub fn parts(self, media: Nanos) -> Option<Parts> {
        let amount = i128::from(media.get());
        if amount < 0 {
            return None;
        }
        let share = |of: i128, part: i128, whole: i128| (of * part + whole - 1) / whole;
        let exchange_fee = share(amount, self.exchange_ppm.into(), WHOLE);
        let cost = amount + exchange_fee + i128::from(self.data_cpm.get());
        // At least m / (m + cost) is the margin's share where m is at least its share of cost over the rest's.
        let margin_ppm = i128::from(self.margin_ppm);
        let margin = share(cost, margin_ppm, WHOLE - margin_ppm);
        i64::try_from(cost + margin).ok()?;
        let part = |part: i128| i64::try_from(part).ok().map(Nanos);
        Some(Parts { media, exchange_fee: part(exchange_fee)?, data_fee: self.data_cpm, margin: part(margin)? })
    }

    /// The most media whose gross is not above `gross`; zero or less where nothing is left for media.
    pub fn net(self, gross: Nanos) -> Nanos {
        let cost = gross.scaled(ONE_PPM.saturating_sub(self.margin_ppm));
        let rest = cost.saturating_sub(self.data_cpm);
        let billed_ppm = i64::from(ONE_PPM) + i64::from(self.exchange_ppm);
        // Prices of an impression stay far inside 64 bits, where the division is many times cheaper.
        match rest.0.checked_mul(i64::from(ONE_PPM)) {
            Some(product) => Nanos(product.div_euclid(billed_ppm)),
            None => saturate((i128::from(rest.0) * WHOLE).div_euclid(billed_ppm.into())),
        }
    }
}

impl Parts {
    /// What the advertiser pays.
    pub fn gross(self) -> Nanos {
        let Self { media, exchange_fee, data_fee, margin } = self;
        [exchange_fee, data_fee, margin].into_iter().fold(media, Nanos::saturating_add)
    }
}

/// Reads a share such as `2.5%` in millionths, exactly; `None` where it has no percent sign, more than four decimals, or is
/// no number from 0 to 100.
pub fn parse_percent(text: &str) -> Option<u32> {
    /// Of a percent, in nanos.
    const MILLIONTH: i64 = 100_000;
    let nanos = Nanos::parse_decimal(text.strip_suffix('%')?.trim_end())?.get();
    let ppm = u32::try_from(nanos / MILLIONTH).ok().filter(|_| nanos >= 0 && nanos % MILLIONTH == 0)?;
    Some(ppm).filter(|ppm| *ppm <= ONE_PPM)
}

/// A share in percent with as many decimals as it needs.
pub struct Percent(pub u32);

impl core::fmt::Display for Percent {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let (whole, part) = (self.0 / 10_000, self.0 % 10_000);
        if part == 0 {
            return write!(f, "{whole} %");
        }
        let part = alloc::format!("{part:04}");
        write!(f, "{whole}.{} %", part.trim_end_matches('0'))
    }
}

#[cfg(test)]
mod tests;
