use std::fmt::Write;

use decision::ids::{AdvertiserId, ImpressionId, NodeId};
use proto::wire::lease_record::Event;
use proto::wire::{LeaseGrant, LeasePace, LeaseRead, LeaseRecord, LeaseRefusal, LeaseSettled};

use super::*;

mod races;
mod sizes;

const SECOND: i64 = 1_000_000;
const PARTITION: Partition = Partition(0);

/// One campaign on one node. Each line of `script` is a step at a second; what the node tells the ledger, and what each
/// reservation answers, is compared with `expected`.
struct Node {
    keeper: Keeper,
    reservations: Arc<Reservations>,
    account: Arc<Account>,
    said: String,
}

fn check(script: &str, expected: &str) {
    let mut node = Node::new();
    for line in script.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let words: Vec<&str> = line.split_whitespace().collect();
        node.step(words[0].parse().expect("a second"), &words[1..]);
    }
    let expected: Vec<&str> = expected.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    assert_eq!(node.said.lines().collect::<Vec<_>>(), expected, "{script}");
}

fn want(account: &Arc<Account>) -> Wanted {
    let [price_max, ask_min, ask_max] = [50, 100, 500].map(Nanos::new);
    Wanted { account: Arc::clone(account), advertiser: AdvertiserId(9), price_max, ask_min, ask_max }
}

fn look(keeper: &mut Keeper, now: Micros, wanted: &[Wanted]) -> Vec<LeaseRecord> {
    keeper.want(now, wanted.to_vec());
    keeper.tick(now)
}

fn grant(lease: u64, amount: i64, until: i64) -> LeaseGrant {
    let refusal = if lease == 0 { LeaseRefusal::DailyBudget } else { LeaseRefusal::None } as i32;
    LeaseGrant { node: 1, campaign: 1, ask: 0, lease, amount, until, refusal, multiplier_ppm: 0 }
}

fn paced(node: u64, multiplier_ppm: u32) -> Event {
    Event::Grant(LeaseGrant { node, multiplier_ppm, ..grant(u64::from(multiplier_ppm) + 1, 1, 1_000) })
}

#[test]
fn prices_are_paced_as_the_ledger_says_and_never_raised() {
    let account = Arc::new(Account::new(CampaignId(1)));
    let mut keeper = Keeper::new(NodeId(1), Arc::default());
    let now = Micros(0);
    let hear = |keeper: &mut Keeper, event: Event| {
        keeper.take(PARTITION, &LeaseRecord { event: Some(event), ..LeaseRecord::default() }, now);
        account.pace_ppm()
    };
    assert_eq!(hear(&mut keeper, paced(1, 400_000)), 1_000_000, "nothing is paced before the campaign is wanted");
    let _asks = look(&mut keeper, now, &[want(&account)]);
    assert_eq!(hear(&mut keeper, paced(1, 500_000)), 500_000);
    assert_eq!(hear(&mut keeper, paced(2, 600_000)), 500_000, "a grant of another node says it later");
    assert_eq!(hear(&mut keeper, Event::Pace(LeasePace { campaign: 1, multiplier_ppm: 250_000 })), 250_000);
    assert_eq!(hear(&mut keeper, Event::Pace(LeasePace { campaign: 2, multiplier_ppm: 100_000 })), 250_000);
    let _refused = account.reserve(Nanos::new(30), Losses::Told, now);
    let asks = look(&mut keeper, Micros(20 * SECOND), &[want(&account)]);
    let Some(Event::Ask(ask)) = &asks.last().expect("it asks").event else { panic!("it asks: {asks:?}") };
    assert_eq!(ask.demand, 120, "what the bid would have been before pacing");
    assert_eq!(ask.demand_us, 20_000_000, "since the last ask");
    assert_eq!(hear(&mut keeper, Event::Pace(LeasePace { campaign: 1, multiplier_ppm: u32::MAX })), 1_000_000);
    assert_eq!(hear(&mut keeper, paced(1, 700_000)), 700_000);
    assert_eq!(hear(&mut keeper, paced(1, 0)), 1_000_000, "not paced any more");
}

