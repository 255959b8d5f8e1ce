//! Corrections: their rules for any input, and what an operator gets of a ledger that runs.

use std::sync::atomic::Ordering;

use decision::ids::ShardId;
use decision::time::Micros;
use event_log::{EventLog, Stream};
use ledger::correct::{Answer, CorrectError, Corrector, State};
use ledger::{Ledger, LedgerHandle, LedgerSettings, Oddity, serve};
use proptest::prelude::*;
use proto::wire::{
    CampaignBudget, Correction, JournalEntry, LedgerPolicy, Notice, NoticeKind, Outcome, OutcomeKind, Sealed, Tick,
    journal_entry::Input,
};

use crate::machine::{Machine, NOON, SECOND, append_all, ask, campaign, runtime, win};

const DAY: i64 = 86_400 * SECOND;

fn fold(ledger: &mut Ledger, at: i64, input: Input) -> Vec<Outcome> {
    let (sequence, input) = (ledger.sequence() + 1, Some(input));
    let outcomes = ledger.apply(&JournalEntry { sequence, epoch: 1, at, input, ..JournalEntry::default() }).unwrap();
    ledger.audit();
    outcomes.outcomes
}

/// Books with a charge of 40 for each of these impressions, and the outcomes of those.
fn charged(impressions: u8, at: i64) -> (Ledger, Vec<Outcome>) {
    let mut ledger = Ledger::new(ShardId(0));
    fold(&mut ledger, at, Input::Policy(LedgerPolicy { rules: 1, memory_margin_s: 3_600, ..LedgerPolicy::default() }));
    let currency = "EUR".to_owned();
    fold(&mut ledger, at, Input::Budget(CampaignBudget { campaign: 1, currency, ..CampaignBudget::default() }));
    let sealed = Sealed { campaign: 1, price: 100, rate: 1_000_000_000, expires_at: at, ..Sealed::default() };
    let notice = |impression| Notice {
        kind: NoticeKind::Billing.into(),
        impression: vec![impression; 16],
        at,
        price: Some(40),
        billable: true,
        sealed: Some(sealed.clone()),
        ..Notice::default()
    };
    let outcomes = (0..impressions).flat_map(|impression| fold(&mut ledger, at, Input::Notice(notice(impression))));
    let outcomes = outcomes.collect();
    (ledger, outcomes)
}

proptest! {
    /// In whatever order corrections come, on whatever days, repeated or by somebody who does not know the last one: every
    /// impression comes to what the last one said that knew, days and all add up, and so do books from a snapshot.
    #[test]
    fn an_impression_comes_to_its_last_correction(
        asked in prop::collection::vec((0_u8..6, -5_i64..=110, any::<bool>(), 0_i64..DAY), 1..60),
    ) {
        let (mut ledger, originals) = charged(6, NOON);
        let (mut present, mut refused, mut at) = ([40_i64; 6], 0, NOON);
        let mut published = originals.clone();
        for (place, (impression, charged, knows, later)) in asked.iter().enumerate() {
            at += later;
            let comes_to = &mut present[usize::from(*impression)];
            let before = if *knows { *comes_to } else { *comes_to + 1 };
            let original = Some(Box::new(originals[usize::from(*impression)].clone()));
            let correction = Correction { original, before, charged: *charged, ..Correction::default() };
            let is_booked = *knows && (0..=100).contains(charged) && before != *charged;
            let outcomes = fold(&mut ledger, at, Input::Correction(correction.clone()));
            let again = fold(&mut ledger, at, Input::Correction(correction));
            prop_assert_eq!((outcomes.len(), again.len()), (usize::from(is_booked), 0));
            refused += 1 + u64::from(!is_booked);
            if is_booked {
                *comes_to = *charged;
            }
            published.extend(outcomes);
            published.extend(fold(&mut ledger, at, Input::Tick(Tick {})));
            if place == asked.len() / 2 {
                let restored = Ledger::restore(ledger.snapshot(0)).unwrap().0;
                prop_assert_eq!(&restored, &ledger);
                ledger = restored;
            }
        }
        let sums = ledger.total();
        prop_assert_eq!(sums.spent, present.iter().map(|amount| i128::from(*amount)).sum());
        prop_assert_eq!(sums.corrected, sums.spent - 240);
        prop_assert_eq!(ledger.tally().oddities(Oddity::RefusedCorrection), refused);
        published.extend(fold(&mut ledger, at + 2 * DAY, Input::Tick(Tick {})));
        for closed in published.iter().filter(|outcome| outcome.kind() == OutcomeKind::DayClosed) {
            let of_day = published.iter().filter(|outcome| outcome.day == closed.day && outcome.closed.is_none());
            let charges: Vec<i64> = of_day.map(|outcome| outcome.charged).collect();
            let said = closed.closed.unwrap();
            prop_assert_eq!((said.charges, said.charged), (charges.len() as u64, charges.iter().sum()));
        }
        let closed: i64 = published.iter().filter_map(|outcome| Some(outcome.closed?.charged)).sum();
        prop_assert_eq!(i128::from(closed), sums.spent, "every day is closed by now");
    }
}

