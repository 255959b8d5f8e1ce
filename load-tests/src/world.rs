//! Campaigns, people and requests to load a bidder with: the same for the same numbers.
//!
//! They are like those of practice as far as work goes. A campaign reaches for two segments of 256, names three
//! countries and two kinds of devices, excludes a segment and a region, has a price for either segment and a frequency
//! cap per campaign and per creative. A person is in eight segments. A request is for two impressions and 2 KB long.
//! No campaign names prices that depend on chance, so what is bid depends on who is asked for and what they were shown.

use std::fmt::Write;

use serde_json::{Value, json};

use crate::exchange::request::{Asked, AskedImp};

/// The exchange's name in the bidder's configuration.
pub(crate) const EXCHANGE: &str = "load";
/// Sizes of creatives and impressions.
const SIZES: [(i32, i32); 4] = [(300, 250), (728, 90), (320, 50), (160, 600)];
const SEGMENTS: u64 = 256;
const MEMBERSHIPS: u64 = 8;
const COUNTRIES: [&str; 4] = ["USA", "DEU", "FRA", "GBR"];
/// Names of kinds of devices in campaigns, and their numbers in requests (AdCOM, device types).
const DEVICES: [(&str, u32); 3] = [("phone", 4), ("pc", 2), ("tablet", 5)];
/// A file must not be too long.
const CAMPAIGNS_OF_A_FILE: usize = 250;
/// What a campaign's markup has besides its link: that of a small banner.
const MARKUP_BYTES: usize = 700;

