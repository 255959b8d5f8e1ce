//! The small language that the examples are written in.
//!
//! A world, a line each: `campaign ID` with any of `cpm X`, `min X`, `max X`, `margin SHARE`, `price SEGMENT:X[+DATA][:MIN:MAX]`
//! (X an amount or `xFACTOR`, DATA what the data costs), `for EXPR`, `creative ID:WxH[:VARIANT…]` (a variant is `ID`, `ID@SEGMENT+SEGMENT`, with `!` if it loads
//! over http), `cap N/S`, `creative-cap N/S`, `advertiser-cap N/S`, `segment-cap N/S` (seconds), `of ADVERTISER`, `pace SHARE`,
//! `holdout SHARE`, `currency C`, `domain D`, `category C`, `unknown-bids`, `flight FROM..UNTIL` (seconds from now), `money X`,
//! `stopped`; or `rate C X`. An EXPR is `segment:7`,
//! `segment:7@50`, `country:DEU`, `region:DEU-BY`, `exchange:demo`, `device:phone`, `size:300x250`, or `all(…,…)`,
//! `any(…)`, `none(…)` of these.
//!
//! A request, in one line: `person SEGMENT…` (`7`, `7@50` with a confidence, `7<60` ending in 60 s), `keyless`, `unknown`,
//! `saw SCOPE:S` (S seconds ago; `c1` a campaign, `k10` a creative, `a1` an advertiser, `s7` a segment; ghosts of campaign 1: `g1`,
//! `g1k10`, `g1s7`), `country C`, `region R`, `via EXCHANGE`, `on DEVICE`,
//! `in C,C`, `fee SHARE` (what the exchange bills besides), `blocks NAME`, and for each impression `imp SIZE,SIZE` with any of `floor X[C]`, `secure`, `private`.

use std::cmp::Reverse;

use decision::campaign::{
    Advertiser, Budget, Campaign, CapSubject, Creative, Experiment, Flight, FrequencyCap, Pacing, PriceRule,
    SegmentPrice, Strategy, Variant, WhenAudienceUnknown,
};
use decision::decide::{Scratch, decide};
use decision::ids::{
    AdvertiserId, CampaignId, Country, CreativeId, Currency, ExchangeName, Label, PersonKey, SegmentId, VariantId,
};
use decision::index::CampaignIndex;
use decision::money::{Cpm, Nanos, Rate, Rates};
use decision::outcome::{Silent, Slot};
use decision::profile::{CapScope, GhostScope, Impression, Membership};
use decision::targeting::{DeviceType, Fact, Size, Targeting};
use decision::time::{LocalTime, Micros};

use crate::world::{Ask, Bidder, Imp, Made, Notes, Person, World};

/// Checks what comes of a request: an opportunity a line.
pub(crate) fn check(world: &str, request: &str, expected: &str) {
    let (world, ask) = (read_world(world), read_ask(request));
    let outcomes = Bidder::new(&world).decide(&ask);
    let said: Vec<String> = outcomes
        .iter()
        .map(|outcome| {
            let ghosts = outcome.ghosts.iter().map(|ghost| format!("ghost {}, ", say(&world, ghost)));
            let decision = match &outcome.decision {
                Ok(bid) => format!("bid {}", say(&world, bid)),
                Err(reason) => reason.label().to_string(),
            };
            ghosts.collect::<String>() + &decision
        })
        .collect();
    assert_eq!(said.join("\n"), lines(expected).join("\n"), "{request}");
}

