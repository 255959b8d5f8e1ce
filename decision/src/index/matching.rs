//! Which campaigns' targeting a request satisfies.
//!
//! For every value of an attribute that anybody names there is a bitmap of the conjunctions that allow it, and one for
//! all values that nobody names; a request's four are ANDed. Segments and sizes, of which there may be several, are ORed:
//! each conjunction waits at one of its lists of segments and one of its lists of sizes, and the few requirements that
//! are left are checked one by one.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec;
use alloc::vec::Vec;

use super::bits;
use super::conjunction::{ATTRIBUTES, Conjunction, SEGMENTS, SIZES, Values};
use super::lists::{Lists, Span};
use crate::decide::person::Person;
use crate::ids::SegmentId;
use crate::opportunity::Context;
use crate::outcome::Slot;
use crate::targeting::{Fact, Size};

/// The compiled targeting of all campaigns.
#[derive(Debug)]
pub(crate) struct Matcher {
    attributes: [Attribute; ATTRIBUTES],
    sizes: Attribute,
    /// The conjunctions that ask for no segment.
    contextual: Vec<u64>,
    segments: Vec<SegmentId>,
    /// By segment: who waits for it.
    waiting: Lists<Waiting>,
    /// By conjunction: what is left to check, and for whom.
    tails: Vec<Tail>,
    rest: Vec<Rest>,
    facts: Vec<Fact>,
    slots: Vec<u32>,
    campaigns: usize,
}

/// What the bitmaps do not say of a conjunction.
#[derive(Clone, Copy, Debug)]
struct Tail {
    /// Requirements that are not covered by the bitmaps, in [`Matcher::rest`].
    rest: Span,
    /// The campaigns that make it, in [`Matcher::slots`].
    slots: Span,
}

/// A conjunction that waits for a segment.
#[derive(Clone, Copy, Debug)]
struct Waiting {
    conjunction: u32,
    confidence_min: u8,
}

/// A requirement.
#[derive(Clone, Copy, Debug)]
enum Rest {
    /// The fact holds.
    Is(Fact),
    /// It does not.
    IsNot(Fact),
    /// At least one of these holds, in [`Matcher::facts`].
    AnyOf(Span),
}

/// What one request matches; holds the memory it takes.
#[derive(Debug, Default)]
pub(crate) struct Matches {
    conjunctions: Vec<u64>,
    /// The conjunctions that the sizes of one impression satisfy.
    fitting: Vec<u64>,
    /// Those that the bitmaps let through.
    candidates: Vec<(u32, Tail)>,
    /// The campaigns found, each once.
    pub(crate) found: Vec<Slot>,
    /// Those of which [`Fit::Met`] is true.
    met: Vec<u64>,
    /// Those of which [`Fit::Assumed`] is true; it counts only where the other is not.
    assumed: Vec<u64>,
}

/// How a campaign's targeting stands to the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fit {
    /// It is true.
    Met,
    /// It would be true for a person in every segment asked for and in none excluded; of this person nothing is known.
    Assumed,
    /// It is false.
    Missed,
}

impl Matches {
    /// How a campaign stands to the impression last looked for; `None` where it was not found.
    pub(crate) fn fit(&self, slot: Slot) -> Option<Fit> {
        if bits::contains(&self.met, slot.0) {
            Some(Fit::Met)
        } else {
            bits::contains(&self.assumed, slot.0).then_some(Fit::Assumed)
        }
    }
}

impl Matcher {
    pub(crate) fn new(requirements: &BTreeMap<Conjunction, Vec<u32>>, campaigns: usize) -> Self {
        let count = requirements.len();
        let mut contextual = vec![0; bits::words(count)];
        let mut waiting: BTreeMap<SegmentId, Vec<Waiting>> = BTreeMap::new();
        let mut sizes = Vec::with_capacity(count);
        let mut tails = Vec::with_capacity(count);
        let (mut all_rest, mut all_facts, mut all_slots) = (Vec::new(), Vec::new(), Vec::new());
        for (conjunction, (of, slots)) in (0..).zip(requirements) {
            let waits_for: [Option<&Vec<Fact>>; 2] =
                [SIZES, SEGMENTS].map(|set| of.any_of[set].iter().min_by_key(|l| l.len()));
            sizes.push(Values::Only(waits_for[SIZES].cloned().unwrap_or_default()));
            match waits_for[SEGMENTS] {
                None => bits::insert(&mut contextual, conjunction),
                Some(list) => list.iter().for_each(|fact| {
                    if let Fact::Segment { segment, confidence_min } = *fact {
                        waiting.entry(segment).or_default().push(Waiting { conjunction, confidence_min });
                    }
                }),
            }
            let left = of.any_of.iter().flatten().filter(|list| !waits_for.contains(&Some(list)));
            let left = left.map(|list| match list.as_slice() {
                [fact] => Rest::Is(*fact),
                list => Rest::AnyOf(Span::append(&mut all_facts, list.iter().copied())),
            });
            let rest = Span::append(&mut all_rest, left.chain(of.none_of.iter().map(|fact| Rest::IsNot(*fact))));
            tails.push(Tail { rest, slots: Span::append(&mut all_slots, slots.iter().copied()) });
        }
        Self {
            attributes: core::array::from_fn(|at| Attribute::new(requirements.keys().map(|of| &of.attributes[at]))),
            sizes: Attribute::new(sizes.iter()),
            contextual,
            segments: waiting.keys().copied().collect(),
            waiting: waiting.into_values().collect(),
            tails,
            rest: all_rest,
            facts: all_facts,
            slots: all_slots,
            campaigns,
        }
    }

