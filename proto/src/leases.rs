//! Records of the stream `leases`.

use crate::wire::LeaseRecord;
use crate::wire::lease_record::Event;

impl LeaseRecord {
    /// The campaign that it is about, which is its key in the stream; `None`: it is about a shard.
    pub fn campaign(&self) -> Option<u32> {
        Some(match self.event.as_ref()? {
            Event::Ask(ask) => ask.campaign,
            Event::Grant(grant) => grant.campaign,
            Event::Return(back) => back.campaign,
            Event::Settled(settled) => settled.campaign,
            Event::Pace(pace) => pace.campaign,
            Event::Correction(correction) => correction.original.as_ref()?.campaign,
            Event::Read(_) => return None,
        })
    }

    /// The key in the stream.
    pub fn key(&self) -> Vec<u8> {
        self.campaign().unwrap_or_default().to_string().into_bytes()
    }
}
