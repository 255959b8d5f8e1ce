//! What the frequency caps of one person count, as exact rolling windows.
//!
//! "At most N in W" is reached when the N-th newest impression of the scope is inside W, so a scope holds its last N
//! times, N being its largest cap. An impression first stands by its id, where each event about it is merged: whatever
//! is lost, repeated or reordered, the outcome is that of the set of events. Only when no event can come any more does
//! its time move to the scopes.

use std::cmp::{Ordering, Reverse};

use decision::ids::{AdvertiserId, CampaignId, CreativeId, ImpressionId, SegmentId};
use decision::profile::{CapScope, GhostScope, Impression, Keep};
use decision::time::Seconds;

use crate::limits::{CAP_SCOPES_MAX, CAP_TIMES_MAX, CAP_TIMES_S_MAX, OPEN_IMPRESSIONS_MAX};

/// Something became of an impression. Each event says all that is needed to count it, so none relies on another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CapEvent {
    /// The impression. Its first eight bytes tell it apart, so they are random too.
    pub impression: ImpressionId,
    /// The campaign that bid.
    pub campaign: CampaignId,
    /// The creative that was offered.
    pub creative: CreativeId,
    /// Whose campaign it is.
    pub advertiser: AdvertiserId,
    /// The micro-segment whose price was bid.
    pub segment: Option<SegmentId>,
    /// A ghost bid, which counts only where its campaign's ghost bids do.
    pub ghost: bool,
    /// How much has to be remembered of it, for whichever campaign.
    pub keep: Keep,
    /// What became of it.
    pub change: CapChange,
}

impl CapEvent {
    /// Whether any cap counts it.
    pub(crate) fn counts(&self) -> bool {
        self.keep != Keep::default()
    }
}

/// What became of an impression. Of several, the last in this list holds, in whatever order they come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CapChange {
    /// A bid was sent. It counts, in every window, until the auction must be over.
    Pending {
        /// When the auction is over (exclusive).
        until: Seconds,
    },
    /// The bid won. It counts, in every window, until it can no longer be billed.
    Won {
        /// When it can no longer be billed (exclusive).
        until: Seconds,
    },
    /// The bid lost, or the win was not shown. It counts no longer.
    Released {
        /// Until when an earlier event of it may still come, and must not count it.
        until: Seconds,
    },
    /// It was shown and billed. It counts at that time, the earliest one where several are told.
    Confirmed {
        /// When it was billed.
        at: Seconds,
        /// Until when another event of it may come. Later ones would count it again.
        until: Seconds,
    },
}

/// The caps of one person.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Caps {
    /// Ascending: the scopes that have times, and how many times each holds.
    pub(crate) scopes: Vec<(CapScope, u8)>,
    /// Impressions that change no more, by ascending scope and, within it, newest first.
    pub(crate) times: Vec<Impression>,
    /// Impressions that can still change, by ascending key.
    pub(crate) open: Vec<Open>,
}

/// An impression that can still change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Open {
    pub(crate) key: u64,
    pub(crate) campaign: CampaignId,
    pub(crate) creative: CreativeId,
    /// 0 unless a cap on it needs to know.
    pub(crate) advertiser: AdvertiserId,
    /// 0 unless a cap on it needs to know.
    pub(crate) segment: SegmentId,
    pub(crate) ghost: bool,
    pub(crate) keep: Keep,
    pub(crate) state: State,
    pub(crate) until: Seconds,
}

/// What is known of an impression; a later one in this list overrules an earlier one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Pending,
    Won,
    Released,
    Confirmed(Seconds),
}

impl State {
    fn rank(self) -> u8 {
        match self {
            Self::Pending => 0,
            Self::Won => 1,
            Self::Released => 2,
            Self::Confirmed(_) => 3,
        }
    }

    /// The same for either order of the two.
    fn merge(self, other: Self) -> Self {
        match (self, other) {
            (Self::Confirmed(a), Self::Confirmed(b)) => Self::Confirmed(a.min(b)),
            _ if self.rank() >= other.rank() => self,
            _ => other,
        }
    }
}

