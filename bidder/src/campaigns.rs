//! From the stream `campaigns` to the snapshot that requests are decided with.
//!
//! The wire is not trusted: every record is checked again, and a bad one puts only its own campaign out of bidding.
//! Compiling happens on the feed's task; requests load the finished snapshot.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use decision::campaign::{Campaign, limits};
use decision::ids::{CampaignId, SegmentId};
use decision::index::CampaignIndex;
use decision::money::{ONE_PPM, Rates};
use decision::outcome::Slot;
use decision::time::Micros;
use event_log::{EventLog, Offset, ReadError, Record, Stream};
use proto::record;
use proto::wire::campaigns_record::Change;
use proto::wire::{self, CampaignsRecord};
use tokio::task::spawn_blocking;
use tokio::time::sleep;
use tracing::{info, warn};

use crate::exchange::response::{Ad, AdFacts};
use crate::lease::{Account, Wanted};
use crate::limits::{LEASE_IMPRESSIONS_MIN, RETIRE_INTERVAL};

#[cfg(test)]
mod tests;

/// Everything about campaigns that a request needs, immutable but for the stop flags.
#[derive(Debug)]
pub struct Snapshot {
    /// The compiled campaigns.
    pub index: CampaignIndex,
    /// What is written for each variant, by its place in the index.
    pub ads: Vec<Ad>,
    /// Where a click on each variant ends, by its place in the index.
    pub landing_urls: Vec<String>,
    /// Each campaign's money on this node, by slot.
    pub accounts: Vec<Arc<Account>>,
    /// The names of segments, for people.
    pub segments: BTreeMap<SegmentId, String>,
    stopped: Vec<AtomicBool>,
    /// Those of [`Self::stopped`], for records: stops are few, and campaigns may be many.
    stopped_ids: Mutex<Vec<CampaignId>>,
}

impl Snapshot {
    /// The campaigns that were stopped, in the order in which they were.
    pub fn stopped_ids(&self) -> Vec<CampaignId> {
        self.stopped_ids.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether the campaign was stopped, also since the index was compiled.
    pub fn is_stopped(&self, slot: Slot) -> bool {
        self.stopped.get(slot.0 as usize).is_none_or(|flag| flag.load(Ordering::Relaxed))
    }

    /// What the campaign's prices are multiplied by, in millionths, at this moment.
    pub fn pace_ppm(&self, slot: Slot) -> u32 {
        self.accounts.get(slot.0 as usize).map_or(ONE_PPM, |account| account.pace_ppm())
    }

    /// The campaigns that may bid at `now` and so want money.
    pub fn wanted(&self, now: Micros) -> Vec<Wanted> {
        let live = self.index.campaigns().iter().enumerate().filter(|(at, campaign)| {
            let in_flight = campaign.flight.from <= now && now < campaign.flight.until;
            in_flight && !self.is_stopped(Slot(*at as u32))
        });
        live.map(|(at, campaign)| wanted(campaign, &self.accounts[at])).collect()
    }

    /// The name of a segment, or its number where the name is not known.
    pub fn segment_name(&self, segment: SegmentId) -> String {
        self.segments.get(&segment).cloned().unwrap_or_else(|| segment.to_string())
    }

    /// The number of a segment's name.
    pub fn segment_named(&self, name: &str) -> Option<SegmentId> {
        self.segments.iter().find(|(_, known)| *known == name).map(|(segment, _)| *segment)
    }

    fn stop(&self, campaign: CampaignId) {
        let flag = self.index.slot_of(campaign).and_then(|slot| self.stopped.get(slot.0 as usize));
        // Whoever was decided on by the flag finds it in the list.
        let mut ids = self.stopped_ids.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(flag) = flag
            && !flag.swap(true, Ordering::Relaxed)
        {
            ids.push(campaign);
        }
    }
}

fn wanted(campaign: &Campaign, account: &Arc<Account>) -> Wanted {
    let (price_max, daily) = (campaign.strategy.max_cpm, campaign.budget.daily);
    Wanted::new(Arc::clone(account), campaign.advertiser.id, price_max, daily)
}

/// The snapshot in force, and the accounts that outlive it. Clones share it.
#[derive(Clone, Debug)]
pub struct Campaigns {
    current: Arc<ArcSwap<Snapshot>>,
    caught_up: Arc<AtomicBool>,
}

impl Campaigns {
    /// No campaigns yet.
    pub fn new(rates: Rates) -> Self {
        let snapshot = Catalog::new(rates).compile();
        Self { current: Arc::new(ArcSwap::from_pointee(snapshot)), caught_up: Arc::default() }
    }

    /// The snapshot in force.
    pub fn load(&self) -> arc_swap::Guard<Arc<Snapshot>> {
        self.current.load()
    }

    /// The snapshot in force, to keep across an await.
    pub fn load_full(&self) -> Arc<Snapshot> {
        self.current.load_full()
    }

    /// Whether everything that was in the stream at start is in force.
    pub fn caught_up(&self) -> bool {
        self.caught_up.load(Ordering::Acquire)
    }