/// Checks what each campaign is told: a campaign a line, the facts in its way in brackets.
pub(crate) fn check_why(world: &str, request: &str, expected: &str) {
    let (world, ask) = (read_world(world), read_ask(request));
    let mut notes = Notes::default();
    let outcomes = Bidder::new(&world).decide_watched(&ask, &mut notes);
    let mut said = Vec::new();
    for (imp, outcome) in outcomes.iter().enumerate() {
        for campaign in &world.campaigns {
            let refused = notes.refused.iter().find(|(at, id, _)| (*at, *id) == (imp, campaign.id));
            let missed = notes.missed.iter().filter(|(at, id, ..)| (*at, *id) == (imp, campaign.id));
            let missed: Vec<String> =
                missed.map(|(.., fact, wanted)| format!(" [{}{fact:?}]", if *wanted { "" } else { "not " })).collect();
            let fate = match refused {
                Some((_, _, reason)) => reason.label(),
                None => outcome.decision.as_ref().map(|_| "bid").expect("somebody wins"),
            };
            said.push(format!("{}: {fate}{}", campaign.id, missed.concat()));
        }
    }
    assert_eq!(said.join("\n"), lines(expected).join("\n"), "{request}");
}

/// Checks which campaigns are listed as having competed for the first opportunity: how many, and the first.
pub(crate) fn check_listed(world: &str, request: &str, count: usize, first: u32) {
    let (world, ask) = (read_world(world), read_ask(request));
    let index = CampaignIndex::compile(world.campaigns, Rates::default(), 1);
    let has_money = |slot: Slot, _| world.money[&index.campaign(slot).id] > 0;
    let mut scratch = Scratch::default();
    let listed = ask.with(|request| {
        let decided = decide(&index, request, &mut scratch, |_| false, |_| 1_000_000, has_money, &mut Silent);
        decided.evidence.eligible(0).to_vec()
    });
    assert_eq!((listed.len(), listed[0]), (count, CampaignId(first)));
}

fn say(world: &World, made: &Made) -> String {
    let campaign = world.campaigns.iter().find(|campaign| campaign.id.0 == made.campaign).expect("it is in the world");
    let creative = campaign.creatives.iter().find(|creative| creative.id.0 == made.creative).expect("it has it");
    let mut said = format!("{} at {}", made.campaign, Cpm(Nanos::new(made.price)));
    if made.currency.as_str() != "USD" {
        said += &format!(" {}", made.currency);
    }
    if let Some(segment) = made.segment {
        said += &format!(" for segment {segment}");
    }
    if campaign.creatives.len() > 1 {
        said += &format!(" creative {}", made.creative);
    }
    if creative.variants.len() > 1 {
        said += &format!(" variant {}", made.variant);
    }
    said
}

fn lines(text: &str) -> Vec<&str> {
    text.lines().map(str::trim).filter(|line| !line.is_empty()).collect()
}

fn amount(text: &str) -> Nanos {
    Nanos::parse_cpm(text).unwrap_or_else(|| panic!("no amount: {text}"))
}

fn number<T: std::str::FromStr>(text: &str) -> T {
    text.parse().unwrap_or_else(|_| panic!("no number: {text}"))
}

fn label<const N: usize>(text: &str) -> Label<N> {
    Label::new(text).unwrap_or_else(|| panic!("no label: {text}"))
}

fn size(text: &str) -> Size {
    let (w, h) = text.split_once('x').expect("WxH");
    Size { w: number(w), h: number(h) }
}

/// `NAME:VALUE`, where the value may be left out.
fn pair(text: &str, separator: char) -> (&str, Option<&str>) {
    text.split_once(separator).map_or((text, None), |(name, value)| (name, Some(value)))
}

const NOW: Micros = Micros(1_800_000_000_000_000);

fn read_world(text: &str) -> World {
    let mut world = World::default();
    for line in lines(text) {
        let mut words = line.split_whitespace();
        match words.next() {
            Some("rate") => {
                let currency = label(words.next().expect("a currency"));
                let dollars = Nanos::parse_decimal(words.next().expect("a value")).expect("a value").get();
                world.rates.push((currency, Rate::new(dollars).expect("above zero")));
            }
            Some("campaign") => read_campaign(&mut world, words),
            other => panic!("no line of a world: {other:?}"),
        }
    }
    world
}

