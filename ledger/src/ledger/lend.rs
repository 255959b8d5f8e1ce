//! Money is lent to nodes, handed back, and settled.

use decision::ids::{CampaignId, LeaseId, NodeId};
use decision::money::Nanos;
use decision::time::Micros;
use proto::wire::{LeaseAsk, LeaseGrant, LeaseRecord, LeaseRefusal, LeaseReturn, LeaseSettled, lease_record::Event};

use super::account::day_of;
use super::{Effects, Lease, Ledger};
use crate::limits::LEASE_SEQUENCE_BITS;
use crate::tally::Oddity;

impl Lease {
    /// Neither charged nor handed back.
    pub(super) fn outstanding(&self) -> Nanos {
        self.granted.saturating_sub(self.charged).saturating_sub(self.returned)
    }

    /// Whether it holds `amount` for a charge to `campaign`.
    pub(super) fn holds(&self, amount: Nanos) -> bool {
        amount <= self.outstanding()
    }
}

impl Ledger {
    pub(super) fn ask(&mut self, ask: &LeaseAsk, effects: &mut Effects) {
        let (node, campaign, wanted) = (NodeId(ask.node), CampaignId(ask.campaign), Nanos::new(ask.amount));
        if wanted <= Nanos::ZERO {
            return self.tally.odd(Oddity::Malformed);
        }
        if !self.is_unanswered(node, campaign, ask.ask) {
            return self.tally.odd(Oddity::RepeatedAsk);
        }
        self.demanded(ask, effects);
        let mut grant = LeaseGrant { node: ask.node, campaign: ask.campaign, ask: ask.ask, ..LeaseGrant::default() };
        grant.multiplier_ppm = self.pacing.multiplier_ppm(campaign).unwrap_or_default();
        match self.affordable(campaign) {
            Ok((most, flight_end)) => {
                let amount = wanted.min(most);
                let until = self.now.plus_seconds(i64::from(self.policy.lease_s)).min(flight_end);
                grant.lease = self.lend(node, campaign, amount, until).0;
                grant.amount = amount.get();
                grant.until = until.0;
            }
            Err(refusal) => grant.refusal = refusal.into(),
        }
        effects.leases.push(self.lease_record(Event::Grant(grant)));
    }

    /// Whether the node's ask has a higher number than its last one for this campaign, which is noted. Old ones are
    /// forgotten like impressions.
    fn is_unanswered(&mut self, node: NodeId, campaign: CampaignId, ask: u64) -> bool {
        let forgotten = self.forgettable(self.now);
        let Some(account) = self.accounts.get_mut(&campaign) else { return true };
        account.asks.retain(|_, (_, answered_at)| *answered_at > forgotten);
        let new = account.asks.get(&node).is_none_or(|(last, _)| ask > *last);
        if new {
            account.asks.insert(node, (ask, self.now));
        }
        new
    }

    /// The most that may be lent to the campaign now, above zero, and the end of its flight.
    fn affordable(&self, campaign: CampaignId) -> Result<(Nanos, Micros), LeaseRefusal> {
        let account = self.accounts.get(&campaign).ok_or(LeaseRefusal::UnknownCampaign)?;
        let budget = account.budget.as_ref().ok_or(LeaseRefusal::UnknownCampaign)?;
        if account.stopped {
            return Err(LeaseRefusal::Stopped);
        }
        if self.now < budget.from || self.now >= budget.until {
            return Err(LeaseRefusal::NotInFlight);
        }
        let today = day_of(self.now);
        let (sums, advertiser) = (&account.sums, &self.advertisers[&budget.advertiser]);
        let left = |limit: Nanos, spent: i128, outstanding: i128| i128::from(limit.get()) - spent - outstanding;
        let limits = [
            (Some(left(budget.total, sums.spent, sums.outstanding)), LeaseRefusal::TotalBudget),
            (
                Some(left(budget.daily, account.today.on(account.day(self.now)), sums.outstanding)),
                LeaseRefusal::DailyBudget,
            ),
            (
                advertiser.daily.map(|daily| left(daily, advertiser.today.on(today), advertiser.outstanding)),
                LeaseRefusal::AdvertiserBudget,
            ),
        ];
        let mut most = i128::from(Nanos::MAX.get());
        for (left, refusal) in limits {
            most = most.min(left.unwrap_or(most));
            if most <= 0 {
                return Err(refusal);
            }
        }
        Ok((i64::try_from(most).map_or(Nanos::MAX, Nanos::new), budget.until))
    }

