//! Cases as text: each line an input, `=>` what follows and what is counted.

use std::collections::BTreeMap;

use decision::ids::ShardId;
use proto::wire::{
    CampaignBudget, CampaignStop, Correction, Fees, JournalEntry, LeaseAsk, LeaseRefusal, LeaseReturn, LedgerPolicy,
    Notice, NoticeKind, Outcome, OutcomeKind, Parts, Sealed, Source, Tick, journal_entry::Input, lease_record::Event,
};

use super::{Effects, JournalError, Ledger};
use crate::limits::MEMORY_MARGIN_S;
use crate::tally::{Charge, Oddity, Tally};

mod corrections;

const SECOND: i64 = 1_000_000;

/// Plays a script against fresh books. Impressions are letters, leases are `L1`, `L2`… in the order of grants, money
/// is in nanos, and time begins at noon.
fn check(script: &str) {
    let mut player = Player::new();
    for line in script.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (step, expected) = line.split_once("=>").map_or((line, ""), |(step, expected)| (step, expected.trim()));
        let shown = player.step(&step.split_whitespace().collect::<Vec<_>>());
        assert_eq!(shown, expected, "after `{step}` in{script}");
        player.ledger.audit();
    }
}

struct Player {
    ledger: Ledger,
    now: i64,
    asks: u64,
    leases: Vec<u64>,
    /// What was booked for each impression, and what it came to by the last correction.
    booked: BTreeMap<u8, (Outcome, i64)>,
}

impl Player {
    fn new() -> Self {
        Self {
            ledger: Ledger::new(ShardId(0)),
            now: 43_200 * SECOND,
            asks: 0,
            leases: vec![0],
            booked: BTreeMap::new(),
        }
    }

    fn step(&mut self, words: &[&str]) -> String {
        let options: BTreeMap<&str, i64> =
            words.iter().filter_map(|word| word.split_once('=')).map(|(k, v)| (k, v.parse().unwrap())).collect();
        let option = |name: &str, default: i64| options.get(name).copied().unwrap_or(default);
        let words: Vec<&str> = words.iter().copied().filter(|word| !word.contains('=')).collect();
        let number = |at: usize| words[at].parse::<i64>().unwrap();
        let campaign = option("campaign", 1) as u32;
        let input = match words[0] {
            "wait" => {
                self.now += number(1) * SECOND;
                return String::new();
            }
            "tick" | "settle" => Input::Tick(Tick {}),
            "budget" => Input::Budget(CampaignBudget {
                campaign,
                advertiser: option("advertiser", 9) as u32,
                currency: words.get(3).copied().unwrap_or("USD").to_owned(),
                daily: number(1),
                total: number(2),
                from: 0,
                until: option("until", 1 << 40) * SECOND,
                advertiser_daily: options.get("all").copied(),
                pacing: option("pacing", 0) as i32,
                ..CampaignBudget::default()
            }),
            "rules" => {
                let rules = number(1) as u32;
                Input::Policy(LedgerPolicy { rules, ..super::LedgerPolicy::default().into() })
            }
            "correct" => {
                let (original, present) = self.booked[&words[1].as_bytes()[0]].clone();
                let (before, charged, original) = (option("before", present), number(2), Some(Box::new(original)));
                Input::Correction(Correction { original, before, charged, ..Correction::default() })
            }
            "stop" => Input::Stop(CampaignStop { campaign, name: String::new() }),
            "ask" | "ask-again" => {
                self.asks += u64::from(words[0] == "ask");
                let (demand, demand_us) = (option("demand", 0), (option("seconds", 0) * SECOND) as u64);
                Input::Ask(LeaseAsk { node: 1, campaign, ask: self.asks, amount: number(1), demand, demand_us })
            }
            "return" => {
                let lease = self.lease(words[1]);
                Input::Return(LeaseReturn { node: option("node", 1) as u64, campaign, lease, amount: number(2) })
            }
            kind => {
                let lease = self.lease(words.get(2).copied().unwrap_or("L0"));
                let price = words.get(3).map(|price| price.parse().unwrap());
                Input::Notice(self.notice(kind, words[1], campaign, lease, price, &option))
            }
        };
        let before = self.ledger.tally.clone();
        let effects = self.ledger.apply(&self.entry(input, words[0] == "settle")).unwrap();
        self.show(&effects, &before)
    }

