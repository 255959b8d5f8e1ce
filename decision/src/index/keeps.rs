//! How many impressions have to be remembered. An impression of one campaign may be counted by caps of others: those of the
//! same advertiser, and those that pay for the same micro-segment.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use crate::campaign::Campaign;
use crate::ids::{AdvertiserId, SegmentId};
use crate::outcome::Slot;
use crate::profile::Keep;

/// By slot, and by micro-segment.
#[derive(Debug)]
pub(super) struct Keeps {
    /// Without what depends on the segment.
    slots: Vec<Keep>,
    /// Ascending: the micro-segments that a cap counts by.
    segments: Vec<(SegmentId, u8)>,
}

impl Keeps {
    pub(super) fn of(campaigns: &[Campaign]) -> Self {
        let mut advertisers = BTreeMap::<AdvertiserId, u8>::new();
        let mut segments = BTreeMap::<SegmentId, u8>::new();
        let mut slots: Vec<Keep> = campaigns.iter().map(|campaign| Keep::of(&campaign.caps)).collect();
        for (campaign, own) in campaigns.iter().zip(&mut slots) {
            let most = advertisers.entry(campaign.advertiser.id).or_default();
            *most = own.advertiser.max(*most);
            for price in campaign.strategy.segments.iter().filter(|_| own.segment > 0) {
                let most = segments.entry(price.segment).or_default();
                *most = own.segment.max(*most);
            }
            own.segment = 0;
        }
        for (campaign, keep) in campaigns.iter().zip(&mut slots) {
            keep.advertiser = advertisers[&campaign.advertiser.id];
        }
        Self { slots, segments: segments.into_iter().collect() }
    }

    /// Of an impression of the campaign in `slot` that a price for `segment` bought.
    pub(super) fn keep(&self, slot: Slot, segment: Option<SegmentId>) -> Keep {
        let place = segment.and_then(|segment| self.segments.binary_search_by_key(&segment, |(id, _)| *id).ok());
        Keep { segment: place.map_or(0, |place| self.segments[place].1), ..self.slots[slot.0 as usize] }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::campaign::{CapSubject, FrequencyCap, PriceRule, SegmentPrice, tests};
    use crate::money::Nanos;

    /// A campaign with this number, of this advertiser, with prices for these segments and these caps.
    fn campaign(id: u32, advertiser: u32, segments: &[u32], caps: &[(CapSubject, u8)]) -> Campaign {
        let mut campaign = tests::campaign(id);
        campaign.advertiser.id = AdvertiserId(advertiser);
        let price = PriceRule::Fixed(Nanos::UNIT);
        let priced = |segment: &u32| SegmentPrice {
            segment: SegmentId(*segment),
            price,
            min_cpm: None,
            max_cpm: None,
            data_cpm: Nanos::ZERO,
        };
        campaign.strategy.segments = segments.iter().map(priced).collect();
        let cap = |&(scope, count): &(CapSubject, u8)| FrequencyCap { scope, count, window_s: 60 };
        campaign.caps = caps.iter().map(cap).collect();
        campaign
    }

    #[test]
    fn what_a_cap_of_one_campaign_counts_is_remembered_of_the_others() {
        let keeps = Keeps::of(&[
            campaign(1, 9, &[7], &[(CapSubject::Advertiser, 5), (CapSubject::Campaign, 2), (CapSubject::Campaign, 3)]),
            campaign(2, 9, &[7, 8], &[(CapSubject::EachSegment, 4), (CapSubject::Advertiser, 6)]),
            campaign(3, 8, &[7, 5], &[(CapSubject::EachCreative, 1)]),
        ]);
        let keep = |slot, segment: u32| keeps.keep(Slot(slot), Some(SegmentId(segment)).filter(|it| it.0 > 0));
        let plain = Keep { campaign: 3, advertiser: 6, ..Keep::default() };
        assert_eq!(keep(0, 0), plain);
        assert_eq!(keep(0, 7), Keep { segment: 4, ..plain });
        assert_eq!(keep(1, 8), Keep { advertiser: 6, segment: 4, ..Keep::default() });
        assert_eq!(keep(1, 0), Keep { advertiser: 6, ..Keep::default() });
        assert_eq!(keep(2, 7), Keep { creative: 1, segment: 4, ..Keep::default() });
        assert_eq!(keep(2, 5), Keep { creative: 1, ..Keep::default() });
    }
}
