//! Random campaigns × requests × histories: decisions are those of the oracle, and keep what was promised.

use std::collections::BTreeMap;

use decision::campaign::CapSubject;
use decision::ids::{CampaignId, SegmentId};
use decision::outcome::NoBidReason;
use decision::profile::CapScope;

use crate::generator::{self, Dice};
use crate::oracle;
use crate::world::{Ask, Bidder, Notes, Outcome, World};

/// How many cases are tried; `VERNIER_PROPERTY_CASES` at compile time overrides it.
const CASES: u64 = number(option_env!("VERNIER_PROPERTY_CASES"), 100_000);
/// Cases that share one world, since compiling one takes longer than deciding.
const CASES_A_WORLD: u64 = 8;

const fn number(text: Option<&str>, default: u64) -> u64 {
    let Some(text) = text else { return default };
    match u64::from_str_radix(text, 10) {
        Ok(number) => number,
        Err(_) => panic!("VERNIER_PROPERTY_CASES is no number"),
    }
}

/// The world and the request of a case: its number is its seed, so a case that failed fails again.
fn world_of(case: u64) -> World {
    generator::world(&mut Dice::new(case / CASES_A_WORLD))
}

fn ask_of(case: u64, world: &World) -> Ask {
    generator::ask(&mut Dice::new(!case), world)
}

#[test]
fn decisions_are_those_of_the_oracle() {
    let (mut imps, mut bids, mut ghosts) = (0_u64, 0_u64, 0_u64);
    let mut reasons: BTreeMap<NoBidReason, u64> = BTreeMap::new();
    for first in (0..CASES).step_by(CASES_A_WORLD as usize) {
        let world = world_of(first);
        let mut bidder = Bidder::new(&world);
        for case in first..CASES.min(first + CASES_A_WORLD) {
            let ask = ask_of(case, &world);
            let (expected, told) = oracle::decide(&world, &ask);
            let outcomes = bidder.decide(&ask);
            assert_eq!(outcomes, expected, "case {case}: {ask:#?}");
            promises_are_kept(&world, &ask, &outcomes, case);
            watching_changes_nothing(&mut bidder, &ask, &outcomes, &told, case);
            imps += outcomes.len() as u64;
            bids += outcomes.iter().filter(|outcome| outcome.decision.is_ok()).count() as u64;
            ghosts += outcomes.iter().map(|outcome| outcome.ghosts.len() as u64).sum::<u64>();
            told.iter().flat_map(BTreeMap::values).for_each(|reason| *reasons.entry(*reason).or_default() += 1);
        }
    }
    let share = bids as f64 / imps as f64;
    println!("{CASES} cases, {imps} imps, {:.1} % bid on, {ghosts} ghost bids, {reasons:?}", share * 100.0);
    assert!(share >= 0.3, "too few bids to say anything");
    let unseen: Vec<_> = NoBidReason::ALL.iter().filter(|reason| !reasons.contains_key(reason)).collect();
    assert_eq!(unseen, [&NoBidReason::NoEligibleCampaign], "no campaign is told this one, and every other is tried");
}

#[test]
fn a_decision_that_breaks_off_leaves_nothing_to_the_next() {
    for case in 0..2_000 {
        let world = world_of(case);
        let (mut fresh, mut used) = (Bidder::new(&world), Bidder::new(&world));
        let ask = ask_of(case, &world);
        used.break_off(&ask_of(case + 1, &world));
        assert_eq!(used.decide(&ask), fresh.decide(&ask), "case {case}: {ask:#?}");
    }
}