    fn lease(&self, name: &str) -> u64 {
        self.leases[name[1..].parse::<usize>().unwrap()]
    }

    fn entry(&self, input: Input, settle: bool) -> JournalEntry {
        let sequence = self.ledger.sequence + 1;
        JournalEntry { sequence, epoch: 1, at: self.now, input: Some(input), settle, ..JournalEntry::default() }
    }

    /// `bill` is a billable billing notice, `nurl` a billable win.
    fn notice(
        &self,
        kind: &str,
        impression: &str,
        campaign: u32,
        lease: u64,
        price: Option<i64>,
        option: &dyn Fn(&str, i64) -> i64,
    ) -> Notice {
        let (kind, billable) = match kind {
            "bill" => (NoticeKind::Billing, true),
            "nurl" => (NoticeKind::Win, true),
            "billing" => (NoticeKind::Billing, false),
            "win" => (NoticeKind::Win, false),
            "loss" => (NoticeKind::Loss, false),
            "view" => (NoticeKind::View, false),
            "click" => (NoticeKind::Click, false),
            other => panic!("no such step: {other}"),
        };
        let sealed = Sealed {
            campaign,
            advertiser: 9,
            lease,
            price: option("bid", 1_000),
            rate: option("rate", 1_000_000_000),
            node: 1,
            fees: fees(option),
            // The same for every notice of an impression, as in its tokens.
            expires_at: option("expires", 43_200 + 3_600) * SECOND,
            ..Sealed::default()
        };
        Notice {
            kind: kind.into(),
            impression: vec![impression.as_bytes()[0]; 16],
            at: self.now + option("skew", 0) * SECOND,
            node: option("at", 1) as u64,
            sealed: Some(sealed),
            price,
            billable,
            void: option("void", 0) == 1,
            ..Notice::default()
        }
    }

    fn show(&mut self, effects: &Effects, before: &Tally) -> String {
        let mut shown = Vec::new();
        for outcome in &effects.outcomes {
            let kind = outcome.kind().as_str_name().trim_start_matches("OUTCOME_KIND_").to_lowercase();
            if let Some(closed) = outcome.closed {
                let (day, campaign) = (outcome.day, outcome.campaign);
                shown.push(format!("{kind} {day} of {campaign}: {} in {}", closed.charged, closed.charges));
                continue;
            }
            let mut words = vec![kind, char::from(outcome.impression[0]).to_string()];
            if matches!(outcome.kind(), OutcomeKind::Charge | OutcomeKind::Unmatched | OutcomeKind::Correction) {
                words.push(outcome.charged.to_string());
                let booked = self.booked.entry(outcome.impression[0]).or_insert_with(|| (outcome.clone(), 0));
                booked.1 += outcome.charged;
            }
            if let Some(Parts { media, exchange_fee, data_fee, margin }) = outcome.parts {
                words.push(format!("of {media} + {exchange_fee} + {data_fee} + {margin}"));
            }
            if outcome.day > 0 {
                words.push(format!("on day {}", outcome.day));
            }
            shown.push(words.join(" "));
        }
        for record in &effects.leases {
            shown.push(match record.event.as_ref().unwrap() {
                Event::Grant(grant) if grant.lease > 0 => {
                    self.leases.push(grant.lease);
                    format!("grant L{} {}", self.leases.len() - 1, grant.amount)
                }
                Event::Grant(grant) => {
                    assert_eq!((grant.amount, grant.until), (0, 0));
                    assert_ne!(grant.refusal(), LeaseRefusal::None);
                    grant.refusal().as_str_name().trim_start_matches("LEASE_REFUSAL_").to_lowercase()
                }
                Event::Settled(settled) => {
                    let lease = self.leases.iter().position(|lease| *lease == settled.lease).unwrap();
                    let impressions: String = settled.impressions.iter().map(|i| char::from(i[0])).collect();
                    let closed = if settled.closed { " closed" } else { "" };
                    let named = |kind: &str, them: &[Vec<u8>]| match them {
                        [] => String::new(),
                        them => format!(" {kind} [{}]", them.iter().map(|i| char::from(i[0])).collect::<String>()),
                    };
                    let told = named("won", &settled.won) + &named("lost", &settled.lost);
                    format!("settled L{lease} {} [{impressions}]{told}{closed}", settled.charged)
                }
                Event::Pace(pace) => format!("paced {}", pace.multiplier_ppm),
                other => panic!("the ledger publishes no {other:?}"),
            });
        }
        let tally = &self.ledger.tally;
        for charge in Charge::ALL.iter().filter(|charge| tally.charges(**charge) > before.charges(**charge)) {
            shown.push(charge.label().to_owned());
        }
        for oddity in Oddity::ALL.iter().filter(|oddity| tally.oddities(**oddity) > before.oddities(**oddity)) {
            shown.push(oddity.label().to_owned());
        }
        shown.join(", ")
    }
}

