//! The streams that the ledger reads, and what in them is an input.

use event_log::{EventLog, Offset, Offsets, Partition, ReadError, Record, Stream, Tail};
use proto::record::{StreamRecord, decode};
use proto::wire::{
    Campaign, CampaignBudget, CampaignStop, CampaignsRecord, LeaseRecord, Notice, campaigns_record::Change,
    journal_entry::Input, lease_record::Event,
};
use tracing::warn;

use super::ServeError;
use crate::ledger::Ledger;
use crate::limits::REST_RECORDS;

/// In the order in which their records are taken in.
pub(super) const STREAMS: [Stream; 3] = [Stream::Campaigns, Stream::Notices, Stream::Leases];

/// Where a stream stands in that order.
pub(super) fn place(stream: Stream) -> usize {
    STREAMS.iter().position(|other| *other == stream).unwrap_or(STREAMS.len())
}

/// Places in the streams, behind what was journalled.
pub(super) struct Inputs {
    tails: [Tail; 3],
}

impl Inputs {
    /// Behind the last inputs that were folded. Of `leases`, what is kept no longer is passed over: the last records of a
    /// campaign are often our own, which are no inputs, and what a node asked for or handed back so long ago is over.
    pub(super) async fn behind(log: &EventLog, ledger: &Ledger) -> Result<Self, ServeError> {
        let stream = Stream::Leases;
        let kept = log.starts(stream).await.map_err(|source| ServeError::Read { stream, source })?;
        let position = |stream: Stream, partition| {
            let behind = Offset(ledger.position(stream.name(), partition));
            if stream == Stream::Leases { behind.max(kept.of(Partition(partition))) } else { behind }
        };
        let positions = |stream| (0..log.partitions(stream)).map(|p| position(stream, p)).collect::<Offsets>();
        Ok(Self { tails: STREAMS.map(|stream| log.read_from(stream, &positions(stream))) })
    }

    /// Waits for records of any stream, or until a place moved on without. A dropped future reads nothing.
    pub(super) async fn next(&mut self) -> Result<Vec<(Stream, Record)>, ServeError> {
        let [campaigns, notices, leases] = &mut self.tails;
        let (stream, records) = tokio::select! {
            records = campaigns.next() => (Stream::Campaigns, records),
            records = notices.next() => (Stream::Notices, records),
            records = leases.next() => (Stream::Leases, records),
        };
        let records = records.map_err(|source| ServeError::Read { stream, source })?;
        Ok(records.into_iter().map(|record| (stream, record)).collect())
    }

    /// What else is there, up to [`REST_RECORDS`] of each stream: the fewer turns it takes, the less does it matter how
    /// long each has to wait until its records are durable.
    pub(super) fn rest(&mut self) -> Result<Vec<(Stream, Record)>, ServeError> {
        let mut all = Vec::new();
        for (stream, tail) in STREAMS.into_iter().zip(&mut self.tails) {
            let before = all.len();
            while all.len() < before + REST_RECORDS {
                let records = tail.try_next().map_err(|source| ServeError::Read { stream, source })?;
                if records.is_empty() {
                    break;
                }
                all.extend(records.into_iter().map(|record| (stream, record)));
            }
        }
        Ok(all)
    }

    /// Behind what was read of each stream.
    pub(super) fn offsets(&self) -> [Offsets; 3] {
        self.tails.each_ref().map(Tail::offsets)
    }

    /// Sees to it that [`Inputs::next`] gets to `goal`.
    pub(super) fn aim(&mut self, goal: &[Offsets; 3]) {
        self.tails.iter_mut().zip(goal).for_each(|(tail, goal)| tail.aim(goal));
    }

    /// Whether everything before `goal` was read.
    pub(super) fn reached(&self, goal: &[Offsets; 3]) -> bool {
        self.tails.iter().zip(goal).all(|(tail, goal)| tail.offsets().reached(goal))
    }
}

/// Where each stream ends now.
pub(super) async fn ends(log: &EventLog) -> Result<[Offsets; 3], ReadError> {
    let [campaigns, notices, leases] = STREAMS.map(|stream| log.ends(stream));
    let (campaigns, notices, leases) = tokio::join!(campaigns, notices, leases);
    Ok([campaigns?, notices?, leases?])
}

/// The input that a record is, if it is one.
pub(super) fn read(stream: Stream, record: &Record) -> Result<Option<Input>, ServeError> {
    Ok(match stream {
        Stream::Campaigns => campaigns(record),
        Stream::Notices => {
            let mut notice: Notice = understood(stream, record)?;
            // What the query said is in the other fields; the bytes stay in `notices`.
            notice.query.clear();
            Some(Input::Notice(notice))
        }
        _ => match understood::<LeaseRecord>(stream, record)?.event {
            Some(Event::Ask(ask)) => Some(Input::Ask(ask)),
            Some(Event::Return(back)) => Some(Input::Return(back)),
            // Our own.
            Some(Event::Grant(_) | Event::Settled(_) | Event::Pace(_)) | None => None,
        },
    })
}

fn understood<M: StreamRecord>(stream: Stream, record: &Record) -> Result<M, ServeError> {
    decode(&record.value).map_err(|source| ServeError::Unreadable { stream, offset: record.offset, source })
}

/// A record that is not understood stops its campaign and no other.
fn campaigns(record: &Record) -> Option<Input> {
    let read = decode::<CampaignsRecord>(&record.value);
    match read.map(|record| record.change) {
        Ok(Some(Change::Campaign(campaign))) => Some(budget(&campaign).map_or_else(
            || Input::Stop(CampaignStop { campaign: campaign.id, name: campaign.name.clone() }),
            Input::Budget,
        )),
        Ok(Some(Change::Stop(stop))) => Some(Input::Stop(stop)),
        Ok(_) => None,
        Err(error) => {
            let campaign = campaign_of_key(&record.key);
            warn!(offset = record.offset.0, campaign, %error, "campaign record not understood: no money for it");
            campaign.map(|campaign| Input::Stop(CampaignStop { campaign, ..CampaignStop::default() }))
        }
    }
}

fn campaign_of_key(key: &[u8]) -> Option<u32> {
    str::from_utf8(key).ok()?.strip_prefix("campaign/")?.parse().ok()
}

/// The part of a campaign that the ledger keeps to; `None` where nobody pays.
fn budget(campaign: &Campaign) -> Option<CampaignBudget> {
    let advertiser = campaign.advertiser.as_ref()?;
    Some(CampaignBudget {
        campaign: campaign.id,
        advertiser: advertiser.id,
        currency: advertiser.currency.clone(),
        daily: campaign.daily_budget,
        total: campaign.total_budget,
        from: campaign.from,
        until: campaign.until,
        advertiser_daily: advertiser.daily_budget,
        name: campaign.name.clone(),
        pacing: campaign.pacing,
        local_time: campaign.local_time.clone(),
    })
}
