//! Groups, and what both sides have of each.

use std::collections::BTreeMap;
use std::ops::{AddAssign, Sub};

use decision::ids::{CampaignId, Currency, ExchangeName};
use decision::money::{Nanos, Total};

use super::day::Day;

/// What is compared as one: in this order groups are shown.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    /// The day, as the report counts days.
    pub day: Day,
    /// Who bills.
    pub exchange: ExchangeName,
    /// For what.
    pub campaign: Campaign,
    /// In what. Amounts of two currencies are never added.
    pub currency: Currency,
}

/// A campaign in a report.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Campaign {
    /// By our number.
    Number(CampaignId),
    /// By a name that no campaign of ours has.
    Unknown(Box<str>),
}

/// Impressions, and what they cost in the currency of their group.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sum {
    /// How many.
    pub impressions: i128,
    /// In billionths of the currency's unit.
    pub spend: Total,
}

impl Sum {
    pub(super) fn new(impressions: i64, spend: Nanos) -> Self {
        Self { impressions: impressions.into(), spend: spend.into() }
    }

    /// Whether there are no impressions and there is no money.
    pub fn is_nothing(&self) -> bool {
        *self == Self::default()
    }
}

impl AddAssign for Sum {
    fn add_assign(&mut self, other: Self) {
        self.impressions += other.impressions;
        self.spend += other.spend;
    }
}

impl Sub for Sum {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self { impressions: self.impressions - other.impressions, spend: self.spend - other.spend }
    }
}

/// What both sides have of a group, or of several.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// What the report says; `None` where it has no row.
    pub theirs: Option<Sum>,
    /// What we booked, at the notice's price cut to our bid.
    pub ours: Sum,
    /// Of ours, impressions with a price above our bid, and what was cut off: theirs would be higher by so much had
    /// nothing been cut.
    pub above_bid: Sum,
    /// Notices after their token's end, which we show and do not book, at the price they would have had.
    pub expired: Sum,
    /// How impressions met, where the report is by impression.
    pub matching: Matching,
}

/// How impressions met. Theirs less ours is `only_theirs + elsewhere_theirs - only_ours - elsewhere_ours`, and of the
/// money `other_price` besides.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Matching {
    /// Theirs that we did not book at all, or that they have once more than we.
    pub only_theirs: Sum,
    /// Ours that the report lacks.
    pub only_ours: Sum,
    /// On both sides in this group, but for another price: theirs less ours.
    pub other_price: Sum,
    /// Theirs that we booked in another group, or on a day that the report does not cover.
    pub elsewhere_theirs: Sum,
    /// Ours that the report has in another group.
    pub elsewhere_ours: Sum,
}

impl Figures {
    /// Theirs less ours.
    pub fn difference(&self) -> Sum {
        self.theirs.unwrap_or_default() - self.ours
    }

    /// Impressions that are in this group on both sides, where the report is by impression.
    pub fn matched(&self) -> i128 {
        self.ours.impressions - self.matching.only_ours.impressions - self.matching.elsewhere_ours.impressions
    }
}

impl AddAssign for Figures {
    fn add_assign(&mut self, other: Self) {
        if let Some(theirs) = other.theirs {
            *self.theirs.get_or_insert_default() += theirs;
        }
        self.ours += other.ours;
        self.above_bid += other.above_bid;
        self.expired += other.expired;
        let (matching, more) = (&mut self.matching, other.matching);
        matching.only_theirs += more.only_theirs;
        matching.only_ours += more.only_ours;
        matching.other_price += more.other_price;
        matching.elsewhere_theirs += more.elsewhere_theirs;
        matching.elsewhere_ours += more.elsewhere_ours;
    }
}

/// The groups so far, each with a place by which impressions refer to it.
#[derive(Debug, Default)]
pub(super) struct Groups {
    places: BTreeMap<Key, usize>,
    groups: Vec<(Key, Figures)>,
}

impl Groups {
    /// The place of the group of `key`, which is made where there is none.
    pub(super) fn place(&mut self, key: &Key) -> usize {
        if let Some(place) = self.places.get(key) {
            return *place;
        }
        let place = self.groups.len();
        self.places.insert(key.clone(), place);
        self.groups.push((key.clone(), Figures::default()));
        place
    }

    pub(super) fn key(&self, place: usize) -> &Key {
        &self.groups[place].0
    }

    pub(super) fn figures(&mut self, place: usize) -> &mut Figures {
        &mut self.groups[place].1
    }

    /// All of them by their keys.
    pub(super) fn into_sorted(mut self) -> Vec<(Key, Figures)> {
        self.groups.sort_by(|(one, _), (other, _)| one.cmp(other));
        self.groups
    }
}
