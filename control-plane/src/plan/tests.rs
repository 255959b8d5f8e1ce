use std::collections::BTreeMap;

use event_log::{Offset, Partition, Record};
use proptest::collection::{btree_set, vec};
use proptest::prelude::*;

use super::*;
use crate::limits::PROBLEMS_MAX;
use crate::sample;

/// Takes in what `plan` would publish, as the stream would hand it back; the records so far grow by it.
fn publish(registry: &mut Registry, stream: &mut Vec<Record>, records: Vec<(Vec<u8>, Vec<u8>)>) {
    for (key, value) in records {
        let record = Record { partition: Partition(0), offset: Offset(stream.len() as u64), key, value };
        registry.take(&record).expect("what was published is understood");
        stream.push(record);
    }
}

fn file(text: impl Into<String>) -> Vec<SourceFile> {
    vec![SourceFile { name: "f".into(), text: text.into() }]
}

fn planned(registry: &Registry, text: &str) -> Plan {
    plan(registry, &file(text), Micros(0), "test").unwrap_or_else(|problems| panic!("{problems:#?}\n{text}"))
}

fn stop(registry: &Registry, name: &str) -> Option<(Vec<u8>, Vec<u8>)> {
    let campaign = registry.campaigns.get(name)?.campaign.id;
    let stop = WireChange::Stop(wire::CampaignStop { campaign, name: name.to_owned() });
    Some(keyed(&wire::CampaignsRecord { change: Some(stop), ..Default::default() }))
}

const ADVERTISER: &str = "advertiser: shop\ncurrency: USD\ndomain: shop.example\n---\n";

/// A campaign with these creatives, each with the variants behind the colon.
fn campaign(name: &str, daily: u32, creatives: &[(&str, &[&str])]) -> String {
    let mut text = format!(
        "campaign: {name}\nadvertiser: shop\nflight: {{from: 2026-01-01, until: 2027-01-01}}\n\
         budget: {{daily: {daily}, total: 1000}}\nbids: {{default: 1, max: 2}}\ncreatives:\n"
    );
    for (creative, variants) in creatives {
        text += &format!("  - creative: {creative}\n    size: 300x250\n    variants:\n");
        for variant in *variants {
            text += &format!(
                "      - {{variant: {variant}, markup: '${{CLICK_URL}}', landing_url: 'https://shop.example'}}\n"
            );
        }
    }
    text + "---\n"
}

/// `name change` of every change, and the keys of what is published.
fn check(registry: &mut Registry, stream: &mut Vec<Record>, text: &str, changes: &str, keys: &str) {
    let Plan { changes: found, records } = planned(registry, text);
    let found: Vec<String> = found.iter().map(|c| format!("{} {}", c.name, c.change.label())).collect();
    let published: Vec<String> = records.iter().map(|(key, _)| String::from_utf8_lossy(key).into_owned()).collect();
    assert_eq!((found.join(", "), published.join(" ")), (changes.to_owned(), keys.to_owned()));
    publish(registry, stream, records);
}

#[test]
fn only_what_is_different_is_published() {
    let (mut registry, mut stream) = (Registry::default(), Vec::new());
    let (one, two) = (campaign("one", 10, &[("a", &["x"])]), campaign("two", 10, &[("a", &["x"])]));
    let both = format!("{ADVERTISER}{one}{two}");
    check(&mut registry, &mut stream, &both, "shop new, one new, two new", "advertiser/1 campaign/1 campaign/2");
    check(&mut registry, &mut stream, &both, "shop unchanged, one unchanged, two unchanged", "");
    let dearer = campaign("two", 20, &[("a", &["x"])]);
    check(&mut registry, &mut stream, &dearer, "two changed", "campaign/2");
}

