//! The crate `a-tree` as a judge: it matches boolean expressions too, by other means and by other authors.
//!
//! Its language has no facts of ours, so each is said in its words:
//! - exchange, country, region and device are strings, which are `none` where the request does not say, since a-tree
//!   takes no expression for true, nor its opposite, where a value is missing; a region bears its country's name,
//! - sizes are a list of strings,
//! - each segment is a number: the confidence of the membership, or -1 without one or where it has ended, so that "with
//!   at least this confidence" is a comparison,
//! - a group of no parts is said by a boolean that is always true.

use a_tree::{ATree, AttributeDefinition};
use decision::targeting::{Fact, Size, Targeting};

use crate::generator::SEGMENTS;
use crate::world::{Ask, Imp};

/// Expressions in one tree. Inserting one takes a look at all that are there, so that many small trees are built much
/// sooner than a large one.
const TREE_EXPRESSIONS: usize = 2_000;

/// Trees that together hold many expressions.
pub(crate) struct Forest(Vec<ATree<usize>>);

impl Forest {
    pub(crate) fn new(expressions: &[Targeting]) -> Self {
        let strings = ["exchange", "country", "region", "device"].map(AttributeDefinition::string);
        let others = [AttributeDefinition::string_list("sizes"), AttributeDefinition::boolean("always")];
        let segments = SEGMENTS.map(|segment| AttributeDefinition::integer(&format!("segment_{segment}")));
        let attributes: Vec<AttributeDefinition> = strings.into_iter().chain(others).chain(segments).collect();
        let trees = expressions.chunks(TREE_EXPRESSIONS).zip((0..).step_by(TREE_EXPRESSIONS));
        let tree = |(expressions, first): (&[Targeting], usize)| {
            let mut tree = ATree::new(&attributes).expect("the attributes have different names");
            for (place, expression) in (first..).zip(expressions) {
                let said = said(expression);
                tree.insert(&place, &said).unwrap_or_else(|error| panic!("{error}: {said}"));
            }
            tree
        };
        Self(trees.map(tree).collect())
    }

    /// The places of the expressions that an impression satisfies, in no order.
    pub(crate) fn matches(&self, ask: &Ask, imp: &Imp) -> Vec<usize> {
        self.0.iter().flat_map(|tree| matches(tree, ask, imp)).collect()
    }
}

fn matches(tree: &ATree<usize>, ask: &Ask, imp: &Imp) -> Vec<usize> {
    let region = ask.country.zip(ask.region).map(|(country, region)| format!("{country}-{region}"));
    let country = ask.country.as_ref().map(|country| country.as_str());
    let strings = [
        ("exchange", Some(ask.exchange.as_str())),
        ("country", country),
        ("region", region.as_deref()),
        ("device", Some(ask.device.name())),
    ];
    let sizes: Vec<String> = imp.sizes.iter().map(size).collect();
    let sizes: Vec<&str> = sizes.iter().map(String::as_str).collect();
    let memberships = ask.person.iter().flat_map(|person| &person.memberships).filter(|m| m.until > ask.now.seconds());
    let memberships: Vec<_> = memberships.collect();
    let event = || {
        let mut event = tree.make_event();
        event.with_boolean("always", true)?;
        strings.iter().try_for_each(|(name, value)| event.with_string(name, value.unwrap_or("none")))?;
        event.with_string_list("sizes", &sizes)?;
        for segment in SEGMENTS {
            let membership = memberships.iter().find(|m| m.segment.0 == segment);
            event.with_integer(&format!("segment_{segment}"), membership.map_or(-1, |m| i64::from(m.confidence)))?;
        }
        event.build()
    };
    let event = event().expect("every attribute has a value of its kind");
    let report = tree.search(&event).expect("a search does not fail");
    report.matches().iter().map(|place| **place).collect()
}

fn size(size: &Size) -> String {
    format!("{}x{}", size.w, size.h)
}

/// An expression in the language of a-tree.
fn said(targeting: &Targeting) -> String {
    let group = |parts: &[Targeting], word: &str| {
        let parts: Vec<String> = parts.iter().map(|part| format!("({})", said(part))).collect();
        parts.join(word)
    };
    match targeting {
        Targeting::All(parts) | Targeting::None(parts) if parts.is_empty() => "always".into(),
        Targeting::Any(parts) if parts.is_empty() => "not always".into(),
        Targeting::All(parts) => group(parts, " and "),
        Targeting::Any(parts) => group(parts, " or "),
        Targeting::None(parts) => format!("not ({})", group(parts, " or ")),
        Targeting::Is(fact) => match *fact {
            Fact::Segment { segment, confidence_min } => format!("segment_{segment} >= {confidence_min}"),
            Fact::Exchange(exchange) => format!("exchange = '{exchange}'"),
            Fact::Country(country) => format!("country = '{country}'"),
            Fact::Region(country, region) => format!("region = '{country}-{region}'"),
            Fact::Device(device) => format!("device = '{}'", device.name()),
            Fact::Size(ref of) => format!("sizes one of ['{}']", size(of)),
        },
    }
}
