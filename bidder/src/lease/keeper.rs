//! Keeps this node supplied with leases: asks the ledger in time, takes its grants and settlements, hands back what is
//! not needed. A state machine: [`Keeper::want`], [`Keeper::tick`] and [`Keeper::take`] are given the time and the records.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use decision::ids::{AdvertiserId, CampaignId, ImpressionId, LeaseId, NodeId, ShardId};
use decision::money::Nanos;
use decision::time::Micros;
use event_log::Partition;
use proto::wire::lease_record::Event;
use proto::wire::{LeaseAsk, LeaseGrant, LeaseRecord, LeaseRefusal, LeaseReturn, LeaseSettled};

use super::shortage::Shortage;
use super::supply::Supply;
use super::{Account, Lease, Losses, Reservations, Teller};
use crate::limits::{LEASE_IMPRESSIONS_MIN, LEASE_SHARE_OF_DAY, NOTICE_UNDER_WAY_S};

/// A campaign that should have money on this node.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// Where its money is.
    pub account: Arc<Account>,
    /// Who pays.
    pub advertiser: AdvertiserId,
    /// The most that one impression costs: with less it lacks money.
    pub price_max: Nanos,
    /// The least to ask for.
    pub ask_min: Nanos,
    /// The most to ask for at once: it bounds what a dead node can keep from others.
    pub ask_max: Nanos,
}

impl Wanted {
    /// What a campaign asks for whose impressions cost up to `price_max`.
    pub fn new(account: Arc<Account>, advertiser: AdvertiserId, price_max: Nanos, daily_budget: Nanos) -> Self {
        let ask_max = (daily_budget.get() / LEASE_SHARE_OF_DAY).max(price_max.get());
        let ask_min = price_max.get().saturating_mul(LEASE_IMPRESSIONS_MIN).min(ask_max);
        Self { account, advertiser, price_max, ask_min: Nanos::new(ask_min), ask_max: Nanos::new(ask_max) }
    }
}

/// How this node is supplied, for readiness and metrics.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeeperStatus {
    /// Campaigns the ledger has not answered yet.
    pub unanswered: usize,
    /// Campaigns with too little money for an impression at their highest price, and why.
    pub without_lease: Vec<(CampaignId, Shortage)>,
    /// Leases that are not closed yet.
    pub open_leases: usize,
}

/// The supply of one node.
#[derive(Debug)]
pub struct Keeper {
    node: NodeId,
    reservations: Arc<Reservations>,
    supplies: BTreeMap<CampaignId, Supply>,
    leases: BTreeMap<LeaseId, Open>,
    asks: u64,
    /// The latest time that this was told.
    now: Micros,
    /// Up to when each has told what became of bids, as other nodes were told.
    told: BTreeMap<Teller, Micros>,
    /// Whether what was handed back is to be said once more.
    say_again: bool,
}

#[derive(Debug)]
struct Open {
    lease: Arc<Lease>,
    /// What the ledger has charged to it, cumulative.
    charged: Nanos,
    /// What was handed back, cumulative.
    returned: Nanos,
}

impl Open {
    /// What bids in flight hold of it.
    fn held(&self) -> Nanos {
        let gone = self.charged.saturating_add(self.returned).saturating_add(self.lease.available());
        self.lease.granted.saturating_sub(gone).max(Nanos::ZERO)
    }
}

impl Keeper {
    /// A node with no leases. `node` must be new for every process: leases of a dead one are the ledger's to close.
    pub fn new(node: NodeId, reservations: Arc<Reservations>) -> Self {
        Self {
            node,
            reservations,
            supplies: BTreeMap::new(),
            leases: BTreeMap::new(),
            asks: 0,
            now: Micros(i64::MIN),
            told: BTreeMap::new(),
            say_again: false,
        }
    }

    /// The campaigns that should have money from now on; others hand theirs back.
    pub fn want(&mut self, now: Micros, wanted: Vec<Wanted>) {
        let mut before = std::mem::take(&mut self.supplies);
        for want in wanted {
            let campaign = want.account.campaign;
            let supply = match before.remove(&campaign) {
                Some(supply) => supply.wanted_as(want),
                None => Supply::new(want, now),
            };
            self.supplies.insert(campaign, supply);
        }
        before.values().for_each(|supply| retire_current(&supply.want.account, &self.reservations));
    }

