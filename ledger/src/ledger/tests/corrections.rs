//! Corrections, in the same words.

use decision::ids::CampaignId;
use proto::wire::{Correction, Fees, Outcome, OutcomeKind, Parts, journal_entry::Input};

use super::{Effects, Player, SECOND, check};
use crate::tally::Oddity;

fn play(player: &mut Player, steps: &[&str]) {
    for step in steps {
        player.step(&step.split_whitespace().collect::<Vec<_>>());
    }
}

#[test]
fn a_correction_books_the_difference_once_and_gives_budget_back() {
    check(
        "rules 1
         budget 10 100
         wait 86400
         ask 10                             => grant L1 10
         bill a L1 8 expires=300000         => charge a 8 on day 1, made
         ask 10                             => daily_budget
         correct a 3                        => correction a -5 on day 1
         correct a 3                        => refused_correction
         correct a 3 before=8               => refused_correction
         ask 10                             => grant L2 5
         correct a 9                        => correction a 6 on day 1
         ask 10                             => daily_budget
         correct a 0                        => correction a -9 on day 1
         correct a 1001                     => refused_correction
         correct a -1                       => refused_correction
         ask 10                             => grant L3 3
         settle                             => settled L1 8 [a]
         bill a L1 8 expires=300000         => repeated",
    );
}

/// Time begins at the noon of day 0.
#[test]
fn a_correction_of_a_day_that_is_closed_counts_today_and_changes_no_days_budget() {
    check(
        "rules 1
         budget 40 100
         wait 86400
         ask 30                             => grant L1 30
         bill a L1 30 expires=300000        => charge a 30 on day 1, made
         wait 50400
         tick                               => day_closed 1 of 1: 30 in 1
         bill b L1 5 expires=300000         => charge b 5 on day 2, late
         correct a 10                       => correction a -20 on day 2
         ask 100                            => grant L2 35
         correct b 4                        => correction b -1 on day 2
         wait 86400
         tick                               => day_closed 2 of 1: -16 in 3",
    );
}

/// An older program counted no days, so nobody knows on which one it counts.
#[test]
fn a_correction_of_what_counts_on_no_day_counts_today() {
    check(
        "budget 10 100
         ask 10                             => grant L1 10
         bill a L1 10                       => charge a 10, made
         rules 1
         wait 86400
         tick
         correct a 4                        => correction a -6 on day 1
         ask 20                             => grant L2 10
         wait 50400
         tick                               => day_closed 1 of 1: -6 in 1",
    );
}

#[test]
fn a_refund_of_a_closed_day_gives_back_of_the_total_alone() {
    check(
        "rules 1
         budget 8 10 all=8
         ask 8                              => grant L1 8
         bill a L1 8 expires=300000         => charge a 8, made
         wait 93600
         tick                               => day_closed 0 of 1: 8 in 1
         ask 8                              => grant L2 2
         return L2 2
         correct a 0                        => correction a -8 on day 1
         ask 9                              => grant L3 8
         ask 9                              => daily_budget",
    );
}

#[test]
fn a_correction_of_a_day_that_is_open_counts_on_it_and_leaves_todays_budget_alone() {
    check(
        "rules 1
         budget 10 100
         wait 86400
         ask 10                             => grant L1 10
         bill a L1 10 expires=300000        => charge a 10 on day 1, made
         wait 43200
         ask 4                              => grant L2 4
         correct a 0                        => correction a -10 on day 1
         ask 10                             => grant L3 6
         wait 7200
         tick                               => day_closed 1 of 1: 0 in 2",
    );
}

#[test]
fn a_refund_gives_back_of_the_total_and_of_the_advertisers_budget() {
    check(
        "rules 1
         budget 50 12 campaign=1 all=20
         budget 50 90 campaign=2 all=20
         wait 86400
         ask 50 campaign=1                  => grant L1 12
         bill a L1 12 campaign=1 expires=300000 => charge a 12 on day 1, made
         ask 50 campaign=1                  => total_budget
         ask 50 campaign=2                  => grant L2 8
         ask 50 campaign=2                  => advertiser_budget
         correct a 10                       => correction a -2 on day 1
         ask 50 campaign=2                  => grant L3 2
         correct a 4                        => correction a -6 on day 1
         ask 50 campaign=1                  => grant L4 6",
    );
}