/// What must hold whatever the rules say, read off the bids alone.
fn promises_are_kept(world: &World, ask: &Ask, outcomes: &[Outcome], case: u64) {
    let dollars = |code: &str| match code {
        "USD" => 1_000_000_000,
        code => world.rates.iter().find(|(c, _)| c.as_str() == code).map_or(0, |(_, rate)| i128::from(rate.get())),
    };
    let mut spent: BTreeMap<CampaignId, i64> = BTreeMap::new();
    let mut shown: Vec<CapScope> = Vec::new();
    for (imp, outcome) in ask.imps.iter().zip(outcomes) {
        let Ok(bid) = &outcome.decision else { continue };
        let campaign = world.campaigns.iter().find(|campaign| campaign.id.0 == bid.campaign).expect("it exists");
        let creative = campaign.creatives.iter().find(|creative| creative.id.0 == bid.creative).expect("it is its own");
        let floor = i128::from(imp.floor.get()) * dollars(imp.floor_currency.expect("readable").as_str());
        assert!(i128::from(bid.price) * dollars(bid.currency.as_str()) >= floor, "case {case}: below the floor");
        assert!(ask.currencies.contains(&bid.currency), "case {case}: in a wrong currency");
        assert!(bid.size == creative.size && imp.sizes.contains(&bid.size), "case {case}: in a wrong size");
        assert!(bid.campaign_price <= campaign.strategy.max_cpm.get(), "case {case}: above the campaign's limit");
        *spent.entry(campaign.id).or_default() += bid.campaign_price;
        assert!(spent[&campaign.id] <= world.money[&campaign.id], "case {case}: over the budget");
        for cap in &campaign.caps {
            let scope = match cap.scope {
                CapSubject::Campaign => CapScope::Campaign(campaign.id),
                CapSubject::EachCreative => CapScope::Creative(creative.id),
                CapSubject::Advertiser => CapScope::Advertiser(campaign.advertiser.id),
                CapSubject::EachSegment => match bid.segment {
                    Some(segment) => CapScope::Segment(SegmentId(segment)),
                    None => continue,
                },
            };
            let inside = |at: u32| u64::from(at) + u64::from(cap.window_s) > u64::from(ask.now.seconds().0);
            let history = ask.person.iter().flat_map(|person| &person.impressions);
            let seen = history.filter(|i| i.scope == scope && inside(i.at.0)).count();
            let now = shown.iter().filter(|shown| **shown == scope).count();
            assert!(seen + now < usize::from(cap.count), "case {case}: over a cap");
        }
        shown.extend([
            CapScope::Campaign(campaign.id),
            CapScope::Creative(creative.id),
            CapScope::Advertiser(campaign.advertiser.id),
        ]);
        shown.extend(bid.segment.map(|segment| CapScope::Segment(SegmentId(segment))));
    }
}

/// A watched decision is the same one, and tells every campaign once what the oracle would.
fn watching_changes_nothing(
    bidder: &mut Bidder<'_>,
    ask: &Ask,
    outcomes: &[Outcome],
    told: &[BTreeMap<CampaignId, NoBidReason>],
    case: u64,
) {
    let mut notes = Notes::default();
    assert_eq!(bidder.decide_watched(ask, &mut notes), outcomes, "case {case}: watched");
    for (imp, told) in told.iter().enumerate() {
        let heard =
            notes.refused.iter().filter(|(at, ..)| *at == imp).map(|(_, campaign, reason)| (*campaign, *reason));
        let heard: Vec<_> = heard.collect();
        let by_campaign: BTreeMap<_, _> = heard.iter().copied().collect();
        assert_eq!(&by_campaign, told, "case {case}: opportunity {imp} of {ask:#?}");
        assert_eq!(heard.len(), told.len(), "case {case}: a campaign is told twice");
    }
}

#[test]
fn one_more_campaign_takes_nothing_from_the_others() {
    for case in 0..2_000 {
        let world = world_of(case * CASES_A_WORLD);
        let mut ask = ask_of(case, &world);
        ask.imps.truncate(1);
        let mut more = world.clone();
        let id = 1_000 + case as u32;
        more.campaigns.insert(0, generator::campaign(&mut Dice::new(case), id));
        let before = Bidder::new(&world).decide(&ask);
        let mut after = Bidder::new(&more).decide(&ask);
        after[0].eligible.retain(|campaign| campaign.0 != id);
        assert_eq!(after[0].eligible, before[0].eligible, "case {case}: {ask:#?}");
    }
}

#[test]
fn the_index_finds_whom_a_walk_finds() {
    let mut found = 0;
    for case in 0..5_000 {
        let dice = &mut Dice::new(case << 32);
        let mut world = generator::world(dice);
        for campaign in &mut world.campaigns {
            campaign.targeting = generator::targeting(dice, 4);
            campaign.caps.clear();
        }
        let ask = ask_of(case, &world);
        let (expected, _) = oracle::decide(&world, &ask);
        for (outcome, expected) in Bidder::new(&world).decide(&ask).iter().zip(&expected) {
            assert_eq!(outcome.eligible, expected.eligible, "case {case}: {ask:#?}");
            found += outcome.eligible.len();
        }
    }
    assert!(found > 10_000, "{found} are too few to say anything");
}