#[test]
fn other_fees_are_a_change() {
    let (mut registry, mut stream) = (Registry::default(), Vec::new());
    let segment = "segment: cart\ndescription: x\nowner: x\nretention_days: 1\n---\n";
    let with = |margin: &str, data_fee: &str| {
        let segments = format!("segments: [{{segment: cart, cpm: 2, data_fee: {data_fee}}}]");
        let bids = format!("bids: {{default: 1, max: 2, margin: {margin}, {segments}}}");
        campaign("one", 10, &[("a", &["x"])]).replace("bids: {default: 1, max: 2}", &bids)
    };
    let first = format!("{ADVERTISER}{segment}{}", with("15%", "0.40"));
    let keys = "advertiser/1 segment/1 campaign/1";
    check(&mut registry, &mut stream, &first, "shop new, cart new, one new", keys);
    let published = registry.campaigns["one"].campaign.clone();
    assert_eq!((published.margin_ppm, published.segment_prices[0].data_cpm), (150_000, 400_000));
    check(&mut registry, &mut stream, &with("15.0 %", "0.4"), "one unchanged", "");
    check(&mut registry, &mut stream, &with("16%", "0.40"), "one changed", "campaign/1");
    check(&mut registry, &mut stream, &with("16%", "0.41"), "one changed", "campaign/1");
}

#[test]
fn a_stopped_campaign_is_resumed_by_being_applied() {
    let (mut registry, mut stream) = (Registry::default(), Vec::new());
    let text = format!("{ADVERTISER}{}", campaign("one", 10, &[("a", &["x"])]));
    check(&mut registry, &mut stream, &text, "shop new, one new", "advertiser/1 campaign/1");
    let record = stop(&registry, "one").expect("it is there");
    publish(&mut registry, &mut stream, vec![record]);
    assert!(registry.campaigns["one"].stopped);
    check(&mut registry, &mut stream, &text, "shop unchanged, one resumed", "campaign/1");
    assert!(!registry.campaigns["one"].stopped);
}

#[test]
fn campaigns_follow_their_advertiser_unless_stopped() {
    let (mut registry, mut stream) = (Registry::default(), Vec::new());
    let (one, two) = (campaign("one", 10, &[("a", &["x"])]), campaign("two", 10, &[("a", &["x"])]));
    let text = format!("{ADVERTISER}{one}{two}");
    check(&mut registry, &mut stream, &text, "shop new, one new, two new", "advertiser/1 campaign/1 campaign/2");
    let record = stop(&registry, "two").expect("it is there");
    publish(&mut registry, &mut stream, vec![record]);
    let capped = ADVERTISER.replace("---", "daily_budget: 50\n---");
    check(&mut registry, &mut stream, &capped, "shop changed, one changed", "advertiser/1 campaign/1");
    let daily = |name: &str| registry.campaigns[name].campaign.advertiser.as_ref().and_then(|a| a.daily_budget);
    assert_eq!((daily("one"), daily("two")), (Some(50_000_000_000), None));
    assert!(registry.campaigns["two"].stopped);
    check(&mut registry, &mut stream, &two, "two resumed", "campaign/2");
    let daily = |name: &str| registry.campaigns[name].campaign.advertiser.as_ref().and_then(|a| a.daily_budget);
    assert_eq!(daily("two"), Some(50_000_000_000));
}

#[test]
fn what_the_books_rest_on_cannot_change() {
    let (mut registry, mut stream) = (Registry::default(), Vec::new());
    let one = campaign("one", 10, &[("a", &["x"])]);
    check(&mut registry, &mut stream, &format!("{ADVERTISER}{one}"), "shop new, one new", "advertiser/1 campaign/1");
    let moved = format!("{}---\n{}", ADVERTISER.replace("USD", "EUR"), ADVERTISER.replace("shop\n", "other\n"));
    let moved = format!("{moved}{}", one.replace("advertiser: shop", "advertiser: other"));
    let problems = plan(&registry, &file(moved), Micros(0), "test").expect_err("both are refused");
    let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
    assert_eq!(
        problems,
        [
            "f:2:11: currency: an advertiser keeps its currency, here USD: give it a new name",
            "f:11:13: advertiser: a campaign keeps its advertiser, here `shop`: give the campaign a new name",
        ]
    );
}

