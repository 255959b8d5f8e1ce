//! A hundred thousand different random targeting expressions in one index: it finds those that the crate `a-tree` finds,
//! and those that a walk through every expression finds.

use std::collections::{BTreeMap, BTreeSet};
use std::iter;

use decision::campaign::{Advertiser, Campaign, Flight, Strategy};
use decision::ids::Label;
use decision::money::Nanos;
use decision::outcome::{NoBidReason, PriceSteps, Trace};
use decision::targeting::{Fact, Targeting};
use decision::time::Micros;

use crate::forest::Forest;
use crate::generator::{self, Dice};
use crate::world::{Ask, Bidder, Imp, World};

const EXPRESSIONS: usize = 100_000;
/// What the expressions are drawn by; a request is drawn by its number.
const SEED: u64 = 4;
const REQUESTS: u64 = 40;
/// Levels of groups in an expression.
const DEPTH: usize = 4;
/// Expressions with something, for it to count as tried.
const TRIED_MIN: usize = 1_000;

#[test]
fn the_index_finds_whom_an_a_tree_and_a_walk_find() {
    let world = world();
    every_kind_is_tried(&world.campaigns);
    let expressions: Vec<Targeting> = world.campaigns.iter().map(required).collect();
    let forest = Forest::new(&expressions);
    let mut bidder = Bidder::new(&world);
    let (mut imps, mut matches, mut times_met) = (0, 0, vec![0; EXPRESSIONS]);
    for request in 0..REQUESTS {
        let ask = ask(request, &world);
        let mut indexed = Met(vec![vec![0; EXPRESSIONS]; ask.imps.len()]);
        bidder.decide_watched(&ask, &mut indexed);
        for (imp, indexed) in ask.imps.iter().zip(&indexed.0) {
            let mut in_trees = vec![0; EXPRESSIONS];
            forest.matches(&ask, imp).iter().for_each(|place| in_trees[*place] += 1);
            for (place, expression) in expressions.iter().enumerate() {
                let met = u32::from(holds(expression, &ask, imp));
                let found = [indexed[place], in_trees[place]];
                assert_eq!(
                    found, [met; 2],
                    "index, a-tree: seed {SEED}, request {request}, {expression:?}, {imp:?} of {ask:#?}"
                );
                times_met[place] += met;
            }
            imps += 1;
            matches += indexed.iter().sum::<u32>();
            assert!(indexed.contains(&1), "request {request} matches nothing: {ask:#?}");
        }
    }
    let told_apart = times_met.iter().filter(|times| (1..imps).contains(*times)).count();
    println!("{EXPRESSIONS} expressions, {REQUESTS} requests, {imps} imps, {matches} matches, {told_apart} told apart");
    assert!(told_apart > EXPRESSIONS / 2, "{told_apart} expressions met by some and missed by others are too few");
}

/// The campaigns have in their targeting whatever there is, in every place.
fn every_kind_is_tried(campaigns: &[Campaign]) {
    let mut kinds: BTreeMap<String, usize> = BTreeMap::new();
    for campaign in campaigns {
        let mut within = BTreeSet::new();
        kinds_in(&campaign.targeting, "nothing", true, &mut within);
        within.into_iter().for_each(|kind| *kinds.entry(kind).or_default() += 1);
    }
    println!("expressions with {kinds:?}");
    assert_eq!(kinds.len(), 2 * 6 + 4 * 3, "six facts, wanted or not, and three groups, within each and within none");
    assert!(kinds.values().all(|count| *count >= TRIED_MIN), "too few of a kind: {kinds:?}");
}

/// Adds each fact in an expression, wanted or not, and each group with the group around it.
fn kinds_in(targeting: &Targeting, around: &'static str, wanted: bool, kinds: &mut BTreeSet<String>) {
    let (group, parts) = match targeting {
        Targeting::All(parts) => ("all", parts),
        Targeting::Any(parts) => ("any", parts),
        Targeting::None(parts) => ("none", parts),
        Targeting::Is(fact) => {
            let kind = match fact {
                Fact::Segment { .. } => "segment",
                Fact::Exchange(_) => "exchange",
                Fact::Country(_) => "country",
                Fact::Region(..) => "region",
                Fact::Device(_) => "device",
                Fact::Size(_) => "size",
            };
            kinds.insert(format!("{}{kind}", if wanted { "" } else { "not " }));
            return;
        }
    };
    kinds.insert(format!("{group} in {around}"));
    let wanted = wanted != (group == "none");
    parts.iter().for_each(|part| kinds_in(part, group, wanted, kinds));
}