    fn lend(&mut self, node: NodeId, campaign: CampaignId, amount: Nanos, until: Micros) -> LeaseId {
        assert!(self.sequence >> LEASE_SEQUENCE_BITS == 0, "the journal has more entries than leases can name");
        let id = LeaseId(u64::from(self.shard.0) << LEASE_SEQUENCE_BITS | self.sequence);
        let closes_at = until.plus_seconds(i64::from(self.policy.billing_window_s));
        let (charged, returned, handed_back) = (Nanos::ZERO, Nanos::ZERO, false);
        self.leases.insert(id, Lease { node, campaign, granted: amount, charged, returned, handed_back, closes_at });
        self.closings.insert((closes_at, id));
        let account = self.accounts.get_mut(&campaign).expect("only known campaigns are lent to");
        account.sums.grant(amount);
        self.advertisers.entry(account.advertiser).or_default().outstanding += i128::from(amount.get());
        self.total.grant(amount);
        id
    }

    /// The node hands back part of a lease: what exceeds what it handed back before.
    pub(super) fn hand_back(&mut self, back: &LeaseReturn) {
        let id = LeaseId(back.lease);
        let lease = self.leases.get_mut(&id);
        let Some(lease) = lease.filter(|l| l.node == NodeId(back.node) && l.campaign == CampaignId(back.campaign))
        else {
            return self.tally.odd(Oddity::UnknownLease);
        };
        if back.amount < 0 {
            return self.tally.odd(Oddity::Malformed);
        }
        let more = Nanos::new(back.amount).saturating_sub(lease.returned).max(Nanos::ZERO);
        lease.handed_back = true;
        if more > lease.outstanding() {
            self.tally.odd(Oddity::OverReturned);
        }
        let amount = more.min(lease.outstanding());
        self.give_back(id, amount);
        self.close_if_done(id);
    }

    fn give_back(&mut self, id: LeaseId, amount: Nanos) {
        let lease = self.leases.get_mut(&id).expect("only open leases give back");
        lease.returned = lease.returned.saturating_add(amount);
        let account = self.accounts.get_mut(&lease.campaign).expect("a lease has an account");
        account.sums.give_back(amount);
        self.advertisers.entry(account.advertiser).or_default().outstanding -= i128::from(amount.get());
        self.total.give_back(amount);
    }

    /// A lease that was handed back and holds nothing any more need not wait for its billing window.
    pub(super) fn close_if_done(&mut self, id: LeaseId) {
        if self.leases.get(&id).is_some_and(|lease| lease.handed_back && lease.outstanding() == Nanos::ZERO) {
            self.close(id);
        }
    }

    /// What is still outstanding comes back, and the lease is forgotten.
    pub(super) fn close(&mut self, id: LeaseId) {
        let outstanding = self.leases.get(&id).expect("only open leases are closed").outstanding();
        self.give_back(id, outstanding);
        self.unsettled(id).closed = true;
        let lease = self.leases.remove(&id).expect("it was there");
        self.closings.remove(&(lease.closes_at, id));
    }

    /// What the lease's node is to be told at the end of the batch.
    pub(super) fn unsettled(&mut self, id: LeaseId) -> &mut LeaseSettled {
        let lease = &self.leases[&id];
        let settled = self.unsettled.entry(id).or_default();
        settled.node = lease.node.0;
        settled.campaign = lease.campaign.0;
        settled.lease = id.0;
        settled.charged = lease.charged.get();
        settled
    }

    pub(super) fn settle(&mut self, effects: &mut Effects) {
        for settled in std::mem::take(&mut self.unsettled).into_values() {
            effects.leases.push(self.lease_record(Event::Settled(settled)));
        }
    }

    pub(super) fn lease_record(&self, event: Event) -> LeaseRecord {
        let (shard, sequence) = (self.shard.0, self.sequence);
        LeaseRecord { at: self.now.0, event: Some(event), shard, sequence, ..LeaseRecord::default() }
    }
}