#[test]
fn nothing_follows_from_what_is_declared_twice() {
    let (mut registry, mut stream) = (Registry::default(), Vec::new());
    let segment = "segment: cart\ndescription: x\nowner: x\nretention_days: 1\n---\n";
    let text = format!("{ADVERTISER}{segment}{}", campaign("one", 10, &[("a", &["x"])]));
    let new = "shop new, cart new, one new";
    check(&mut registry, &mut stream, &text, new, "advertiser/1 segment/1 campaign/1");
    let twice = ["a", "b"].map(|name| SourceFile { name: name.into(), text: text.clone() });
    let problems = plan(&registry, &twice, Micros(0), "test").expect_err("each is declared twice");
    let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
    assert_eq!(
        problems,
        [
            "b:1:13: advertiser: advertiser `shop` is declared twice, first in a:1",
            "b:5:10: segment: segment `cart` is declared twice, first in a:5",
            "b:10:11: campaign: campaign `one` is declared twice, first in a:10",
        ]
    );
}

#[test]
fn what_is_too_large_is_refused() {
    let refused = |files: &[SourceFile]| {
        let problems = plan(&Registry::default(), files, Micros(0), "test").expect_err("it is refused");
        problems.iter().map(|problem| problem.message.clone()).collect::<Vec<_>>()
    };
    assert_eq!(refused(&[]), ["1 to 256 files can be applied at once, not 0"]);
    assert_eq!(refused(&file(" ".repeat(FILE_BYTES_MAX + 1))), ["a file may have 1048576 bytes and a name of 1024"]);
    let full = vec![file("#".repeat(FILE_BYTES_MAX)).remove(0); 9];
    assert_eq!(refused(&full), ["files of at most 8388608 bytes can be applied at once"]);
    let many = vec![file(format!("[{}]", "a,".repeat(200_000))).remove(0); 3];
    assert!(refused(&many).contains(&"files with at most 500000 values can be applied at once".to_owned()));
    let markup = format!("${{CLICK_URL}}{}", "x".repeat(16_000));
    let mut large = format!("{ADVERTISER}{}", campaign("one", 10, &[("a", &["x"; 0])]).replace("---\n", ""));
    for variant in 0..64 {
        large += &format!("      - {{variant: v{variant}, markup: '{markup}', landing_url: 'https://shop.example'}}\n");
    }
    assert_eq!(refused(&file(large)), ["has 1027107 bytes when published: at most 1000000 fit a record"]);
}

#[test]
fn numbers_of_lost_creatives_are_kept_within_bounds() {
    let (mut registry, mut stream) = (Registry::default(), Vec::new());
    let mut refused = None;
    for round in 0..100 {
        let names: Vec<String> = (0..60).map(|creative| format!("c{round}-{creative}")).collect();
        let creatives: Vec<(&str, &[&str])> = names.iter().map(|name| (name.as_str(), ["x"].as_slice())).collect();
        match plan(&registry, &file(format!("{ADVERTISER}{}", campaign("one", 10, &creatives))), Micros(0), "test") {
            Ok(plan) => publish(&mut registry, &mut stream, plan.records),
            Err(problems) => {
                refused = Some((round, problems[0].to_string()));
                break;
            }
        }
    }
    let message = "f:5:1: campaign: had more than 4096 creatives and variants before: give it a new name";
    assert_eq!(refused, Some((35, message.to_owned())));
}

#[test]
fn problems_are_listed_up_to_a_bound_and_the_rest_is_counted() {
    let text: String = (0..1_500).map(|number| format!("k{number}: 1\n")).collect();
    let files = file(format!("segment: s\ndescription: x\nowner: x\nretention_days: 1\n{text}\"k\\e[2J\": 1"));
    let problems = plan(&Registry::default(), &files, Micros(0), "test").expect_err("none is a key");
    assert_eq!(problems.len(), PROBLEMS_MAX + 1);
    assert_eq!(problems[PROBLEMS_MAX].message, "501 more problems are not listed");
    let files = file("segment: \"\\e[2J\"");
    let problems = plan(&Registry::default(), &files, Micros(0), "test").expect_err("that is no name");
    assert!(problems.iter().all(|problem| !problem.to_string().contains('\x1b')), "{problems:?}");
}

