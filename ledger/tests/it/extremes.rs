//! Inputs at the ends of what their fields hold: the wire is not trusted, so none of them may end the ledger.

use decision::ids::ShardId;
use decision::time::Micros;
use ledger::Ledger;
use proto::wire::{
    CampaignBudget, Correction, Fees, JournalEntry, LeaseAsk, LeaseReturn, LedgerPolicy, LocalTime, Notice, NoticeKind,
    OffsetChange, Outcome, Pacing, Sealed, Tick, journal_entry::Input,
};
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

/// Any of the values at which arithmetic breaks, or one that is usual.
fn odd(r: &mut SmallRng, usual: i64) -> i64 {
    const ENDS: [i64; 8] = [i64::MIN, i64::MIN + 1, -1, 0, 1, i64::MAX / 2, i64::MAX - 1, i64::MAX];
    if r.random_bool(0.8) { usual } else { ENDS[r.random_range(0..ENDS.len())] }
}

fn odd_u32(r: &mut SmallRng, usual: u32) -> u32 {
    if r.random_bool(0.8) { usual } else { [0, 1, u32::MAX - 1, u32::MAX][r.random_range(0..4)] }
}

fn notice(r: &mut SmallRng, now: i64, lease: u64) -> Notice {
    let kinds = [NoticeKind::Win, NoticeKind::Billing, NoticeKind::Loss, NoticeKind::View, NoticeKind::Unspecified];
    let sealed = Sealed {
        campaign: odd_u32(r, 1),
        advertiser: odd_u32(r, 1),
        lease: if r.random_bool(0.8) { lease } else { r.random() },
        node: r.random_range(1..3),
        price: odd(r, 1_000_000),
        rate: odd(r, 1_000_000_000),
        bid_at: odd(r, now),
        expires_at: odd(r, now + 3_600_000_000),
        fees: r.random_bool(0.5).then(|| Fees {
            exchange_ppm: odd_u32(r, 25_000),
            data_cpm: odd(r, 100_000),
            margin_ppm: odd_u32(r, 150_000),
        }),
        ..Sealed::default()
    };
    Notice {
        kind: kinds[r.random_range(0..kinds.len())].into(),
        impression: vec![r.random_range(0..20); r.random_range(15..17)],
        at: odd(r, now),
        node: r.random_range(1..3),
        sealed: r.random_bool(0.98).then_some(sealed),
        price: r.random_bool(0.9).then(|| odd(r, 900_000)),
        billable: r.random_bool(0.7),
        ..Notice::default()
    }
}

fn budget(r: &mut SmallRng, now: i64) -> CampaignBudget {
    let change = OffsetChange { at: odd(r, now), offset_s: odd(r, 3_600) as i32 };
    CampaignBudget {
        campaign: odd_u32(r, 1),
        advertiser: odd_u32(r, 1),
        currency: if r.random_bool(0.95) { "EUR".to_owned() } else { String::new() },
        daily: odd(r, 100_000_000),
        total: odd(r, 1_000_000_000),
        from: odd(r, 0),
        until: odd(r, i64::MAX),
        advertiser_daily: r.random_bool(0.5).then(|| odd(r, 50_000_000)),
        pacing: if r.random_bool(0.9) { Pacing::Even.into() } else { r.random() },
        local_time: r.random_bool(0.5).then(|| LocalTime {
            time_zone: "X".to_owned(),
            offset_s: odd(r, 3_600) as i32,
            changes: vec![change],
        }),
        ..CampaignBudget::default()
    }
}

/// A correction of what was booked, and of what it may have been.
fn correction(r: &mut SmallRng, booked: &Outcome) -> Correction {
    let mut original = booked.clone();
    original.sequence = odd(r, booked.sequence as i64) as u64;
    original.campaign = odd_u32(r, booked.campaign);
    original.charged = odd(r, booked.charged);
    original.bid_price = odd(r, booked.bid_price);
    original.rate = odd(r, booked.rate);
    original.at = odd(r, booked.at);
    original.day = odd_u32(r, booked.day);
    if let Some(parts) = &mut original.parts {
        parts.media = odd(r, parts.media);
        parts.margin = odd(r, parts.margin);
    }
    let (before, charged) = (odd(r, original.charged), odd(r, booked.charged / 2));
    Correction { original: Some(Box::new(original)), before, charged, ..Correction::default() }
}

fn input(r: &mut SmallRng, now: i64, lease: u64, asks: &mut u64) -> Input {
    match r.random_range(0..12) {
        0 => Input::Budget(budget(r, now)),
        1 | 2 => {
            *asks += 1;
            let (amount, demand) = (odd(r, 20_000_000), odd(r, 5_000_000));
            let demand_us = if r.random_bool(0.9) { 1_000_000 } else { r.random() };
            Input::Ask(LeaseAsk { node: 1, campaign: odd_u32(r, 1), ask: *asks, amount, demand, demand_us })
        }
        3 => Input::Return(LeaseReturn { node: 1, campaign: odd_u32(r, 1), lease, amount: odd(r, 1_000) }),
        4 => Input::Policy(LedgerPolicy {
            lease_s: odd_u32(r, 30),
            billing_window_s: odd_u32(r, 3_600),
            memory_margin_s: odd_u32(r, 3_600),
            rules: odd_u32(r, 2),
            ..LedgerPolicy::default()
        }),
        5 | 6 => Input::Tick(Tick {}),
        _ => Input::Notice(notice(r, now, lease)),
    }
}

#[test]
fn no_input_ends_the_ledger_and_its_sums_agree_all_the_same() {
    for seed in 0..4_000 {
        let r = &mut SmallRng::seed_from_u64(seed);
        let (mut ledger, mut asks, mut lease) = (Ledger::new(ShardId(0)), 0, 0);
        let mut booked: Option<Outcome> = None;
        let mut now = 20_000 * 86_400_000_000;
        for _ in 0..60 {
            now += r.random_range(0..20_000_000);
            // The clock is the ledger's own: it may jump, also back, and is not at its ends.
            let at = if r.random_bool(0.98) { now } else { now + r.random_range(-5..400) * 86_400_000_000 };
            let first = ledger.sequence() == 0;
            let input = match &booked {
                _ if first => Input::Budget(budget(r, now)),
                Some(booked) if r.random_bool(0.2) => Input::Correction(correction(r, booked)),
                _ => input(r, now, lease, &mut asks),
            };
            let (sequence, settle) = (ledger.sequence() + 1, r.random_bool(0.3));
            let entry = JournalEntry { sequence, epoch: 1, at, input: Some(input), settle, ..JournalEntry::default() };
            let shown = format!("seed {seed}: {entry:?}");
            let applied = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| ledger.apply(&entry)));
            let effects = applied.unwrap_or_else(|_| panic!("{shown}")).expect("the next entry");
            booked = effects.outcomes.iter().rfind(|outcome| outcome.charged > 0).cloned().or(booked);
            lease = effects.leases.iter().filter_map(granted).next_back().unwrap_or(lease);
            let _is_due = ledger.is_tick_due(Micros(odd(r, now)));
        }
        ledger.audit();
        let parts: Vec<_> = ledger.snapshot(0).collect();
        if ledger.is_settled() {
            assert_eq!(Ledger::restore(parts).expect("a whole snapshot").0, ledger, "seed {seed}");
        }
    }
}

fn granted(record: &proto::wire::LeaseRecord) -> Option<u64> {
    match record.event {
        Some(proto::wire::lease_record::Event::Grant(grant)) => Some(grant.lease).filter(|lease| *lease > 0),
        _ => None,
    }
}