    /// Finds the conjunctions that `context` and `person` satisfy, as far as the bitmaps tell.
    pub(crate) fn prepare(&self, context: &Context<'_>, person: &Person<'_>, matches: &mut Matches) {
        let conjunctions = &mut matches.conjunctions;
        conjunctions.clear();
        match person.memberships() {
            None => conjunctions.resize(self.contextual.len(), u64::MAX),
            Some(memberships) => {
                conjunctions.extend_from_slice(&self.contextual);
                for membership in memberships {
                    let Ok(at) = self.segments.binary_search(&membership.segment) else { continue };
                    for waiting in self.waiting.get(at) {
                        let is_sure = membership.confidence >= waiting.confidence_min;
                        bits::insert_if(conjunctions, waiting.conjunction, is_sure);
                    }
                }
            }
        }
        let [a, b, c, d] = core::array::from_fn(|at| self.attributes[at].of(facts(context)[at]));
        for ((((word, a), b), c), d) in conjunctions.iter_mut().zip(a).zip(b).zip(c).zip(d) {
            *word &= a & b & c & d;
        }
    }

    /// Finds the campaigns that `person` and an impression of these `sizes` match, after [`Self::prepare`].
    pub(crate) fn find(&self, sizes: &[Size], person: &Person<'_>, matches: &mut Matches) {
        bits::reset(&mut matches.met, self.campaigns);
        bits::reset(&mut matches.assumed, self.campaigns);
        let Matches { conjunctions, fitting, candidates, found, met, assumed } = matches;
        candidates.clear();
        found.clear();
        bits::reset(fitting, self.tails.len());
        for size in sizes {
            let fits = self.sizes.of(Some(Fact::Size(*size)));
            fitting.iter_mut().zip(fits).for_each(|(fitting, fits)| *fitting |= fits);
        }
        // Fetched by themselves, tails that lie far apart come from memory together; checked one after another, each would
        // be waited for.
        for (at, (word, fitting)) in conjunctions.iter().zip(fitting).enumerate() {
            candidates.extend(bits::ones(at, word & *fitting).map(|number| (number, self.tails[number as usize])));
        }
        for (conjunction, tail) in candidates {
            if self.rest[tail.rest.range()].iter().all(|rest| self.holds(rest, sizes, person)) {
                let certain = person.is_known() || bits::contains(&self.contextual, *conjunction);
                for slot in &self.slots[tail.slots.range()] {
                    if !bits::contains(met, *slot) && !bits::contains(assumed, *slot) {
                        found.push(Slot(*slot));
                    }
                    bits::insert(if certain { &mut *met } else { &mut *assumed }, *slot);
                }
            }
        }
    }

    fn holds(&self, rest: &Rest, sizes: &[Size], person: &Person<'_>) -> bool {
        let is = |fact: &Fact, assumed: bool| match *fact {
            Fact::Size(size) => sizes.contains(&size),
            Fact::Segment { segment, confidence_min } => person.is_in(segment, confidence_min).unwrap_or(assumed),
            _ => false,
        };
        match rest {
            Rest::Is(fact) => is(fact, true),
            Rest::IsNot(fact) => !is(fact, false),
            Rest::AnyOf(facts) => self.facts[facts.range()].iter().any(|fact| is(fact, true)),
        }
    }
}

/// The facts of a request, by attribute.
fn facts(context: &Context<'_>) -> [Option<Fact>; ATTRIBUTES] {
    [
        Some(Fact::Exchange(context.exchange)),
        context.country.map(Fact::Country),
        context.country.zip(context.region).map(|(country, region)| Fact::Region(country, region)),
        Some(Fact::Device(context.device)),
    ]
}

/// For each value of an attribute, the conjunctions that allow it.
#[derive(Debug)]
struct Attribute {
    /// The values that any conjunction names, ascending.
    named: Vec<Fact>,
    /// In the order of `named`.
    bitmaps: Vec<Vec<u64>>,
    /// For a value that no conjunction names, or none.
    other: Vec<u64>,
}

impl Attribute {
    fn new<'a>(values: impl ExactSizeIterator<Item = &'a Values> + Clone) -> Self {
        let named: BTreeSet<Fact> = values.clone().flat_map(Values::named).copied().collect();
        let named: Vec<Fact> = named.into_iter().collect();
        let mut other = vec![0; bits::words(values.len())];
        for (conjunction, values) in (0..).zip(values.clone()) {
            if values.allow_others() {
                bits::insert(&mut other, conjunction);
            }
        }
        // A value differs from those nobody names only in the conjunctions that name it.
        let mut bitmaps = vec![other.clone(); named.len()];
        for (conjunction, values) in (0..).zip(values) {
            for fact in values.named() {
                let bitmap = &mut bitmaps[named.partition_point(|named| named < fact)];
                bitmap[conjunction as usize / 64] ^= 1 << (conjunction % 64);
            }
        }
        Self { named, bitmaps, other }
    }

    fn place(&self, value: &Fact) -> Option<u32> {
        self.named.binary_search(value).ok().map(|at| at as u32)
    }

    fn of(&self, value: Option<Fact>) -> &[u64] {
        value.and_then(|value| self.place(&value)).map_or(&self.other, |at| &self.bitmaps[at as usize])
    }
}
