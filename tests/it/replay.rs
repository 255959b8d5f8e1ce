//! What analysts rely on: everything that decided a recorded request stands in the streams, so that it can be decided
//! again, and the decisions are those that the exchange was told.

use std::collections::{BTreeMap, BTreeSet};

use decision::decide::{Scratch, decide};
use decision::index::CampaignIndex;
use decision::outcome::{NoBidReason, Silent, Slot};
use event_log::{Offset, Stream, read_directory};
use proto::opportunity::{Replay, decision_made, offer_made};
use proto::record::{StreamRecord, decode};
use proto::wire::campaigns_record::Change;
use proto::wire::{CampaignsRecord, DecisionMade, OpportunityRecord};
use serde_json::Value;

use super::process::{Answer, Vernier, result, until, write};

/// Every request is recorded, none is late however busy the machine is, there is a second currency, and the exchange has a fee.
const CONFIGURATION: &str = "
bid.sampled_one_in = 1
rates.EUR = 1.08
[[exchange]]
name = \"demo\"
user_ids = \"ours\"
fee = \"2.5%\"
tmax_default_ms = 10_000
";

/// Campaigns that come later, for everybody: name, size, price and budget. One outbids the sample and never has the money
/// for it; of two with the same price the seed of the request decides.
const LATER: &[(&str, &str, &str, &str)] = &[
    ("penniless", "300x250", "20", "0.001"),
    ("twin-one", "160x600", "2", "100"),
    ("twin-two", "160x600", "2", "100"),
    (PACED, "970x250", "2", "0.5"),
];

/// It wants more than its budget is for, so its prices are paced as soon as anybody is bid for.
const PACED: &str = "paced";

/// Whom requests are about: visitors and people of the sample, somebody unknown, and nobody.
const PEOPLE: &[&str] = &["visitor", "person", "stranger", ""];

/// What requests are about: the members beside `id` and `user`.
const OFFERS: &[&str] = &[
    r#""imp":[{"id":"1","banner":{"w":300,"h":250},"bidfloor":0.1}]"#,
    r#""imp":[{"id":"1","banner":{"format":[{"w":728,"h":90},{"w":320,"h":50}]},"bidfloor":1.5}]"#,
    r#""imp":[{"id":"a","banner":{"w":300,"h":250}},{"id":"b","banner":{"w":320,"h":50}},{"id":"c","video":{}}]"#,
    r#""imp":[{"id":"1","banner":{"w":300,"h":250},"bidfloor":50}]"#,
    r#""imp":[{"id":"1","banner":{"w":300,"h":250},"bidfloor":0.5,"bidfloorcur":"EUR"}],"cur":["EUR","USD"]"#,
    r#""imp":[{"id":"1","banner":{"w":300,"h":250},"bidfloor":0.5,"bidfloorcur":"XTS"}]"#,
    r#""imp":[{"id":"1","banner":{"w":300,"h":250}}],"cur":["JPY"]"#,
    r#""imp":[{"id":"1","banner":{"w":300,"h":250},"pmp":{"private_auction":1}}]"#,
    r#""imp":[{"id":"1","banner":{"w":320,"h":50},"secure":1}],"device":{"devicetype":4,"geo":{"country":"DEU"}}"#,
    r#""imp":[{"id":"1","banner":{"w":160,"h":600}}]"#,
    r#""imp":[{"id":"1","banner":{"w":970,"h":250}}]"#,
    r#""imp":[{"id":"1","banner":{"w":300,"h":250},"secure":1}],"badv":["northtrail.example"]"#,
    r#""imp":[{"id":"1","banner":{"w":300,"h":250}}],"bcat":["IAB17"]"#,
    r#""imp":[{"id":"1","banner":{"w":300,"h":250}}],"regs":{"gdpr":1}"#,
    r#""imp":[{"id":"1","banner":{"w":728,"h":90}}],"test":1"#,
];