    /// What to tell the ledger now: asks for campaigns that run short, and money handed back.
    pub fn tick(&mut self, now: Micros) -> Vec<LeaseRecord> {
        self.pass(now);
        for (teller, told) in &self.told {
            self.reservations.release_due(*teller, *told);
        }
        for supply in self.supplies.values_mut() {
            retire_past(&supply.want.account, &self.reservations, now);
            supply.weigh(now);
            if supply.is_due(now) {
                supply.give_up_rest(&self.reservations);
            }
        }
        // What is handed back is not held any more, and can be lent for the asks behind it.
        let mut records: Vec<LeaseRecord> = self.returns().into_iter().map(|event| said(now, event)).collect();
        records.extend(self.asks(now));
        records
    }

    /// Where the clock was set back, what was to be done at a time is done by the new one; and what was told up to a later time
    /// says nothing of bids that are made from now on.
    fn pass(&mut self, now: Micros) {
        if now < self.now {
            self.told.values_mut().for_each(|told| *told = (*told).min(now.plus_seconds(-NOTICE_UNDER_WAY_S)));
            self.supplies.values_mut().for_each(|supply| supply.set_back(now));
        }
        self.now = now;
    }

    /// Ends every lease for bidding and says what is handed back.
    pub fn drain(&mut self, now: Micros) -> Vec<LeaseRecord> {
        self.want(now, Vec::new());
        self.tick(now)
    }

    /// Takes a record of a partition of the stream `leases`. Those of other nodes are not ours to act on.
    pub fn take(&mut self, partition: Partition, record: &LeaseRecord, now: Micros) {
        self.pass(now);
        let teller = Teller { shard: ShardId(record.shard), partition };
        match &record.event {
            Some(Event::Grant(grant)) if grant.node == self.node.0 => self.granted(grant, teller, now),
            Some(Event::Pace(pace)) => self.paced(CampaignId(pace.campaign), pace.multiplier_ppm),
            Some(Event::Settled(settled)) if settled.node == self.node.0 => self.settled(settled, now),
            Some(Event::Read(read)) => self.read(teller, Micros(read.notices_until), now),
            _ => {}
        }
    }

    /// How the node is supplied.
    pub fn status(&self, now: Micros) -> KeeperStatus {
        let short = |(campaign, supply): (&CampaignId, &Supply)| {
            Some((*campaign, supply.want.account.shortage(supply.want.price_max, Losses::Told, now)?))
        };
        KeeperStatus {
            unanswered: self.supplies.values().filter(|supply| !supply.answered).count(),
            without_lease: self.supplies.iter().filter_map(short).collect(),
            open_leases: self.leases.len(),
        }
    }

    fn asks(&mut self, now: Micros) -> Vec<LeaseRecord> {
        let mut asks = Vec::new();
        for (campaign, supply) in &mut self.supplies {
            if supply.is_due(now) {
                self.asks += 1;
                let held = supply.leases.iter().map(|lease| self.leases[lease].held());
                let held = held.fold(Nanos::ZERO, Nanos::saturating_add);
                let (node, campaign, ask) = (self.node.0, campaign.0, self.asks);
                let advertiser = supply.want.advertiser.0;
                let ask = LeaseAsk { node, campaign, ask, ..supply.send(now, held) };
                asks.push(LeaseRecord { advertiser, ..said(now, Event::Ask(ask)) });
            }
        }
        asks
    }

    /// What prices are multiplied by is the same on all nodes.
    fn paced(&mut self, campaign: CampaignId, multiplier_ppm: u32) {
        if let Some(supply) = self.supplies.get(&campaign) {
            supply.want.account.set_pace(multiplier_ppm);
        }
    }

    /// The ledger has read the notices of every node up to `until`: a bid that nobody said was won by then is lost. Its clock may
    /// be ahead of this node's, and the last notices may be durable at their node and not in the stream yet.
    fn read(&mut self, teller: Teller, until: Micros, now: Micros) {
        let until = until.min(now).plus_seconds(-NOTICE_UNDER_WAY_S);
        let told = self.told.entry(teller).or_insert(until);
        *told = until.max(*told);
    }

