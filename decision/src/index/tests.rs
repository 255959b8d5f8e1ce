use super::conjunction::{SEGMENTS, SIZES, alternatives};
use super::*;
use crate::ids::Label;
use crate::targeting::Targeting::{self, All, Any, Is};
use std::format;
use std::string::String;
use std::vec;

fn segment(segment: u32) -> Targeting {
    Is(Fact::Segment { segment: SegmentId(segment), confidence_min: 0 })
}

fn country(code: &str) -> Targeting {
    Is(Fact::Country(Label::new(code).unwrap()))
}

fn size(w: u16) -> Targeting {
    Is(Fact::Size(Size { w, h: 1 }))
}

fn not(targeting: Targeting) -> Targeting {
    Targeting::None(vec![targeting])
}

/// The alternatives as text: `+DEU` one of these countries, `-DEU` none of them, `s7|s8` one of these segments,
/// `w300` one of these sizes, `!s7` not in.
fn check(targeting: Targeting, expected: &str) {
    let short = |fact: &Fact| match fact {
        Fact::Country(code) => format!("{code}"),
        Fact::Segment { segment, .. } => format!("s{segment}"),
        Fact::Size(size) => format!("w{}", size.w),
        other => format!("{other:?}"),
    };
    let list = |facts: &[Fact]| facts.iter().map(short).collect::<Vec<_>>().join("|");
    let say = |of: &Conjunction| {
        let countries = &of.attributes[1];
        let sign = if countries.allow_others() { '-' } else { '+' };
        let mut said: Vec<String> = Vec::new();
        if !countries.named().is_empty() {
            said.push(format!("{sign}{}", list(countries.named())));
        }
        said.extend([SEGMENTS, SIZES].iter().flat_map(|set| &of.any_of[*set]).map(|facts| list(facts)));
        said.extend(of.none_of.iter().map(|fact| format!("!{}", short(fact))));
        said.join(" ")
    };
    let mut said: Vec<String> = alternatives(&targeting, 64).unwrap().iter().map(say).collect();
    said.sort_unstable();
    assert_eq!(said.join(" or "), expected, "{targeting:?}");
}

#[test]
fn groups_of_one_kind_are_one_requirement() {
    check(Any(vec![country("DEU"), country("AUT"), country("DEU")]), "+AUT|DEU");
    check(not(Any(vec![country("DEU"), country("AUT")])), "-AUT|DEU");
    check(Any(vec![segment(7), segment(8)]), "s7|s8");
    check(All(vec![segment(7), segment(8)]), "s7 s8");
    check(Any(vec![size(300), size(728)]), "w300|w728");
    check(not(Any(vec![segment(7), size(300)])), "!s7 !w300");
}

#[test]
fn requirements_on_one_attribute_are_combined() {
    check(All(vec![Any(vec![country("DEU"), country("AUT")]), not(country("AUT"))]), "+DEU");
    check(Any(vec![not(country("DEU")), country("DEU")]), "");
    check(Any(vec![not(country("DEU")), not(country("AUT"))]), "");
    check(Any(vec![not(Any(vec![country("DEU"), country("AUT")])), country("AUT")]), "-DEU");
}

#[test]
fn what_follows_from_another_requirement_is_left_out() {
    check(All(vec![Any(vec![segment(7), segment(8)]), segment(7)]), "s7");
    check(All(vec![segment(7), Any(vec![segment(7), segment(8)])]), "s7");
}

#[test]
fn alternatives_of_different_kinds_stay_apart() {
    check(Any(vec![segment(7), country("DEU")]), "+DEU or s7");
    check(Any(vec![segment(7), not(segment(8))]), "!s8 or s7");
    let either = Any(vec![segment(7), country("DEU")]);
    check(All(vec![either, size(300)]), "+DEU w300 or s7 w300");
}

#[test]
fn alternatives_that_differ_in_one_requirement_are_merged() {
    let pair = |code, number| All(vec![country(code), segment(number)]);
    check(Any(vec![pair("DEU", 7), pair("AUT", 7)]), "+AUT|DEU s7");
    check(Any(vec![pair("DEU", 7), pair("DEU", 8)]), "+DEU s7|s8");
    check(Any(vec![pair("DEU", 7), pair("AUT", 8)]), "+AUT s8 or +DEU s7");
    check(Any(vec![pair("DEU", 7), pair("AUT", 8), pair("AUT", 7), pair("DEU", 8)]), "+AUT|DEU s7|s8");
}

#[test]
fn contradictions_of_attributes_are_dropped_and_those_of_segments_kept() {
    assert_eq!(alternatives(&All(vec![country("DEU"), country("AUT")]), 64), Some(vec![]));
    assert_eq!(alternatives(&Any(vec![]), 64), Some(vec![]));
    check(All(vec![segment(7), not(segment(7))]), "s7 !s7");
    check(Targeting::EVERYONE, "");
}

#[test]
fn too_many_alternatives_are_refused() {
    let either = |n: u32| Any(vec![segment(n), size(n as u16)]);
    assert_eq!(alternatives(&All((1..=6).map(either).collect()), 64).map(|all| all.len()), Some(64));
    assert_eq!(alternatives(&All((1..=7).map(either).collect()), 64), None);
}

#[test]
fn equal_requirements_of_two_campaigns_are_matched_once() {
    let campaign = |id, targeting| Campaign { targeting, ..crate::campaign::tests::campaign(id) };
    let campaigns = [campaign(1, country("DEU")), campaign(2, country("DEU")), campaign(3, segment(7))];
    let slots: Vec<Vec<u32>> = requirements(&campaigns).into_values().collect();
    assert_eq!(slots.len(), 2);
    assert!(slots.contains(&vec![0, 1]) && slots.contains(&vec![2]));
}

#[test]
fn campaigns_stand_by_ascending_id_and_the_later_of_two_counts() {
    let named = |id, name: &str| Campaign { name: name.into(), ..crate::campaign::tests::campaign(id) };
    let index = CampaignIndex::compile(vec![named(5, "old"), named(3, "three"), named(5, "new")], Rates::default(), 9);
    assert_eq!(index.campaigns().iter().map(|c| c.name.as_str()).collect::<Vec<_>>(), ["three", "new"]);
    assert_eq!(index.slot_of(CampaignId(5)), Some(Slot(1)));
    assert_eq!(index.slot_of(CampaignId(4)), None);
    assert_eq!((index.version(), index.campaign(Slot(0)).id), (9, CampaignId(3)));
}
