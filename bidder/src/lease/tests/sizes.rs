//! How much is asked for, how often, and what many bids take.

use std::collections::BTreeMap;

use super::*;

/// An hour of a node with one campaign, whom the ledger answers at once with leases of `lease_s` seconds; with 0 it lends
/// nothing, with -1 it is silent. A bid wants money in each second of `bids`. There are at most so many asks and returns.
fn check_calm(lease_s: i64, bids: std::ops::Range<i64>, most: usize) {
    let account = Arc::new(Account::new(CampaignId(1)));
    let mut keeper = Keeper::new(NodeId(1), Arc::default());
    let mut said = 0;
    for tick in 0..36_000 {
        let now = Micros(tick * SECOND / 10);
        if tick % 10 == 0 && bids.contains(&(tick / 10)) {
            account.reserve(Nanos::new(1), Losses::Told, now);
        }
        let records = look(&mut keeper, now, &[want(&account)]);
        said += records.len();
        if lease_s >= 0 && records.iter().any(|record| matches!(record.event, Some(Event::Ask(_)))) {
            let lease = if lease_s > 0 { said as u64 } else { 0 };
            let event = Some(Event::Grant(grant(lease, 100, now.plus_seconds(lease_s).0)));
            keeper.take(PARTITION, &LeaseRecord { at: now.0, event, ..LeaseRecord::default() }, now);
        }
    }
    assert!(said <= most, "{said} records with leases of {lease_s} s and bids in {bids:?}");
}

#[test]
fn an_idle_node_is_calm_whatever_the_length_of_leases() {
    for lease_s in [-1, 0, 1, 2, 4, 5, 6, 8, 12, 20, 30, 60, 3_600, 86_400] {
        // An ask and a return every twenty seconds, and a few more at the start.
        let idle = 2 * 3_600 / 20 + 8;
        check_calm(lease_s, 0..0, idle);
        // While somebody bids one more for each tick at which the lease may be due; then it is as calm again.
        check_calm(lease_s, 100..160, idle + 60 * 2 + 8);
    }
}

#[test]
fn the_room_of_many_bids_is_given_back_after_them() {
    let (reservations, account) = (Arc::new(Reservations::default()), Arc::new(Account::new(CampaignId(1))));
    let mut keeper = Keeper::new(NodeId(1), Arc::clone(&reservations));
    look(&mut keeper, Micros(0), &[want(&account)]);
    keeper.take(
        PARTITION,
        &LeaseRecord { event: Some(Event::Grant(grant(1, 200_000, 999 * SECOND))), ..LeaseRecord::default() },
        Micros(0),
    );
    let bid = |number: u64, deadline: i64| {
        let taken = account.reserve(Nanos::new(1), Losses::Told, Micros(0)).expect("enough money");
        let mut id = [0; 16];
        id[..8].copy_from_slice(&number.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes());
        assert!(reservations.hold(ImpressionId(id), taken, windows(deadline)));
    };
    (0..100_000).for_each(|number| bid(number, 60));
    (100_000..101_000).for_each(|number| bid(number, 120));
    let most = reservations.room();
    assert!(most >= 101_000);
    reservations.release_due(Teller::default(), Micros(60 * SECOND));
    assert_eq!(reservations.len(), 1_000);
    assert!(reservations.room() <= 8 * 1_000 + 64 * 256, "{most}, then {}", reservations.room());
    reservations.release_due(Teller::default(), Micros(120 * SECOND));
    assert!(reservations.is_empty() && account.available(Micros(0)) == Nanos::new(200_000));
}

/// A minute of ten bids a second at 40, of which every fifth is won and charged 30 two seconds later, the others are lost
/// within a second; then the ledger is silent for as long as a lease lasts.
#[test]
fn a_lease_is_large_enough_to_bid_on_until_its_end() {
    const LEASE_S: i64 = 30;
    let (reservations, account) = (Arc::new(Reservations::default()), Arc::new(Account::new(CampaignId(1))));
    let mut keeper = Keeper::new(NodeId(1), Arc::clone(&reservations));
    let want = Wanted { ask_max: Nanos::new(1_000_000), ..want(&account) };
    let (mut bids, mut charged, mut until, mut refused, mut asked) = (Vec::new(), BTreeMap::new(), 0, 0, 0);
    for tenth in 0..(60 + LEASE_S) * 10 {
        let now = Micros(tenth * SECOND / 10);
        let is_away = tenth >= 600;
        for record in look(&mut keeper, now, std::slice::from_ref(&want)) {
            if let (Some(Event::Ask(ask)), false) = (record.event, is_away) {
                (until, asked) = (now.plus_seconds(LEASE_S).0, ask.amount);
                let grant = grant(tenth as u64 + 1, ask.amount, until);
                let event = Some(Event::Grant(grant));
                keeper.take(PARTITION, &LeaseRecord { event, ..LeaseRecord::default() }, now);
            }
        }
        let id = ImpressionId([(tenth / 256) as u8, tenth as u8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        let taken = account.reserve(Nanos::new(40), Losses::Told, now);
        refused += i32::from(taken.is_none() && now.0 < until);
        if let Some(taken) = taken {
            let number = taken.lease.id;
            assert!(reservations.hold(id, taken, windows(tenth / 10 + 60)));
            bids.push((tenth, id, number));
        }
        bids.retain(|(at, id, lease)| {
            let is_won = at % 5 == 0;
            let is_over = tenth >= at + if is_won { 20 } else { 7 };
            if is_over && is_won {
                let sum = charged.entry(*lease).or_insert(0);
                *sum += 30;
                let settled = LeaseSettled { impressions: vec![id.0.to_vec()], ..settled(lease.0 as i64, *sum) };
                if !is_away {
                    let event = Some(Event::Settled(settled));
                    keeper.take(PARTITION, &LeaseRecord { event, ..LeaseRecord::default() }, now);
                }
            } else if is_over {
                reservations.release(*id);
            }
            !is_over
        });
    }
    assert!(until >= 65 * SECOND, "the last lease ends at {until}");
    assert!(refused <= 10, "{refused} bids found no money before the lease's end");
    // 60 a second are spent, and 7 losing bids and 4 winning ones hold 40 each. It is no more than what is needed with room.
    let needed = 60 * LEASE_S + 11 * 40;
    assert!(
        (2 * needed..4 * needed).contains(&asked),
        "the last lease was asked for with {asked}, needed are {needed}"
    );
}
