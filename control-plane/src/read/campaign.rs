//! A campaign as a document.

use std::collections::BTreeSet;

use decision::campaign::{
    AdvertiserDraft, Campaign, CampaignDraft, CapSubject, Experiment, Pacing, PriceRule, SegmentPrice,
    WhenAudienceUnknown, limits::CPM_MICROS_MAX,
};
use decision::ids::SegmentId;
use decision::money::Nanos;
use jiff::tz::TimeZone;
use proto::wire;
use xxhash_rust::xxh3::xxh3_64;

use super::creative::creatives;
use super::targeting::targeting;
use super::{At, Fields};
use crate::names::Names;

const KEYS: &[&str] = &[
    "campaign",
    "advertiser",
    "objective",
    "kpi",
    "flight",
    "budget",
    "pacing",
    "time_zone",
    "targeting",
    "bids",
    "frequency_caps",
    "when_audience_unknown",
    "creatives",
    "experiment",
];

/// Reads the campaign with this number and name. What is wrong is noted; `None` then.
pub(crate) fn campaign(document: &At<'_>, id: u32, name: &str, names: &mut Names<'_>) -> Option<wire::Campaign> {
    let before = document.problems.len();
    let fields = document.fields(KEYS)?;
    let advertiser = advertiser(&fields, name, names).unwrap_or_else(stand_in_advertiser);
    let zone = fields.get("time_zone").and_then(|at| Some((at.time_zone()?, at)));
    let (from, until) = flight(&fields, zone.as_ref().map_or(&TimeZone::UTC, |(zone, _)| zone));
    let local_time = zone.map(|(zone, at)| at.local_time(&zone, (from, until))).unwrap_or_default();
    let (daily_budget, total_budget) = budget(&fields);
    let pacings = [("even", Pacing::Even), ("front_loaded", Pacing::FrontLoaded), ("asap", Pacing::Asap)];
    let pacing = fields.get("pacing").and_then(|at| at.choice(&pacings)).unwrap_or_default();
    let bids = bids(&fields, names);
    let unknown = [("bid", WhenAudienceUnknown::Bid), ("no_bid", WhenAudienceUnknown::NoBid)];
    let draft = CampaignDraft {
        id,
        name: name.to_owned(),
        advertiser: AdvertiserDraft {
            id: advertiser.id,
            name: advertiser.name.clone(),
            currency: advertiser.currency.clone(),
            domain: advertiser.domain.clone(),
            categories: advertiser.categories.clone(),
        },
        from,
        until,
        daily_budget,
        total_budget,
        pacing,
        local_time,
        targeting: fields.get("targeting").map(|at| targeting(&at, names)),
        when_audience_unknown: fields
            .get("when_audience_unknown")
            .and_then(|at| at.choice(&unknown))
            .unwrap_or_default(),
        default_cpm: bids.default,
        min_cpm: bids.min,
        max_cpm: bids.max,
        margin_ppm: bids.margin_ppm,
        segments: bids.segments,
        caps: fields.list("frequency_caps").iter().map(cap).collect(),
        creatives: creatives(&fields, id, names),
        experiment: fields.get("experiment").and_then(|at| experiment(&at)),
    };
    let prose = |key: &str| fields.get(key).and_then(|at| at.prose()).unwrap_or_default();
    let (objective, kpi) = (prose("objective"), prose("kpi"));
    match Campaign::try_from(draft) {
        Ok(campaign) => {
            Some(wire::Campaign { objective, kpi, advertiser: Some(advertiser), ..wire::Campaign::from(&campaign) })
        }
        Err(problems) => {
            document.note(before, problems.into_iter().map(|problem| (problem.path, problem.message)));
            None
        }
    }
}

/// The advertiser. A campaign keeps the one it began with, since the books of its money are kept there.
fn advertiser(fields: &Fields<'_>, campaign: &str, names: &Names<'_>) -> Option<wire::Advertiser> {
    let at = fields.require("advertiser")?;
    let advertiser = names.advertiser(&at)?;
    let before = names.registry.campaigns.get(campaign).and_then(|published| published.campaign.advertiser.as_ref());
    if let Some(before) = before.filter(|before| before.id != advertiser.id) {
        at.problem(format!("a campaign keeps its advertiser, here `{}`: give the campaign a new name", before.name));
    }
    Some(advertiser)
}

/// An advertiser with which nothing is wrong, where the real one is noted already.
fn stand_in_advertiser() -> wire::Advertiser {
    let text = |text: &str| text.to_owned();
    wire::Advertiser { id: 1, name: text("-"), currency: text("USD"), domain: text("-"), ..wire::Advertiser::default() }
}

fn flight(fields: &Fields<'_>, zone: &TimeZone) -> (i64, i64) {
    let flight = fields.require("flight").and_then(|at| at.fields(&["from", "until"]));
    let moment = |key: &str| flight.as_ref().and_then(|flight| flight.require(key)).and_then(|at| at.moment(zone));
    (moment("from").unwrap_or(i64::MIN), moment("until").unwrap_or(i64::MAX))
}

fn budget(fields: &Fields<'_>) -> (i64, i64) {
    let budget = fields.require("budget").and_then(|at| at.fields(&["daily", "total"]));
    let amount = |key: &str| budget.as_ref().and_then(|budget| budget.require(key)).and_then(|at| at.amount());
    (amount("daily").unwrap_or(1), amount("total").unwrap_or(1))
}

