use super::*;
use crate::faults::point::failed;

/// A scenario in which all is well.
fn good() -> Figures {
    let answers = Answers { requests: 10_000, late: 10, ..Answers::default() };
    let group = |campaign: Campaign, for_known, for_strangers, bids| Bids {
        campaign: campaign.name(),
        for_known,
        for_strangers,
        chances: 100,
        bids,
    };
    let before = vec![group(Campaign::NotBuyers, false, false, 0), group(Campaign::NotBuyers, true, false, 100)];
    let during = vec![
        group(Campaign::MembersOrNobody, true, false, 0),
        group(Campaign::MembersOrAnybody, false, true, 99),
        group(Campaign::NotBuyers, false, false, 0),
    ];
    Figures {
        before: answers,
        since: answers,
        known: [Some(0.99), Some(0.0), Some(0.985)],
        bids_before: before.clone(),
        bids_during: during,
        bids_after: before,
        excluded_bids: 0,
        recovery_s: Some(5.0),
        invalid: 0,
        given_up: 0,
        timeline: Vec::new(),
    }
}

/// The points that do not hold once `change` was made to a scenario in which all was well.
fn check(change: impl Fn(&mut Figures), expected: &[&str]) {
    let mut figures = good();
    change(&mut figures);
    assert_eq!(failed(&judge(&figures)), expected);
}

#[test]
fn a_scenario_in_which_all_is_well_passes() {
    check(|_| {}, &[]);
}

#[test]
fn each_point_can_fail() {
    check(|f| f.known[0] = Some(0.94), &["known before"]);
    check(|f| f.known[0] = None, &["known before", "known again"]);
    check(|f| f.since.late = 11, &["in time"]);
    check(|f| f.since.requests = 0, &["in time"]);
    check(|f| f.excluded_bids = 1, &["exclusions hold"]);
    check(|f| f.recovery_s = Some(5.1), &["recovers"]);
    check(|f| f.recovery_s = None, &["recovers"]);
    check(|f| f.known[2] = Some(0.97), &["known again"]);
    check(|f| f.known[2] = None, &["known again"]);
    check(|f| f.invalid = 1, &["answers keep to the rules"]);
    check(|f| f.given_up = 1, &["notices are taken"]);
}

#[test]
fn campaigns_must_do_as_they_say_while_nobody_is_known_and_must_be_asked() {
    let told = "as when_audience_unknown says";
    check(|f| f.bids_during[0].bids = 1, &[told]);
    check(|f| f.bids_during[1].bids = 98, &[told]);
    check(|f| f.bids_during[2].bids = 1, &[told]);
    check(|f| f.bids_during[0].chances = 49, &[told]);
    check(|f| f.bids_during.clear(), &[told]);
    let nobody = |groups: &mut Vec<Bids>| groups.iter_mut().for_each(|group| group.chances = 10);
    check(
        |f| [&mut f.bids_before, &mut f.bids_during, &mut f.bids_after].into_iter().for_each(nobody),
        &[told, "exclusions hold"],
    );
}
