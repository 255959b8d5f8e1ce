//! Corrections, in the same words.

use proto::wire::{Correction, Outcome, OutcomeKind, journal_entry::Input};

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
        "budget 10 100
         ask 10                             => grant L1 10
         bill a L1 8                        => charge a 8, made
         ask 10                             => daily_budget
         correct a 3                        => correction a -5
         correct a 3                        => refused_correction
         correct a 3 before=8               => refused_correction
         ask 10                             => grant L2 5
         correct a 9                        => correction a 6
         ask 10                             => daily_budget
         correct a 0                        => correction a -9
         correct a 1001                     => refused_correction
         correct a -1                       => refused_correction
         ask 10                             => grant L3 3
         settle                             => settled L1 8 [a]
         bill a L1 8                        => repeated",
    );
}

/// Time begins at the noon of day 0.
#[test]
fn a_correction_of_a_day_that_is_closed_counts_today() {
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
         ask 100                            => grant L2 55
         correct b 4                        => correction b -1 on day 2
         wait 86400
         tick                               => day_closed 2 of 1: -16 in 3",
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
        "budget 50 12 campaign=1 all=20
         budget 50 90 campaign=2 all=20
         ask 50 campaign=1                  => grant L1 12
         bill a L1 12 campaign=1            => charge a 12, made
         ask 50 campaign=1                  => total_budget
         ask 50 campaign=2                  => grant L2 8
         ask 50 campaign=2                  => advertiser_budget
         correct a 10                       => correction a -2
         ask 50 campaign=2                  => grant L3 2
         correct a 4                        => correction a -6
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
    play(&mut player, &["rules 1", "budget 1000 9000", "wait 86400", "ask 1000", bill]);
    let (original, charged) = player.booked[&b'a'].clone();
    assert_eq!((charged, original.above_bid), (100, true));
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
        corrects: Some(original.sequence),
        reason: "credit note 7".to_owned(),
        ..original
    };
    assert_eq!(player.ledger.apply(&entry).unwrap().outcomes, [expected]);
}

#[test]
fn what_was_booked_with_fees_is_corrected_in_the_same_proportion() {
    check(
        "rules 1
         budget 10000000 100000000
         ask 10000000 => grant L1 10000000
         bill a L1 1000000 bid=2000000 exchange=25000 data=400000 margin=150000 => charge a 1676471 of 1000000 + 25000 + 400000 + 251471, made
         correct a 838236 => correction a -838235 of -500000 + -12500 + -200000 + -125735
         correct a 0 => correction a -838236 of -500000 + -12500 + -200000 + -125736
         correct a 3352942 => correction a 3352942 of 2000000 + 50000 + 800000 + 502942
         correct a 3352943 => refused_correction",
    );
}