/// Numbers that look random and are the same in every run (SplitMix64).
fn mix(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// One of `all`, by `number`.
fn pick<T: Copy>(all: &[T], number: u64) -> T {
    all[(number % all.len() as u64) as usize]
}

/// The id of a person. All are of the same length, so that one may be put in another's place.
pub(crate) fn person_id(person: u32) -> String {
    format!("load-person-{person:08}")
}

/// The segments of a person.
fn segments(person: u32) -> impl Iterator<Item = u64> {
    let mixed = mix(u64::from(person));
    // An odd step comes back to a segment only after all of them.
    let step = 2 * (mixed >> 32) + 1;
    (0..MEMBERSHIPS).map(move |number| mixed.wrapping_add(number.wrapping_mul(step)) % SEGMENTS)
}

/// So many campaigns and what they refer to, as files for `vernier apply`.
pub(crate) fn campaigns(count: u32) -> Vec<String> {
    let mut text = "advertiser: load\ncurrency: USD\ndomain: load.example\ncategories: [IAB17]\n".to_owned();
    for segment in 0..SEGMENTS {
        let _infallible = write!(
            text,
            "---\nsegment: s{segment}\ndescription: One in thirty-two people.\nowner: load@load.example\nretention_days: 30\n"
        );
    }
    let mut files = vec![text];
    for first in (0..count).step_by(CAMPAIGNS_OF_A_FILE) {
        let mut text = String::new();
        let numbers = (first..count).take(CAMPAIGNS_OF_A_FILE);
        numbers.for_each(|number| campaign(&mut text, number));
        files.push(text);
    }
    files
}

fn campaign(text: &mut String, number: u32) {
    let mixed = mix(0x00ca_0000 + u64::from(number));
    let (width, height) = SIZES[number as usize % SIZES.len()];
    let first = u64::from(number) / SIZES.len() as u64 % SEGMENTS;
    // Far apart, so that no campaign excludes whom it reaches for.
    let (second, excluded) = ((first + 85) % SEGMENTS, (first + 170) % SEGMENTS);
    let countries = COUNTRIES.iter().filter(|country| **country != pick(&COUNTRIES, mixed));
    let countries = countries.map(|country| format!("{{country: {country}}}")).collect::<Vec<_>>().join(", ");
    let devices = DEVICES.iter().filter(|device| device.0 != pick(&DEVICES, mixed >> 8).0);
    let devices = devices.map(|device| format!("{{device: {}}}", device.0)).collect::<Vec<_>>().join(", ");
    let cpm = |bits: u64| format!("{}.{:02}", 1 + bits % 5, bits / 5 % 100);
    let (high, low, markup) = (cpm(mixed >> 16), cpm(mixed >> 32), "x".repeat(MARKUP_BYTES));
    let _infallible = write!(
        text,
        "---
campaign: load-{number}
advertiser: load
flight: {{from: 2026-01-01, until: 2036-01-01}}
budget: {{daily: 10000000, total: 1000000000}}
targeting:
  exchange: {EXCHANGE}
  all:
    - any: [{{segment: s{first}}}, {{segment: s{second}}}]
    - any: [{countries}]
    - any: [{devices}]
  none: [{{segment: s{excluded}}}, {{region: USA/CA}}]
bids:
  min: 0.10
  max: 5000
  segments:
    - {{segment: s{first}, cpm: {high}}}
    - {{segment: s{second}, cpm: {low}}}
frequency_caps:
  - {{per: campaign, count: 8, window: 1h}}
  - {{per: creative, count: 4, window: 10m}}
creatives:
  - creative: only
    size: {width}x{height}
    variants:
      - {{variant: only, landing_url: 'https://load.example/', markup: '<a href=\"${{CLICK_URL}}\" title=\"{markup}\">load-{number}</a>'}}
"
    );
}

/// The memberships of so many people, as one file for `vernier segments import`.
pub(crate) fn people(count: u32) -> String {
    let mut text = String::new();
    for person in 0..count {
        let id = person_id(person);
        for segment in segments(person) {
            let _infallible = writeln!(
                text,
                r#"{{"user":"{id}","segment":"s{segment}","until":"2036-01-01T00:00:00Z","confidence":0.9}}"#
            );
        }
    }
    text
}

/// Request `number` for a person, who may be anybody: 2 KB of OpenRTB 2.5 with two impressions.
pub(crate) fn request(number: u32, person: u32) -> Asked {
    let mixed = mix(0x00a5_0000 + u64::from(number));
    let id = format!("{mixed:016x}");
    let imp = |at: u64| AskedImp {
        id: (at + 1).to_string(),
        sizes: vec![pick(&SIZES, mixed.wrapping_add(at)), pick(&SIZES, mixed.wrapping_add(2 + at))],
        floor_cpm: 100_000 + ((mixed >> 8) % 90) as i64 * 10_000,
    };
    let imps = vec![imp(0), imp(1)];
    let second_price = mixed.is_multiple_of(3);
    let tmax_ms = 80;
    let value = json!({
        "id": id,
        "imp": imps.iter().map(offered).collect::<Vec<_>>(),
        "site": site(mixed),
        "device": device(mixed),
        "user": user(person),
        "at": if second_price { 2 } else { 1 },
        "tmax": tmax_ms,
        "cur": ["USD"],
        "bcat": ["IAB25", "IAB26", "IAB7-39"],
        "badv": ["blocked.example", "rival.example", "other.example"],
        "source": {"fd": 1, "tid": "6b2b0d0a-7b6e-4a7e-9f0a-2f4a51c5b6d1", "ext": {"schain": {"ver": "1.0", "complete": 1,
            "nodes": [{"asi": "exchange.example", "sid": "4471", "hp": 1}]}}},
    });
    let body = serde_json::to_vec(&value).expect("texts and numbers");
    Asked { id, body: body.into(), gzip: false, imps, second_price, tmax_ms, person: Some(person) }
}

fn offered(imp: &AskedImp) -> Value {
    let format: Vec<Value> = imp.sizes.iter().map(|(w, h)| json!({"w": w, "h": h})).collect();
    let (w, h) = imp.sizes[0];
    json!({
        "id": imp.id, "tagid": format!("/21775744923/news/article/slot-{}", imp.id),
        "banner": {"w": w, "h": h, "pos": 1, "battr": [1, 2, 5, 8, 9, 14], "api": [5, 6], "format": format},
        "bidfloor": imp.floor_cpm as f64 / 1e6, "bidfloorcur": "USD", "secure": 1, "instl": 0,
        "displaymanager": "prebid.js", "displaymanagerver": "9.12.0",
        "ext": {"gpid": format!("/21775744923/news/article/slot-{}#top", imp.id)},
    })
}

fn site(mixed: u64) -> Value {
    json!({
        "id": "site-88213", "domain": "news.example", "cat": ["IAB12", "IAB12-2"], "mobile": 1,
        "page": format!("https://news.example/2026/11/{}/world/a-long-headline-with-many-words-in-it", mixed % 10_000),
        "ref": "https://search.example/",
        "publisher": {"id": "publisher-4471", "name": "News Example", "domain": "news.example"},
        "content": {"language": "en", "keywords": "world,economy,travel,weather,europe,elections,markets,energy,climate",
            "title": "A long headline with many words in it, as they stand above articles", "cat": ["IAB12", "IAB3"]},
        "keywords": "news,world,politics,business,science",
    })
}

fn device(mixed: u64) -> Value {
    json!({
        "ua": "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Mobile Safari/537.36",
        "ip": format!("203.0.113.{}", mixed % 255), "language": "en", "os": "Android", "osv": "14", "make": "Google",
        "model": "Pixel 8", "devicetype": pick(&DEVICES, mixed >> 24).1, "connectiontype": 2, "js": 1, "lmt": 0,
        "w": 412, "h": 915, "pxratio": 2.625,
        "geo": {"country": pick(&COUNTRIES, mixed >> 32), "region": "NY", "city": "New York", "type": 2},
    })
}

fn user(person: u32) -> Value {
    json!({"id": person_id(person), "ext": {"consented_providers": [], "sessionduration": 31}})
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn requests_are_two_kilobytes_of_openrtb() {
        for number in 0..500 {
            let asked = request(number, number);
            assert!((2_000..2_200).contains(&asked.body.len()), "{} bytes", asked.body.len());
            let parsed: Value = serde_json::from_slice(&asked.body).expect("JSON");
            assert_eq!((parsed["imp"].as_array().map(Vec::len), asked.imps.len()), (Some(2), 2));
        }
    }

    #[test]
    fn a_person_is_in_eight_segments_and_the_lines_say_so() {
        for person in 0..1_000 {
            assert_eq!(segments(person).collect::<BTreeSet<_>>().len(), 8);
        }
        let lines: Vec<Value> = people(10).lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        assert_eq!(lines.len(), 80);
        assert!(lines.iter().all(|line| line["user"].as_str().is_some_and(|id| id.len() == person_id(0).len())));
    }

    #[test]
    fn every_campaign_is_there_and_excludes_nobody_it_reaches_for() {
        let text = campaigns(600).concat();
        assert_eq!(text.matches("\ncampaign: ").count(), 600);
        for campaign in text.split("---\n").filter(|part| part.starts_with("campaign")) {
            let reached: Vec<_> = campaign.lines().filter(|line| line.contains("any: [{segment")).collect();
            let excluded = campaign.lines().find(|line| line.contains("none: ")).expect("a line");
            let excluded = excluded.split(['{', '}']).nth(1).expect("a segment");
            assert!(reached.iter().all(|line| !line.contains(&format!("{{{excluded}}}"))), "{campaign}");
        }
    }
}
