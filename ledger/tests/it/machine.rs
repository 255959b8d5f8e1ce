//! A machine on which the ledger runs, with its streams in a directory, and what is written to them.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use decision::time::Micros;
use event_log::{EventLog, KeyValue, LocalLog, LocalOptions, Offset, Stream, block_on};
use ledger::{LedgerHandle, LedgerSettings, ServeError, serve};
use proto::record::{StreamRecord, decode, encode};
use proto::wire::{
    Advertiser, Campaign, CampaignsRecord, LeaseAsk, LeaseGrant, LeaseRecord, LeaseSettled, Notice, NoticeKind,
    Outcome, OutcomeKind, Sealed, campaigns_record::Change, lease_record::Event,
};

pub(crate) const SECOND: i64 = 1_000_000;
pub(crate) const NOON: i64 = 20_000 * 86_400 * SECOND + 43_200 * SECOND;

pub(crate) fn append_all(log: &EventLog, stream: Stream, records: Vec<KeyValue>) {
    let writer = block_on(log.writer("test")).unwrap();
    block_on(writer.append_all(stream, records)).unwrap();
}

/// A directory with streams, and a clock.
pub(crate) struct Machine {
    dir: tempfile::TempDir,
    pub(crate) now: Arc<AtomicI64>,
    pub(crate) settings: LedgerSettings,
}

impl Machine {
    pub(crate) fn new() -> Self {
        let now = Arc::new(AtomicI64::new(NOON));
        Self { dir: tempfile::tempdir().unwrap(), now, settings: LedgerSettings::default() }
    }

    pub(crate) fn open(&self) -> EventLog {
        LocalLog::open(LocalOptions::new(self.dir.path())).unwrap().into()
    }

    /// Starts the ledger, lets it take in what is there, and stops it.
    pub(crate) fn run(&self) -> Result<LedgerHandle, ServeError> {
        let (log, now, handle) = (self.open(), Arc::clone(&self.now), LedgerHandle::default());
        let clock = move || Micros(now.load(Ordering::Relaxed));
        let served = runtime().block_on(serve(log.clone(), self.settings, clock, handle.clone(), async {}));
        log.close();
        served.map(|()| handle)
    }

    pub(crate) fn append(&self, stream: Stream, records: Vec<KeyValue>) {
        if !records.is_empty() {
            let log = self.open();
            append_all(&log, stream, records);
            log.close();
        }
    }

    /// All of a stream, but for what says only how far the ledger has read.
    pub(crate) fn records(&self, stream: Stream) -> Vec<KeyValue> {
        self.all(stream).into_iter().filter(|(_, value)| read_until(stream, value).is_none()).collect()
    }

    pub(crate) fn all(&self, stream: Stream) -> Vec<KeyValue> {
        let records = event_log::read_directory(self.dir.path(), stream, Offset(0)).unwrap();
        records.map(|record| record.map(|record| (record.key, record.value)).unwrap()).collect()
    }

    /// How far the ledger has read, as it says in a stream, in seconds since noon.
    pub(crate) fn read(&self, stream: Stream) -> Vec<i64> {
        let until = self.all(stream).into_iter().filter_map(|(_, value)| read_until(stream, &value));
        // That of a run's begin tells no time.
        until.filter(|until| *until > 0).map(|until| (until - NOON) / SECOND).collect()
    }

    pub(crate) fn decoded<M: StreamRecord>(&self, stream: Stream) -> Vec<M> {
        self.records(stream).iter().map(|(_, value)| decode(value).unwrap()).collect()
    }

    pub(crate) fn grants(&self) -> Vec<LeaseGrant> {
        self.decoded(Stream::Leases).into_iter().filter_map(grant).collect()
    }

    pub(crate) fn settled(&self) -> Vec<LeaseSettled> {
        self.decoded(Stream::Leases).into_iter().filter_map(settled).collect()
    }

    pub(crate) fn outcomes(&self) -> Vec<(OutcomeKind, u8, i64)> {
        let outcomes = self.decoded::<Outcome>(Stream::Outcomes).into_iter();
        outcomes.map(|outcome| (outcome.kind(), outcome.impression[0], outcome.charged)).collect()
    }
}

/// How far the ledger had read, where a record says that.
pub(crate) fn read_until(stream: Stream, value: &[u8]) -> Option<i64> {
    watermark(stream, value).map(|(at, _)| at)
}

/// How far the ledger had read, and the journal entry that was its last then, where a record says that.
pub(crate) fn watermark(stream: Stream, value: &[u8]) -> Option<(i64, u64)> {
    match stream {
        Stream::Leases => {
            let record = decode::<LeaseRecord>(value).ok()?;
            if let Event::Read(read) = record.event? { Some((read.notices_until, record.sequence)) } else { None }
        }
        Stream::Outcomes => {
            let outcome = decode::<Outcome>(value).ok()?;
            (outcome.kind() == OutcomeKind::Watermark).then_some((outcome.at, outcome.sequence))
        }
        _ => None,
    }
}

pub(crate) fn grant(record: LeaseRecord) -> Option<LeaseGrant> {
    if let Some(Event::Grant(grant)) = record.event { Some(grant) } else { None }
}

pub(crate) fn settled(record: LeaseRecord) -> Option<LeaseSettled> {
    if let Some(Event::Settled(settled)) = record.event { Some(settled) } else { None }
}

pub(crate) fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap()
}

pub(crate) fn record<M: StreamRecord>(message: &M) -> KeyValue {
    (Vec::new(), encode(message))
}

pub(crate) fn campaign(id: u32) -> KeyValue {
    let advertiser = Advertiser { id: 9, currency: "EUR".to_owned(), ..Advertiser::default() };
    let campaign = Campaign {
        id,
        name: format!("campaign {id}"),
        advertiser: Some(advertiser),
        until: i64::MAX,
        daily_budget: 1_000,
        total_budget: 5_000,
        ..Campaign::default()
    };
    record(&CampaignsRecord { change: Some(Change::Campaign(campaign)), ..CampaignsRecord::default() })
}

pub(crate) fn lease_record(event: Event) -> KeyValue {
    record(&LeaseRecord { event: Some(event), ..LeaseRecord::default() })
}

pub(crate) fn ask(ask: u64, amount: i64) -> KeyValue {
    ask_of(1, ask, amount)
}

pub(crate) fn ask_of(campaign: u32, ask: u64, amount: i64) -> KeyValue {
    lease_record(Event::Ask(LeaseAsk { node: 1, campaign, ask, amount, demand: 0, demand_us: 0 }))
}

/// A billable win: an outcome for the win, one for the charge.
pub(crate) fn win(impression: u8, lease: u64, price: i64) -> KeyValue {
    let sealed = Sealed {
        exchange: "demo".to_owned(),
        campaign: 1,
        lease,
        price: 100,
        rate: 1_000_000_000,
        expires_at: NOON + 3_600 * SECOND,
        ..Sealed::default()
    };
    record(&Notice {
        kind: NoticeKind::Win.into(),
        impression: vec![impression; 16],
        at: NOON,
        query: "price=1".repeat(100),
        sealed: Some(sealed),
        price: Some(price),
        billable: true,
        ..Notice::default()
    })
}

pub(crate) fn once_each(price: impl Fn(u8) -> i64, impressions: std::ops::Range<u8>) -> Vec<(OutcomeKind, u8, i64)> {
    impressions.flat_map(|i| [(OutcomeKind::Win, i, 0), (OutcomeKind::Charge, i, price(i))]).collect()
}