fn settled(lease: i64, charged: i64) -> LeaseSettled {
    LeaseSettled { node: 1, campaign: 1, lease: lease as u64, charged, ..LeaseSettled::default() }
}

/// The billing window is a minute.
fn windows(won_by: i64) -> Windows {
    Windows { won_by: Micros(won_by * SECOND), billed_by: Micros((won_by + 60) * SECOND) }
}

fn impression(name: &str) -> ImpressionId {
    ImpressionId([name.as_bytes()[0]; 16])
}

impl Node {
    fn new() -> Self {
        let (reservations, account) = (Arc::new(Reservations::default()), Arc::new(Account::new(CampaignId(1))));
        let keeper = Keeper::new(NodeId(1), Arc::clone(&reservations));
        Self { keeper, reservations, account, said: String::new() }
    }

    /// Lease 7 is of `amount`, and a bid holds this part of its price where nobody tells of losses.
    fn lent(amount: i64, held_ppm: u32) -> Self {
        let (mut node, now) = (Self::new(), Micros(0));
        let _asks = look(&mut node.keeper, now, &[want(&node.account)]);
        node.take(Event::Grant(grant(7, amount, i64::MAX)), now);
        node.account.held_ppm.store(held_ppm, Ordering::Relaxed);
        node
    }

    /// Bids 50 where nobody tells of losses; what it holds.
    fn bid_untold(&self, name: &str) -> i64 {
        let taken = self.account.reserve(Nanos::new(50), Losses::Untold, Micros(0)).expect("enough money");
        let held = taken.held();
        assert!(self.reservations.hold(impression(name), taken, windows(60)));
        held.get()
    }

    fn step(&mut self, second: i64, words: &[&str]) {
        let now = Micros(second * SECOND);
        let number = |at: usize| words[at].parse::<i64>().expect("a number");
        match words[0] {
            "tick" => self.tick(now, true),
            "drop" => self.tick(now, false),
            "grant" => {
                let (lease, amount, until) = (number(1) as u64, number(2), number(3) * SECOND);
                self.take(Event::Grant(grant(lease, amount, until)), now);
            }
            "bid" => {
                let amount = Nanos::new(number(2));
                let windows = windows(number(3));
                let taken = self.account.reserve(amount, Losses::Told, now);
                let held = taken.map(|taken| {
                    let id = taken.lease.id;
                    self.reservations.hold(impression(words[1]), taken, windows).then_some(id)
                });
                let _ = match held.flatten() {
                    Some(lease) => writeln!(self.said, "bid {} on {lease}", words[1]),
                    None => writeln!(self.said, "bid {} refused", words[1]),
                };
            }
            "read" => self.read((0, 0), number(1), now),
            "read-of" => self.read((number(1) as u32, number(2) as u32), number(3), now),
            "lost" => self.reservations.release(impression(words[1])),
            "won" => self.reservations.win(impression(words[1])),
            "billed" => self.reservations.bill(impression(words[1]), Micros(number(2) * SECOND)),
            "told" => {
                let impressions = vec![impression(words[2]).0.to_vec()];
                let [won, lost] = if words[1] == "won" { [impressions, vec![]] } else { [vec![], impressions] };
                self.take(Event::Settled(LeaseSettled { won, lost, ..settled(number(3), 0) }), now);
            }
            "settled" | "closed" => {
                let impressions = words[3..].iter().map(|name| impression(name).0.to_vec()).collect();
                let closed = words[0] == "closed";
                self.take(Event::Settled(LeaseSettled { impressions, closed, ..settled(number(1), number(2)) }), now);
            }
            "available" => {
                let _ = writeln!(self.said, "available {}", self.account.available(now).get());
            }
            "short" => {
                let without = self.keeper.status(now).without_lease;
                let why = without.first().map_or("of nothing", |(_, shortage)| shortage.label());
                let _ = writeln!(self.said, "short {why}");
            }
            other => panic!("no step {other}"),
        }
    }