#[test]
fn what_was_booked_to_a_campaign_that_nobody_knew_can_be_corrected() {
    check(
        "bill a L0 4                        => unmatched a 4, unmatched
         correct a 1                        => correction a -3
         budget 10 100
         correct a 2                        => correction a 1",
    );
}

#[test]
fn a_correction_of_what_is_not_in_the_books_is_refused() {
    let mut player = Player::new();
    play(&mut player, &["budget 10 100", "ask 10", "bill a L1 8"]);
    let booked = player.booked[&b'a'].0.clone();
    let forged = |change: fn(&mut Outcome)| {
        let mut original = booked.clone();
        change(&mut original);
        Correction { before: original.charged, original: Some(Box::new(original)), ..Correction::default() }
    };
    let refused = [
        Correction { before: 8, ..Correction::default() },
        forged(|it| it.shard = 1),
        forged(|it| it.sequence = 0),
        forged(|it| it.sequence = 4),
        forged(|it| it.campaign = 2),
        forged(|it| it.kind = OutcomeKind::Win.into()),
        forged(|it| it.kind = OutcomeKind::Correction.into()),
        forged(|it| it.charged = 9),
        forged(|it| it.notice_price = Some(7)),
        forged(|it| it.notice_price = None),
        forged(|it| it.notice_price = Some(-1)),
        forged(|it| it.parts = Some(Parts { media: 8, ..Parts::default() })),
        forged(|it| it.fees = Some(Fees { margin_ppm: 500_000, ..Fees::default() })),
        forged(|it| it.fees = Some(Fees { margin_ppm: 1_000_000, ..Fees::default() })),
        forged(|it| {
            it.fees = Some(Fees { data_cpm: 1, ..Fees::default() });
            (it.charged, it.parts) = (9, Some(Parts { media: -1, margin: 10, ..Parts::default() }));
        }),
        forged(|it| it.charged = i64::MIN),
        forged(|it| it.bid_price = -1),
        forged(|it| it.rate = 0),
        Correction { charged: i64::MAX, ..forged(|_| ()) },
    ];
    let before = player.ledger.clone();
    for (count, correction) in (1..).zip(refused) {
        let entry = player.entry(Input::Correction(correction), false);
        let effects = player.ledger.apply(&entry).unwrap();
        assert_eq!(effects, Effects::default(), "{entry:?}");
        assert_eq!(player.ledger.tally().oddities(Oddity::RefusedCorrection), count, "{entry:?}");
        assert_eq!((&player.ledger.accounts, &player.ledger.corrected), (&before.accounts, &before.corrected));
        // The next one follows the same entry.
        player.ledger.sequence -= 1;
    }
}

#[test]
fn a_correction_says_what_analysts_need() {
    let mut player = Player::new();
    let bill = "bill a L1 300 rate=2000000000 bid=200 expires=300000";
    play(&mut player, &["rules 1", "budget 1000 9000", "wait 86400", "ask 99", bill]);
    let (original, charged) = player.booked[&b'a'].clone();
    assert_eq!((charged, original.above_bid, original.late, original.overdrawn), (100, true, true, true));
    player.now += SECOND;
    let reason = "credit note 7".to_owned();
    let correction = Correction {
        original: Some(Box::new(original.clone())),
        before: 100,
        charged: 33,
        reason,
        ..Correction::default()
    };
    let entry = player.entry(Input::Correction(correction), false);
    let expected = Outcome {
        sequence: entry.sequence,
        kind: OutcomeKind::Correction.into(),
        at: player.now,
        notice_price: Some(66),
        charged: -67,
        above_bid: false,
        late: false,
        overdrawn: false,
        corrects: Some(original.sequence),
        reason: "credit note 7".to_owned(),
        ..original
    };
    assert_eq!(player.ledger.apply(&entry).unwrap().outcomes, [expected]);
}