/// `exchange` and `margin` in millionths, `data` in nanos.
fn fees(option: &dyn Fn(&str, i64) -> i64) -> Option<Fees> {
    let ppm = |name: &str| option(name, 0) as u32;
    Some(Fees { exchange_ppm: ppm("exchange"), data_cpm: option("data", 0), margin_ppm: ppm("margin") })
        .filter(|fees| *fees != Fees::default())
}

#[test]
fn an_impression_is_charged_once() {
    check(
        "budget 10 100
         ask 5              => grant L1 5
         bill a L1 3        => charge a 3, made
         bill a L1 3        => repeated
         bill a L1 2        => contradicted
         billing a L1 3
         bill b L1 2        => charge b 2, made
         settle             => settled L1 5 [ab]
         settle",
    );
}

#[test]
fn a_node_is_told_of_wins_and_losses_that_came_to_another() {
    check(
        "rules 2
         budget 100 1000
         ask 50              => grant L1 50
         win a L1 3          => win a
         loss b L1           => loss b
         settle
         win c L1 3 at=2     => win c
         win c L1 3 at=3     => repeated_event
         loss d L1 at=2      => loss d
         view e L1 at=2      => view e
         loss f L0 at=2      => loss f
         loss g L1 at=2 expires=1 => expired_event
         win a L1 3 at=2     => repeated_event
         settle              => settled L1 0 [] won [cca] lost [d]
         settle
         nurl h L1 4 at=2    => win h, charge h 4, made
         settle              => settled L1 4 [h] won [h]",
    );
    check(
        "rules 1
         budget 100 1000
         ask 50              => grant L1 50
         win a L1 3 at=2     => win a
         settle",
    );
}

#[test]
fn what_is_charged_is_media_with_its_fees_and_the_margin() {
    check(
        "budget 10000000 100000000
         ask 10000000 => grant L1 10000000
         bill a L1 2000000 bid=2000000 exchange=25000 data=400000 margin=150000 => charge a 2882353 of 2000000 + 50000 + 400000 + 432353, made
         bill a L1 2000000 bid=2000000 exchange=25000 data=400000 margin=150000 => repeated
         bill b L1 1000000 bid=2000000 margin=500000 => charge b 2000000 of 1000000 + 0 + 0 + 1000000, made
         bill c L1 1084500 bid=1084500 rate=1084500001 data=1 => charge c 1000001 of 1000000 + 0 + 1 + 0, made
         bill d L1 9 bid=3 exchange=1 => charge d 4 of 3 + 1 + 0 + 0, made, above_bid
         bill e L1 0 bid=3 data=5 => charge e 5 of 0 + 0 + 5 + 0, made
         bill f L0 1 margin=999999 => charge f 1000000 of 1 + 0 + 0 + 999999, late
         bill g L0 1 margin=500000 campaign=2 => unmatched g 2 of 1 + 0 + 0 + 1, unmatched
         settle => settled L1 5882363 [abcde]",
    );
}

