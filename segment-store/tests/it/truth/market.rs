//! Who asks, what is sold, and what becomes of it.

use std::collections::BTreeMap;

use decision::campaign::{
    Advertiser, Budget, Campaign, CapSubject, Creative, Experiment, Flight, FrequencyCap, Pacing, PriceRule,
    SegmentPrice, Strategy, Variant, WhenAudienceUnknown,
};
use decision::ids::{Currency, VariantId};
use decision::index::CampaignIndex;
use decision::money::{Nanos, Rates};
use decision::targeting::{Size, Targeting};
use decision::time::LocalTime;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{Rng, RngExt};

use super::*;

/// The windows of an exchange as they are deployed.
pub(super) const AUCTION_S: i64 = 60;
pub(super) const BILLING_S: i64 = 300;
/// How long notices are taken.
pub(super) const TOKEN_S: u32 = 3_600;
pub(super) const SIZE: Size = Size { w: 300, h: 250 };

pub(super) fn usd() -> Currency {
    Currency::new("USD").unwrap()
}

pub(super) struct Human {
    pub(super) key: PersonKey,
    /// The first is in every request.
    pub(super) ids: Vec<IdHash>,
    pub(super) memberships: Vec<Membership>,
}

pub(super) struct Request {
    pub(super) person: usize,
    pub(super) node: usize,
    pub(super) ids: Vec<IdHash>,
    pub(super) seed: u64,
    /// For each impression what becomes of a bid on it, whoever bids.
    pub(super) luck: Vec<Luck>,
}

/// What becomes of a bid.
pub(super) struct Luck {
    /// After how many seconds it is shown; `None`: never.
    pub(super) shown_s: Option<u32>,
    pub(super) notices: Vec<Notice>,
}

#[derive(Clone, Copy)]
pub(super) enum Kind {
    Win,
    Billing,
    Loss,
}

#[derive(Clone, Copy)]
pub(super) struct Notice {
    pub(super) kind: Kind,
    pub(super) delay_s: u32,
}

pub(super) fn people(dice: &mut StdRng, count: usize) -> Vec<Human> {
    let human = |number: u64| {
        let key = PersonKey((u128::from(number + 1) * 0x9e37_79b9_7f4a_7c15).to_le_bytes());
        let ids = (0..dice.random_range(1..=4)).map(|at| id(number * 10 + at)).collect();
        let segments = [7, 8].into_iter().filter(|segment| dice.random_ratio(15 - segment, 10));
        let memberships = segments.map(|segment| membership(segment, 9_000_000)).collect();
        Human { key, ids, memberships }
    };
    (0..count as u64).map(human).collect()
}

/// The requests of `seconds` seconds, by second. Somebody's are at least a second apart, and often no more.
pub(super) fn requests(dice: &mut StdRng, people: &[Human], nodes: usize, seconds: u32) -> BTreeMap<u32, Vec<Request>> {
    let mut requests = BTreeMap::<u32, Vec<Request>>::new();
    for (person, human) in people.iter().enumerate() {
        let mut second = dice.random_range(0..20);
        while second < seconds {
            let mut ids: Vec<_> = human.ids[1..].iter().copied().filter(|_| dice.random_ratio(2, 3)).collect();
            ids.push(human.ids[0]);
            ids.shuffle(dice);
            let luck = (0..if dice.random_ratio(1, 10) { 2 } else { 1 }).map(|_| luck(dice)).collect();
            let (node, seed) = (dice.random_range(0..nodes), dice.next_u64());
            requests.entry(second).or_default().push(Request { person, node, ids, seed, luck });
            second += if dice.random_ratio(1, 3) { 1 } else { dice.random_range(2..30) };
        }
    }
    requests
}