    fn take(&mut self, event: Event, now: Micros) {
        self.keeper.take(PARTITION, &LeaseRecord { at: now.0, event: Some(event), ..LeaseRecord::default() }, now);
    }

    fn read(&mut self, (shard, partition): (u32, u32), second: i64, now: Micros) {
        let event = Some(Event::Read(LeaseRead { notices_until: second * SECOND }));
        self.keeper.take(Partition(partition), &LeaseRecord { event, shard, ..LeaseRecord::default() }, now);
    }

    fn tick(&mut self, now: Micros, wanted: bool) {
        let want = want(&self.account);
        for record in look(&mut self.keeper, now, if wanted { std::slice::from_ref(&want) } else { &[] }) {
            let asks = matches!(record.event, Some(Event::Ask(_)));
            assert_eq!(record.advertiser, if asks { want.advertiser.0 } else { 0 }, "an ask says whose shard answers");
            let _ = match record.event {
                Some(Event::Ask(ask)) => writeln!(self.said, "ask {}", ask.amount),
                Some(Event::Return(back)) => writeln!(self.said, "return {} of {}", back.amount, back.lease),
                other => panic!("a node does not say {other:?}"),
            };
        }
    }
}

#[test]
fn without_a_lease_there_is_no_bid() {
    check("0 bid a 10 60", "bid a refused");
}

#[test]
fn a_lease_is_asked_for_once_and_bid_on_until_its_end() {
    check(
        "0 tick\n 1 tick\n 1 grant 7 100 31\n 2 bid a 60 60\n 2 bid b 60 60\n 31 bid c 10 60",
        "ask 100\n bid a on 7\n bid b refused\n bid c refused",
    );
}

#[test]
fn a_lost_answer_is_asked_for_again() {
    check("0 tick\n 4 tick\n 5 tick", "ask 100\n ask 100");
}

#[test]
fn a_refusal_is_not_asked_again_at_once() {
    check("0 tick\n 0 grant 0 0 0\n 0 tick\n 2 tick", "ask 100\n ask 100");
}

#[test]
fn what_is_billed_is_held_whoever_says_that_it_was_lost() {
    check(
        "0 tick\n 0 grant 7 100 300\n 1 bid a 60 60\n 2 billed a 200\n 2 lost a\n 2 told lost a 7\n 2 available\n 3 settled 7 50 a\n 3 available",
        "ask 100\n bid a on 7\n available 40\n available 50",
    );
    check(
        "0 tick\n 0 grant 7 100 300\n 1 bid a 60 60\n 2 won a\n 2 lost a\n 2 available",
        "ask 100\n bid a on 7\n available 100",
    );
}

#[test]
fn lost_and_forgotten_bids_give_their_money_back() {
    check(
        "0 tick\n 0 grant 7 100 300\n 1 bid a 60 60\n 2 lost a\n 2 lost a\n 3 available\n 3 bid b 60 60\n 59 tick\n 59 available\n 63 read 63\n 63 tick\n 63 available",
        "ask 100\n bid a on 7\n available 100\n bid b on 7\n ask 240\n available 40\n available 100",
    );
}

#[test]
fn what_the_ledger_has_not_read_may_have_been_won_elsewhere() {
    check(
        "0 tick\n 0 grant 7 100 300\n 1 bid a 40 60\n 1 bid b 40 60\n 60 tick\n 65 tick\n 70 tick\n 70 available
         100 grant 8 100 300\n 100 read 62\n 100 tick\n 101 settled 7 40 a\n 101 read 63\n 101 tick",
        "ask 100\n bid a on 7\n bid b on 7\n ask 200\n ask 200\n ask 200\n available 20
         return 20 of 7\n return 60 of 7",
    );
}