/// Lets the ledger serve while an operator corrects.
fn correcting(machine: &Machine, files: &[&str]) -> Vec<Result<Answer, CorrectError>> {
    let log = machine.open();
    let now = Micros(machine.now.load(Ordering::Relaxed));
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let shutdown = async move { drop(stopped.await) };
    let service = serve(log.clone(), LedgerSettings::default(), move || now, LedgerHandle::default(), shutdown);
    let corrected = async {
        let corrector = Corrector::new(EventLog::clone(&log));
        let mut all = Vec::new();
        for file in files {
            all.push(corrector.correct(file.as_bytes(), "ann", now).await);
        }
        stop.send(()).unwrap();
        all
    };
    let (served, corrected) = runtime().block_on(async { tokio::join!(service, corrected) });
    served.unwrap();
    log.close();
    corrected
}

fn booked() -> Machine {
    let machine = Machine::new();
    machine.append(Stream::Campaigns, vec![campaign(1)]);
    machine.append(Stream::Leases, vec![ask(1, 700)]);
    machine.run().unwrap();
    let lease = machine.grants()[0].lease;
    machine.append(Stream::Notices, (0..5).map(|i| win(i, lease, 40)).collect());
    machine.run().unwrap();
    machine
}

fn id(impression: u8) -> String {
    format!("{impression:02x}").repeat(16)
}

/// A file with impressions and what they are to come to.
fn file(lines: &[(u8, &str)]) -> String {
    let lines: String =
        lines.iter().map(|(impression, nanos)| format!("{},{nanos}e-9,credit\n", id(*impression))).collect();
    format!("impression,charged,reason\n{lines}")
}

fn states(corrected: &Result<Answer, CorrectError>) -> Vec<(i64, i64, State)> {
    let corrected = corrected.as_ref().unwrap().corrected.iter();
    corrected.map(|one| (one.before.get(), one.charged.get(), one.state)).collect()
}

#[test]
fn a_file_is_booked_once_and_after_restarts_too() {
    let machine = booked();
    let all = correcting(&machine, &[&file(&[(1, "0"), (2, "40"), (3, "25")]), &file(&[(1, "0"), (3, "30")])]);
    assert_eq!(states(&all[0]), [(40, 0, State::Booked), (40, 40, State::Unchanged), (40, 25, State::Booked)]);
    assert_eq!(states(&all[1]), [(0, 0, State::Unchanged), (25, 30, State::Booked)]);
    // Years later nothing is remembered of the impressions.
    machine.now.fetch_add(1_000 * DAY, Ordering::Relaxed);
    let again = correcting(&machine, &[&file(&[(1, "0"), (3, "30")]), &file(&[(3, "0"), (1, "1")])]);
    assert_eq!(states(&again[0]), [(0, 0, State::Unchanged), (30, 30, State::Unchanged)]);
    assert_eq!(states(&again[1]), [(30, 0, State::Booked), (0, 1, State::Booked)]);
    let outcomes: Vec<Outcome> = machine.decoded(Stream::Outcomes);
    let corrections = outcomes.iter().filter(|outcome| outcome.kind() == OutcomeKind::Correction);
    let told: Vec<(u8, i64)> = corrections.clone().map(|it| (it.impression[0], it.charged)).collect();
    assert_eq!(told, [(1, -40), (3, -15), (3, 5), (3, -30), (1, 1)]);
    assert!(corrections.clone().all(|it| it.reason == "credit" && it.campaign_currency == "EUR"));
    let books = machine.run().unwrap().books(Micros(NOON));
    let sums = books.campaigns[0].sums;
    assert_eq!((sums.charged + sums.late, sums.corrected, sums.spent), (200, -79, 121));
    assert_eq!(outcomes.iter().map(|outcome| i128::from(outcome.charged)).sum::<i128>(), sums.spent);
    assert_eq!(books.tally.oddities(Oddity::RefusedCorrection), 0);
}

