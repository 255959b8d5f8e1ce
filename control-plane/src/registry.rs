//! What was published so far: the fold of the stream `campaigns`.

use std::collections::BTreeMap;

use event_log::Record;
use proto::record::{self, RecordError};
use proto::wire::{self, campaigns_record::Change};

use crate::numbers::Numbers;

/// Everything the stream says, by name.
#[derive(Clone, Debug, Default)]
pub(crate) struct Registry {
    /// The offset of the last record; `None`: there is none.
    pub(crate) revision: Option<u64>,
    pub(crate) numbers: Numbers,
    pub(crate) advertisers: BTreeMap<String, wire::Advertiser>,
    pub(crate) segments: BTreeMap<String, wire::Segment>,
    pub(crate) campaigns: BTreeMap<String, Published>,
}

/// A campaign as it was last published.
#[derive(Clone, Debug)]
pub(crate) struct Published {
    pub(crate) campaign: wire::Campaign,
    pub(crate) stopped: bool,
    /// The offset of the record that last changed or stopped it.
    pub(crate) revision: u64,
}

/// Why a record of the stream cannot be taken in. Whoever gives out numbers must have seen all of them, so the control
/// plane does not go on without it; bidders do.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("record {offset} of the stream campaigns: {why}")]
pub struct BadRecord {
    /// Its offset.
    pub offset: u64,
    /// What is wrong with it.
    pub why: BadRecordWhy,
}

/// What is wrong with a record.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadRecordWhy {
    /// It does not decode.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// It changes nothing that this program knows.
    #[error("it changes nothing that this program knows")]
    NoChange,
}

impl Registry {
    /// Takes in the next record of the stream.
    pub(crate) fn take(&mut self, record: &Record) -> Result<(), BadRecord> {
        let offset = record.offset.0;
        let bad = |why| BadRecord { offset, why };
        let wire::CampaignsRecord { change, retired, .. } =
            record::decode(&record.value).map_err(|error| bad(error.into()))?;
        match change.ok_or_else(|| bad(BadRecordWhy::NoChange))? {
            Change::Advertiser(advertiser) => {
                self.numbers.advertisers.took(advertiser.name.clone(), advertiser.id);
                self.advertisers.insert(advertiser.name.clone(), advertiser);
            }
            Change::Segment(segment) => {
                self.numbers.segments.took(segment.name.clone(), segment.id);
                self.segments.insert(segment.name.clone(), segment);
            }
            Change::Campaign(campaign) => {
                self.numbers.campaigns.took(campaign.name.clone(), campaign.id);
                for creative in campaign.creatives.iter().chain(&retired) {
                    self.numbers.creatives.took((campaign.id, creative.name.clone()), creative.id);
                    for variant in &creative.variants {
                        self.numbers.variants.took((creative.id, variant.name.clone()), variant.id);
                    }
                }
                let published = Published { stopped: false, revision: offset, campaign };
                self.campaigns.insert(published.campaign.name.clone(), published);
            }
            Change::Stop(stop) => {
                self.numbers.campaigns.took(stop.name.clone(), stop.campaign);
                if let Some(published) = self.campaigns.get_mut(&stop.name) {
                    published.stopped = true;
                    published.revision = offset;
                }
            }
        }
        self.revision = Some(offset);
        Ok(())
    }
}

/// The record of `change` with its key: the subject, so that a compacted stream keeps the last word on each. A stop has
/// its own key, beside its campaign.
pub(crate) fn keyed(record: &wire::CampaignsRecord) -> (Vec<u8>, Vec<u8>) {
    let key = match &record.change {
        Some(Change::Advertiser(advertiser)) => format!("advertiser/{}", advertiser.id),
        Some(Change::Segment(segment)) => format!("segment/{}", segment.id),
        Some(Change::Campaign(campaign)) => format!("campaign/{}", campaign.id),
        Some(Change::Stop(stop)) => format!("campaign-stop/{}", stop.campaign),
        None => String::new(),
    };
    (key.into_bytes(), record::encode(record))
}
