//! What threads do to a lease at once.

use super::*;

#[test]
fn money_is_neither_made_nor_lost_by_threads_that_race() {
    let reservations = Reservations::default();
    let account = Account::new(CampaignId(1));
    let lease =
        Arc::new(Lease::new(&grant(1, 1_000, i64::MAX), Nanos::ZERO, Teller::default(), Arc::default(), Micros(0)));
    account.current.store(Some(Arc::clone(&lease)));
    std::thread::scope(|scope| {
        for thread in 0..4_u8 {
            let (reservations, account) = (&reservations, &account);
            scope.spawn(move || {
                for round in 0..20_000_u32 {
                    let mut id = [thread; 16];
                    id[..4].copy_from_slice(&round.to_le_bytes());
                    if let Some(taken) = account.reserve(Nanos::new(300), Losses::Told, Micros(0)) {
                        assert!(reservations.hold(ImpressionId(id), taken, windows(1)));
                        assert!(account.available(Micros(0)) >= Nanos::ZERO);
                        reservations.release(ImpressionId(id));
                    }
                }
            });
        }
    });
    assert_eq!(account.available(Micros(0)), Nanos::new(1_000));
    assert!(reservations.is_empty());
}

/// What a core puts back while the keeper retires the lease, one of the two hands back; also where the bid held less than its
/// price, so that luck is kept for it.
#[test]
fn what_is_put_back_while_a_lease_is_retired_is_handed_back() {
    for held in [100, 40] {
        race_of_a_loss_and_the_end(Nanos::new(held));
    }
}

fn race_of_a_loss_and_the_end(held: Nanos) {
    const ROUNDS: usize = 100_000;
    const PRICE: Nanos = Nanos::new(100);
    let lease = || Lease::new(&grant(1, 100, i64::MAX), PRICE, Teller::default(), Arc::default(), Micros(0));
    let leases: Vec<Lease> = std::iter::repeat_with(lease).take(ROUNDS).collect();
    assert!(leases.iter().all(|lease| lease.take(held, PRICE, Micros(0))));
    let at = [(); 2].map(|()| std::sync::atomic::AtomicUsize::new(0));
    let race = |me: usize, act: fn(&Lease, Nanos) -> Nanos| -> Vec<i64> {
        let each = leases.iter().enumerate().map(|(round, lease)| {
            // Both cores have read it.
            std::hint::black_box((lease.available(), lease.retired.load(Ordering::Relaxed)));
            at[me].store(round + 1, Ordering::SeqCst);
            let mut spins = 0;
            while at[1 - me].load(Ordering::SeqCst) <= round {
                spins += 1;
                if spins > 2_000 { std::thread::yield_now() } else { std::hint::spin_loop() }
            }
            act(lease, held).get()
        });
        each.collect()
    };
    let lose = |lease: &Lease, held: Nanos| {
        lease.risk_no_more(PRICE.saturating_sub(held));
        lease.put_back(held)
    };
    let (retired, put_back) = std::thread::scope(|scope| {
        let keeper = scope.spawn(|| race(0, |lease, _| lease.retire()));
        let core = scope.spawn(|| race(1, lose));
        (keeper.join().expect("no panic"), core.join().expect("no panic"))
    });
    let stuck = retired.iter().zip(&put_back).filter(|(one, other)| *one + *other != 100).count();
    assert_eq!(stuck, 0, "of {ROUNDS} leases keep money that nobody hands back");
}
