//! The people and campaigns of every scenario, and what each campaign must do for whom.
//!
//! Each campaign has one size of its own, so that none bids in another's place, and bids above every floor. It might bid
//! a thousand times as much, and money is lent by that: it lasts for as long as the ledger is away.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::io;

/// The exchange's name in the bidder's configuration. The bidder's sample campaigns buy nothing there.
pub(super) const EXCHANGE: &str = "faults";

/// What a campaign may be about, as far as Redis matters to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Campaign {
    /// For members, with a frequency cap; `when_audience_unknown: no_bid`.
    MembersOrNobody,
    /// For members; `when_audience_unknown: bid`.
    MembersOrAnybody,
    /// For everybody but buyers; it says `when_audience_unknown: bid`, which must not help it.
    NotBuyers,
    /// For everybody, with a frequency cap; `when_audience_unknown: bid`.
    Everybody,
}

impl Campaign {
    pub(super) const ALL: [Self; 4] = [Self::MembersOrNobody, Self::MembersOrAnybody, Self::NotBuyers, Self::Everybody];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::MembersOrNobody => "members-or-nobody",
            Self::MembersOrAnybody => "members-or-anybody",
            Self::NotBuyers => "not-buyers",
            Self::Everybody => "everybody",
        }
    }

    /// Width and height of its only creative, which are among those that the exchange asks for.
    pub(super) const fn size(self) -> (i32, i32) {
        match self {
            Self::MembersOrNobody => (728, 90),
            Self::MembersOrAnybody => (320, 50),
            Self::NotBuyers => (160, 600),
            Self::Everybody => (300, 250),
        }
    }

    /// Whether it must bid for a person who is known.
    pub(super) const fn bids_for(self, person: u32) -> bool {
        match self {
            Self::MembersOrNobody | Self::MembersOrAnybody => is_member(person),
            Self::NotBuyers => !is_buyer(person),
            Self::Everybody => true,
        }
    }

    /// Whether it must bid for people of whom nothing is known.
    pub(super) const fn bids_for_strangers(self) -> bool {
        matches!(self, Self::MembersOrAnybody | Self::Everybody)
    }

    const fn terms(self) -> &'static str {
        match self {
            Self::MembersOrNobody => {
                "targeting: {segment: members}
frequency_caps: [{per: campaign, count: 64, window: 1m}]
when_audience_unknown: no_bid"
            }
            Self::MembersOrAnybody => "targeting: {segment: members}\nwhen_audience_unknown: bid",
            Self::NotBuyers => "targeting: {none: [{segment: buyers}]}\nwhen_audience_unknown: bid",
            Self::Everybody => "frequency_caps: [{per: campaign, count: 64, window: 1m}]\nwhen_audience_unknown: bid",
        }
    }
}

/// Half of the people.
const fn is_member(person: u32) -> bool {
    person.is_multiple_of(2)
}

/// Another half: of members and others alike every second one.
const fn is_buyer(person: u32) -> bool {
    (person / 2).is_multiple_of(2)
}

/// The id of a person.
pub(super) fn person_id(person: u32) -> String {
    format!("person-of-faults-{person}")
}

/// The campaigns by what they are called in bids; `numbers` are those by name.
pub(super) fn by_number(numbers: &BTreeMap<String, String>) -> io::Result<BTreeMap<String, Campaign>> {
    let of = |campaign: Campaign| {
        let number = numbers.get(campaign.name()).cloned();
        let missing = || io::Error::other(format!("{} was not published", campaign.name()));
        number.map(|number| (number, campaign)).ok_or_else(missing)
    };
    Campaign::ALL.into_iter().map(of).collect()
}

/// The campaigns and what they refer to, as one file for `vernier apply`.
pub(super) fn file() -> String {
    let mut text = "advertiser: faults
currency: USD
domain: faults.example
"
    .to_owned();
    for segment in ["members", "buyers"] {
        let _infallible = write!(
            text,
            "---
segment: {segment}
description: Half of the people of the fault scenarios.
owner: faults@faults.example
retention_days: 1
"
        );
    }
    for campaign in Campaign::ALL {
        let ((width, height), name, terms) = (campaign.size(), campaign.name(), campaign.terms());
        let _infallible = write!(
            text,
            "---
campaign: {name}
advertiser: faults
flight: {{from: 2026-01-01, until: 2036-01-01}}
budget: {{daily: 10000000, total: 1000000000}}
bids: {{default: 5, max: 5000}}
{terms}
creatives:
  - creative: only
    size: {width}x{height}
    variants:
      - {{variant: only, markup: '<a href=\"${{CLICK_URL}}\">{name}</a>', landing_url: 'https://faults.example/'}}
"
        );
    }
    text
}

/// The memberships of so many people, as one file for `vernier segments import`.
pub(super) fn people(count: u32) -> String {
    let mut text = String::new();
    for person in 0..count {
        for segment in [("members", is_member(person)), ("buyers", is_buyer(person))] {
            if let (segment, true) = segment {
                let id = person_id(person);
                let _infallible =
                    writeln!(text, r#"{{"user":"{id}","segment":"{segment}","until":"2036-01-01T00:00:00Z"}}"#);
            }
        }
    }
    text
}