/// Creatives of a campaign, each with its variants.
type Creatives = Vec<(u8, Vec<u8>)>;

/// What happens in a history: some campaigns are applied with some of their creatives, or one is stopped.
#[derive(Clone, Debug)]
enum Step {
    Apply { daily: u32, advertiser_daily: u32, campaigns: Vec<(u8, Creatives)>, broken: bool },
    Stop(u8),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let ids = |most: usize| btree_set(0..4_u8, 1..=most).prop_map(|ids| ids.into_iter().collect::<Vec<_>>());
    let creatives = btree_set(0..4_u8, 1..4).prop_flat_map(move |creatives| {
        let creatives: Vec<u8> = creatives.into_iter().collect();
        vec(ids(3), creatives.len())
            .prop_map(move |variants| creatives.iter().copied().zip(variants).collect::<Vec<_>>())
    });
    let campaigns = vec((0..4_u8, creatives), 0..3).prop_map(|mut campaigns| {
        campaigns.sort_by_key(|(name, _)| *name);
        campaigns.dedup_by_key(|(name, _)| *name);
        campaigns
    });
    let apply = (1..3_u32, 1..3_u32, campaigns, proptest::bool::weighted(0.2)).prop_map(
        |(daily, advertiser_daily, campaigns, broken)| Step::Apply { daily, advertiser_daily, campaigns, broken },
    );
    vec(prop_oneof![4 => apply, 1 => (0..4_u8).prop_map(Step::Stop)], 1..20)
}

fn text(daily: u32, advertiser_daily: u32, campaigns: &[(u8, Creatives)]) -> String {
    let mut text = ADVERTISER.replace("---", &format!("daily_budget: {advertiser_daily}\n---"));
    for (name, creatives) in campaigns {
        let named: Vec<(String, Vec<String>)> = creatives
            .iter()
            .map(|(creative, variants)| (format!("k{creative}"), variants.iter().map(|v| format!("v{v}")).collect()))
            .collect();
        let variants: Vec<Vec<&str>> = named.iter().map(|(_, v)| v.iter().map(String::as_str).collect()).collect();
        let creatives: Vec<(&str, &[&str])> =
            named.iter().zip(&variants).map(|((name, _), variants)| (name.as_str(), variants.as_slice())).collect();
        text += &campaign(&format!("c{name}"), daily, &creatives);
    }
    text
}