#[test]
fn fees_that_cannot_be_are_malformed_and_never_too_much_for_the_books() {
    check(
        "budget 1000 10000
         ask 1000                                          => grant L1 1000
         bill a L1 3 margin=1000000                        => malformed
         bill a L1 3 margin=4294967295                     => malformed
         bill a L1 3 exchange=1000001                      => malformed
         bill a L1 3 data=-1                               => malformed
         bill a L1 3 data=9223372036854775807              => malformed
         bill a L1 3 bid=9223372036854775807 exchange=1    => malformed
         bill a L1 3 bid=9223372036854775807 rate=1 data=1 => malformed
         bill a L1 3 bid=9223372036854775806 data=1        => charge a 4 of 3 + 0 + 1 + 0, made
         settle                                            => settled L1 4 [a]",
    );
}

/// Time begins at the noon of day 0; a day stays open for two hours after its end.
#[test]
fn a_day_is_closed_with_all_that_counts_on_it_and_what_comes_later_counts_on_the_next() {
    check(
        "rules 1
         budget 100 1000
         ask 50                               => grant L1 50
         bill a L1 3 expires=100000           => charge a 3, made
         bill b L1 4 expires=100000           => charge b 4, made
         bill u L0 5 expires=100000 campaign=2 => unmatched u 5, unmatched
         wait 43200
         bill c L1 5 expires=200000           => charge c 5 on day 1, made
         bill d L1 6 expires=200000 skew=-9   => charge d 6, made
         wait 7199
         tick
         wait 1
         tick                                 => day_closed 0 of 1: 13 in 3, day_closed 0 of 2: 5 in 1
         bill e L1 7 expires=200000 skew=-9999 => charge e 7 on day 1, late
         wait 86400
         tick                                 => day_closed 1 of 1: 12 in 2
         wait 864000
         tick",
    );
}

/// What an older program booked says of no day that it counts on it: where it ran for a while, nothing of that while does.
#[test]
fn days_have_what_was_booked_by_rules_that_count_them() {
    check(
        "budget 100 1000
         ask 50                               => grant L1 50
         bill a L1 3 expires=200000           => charge a 3, made
         wait 86400
         rules 1
         bill b L1 4 expires=200000           => charge b 4 on day 1, made
         rules 0
         bill c L1 5 expires=200000           => charge c 5, made
         wait 86400
         tick
         rules 1
         tick                                 => day_closed 1 of 1: 4 in 1",
    );
}

#[test]
fn a_billable_win_is_a_win_and_a_charge() {
    check(
        "budget 10 100
         ask 5              => grant L1 5
         nurl a L1 3        => win a, charge a 3, made
         nurl a L1 3        => repeated, repeated_event
         win b L1 4         => win b
         bill b L1 2        => charge b 2, made",
    );
}

#[test]
fn events_are_shown_once_each() {
    check(
        "budget 10 100
         view a             => view a
         click a            => click a
         click a            => repeated_event
         loss b             => loss b
         loss b             => repeated_event
         wait 3601
         view c             => expired_event",
    );
}

#[test]
fn nothing_follows_from_a_void_notice() {
    check(
        "budget 10 100
         ask 10                             => grant L1 10
         win a L1 void=1                    => void
         loss a L1 void=1                   => void
         bill a L1 void=1                   => void
         win a L1 2                         => win a
         loss a                             => loss a
         bill a L1 2                        => charge a 2, made",
    );
}

#[test]
fn prices_are_converted_up_and_cut_to_the_bid() {
    check(
        "budget 1000 1000
         ask 1000                           => grant L1 1000
         bill a L1 3 rate=2000000000        => charge a 2, made
         bill b L1 12 bid=10                => charge b 10, made, above_bid
         bill c L1                          => unpriced
         bill c L1 -1                       => unpriced
         bill c L1 0                        => charge c 0, made
         bill d L1 5 rate=0                 => malformed
         bill d L1 5 bid=-1                 => malformed",
    );
}

#[test]
fn a_grant_leaves_no_budget_exceeded() {
    check(
        "ask 5                              => unknown_campaign
         budget 10 12
         ask 7                              => grant L1 7
         ask 7                              => grant L2 3
         ask 7                              => daily_budget
         bill a L1 7                        => charge a 7, made
         return L2 3
         settle                             => settled L1 7 [a], settled L2 0 [] closed
         wait 43200
         ask 100                            => grant L3 5
         ask 1                              => total_budget
         ask 0                              => malformed",
    );
}

