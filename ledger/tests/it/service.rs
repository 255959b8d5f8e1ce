//! The service on a real log in a directory, restarted and killed in every state it can leave behind.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use decision::time::Micros;
use event_log::{KeyValue, Offsets, Stream};
use ledger::{Charge, LedgerHandle, LedgerSettings, ServeError, serve};
use proto::record::decode;
use proto::wire::{
    Campaign, CampaignStop, CampaignsRecord, JournalEntry, LeaseRecord, LeaseReturn, Outcome, campaigns_record::Change,
    journal_entry::Input, lease_record::Event,
};

use crate::machine::*;

#[test]
fn notices_are_charged_once_over_restarts() {
    let machine = Machine::new();
    machine.append(Stream::Campaigns, vec![campaign(1)]);
    machine.append(Stream::Leases, vec![ask(1, 700), ask(2, 700)]);
    machine.run().unwrap();
    let grants = machine.grants();
    assert_eq!(grants.iter().map(|grant| grant.amount).collect::<Vec<_>>(), [700, 300]);
    let lease = grants[0].lease;
    let notices = |range: std::ops::Range<u8>| range.map(|i| win(i, lease, i64::from(i))).collect::<Vec<_>>();
    for range in [0..5, 0..10, 5..10, 3..20] {
        machine.append(Stream::Notices, notices(range));
        machine.run().unwrap();
        machine.run().unwrap();
    }
    assert_eq!(machine.outcomes(), once_each(i64::from, 0..20));
    let settled: Vec<u8> = machine.settled().iter().flat_map(|s| &s.impressions).map(|i| i[0]).collect();
    assert_eq!(settled, (0..20).collect::<Vec<u8>>());
    assert_eq!(machine.settled().last().unwrap().charged, 190);

    let handle = machine.run().unwrap();
    let books = handle.books(Micros(NOON));
    assert!(handle.caught_up(Micros(NOON)));
    assert_eq!(books.campaigns.len(), 1);
    assert_eq!((books.campaigns[0].name.as_str(), books.campaigns[0].spent_today), ("campaign 1", 190));
    assert_eq!(books.campaigns[0].sums.outstanding, 810);
    assert_eq!((books.tally.charges(Charge::Made), books.tally.charges(Charge::Repeated)), (20, 17));
    assert_eq!((books.epoch, books.open_leases, books.impressions_remembered), (10, 2, 20));
    assert_eq!(handle.books(Micros(NOON + 86_400 * SECOND)).campaigns[0].spent_today, 0);
}

/// An older program folded the first notices, and what it published says nothing of days.
#[test]
fn a_closed_day_is_the_sum_of_what_says_that_it_counts_on_it_after_an_upgrade_too() {
    let before = Machine::new();
    before.append(Stream::Campaigns, vec![campaign(1)]);
    before.append(Stream::Leases, vec![ask(1, 500)]);
    before.run().unwrap();
    let lease = before.grants()[0].lease;
    before.append(Stream::Notices, vec![win(1, lease, 50), win(2, lease, 60)]);
    before.run().unwrap();
    let older = |mut entry: JournalEntry| {
        if let Some(Input::Policy(policy)) = &mut entry.input {
            policy.rules = 0;
        }
        record(&entry)
    };
    let machine = Machine::new();
    for stream in [Stream::Campaigns, Stream::Leases, Stream::Notices] {
        machine.append(stream, before.records(stream));
    }
    machine.append(Stream::LedgerJournal, before.decoded(Stream::LedgerJournal).into_iter().map(older).collect());
    let outcomes = before.decoded::<Outcome>(Stream::Outcomes).into_iter();
    machine.append(Stream::Outcomes, outcomes.map(|outcome| record(&Outcome { day: 0, ..outcome })).collect());
    machine.append(Stream::Notices, vec![win(3, lease, 70)]);
    machine.run().unwrap();
    machine.now.fetch_add(2 * 86_400 * SECOND, Ordering::Relaxed);
    machine.run().unwrap();
    let all = machine.decoded::<Outcome>(Stream::Outcomes);
    let closed: Vec<_> = all.iter().filter_map(|outcome| Some((outcome.day, outcome.closed?.charged))).collect();
    assert_eq!(closed, [(20_000, 70)]);
    assert_eq!(all.iter().filter(|outcome| outcome.day == 20_000).map(|outcome| outcome.charged).sum::<i64>(), 70);
}

