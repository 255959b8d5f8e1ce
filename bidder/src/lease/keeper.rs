//! Keeps this node supplied with leases: asks the ledger in time, takes its grants and settlements, hands back what is
//! not needed. A state machine; [`Keeper::tick`] and [`Keeper::take`] are given the time and the records.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use decision::ids::{CampaignId, ImpressionId, LeaseId, NodeId};
use decision::money::Nanos;
use decision::time::Micros;
use proto::wire::lease_record::Event;
use proto::wire::{LeaseAsk, LeaseGrant, LeaseRecord, LeaseRefusal, LeaseReturn, LeaseSettled};

use super::shortage::{Answer, Shortage};
use super::{Account, Lease, Reservations};
use crate::limits::{LEASE_ASK_AGAIN_S, LEASE_IDLE_S_MAX, LEASE_IDLE_S_MIN, LEASE_REFUSED_AGAIN_S, PACE_PPM_MAX};

/// A campaign that should have money on this node.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// Where its money is.
    pub account: Arc<Account>,
    /// The most that one impression costs: with less it lacks money.
    pub price_max: Nanos,
    /// The least to ask for.
    pub ask_min: Nanos,
    /// The most to ask for at once: it bounds what a dead node can keep from others.
    pub ask_max: Nanos,
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
}

/// One campaign's supply.
#[derive(Debug)]
struct Supply {
    account: Arc<Account>,
    price_max: Nanos,
    ask: Ask,
    /// How much the last ask was for.
    asked: Nanos,
    answered: bool,
    /// Before this nothing is asked for unless somebody bids, so that nobody is busy with money that nobody needs.
    idle_until: Micros,
    /// How many seconds that is after the next ask.
    idle_s: i64,
}

impl Supply {
    fn new(want: &Wanted, now: Micros) -> Self {
        let (account, price_max) = (Arc::clone(&want.account), want.price_max);
        let (ask, asked, answered) = (Ask::NotBefore(now), Nanos::ZERO, false);
        Self { account, price_max, ask, asked, answered, idle_until: now, idle_s: LEASE_IDLE_S_MIN }
    }

    /// Whether to ask now: nothing is under way, and the money is short and needed.
    fn is_due(&self, now: Micros) -> bool {
        let may = match self.ask {
            Ask::NotBefore(then) => now >= then,
            // An ask or its answer may be lost with a node or a stream; a second grant for it only replaces the first.
            Ask::Sent(then) => now >= then.plus_seconds(LEASE_ASK_AGAIN_S),
        };
        let needed = now >= self.idle_until || self.account.wanted.load(Ordering::Relaxed) > 0;
        may && needed && runs_short(&self.account, now)
    }