#[test]
fn what_was_booked_with_fees_is_corrected_by_the_same_fees() {
    check(
        "rules 1
         budget 10000000 100000000
         ask 10000000 => grant L1 10000000
         bill a L1 1000000 bid=2000000 exchange=25000 data=400000 margin=150000 => charge a 1676471 of 1000000 + 25000 + 400000 + 251471, made
         correct a 2882354 => refused_correction
         correct a 2882353 => correction a 1205882 of 1000000 + 25000 + 0 + 180882
         correct a 838236 => correction a -2044117 of -1695122 + -42378 + 0 + -306617
         correct a 838237 => correction a 1 of 1 + 0 + 0 + 0
         correct a 0 => correction a -838237 of -304879 + -7622 + -400000 + -125736
         correct a 300000 => correction a 300000 of 0 + 0 + 300000 + 0
         correct a 400001 => correction a 100001 of 0 + 0 + 100000 + 1
         correct a 470590 => correction a 70589 of 0 + 0 + 0 + 70589
         bill b L1 0 bid=2000000 data=400000 => charge b 400000 of 0 + 0 + 400000 + 0, made
         correct b 2400000 => correction b 2000000 of 2000000 + 0 + 0 + 0
         correct b 2400001 => refused_correction
         settle => settled L1 2076471 [ab]",
    );
}

/// The example of `docs/fees.md`: exchanges know media alone.
#[test]
fn a_correction_says_what_the_exchange_bills_by_it() {
    let mut player = Player::new();
    let fees = "exchange=25000 data=400000 margin=150000 rate=1100000000";
    let bill = format!("bill a L0 5500000 bid=10517072 {fees}");
    play(&mut player, &["budget 100000000 900000000", &bill]);
    assert_eq!(player.booked[&b'a'].1, 6_500_000);
    let mut told = |charged: i64, price: Option<i64>| {
        let (original, before) = player.booked[&b'a'].clone();
        let original = Some(Box::new(original));
        let correction = Correction { original, before, charged, price, ..Correction::default() };
        let entry = player.entry(Input::Correction(correction), false);
        player.booked.get_mut(&b'a').unwrap().1 = charged;
        player.ledger.apply(&entry).unwrap().outcomes[0].notice_price
    };
    assert_eq!(told(5_294_118, None), Some(4_400_000));
    assert_eq!(told(12_000_000, None), Some(10_517_072));
    assert_eq!(told(470_589, None), Some(0), "fees alone");
    assert_eq!(told(0, Some(0)), Some(0));
    assert_eq!(told(5_294_120, Some(4_400_001)), Some(4_400_001), "as the exchange bills it");
    assert_eq!(told(5_294_118, Some(4_400_001)), Some(4_400_000), "which does not come to that");
    assert_eq!(told(12_000_000, Some(99_000_000)), Some(10_517_072));
    let mut player = Player::new();
    play(&mut player, &["budget 1000 9000", "bill a L0 10 bid=10 rate=1100000000"]);
    assert_eq!(player.booked[&b'a'].1, 10);
    let original = Some(Box::new(player.booked[&b'a'].0.clone()));
    let [back, whole] = [(10, 0), (0, 10)].map(|(before, charged)| {
        let correction = Correction { original: original.clone(), before, charged, ..Correction::default() };
        let entry = player.entry(Input::Correction(correction), false);
        player.ledger.apply(&entry).unwrap().outcomes[0].notice_price
    });
    assert_eq!((back, whole), (Some(0), Some(10)), "10 of its currency are worth 11, and no more was bid than 10");
}

/// The multipliers of a campaign and its advertiser, both of which have spent too much, after so many tenths of the first
/// charge were taken back.
#[test]
fn what_is_taken_back_is_no_spend_to_pacing() {
    let multiplier = |correction: &[&str]| {
        let mut player = Player::new();
        let budget = "budget 8640 99999999 pacing=1 all=8640";
        play(&mut player, &["rules 1", budget, "ask 500 demand=100 seconds=10", "tick", "wait 10", "tick"]);
        play(&mut player, &["bill a L1 400", "bill b L1 90", "wait 10", "ask 10 demand=100 seconds=10", "tick"]);
        play(&mut player, correction);
        play(&mut player, &["wait 10", "ask 10 demand=100 seconds=10", "tick"]);
        player.ledger.pacing.multiplier_ppm(CampaignId(1))
    };
    let untouched = multiplier(&[]);
    assert!(untouched.is_some_and(|ppm| (1..1_000_000).contains(&ppm)), "it is paced: {untouched:?}");
    assert_eq!(multiplier(&["correct a 0"]), untouched);
}