impl Open {
    fn of(event: &CapEvent) -> Self {
        let (state, until) = match event.change {
            CapChange::Pending { until } => (State::Pending, until),
            CapChange::Won { until } => (State::Won, until),
            CapChange::Released { until } => (State::Released, until),
            CapChange::Confirmed { at, until } => (State::Confirmed(at), until),
        };
        let at_most = |keep: u8| keep.min(CAP_TIMES_MAX as u8);
        let keep = Keep {
            campaign: at_most(event.keep.campaign),
            creative: at_most(event.keep.creative),
            advertiser: at_most(event.keep.advertiser),
            segment: event.segment.map_or(0, |_| at_most(event.keep.segment)),
        };
        Self {
            key: u128::from_le_bytes(event.impression.0) as u64,
            campaign: event.campaign,
            creative: event.creative,
            advertiser: if keep.advertiser > 0 { event.advertiser } else { AdvertiserId::default() },
            segment: event.segment.filter(|_| keep.segment > 0).unwrap_or_default(),
            ghost: event.ghost,
            keep,
            state,
            until,
        }
    }

    fn merge(&mut self, other: &Self) {
        self.state = self.state.merge(other.state);
        self.until = self.until.max(other.until);
        self.keep.campaign = self.keep.campaign.max(other.keep.campaign);
        self.keep.creative = self.keep.creative.max(other.keep.creative);
        self.keep.advertiser = self.keep.advertiser.max(other.keep.advertiser);
        self.keep.segment = self.keep.segment.max(other.keep.segment);
        // An older node may have told of it before, without these.
        self.advertiser = self.advertiser.max(other.advertiser);
        self.segment = self.segment.max(other.segment);
    }

    /// When the impression counts as shown. One that may be shown at any moment counts as shown now.
    fn shown_at(&self, now: Seconds) -> Option<Seconds> {
        match self.state {
            State::Pending | State::Won => (self.until > now).then_some(now),
            State::Released => None,
            State::Confirmed(at) => Some(at),
        }
    }

    /// The scopes that count it and how many times each needs.
    fn scopes(&self) -> impl Iterator<Item = (CapScope, u8)> {
        let Keep { campaign, creative, advertiser, segment } = self.keep;
        let ghosts = |scope| CapScope::Ghosts(self.campaign, scope);
        let scopes = if self.ghost {
            [
                // A cap on the advertiser counts the ghost bids of its own campaign too.
                (ghosts(GhostScope::Campaign), campaign.max(advertiser)),
                (ghosts(GhostScope::Creative(self.creative)), creative),
                (ghosts(GhostScope::Segment(self.segment)), segment),
                (CapScope::Advertiser(self.advertiser), 0),
            ]
        } else {
            [
                (CapScope::Campaign(self.campaign), campaign),
                (CapScope::Creative(self.creative), creative),
                (CapScope::Segment(self.segment), segment),
                (CapScope::Advertiser(self.advertiser), advertiser),
            ]
        };
        scopes.into_iter().filter(|(_, keep)| *keep > 0)
    }

    /// Sorts first what is least missed: what counts nothing, then what can be settled, then what counts soonest no
    /// longer.
    fn worth(&self) -> (u8, Seconds) {
        let worth = match self.state {
            State::Released => 0,
            State::Confirmed(_) => 1,
            State::Pending | State::Won => 2,
        };
        (worth, self.until)
    }
}

impl Caps {
    pub(crate) fn clear(&mut self) {
        self.scopes.clear();
        self.times.clear();
        self.open.clear();
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.times.is_empty() && self.open.is_empty()
    }

    /// Takes in an event, and drops or settles what cannot change any more. Says how much had to be forgotten for want
    /// of room.
    pub(crate) fn apply(&mut self, event: &CapEvent, now: Seconds) -> usize {
        let new = Open::of(event);
        match self.open.binary_search_by_key(&new.key, |open| open.key) {
            Ok(at) => self.open[at].merge(&new),
            Err(at) => self.open.insert(at, new),
        }
        self.settle(now);
        self.make_room()
    }

    /// Drops or settles what cannot change any more, and drops times that are in no window any more.
    pub(crate) fn settle(&mut self, now: Seconds) {
        let mut open = std::mem::take(&mut self.open);
        open.retain(|open| {
            let stays = open.until > now;
            if !stays {
                self.fold(open);
            }
            stays
        });
        self.open = open;
        let in_some_window = |time: &Impression| u64::from(time.at.0) + u64::from(CAP_TIMES_S_MAX) > u64::from(now.0);
        if !self.times.iter().all(in_some_window) {
            self.times.retain(in_some_window);
            let times = &self.times;
            self.scopes.retain(|(scope, _)| times.binary_search_by_key(scope, |time| time.scope).is_ok());
        }
    }

