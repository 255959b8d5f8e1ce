use super::*;
use proptest::prelude::*;
use std::string::ToString;

fn fees(exchange_ppm: u32, data_cpm: i64, margin_ppm: u32) -> Fees {
    Fees::new(exchange_ppm, Nanos::new(data_cpm), margin_ppm).expect("they can be")
}

/// Checks the parts of an impression, in nanos: media, exchange fee, data fee, margin.
fn check(fees: Fees, media: i64, [exchange_fee, data_fee, margin]: [i64; 3]) {
    let parts = fees.parts(Nanos::new(media)).expect("an amount");
    assert_eq!(
        [parts.media, parts.exchange_fee, parts.data_fee, parts.margin].map(Nanos::get),
        [media, exchange_fee, data_fee, margin]
    );
    assert_eq!(parts.gross().get(), media + exchange_fee + data_fee + margin);
}

#[test]
fn each_part_is_rounded_up_by_itself() {
    check(Fees::NONE, 1_250_000, [0, 0, 0]);
    // 2.5 % of 2.00 is 0.05; with 0.40 for data that is 2.45, which is 85 % of 2.882353.
    check(fees(25_000, 400_000, 150_000), 2_000_000, [50_000, 400_000, 432_353]);
    check(fees(1, 0, 0), 1, [1, 0, 0]);
    check(fees(0, 0, 999_999), 1, [0, 0, 999_999]);
    check(fees(25_000, 400_000, 150_000), 0, [0, 400_000, 70_589]);
    check(fees(ONE_PPM, 0, 500_000), 3, [3, 0, 6]);
}

#[test]
fn what_cannot_be_is_refused() {
    assert_eq!(Fees::new(ONE_PPM + 1, Nanos::ZERO, 0), None);
    assert_eq!(Fees::new(0, Nanos::new(-1), 0), None);
    assert_eq!(Fees::new(0, Nanos::ZERO, ONE_PPM), None);
    assert_eq!(Fees::NONE.parts(Nanos::new(-1)), None);
    assert_eq!(Fees::NONE.parts(Nanos::MAX).map(Parts::gross), Some(Nanos::MAX));
    for dear in [fees(1, 0, 0), fees(0, 1, 0), fees(0, 0, 1)] {
        assert_eq!(dear.parts(Nanos::MAX), None, "{dear:?}");
    }
}

#[test]
fn percents_are_read_exactly_and_shown_again() {
    for (text, ppm, shown) in
        [("15%", 150_000, "15 %"), ("2.5 %", 25_000, "2.5 %"), ("0.0001%", 1, "0.0001 %"), ("100%", ONE_PPM, "100 %")]
    {
        assert_eq!(parse_percent(text), Some(ppm), "{text}");
        assert_eq!(Percent(ppm).to_string(), shown);
    }
    for bad in ["15", "%", "-1%", "-0.0001%", "0.00001%", "100.0001%", "15%%", "x%", "5e9%"] {
        assert_eq!(parse_percent(bad), None, "{bad}");
    }
}

/// Any fees, their edges often.
fn any_fees() -> impl Strategy<Value = Fees> {
    let ppm = |max: u32| prop_oneof![Just(0), Just(max), 0..=max];
    let data = prop_oneof![Just(0), 0..5_000_000_i64, 0..=i64::MAX];
    (ppm(ONE_PPM), data, ppm(ONE_PPM - 1)).prop_map(|(exchange, data, margin)| fees(exchange, data, margin))
}

fn amount() -> impl Strategy<Value = i64> {
    prop_oneof![0..20_i64, 0..20_000_000_i64, 0..=i64::MAX]
}

proptest! {
    #[test]
    fn parts_are_the_least_that_are_their_shares(fees in any_fees(), media in amount()) {
        let Some(parts) = fees.parts(Nanos::new(media)) else { return Ok(()) };
        let [media, exchange_fee, data_fee, margin] =
            [parts.media, parts.exchange_fee, parts.data_fee, parts.margin].map(|part| i128::from(part.get()));
        let gross = i128::from(parts.gross().get());
        prop_assert_eq!(gross, media + exchange_fee + data_fee + margin);
        prop_assert_eq!(data_fee, i128::from(fees.data_cpm().get()));
        let is_share = |fee: i128, of: i128, ppm: u32| fee * WHOLE >= of * i128::from(ppm);
        prop_assert!(is_share(exchange_fee, media, fees.exchange_ppm()));
        prop_assert!(exchange_fee == 0 || !is_share(exchange_fee - 1, media, fees.exchange_ppm()));
        prop_assert!(is_share(margin, gross, fees.margin_ppm()));
        prop_assert!(margin == 0 || !is_share(margin - 1, gross - 1, fees.margin_ppm()));
    }

    #[test]
    fn the_net_of_a_price_is_the_most_media_that_it_pays_for(fees in any_fees(), price in amount()) {
        let net = fees.net(Nanos::new(price));
        prop_assert!(net.get() <= price);
        // A gross that is too large for an amount is above every price.
        let pays = |media: i64| fees.parts(Nanos::new(media)).is_some_and(|parts| parts.gross().get() <= price);
        prop_assert!(net < Nanos::ZERO || pays(net.get()), "{net} is too much");
        prop_assert!(net.get() == i64::MAX || !pays(net.get() + 1), "{net} is too little");
    }

    #[test]
    fn without_fees_media_is_gross(amount in amount()) {
        let amount = Nanos::new(amount);
        prop_assert_eq!(Fees::NONE.net(amount), amount);
        prop_assert_eq!(Fees::NONE.parts(amount), Some(Parts { media: amount, ..Parts::default() }));
    }
}