#[test]
fn time_closes_leases_and_an_idle_journal_does_not_grow() {
    let machine = Machine::new();
    machine.append(Stream::Campaigns, vec![campaign(1)]);
    machine.append(Stream::Leases, vec![ask(1, 700)]);
    machine.run().unwrap();
    assert_eq!(machine.run().unwrap().books(Micros(NOON)).open_leases, 1);
    machine.now.fetch_add(3_630 * SECOND, Ordering::Relaxed);
    assert_eq!(machine.run().unwrap().books(Micros(NOON)).open_leases, 0);
    let [settled] = &machine.settled()[..] else { panic!("one lease was closed") };
    assert_eq!((settled.charged, settled.closed, settled.node), (0, true, 1));
    let before = machine.records(Stream::LedgerJournal).len();
    machine.now.fetch_add(86_400 * SECOND, Ordering::Relaxed);
    machine.run().unwrap();
    let journal: Vec<JournalEntry> = machine.decoded(Stream::LedgerJournal);
    assert_eq!(journal.len(), before + 1);
    assert!(matches!(journal.last().unwrap().input, Some(Input::Policy(_))));
    assert!(journal.iter().zip(1..).all(|(entry, sequence)| entry.sequence == sequence));
}

#[test]
fn it_says_how_far_it_has_read_to_nodes_while_it_lends_and_to_analysts_now_and_then() {
    let machine = Machine::new();
    let wait = |seconds: i64| machine.now.fetch_add(seconds * SECOND, Ordering::Relaxed);
    machine.append(Stream::Campaigns, vec![campaign(1)]);
    machine.run().unwrap();
    assert_eq!((machine.read(Stream::Leases), machine.read(Stream::Outcomes)), (vec![0], vec![0]));
    for stream in [Stream::Leases, Stream::Outcomes] {
        let first = machine.all(stream).first().and_then(|(_, value)| watermark(stream, value));
        assert_eq!(first, Some((0, 1)), "{stream}: before anything is read it is said where the run begins");
    }
    machine.append(Stream::Leases, vec![ask(1, 700)]);
    wait(5);
    machine.run().unwrap();
    wait(3_630);
    machine.run().unwrap();
    for stream in [Stream::Leases, Stream::Outcomes] {
        assert_eq!(machine.read(stream), [0, 5, 3_635], "each run says it once at least");
    }
    // What is said stands behind what follows from what was read.
    machine.append(Stream::Leases, vec![ask(2, 700)]);
    machine.run().unwrap();
    let lease = machine.grants()[1].lease;
    machine.append(Stream::Notices, vec![win(1, lease, 50)]);
    machine.run().unwrap();
    let last = machine.records(Stream::LedgerJournal).len() as u64;
    for stream in [Stream::Leases, Stream::Outcomes] {
        let said = machine.all(stream).last().and_then(|(_, value)| watermark(stream, value));
        assert_eq!(said, Some((NOON + 3_635 * SECOND, last)), "{stream}");
    }
    let is_read = |stream| machine.all(stream).iter().map(|(_, value)| read_until(stream, value).is_some()).collect();
    let [leases, outcomes]: [Vec<bool>; 2] = [Stream::Leases, Stream::Outcomes].map(is_read);
    assert!(leases.ends_with(&[false, true, false, true, true, false, true]), "an ask, a grant, a charge: {leases:?}");
    assert!(outcomes.ends_with(&[true, true, true, false, false, true]), "a win and its charge: {outcomes:?}");
}