    /// Moves the time of an impression that was shown to its scopes.
    fn fold(&mut self, open: &Open) {
        if let State::Confirmed(at) = open.state {
            open.scopes().for_each(|(scope, keep)| self.fold_into(scope, keep, at));
        }
    }

    fn fold_into(&mut self, scope: CapScope, keep: u8, at: Seconds) {
        let keep = match self.scopes.binary_search_by_key(&scope, |(scope, _)| *scope) {
            Ok(found) => {
                // A cap that was lowered may be raised again, so the number never shrinks while there are times.
                self.scopes[found].1 = self.scopes[found].1.max(keep);
                self.scopes[found].1
            }
            Err(place) => {
                self.scopes.insert(place, (scope, keep));
                keep
            }
        };
        insert(&mut self.times, Impression { scope, at });
        let start = self.times.partition_point(|time| time.scope < scope);
        let end = self.times.partition_point(|time| time.scope <= scope);
        if end - start > usize::from(keep) {
            self.times.remove(end - 1);
        }
    }

    /// Forgets what is least missed above the bounds of a record.
    fn make_room(&mut self) -> usize {
        let mut forgotten = 0;
        while self.open.len() > OPEN_IMPRESSIONS_MAX {
            let worths = self.open.iter().enumerate().map(|(at, open)| (open.worth(), at));
            let (_, least) = worths.min().expect("more than none");
            let open = self.open.remove(least);
            self.fold(&open);
            forgotten += usize::from(open.state != State::Released);
        }
        while self.scopes.len() > CAP_SCOPES_MAX {
            let newest = |scope: CapScope| self.times[self.times.partition_point(|time| time.scope < scope)].at;
            let (_, scope) =
                self.scopes.iter().map(|(scope, _)| (newest(*scope), *scope)).min().expect("more than none");
            self.scopes.retain(|(other, _)| *other != scope);
            self.times.retain(|time| time.scope != scope);
            forgotten += 1;
        }
        forgotten
    }

    /// When nothing of it counts any more, unless something else becomes of an impression.
    pub(crate) fn ends(&self) -> Seconds {
        let in_no_window = |at: Seconds| Seconds(at.0.saturating_add(CAP_TIMES_S_MAX));
        let times = self.times.iter().map(|time| in_no_window(time.at));
        let open = self.open.iter().map(|open| match open.state {
            State::Confirmed(at) => open.until.max(in_no_window(at)),
            State::Pending | State::Won | State::Released => open.until,
        });
        times.chain(open).max().unwrap_or_default()
    }

    /// Writes the impressions that count into `out`, by ascending scope and, within it, newest first.
    pub(crate) fn impressions(&self, now: Seconds, out: &mut Vec<Impression>) {
        out.clear();
        out.extend_from_slice(&self.times);
        for open in &self.open {
            if let Some(at) = open.shown_at(now) {
                out.extend(open.scopes().map(|(scope, _)| Impression { scope, at }));
            }
        }
        if out.len() > self.times.len() {
            out.sort_unstable_by_key(order);
        }
    }
}

fn order(impression: &Impression) -> (CapScope, Reverse<Seconds>) {
    (impression.scope, Reverse(impression.at))
}

fn insert(impressions: &mut Vec<Impression>, new: Impression) {
    let at = impressions.partition_point(|impression| order(impression) <= order(&new));
    impressions.insert(at, new);
}

/// The larger of two counts of the same person's impressions, for every scope and every window: the k-th newest of a
/// scope is the newer of the two k-th newest. Both are by ascending scope and, within it, newest first; so is `out`,
/// whose former content goes.
pub(crate) fn larger(mut a: &[Impression], mut b: &[Impression], out: &mut Vec<Impression>) {
    out.clear();
    while let ([first_a, rest_a @ ..], [first_b, rest_b @ ..]) = (a, b) {
        // Both come to a scope at its newest, so in step.
        let order = first_a.scope.cmp(&first_b.scope);
        out.push(match order {
            Ordering::Less => *first_a,
            Ordering::Equal => *first_a.max(first_b),
            Ordering::Greater => *first_b,
        });
        a = if order.is_le() { rest_a } else { a };
        b = if order.is_ge() { rest_b } else { b };
    }
    out.extend_from_slice(a);
    out.extend_from_slice(b);
}

#[cfg(test)]
mod tests;