/// Seven bids in ten are won and nearly all of those shown. Of the notices some are lost, some come twice, some very late; of
/// those of billing, which exchanges send again until they are taken, one in 5,000 never comes.
fn luck(dice: &mut StdRng) -> Luck {
    let mut notices = Vec::new();
    let mut shown_s = None;
    let mut notice = |dice: &mut StdRng, kind, sent_s: u32, lost_in: u32| {
        if dice.random_ratio(1, lost_in) {
            return;
        }
        let late_s = if dice.random_ratio(1, 50) { 120 } else { 3 };
        notices.push(Notice { kind, delay_s: sent_s + dice.random_range(0..late_s) });
        if dice.random_ratio(1, 10) {
            notices.push(Notice { kind, delay_s: sent_s + dice.random_range(5..600) });
        }
    };
    if dice.random_ratio(7, 10) {
        notice(dice, Kind::Win, 0, 50);
        if dice.random_ratio(97, 100) {
            let at = dice.random_range(1..10);
            shown_s = Some(at);
            notice(dice, Kind::Billing, at, 5_000);
        }
    } else {
        notice(dice, Kind::Loss, 0, 50);
    }
    Luck { shown_s, notices }
}

/// Campaigns with caps of each kind, which count one another's impressions. The dearest has a control group.
pub(super) fn index() -> CampaignIndex {
    use CapSubject::{Advertiser, Campaign, EachCreative, EachSegment};
    let experiment = Experiment { name: "lift".into(), salt: 5, holdout_ppm: 500_000 };
    let campaigns = vec![
        campaign((1, 9), Some(5), &[], 1, &[(Campaign, 3, 1_800), (Advertiser, 6, 3_600)]),
        campaign((2, 9), Some(4), &[], 2, &[(EachCreative, 1, 600)]),
        campaign((3, 8), None, &[(7, 4)], 1, &[(EachSegment, 2, 900)]),
        campaign((4, 8), None, &[(7, 3), (8, 3)], 1, &[(Campaign, 4, 1_800)]),
        campaign((5, 7), Some(2), &[], 1, &[(Campaign, 5, 3_600), (Campaign, 1, 300)]),
        decision::campaign::Campaign {
            experiment: Some(experiment),
            ..campaign(
                (6, 9),
                Some(6),
                &[(8, 7)],
                1,
                &[(EachSegment, 3, 3_600), (Campaign, 2, 900), (Advertiser, 9, 3_600)],
            )
        },
    ];
    CampaignIndex::compile(campaigns, Rates::new([]), 1)
}

fn campaign(
    (id, advertiser): (u32, u32),
    default: Option<i64>,
    prices: &[(u32, i64)],
    creatives: u32,
    caps: &[(CapSubject, u8, u32)],
) -> Campaign {
    let cpm = |units: i64| Nanos::of_one_impression(units * 1_000_000);
    let variant = Variant {
        id: VariantId(1),
        name: "plain".into(),
        segments: Vec::new(),
        markup: "<a href='${CLICK_URL}'>".into(),
        landing_url: "https://shop.example/".into(),
    };
    let price = |&(segment, units): &(u32, i64)| SegmentPrice {
        segment: SegmentId(segment),
        price: PriceRule::Fixed(cpm(units)),
        min_cpm: None,
        max_cpm: None,
        data_cpm: Nanos::ZERO,
    };
    Campaign {
        id: CampaignId(id),
        name: format!("campaign {id}"),
        advertiser: Advertiser {
            id: AdvertiserId(advertiser),
            name: "advertiser".into(),
            currency: usd(),
            domain: "shop.example".into(),
            categories: Vec::new(),
        },
        flight: Flight { from: Micros(0), until: Micros(i64::MAX) },
        budget: Budget { daily: Nanos::UNIT, total: Nanos::UNIT },
        targeting: Targeting::EVERYONE,
        when_audience_unknown: WhenAudienceUnknown::NoBid,
        strategy: Strategy {
            default_cpm: default.map(cpm),
            min_cpm: Nanos::ZERO,
            max_cpm: cpm(100),
            margin_ppm: 0,
            segments: prices.iter().map(price).collect(),
        },
        caps: caps.iter().map(|&(scope, count, window_s)| FrequencyCap { scope, count, window_s }).collect(),
        creatives: (0..creatives)
            .map(|at| Creative {
                id: CreativeId(id * 10 + at),
                name: format!("creative {at}"),
                size: SIZE,
                variants: vec![variant.clone()],
            })
            .collect(),
        experiment: None,
        pacing: Pacing::Asap,
        local_time: LocalTime::default(),
    }
}