fn read_campaign<'t>(world: &mut World, mut words: impl Iterator<Item = &'t str>) {
    let id: u32 = number(words.next().expect("an id"));
    let mut campaign = plain_campaign(id);
    let mut money = Nanos::UNIT;
    while let Some(word) = words.next() {
        match word {
            "unknown-bids" => campaign.when_audience_unknown = WhenAudienceUnknown::Bid,
            "stopped" => world.stopped.push(campaign.id),
            word => {
                let value = words.next().unwrap_or_else(|| panic!("{word} has no value"));
                match word {
                    "money" => money = amount(value),
                    "pace" => {
                        campaign.pacing = Pacing::Even;
                        world.paces.insert(campaign.id, amount(value).get() as u32);
                    }
                    word => set(&mut campaign, word, value),
                }
            }
        }
    }
    if campaign.creatives.is_empty() {
        campaign.creatives.push(creative(&format!("{}:300x250", id * 10)));
    }
    world.money.insert(campaign.id, money.get());
    world.campaigns.push(campaign);
}

fn set(campaign: &mut Campaign, word: &str, value: &str) {
    let strategy = &mut campaign.strategy;
    match word {
        "cpm" => strategy.default_cpm = Some(amount(value)),
        "min" => strategy.min_cpm = amount(value),
        "max" => strategy.max_cpm = amount(value),
        "margin" => strategy.margin_ppm = amount(value).get() as u32,
        "price" => strategy.segments.push(segment_price(value)),
        "for" => campaign.targeting = expression(value),
        "creative" => campaign.creatives.push(creative(value)),
        "cap" => campaign.caps.push(cap(CapSubject::Campaign, value)),
        "creative-cap" => campaign.caps.push(cap(CapSubject::EachCreative, value)),
        "advertiser-cap" => campaign.caps.push(cap(CapSubject::Advertiser, value)),
        "segment-cap" => campaign.caps.push(cap(CapSubject::EachSegment, value)),
        "of" => campaign.advertiser.id = AdvertiserId(number(value)),
        "holdout" => {
            let holdout_ppm = amount(value).get() as u32;
            campaign.experiment = Some(Experiment { name: "test".into(), salt: 1, holdout_ppm });
        }
        "currency" => campaign.advertiser.currency = label(value),
        "domain" => campaign.advertiser.domain = value.into(),
        "category" => campaign.advertiser.categories.push(value.into()),
        "flight" => {
            let (from, until) = value.split_once("..").expect("FROM..UNTIL");
            campaign.flight = Flight { from: NOW.plus_seconds(number(from)), until: NOW.plus_seconds(number(until)) };
        }
        other => panic!("no property of a campaign: {other}"),
    }
}

fn plain_campaign(id: u32) -> Campaign {
    Campaign {
        id: CampaignId(id),
        name: format!("campaign {id}"),
        advertiser: Advertiser {
            id: AdvertiserId(id),
            name: "advertiser".into(),
            currency: label("USD"),
            domain: "shop.example".into(),
            categories: Vec::new(),
        },
        flight: Flight { from: Micros(0), until: Micros(i64::MAX) },
        budget: Budget { daily: Nanos::UNIT, total: Nanos::UNIT },
        pacing: Pacing::Asap,
        local_time: LocalTime::default(),
        targeting: Targeting::EVERYONE,
        when_audience_unknown: WhenAudienceUnknown::NoBid,
        strategy: Strategy {
            default_cpm: None,
            min_cpm: Nanos::ZERO,
            max_cpm: Nanos::of_one_impression(100_000_000),
            margin_ppm: 0,
            segments: Vec::new(),
        },
        caps: Vec::new(),
        creatives: Vec::new(),
        experiment: None,
    }
}

