//! A bidder: the real accounts, keeper, reservations and tokens of one process, and the disk of the machine that it runs on.

use std::collections::BTreeMap;
use std::sync::Arc;

use bidder::exchange::dialect::Dialect;
use bidder::lease::{Account, Keeper, Reservations, Wanted};
use bidder::limits::TOKEN_LIFE_S;
use bidder::metrics::NoticeOutcome;
use bidder::notice;
use bidder::token::{Claims, Forged, Ids, Keys, NoticeKind};
use decision::ids::{AdvertiserId, CampaignId, CreativeId, Currency, ImpressionId, NodeId, VariantId};
use decision::money::Nanos;
use decision::outcome::Arm;
use decision::profile::Keep;
use decision::time::Micros;
use event_log::Partition;
use proto::wire::{LeaseRecord, Notice, lease_record::Event};

use crate::network::{Campaign, Change, Place, Streams};
use crate::reached::{Reach, Reached};

/// What all nodes have in common.
pub(crate) struct Setting {
    pub(crate) dialect: Dialect,
    pub(crate) keys: Keys,
}

/// What a machine keeps when its process is killed: notices that were acknowledged, and a mark behind what is shipped.
#[derive(Default)]
pub(crate) struct Disk {
    notices: Vec<Notice>,
    shipped: usize,
}

impl Disk {
    /// Ships up to `most` notices.
    pub(crate) fn ship(&mut self, streams: &mut Streams, most: usize) {
        let until = self.notices.len().min(self.shipped + most);
        self.notices[self.shipped..until].iter().for_each(|notice| streams.take(notice.clone()));
        self.shipped = until;
    }

    /// The mark was not written after the last notices were shipped; how many these are.
    pub(crate) fn lose_mark(&mut self, most: usize) -> usize {
        let lost = self.shipped.min(most);
        self.shipped -= lost;
        lost
    }

    pub(crate) fn is_shipped(&self) -> bool {
        self.shipped == self.notices.len()
    }
}

/// What becomes of a notice that somebody sends to a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Acknowledged(NoticeOutcome),
    Expired,
    Forged,
}

struct Known {
    campaign: Campaign,
    account: Arc<Account>,
    is_stopped: bool,
}

/// One process.
pub(crate) struct Process {
    pub(crate) node: NodeId,
    keeper: Keeper,
    reservations: Arc<Reservations>,
    known: BTreeMap<u32, Known>,
    campaigns: Place,
    leases: Place,
    /// What the ledger is still to be told, from a time without a network.
    outbox: Vec<LeaseRecord>,
}

impl Process {
    /// Nothing in the stream of leases so far is for a new process.
    pub(crate) fn start(node: u64, streams: &Streams) -> Self {
        let (node, reservations) = (NodeId(node), Arc::new(Reservations::default()));
        let keeper = Keeper::new(node, Arc::clone(&reservations));
        let (campaigns, leases) = (Place::default(), streams.leases.end());
        Self { node, keeper, reservations, known: BTreeMap::new(), campaigns, leases, outbox: Vec::new() }
    }

    /// Reads what the streams hold.
    pub(crate) fn read(&mut self, streams: &Streams, now: Micros) {
        for read in streams.campaigns.read(&mut self.campaigns, usize::MAX) {
            match read.value {
                Change::Published(campaign) => {
                    let id = campaign.budget.campaign;
                    let old = self.known.remove(&id).map(|known| known.account);
                    let account = old.unwrap_or_else(|| Arc::new(Account::new(CampaignId(id))));
                    self.known.insert(id, Known { campaign: campaign.clone(), account, is_stopped: false });
                }
                Change::Stopped(id) => {
                    if let Some(known) = self.known.get_mut(id) {
                        known.is_stopped = true;
                    }
                }
            }
        }
        for read in streams.leases.read(&mut self.leases, usize::MAX) {
            self.keeper.take(Partition(read.partition), read.value, now);
        }
    }