/// What becomes of these requests, among others.
const OUTCOMES: &[&str] = &[
    "audience_unknown",
    "below_floor",
    "bid",
    "blocked_category",
    "blocked_domain",
    "campaign_cap",
    "creative_cap",
    "currency",
    "floor_currency",
    "ghost",
    "held_out",
    "no_banner",
    "no_eligible_campaign",
    "no_lease",
    "private_auction",
    "stopped",
];

/// The file of a campaign.
fn campaign((name, size, price, budget): &(&str, &str, &str, &str)) -> String {
    let pacing = if *name == PACED { "even" } else { "asap" };
    format!(
        "campaign: {name}
advertiser: northtrail
flight: {{from: 2026-01-01, until: 2036-01-01}}
budget: {{daily: {budget}, total: {budget}}}
pacing: {pacing}
bids: {{default: {price}, max: {price}}}
creatives:
  - creative: only
    size: {size}
    variants: [{{variant: only, markup: '<a href=\"${{CLICK_URL}}\">north</a>', landing_url: 'https://northtrail.example/'}}]
"
    )
}

/// Offers everything to some people of each kind. The answers, by the ids of their requests.
fn play(vernier: &Vernier, round: &str) -> BTreeMap<String, Answer> {
    let people = (0..12).flat_map(|number| PEOPLE.iter().map(move |who| (who, number)));
    let requests = people.flat_map(|person| OFFERS.iter().map(move |offer| (person, offer))).enumerate();
    let answers = requests.map(|(at, ((who, number), offer))| {
        let id = format!("{round} {at}");
        let user = if who.is_empty() { String::new() } else { format!(r#","user":{{"id":"{who}-{number}"}}"#) };
        let answer = vernier.post_bid("demo", format!(r#"{{"id":"{id}",{offer}{user}}}"#).as_bytes());
        (id, answer)
    });
    answers.collect()
}

/// Everything in a stream, by offset.
fn records<M: StreamRecord>(vernier: &Vernier) -> Vec<(u64, M)> {
    let stream = Stream::of_name(M::STREAM).expect("a stream");
    let records = read_directory(&vernier.data.path().join("data/events"), stream, Offset(0)).expect("a log");
    let records = records.map(|record| record.expect("a whole record"));
    records.map(|record| (record.offset.0, decode(&record.value).expect("a message"))).collect()
}

/// The campaigns that a request was decided by.
fn index(campaigns: &[(u64, CampaignsRecord)], replay: &Replay) -> CampaignIndex {
    let known = campaigns.iter().take_while(|(offset, _)| *offset <= replay.index_version);
    let published = known.filter_map(|(_, record)| match &record.change {
        Some(Change::Campaign(campaign)) => Some(proto::campaign::campaign(campaign).expect("a campaign")),
        _ => None,
    });
    CampaignIndex::compile(published.collect(), replay.rates.clone(), replay.index_version)
}

/// Decides a recorded request again: the decisions and the ghosts.
fn decided_again(campaigns: &[(u64, CampaignsRecord)], record: &OpportunityRecord) -> [Vec<DecisionMade>; 2] {
    let replay = Replay::try_from(record).expect("a request");
    let index = index(campaigns, &replay);
    let mut answers = replay.reserves.iter();
    let reserve = |slot: Slot, amount| {
        let answer = answers.next().expect("no more is asked of the lease than was");
        assert_eq!((index.campaign(slot).id, amount), (answer.campaign, answer.amount));
        answer.granted
    };
    let stopped = |slot: Slot| replay.stopped.contains(&index.campaign(slot).id);
    let pace = |slot: Slot| replay.paces.get(&index.campaign(slot).id).copied().unwrap_or(1_000_000);
    let mut scratch = Scratch::default();
    let again = replay.with_request(|request| {
        let decided = decide(&index, request, &mut scratch, stopped, pace, reserve, &mut Silent);
        let decisions = decided.decisions.enumerate().map(|(imp, decision)| decision_made(imp, &decision, None));
        let ghosts = decided.ghosts.iter().map(|ghost| offer_made(ghost.imp, &ghost.offer, None));
        [decisions.collect(), ghosts.collect()]
    });
    assert!(answers.next().is_none(), "no less is asked of the lease than was");
    again
}

/// What an exchange was told of a bid: impression, imp, campaign, creative and variant, price in nanos.
type Told = (String, String, String, String, i64);

/// The bids of an answer.
fn told(answer: &Answer) -> BTreeSet<Told> {
    if answer.status == 204 {
        return BTreeSet::new();
    }
    let (response, text) = (answer.json(), |value: &Value| value.as_str().expect("text").to_owned());
    let bids =
        response["seatbid"].as_array().expect("seats").iter().flat_map(|seat| seat["bid"].as_array().expect("bids"));
    let nanos = |bid: &Value| (bid["price"].as_f64().expect("a price") * 1e6).round() as i64;
    bids.map(|bid| (text(&bid["id"]), text(&bid["impid"]), text(&bid["cid"]), text(&bid["crid"]), nanos(bid))).collect()
}

/// The bids of a record.
fn recorded(record: &OpportunityRecord) -> BTreeSet<Told> {
    let bids = record.decisions.iter().filter(|made| made.no_bid_reason == 0).map(|made| {
        let impression = made.impression.iter().map(|byte| format!("{byte:02x}")).collect();
        let imp = record.opportunities[made.imp as usize].imp_id.clone();
        (impression, imp, made.campaign.to_string(), format!("{}-{}", made.creative, made.variant), made.price)
    });
    bids.collect()
}

/// Decides a record again, and holds its decisions against the answer that was sent. Its outcomes, by name.
fn check(campaigns: &[(u64, CampaignsRecord)], record: &OpportunityRecord, answer: &Answer) -> Vec<&'static str> {
    let unnamed = |made: &DecisionMade| DecisionMade { impression: Vec::new(), ..made.clone() };
    let [decisions, ghosts] = decided_again(campaigns, record);
    let id = &record.request_id;
    assert_eq!(decisions, record.decisions.iter().map(unnamed).collect::<Vec<_>>(), "decisions of {id}");
    assert_eq!(ghosts, record.ghosts, "ghosts of {id}");
    assert_eq!(recorded(record), told(answer), "bids of {id}");
    let outcome = |made: &DecisionMade| NoBidReason::of_code(made.no_bid_reason).map_or("bid", NoBidReason::label);
    decisions.iter().map(outcome).chain(ghosts.iter().map(|_| "ghost")).collect()
}

#[test]
fn every_recorded_request_is_decided_again_as_it_was() {
    let mut vernier = Vernier::up_with(CONFIGURATION);
    let probe = write(vernier.data.path(), "r.json", r#"{"id":"1","imp":[{"id":"1","banner":{"w":300,"h":250}}]}"#);
    let explain = || vernier.ask(&["explain", "--request", &probe]);
    let mut answers = play(&vernier, "as the sample is");
    let later: Vec<String> = LATER.iter().map(campaign).collect();
    vernier.ask(&["apply", &write(vernier.data.path(), "later.yaml", &later.join("---\n"))]);
    until(|| result(&explain(), "penniless") == "no_lease", &explain);
    answers.extend(play(&vernier, "with more campaigns"));
    vernier.ask(&["stop", "academy-next-course"]);
    until(|| result(&explain(), "academy-next-course") == "stopped", &explain);
    answers.extend(play(&vernier, "with one stopped"));
    vernier.terminate();

    let (campaigns, records) = (records(&vernier), records::<OpportunityRecord>(&vernier));
    assert_eq!(records.len(), answers.len(), "every request is recorded");
    let mut outcomes: BTreeMap<&str, usize> = BTreeMap::new();
    for (_, record) in &records {
        for outcome in check(&campaigns, record, &answers[&record.request_id]) {
            *outcomes.entry(outcome).or_default() += 1;
        }
    }
    let paced = records.iter().filter(|(_, record)| !record.paces.is_empty()).count();
    assert!(paced > 0, "no price was paced");
    println!("{} requests were decided again: {outcomes:?}", records.len());
    let missed: Vec<_> = OUTCOMES.iter().filter(|outcome| !outcomes.contains_key(*outcome)).collect();
    assert!(missed.is_empty(), "nothing was {missed:?}");
}
