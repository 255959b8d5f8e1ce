//! The streams that the ledger reads, and what in them is an input.

use event_log::{EventLog, Offset, Record, Stream, Tail};
use proto::record::{StreamRecord, decode};
use proto::wire::{
    Campaign, CampaignBudget, CampaignStop, CampaignsRecord, LeaseRecord, Notice, campaigns_record::Change,
    journal_entry::Input, lease_record::Event,
};
use tracing::warn;

use super::ServeError;
use crate::ledger::Ledger;

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
    /// Behind the last inputs that were folded.
    pub(super) fn behind(log: &EventLog, ledger: &Ledger) -> Self {
        Self { tails: STREAMS.map(|stream| log.read_from(stream, Offset(ledger.position(stream.name(), 0)))) }
    }

    /// Waits for records of any stream. A dropped future reads nothing.
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

    /// What else is there, a few thousand records of each stream at most.
    pub(super) fn rest(&mut self) -> Result<Vec<(Stream, Record)>, ServeError> {
        let mut all = Vec::new();
        for (stream, tail) in STREAMS.into_iter().zip(&mut self.tails) {
            let records = tail.try_next().map_err(|source| ServeError::Read { stream, source })?;
            all.extend(records.into_iter().map(|record| (stream, record)));
        }
        Ok(all)
    }

    /// Where each stream ends now.
    pub(super) fn ends(&self, log: &EventLog) -> [Offset; 3] {
        STREAMS.map(|stream| log.end(stream))
    }

    /// Behind what was read of each stream.
    pub(super) fn offsets(&self) -> [u64; 3] {
        self.tails.each_ref().map(|tail| tail.offset().0)
    }

    /// Whether everything before `ends` was read.
    pub(super) fn reached(&self, ends: [Offset; 3]) -> bool {
        self.tails.iter().zip(ends).all(|(tail, end)| tail.offset() >= end)
    }
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
            Some(Event::Grant(_) | Event::Settled(_)) | None => None,
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
    })
}