/// CPM prices in micros.
struct Bids {
    default: Option<i64>,
    min: i64,
    max: i64,
    margin_ppm: u32,
    segments: Vec<SegmentPrice>,
}

fn bids(fields: &Fields<'_>, names: &Names<'_>) -> Bids {
    let keys = ["default", "min", "max", "margin", "segments"];
    let Some(fields) = fields.require("bids").and_then(|at| at.fields(&keys)) else {
        return Bids { default: Some(0), min: 0, max: CPM_MICROS_MAX, margin_ppm: 0, segments: Vec::new() };
    };
    let mut priced = BTreeSet::new();
    let segments = fields.list("segments").iter().map(|at| segment_price(at, &mut priced, names)).collect();
    Bids {
        default: fields.get("default").map(|at| at.cpm().unwrap_or_default()),
        min: fields.get("min").and_then(|at| at.cpm()).unwrap_or_default(),
        max: fields.require("max").and_then(|at| at.cpm()).unwrap_or(CPM_MICROS_MAX),
        margin_ppm: fields.get("margin").and_then(|at| at.share_of_price()).unwrap_or_default(),
        segments,
    }
}

fn segment_price(at: &At<'_>, priced: &mut BTreeSet<SegmentId>, names: &Names<'_>) -> SegmentPrice {
    let stand_in = PriceRule::Fixed(Nanos::ZERO);
    let Some(fields) = at.fields(&["segment", "cpm", "multiplier", "min", "max", "data_fee"]) else {
        let (segment, data_cpm) = (SegmentId(0), Nanos::ZERO);
        return SegmentPrice { segment, price: stand_in, min_cpm: None, max_cpm: None, data_cpm };
    };
    let named = fields.require("segment");
    let segment = named.as_ref().and_then(|at| names.segment(at));
    if let (Some(at), Some(segment)) = (named, segment)
        && !priced.insert(segment)
    {
        at.problem("is priced twice: the first price for a person applies, so this one never would");
    }
    let price = match (fields.get("cpm"), fields.get("multiplier")) {
        (Some(cpm), None) => cpm.cpm().map(|cpm| PriceRule::Fixed(Nanos::of_one_impression(cpm))),
        (None, Some(multiplier)) => multiplier.millionths().map(PriceRule::Multiplier),
        (Some(_), Some(multiplier)) => {
            multiplier.problem("stands beside cpm: one of them sets the price");
            None
        }
        (None, None) => {
            fields.missing("cpm", "is missing, or a multiplier");
            None
        }
    };
    let cpm = |key: &str| fields.get(key).and_then(|at| at.cpm()).map(Nanos::of_one_impression);
    SegmentPrice {
        segment: segment.unwrap_or_default(),
        price: price.unwrap_or(stand_in),
        min_cpm: cpm("min"),
        max_cpm: cpm("max"),
        data_cpm: cpm("data_fee").unwrap_or_default(),
    }
}

/// A cap: subject, count, window in seconds.
fn cap(at: &At<'_>) -> (CapSubject, u32, u32) {
    let stand_in = (CapSubject::Campaign, 1, 60);
    let Some(fields) = at.fields(&["per", "count", "window"]) else {
        return stand_in;
    };
    let subjects = [
        ("campaign", CapSubject::Campaign),
        ("creative", CapSubject::EachCreative),
        ("advertiser", CapSubject::Advertiser),
        ("segment", CapSubject::EachSegment),
    ];
    (
        fields.require("per").and_then(|at| at.choice(&subjects)).unwrap_or(stand_in.0),
        fields.require("count").and_then(|at| at.count(u32::MAX)).unwrap_or(stand_in.1),
        fields.require("window").and_then(|at| at.window_s()).unwrap_or(stand_in.2),
    )
}

fn experiment(at: &At<'_>) -> Option<Experiment> {
    let fields = at.fields(&["name", "version", "holdout", "salt"])?;
    let name = fields.require("name").and_then(|at| at.slug(true)).unwrap_or("-");
    let version = fields.get("version").map_or(Some(1), |at| at.count(u32::MAX)).unwrap_or_default();
    let salt = match fields.get("salt") {
        Some(at) => at.salt().unwrap_or_default(),
        None => experiment_salt(name, version),
    };
    let holdout_ppm = fields.require("holdout").and_then(|at| at.millionths()).unwrap_or_default();
    Some(Experiment { name: name.to_owned(), salt, holdout_ppm })
}

/// The salt of an experiment that names none: XXH3 (64 bits, no seed) of its name, a zero byte, and its version as four
/// bytes, least first. It must never change, or people change arms.
fn experiment_salt(name: &str, version: u32) -> u64 {
    xxh3_64(&[name.as_bytes(), &[0], &version.to_le_bytes()].concat())
}

#[cfg(test)]
mod tests {
    use super::experiment_salt;

    #[test]
    fn salts_stay() {
        assert_eq!(experiment_salt("boots-lift", 1), 14_375_689_845_128_221_265);
        assert_ne!(experiment_salt("boots-lift", 1), experiment_salt("boots-lift", 2));
    }
}