#[test]
fn nothing_of_a_file_is_asked_for_where_anything_is_wrong() {
    let machine = booked();
    let wrong = file(&[(1, "0"), (9, "0"), (2, "101"), (3, "100")]);
    let [refused] = &correcting(&machine, &[&wrong])[..] else { panic!("one answer") };
    let said = refused.as_ref().unwrap_err().to_string();
    let expected = "line 3, column impression: nothing was booked for it\n\
                    line 4, column charged: must be at most 0.0000001 EUR, the whole bid, not `0.000000101`";
    assert_eq!(said, expected);
    assert!(matches!(correcting(&machine, &["x"])[..], [Err(CorrectError::Mistakes(_))]));
    assert_eq!(machine.run().unwrap().books(Micros(NOON)).campaigns[0].sums.corrected, 0);
    let log = machine.open();
    for by in ["", "a\nb", &"x".repeat(257)] {
        let unnamed = runtime().block_on(Corrector::new(EventLog::clone(&log)).correct(b"", by, Micros(NOON)));
        assert!(matches!(unnamed, Err(CorrectError::By)), "{by}");
    }
    log.close();
}

#[test]
fn what_two_outcomes_booked_is_not_corrected() {
    let machine = booked();
    let twice = machine.records(Stream::Outcomes).into_iter().find(|(_, value)| {
        let outcome: Outcome = proto::record::decode(value).unwrap();
        outcome.kind() == OutcomeKind::Charge
    });
    machine.append(Stream::Outcomes, vec![twice.unwrap()]);
    let log = machine.open();
    let asked = Corrector::new(EventLog::clone(&log));
    let refused = runtime().block_on(asked.correct(file(&[(0, "0")]).as_bytes(), "ann", Micros(NOON)));
    let said = refused.unwrap_err().to_string();
    assert_eq!(said, "line 2, column impression: was booked more than once: nobody can tell which is meant");
    log.close();
}

/// Two operators who ask for the same, as two processes may: both requests are in the stream, and one is booked.
#[test]
fn the_same_request_twice_is_booked_once() {
    let machine = booked();
    let all = correcting(&machine, &[&file(&[(1, "7")])]);
    assert_eq!(states(&all[0]), [(40, 7, State::Booked)]);
    let request = machine.records(Stream::Leases).into_iter().rfind(|(_, value)| {
        let record: proto::wire::LeaseRecord = proto::record::decode(value).unwrap();
        matches!(record.event, Some(proto::wire::lease_record::Event::Correction(_)))
    });
    let log = machine.open();
    append_all(&log, Stream::Leases, vec![request.clone().unwrap(), request.unwrap()]);
    log.close();
    let books = machine.run().unwrap().books(Micros(NOON));
    assert_eq!((books.campaigns[0].sums.corrected, books.tally.oddities(Oddity::RefusedCorrection)), (-33, 2));
}

#[test]
fn what_was_booked_with_a_crash_before_it_was_published_is_published_once() {
    let whole = booked();
    correcting(&whole, &[&file(&[(1, "0"), (3, "25")])]);
    let outcomes = whole.records(Stream::Outcomes);
    for cut in 0..3 {
        let machine = Machine::new();
        let log = machine.open();
        for stream in [Stream::Campaigns, Stream::Notices, Stream::Leases, Stream::LedgerJournal] {
            append_all(&log, stream, whole.all(stream));
        }
        append_all(&log, Stream::Outcomes, outcomes[..outcomes.len() - cut].to_vec());
        log.close();
        machine.run().unwrap();
        assert_eq!(machine.records(Stream::Outcomes), outcomes, "{cut} are missing");
    }
}