    /// Notes an ask at `now`: how much to ask for, and what bids since the last one would have come to before pacing.
    fn send(&mut self, now: Micros, want: &Wanted) -> (Nanos, Nanos) {
        if let Ask::Sent(_) = self.ask {
            self.account.heard(Answer::None);
        }
        self.ask = Ask::Sent(now);
        let wanted = Nanos::new(self.account.wanted.swap(0, Ordering::Relaxed));
        if wanted > Nanos::ZERO {
            self.idle_s = LEASE_IDLE_S_MIN;
        }
        self.idle_until = now.plus_seconds(self.idle_s);
        self.idle_s = (2 * self.idle_s).min(LEASE_IDLE_S_MAX);
        self.asked = wanted.saturating_add(wanted).max(want.ask_min).min(want.ask_max);
        // The multiplier moves little from one ask to the next.
        let demand = i128::from(wanted.get()) * i128::from(PACE_PPM_MAX) / i128::from(self.account.pace_ppm());
        (self.asked, Nanos::new(i64::try_from(demand).unwrap_or(i64::MAX)))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ask {
    /// Nothing is under way; the next one may be sent from then on.
    NotBefore(Micros),
    /// Sent then, not answered.
    Sent(Micros),
}

#[derive(Debug)]
struct Open {
    lease: Arc<Lease>,
    /// What the ledger has charged to it, cumulative.
    charged: Nanos,
    /// What was handed back, cumulative.
    returned: Nanos,
}

impl Keeper {
    /// A node with no leases. `node` must be new for every process: leases of a dead one are the ledger's to close.
    pub fn new(node: NodeId, reservations: Arc<Reservations>) -> Self {
        Self { node, reservations, supplies: BTreeMap::new(), leases: BTreeMap::new(), asks: 0 }
    }

    /// What to tell the ledger now: asks for `wanted` campaigns that run short, and money handed back.
    pub fn tick(&mut self, now: Micros, wanted: &[Wanted]) -> Vec<LeaseRecord> {
        self.reservations.release_due(now);
        let still: BTreeMap<CampaignId, &Wanted> = wanted.iter().map(|w| (w.account.campaign, w)).collect();
        self.supplies.retain(|campaign, supply| {
            let keep = still.contains_key(campaign);
            if !keep {
                retire_current(&supply.account, &self.reservations);
            }
            keep
        });
        let mut events = Vec::new();
        for want in still.values() {
            events.extend(self.ask(now, want));
        }
        events.extend(self.returns());
        events
            .into_iter()
            .map(|event| LeaseRecord { at: now.0, event: Some(event), ..LeaseRecord::default() })
            .collect()
    }

    /// Ends every lease for bidding and says what is handed back.
    pub fn drain(&mut self, now: Micros) -> Vec<LeaseRecord> {
        self.tick(now, &[])
    }

    /// Takes a record of the stream `leases`. Those of other nodes are not ours to act on.
    pub fn take(&mut self, record: &LeaseRecord, now: Micros) {
        match &record.event {
            Some(Event::Grant(grant)) if grant.node == self.node.0 => self.granted(grant, now),
            Some(Event::Pace(pace)) => self.paced(CampaignId(pace.campaign), pace.multiplier_ppm),
            Some(Event::Settled(settled)) if settled.node == self.node.0 => self.settled(settled),
            _ => {}
        }
    }

    /// How the node is supplied.
    pub fn status(&self, now: Micros) -> KeeperStatus {
        let short = |(campaign, supply): (&CampaignId, &Supply)| {
            Some((*campaign, supply.account.shortage(supply.price_max, now)?))
        };
        KeeperStatus {
            unanswered: self.supplies.values().filter(|supply| !supply.answered).count(),
            without_lease: self.supplies.iter().filter_map(short).collect(),
            open_leases: self.leases.len(),
        }
    }

    fn ask(&mut self, now: Micros, want: &Wanted) -> Option<Event> {
        let campaign = want.account.campaign;
        let supply = self.supplies.entry(campaign).or_insert_with(|| Supply::new(want, now));
        supply.price_max = want.price_max;
        if let Some(lease) = supply.account.current.load().as_ref()
            && now >= lease.until
        {
            retire_current(&supply.account, &self.reservations);
        }
        if !supply.is_due(now) {
            return None;
        }
        self.asks += 1;
        let (amount, demand) = supply.send(now, want);
        let (amount, demand) = (amount.get(), demand.get());
        Some(Event::Ask(LeaseAsk { node: self.node.0, campaign: campaign.0, ask: self.asks, amount, demand }))
    }

    /// What prices are multiplied by is the same on all nodes.
    fn paced(&mut self, campaign: CampaignId, multiplier_ppm: u32) {
        if let Some(supply) = self.supplies.get(&campaign) {
            supply.account.set_pace(multiplier_ppm);
        }
    }

    fn granted(&mut self, grant: &LeaseGrant, now: Micros) {
        let id = LeaseId(grant.lease);
        if self.leases.contains_key(&id) {
            return;
        }
        let (campaign, amount) = (CampaignId(grant.campaign), Nanos::new(grant.amount));
        self.paced(campaign, grant.multiplier_ppm);
        let lease = Arc::new(Lease::new(id, campaign, amount, now, Micros(grant.until)));
        let supply = self.supplies.get_mut(&campaign);
        if let Some(supply) = supply {
            supply.answered = true;
            if grant.lease == 0 {
                let refusal = LeaseRefusal::try_from(grant.refusal).unwrap_or(LeaseRefusal::None);
                supply.account.heard(Answer::Refused(refusal));
                supply.ask = Ask::NotBefore(now.plus_seconds(LEASE_REFUSED_AGAIN_S));
                return;
            }
            supply.account.heard(if amount < supply.asked { Answer::Rest } else { Answer::Whole });
            supply.ask = Ask::NotBefore(now);
            retire_current(&supply.account, &self.reservations);
            supply.account.current.store(Some(Arc::clone(&lease)));
        } else if grant.lease == 0 {
            return;
        } else {
            // The campaign ended while its ask was under way.
            let left = lease.retire();
            self.reservations.hand_back(Arc::clone(&lease), left);
        }
        self.leases.insert(id, Open { lease, charged: Nanos::ZERO, returned: Nanos::ZERO });
    }

    fn settled(&mut self, settled: &LeaseSettled) {
        let id = LeaseId(settled.lease);
        let Some(open) = self.leases.get_mut(&id) else { return };
        let charged = Nanos::new(settled.charged);
        let delta = charged.saturating_sub(open.charged);
        open.charged = charged;
        let impressions = settled.impressions.iter().filter_map(|bytes| bytes.as_slice().try_into().ok());
        let impressions: Vec<ImpressionId> = impressions.map(ImpressionId).collect();
        let held = self.reservations.settle(id, &impressions);
        self.reservations.put_back(Arc::clone(&open.lease), held.saturating_sub(delta));
        if settled.closed {
            // The ledger has taken back what was left: none of it may be spent or handed back again.
            let _closed_by_the_ledger = open.lease.retire();
            self.leases.remove(&id);
        }
    }

    /// Amounts handed back are cumulative, so that a record that is lost is made good by the next one.
    fn returns(&mut self) -> Vec<Event> {
        let mut changed = BTreeSet::new();
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

/// Whether an account needs a new lease: it has none, more than half is held or spent, or its end is near.
fn runs_short(account: &Account, now: Micros) -> bool {
    account.current.load().as_ref().is_none_or(|lease| {
        let half = Nanos::new(lease.granted.get() / 2);
        lease.available() < half || now >= lease.renew_at
    })
}

fn retire_current(account: &Account, reservations: &Reservations) {
    if let Some(lease) = account.current.swap(None) {
        let left = lease.retire();
        reservations.hand_back(lease, left);
    }
}
