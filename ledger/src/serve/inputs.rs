//! The streams that the ledger reads, and what in them is an input.

use event_log::{EventLog, Offset, Offsets, Partition, ReadError, Record, Stream, Tail};
use proto::record::{StreamRecord, decode};
use proto::wire::{
    Campaign, CampaignBudget, CampaignStop, CampaignsRecord, LeaseRecord, Notice, Source, campaigns_record::Change,
    journal_entry::Input, lease_record::Event,
};
use tracing::warn;

use super::ServeError;
use super::shard::{Routes, Shard, Whose};
use crate::ledger::Ledger;
use crate::limits::REST_RECORDS;

/// In the order in which their records are taken in.
pub(super) const STREAMS: [Stream; 3] = [Stream::Campaigns, Stream::Notices, Stream::Leases];

/// Where a stream stands in that order.
pub(super) fn place(stream: Stream) -> usize {
    STREAMS.iter().position(|other| *other == stream).unwrap_or(STREAMS.len())
}

/// Places in the streams, behind what was journalled, and what of them is the shard's.
pub(super) struct Inputs {
    tails: [Tail; 3],
    shard: Shard,
    routes: Routes,
    /// Campaigns before were journalled; they are read to know whose they are.
    known: Offsets,
}

impl Inputs {
    /// Behind the last inputs that were folded. Of `leases`, what is kept no longer is passed over: the last records of a
    /// campaign are often our own, which are no inputs, and what a node asked for or handed back so long ago is over.
    ///
    /// `campaigns` is read from its start where there are several shards, as bidders do.
    pub(super) async fn behind(log: &EventLog, ledger: &Ledger, shard: Shard) -> Result<Self, ServeError> {
        let stream = Stream::Leases;
        let kept = log.starts(stream).await.map_err(|source| ServeError::Read { stream, source })?;
        let position = |stream: Stream, partition| {
            let behind = Offset(ledger.position(stream.name(), partition));
            if stream == Stream::Leases { behind.max(kept.of(Partition(partition))) } else { behind }
        };
        let positions = |stream| (0..log.partitions(stream)).map(|p| position(stream, p)).collect::<Offsets>();
        let known = positions(Stream::Campaigns);
        let from = |stream| {
            if stream == Stream::Campaigns && !shard.is_alone() { Offsets::default() } else { positions(stream) }
        };
        let tails = STREAMS.map(|stream| log.read_from(stream, &from(stream)));
        Ok(Self { tails, shard, routes: Routes::over(shard.of), known })
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

impl Inputs {
    /// The input that a record is, if it is one, is the shard's, and was not journalled.
    pub(super) fn read(&mut self, stream: Stream, record: &Record) -> Result<Option<Input>, ServeError> {
        let Some((whose, input)) = read(stream, record)? else { return Ok(None) };
        let is_ours = self.shard.is_alone() || self.routes.shard(whose) == self.shard.id;
        let is_known = stream == Stream::Campaigns && record.offset < self.known.of(record.partition);
        Ok((is_ours && !is_known).then_some(input))
    }

    /// The places that go on behind what the books know of, by `far` offsets at least: the last record read of each. Little
    /// of a stream may be the shard's.
    pub(super) fn ahead(&self, ledger: &Ledger, far: u64) -> Vec<Source> {
        let streams = STREAMS.into_iter().zip(&self.tails);
        let places = streams.flat_map(|(stream, tail)| {
            tail.offsets().iter().map(|(partition, offset)| (stream.name(), partition.0, offset.0)).collect::<Vec<_>>()
        });
        let ahead = places.filter(|(stream, partition, offset)| *offset >= ledger.position(stream, *partition) + far);
        ahead
            .map(|(stream, partition, offset)| Source { stream: stream.to_owned(), partition, offset: offset - 1 })
            .collect()
    }
}

/// Where each stream ends now.
pub(super) async fn ends(log: &EventLog) -> Result<[Offsets; 3], ReadError> {
    let [campaigns, notices, leases] = STREAMS.map(|stream| log.ends(stream));
    let (campaigns, notices, leases) = tokio::join!(campaigns, notices, leases);
    Ok([campaigns?, notices?, leases?])
}

/// The input that a record is, if it is one, and whose.
pub(super) fn read(stream: Stream, record: &Record) -> Result<Option<(Whose, Input)>, ServeError> {
    Ok(match stream {
        Stream::Campaigns => campaigns(record),
        Stream::Notices => {
            let mut notice: Notice = understood(stream, record)?;
            // What the query said is in the other fields; the bytes stay in `notices`.
            notice.query.clear();
            // All notices of an impression carry the same, so they meet in one shard.
            let advertiser = notice.sealed.as_ref().map_or(0, |sealed| sealed.advertiser);
            Some((Whose::Advertiser(advertiser), Input::Notice(notice)))
        }
        _ => {
            let LeaseRecord { event, advertiser, .. } = understood(stream, record)?;
            match event {
                Some(Event::Ask(ask)) => Some((Whose::Advertiser(advertiser), Input::Ask(ask))),
                Some(Event::Return(back)) => Some((Whose::Lease(back.lease), Input::Return(back))),
                Some(Event::Correction(correction)) => {
                    let shard = correction.original.as_ref().map_or(0, |original| original.shard);
                    Some((Whose::Shard(shard), Input::Correction(correction)))
                }
                // Our own.
                Some(Event::Grant(_) | Event::Settled(_) | Event::Pace(_) | Event::Read(_)) | None => None,
            }
        }
    })
}

fn understood<M: StreamRecord>(stream: Stream, record: &Record) -> Result<M, ServeError> {
    decode(&record.value).map_err(|source| ServeError::Unreadable { stream, offset: record.offset, source })
}

/// A record that is not understood stops its campaign and no other.
fn campaigns(record: &Record) -> Option<(Whose, Input)> {
    let read = decode::<CampaignsRecord>(&record.value);
    let stop = |stop: CampaignStop| (Whose::Campaign(stop.campaign, None), Input::Stop(stop));
    match read.map(|record| record.change) {
        Ok(Some(Change::Campaign(campaign))) => Some(budget(&campaign).map_or_else(
            || stop(CampaignStop { campaign: campaign.id, name: campaign.name.clone() }),
            |budget| (Whose::Campaign(budget.campaign, Some(budget.advertiser)), Input::Budget(budget)),
        )),
        Ok(Some(Change::Stop(stopped))) => Some(stop(stopped)),
        Ok(_) => None,
        Err(error) => {
            let campaign = campaign_of_key(&record.key);
            warn!(offset = record.offset.0, campaign, %error, "campaign record not understood: no money for it");
            campaign.map(|campaign| stop(CampaignStop { campaign, ..CampaignStop::default() }))
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
