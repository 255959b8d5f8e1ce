//! Impressions that differ, where a report is by impression: as many as are asked for, and how many there are.

use std::collections::BTreeMap;

use decision::ids::ImpressionId;
use decision::money::Nanos;

use super::group::Key;

/// How an impression differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Difference {
    /// The report has it, and we have nothing booked that could be it.
    OnlyTheirs(Part, NotOurs),
    /// We booked it, and the report lacks it.
    OnlyOurs(Part),
    /// Both have it in one group, at another price.
    OtherPrice {
        /// What the report says.
        theirs: Part,
        /// What we booked.
        ours: Part,
    },
    /// Both have it, in different groups.
    Elsewhere {
        /// What the report says.
        theirs: Part,
        /// What we booked.
        ours: Part,
    },
}

/// One side of an impression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// The group it is in.
    pub key: Key,
    /// What it cost.
    pub spend: Nanos,
}

/// Why an impression is only theirs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotOurs {
    /// We had no billable notice of it.
    Unheard,
    /// We had one after its token's end only.
    Expired,
    /// We booked it, and took it back whole.
    TakenBack,
    /// The report has it on this line once more.
    Again(u64),
}

/// The ways to differ, each with a list of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// [`Difference::OnlyTheirs`].
    OnlyTheirs,
    /// [`Difference::OnlyOurs`].
    OnlyOurs,
    /// [`Difference::OtherPrice`].
    OtherPrice,
    /// [`Difference::Elsewhere`].
    Elsewhere,
}

impl Way {
    const ALL: [Self; 4] = [Self::OnlyTheirs, Self::OnlyOurs, Self::OtherPrice, Self::Elsewhere];

    const fn of(difference: &Difference) -> Self {
        match difference {
            Difference::OnlyTheirs(..) => Self::OnlyTheirs,
            Difference::OnlyOurs(_) => Self::OnlyOurs,
            Difference::OtherPrice { .. } => Self::OtherPrice,
            Difference::Elsewhere { .. } => Self::Elsewhere,
        }
    }
}

/// Impressions that differ in one way.
#[derive(Clone, Debug, Default)]
pub struct DifferingList {
    /// How many there are.
    pub all: u64,
    /// The first of them by their ids, and of one id as they came.
    first: BTreeMap<(ImpressionId, u64), Difference>,
}

impl DifferingList {
    /// Those that are listed, by their ids.
    pub fn listed(&self) -> impl ExactSizeIterator<Item = (ImpressionId, &Difference)> {
        self.first.iter().map(|((impression, _), difference)| (*impression, difference))
    }
}

/// A list for each way to differ.
#[derive(Debug)]
pub(super) struct DifferingLists {
    listed_max: usize,
    lists: [DifferingList; Way::ALL.len()],
}

impl DifferingLists {
    pub(super) fn new(listed_max: usize) -> Self {
        Self { listed_max, lists: Default::default() }
    }

    pub(super) fn note(&mut self, impression: ImpressionId, difference: Difference) {
        let list = &mut self.lists[Way::of(&difference) as usize];
        list.first.insert((impression, list.all), difference);
        list.all += 1;
        if list.first.len() > self.listed_max {
            list.first.pop_last();
        }
    }

    pub(super) fn into_lists(self) -> Vec<(Way, DifferingList)> {
        Way::ALL.into_iter().zip(self.lists).collect()
    }
}