/// Campaigns by their place, no two with the same targeting.
fn world() -> World {
    let dice = &mut Dice::new(SEED);
    let mut known = BTreeSet::new();
    let expressions = iter::repeat_with(|| generator::targeting(dice, DEPTH));
    let new = expressions.filter(|expression| known.insert(format!("{expression:?}"))).take(EXPRESSIONS);
    World { campaigns: (0..).zip(new).map(|(place, new)| campaign(place, new)).collect(), ..World::default() }
}

/// A campaign that bids wherever its targeting is true and an impression has the size of one of its creatives.
fn campaign(place: u32, targeting: Targeting) -> Campaign {
    let campaign = generator::campaign(&mut Dice::new(u64::from(place)), place);
    let (min_cpm, max_cpm) = (Nanos::ZERO, Nanos::UNIT);
    Campaign {
        targeting,
        advertiser: Advertiser { currency: label("USD"), ..campaign.advertiser },
        flight: Flight { from: Micros(0), until: Micros(i64::MAX) },
        strategy: Strategy { default_cpm: Some(Nanos::UNIT), min_cpm, max_cpm, margin_ppm: 0, segments: Vec::new() },
        caps: Vec::new(),
        ..campaign
    }
}

/// What must be true for a campaign to bid.
fn required(campaign: &Campaign) -> Targeting {
    let sizes = campaign.creatives.iter().map(|creative| Targeting::Is(Fact::Size(creative.size)));
    Targeting::All(vec![campaign.targeting.clone(), Targeting::Any(sizes.collect())])
}

/// A request for a person who is known, in which nothing but targeting stands in the way of a bid.
fn ask(number: u64, world: &World) -> Ask {
    let dice = &mut Dice::new(!number);
    let mut asks = iter::repeat_with(|| generator::ask(dice, world));
    let ask = asks.find(|ask| ask.person.is_some() && ask.imps.iter().all(|imp| !imp.sizes.is_empty()));
    let mut ask = ask.expect("one comes");
    ask.currencies = vec![label("USD")];
    ask.blocked_domains.clear();
    ask.blocked_categories.clear();
    for imp in &mut ask.imps {
        *imp = Imp {
            sizes: imp.sizes.clone(),
            floor: Nanos::ZERO,
            floor_currency: Some(label("USD")),
            secure: false,
            private_auction: false,
        };
    }
    ask
}

fn label<const N: usize>(text: &str) -> Label<N> {
    Label::new(text).expect("a label")
}

/// Whether an expression is true of an impression.
fn holds(targeting: &Targeting, ask: &Ask, imp: &Imp) -> bool {
    let is_part = |part| holds(part, ask, imp);
    match targeting {
        Targeting::All(parts) => parts.iter().all(is_part),
        Targeting::Any(parts) => parts.iter().any(is_part),
        Targeting::None(parts) => !parts.iter().any(is_part),
        Targeting::Is(fact) => match *fact {
            Fact::Exchange(exchange) => ask.exchange == exchange,
            Fact::Country(country) => ask.country == Some(country),
            Fact::Region(country, region) => ask.country == Some(country) && ask.region == Some(region),
            Fact::Device(device) => ask.device == device,
            Fact::Size(size) => imp.sizes.contains(&size),
            Fact::Segment { segment, confidence_min } => ask
                .person
                .iter()
                .flat_map(|p| &p.memberships)
                .any(|m| m.segment == segment && m.until > ask.now.seconds() && m.confidence >= confidence_min),
        },
    }
}

/// How often each campaign was found, by impression and id.
struct Met(Vec<Vec<u32>>);

impl Trace for Met {
    const EXPLAINS: bool = false;

    fn priced(&mut self, imp: usize, campaign: &Campaign, _: PriceSteps) {
        self.0[imp][campaign.id.0 as usize] += 1;
    }

    fn refused(&mut self, _: usize, _: &Campaign, _: NoBidReason) {}
}
