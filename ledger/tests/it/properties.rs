//! Rules that hold for any input.

use decision::ids::ShardId;
use decision::time::Micros;
use ledger::{Ledger, Oddity};
use proptest::prelude::*;
use proto::wire::{
    CampaignBudget, Fees, JournalEntry, LeaseAsk, LeaseReturn, LocalTime, Notice, NoticeKind, Pacing, Sealed,
    journal_entry::Input, lease_record::Event,
};

fn fold(ledger: &mut Ledger, input: Input) {
    let sequence = ledger.sequence() + 1;
    ledger.apply(&JournalEntry { sequence, epoch: 1, input: Some(input), ..JournalEntry::default() }).unwrap();
    ledger.audit();
}

fn lent(amount: i64) -> Ledger {
    let mut ledger = Ledger::new(ShardId(0));
    let budget = CampaignBudget {
        campaign: 1,
        currency: "EUR".to_owned(),
        daily: amount,
        total: amount,
        until: i64::MAX,
        ..CampaignBudget::default()
    };
    fold(&mut ledger, Input::Budget(budget));
    fold(&mut ledger, Input::Ask(LeaseAsk { node: 1, campaign: 1, ask: 1, amount, demand: 0, demand_us: 0 }));
    ledger
}

fn billing(impression: u8, price: i64) -> Input {
    Input::Notice(Notice {
        kind: NoticeKind::Billing.into(),
        impression: vec![impression; 16],
        billable: true,
        price: Some(price),
        sealed: Some(Sealed { campaign: 1, lease: 2, price: 100, rate: 1_000_000_000, ..Sealed::default() }),
        ..Notice::default()
    })
}

proptest! {
    /// However often and in whatever order billing notices come: each impression is charged once, at its price.
    #[test]
    fn order_and_repetition_do_not_matter(deliveries in prop::collection::vec(0_u8..32, 1..200)) {
        let price = |impression: u8| i64::from(impression) * 3 + 1;
        let mut ledger = lent(1_000_000);
        for impression in &deliveries {
            fold(&mut ledger, billing(*impression, price(*impression)));
        }
        let mut once = deliveries.clone();
        once.sort_unstable();
        once.dedup();
        let spent: i64 = once.iter().map(|impression| price(*impression)).sum();
        prop_assert_eq!(ledger.total().spent, i128::from(spent));
        prop_assert_eq!(ledger.total().late, 0);
    }

    /// Whatever numbers nodes and exchanges send: nothing overflows, and the sums agree.
    #[test]
    fn any_numbers_are_survived(numbers in prop::collection::vec((any::<i64>(), any::<i64>(), any::<i64>()), 1..40)) {
        let mut ledger = lent(i64::MAX);
        for (a, b, c) in numbers {
            let mut notice = billing(a as u8, b);
            if let Input::Notice(Notice { at, sealed: Some(sealed), .. }) = &mut notice {
                *at = c;
                sealed.price = a;
                sealed.rate = c;
                sealed.fees = Some(Fees { exchange_ppm: b as u32 % 2_000_000, data_cpm: c >> (a & 63), margin_ppm: a as u32 >> (b & 31) });
                sealed.expires_at = b;
                sealed.bid_at = a;
            }
            fold(&mut ledger, notice);
            fold(&mut ledger, Input::Ask(LeaseAsk { node: 1, campaign: 1, ask: a.cast_unsigned(), amount: b, demand: c, demand_us: 0 }));
            fold(&mut ledger, Input::Return(LeaseReturn { node: 1, campaign: 1, lease: 2, amount: c }));
            fold(&mut ledger, Input::Tick(proto::wire::Tick {}));
            let budget = CampaignBudget {
                campaign: 1,
                currency: "EUR".to_owned(),
                daily: a,
                total: b,
                from: c,
                until: a,
                advertiser_daily: Some(c),
                pacing: Pacing::FrontLoaded.into(),
                ..CampaignBudget::default()
            };
            fold(&mut ledger, Input::Budget(budget));
        }
        prop_assert!(ledger.tally().oddities(Oddity::Fenced) == 0);
        prop_assert!(ledger.books(Micros(0)).campaigns.len() == 1);
    }
}

/// A campaign that gets another clock in the middle of its day has spent what it has spent.
#[test]
fn another_time_zone_gives_no_budget_back() {
    const HOUR: i64 = 3_600 * 1_000_000;
    for (from, to) in [(0, -8), (-8, 0), (12, -8), (-8, 12)] {
        let clock = |hours: i32| Some(LocalTime { offset_s: hours * 3_600, ..LocalTime::default() });
        let budget = |hours| CampaignBudget {
            campaign: 1,
            currency: "EUR".to_owned(),
            daily: 100,
            total: 1_000,
            until: i64::MAX,
            local_time: clock(hours),
            ..CampaignBudget::default()
        };
        let mut ledger = Ledger::new(ShardId(0));
        let mut fold_at = |input| {
            let (sequence, at) = (ledger.sequence() + 1, 20_000 * 24 * HOUR + 3 * HOUR);
            let entry = JournalEntry { sequence, epoch: 1, at, input: Some(input), ..JournalEntry::default() };
            ledger.apply(&entry).unwrap().leases
        };
        fold_at(Input::Budget(budget(from)));
        fold_at(Input::Ask(LeaseAsk { node: 1, campaign: 1, ask: 1, amount: 60, ..LeaseAsk::default() }));
        let Input::Notice(notice) = billing(7, 60) else { panic!("it is a notice") };
        let at = 20_000 * 24 * HOUR + 3 * HOUR;
        let sealed = notice.sealed.clone().map(|sealed| Sealed { expires_at: at + HOUR, ..sealed });
        fold_at(Input::Notice(Notice { at, sealed, ..notice }));
        fold_at(Input::Budget(budget(to)));
        let granted =
            fold_at(Input::Ask(LeaseAsk { node: 1, campaign: 1, ask: 2, amount: 100, ..LeaseAsk::default() }));
        let Some(Event::Grant(grant)) = &granted[0].event else { panic!("{granted:?}") };
        assert_eq!(grant.amount, 40, "from {from} to {to} hours");
    }
}
