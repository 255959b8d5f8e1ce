//! What we know of one person.

use core::cmp::Ordering;

use crate::campaign::{CapSubject, FrequencyCap};
use crate::ids::{AdvertiserId, CampaignId, CreativeId, PersonKey, SegmentId};
use crate::time::Seconds;

/// What is known of the person a bid request is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audience<'a> {
    /// The look-up answered. A stranger has an empty profile.
    Known(Profile<'a>),
    /// Nothing is known and nothing may be assumed.
    Unknown(UnknownWhy),
}

/// Why nothing is known of a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum UnknownWhy {
    /// The request names nobody.
    NoId,
    /// The privacy signals of the request do not permit a look-up.
    NotPermitted,
    /// The look-up did not answer in time.
    Late,
    /// The look-up failed.
    Failed,
}

impl UnknownWhy {
    /// Every reason.
    pub const ALL: [Self; 4] = [Self::NoId, Self::NotPermitted, Self::Late, Self::Failed];

    /// The name in metrics and explanations.
    pub const fn label(self) -> &'static str {
        match self {
            Self::NoId => "no_id",
            Self::NotPermitted => "not_permitted",
            Self::Late => "late",
            Self::Failed => "failed",
        }
    }
}

/// Memberships and recent impressions of one person.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Profile<'a> {
    /// The key by which streams and experiments know the person. A stranger's is derived from the id in the request.
    pub person: PersonKey,
    /// Memberships by ascending segment, each segment once; those that have ended may still stand here.
    pub memberships: &'a [Membership],
    /// Impressions, pending ones included, by ascending scope and, within a scope, newest first.
    pub impressions: &'a [Impression],
}

impl Profile<'_> {
    /// The person's membership of `segment`, unless it has ended.
    pub fn membership(&self, segment: SegmentId, now: Seconds) -> Option<&Membership> {
        let at = self.memberships.binary_search_by_key(&segment, |m| m.segment).ok()?;
        self.memberships.get(at).filter(|m| m.until > now)
    }

    /// Whether there are impressions of `scope`, however old.
    pub(crate) fn has_impression(&self, scope: CapScope) -> bool {
        self.impressions.binary_search_by_key(&scope, |i| i.scope).is_ok()
    }

    /// How many impressions of `scope` lie in the `window_s` seconds that end now. One that is `window_s` old has left.
    pub fn impressions_within(&self, scope: CapScope, now: Seconds, window_s: u32) -> usize {
        let start = self.impressions.partition_point(|i| i.scope < scope);
        self.impressions[start..]
            .iter()
            .take_while(|i| i.scope == scope && u64::from(i.at.0) + u64::from(window_s) > u64::from(now.0))
            .count()
    }
}

/// The person is in a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Membership {
    /// The micro-segment.
    pub segment: SegmentId,
    /// When it ends (exclusive).
    pub until: Seconds,
    /// How sure we are, in percent (0 to 100).
    pub confidence: u8,
}

/// The person saw, or may be about to see, an advertisement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Impression {
    /// What counts it.
    pub scope: CapScope,
    /// When it was bid on, or billed once that is known.
    pub at: Seconds,
}

/// What impressions are counted by, in the order of this list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CapScope {
    /// All impressions of a campaign.
    Campaign(CampaignId),
    /// All impressions of a creative.
    Creative(CreativeId),
    /// All impressions of the campaigns of an advertiser.
    Advertiser(AdvertiserId),
    /// All impressions that a price for this micro-segment bought, whichever campaign it stands in.
    Segment(SegmentId),
    /// Not impressions but ghost bids of a campaign: what a person who is held out of it would have seen. They count for
    /// that campaign alone, and only while the person is held out.
    Ghosts(CampaignId, GhostScope),
}

impl CapScope {
    /// Its place among all scopes: profiles are sorted and searched by it, so it is one comparison.
    const fn place(self) -> u128 {
        let (kind, number, of) = match self {
            Self::Campaign(campaign) => (0, campaign.0, (0, 0)),
            Self::Creative(creative) => (1, creative.0, (0, 0)),
            Self::Advertiser(advertiser) => (2, advertiser.0, (0, 0)),
            Self::Segment(segment) => (3, segment.0, (0, 0)),
            Self::Ghosts(campaign, GhostScope::Campaign) => (4, campaign.0, (0, 0)),
            Self::Ghosts(campaign, GhostScope::Creative(creative)) => (4, campaign.0, (1, creative.0)),
            Self::Ghosts(campaign, GhostScope::Segment(segment)) => (4, campaign.0, (2, segment.0)),
        };
        (kind << 96) | ((number as u128) << 64) | (of.0 << 32) | of.1 as u128
    }
}

impl Ord for CapScope {
    fn cmp(&self, other: &Self) -> Ordering {
        self.place().cmp(&other.place())
    }
}

impl PartialOrd for CapScope {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Which ghost bids of a campaign are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum GhostScope {
    /// All of them.
    Campaign,
    /// Those with a creative.
    Creative(CreativeId),
    /// Those priced for a micro-segment.
    Segment(SegmentId),
}

/// How many impressions have to be remembered, by what counts them: as many as the largest cap allows. 0: there is no such
/// cap, so nothing needs to be remembered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Keep {
    /// Of the campaign.
    pub campaign: u8,
    /// Of each creative.
    pub creative: u8,
    /// Of the advertiser.
    pub advertiser: u8,
    /// Of each micro-segment.
    pub segment: u8,
}

impl Keep {
    /// What the caps of one campaign need.
    pub fn of(caps: &[FrequencyCap]) -> Self {
        let mut keep = Self::default();
        for cap in caps {
            let most = match cap.scope {
                CapSubject::Campaign => &mut keep.campaign,
                CapSubject::EachCreative => &mut keep.creative,
                CapSubject::Advertiser => &mut keep.advertiser,
                CapSubject::EachSegment => &mut keep.segment,
            };
            *most = cap.count.max(*most);
        }
        keep
    }
}