#[test]
fn a_clock_of_the_ledger_that_is_ahead_lets_nothing_go_early() {
    check(
        "0 tick\n 0 grant 7 100 300\n 1 bid a 40 60\n 62 read 99\n 62 tick\n 62 available\n 63 read 99\n 63 tick\n 63 available",
        "ask 100\n bid a on 7\n available 60\n available 100",
    );
}

#[test]
fn who_lent_the_money_tells_of_it_and_nobody_else() {
    check(
        "0 tick\n 0 grant 7 100 300\n 1 bid a 40 60\n 90 read-of 1 0 90\n 90 read-of 0 1 90\n 90 tick\n 90 available
         91 read-of 0 0 90\n 91 tick\n 91 available",
        "ask 100\n bid a on 7\n available 60\n available 100",
    );
}

#[test]
fn what_another_node_was_told_of_is_known_from_the_ledger() {
    check(
        "0 tick\n 0 grant 7 100 300\n 1 bid a 40 60\n 1 bid b 10 60\n 1 bid c 10 60\n 2 told lost a 7\n 2 available
         3 told won b 7\n 90 read 90\n 90 tick\n 90 available\n 123 read 123\n 123 tick\n 123 available",
        "ask 100\n bid a on 7\n bid b on 7\n bid c on 7\n available 80\n available 90\n available 100",
    );
}

#[test]
fn a_win_holds_the_money_until_its_own_end() {
    check(
        "0 tick\n 0 grant 7 100 300\n 1 bid a 40 60\n 5 won a\n 63 read 63\n 63 tick\n 63 available\n 123 read 123\n 123 tick\n 123 available\n 124 bid b 10 180
         125 won b\n 125 billed b 300\n 243 read 243\n 243 tick\n 243 available",
        "ask 100\n bid a on 7\n available 60\n available 100\n bid b on 7\n available 90",
    );
}

#[test]
fn what_is_charged_below_the_bid_comes_back() {
    check(
        "0 tick\n 0 grant 7 100 300\n 1 bid a 40 60\n 1 bid b 10 60\n 2 settled 7 25 a\n 2 available\n 3 settled 7 25\n 3 available",
        "ask 100\n bid a on 7\n bid b on 7\n available 65\n available 65",
    );
}

#[test]
fn a_charge_after_the_money_was_released_is_taken_from_the_lease() {
    check(
        "0 tick\n 0 grant 7 100 300\n 1 bid a 40 10\n 13 read 13\n 13 tick\n 14 settled 7 40 a\n 14 available",
        "ask 100\n bid a on 7\n available 60",
    );
}

#[test]
fn a_new_lease_replaces_the_old_one_whose_rest_goes_back() {
    check(
        "0 tick\n 0 grant 7 100 30\n 1 bid a 40 200\n 25 tick\n 25 grant 8 100 60\n 25 tick\n 26 lost a\n 26 tick\n 26 available",
        "ask 100\n bid a on 7\n ask 100\n return 60 of 7\n return 100 of 7\n available 100",
    );
}

#[test]
fn a_lease_past_its_end_goes_back() {
    check("0 tick\n 0 grant 7 100 30\n 30 tick", "ask 100\n return 100 of 7\n ask 100");
}

#[test]
fn what_was_handed_back_while_the_ledger_was_silent_is_said_again() {
    check(
        "0 tick\n 0 grant 7 100 30\n 30 tick\n 35 tick\n 36 grant 8 100 70\n 36 tick\n 37 tick\n 38 closed 7 0\n 50 tick",
        "ask 100\n return 100 of 7\n ask 100\n ask 100\n return 100 of 7",
    );
}

#[test]
fn a_campaign_that_ends_hands_everything_back() {
    check(
        "0 tick\n 0 grant 7 100 300\n 1 bid a 30 60\n 2 drop\n 3 bid b 10 60\n 63 read 63\n 63 drop",
        "ask 100\n bid a on 7\n return 70 of 7\n bid b refused\n return 100 of 7",
    );
}