#[test]
fn what_a_node_hands_back_is_lent_again() {
    let machine = Machine::new();
    machine.append(Stream::Campaigns, vec![campaign(1)]);
    machine.append(Stream::Leases, vec![ask(1, 1_000)]);
    machine.run().unwrap();
    let back = LeaseReturn { node: 1, campaign: 1, lease: machine.grants()[0].lease, amount: 1_000 };
    machine.append(Stream::Leases, vec![lease_record(Event::Return(back)), ask(2, 400)]);
    machine.run().unwrap();
    assert_eq!(machine.grants()[1].amount, 400);
}

/// The streams of a machine whose ledger was never killed. All asks come before anything the ledger publishes.
fn undisturbed() -> Machine {
    let machine = Machine::new();
    machine.append(Stream::Campaigns, vec![campaign(1)]);
    machine.append(Stream::Leases, vec![ask(1, 300), ask(2, 300), ask(3, 1_000)]);
    machine.run().unwrap();
    let leases: Vec<u64> = machine.grants().iter().map(|grant| grant.lease).collect();
    for range in [0..4, 4..5, 2..9] {
        let notices = range.map(|i: u8| win(i, leases[usize::from(i % 3)], 10 + i64::from(i))).collect();
        machine.append(Stream::Notices, notices);
        machine.run().unwrap();
    }
    machine.now.fetch_add(3_630 * SECOND, Ordering::Relaxed);
    machine.run().unwrap();
    machine
}

/// The same machine, killed when only so many records of the streams were written.
fn killed(whole: &Machine, journal: usize, outcomes: usize, leases: usize) -> Machine {
    let machine = Machine::new();
    machine.now.store(whole.now.load(Ordering::Relaxed), Ordering::Relaxed);
    let log = machine.open();
    for (stream, kept) in [
        (Stream::Campaigns, usize::MAX),
        (Stream::Notices, usize::MAX),
        (Stream::LedgerJournal, journal),
        (Stream::Outcomes, outcomes),
        (Stream::Leases, leases),
    ] {
        // What says how far it has read stands between them, does not count, and is not said before it is journalled.
        let mut count = 0;
        let is_kept = |(_, value): &KeyValue| {
            let said = watermark(stream, value);
            count += usize::from(said.is_none());
            count <= kept && said.is_none_or(|(_, last)| last <= journal as u64)
        };
        let records: Vec<KeyValue> = whole.all(stream).into_iter().take_while(is_kept).collect();
        if !records.is_empty() {
            append_all(&log, stream, records);
        }
    }
    log.close();
    machine
}

#[test]
fn killed_while_publishing_it_publishes_the_rest() {
    let whole = undisturbed();
    let (journal, outcomes, leases) =
        (whole.records(Stream::LedgerJournal), whole.records(Stream::Outcomes), whole.records(Stream::Leases));
    let asks = 3;
    let cuts = (0..=outcomes.len()).map(|cut| (cut, leases.len()));
    let cuts = cuts.chain((asks..=leases.len()).map(|cut| (outcomes.len(), cut)));
    for (kept_outcomes, kept_leases) in cuts.chain([(0, asks), (7, asks + 4)]) {
        let machine = killed(&whole, journal.len(), kept_outcomes, kept_leases);
        machine.run().unwrap();
        assert_eq!(machine.records(Stream::Outcomes), outcomes, "{kept_outcomes} outcomes, {kept_leases} leases");
        assert_eq!(machine.records(Stream::Leases), leases, "{kept_outcomes} outcomes, {kept_leases} leases");
    }
}

