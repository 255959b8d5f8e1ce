//! Fees of a bid and parts of a charge between the wire and the nouns.

use decision::money::{Fees, Nanos, Parts};

use crate::wire;

/// Fees on the wire; none where nothing is charged besides media.
pub fn record(fees: Fees) -> Option<wire::Fees> {
    (!fees.is_none()).then(|| wire::Fees {
        exchange_ppm: fees.exchange_ppm(),
        data_cpm: fees.data_cpm().cpm_micros(),
        margin_ppm: fees.margin_ppm(),
    })
}

/// The fees of a record, [`Fees::NONE`] where it has none; `None` where there can be no such fees.
pub fn fees(wire: Option<&wire::Fees>) -> Option<Fees> {
    let Some(&wire::Fees { exchange_ppm, data_cpm, margin_ppm }) = wire else { return Some(Fees::NONE) };
    Fees::new(exchange_ppm, Nanos::of_one_impression(data_cpm), margin_ppm)
}

/// The parts of a charge on the wire.
pub fn parts_record(parts: Parts) -> wire::Parts {
    let Parts { media, exchange_fee, data_fee, margin } = parts;
    let [media, exchange_fee, data_fee, margin] = [media, exchange_fee, data_fee, margin].map(Nanos::get);
    wire::Parts { media, exchange_fee, data_fee, margin }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fees_survive_the_wire_and_those_that_cannot_be_are_refused() {
        let sent = Fees::new(25_000, Nanos::of_one_impression(400_000), 150_000).expect("they can be");
        assert_eq!(fees(record(sent).as_ref()), Some(sent));
        assert_eq!((record(Fees::NONE), fees(None)), (None, Some(Fees::NONE)));
        for (exchange_ppm, data_cpm, margin_ppm) in [(1_000_001, 0, 0), (0, -1, 0), (0, i64::MIN, 0), (0, 0, 1_000_000)]
        {
            assert_eq!(fees(Some(&wire::Fees { exchange_ppm, data_cpm, margin_ppm })), None);
        }
    }
}
