use super::*;
use crate::exchange::SeenImp;

/// Milliseconds after the beginning.
fn at(begun: Instant, ms: u64) -> Instant {
    begun + Duration::from_millis(ms)
}

const TMAX: Duration = Duration::from_millis(100);

fn names() -> BTreeMap<String, Campaign> {
    Campaign::ALL.into_iter().map(|campaign| (campaign.name().to_owned(), campaign)).collect()
}

/// Requests, one a line: `DUE_MS TOOK_MS PERSON IMPS`; `-` for none; an imp is its sizes and who bids, such as
/// `300x250=everybody` or `728x90+300x250=`.
fn seen(begun: Instant, lines: &str) -> Vec<Seen> {
    let one = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let number = |word: &str| word.parse::<u32>().ok();
        let sizes = |text: &str| {
            let size =
                |size: &str| size.split_once('x').map(|(w, h)| (w.parse().unwrap(), h.parse().unwrap())).unwrap();
            text.split('+').map(size).collect()
        };
        let imp = |text: &&str| {
            let (sizes_of, campaign) = text.split_once('=').unwrap();
            SeenImp { sizes: sizes(sizes_of), campaign: (!campaign.is_empty()).then(|| campaign.to_owned()) }
        };
        Seen {
            due: at(begun, words[0].parse().unwrap()),
            sent_after: Duration::ZERO,
            took: number(words[1]).map(|ms| Duration::from_millis(ms.into())),
            person: number(words[2]),
            imps: words[3..].iter().map(imp).collect(),
        }
    };
    lines.lines().map(str::trim).filter(|line| !line.is_empty()).map(one).collect()
}

#[test]
fn what_was_not_answered_in_time_is_late() {
    let begun = Instant::now();
    let lines = "0 100 - \n 10 101 - \n 20 - - \n 1000 500 -";
    let answers = Answers::of(&seen(begun, lines), &(begun..at(begun, 1_000)), TMAX);
    assert_eq!((answers.requests, answers.late, answers.ms[0]), (3, 2, 101.0));
    let nothing = Answers::of(&[], &(begun..at(begun, 1_000)), TMAX);
    assert_eq!(nothing.late_share(), 1.0, "nothing was in time");
    let sent_late = Seen { sent_after: TMAX * 2, ..seen(begun, "0 300 -").remove(0) };
    assert_eq!(Answers::of(&[sent_late], &(begun..at(begun, 1_000)), TMAX).sent_too_late, 1);
}

#[test]
fn bids_are_counted_where_only_one_campaign_may_bid_for_a_person_who_is_told() {
    let begun = Instant::now();
    // 0 is a member and a buyer, 3 neither.
    let lines = "0 1 0 728x90=members-or-nobody 160x600=
        1 1 3 728x90= 160x600=not-buyers
        2 1 3 320x50=members-or-anybody
        3 1 0 728x90+300x250=everybody
        4 1 - 728x90=
        5 - 0 728x90=
        6 1 0 300x250=not-buyers";
    let chances = chances(&seen(begun, lines), &names());
    let counted = bids(&chances, &(begun..at(begun, 1_000)));
    let shown: Vec<String> = counted
        .iter()
        .filter(|group| group.chances > 0)
        .map(|group| format!("{} {} {}/{}", group.campaign, group.for_known, group.bids, group.chances))
        .collect();
    let expected = [
        "members-or-nobody false 0/1",
        "members-or-nobody true 1/1",
        "members-or-anybody false 1/1",
        "not-buyers false 0/1",
        "not-buyers true 1/1",
        "everybody true 0/1",
    ];
    assert_eq!(shown, expected);
    // The bid for a person who is no member shows that nothing was known of them.
    assert_eq!(known(&chances, &(begun..at(begun, 1_000))), Some(2.0 / 3.0));
    assert_eq!(known(&chances, &(at(begun, 6)..at(begun, 7))), None, "everybody tells nothing");
}

#[test]
fn a_bid_for_somebody_who_is_excluded_is_found_on_any_impression() {
    let begun = Instant::now();
    let lines = "0 1 0 160x600= 728x90+160x600=not-buyers
        1 1 3 160x600=not-buyers
        2 1 0 300x250=everybody
        3 999 1 160x600=not-buyers";
    assert_eq!(excluded_bids(&seen(begun, lines), &names()), 2);
}

/// `check("100 known, 300 unknown", ...)`: one request at each of these milliseconds.
fn check_recovery(lines: &str, expected_ms: Option<u64>) {
    let begun = Instant::now();
    let chance = |text: &str| {
        let (ms, known) = text.split_once(' ').unwrap();
        Chance {
            due: at(begun, ms.parse().unwrap()),
            campaign: Campaign::MembersOrNobody,
            person: 0,
            bid: known == "known",
        }
    };
    let chances: Vec<Chance> = lines.split(", ").filter(|text| !text.is_empty()).map(chance).collect();
    let recovered = recovery(&chances, &(begun..at(begun, 3_000)), 1.0);
    assert_eq!(recovered, expected_ms.map(Duration::from_millis), "{lines}");
}

#[test]
fn people_are_known_again_from_where_they_are_for_a_second() {
    check_recovery("0 known, 900 known", Some(0));
    check_recovery("0 known, 890 known", None);
    check_recovery("10 unknown, 150 known, 1900 known", Some(100));
    check_recovery("10 unknown, 150 known, 420 unknown, 1900 known", Some(500));
    check_recovery("10 unknown, 150 known, 420 unknown, 430 known, 1900 known", Some(500));
    check_recovery("10 unknown, 150 known, 1090 unknown, 2900 known", Some(1100));
    check_recovery("10 unknown, 150 known, 1110 unknown, 2900 known", Some(100));
    check_recovery("10 unknown, 2050 unknown", Some(100));
    check_recovery("1950 unknown, 2900 known", Some(0));
    check_recovery("10 unknown, 900 unknown, 1500 unknown, 2200 known", None);
    check_recovery("", None);
}
