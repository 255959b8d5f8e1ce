//! A targeting expression as alternatives, each a conjunction of simple requirements: its disjunctive normal form, kept
//! short by merging alternatives that differ in one requirement ("from DE or from AT" is one requirement, not two).

use alloc::vec;
use alloc::vec::Vec;

use crate::targeting::{Fact, Step, Targeting};

/// Attributes of which a request has at most one value.
pub(crate) const ATTRIBUTES: usize = 4;

/// What a fact is about: an attribute with one value a request, or a set such as a person's segments.
fn attribute(fact: &Fact) -> Option<usize> {
    match fact {
        Fact::Exchange(_) => Some(0),
        Fact::Country(_) => Some(1),
        Fact::Region(..) => Some(2),
        Fact::Device(_) => Some(3),
        Fact::Segment { .. } | Fact::Size(_) => None,
    }
}

/// The values that one attribute may have, as ascending facts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Values {
    /// One of these.
    Only(Vec<Fact>),
    /// None of these; having no value is as good as any other.
    Except(Vec<Fact>),
}

impl Values {
    const ANY: Self = Self::Except(Vec::new());

    fn and(&self, other: &Self) -> Self {
        let filter =
            |of: &[Fact], by: &[Fact], within| of.iter().filter(|f| by.contains(f) == within).copied().collect();
        match (self, other) {
            (Self::Only(a), Self::Only(b)) => Self::Only(filter(a, b, true)),
            (Self::Only(a), Self::Except(b)) | (Self::Except(b), Self::Only(a)) => Self::Only(filter(a, b, false)),
            (Self::Except(a), Self::Except(b)) => Self::Except(union(a, b)),
        }
    }

    fn opposite(self) -> Self {
        match self {
            Self::Only(values) => Self::Except(values),
            Self::Except(values) => Self::Only(values),
        }
    }

    fn or(&self, other: &Self) -> Self {
        self.clone().opposite().and(&other.clone().opposite()).opposite()
    }

    /// Whether values that are not named are allowed, and having none.
    pub(crate) fn allow_others(&self) -> bool {
        matches!(self, Self::Except(_))
    }

    /// The values named.
    pub(crate) fn named(&self) -> &[Fact] {
        let (Self::Only(values) | Self::Except(values)) = self;
        values
    }
}

/// Kinds of sets of which a request or person has any number of values.
pub(crate) const SETS: usize = 2;
/// The sizes that an impression may be filled in.
pub(crate) const SIZES: usize = 0;
/// The segments that a person is in.
pub(crate) const SEGMENTS: usize = 1;

/// One alternative of a targeting expression: every requirement must hold.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Conjunction {
    /// The values allowed, by attribute.
    pub(crate) attributes: [Values; ATTRIBUTES],
    /// By kind of set: lists of which at least one fact each must hold.
    pub(crate) any_of: [Vec<Vec<Fact>>; SETS],
    /// Sizes and segments, none of them.
    pub(crate) none_of: Vec<Fact>,
}

impl Conjunction {
    const TRUE: Self =
        Self { attributes: [Values::ANY; ATTRIBUTES], any_of: [const { Vec::new() }; SETS], none_of: Vec::new() };

    fn of(fact: Fact, wanted: bool) -> Self {
        let mut conjunction = Self::TRUE;
        match (attribute(&fact), wanted) {
            (Some(at), true) => conjunction.attributes[at] = Values::Only(vec![fact]),
            (Some(at), false) => conjunction.attributes[at] = Values::Except(vec![fact]),
            (None, true) => conjunction.require_any_of(vec![fact]),
            (None, false) => conjunction.none_of.push(fact),
        }
        conjunction
    }

    /// Adds "at least one of `facts`", all of one kind of set, unless that follows from a requirement that is there;
    /// drops those that follow from it.
    pub(crate) fn require_any_of(&mut self, facts: Vec<Fact>) {
        let within = |a: &[Fact], b: &[Fact]| a.iter().all(|fact| b.contains(fact));
        let set = if facts.iter().any(|fact| matches!(fact, Fact::Size(_))) { SIZES } else { SEGMENTS };
        let lists = &mut self.any_of[set];
        if !lists.iter().any(|stronger| within(stronger, &facts)) {
            lists.retain(|weaker| !within(&facts, weaker));
            lists.push(facts);
            lists.sort_unstable();
        }
    }

    /// Both, or `None` where no attribute value satisfies both.
    fn and(&self, other: &Self) -> Option<Self> {
        let mut both = self.clone();
        for (values, more) in both.attributes.iter_mut().zip(&other.attributes) {
            *values = values.and(more);
            if *values == Values::Only(Vec::new()) {
                return None;
            }
        }
        other.any_of.iter().flatten().for_each(|facts| both.require_any_of(facts.clone()));
        both.none_of = union(&both.none_of, &other.none_of);
        Some(both)
    }

    /// Either, where one conjunction can say it: the two are equal but for one requirement.
    fn or(&self, other: &Self) -> Option<Self> {
        // Where all else is equal, taking over the one requirement that differs makes the two equal.
        let mut either = self.clone();
        if let Some(at) = (0..ATTRIBUTES).find(|at| self.attributes[*at] != other.attributes[*at]) {
            let values = self.attributes[at].or(&other.attributes[at]);
            either.attributes[at] = other.attributes[at].clone();
            return (either == *other).then(|| {
                either.attributes[at] = values;
                either
            });
        }
        for set in 0..SETS {
            if let ([ours], [theirs]) = (&*self.any_of[set], &*other.any_of[set])
                && ours != theirs
            {
                either.any_of[set] = other.any_of[set].clone();
                return (either == *other).then(|| {
                    either.any_of[set] = vec![union(ours, theirs)];
                    either
                });
            }
        }
        (either == *other).then_some(either)
    }
}

fn union(a: &[Fact], b: &[Fact]) -> Vec<Fact> {
    let mut all = [a, b].concat();
    all.sort_unstable();
    all.dedup();
    all
}

/// The alternatives of `targeting`, at least one of which must hold; `None` where they are more than `max`.
///
/// Segments that contradict each other are kept, since where memberships are unknown either may be assumed.
pub(crate) fn alternatives(targeting: &Targeting, max: usize) -> Option<Vec<Conjunction>> {
    expand(targeting, true, max)
}

fn expand(targeting: &Targeting, wanted: bool, max: usize) -> Option<Vec<Conjunction>> {
    match targeting.step(wanted) {
        Step::Fact(fact, wanted) => Some(vec![Conjunction::of(fact, wanted)]),
        Step::Any(parts, wanted) => {
            let mut any = Vec::new();
            for part in parts {
                for alternative in expand(part, wanted, max)? {
                    insert(&mut any, alternative, max)?;
                }
            }
            Some(any)
        }
        Step::All(parts, wanted) => {
            let mut all = vec![Conjunction::TRUE];
            for part in parts {
                let part = expand(part, wanted, max)?;
                let mut both = Vec::new();
                for conjunction in all.iter().flat_map(|a| part.iter().filter_map(|b| a.and(b))) {
                    insert(&mut both, conjunction, max)?;
                }
                all = both;
            }
            Some(all)
        }
    }
}

/// Adds an alternative, merged with another where that is possible.
fn insert(alternatives: &mut Vec<Conjunction>, mut new: Conjunction, max: usize) -> Option<()> {
    while let Some((at, merged)) = alternatives.iter().enumerate().find_map(|(at, old)| Some((at, old.or(&new)?))) {
        alternatives.swap_remove(at);
        new = merged;
    }
    alternatives.push(new);
    (alternatives.len() <= max).then_some(())
}