fn segment_price(value: &str) -> SegmentPrice {
    let parts: Vec<&str> = value.split(':').collect();
    let (price, data) = pair(parts[1], '+');
    SegmentPrice {
        segment: SegmentId(number(parts[0])),
        price: match price.strip_prefix('x') {
            Some(factor) => PriceRule::Multiplier(amount(factor).get() as u32),
            None => PriceRule::Fixed(amount(price)),
        },
        data_cpm: data.map_or(Nanos::ZERO, amount),
        min_cpm: parts.get(2).map(|min| amount(min)),
        max_cpm: parts.get(3).map(|max| amount(max)),
    }
}

fn cap(scope: CapSubject, value: &str) -> FrequencyCap {
    let (count, window) = value.split_once('/').expect("N/S");
    FrequencyCap { scope, count: number(count), window_s: number(window) }
}

fn creative(value: &str) -> Creative {
    let mut parts = value.split(':');
    let id = CreativeId(number(parts.next().expect("an id")));
    let size = size(parts.next().expect("a size"));
    let mut variants: Vec<Variant> = parts.map(variant).collect();
    if variants.is_empty() {
        variants.push(variant("1"));
    }
    Creative { id, name: format!("creative {id}"), size, variants }
}

fn variant(value: &str) -> Variant {
    let (value, insecure) = value.strip_suffix('!').map_or((value, false), |value| (value, true));
    let (id, segments) = pair(value, '@');
    let picture = if insecure { "HTTP://cdn.example/x.png" } else { "https://cdn.example/x.png" };
    Variant {
        id: VariantId(number(id)),
        name: format!("variant {id}"),
        segments: segments.into_iter().flat_map(|list| list.split('+')).map(|s| SegmentId(number(s))).collect(),
        markup: format!("<a href=\"${{CLICK_URL}}\"><img src=\"{picture}\"></a>"),
        landing_url: "http://shop.example/".into(),
    }
}

fn expression(text: &str) -> Targeting {
    let (parsed, rest) = parse(text);
    assert_eq!(rest, "", "in {text}");
    parsed
}

fn parse(text: &str) -> (Targeting, &str) {
    for (word, group) in [("all(", Targeting::All as fn(_) -> _), ("any(", Targeting::Any), ("none(", Targeting::None)]
    {
        if let Some(mut rest) = text.strip_prefix(word) {
            let mut parts = Vec::new();
            loop {
                rest = rest.trim_start_matches(',');
                if let Some(rest) = rest.strip_prefix(')') {
                    return (group(parts), rest);
                }
                let (part, after) = parse(rest);
                parts.push(part);
                rest = after;
            }
        }
    }
    let end = text.find([',', ')']).unwrap_or(text.len());
    (Targeting::Is(fact(&text[..end])), &text[end..])
}

fn fact(text: &str) -> Fact {
    let (name, value) = text.split_once(':').unwrap_or_else(|| panic!("no fact: {text}"));
    match name {
        "segment" => {
            let (segment, confidence) = pair(value, '@');
            Fact::Segment { segment: SegmentId(number(segment)), confidence_min: confidence.map_or(0, number) }
        }
        "country" => Fact::Country(label(value)),
        "region" => {
            let (country, region) = value.split_once('-').expect("COUNTRY-REGION");
            Fact::Region(label(country), label(region))
        }
        "exchange" => Fact::Exchange(label(value)),
        "device" => Fact::Device(DeviceType::of_name(value).expect("a device")),
        "size" => Fact::Size(size(value)),
        other => panic!("no kind of fact: {other}"),
    }
}