    /// Sees to money, as every tenth of a second; what the ledger is to be told.
    pub(crate) fn tick(&mut self, now: Micros) -> Vec<LeaseRecord> {
        let is_live = |known: &&Known| {
            let budget = &known.campaign.budget;
            !known.is_stopped && budget.from <= now.0 && now.0 < budget.until
        };
        let want = |known: &Known| {
            let (price_max, budget) = (known.campaign.price_max, &known.campaign.budget);
            let (account, advertiser) = (Arc::clone(&known.account), AdvertiserId(budget.advertiser));
            Wanted::new(account, advertiser, Nanos::new(price_max), Nanos::new(budget.daily))
        };
        let wanted: Vec<Wanted> = self.known.values().filter(is_live).map(want).collect();
        self.keeper.want(now, wanted);
        self.keeper.tick(now)
    }

    /// Ends bidding; what is handed back.
    pub(crate) fn drain(&mut self, now: Micros) -> Vec<LeaseRecord> {
        self.keeper.drain(now)
    }

    /// Without a network some of it is said later, and some is lost.
    pub(crate) fn keep(&mut self, record: LeaseRecord) {
        self.outbox.push(record);
    }

    pub(crate) fn take_kept(&mut self) -> Vec<LeaseRecord> {
        std::mem::take(&mut self.outbox)
    }

    /// Bids on an impression as the hot path does; `None` where there is no money.
    pub(crate) fn bid(
        &mut self,
        setting: &Setting,
        impression: ImpressionId,
        (campaign, price): (u32, i64),
        now: Micros,
        reached: &mut Reached,
    ) -> Option<Claims<'static>> {
        let Known { campaign: known, account, is_stopped } = self.known.get(&campaign)?;
        let live = known.budget.from <= now.0 && now.0 < known.budget.until;
        if *is_stopped || !live {
            return None;
        }
        let ppm = account.pace_ppm();
        reached.add_if(ppm < 1_000_000, Reach::Paced);
        let amount = Nanos::new(price).scaled(ppm).max(Nanos::new(1));
        let price = known.offered(amount);
        if price < Nanos::ZERO {
            return None;
        }
        let Some(taken) = account.reserve(amount, setting.dialect.losses(), now) else {
            reached.add(Reach::NoLease);
            return None;
        };
        reached.add_if(taken.held() < taken.amount, Reach::HeldLess);
        let id = taken.lease.id;
        let windows = setting.dialect.windows(now);
        assert!(self.reservations.hold(impression, taken, windows), "there is room");
        Some(Claims {
            impression,
            exchange: setting.dialect.name,
            imp_id: "1",
            campaign: CampaignId(campaign),
            advertiser: AdvertiserId(known.budget.advertiser),
            creative: CreativeId(1),
            variant: VariantId(1),
            person: None,
            ids: Ids::default(),
            keep: Keep::default(),
            test: false,
            node: self.node,
            lease: id,
            price,
            currency: Currency::new("USD").unwrap(),
            rate: known.rate,
            fees: known.fees,
            segment: None,
            arm: Arm::None,
            index_version: 1,
            bid_at: now,
            expires_at: now.plus_seconds(TOKEN_LIFE_S),
            landing_url: "https://shop.example/",
        })
    }

    /// Takes a notice as the notice path does: durable on `disk`, then acknowledged, then acted on.
    pub(crate) fn notice(
        &self,
        setting: &Setting,
        disk: &mut Disk,
        (kind, token, query): (NoticeKind, &str, &str),
        now: Micros,
    ) -> Answer {
        let Ok((opened, expired)): Result<_, Forged> = setting.keys.open(kind, token, now) else {
            return Answer::Forged;
        };
        let claims = opened.claims();
        let (record, outcome) = notice::notice(self.node, kind, &claims, &setting.dialect, query, now);
        let billable = record.billable;
        disk.notices.push(record);
        if expired {
            return Answer::Expired;
        }
        if outcome == NoticeOutcome::Taken {
            notice::hold(&self.reservations, kind, &claims, billable);
        }
        Answer::Acknowledged(outcome)
    }

    pub(crate) fn holds_nothing(&self) -> bool {
        self.reservations.is_empty()
    }
}

/// Whether a record is an ask.
pub(crate) fn is_ask(record: &LeaseRecord) -> bool {
    matches!(record.event, Some(Event::Ask(_)))
}