#[test]
fn a_grant_for_a_campaign_that_ended_goes_back_whole() {
    check("0 tick\n 1 drop\n 1 grant 7 100 300\n 2 drop", "ask 100\n return 100 of 7");
}

#[test]
fn a_closed_lease_is_neither_spent_nor_handed_back() {
    check(
        "0 tick\n 0 grant 7 100 300\n 1 bid a 30 60\n 2 closed 7 0\n 2 bid b 10 60\n 3 lost a\n 3 drop",
        "ask 100\n bid a on 7\n bid b refused",
    );
}

#[test]
fn a_grant_that_comes_twice_counts_once() {
    check(
        "0 tick\n 0 grant 7 100 300\n 1 bid a 30 60\n 2 grant 7 100 300\n 2 available",
        "ask 100\n bid a on 7\n available 70",
    );
}

#[test]
fn what_is_bought_fast_is_asked_for_in_larger_amounts_up_to_the_most() {
    check(
        "0 tick\n 0 grant 7 400 300\n 1 bid a 210 60\n 1 tick\n 1 grant 8 420 300\n 1 bid b 300 60\n 2 tick",
        "ask 100\n bid a on 7\n ask 500\n bid b on 8\n return 190 of 7\n return 120 of 8\n ask 500",
    );
}

#[test]
fn a_bid_that_was_refused_has_money_asked_for() {
    check(
        "0 tick\n 0 grant 7 100 1\n 2 tick\n 2 grant 8 100 3\n 3 tick\n 4 bid a 60 60\n 4 tick",
        "ask 100\n return 100 of 7\n ask 100\n return 100 of 8\n bid a refused\n ask 120",
    );
}

#[test]
fn a_spent_budget_is_told_from_a_silent_ledger() {
    check("0 tick\n 0 short", "ask 100\n short unanswered");
    check("0 tick\n 0 grant 0 0 0\n 0 short", "ask 100\n short daily_budget");
    check("0 tick\n 0 grant 7 100 30\n 0 short", "ask 100\n short of nothing");
    check("0 tick\n 0 grant 7 30 30\n 0 short", "ask 100\n short budget_rest");
    check("0 tick\n 0 grant 7 100 1\n 1 short", "ask 100\n short lapsed");
    check(
        "0 tick\n 0 grant 7 100 60\n 1 bid a 80 60\n 1 short\n 1 tick\n 1 grant 0 0 0\n 1 short\n 3 bid b 50 60
         3 tick\n 3 short\n 8 tick\n 8 bid c 50 60\n 8 tick\n 8 short",
        "ask 100\n bid a on 7\n short used_up\n ask 200\n short daily_budget\n bid b refused\n return 20 of 7
         ask 200\n short daily_budget\n ask 200\n bid c refused\n short unanswered",
    );
}

/// Where a budget ends each node may have a rest that is too little for a bid, and all of them together enough.
#[test]
fn what_is_too_little_for_a_bid_goes_back_to_be_lent_together_with_other_rests() {
    check(
        "0 tick\n 0 grant 7 30 60\n 1 tick\n 1 available\n 2 bid a 40 60\n 2 tick\n 2 grant 8 35 60\n 2 short\n 3 tick
         4 tick\n 4 grant 9 80 60\n 4 bid b 45 60\n 5 bid c 40 60\n 5 tick\n 5 short\n 5 grant 10 45 60\n 5 bid c 40 60\n 6 lost b
         6 tick",
        "ask 100\n available 30\n bid a refused\n return 30 of 7\n ask 100\n short budget_rest\n return 35 of 8
         ask 100\n bid b on 9\n bid c refused\n return 35 of 9\n ask 170\n short budget_rest\n bid c on 10
         return 80 of 9\n return 5 of 10\n ask 100",
    );
}