    /// Keeps the snapshot in step with the stream until the log is closed.
    ///
    /// # Errors
    /// Where the stream cannot be read: campaigns would go on as they were, unstoppable, so the caller ends the process.
    pub async fn follow(self, log: EventLog, rates: Rates) -> Result<(), ReadError> {
        let mut catalog = Catalog::new(rates);
        let goal = log.ends(Stream::Campaigns).await?;
        let mut tail = log.read_from(Stream::Campaigns, &log.starts(Stream::Campaigns).await?);
        loop {
            if tail.offsets().reached(&goal) && !self.caught_up() {
                self.replace(catalog.compile());
                self.caught_up.store(true, Ordering::Release);
            }
            let records = match tail.next().await {
                Ok(records) => records,
                Err(ReadError::Closed) => return Ok(()),
                Err(error) => return Err(error),
            };
            let mut recompile = false;
            for record in &records {
                match catalog.take(record) {
                    Taken::Stop(campaign) => self.load().stop(campaign),
                    Taken::Recompile => recompile = true,
                }
            }
            if recompile && self.caught_up() {
                let snapshot = catalog.compile();
                info!(
                    revision = snapshot.index.version(),
                    campaigns = snapshot.index.campaigns().len(),
                    "campaigns in force"
                );
                self.replace(snapshot);
            }
        }
    }

    fn replace(&self, snapshot: Snapshot) {
        tokio::spawn(retire(self.current.swap(Arc::new(snapshot))));
    }
}

/// Frees what was replaced once no request uses it any more, on a thread that does nothing else. Whoever lets go of it last
/// frees it: a core that serves would stand still for half a second with a hundred thousand campaigns.
async fn retire<T: Send + Sync + 'static>(mut replaced: Arc<T>) {
    let unused = loop {
        match Arc::try_unwrap(replaced) {
            Ok(unused) => break unused,
            Err(used) => replaced = used,
        }
        sleep(RETIRE_INTERVAL).await;
    };
    // Fails where the process ends, which frees it as well.
    let _ending = spawn_blocking(move || drop(unused)).await;
}

/// What a record changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Taken {
    /// A flag in the snapshot in force.
    Stop(CampaignId),
    /// The snapshot.
    Recompile,
}

/// The fold of the stream.
#[derive(Debug)]
struct Catalog {
    rates: Rates,
    version: u64,
    live: BTreeMap<CampaignId, Campaign>,
    stopped: BTreeSet<CampaignId>,
    segments: BTreeMap<SegmentId, String>,
    accounts: Mutex<BTreeMap<CampaignId, Arc<Account>>>,
}

impl Catalog {
    fn new(rates: Rates) -> Self {
        Self {
            rates,
            version: 0,
            live: BTreeMap::new(),
            stopped: BTreeSet::new(),
            segments: BTreeMap::new(),
            accounts: Mutex::default(),
        }
    }

    fn take(&mut self, record: &Record) -> Taken {
        let Offset(offset) = record.offset;
        self.version = offset;
        match record::decode::<CampaignsRecord>(&record.value).map(|record| record.change) {
            Ok(Some(Change::Campaign(campaign))) => self.publish(&campaign),
            Ok(Some(Change::Stop(stop))) => {
                self.stopped.insert(CampaignId(stop.campaign));
                return Taken::Stop(CampaignId(stop.campaign));
            }
            Ok(Some(Change::Segment(segment))) => {
                self.segments.insert(SegmentId(segment.id), segment.name);
            }
            Ok(Some(Change::Advertiser(_)) | None) => {}
            Err(error) => self.quarantine(&record.key, &error.to_string()),
        }
        Taken::Recompile
    }

    fn publish(&mut self, wire: &wire::Campaign) {
        let id = CampaignId(wire.id);
        match proto::campaign::campaign(wire) {
            Ok(campaign) => {
                self.stopped.remove(&id);
                self.live.insert(id, campaign);
            }
            Err(problems) => {
                let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
                warn!(campaign = %id, name = wire.name, problems = problems.join("; "), "campaign quarantined");
                self.live.remove(&id);
            }
        }
    }

    /// A record that cannot be read at all is known by its key alone, such as `campaign/7`.
    fn quarantine(&mut self, key: &[u8], problem: &str) {
        let key = String::from_utf8_lossy(key);
        warn!(%key, problem, "record of the stream campaigns cannot be read");
        let number = key.strip_prefix("campaign/").or_else(|| key.strip_prefix("campaign-stop/"));
        if let Some(id) = number.and_then(|number| number.parse().ok()) {
            self.live.remove(&CampaignId(id));
        }
    }

    fn compile(&self) -> Snapshot {
        let index = CampaignIndex::compile(self.live.values().cloned().collect(), self.rates.clone(), self.version);
        let mut accounts = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        let account = |campaign: &Campaign| {
            Arc::clone(accounts.entry(campaign.id).or_insert_with(|| Arc::new(Account::new(campaign.id))))
        };
        let accounts = index.campaigns().iter().map(account).collect();
        let stopped = index.campaigns().iter().map(|c| AtomicBool::new(self.stopped.contains(&c.id))).collect();
        let stopped_ids = index.campaigns().iter().map(|c| c.id).filter(|id| self.stopped.contains(id)).collect();
        let ads = index.variants().map(|(_, campaign, creative, variant)| {
            Ad::compile(&AdFacts {
                adid: &variant.id.to_string(),
                crid: &format!("{}-{}", creative.id, variant.id),
                cid: &campaign.id.to_string(),
                domain: &campaign.advertiser.domain,
                categories: &campaign.advertiser.categories,
                size: creative.size,
                markup: &variant.markup,
            })
        });
        let ads = ads.collect();
        let landing_urls = index.variants().map(|(.., variant)| variant.landing_url.clone()).collect();
        let stopped_ids = Mutex::new(stopped_ids);
        Snapshot { ads, landing_urls, accounts, stopped, stopped_ids, segments: self.segments.clone(), index }
    }
}

const _: () = assert!(limits::CPM_MICROS_MAX <= i64::MAX / LEASE_IMPRESSIONS_MIN);
