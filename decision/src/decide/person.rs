//! The person a request is for, at the moment of the decision.

use crate::ids::{PersonKey, SegmentId};
use crate::profile::{Audience, CapScope, Membership, Profile};
use crate::time::Seconds;

/// A person now.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Person<'a> {
    profile: Option<Profile<'a>>,
    now: Seconds,
    segments: Filter,
    scopes: Filter,
}

/// Says of most numbers that are not in a set that they are not, without a search: a Bloom filter of one word.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Filter(u64);

impl Filter {
    pub(crate) fn new(numbers: impl Iterator<Item = u32>) -> Self {
        Self(numbers.fold(0, |bits, number| bits | 1 << (number % 64)))
    }

    fn may_contain(self, number: u32) -> bool {
        self.0 >> (number % 64) & 1 == 1
    }

    fn may_share(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }
}

/// The number that stands for a scope in a [`Filter`].
fn number(scope: CapScope) -> u32 {
    match scope {
        // One look says of both that there are none.
        CapScope::Campaign(campaign) | CapScope::Ghosts(campaign, _) => campaign.0,
        CapScope::Creative(creative) => !creative.0,
        CapScope::Advertiser(advertiser) => !advertiser.0,
        CapScope::Segment(segment) => !segment.0,
    }
}

impl<'a> Person<'a> {
    pub(crate) fn new(audience: Audience<'a>, now: Seconds) -> Self {
        let profile = match audience {
            Audience::Known(profile) => Some(profile),
            Audience::Unknown(_) => None,
        };
        let known = profile.unwrap_or_default();
        let segments = known.memberships.iter().filter(|m| m.until > now).map(|m| m.segment.0);
        let scopes = known.impressions.iter().map(|impression| number(impression.scope));
        Self { profile, now, segments: Filter::new(segments), scopes: Filter::new(scopes) }
    }

    /// Whether memberships and past impressions are known.
    pub(crate) fn is_known(&self) -> bool {
        self.profile.is_some()
    }

    /// The key of the person, where known.
    pub(crate) fn key(&self) -> Option<PersonKey> {
        self.profile.map(|profile| profile.person)
    }

    /// Memberships that have not ended; `None` where they are unknown.
    pub(crate) fn memberships(&self) -> Option<impl Iterator<Item = &'a Membership>> {
        let now = self.now;
        self.profile.map(|profile| profile.memberships.iter().filter(move |m| m.until > now))
    }

    /// Whether the person is in the segment with at least this confidence; `None` where that is unknown.
    #[inline]
    pub(crate) fn is_in(&self, segment: SegmentId, confidence_min: u8) -> Option<bool> {
        if !self.segments.may_contain(segment.0) {
            return self.is_known().then_some(false);
        }
        let profile = self.profile?;
        let is_sure = |membership: &Membership| membership.confidence >= confidence_min;
        Some(profile.membership(segment, self.now).is_some_and(is_sure))
    }

    /// Whether the person is known to be in any of the segments.
    pub(crate) fn is_in_any(&self, segments: &[SegmentId]) -> bool {
        segments.iter().any(|segment| self.is_in(*segment, 0) == Some(true))
    }

    /// Whether the person may be in one of the segments of a filter; that they are in none is certain.
    #[inline]
    pub(crate) fn may_be_in(&self, segments: Filter) -> bool {
        self.segments.may_share(segments)
    }

    /// Whether there are impressions of `scope`, however old.
    #[inline]
    pub(crate) fn has_seen(&self, scope: CapScope) -> bool {
        self.scopes.may_contain(number(scope)) && self.profile.is_some_and(|profile| profile.has_impression(scope))
    }

    /// Impressions of `scope` in the `window_s` seconds that end now; none where the past is unknown.
    pub(crate) fn impressions_within(&self, scope: CapScope, window_s: u32) -> u32 {
        self.profile.map_or(0, |profile| profile.impressions_within(scope, self.now, window_s) as u32)
    }
}
