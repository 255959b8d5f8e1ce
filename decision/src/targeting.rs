//! Whom and where a campaign wants to reach: an expression over segments and the circumstances of the request.

use alloc::vec::Vec;

use crate::ids::{Country, ExchangeName, Region, SegmentId};

/// A targeting expression. An empty `All` is true, an empty `Any` is false, an empty `None` is true.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Targeting {
    /// Every part is true.
    All(Vec<Targeting>),
    /// At least one part is true.
    Any(Vec<Targeting>),
    /// No part is true.
    None(Vec<Targeting>),
    /// The fact is true.
    Is(Fact),
}

impl Targeting {
    /// Reaches everyone everywhere.
    pub const EVERYONE: Self = Self::All(Vec::new());

    /// One step towards negation normal form: the expression where `wanted`, else its opposite, as a conjunction or a
    /// disjunction of its parts, each wanted or not.
    pub(crate) fn step(&self, wanted: bool) -> Step<'_> {
        match (self, wanted) {
            (Self::All(parts), true) => Step::All(parts, true),
            (Self::All(parts), false) => Step::Any(parts, false),
            (Self::Any(parts), true) => Step::Any(parts, true),
            (Self::Any(parts), false) | (Self::None(parts), true) => Step::All(parts, false),
            (Self::None(parts), false) => Step::Any(parts, true),
            (Self::Is(fact), wanted) => Step::Fact(*fact, wanted),
        }
    }

    /// Whether the expression (its opposite, where not `wanted`) is true, when `is_met` says whether a fact is there
    /// (`true`) or absent (`false`) as asked.
    pub(crate) fn is_met(&self, wanted: bool, is_met: &impl Fn(Fact, bool) -> bool) -> bool {
        match self.step(wanted) {
            Step::All(parts, wanted) => parts.iter().all(|part| part.is_met(wanted, is_met)),
            Step::Any(parts, wanted) => parts.iter().any(|part| part.is_met(wanted, is_met)),
            Step::Fact(fact, wanted) => is_met(fact, wanted),
        }
    }

    /// Names to `missed` every fact that keeps the expression (its opposite, where not `wanted`) from being true.
    pub(crate) fn missed(
        &self,
        wanted: bool,
        is_met: &impl Fn(Fact, bool) -> bool,
        missed: &mut impl FnMut(Fact, bool),
    ) {
        if self.is_met(wanted, is_met) {
            return;
        }
        match self.step(wanted) {
            Step::All(parts, wanted) | Step::Any(parts, wanted) => {
                parts.iter().for_each(|part| part.missed(wanted, is_met, missed));
            }
            Step::Fact(fact, wanted) => missed(fact, wanted),
        }
    }

    /// Whether a segment stands anywhere under an odd number of `None`s: such a campaign must not bid for people whose
    /// memberships are unknown.
    pub fn excludes_a_segment(&self) -> bool {
        fn excludes(targeting: &Targeting, wanted: bool) -> bool {
            match targeting.step(wanted) {
                Step::All(parts, wanted) | Step::Any(parts, wanted) => parts.iter().any(|part| excludes(part, wanted)),
                Step::Fact(fact, wanted) => !wanted && matches!(fact, Fact::Segment { .. }),
            }
        }
        excludes(self, true)
    }
}

/// See [`Targeting::step`].
pub(crate) enum Step<'a> {
    /// Every part, each wanted or not, is true.
    All(&'a [Targeting], bool),
    /// At least one is.
    Any(&'a [Targeting], bool),
    /// The fact is there (`true`) or absent.
    Fact(Fact, bool),
}

/// One fact about the person or the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fact {
    /// The person is in the segment, with at least this confidence in percent (0 to 100).
    Segment {
        /// The micro-segment.
        segment: SegmentId,
        /// The least confidence that counts, in percent.
        confidence_min: u8,
    },
    /// The request came from this exchange.
    Exchange(ExchangeName),
    /// The device is in this country.
    Country(Country),
    /// The device is in this part of a country.
    Region(Country, Region),
    /// The device is of this type.
    Device(DeviceType),
    /// The impression may be filled in this size.
    Size(Size),
}

/// OpenRTB 2.6 list "Device Types" (AdCOM 1.0), with a place for those the list does not know yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DeviceType {
    /// Not said.
    #[default]
    Unknown,
    /// 1: mobile or tablet, version 2.0 of the list.
    Mobile,
    /// 2.
    PersonalComputer,
    /// 3.
    ConnectedTv,
    /// 4.
    Phone,
    /// 5.
    Tablet,
    /// 6.
    ConnectedDevice,
    /// 7.
    SetTopBox,
    /// 8: out-of-home.
    OutOfHome,
    /// A number the list did not have when this was written.
    Other,
}

impl DeviceType {
    /// Every type with its number in the list and its name in campaign files.
    pub const ALL: [(i64, &'static str, Self); 8] = [
        (1, "mobile", Self::Mobile),
        (2, "pc", Self::PersonalComputer),
        (3, "ctv", Self::ConnectedTv),
        (4, "phone", Self::Phone),
        (5, "tablet", Self::Tablet),
        (6, "connected", Self::ConnectedDevice),
        (7, "set-top-box", Self::SetTopBox),
        (8, "ooh", Self::OutOfHome),
    ];

    /// The type of a number in the list.
    pub fn of_number(number: i64) -> Self {
        Self::ALL.iter().find(|(n, ..)| *n == number).map_or(Self::Other, |(.., device)| *device)
    }

    /// The type of a name in campaign files.
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, n, _)| *n == name).map(|(.., device)| *device)
    }

    /// The name in campaign files; `unknown` and `other` for what cannot be targeted.
    pub fn name(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Other => "other",
            _ => Self::ALL.iter().find(|(.., device)| *device == self).map_or("other", |(_, name, _)| name),
        }
    }

    /// The number in the list; 0 where there is none.
    pub fn number(self) -> i64 {
        Self::ALL.iter().find(|(.., device)| *device == self).map_or(0, |(number, ..)| *number)
    }
}

/// Width and height in device-independent pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Size {
    /// Width.
    pub w: u16,
    /// Height.
    pub h: u16,
}