/// Every number given out so far, by what it is for.
type Given = BTreeMap<(&'static str, u32, String), u32>;

/// Notes the numbers in the registry: each must be as it was, and no two things of a kind share one.
fn note_numbers(given: &mut Given, registry: &Registry) {
    for (name, published) in &registry.campaigns {
        let campaign = published.campaign.id;
        let mut note = |key: (&'static str, u32, String), number: u32| {
            assert!(number > 0);
            assert_eq!(*given.entry(key.clone()).or_insert(number), number, "{key:?} changed its number");
        };
        note(("campaign", 0, name.clone()), campaign);
        for creative in &published.campaign.creatives {
            note(("creative", campaign, creative.name.clone()), creative.id);
            for variant in &creative.variants {
                note(("variant", creative.id, variant.name.clone()), variant.id);
            }
        }
    }
    let mut owners: BTreeMap<(&str, u32), &(&str, u32, String)> = BTreeMap::new();
    for (key, number) in given.iter() {
        assert_eq!(*owners.entry((key.0, *number)).or_insert(key), key, "number {number} was given out twice");
    }
}

/// The registry read from `stream` with only the last record of each key, as compaction leaves it.
fn compacted(stream: &[Record]) -> Registry {
    let last: BTreeMap<&[u8], u64> = stream.iter().map(|record| (record.key.as_slice(), record.offset.0)).collect();
    let mut registry = Registry::default();
    for record in stream.iter().filter(|record| last[record.key.as_slice()] == record.offset.0) {
        registry.take(record).expect("what was published is understood");
    }
    registry
}

proptest! {
    #[test]
    fn numbers_are_given_once_and_applying_again_changes_nothing(steps in steps()) {
        let (mut registry, mut stream, mut given) = (Registry::default(), Vec::new(), Given::new());
        for step in steps {
            match step {
                Step::Stop(name) => {
                    let record = stop(&registry, &format!("c{name}"));
                    publish(&mut registry, &mut stream, record.into_iter().collect());
                }
                Step::Apply { daily, advertiser_daily, campaigns, broken } => {
                    let mut text = text(daily, advertiser_daily, &campaigns);
                    if broken {
                        text += "segment: s\n";
                        prop_assert!(plan(&registry, &file(text), Micros(0), "test").is_err());
                        continue;
                    }
                    let stopped: Vec<String> = registry.campaigns.iter().filter(|(_, p)| p.stopped).map(|(n, _)| n.clone()).collect();
                    let records = planned(&registry, &text).records;
                    publish(&mut registry, &mut stream, records);
                    let again = planned(&registry, &text);
                    prop_assert!(again.records.is_empty());
                    prop_assert!(again.changes.iter().all(|change| change.change == Changed::Unchanged));
                    let applied = |name: &String| campaigns.iter().any(|(applied, _)| format!("c{applied}") == *name);
                    for name in stopped {
                        prop_assert_eq!(registry.campaigns[&name].stopped, !applied(&name));
                    }
                }
            }
            note_numbers(&mut given, &registry);
            let compacted = compacted(&stream);
            prop_assert_eq!(format!("{:?}", compacted.numbers), format!("{:?}", registry.numbers));
            prop_assert_eq!(format!("{:?}", compacted.campaigns), format!("{:?}", registry.campaigns));
        }
    }

    #[test]
    fn damaged_files_are_refused_or_read_but_never_a_crash(cuts in vec((0..4_usize, any::<u16>(), any::<u8>()), 1..6)) {
        let mut files = sample();
        for (number, at, byte) in cuts {
            let mut bytes = files[number].text.clone().into_bytes();
            let at = usize::from(at) % bytes.len();
            bytes[at] = byte;
            files[number].text = String::from_utf8_lossy(&bytes).into_owned();
        }
        let _ = plan(&Registry::default(), &files, Micros(0), "test");
    }
}

#[test]
fn a_campaign_carries_the_clock_of_its_time_zone() {
    let text = |more: &str| {
        let plain = campaign("boots", 10, &[("board", &["a"])]);
        format!("{ADVERTISER}{}", plain.replace("bids:", &format!("{more}bids:")))
    };
    let published = |more: &str| {
        let plan = planned(&Registry::default(), &text(more));
        let record = proto::record::decode::<wire::CampaignsRecord>(&plan.records[1].1).expect("a record");
        let Some(WireChange::Campaign(campaign)) = record.change else { panic!("a campaign") };
        campaign
    };
    let plain = published("");
    assert_eq!((plain.pacing(), plain.local_time, plain.from), (wire::Pacing::Asap, None, 1_767_225_600_000_000));
    assert_eq!(published("time_zone: UTC\npacing: even\n").pacing(), wire::Pacing::Even);
    let berlin = published("time_zone: Europe/Berlin\npacing: front_loaded\n");
    assert_eq!(berlin.pacing(), wire::Pacing::FrontLoaded);
    assert_eq!(berlin.from, 1_767_222_000_000_000, "a date is a day of the zone");
    let clock = berlin.local_time.expect("a clock");
    let changes: Vec<_> = clock.changes.iter().map(|change| (change.at / 1_000_000, change.offset_s)).collect();
    assert_eq!((clock.time_zone.as_str(), clock.offset_s), ("Europe/Berlin", 3_600));
    assert_eq!(changes, [(1_774_746_000, 7_200), (1_792_890_000, 3_600)]);
}