#[test]
fn an_advertiser_limits_all_its_campaigns() {
    check(
        "budget 10 100 campaign=1 all=12
         budget 10 100 campaign=2 all=12
         ask 10 campaign=1                  => grant L1 10
         ask 10 campaign=2                  => grant L2 2
         ask 10 campaign=2                  => advertiser_budget
         budget 10 100 campaign=3 advertiser=8
         ask 10 campaign=3                  => grant L3 10",
    );
}

#[test]
fn money_lent_over_midnight_counts_on_both_sides() {
    check(
        "budget 10 100
         wait 43199
         ask 6                              => grant L1 6
         wait 1
         ask 10                             => grant L2 4
         bill a L1 6 expires=90000          => charge a 6, made
         ask 10                             => daily_budget",
    );
}

#[test]
fn spend_counts_on_the_day_the_notice_arrived() {
    check(
        "budget 10 100
         wait 43199
         ask 10                             => grant L1 10
         wait 1
         bill a L1 4 skew=-1 expires=90000  => charge a 4, made
         ask 10                             => grant L2 4
         bill b L1 3 skew=99999 expires=999999 => charge b 3, made
         ask 10                             => daily_budget",
    );
}

#[test]
fn a_lease_closes_after_its_billing_window() {
    check(
        "budget 10 100
         ask 10                             => grant L1 10
         bill a L1 4                        => charge a 4, made
         wait 3629
         tick
         ask 1                              => daily_budget
         wait 1
         settle                             => settled L1 4 [a] closed
         ask 9                              => grant L2 6
         bill b L1 1 expires=99999          => charge b 1, late
         return L1 1                        => unknown_lease",
    );
}

#[test]
fn what_is_handed_back_may_be_lent_again() {
    check(
        "budget 10 100
         ask 10                             => grant L1 10
         return L1 6
         return L1 6
         ask 10                             => grant L2 6
         return L1 8
         return L1 1 node=2                 => unknown_lease
         bill a L1 2                        => charge a 2, made
         settle                             => settled L1 2 [a] closed
         return L2 99                       => over_returned
         ask 10                             => grant L3 8",
    );
}

#[test]
fn more_than_was_lent_is_booked_beside_the_lease() {
    check(
        "budget 10 100
         ask 5                              => grant L1 5
         return L1 3
         bill a L1 4                        => charge a 4, overdrawn
         bill b L1 2                        => charge b 2, made
         settle                             => settled L1 2 [b] closed
         ask 10                             => grant L2 4",
    );
}

#[test]
fn charges_of_an_unknown_campaign_are_booked_and_shown() {
    check(
        "bill a L0 4                        => unmatched a 4, unmatched
         bill a L0 4                        => repeated
         ask 5                              => unknown_campaign
         budget 10 100
         ask 10                             => grant L1 6
         bill b L0 1                        => charge b 1, late",
    );
}

#[test]
fn a_notice_after_its_tokens_end_is_shown_and_not_booked() {
    check(
        "budget 10 100
         ask 10                             => grant L1 10
         bill a L1 4                        => charge a 4, made
         wait 3600
         bill b L1 1                        => charge b 1, made
         wait 1
         bill a L1 4                        => repeated
         nurl c L1 4                        => expired c, expired, expired_event
         nurl c L1 4                        => repeated, expired_event
         bill d L1 1 skew=-1                => charge d 1, made",
    );
}

#[test]
fn what_may_have_been_charged_and_forgotten_is_not_charged() {
    check(
        "budget 10 100
         ask 10                             => grant L1 10
         bill a L1 4                        => charge a 4, made
         wait 7200
         tick
         bill a L1 4 skew=-7200             => repeated
         wait 60
         tick
         bill a L1 4 skew=-7260             => expired a, expired",
    );
}

#[test]
fn a_stopped_campaign_gets_nothing_until_it_is_published_again() {
    check(
        "budget 10 100 until=50000
         ask 5                              => grant L1 5
         stop
         ask 5                              => stopped
         bill a L1 5                        => charge a 5, made
         budget 10 100 until=50000
         ask 5                              => grant L2 5
         wait 6800
         ask 5                              => not_in_flight",
    );
}