#[test]
fn killed_anywhere_in_its_journal_it_charges_the_rest_once() {
    let whole = undisturbed();
    let journal: Vec<JournalEntry> = whole.decoded(Stream::LedgerJournal);
    // Effects are published after their entry is journalled: those of entries up to `published` are there.
    let effects_until = |stream, published: u64| match stream {
        Stream::Outcomes => {
            whole.decoded::<Outcome>(stream).iter().filter(|outcome| outcome.sequence <= published).count()
        }
        _ => whole.decoded::<LeaseRecord>(stream).iter().filter(|record| record.sequence <= published).count(),
    };
    for kept in 0..=journal.len() {
        for published in [kept.saturating_sub(5), kept] {
            let outcomes = effects_until(Stream::Outcomes, published as u64);
            let leases = effects_until(Stream::Leases, published as u64);
            let machine = killed(&whole, kept, outcomes, leases);
            machine.run().unwrap();
            let mut shown = machine.outcomes();
            shown.sort_unstable_by_key(|(kind, impression, _)| (*impression, *kind as i32));
            // Leases are named by journal entries: those granted anew have other names, and charges to the old ones
            // are late, but there all the same.
            assert_eq!(shown, once_each(|i| 10 + i64::from(i), 0..9), "{kept} entries, effects of {published}");
            let mut settled: Vec<u8> = machine.settled().iter().flat_map(|s| &s.impressions).map(|i| i[0]).collect();
            settled.sort_unstable();
            let twice = settled.windows(2).any(|pair| pair[0] == pair[1]);
            assert!(!twice, "{kept} entries, effects of {published}: {settled:?}");
        }
    }
}

#[test]
fn the_last_published_effects_are_found_however_far_back_they_are() {
    let machine = Machine::new();
    machine.append(Stream::Campaigns, vec![campaign(1), campaign(2)]);
    // More leases than are looked at first, closed by one tick, and so of one journal entry.
    machine.append(Stream::Leases, (0..1_200).map(|i| ask_of(1 + i % 2, 1 + u64::from(i), 1)).collect());
    machine.run().unwrap();
    machine.now.fetch_add(3_630 * SECOND, Ordering::Relaxed);
    machine.run().unwrap();
    assert_eq!((machine.grants().len(), machine.settled().len()), (1_200, 1_200));
    // Then many records of nodes that nothing follows from.
    machine.append(Stream::Leases, (0..3_000).map(|_| ask(1, 0)).collect());
    for _ in 0..2 {
        machine.run().unwrap();
        assert_eq!((machine.grants().len(), machine.settled().len()), (1_200, 1_200));
    }
}

#[test]
fn effects_without_their_journal_are_refused() {
    let whole = undisturbed();
    let outcomes = whole.records(Stream::Outcomes).len();
    let error = killed(&whole, 8, outcomes, 3).run().unwrap_err();
    assert!(matches!(error, ServeError::Behind { stream: Stream::Outcomes, sequence: 8, .. }), "{error}");
}

#[test]
fn money_records_that_are_not_understood_stop_the_ledger() {
    for stream in [Stream::Notices, Stream::Leases] {
        let machine = Machine::new();
        machine.append(stream, vec![(Vec::new(), vec![99, 1, 2])]);
        let error = machine.run().unwrap_err();
        assert!(error.to_string().contains("record 0 of"), "{error}");
    }
}

#[test]
fn a_campaign_record_that_is_not_understood_stops_that_campaign() {
    let stopped = |machine: &Machine| -> Vec<bool> {
        machine.run().unwrap().books(Micros(NOON)).campaigns.iter().map(|campaign| campaign.stopped).collect()
    };
    let machine = Machine::new();
    machine.append(Stream::Campaigns, vec![campaign(1), campaign(2), (b"campaign/2".to_vec(), vec![99])]);
    assert_eq!(stopped(&machine), [false, true]);
    machine.append(Stream::Campaigns, vec![(b"segment/1".to_vec(), vec![99]), campaign(2)]);
    assert_eq!(stopped(&machine), [false, false]);
    let nobody_pays = Campaign { id: 2, ..Campaign::default() };
    let change = Some(Change::Campaign(nobody_pays));
    machine.append(Stream::Campaigns, vec![record(&CampaignsRecord { change, ..CampaignsRecord::default() })]);
    assert_eq!(stopped(&machine), [false, true]);
    let change = Some(Change::Stop(CampaignStop { campaign: 1, ..CampaignStop::default() }));
    machine.append(Stream::Campaigns, vec![record(&CampaignsRecord { change, ..CampaignsRecord::default() })]);
    assert_eq!(stopped(&machine), [true, true]);
}

