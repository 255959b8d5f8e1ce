//! What the control plane answers, as JSON and as values.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::problem::{Problem, SourceFile};

/// A request to apply files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Apply {
    /// The files: together one change, all or nothing.
    pub files: Vec<SourceFile>,
    /// Who changes it, for the record; not verified.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
}

/// What applying files changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Applied {
    /// One for every subject of the files, and for every campaign that follows its changed advertiser.
    pub changes: Vec<Change>,
    /// The offset of the last record of the stream `campaigns`; none where nothing was ever published.
    pub revision: Option<u64>,
    /// Whether this is only what would change.
    pub dry_run: bool,
}

/// What became of one subject.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// What it is.
    pub kind: Kind,
    /// Its name.
    pub name: String,
    /// What became of it.
    pub change: Changed,
}

/// The kinds of subjects that documents declare.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Who pays.
    Advertiser,
    /// A micro-segment.
    Segment,
    /// A campaign.
    Campaign,
}

impl Kind {
    /// Every kind. A document is of the last of these whose name is a key in it, since campaigns name an advertiser too.
    pub const ALL: [Self; 3] = [Self::Advertiser, Self::Segment, Self::Campaign];

    /// The word in files and answers.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Advertiser => "advertiser",
            Self::Segment => "segment",
            Self::Campaign => "campaign",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.label())
    }
}

/// What became of a subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Changed {
    /// It was not there before.
    New,
    /// It was there and is different now.
    Changed,
    /// It was there as it is: nothing is published.
    Unchanged,
    /// It is a campaign that was stopped and runs again, changed or not.
    Resumed,
    /// It is a campaign that was stopped now.
    Stopped,
}

impl Changed {
    /// What becomes of `before` when it is `now`.
    pub(crate) fn between<T: PartialEq>(before: Option<&T>, now: &T) -> Self {
        match before {
            None => Self::New,
            Some(before) if before == now => Self::Unchanged,
            Some(_) => Self::Changed,
        }
    }

    /// The word in answers.
    pub const fn label(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Changed => "changed",
            Self::Unchanged => "unchanged",
            Self::Resumed => "resumed",
            Self::Stopped => "stopped",
        }
    }
}

/// Why nothing was applied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rejected {
    /// Everything that is wrong, by place.
    pub problems: Vec<Problem>,
}

/// What stopping a campaign did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stopped {
    /// The campaign.
    pub name: String,
    /// [`Changed::Stopped`], or [`Changed::Unchanged`] where it was stopped before.
    pub change: Changed,
    /// The offset of the last record of the stream `campaigns`.
    pub revision: Option<u64>,
}

/// The campaigns there are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Campaigns {
    /// By name.
    pub campaigns: Vec<CampaignView>,
    /// The offset of the last record of the stream `campaigns`; none where nothing was ever published.
    pub revision: Option<u64>,
}

/// One campaign in a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CampaignView {
    /// Its name.
    pub name: String,
    /// Its number in streams and reports.
    pub number: u32,
    /// The advertiser's name.
    pub advertiser: String,
    /// Whether it may bid now.
    pub state: State,
    /// The flight's first moment, RFC 3339.
    pub from: String,
    /// The first moment after the flight, RFC 3339.
    pub until: String,
    /// The most in a UTC day, in units of the currency.
    pub daily_budget: String,
    /// The most over the whole flight, in units of the currency.
    pub total_budget: String,
    /// The advertiser's currency.
    pub currency: String,
    /// The offset of the record that last changed or stopped it.
    pub revision: u64,
}

/// Whether a campaign may bid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum State {
    /// It may.
    #[serde(rename = "running")]
    Running,
    /// Somebody stopped it.
    #[serde(rename = "stopped")]
    Stopped,
    /// Its flight has not begun.
    #[serde(rename = "not yet")]
    NotYet,
    /// Its flight has ended.
    #[serde(rename = "over")]
    Over,
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Running => "running",
            Self::Stopped => "stopped",
            Self::NotYet => "not yet",
            Self::Over => "over",
        })
    }
}

/// Why a request was not answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// The reason, for people.
    pub error: String,
}