#[test]
fn what_is_enough_for_some_bids_is_kept_for_them() {
    check(
        "0 tick\n 0 grant 7 40 60\n 1 bid a 10 60\n 1 bid b 50 60\n 1 tick\n 1 available\n 2 bid c 10 60\n 5 bid d 50 60
         5 tick\n 5 available",
        "ask 100\n bid a on 7\n bid b refused\n available 30\n bid c on 7\n bid d refused\n available 20",
    );
}

#[test]
fn a_rest_is_given_up_once_and_not_while_the_ledger_is_silent() {
    check(
        "0 tick\n 0 grant 7 60 60\n 1 bid a 50 60\n 2 bid b 50 60\n 2 tick\n 3 lost a\n 4 bid c 45 60\n 8 tick\n 9 available
         14 tick\n 14 available",
        "ask 100\n bid a on 7\n bid b refused\n return 10 of 7\n ask 200\n bid c on 7\n ask 112\n available 5\n ask 112\n available 5",
    );
}

/// A clock that was ten minutes ahead is set right.
#[test]
fn a_clock_that_is_set_back_lets_nothing_go_early_and_keeps_nobody_from_asking() {
    check(
        "600 tick\n 600 grant 7 100 9999\n 601 read 601\n 601 tick\n 101 bid a 80 161\n 101 won a\n 102 tick\n 102 available
         107 tick\n 164 tick\n 164 available\n 224 read 224\n 224 tick\n 224 available",
        "ask 100\n bid a on 7\n ask 200\n available 20\n ask 200\n ask 200\n available 20\n available 100",
    );
}

/// A bid that holds less than its price gives back what it holds when it is lost, takes the rest when it is won, and
/// what it was charged below that comes back.
#[test]
fn a_bid_that_holds_less_gives_back_what_it_holds_and_takes_the_rest_when_it_is_won() {
    let (mut node, now) = (Node::lent(1_000_000, 100_000), Micros(0));
    let left = |node: &Node| 1_000_000 - node.account.available(now).get();
    let charge = |node: &mut Node, name: &str, charged| {
        let impressions = vec![impression(name).0.to_vec()];
        node.take(Event::Settled(LeaseSettled { impressions, ..settled(7, charged) }), now);
    };
    let held = node.bid_untold("a");
    assert!((5..=6).contains(&held) && left(&node) == held, "{held} of 50");
    node.reservations.release(impression("a"));
    assert_eq!(left(&node), 0, "what was held comes back, and no more");
    node.bid_untold("b");
    node.reservations.win(impression("b"));
    assert_eq!(left(&node), 50, "a win holds its price");
    charge(&mut node, "b", 30);
    assert_eq!(left(&node), 30);
    node.bid_untold("c");
    charge(&mut node, "c", 70);
    assert_eq!(left(&node), 70, "nobody told of the win before its charge");
    let held = node.bid_untold("d");
    node.reservations.release_due(Teller::default(), Micros(60 * SECOND));
    assert_eq!(left(&node), 70, "nor of the loss, which held {held}");
}

/// One win after the lease's end, of bids that hold little, is still charged to the lease.
#[test]
fn a_lease_that_ends_keeps_what_its_open_bids_may_cost_more_than_they_hold() {
    let mut node = Node::lent(1_000, 200_000);
    assert_eq!(["a", "b"].map(|name| node.bid_untold(name)), [10, 10]);
    let end = |node: &mut Node| match look(&mut node.keeper, Micros(0), &[]).first().map(|record| record.event.clone())
    {
        Some(Some(Event::Return(back))) => back.amount,
        other => panic!("{other:?}"),
    };
    assert_eq!(end(&mut node), 1_000 - 2 * 10 - 50, "both hold 10, and a highest price is kept for luck");
    node.reservations.win(impression("a"));
    node.reservations.release(impression("b"));
    assert_eq!(end(&mut node), 1_000 - 50, "what was won");
}