fn read_ask(text: &str) -> Ask {
    let mut ask = Ask {
        exchange: ExchangeName::new("demo").expect("a name"),
        country: None,
        region: None,
        device: DeviceType::Unknown,
        currencies: vec![label("USD")],
        exchange_fee_ppm: 0,
        blocked_domains: Vec::new(),
        blocked_categories: Vec::new(),
        imps: Vec::new(),
        person: Some(Person { key: PersonKey([1; 16]), ..Person::default() }),
        now: NOW,
        seed: 1,
    };
    let mut words = text.split_whitespace().peekable();
    while let Some(word) = words.next() {
        match word {
            "unknown" => ask.person = None,
            "keyless" => ask.person.as_mut().expect("a person").key = PersonKey::default(),
            "secure" => ask.imps.last_mut().expect("imp first").secure = true,
            "private" => ask.imps.last_mut().expect("imp first").private_auction = true,
            "person" => {
                while let Some(segment) = words.next_if(|word| word.starts_with(|c: char| c.is_ascii_digit())) {
                    ask.person.as_mut().expect("a person").memberships.push(membership(segment));
                }
            }
            word => set_ask(&mut ask, word, words.next().unwrap_or_else(|| panic!("{word} has no value"))),
        }
    }
    if ask.imps.is_empty() {
        set_ask(&mut ask, "imp", "300x250");
    }
    if let Some(person) = &mut ask.person {
        person.memberships.sort_unstable();
        person.impressions.sort_by_key(|i| (i.scope, std::cmp::Reverse(i.at)));
    }
    ask
}

fn set_ask(ask: &mut Ask, word: &str, value: &str) {
    match word {
        "country" => ask.country = Some(Country::new(value).expect("a country")),
        "region" => ask.region = Some(label(value)),
        "via" => ask.exchange = label(value),
        "on" => ask.device = DeviceType::of_name(value).expect("a device"),
        "fee" => ask.exchange_fee_ppm = amount(value).get() as u32,
        "in" => ask.currencies = value.split(',').map(label).collect(),
        "blocks" if value.contains('.') => ask.blocked_domains.push(value.into()),
        "blocks" => ask.blocked_categories.push(value.into()),
        "saw" => {
            let (scope, ago) = value.split_once(':').expect("SCOPE:S");
            let at = NOW.seconds() - number::<u32>(ago);
            let impressions = &mut ask.person.as_mut().expect("a person").impressions;
            impressions.push(Impression { scope: cap_scope(scope), at });
            impressions.sort_by_key(|impression| (impression.scope, Reverse(impression.at)));
        }
        "imp" => ask.imps.push(Imp {
            sizes: value.split(',').filter(|size| *size != "none").map(size).collect(),
            floor: Nanos::ZERO,
            floor_currency: Currency::new("USD"),
            secure: false,
            private_auction: false,
        }),
        "floor" => {
            let letters = value.find(|c: char| c.is_ascii_uppercase() || c == '?').unwrap_or(value.len());
            let imp = ask.imps.last_mut().expect("imp first");
            imp.floor = amount(&value[..letters]);
            imp.floor_currency = match &value[letters..] {
                "" => Currency::new("USD"),
                "?" => None,
                code => Currency::new(code),
            };
        }
        other => panic!("no property of a request: {other}"),
    }
}

fn cap_scope(text: &str) -> CapScope {
    let (kind, rest) = text.split_at(1);
    match kind {
        "c" => CapScope::Campaign(CampaignId(number(rest))),
        "k" => CapScope::Creative(CreativeId(number(rest))),
        "a" => CapScope::Advertiser(AdvertiserId(number(rest))),
        "s" => CapScope::Segment(SegmentId(number(rest))),
        "g" => {
            let (campaign, of) = rest.split_at(rest.find(['k', 's']).unwrap_or(rest.len()));
            let of = match of.split_at_checked(1) {
                Some(("k", creative)) => GhostScope::Creative(CreativeId(number(creative))),
                Some((_, segment)) => GhostScope::Segment(SegmentId(number(segment))),
                None => GhostScope::Campaign,
            };
            CapScope::Ghosts(CampaignId(number(campaign)), of)
        }
        other => panic!("no scope: {other}"),
    }
}

fn membership(text: &str) -> Membership {
    let (text, ends) = pair(text, '<');
    let (segment, confidence) = pair(text, '@');
    Membership {
        segment: SegmentId(number(segment)),
        until: NOW.seconds() + ends.map_or(3_600, number),
        confidence: confidence.map_or(100, number),
    }
}
