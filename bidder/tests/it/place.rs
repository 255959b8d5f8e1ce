//! A bidder on a real log, with a campaign that a test describes.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use bidder::bidder::Bidder;
use bidder::campaigns::Campaigns;
use bidder::events::Events;
use bidder::exchange::dialect::{Dialect, Version};
use bidder::lease::Reservations;
use bidder::metrics::Metrics;
use bidder::token::{Key, Keys};
use decision::campaign::{AdvertiserDraft, Campaign, CampaignDraft, CreativeDraft, Variant};
use decision::ids::{ExchangeName, NodeId, VariantId};
use decision::money::Rates;
use event_log::{EventLog, LocalLog, LocalOptions, Stream};
use proto::record;
use proto::wire::campaigns_record::Change;
use proto::wire::{self, CampaignsRecord};
use segment_store::{IdHasher, LocalProfiles, Profiles};
use tempfile::TempDir;

pub(crate) const NODE: NodeId = NodeId(7);

/// Bytes of a file of the log: a few records.
const SEGMENT_BYTES: u64 = 1_024;

/// A bidder with a log and profiles of its own.
pub(crate) struct Place {
    pub(crate) bidder: Arc<Bidder>,
    dir: TempDir,
}

impl Place {
    /// For two exchanges: `old` speaks OpenRTB 2.5, `new` 2.6.
    pub(crate) fn new() -> Self {
        let [old, new] = ["old", "new"].map(|name| Dialect::new(ExchangeName::new(name).expect("a name")));
        Self::of([Dialect { version: Version::V2_5, ..old }, Dialect { version: Version::V2_6, ..new }])
    }

    /// For these exchanges; every request is recorded whole.
    pub(crate) fn of(exchanges: impl IntoIterator<Item = Dialect>) -> Self {
        Self::sampling(1, exchanges)
    }

    /// For these exchanges; one request in so many is recorded whole.
    pub(crate) fn sampling(sampled_one_in: u32, exchanges: impl IntoIterator<Item = Dialect>) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let options = LocalOptions { segment_bytes: SEGMENT_BYTES, ..LocalOptions::new(dir.path().join("events")) };
        let log = EventLog::from(LocalLog::open(options).expect("a log"));
        let profiles = LocalProfiles::open(&dir.path().join("profiles")).expect("profiles");
        let (events, _producer) = Events::start(log.clone()).expect("a thread");
        let bidder = Bidder {
            node: NODE,
            exchanges: exchanges.into_iter().map(|d| (d.name.to_string(), d)).collect(),
            campaigns: Campaigns::new(Rates::default()),
            profiles: Profiles::Local(Arc::new(profiles)),
            hasher: IdHasher::new([1; 16]),
            keys: Keys::new(Key::new(1, &[9; 16]), None),
            reservations: Arc::new(Reservations::default()),
            events,
            log,
            deaf: AtomicBool::new(false),
            metrics: Metrics::new(1),
            public_url: "http://127.0.0.1:1".into(),
            seed_key: 1,
            sampled_one_in,
        };
        Self { bidder: Arc::new(bidder), dir }
    }

    /// From now on the log cannot begin another file of notices: what does not fit the one it has fails.
    pub(crate) fn break_notices(&self) {
        let folder = self.dir.path().join("events").join(Stream::Notices.name());
        std::fs::remove_dir_all(folder).expect("a folder of the log");
    }

    /// Publishes `changes` and waits until they are in force.
    pub(crate) async fn publish(&self, changes: impl IntoIterator<Item = Change>) {
        let log = &self.bidder.log;
        for change in changes {
            let value = record::encode(&CampaignsRecord { change: Some(change), ..CampaignsRecord::default() });
            log.append(Stream::Campaigns, "campaign/1", value).await.expect("a durable record");
        }
        let feed = tokio::spawn(self.bidder.campaigns.clone().follow(log.clone(), Rates::default()));
        while !self.bidder.campaigns.caught_up() {
            tokio::task::yield_now().await;
        }
        feed.abort();
    }
}

/// A campaign with a banner of 300x250 in US dollars; prices as in `draft`.
pub(crate) fn campaign(draft: CampaignDraft) -> Change {
    let variant = Variant {
        id: VariantId(1),
        name: "plain".into(),
        segments: Vec::new(),
        markup: "<a href=\"${CLICK_URL}\">x</a>".into(),
        landing_url: "https://shop.example/".into(),
    };
    let creatives = vec![CreativeDraft { id: 1, name: "hero".into(), w: 300, h: 250, variants: vec![variant] }];
    published(CampaignDraft { id: 1, name: "boots".into(), creatives, ..draft })
}

/// A campaign of one advertiser, in US dollars, that runs and has money to spend.
pub(crate) fn published(draft: CampaignDraft) -> Change {
    let advertiser = AdvertiserDraft {
        id: 1,
        name: "shop".into(),
        currency: "USD".into(),
        domain: "shop.example".into(),
        categories: Vec::new(),
    };
    let draft = CampaignDraft {
        advertiser,
        from: 0,
        until: i64::MAX,
        daily_budget: 100_000_000_000,
        total_budget: 1_000_000_000_000,
        ..draft
    };
    Change::Campaign(wire::Campaign::from(&Campaign::try_from(draft).expect("a campaign")))
}
