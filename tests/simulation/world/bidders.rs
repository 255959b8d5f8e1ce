//! Bidders in the world: they bid, take notices, and see to their money.

use super::*;

impl World<'_> {
    pub(super) fn clock(&self, machine: usize) -> Micros {
        Micros(self.now + self.machines[machine].skew)
    }

    pub(super) fn auction(&mut self, number: usize) {
        let machine = self.traffic.opportunities[number].machine;
        let clock = self.clock(machine);
        let at = &mut self.machines[machine];
        if at.paused_until > self.now {
            at.in_haste.get_or_insert((number, clock));
        } else if at.process.is_some() {
            self.bid(number, clock, true);
        }
    }

    /// Bids by a clock that was read at `clock`. The exchange has gone on where that was too long ago.
    pub(super) fn bid(&mut self, number: usize, clock: Micros, is_in_time: bool) {
        let opportunity = &self.traffic.opportunities[number];
        let process = self.machines[opportunity.machine].process.as_mut().unwrap();
        let mut impression = [0; 16];
        self.random.fill(impression.as_mut_slice());
        let wanted = (opportunity.campaign, opportunity.price);
        let bid = process.bid(&self.setting, ImpressionId(impression), wanted, clock, &mut self.reached);
        let Some(bid) = bid else { return };
        let node = process.node;
        self.see_grants();
        let grant = self.grants.get(&bid.lease.0).expect("nobody bids on what was not lent");
        assert_eq!((grant.node, grant.campaign), (node.0, bid.campaign.0), "a lease of another");
        assert!(bid.bid_at.0 < grant.until, "a bid on a lease that ended");
        self.reached.add(Reach::Bid);
        if is_in_time {
            for delivery in self.traffic.follow(opportunity, &bid, &mut self.reached) {
                self.plan(self.now + delivery.after, Event::Deliver(number, Box::new(delivery)));
            }
            self.bids.insert(number, bid);
        } else {
            self.reached.add(Reach::BidInHaste);
        }
    }

    pub(super) fn see_grants(&mut self) {
        for read in self.streams.leases.read(&mut self.granted, usize::MAX) {
            if let Some(Lease::Grant(grant)) = read.value.event {
                self.grants.insert(grant.lease, grant);
            }
        }
    }

    pub(super) fn deliver(&mut self, number: usize, delivery: Delivery) {
        let at = &mut self.machines[delivery.machine];
        let is_paused = at.paused_until > self.now;
        if is_paused {
            at.waiting.push((number, delivery.clone()));
        }
        if is_paused || at.process.is_none() {
            self.reached.add(Reach::SentAgain);
            let machine = self.random.random_range(0..self.machines.len());
            let again = self.now + self.random.random_range(SECOND..5 * SECOND);
            return self.plan(again, Event::Deliver(number, Box::new(Delivery { machine, ..delivery })));
        }
        self.notice(number, &delivery);
    }

    pub(super) fn notice(&mut self, number: usize, Delivery { machine, kind, query, .. }: &Delivery) {
        let clock = self.clock(*machine);
        let bid = self.bids[&number];
        let at = &mut self.machines[*machine];
        let process = at.process.as_mut().unwrap();
        self.reached.add_if(process.node != bid.node, Reach::SentElsewhere);
        let mut token = String::new();
        self.setting.keys.seal(&bid).token(*kind, &mut token);
        if self.random.random_bool(0.01) {
            let (kind, forged) = forge(&mut self.random, *kind, &token);
            let answer = process.notice(&self.setting, &mut at.disk, (kind, &forged, query), clock);
            assert_eq!(answer, Answer::Forged, "{kind:?} {forged}");
            self.reached.add(Reach::Forged);
        }
        match process.notice(&self.setting, &mut at.disk, (*kind, &token, query), clock) {
            Answer::Acknowledged(NoticeOutcome::Taken) => {
                if *kind == self.setting.dialect.billable.kind() {
                    self.acknowledged.insert(bid.impression);
                }
            }
            Answer::Acknowledged(NoticeOutcome::Audit) => self.reached.add(Reach::Audit),
            Answer::Acknowledged(_) => self.reached.add(Reach::Unpriced),
            Answer::Expired => self.reached.add(Reach::Expired),
            Answer::Forged => panic!("one of ours is taken for forged: {token}"),
        }
    }

    pub(super) fn tick(&mut self, machine: usize) {
        let clock = self.clock(machine);
        let at = &mut self.machines[machine];
        if at.paused_until > self.now {
            return;
        }
        let is_connected = at.cut_off_until <= self.now;
        let Some(process) = &mut at.process else { return };
        if is_connected {
            process.read(&self.streams, clock);
            let most = if self.random.random_bool(0.1) { 3 } else { usize::MAX / 2 };
            at.disk.ship(&mut self.streams, most);
            process.take_kept().into_iter().for_each(|record| self.streams.tell(record));
        }
        for record in process.tick(clock) {
            if is_connected {
                self.tell(record);
            } else if self.random.random_bool(0.5) {
                self.reached.add(Reach::ToldLater);
                self.machines[machine].process.as_mut().unwrap().keep(record);
            } else {
                self.reached.add(Reach::NeverTold);
            }
        }
    }

    /// A record may get into the stream twice.
    pub(super) fn tell(&mut self, record: LeaseRecord) {
        if is_ask(&record) && self.is_faulty && self.random.random_bool(0.02) {
            self.reached.add(Reach::ToldTwice);
            let later = self.now + self.random.random_range(0..3 * SECOND);
            self.plan(later, Event::Echo(Box::new(record.clone())));
        }
        self.streams.tell(record);
    }

    pub(super) fn start(&mut self, machine: usize) {
        self.nodes += 1;
        let at = &mut self.machines[machine];
        at.process = Some(Process::start(self.nodes, &self.streams));
        at.in_haste = None;
        let lost = at.disk.lose_mark(self.random.random_range(0..20));
        self.reached.add_if(lost > 0, Reach::ShippedTwice);
    }

    /// What waited comes before or after the timers.
    pub(super) fn resume(&mut self, machine: usize) {
        let at = &mut self.machines[machine];
        if at.paused_until > self.now || at.process.is_none() {
            return;
        }
        let (waiting, in_haste) = (std::mem::take(&mut at.waiting), at.in_haste.take());
        let timers_first = self.random.random_bool(0.5);
        if timers_first {
            self.tick(machine);
        }
        if let Some((number, clock)) = in_haste {
            self.bid(number, clock, false);
        }
        for (number, delivery) in waiting {
            self.notice(number, &delivery);
        }
        if !timers_first {
            self.tick(machine);
        }
    }
}

/// What is none of our tokens for a notice of this kind, though it looks like one.
fn forge(random: &mut SmallRng, kind: NoticeKind, token: &str) -> (NoticeKind, String) {
    let others = NoticeKind::ALL.into_iter().filter(|other| *other != kind);
    if random.random_bool(0.5) {
        let place = random.random_range(0..4);
        return (others.collect::<Vec<_>>()[place], token.to_owned());
    }
    let at = random.random_range(0..token.len());
    let mut forged = token.as_bytes().to_vec();
    forged[at] = if forged[at] == b'A' { b'B' } else { b'A' };
    (kind, String::from_utf8(forged).unwrap())
}