    fn granted(&mut self, grant: &LeaseGrant, teller: Teller, now: Micros) {
        let id = LeaseId(grant.lease);
        if self.leases.contains_key(&id) {
            return;
        }
        let (campaign, amount) = (CampaignId(grant.campaign), Nanos::new(grant.amount));
        self.paced(campaign, grant.multiplier_ppm);
        let mut supply = self.supplies.get_mut(&campaign);
        let want = supply.as_ref().map(|supply| &supply.want);
        let counts = want.map(|want| Arc::clone(&want.account.counts)).unwrap_or_default();
        let price_max = want.map_or(Nanos::ZERO, |want| want.price_max);
        let lease = Arc::new(Lease::new(grant, price_max, teller, counts, now));
        let is_kept = if let Some(supply) = supply.as_deref_mut() {
            supply.answered = true;
            self.say_again |= std::mem::take(&mut supply.missed);
            if grant.lease == 0 {
                return supply.refused(LeaseRefusal::try_from(grant.refusal).unwrap_or(LeaseRefusal::None), now);
            }
            supply.leases.insert(id);
            supply.lease_us = grant.until.saturating_sub(now.0);
            supply.lent(amount, now)
        } else if grant.lease == 0 {
            return;
        } else {
            // The campaign ended while its ask was under way.
            false
        };
        match supply.filter(|_| is_kept) {
            Some(supply) => {
                retire_current(&supply.want.account, &self.reservations);
                supply.want.account.current.store(Some(Arc::clone(&lease)));
            }
            None => self.reservations.hand_back(Arc::clone(&lease), lease.retire()),
        }
        self.leases.insert(id, Open { lease, charged: Nanos::ZERO, returned: Nanos::ZERO });
    }

    fn settled(&mut self, settled: &LeaseSettled, now: Micros) {
        let id = LeaseId(settled.lease);
        let Some(open) = self.leases.get_mut(&id) else { return };
        let charged = Nanos::new(settled.charged);
        let delta = charged.saturating_sub(open.charged);
        open.charged = charged;
        let supply = self.supplies.get_mut(&open.lease.campaign);
        if let Some(supply) = supply {
            supply.spent(delta, now);
            if settled.closed {
                supply.leases.remove(&id);
            }
        }
        named(&settled.won).for_each(|impression| self.reservations.win(impression));
        named(&settled.lost).for_each(|impression| self.reservations.release(impression));
        let held = self.reservations.settle(id, named(&settled.impressions));
        self.reservations.put_back(Arc::clone(&open.lease), held.saturating_sub(delta));
        if settled.closed {
            // The ledger has taken back what was left: none of it may be spent or handed back again.
            let _closed_by_the_ledger = open.lease.retire();
            self.leases.remove(&id);
        }
    }

    /// Amounts handed back are cumulative, so that a record that is lost is made good by the next one: where nothing more is
    /// handed back, by one that says the same again once the ledger is heard after it was silent.
    fn returns(&mut self) -> Vec<Event> {
        let mut changed = BTreeSet::new();
        if std::mem::take(&mut self.say_again) {
            let some = self.leases.iter().filter(|(_, open)| open.returned > Nanos::ZERO);
            changed.extend(some.map(|(id, _)| *id));
        }
        for (lease, amount) in self.reservations.take_left_over() {
            if let Some(open) = self.leases.get_mut(&lease.id) {
                open.returned = open.returned.saturating_add(amount);
                changed.insert(lease.id);
            }
        }
        let node = self.node.0;
        let event = |id: LeaseId| {
            let open = self.leases.get(&id)?;
            let (campaign, amount) = (open.lease.campaign.0, open.returned.get());
            Some(Event::Return(LeaseReturn { node, campaign, lease: id.0, amount }))
        };
        changed.into_iter().filter_map(event).collect()
    }
}

fn named(impressions: &[Vec<u8>]) -> impl Iterator<Item = ImpressionId> {
    impressions.iter().filter_map(|bytes| bytes.as_slice().try_into().ok()).map(ImpressionId)
}

fn said(now: Micros, event: Event) -> LeaseRecord {
    LeaseRecord { at: now.0, event: Some(event), ..LeaseRecord::default() }
}

/// Ends a lease that is past its end.
fn retire_past(account: &Account, reservations: &Reservations, now: Micros) {
    if account.current.load().as_ref().is_some_and(|lease| now >= lease.until) {
        retire_current(account, reservations);
    }
}

fn retire_current(account: &Account, reservations: &Reservations) {
    if let Some(lease) = account.current.swap(None) {
        let left = lease.retire();
        reservations.hand_back(lease, left);
    }
}