#[test]
fn while_it_runs_it_answers_asks_and_charges() {
    let machine = Machine::new();
    let (log, now, handle) = (machine.open(), Arc::clone(&machine.now), LedgerHandle::default());
    assert!(!handle.caught_up(Micros(NOON)));
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let clock = move || Micros(now.load(Ordering::Relaxed));
    let shutdown = async move { drop(stopped.await) };
    let service = serve(log.clone(), LedgerSettings::default(), clock, handle.clone(), shutdown);
    let client = async {
        let (campaign_key, campaign_value) = campaign(1);
        log.append(Stream::Campaigns, campaign_key, campaign_value).await.unwrap();
        let mut leases = log.read_from(Stream::Leases, &Offsets::default());
        let mut outcomes = log.read_from(Stream::Outcomes, &Offsets::default());
        for number in 1.. {
            // The ledger may not have heard of the campaign yet.
            let (ask_key, ask_value) = ask(number, 500);
            log.append(Stream::Leases, ask_key, ask_value).await.unwrap();
            let answer = loop {
                let records = leases.next().await.unwrap();
                let mut grants = records.iter().filter_map(|record| grant(decode(&record.value).unwrap()));
                if let Some(answer) = grants.next_back() {
                    break answer;
                }
            };
            if answer.lease > 0 {
                let (notice_key, notice_value) = win(7, answer.lease, 42);
                log.append(Stream::Notices, notice_key, notice_value).await.unwrap();
                break;
            }
        }
        let mut shown = Vec::new();
        while !shown.iter().any(|record: &event_log::Record| decode::<Outcome>(&record.value).unwrap().charged == 42) {
            shown.extend(outcomes.next().await.unwrap());
        }
        stop.send(()).unwrap();
    };
    let (served, ()) = runtime().block_on(async { tokio::join!(service, client) });
    served.unwrap();
    assert!(handle.caught_up(Micros(NOON)));
    // Nobody has looked since.
    assert_eq!(handle.behind(Micros(NOON + 5 * SECOND)), Some(5 * SECOND));
    assert!(handle.caught_up(Micros(NOON + 5 * SECOND)) && !handle.caught_up(Micros(NOON + 6 * SECOND)));
    assert_eq!(handle.books(Micros(NOON)).campaigns[0].sums.charged, 42);
    log.close();
}

/// What is said of how far it has read is behind all that was there, also where that takes several turns.
#[test]
fn it_says_how_far_it_has_read_once_it_has_read_all_of_it() {
    let machine = Machine::new();
    machine.append(Stream::Campaigns, vec![campaign(1)]);
    machine.append(Stream::Leases, vec![ask(1, 700)]);
    machine.run().unwrap();
    let lease = machine.grants()[0].lease;
    let before = machine.all(Stream::Leases).len();
    let log = machine.open();
    for part in 0..20 {
        let notices = (1..=1_000).map(|at| win(u8::from(part == 19 && at == 1_000), lease, 50)).collect();
        append_all(&log, Stream::Notices, notices);
    }
    log.close();
    machine.now.fetch_add(5 * SECOND, Ordering::Relaxed);
    machine.run().unwrap();
    let said: Vec<bool> = machine.all(Stream::Leases)[before..]
        .iter()
        .map(|(_, value)| read_until(Stream::Leases, value).is_some())
        .collect();
    assert_eq!(said, [true, false, false, true], "where the run begins, two settlements, then how far it has read");
}