#[test]
fn a_campaign_keeps_its_advertiser_and_currency() {
    check(
        "budget 10 100
         budget 20 100 EUR                  => refused_budget
         ask 5                              => stopped
         budget 20 100 advertiser=8         => refused_budget
         budget -1 100                      => refused_budget
         budget 20 100 euro                 => refused_budget
         budget 20 100
         ask 50                             => grant L1 20",
    );
}

#[test]
fn a_node_is_answered_once() {
    check(
        "budget 10 100
         ask 3                              => grant L1 3
         ask-again 3                        => repeated_ask
         ask 3                              => grant L2 3",
    );
}

#[test]
fn a_lease_ends_with_its_flight() {
    let mut player = Player::new();
    player.step(&["budget", "10", "100", "until=43210"]);
    let ask = Input::Ask(LeaseAsk { node: 1, campaign: 1, ask: 1, amount: 5, demand: 0, demand_us: 0 });
    let effects = player.ledger.apply(&player.entry(ask, false)).unwrap();
    let Some(Event::Grant(grant)) = effects.leases[0].event else { panic!("no grant: {effects:?}") };
    assert_eq!(grant.until, 43_210 * SECOND);
    assert_eq!((effects.leases[0].sequence, effects.leases[0].shard), (2, 0));
}

#[test]
fn only_the_next_entry_of_the_shard_is_folded() {
    let mut ledger = Ledger::new(ShardId(0));
    let entry = |sequence, epoch| JournalEntry {
        sequence,
        epoch,
        input: Some(Input::Tick(Tick {})),
        ..JournalEntry::default()
    };
    ledger.apply(&entry(1, 3)).unwrap();
    let before = ledger.clone();
    assert_eq!(ledger.apply(&entry(3, 3)), Err(JournalError::Gap { last: 1, found: 3 }));
    let other = JournalEntry { shard: 4, ..entry(2, 3) };
    assert_eq!(ledger.apply(&other), Err(JournalError::OtherShard { sequence: 2, expected: 0, found: 4 }));
    let unknown = JournalEntry { input: None, ..entry(2, 3) };
    assert_eq!(ledger.apply(&unknown), Err(JournalError::UnknownInput(2)));
    assert_eq!(ledger, before);
    assert_eq!(ledger.apply(&entry(2, 2)), Ok(Effects::default()));
    assert_eq!((ledger.sequence(), ledger.tally().oddities(Oddity::Fenced)), (1, 1));
    ledger.apply(&entry(2, 4)).unwrap();
    assert_eq!((ledger.sequence(), ledger.epoch()), (2, 4));
}

#[test]
fn an_input_is_folded_once() {
    let mut player = Player::new();
    player.step(&["budget", "10", "100"]);
    let source = |offset| Some(Source { stream: "leases".to_owned(), partition: 0, offset });
    let mut ask = |number, offset| {
        let ask = Input::Ask(LeaseAsk { node: 1, campaign: 1, ask: number, amount: 1, demand: 0, demand_us: 0 });
        let entry = JournalEntry { source: source(offset), ..player.entry(ask, false) };
        player.ledger.apply(&entry).unwrap().leases.len()
    };
    assert_eq!((ask(1, 5), ask(2, 5), ask(3, 4), ask(4, 6)), (1, 0, 0, 1));
    assert_eq!(player.ledger.position("leases", 0), 7);
    assert_eq!(player.ledger.tally().oddities(Oddity::Refolded), 2);
}

#[test]
fn a_tick_is_due_only_when_it_changes_something() {
    let mut player = Player::new();
    let due = |player: &Player| player.ledger.is_tick_due(decision::time::Micros(player.now));
    player.step(&["budget", "10", "100"]);
    assert!(!due(&player));
    player.step(&["ask", "5"]);
    player.now += 3_629 * SECOND;
    assert!(!due(&player));
    player.now += SECOND;
    assert!(due(&player));
    player.step(&["tick"]);
    assert!(!due(&player));
    player.step(&["view", "a", "L1", "0", "expires=50000"]);
    assert!(!due(&player));
    player.now = (50_000 + i64::from(MEMORY_MARGIN_S) + 60) * SECOND;
    assert!(due(&player));
    player.step(&["tick"]);
    assert!(!due(&player));
}
