//! The rules of a decision once more, as plainly as they can be said: every campaign is asked every question, with
//! arithmetic of its own. It shares the nouns with the code under test and nothing else.

use std::collections::{BTreeMap, BTreeSet};

use decision::campaign::{
    Campaign, CapSubject, Creative, FrequencyCap, Pacing, PriceRule, SegmentPrice, Variant, WhenAudienceUnknown,
};
use decision::ids::{CampaignId, Currency, PersonKey, SegmentId};
use decision::outcome::{Arm, NoBidReason};
use decision::profile::{CapScope, GhostScope};
use decision::targeting::{Fact, Targeting};
use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::world::{Ask, Made, Outcome, World};

/// What comes of every opportunity, and by opportunity why each campaign that does not win does not.
pub(crate) fn decide(world: &World, ask: &Ask) -> (Vec<Outcome>, Vec<BTreeMap<CampaignId, NoBidReason>>) {
    let mut table = Table { world, ask, money: world.money.clone(), bids: Vec::new(), ghosts: Vec::new() };
    (0..ask.imps.len()).map(|imp| table.decide(imp)).unzip()
}

/// What changes from one opportunity of a request to the next: money and the bids already made.
struct Table<'a> {
    world: &'a World,
    ask: &'a Ask,
    money: BTreeMap<CampaignId, i64>,
    bids: Vec<Shown>,
    ghosts: Vec<Shown>,
}

/// What would be shown by a bid or ghost bid.
#[derive(Clone, Copy)]
struct Shown {
    advertiser: u32,
    campaign: u32,
    creative: u32,
    segment: Option<u32>,
}

/// What a campaign pays.
struct Price {
    /// In the currency of the bid.
    bid: i128,
    rate: i128,
    /// In the currency of the campaign.
    campaign: i64,
    /// Exchange, data, margin.
    fees: (u32, i64, u32),
    segment: Option<SegmentId>,
}

impl Shown {
    fn of(campaign: &Campaign, creative: &Creative, price: &Price) -> Self {
        Self {
            advertiser: campaign.advertiser.id.0,
            campaign: campaign.id.0,
            creative: creative.id.0,
            segment: price.segment.map(|segment| segment.0),
        }
    }
}

const BILLION: i128 = 1_000_000_000;

impl Table<'_> {
    /// What a unit of a currency is worth in billionths of a US dollar.
    fn dollars(&self, currency: Currency) -> Option<i128> {
        if currency.as_str() == "USD" {
            return Some(BILLION);
        }
        self.world.rates.iter().rev().find(|(known, _)| *known == currency).map(|(_, rate)| i128::from(rate.get()))
    }

    fn decide(&mut self, imp: usize) -> (Outcome, BTreeMap<CampaignId, NoBidReason>) {
        let offer = &self.ask.imps[imp];
        let currency = self.ask.currencies.iter().copied().find(|currency| self.dollars(*currency).is_some());
        let impossible = if offer.sizes.is_empty() {
            Some(NoBidReason::NoBanner)
        } else if offer.private_auction {
            Some(NoBidReason::PrivateAuction)
        } else if currency.is_none() {
            Some(NoBidReason::Currency)
        } else if offer.floor_currency.and_then(|currency| self.dollars(currency)).is_none() {
            Some(NoBidReason::FloorCurrency)
        } else {
            None
        };
        if let Some(reason) = impossible {
            let reasons = self.world.campaigns.iter().map(|campaign| (campaign.id, reason)).collect();
            return (Outcome { decision: Err(reason), ghosts: Vec::new(), eligible: BTreeSet::new() }, reasons);
        }
        self.choose(imp, currency.expect("checked above"))
    }

    fn choose(&mut self, imp: usize, currency: Currency) -> (Outcome, BTreeMap<CampaignId, NoBidReason>) {
        let mut reasons = BTreeMap::new();
        let mut closest = NoBidReason::NoEligibleCampaign;
        let mut competitors = Vec::new();
        for campaign in &self.world.campaigns {
            let fits = campaign.creatives.iter().any(|creative| self.ask.imps[imp].sizes.contains(&creative.size));
            let reason = match self.compete(campaign, imp, currency) {
                Ok(price) if fits => {
                    competitors.push((campaign, price));
                    continue;
                }
                Ok(_) => NoBidReason::NoCreativeOfSize,
                Err(reason) => reason,
            };
            reasons.insert(campaign.id, reason);
            if fits && self.might_be_met(campaign, imp) {
                closest = closest.max(reason);
            }
        }
        competitors.sort_by_key(|(campaign, price)| (-price.bid, self.lot(self.ask.seed, campaign.id.0), campaign.id));
        let eligible = competitors.iter().map(|(campaign, _)| campaign.id).collect();
        let mut ghosts = Vec::new();
        let mut bid = None;
        let mut first = None;
        for (campaign, price) in competitors {
            let money = self.money.get(&campaign.id).copied().unwrap_or_default();
            let reason = match self.creative(campaign, imp) {
                _ if bid.is_some() => NoBidReason::Outbid,
                Err(reason) => reason,
                Ok(shown) if self.arm(campaign) == Arm::HeldOut => {
                    ghosts.push(self.made(campaign, &price, shown, currency));
                    self.ghosts.push(Shown::of(campaign, shown.0, &price));
                    NoBidReason::HeldOut
                }
                Ok(_) if money < price.campaign => NoBidReason::NoLease,
                Ok(shown) => {
                    bid = Some(self.made(campaign, &price, shown, currency));
                    self.money.insert(campaign.id, money - price.campaign);
                    self.bids.push(Shown::of(campaign, shown.0, &price));
                    continue;
                }
            };
            reasons.insert(campaign.id, reason);
            first = first.or(Some(reason));
        }
        (Outcome { decision: bid.ok_or(first.unwrap_or(closest)), ghosts, eligible }, reasons)
    }

    fn made(&self, campaign: &Campaign, price: &Price, shown: (&Creative, &Variant), currency: Currency) -> Made {
        let caps = campaign.caps.iter().filter(|cap| cap.scope != CapSubject::EachSegment || price.segment.is_some());
        let caps = caps.map(|cap| (self.count(campaign, cap, shown.0.id.0, price.segment), u32::from(cap.count)));
        Made {
            campaign: campaign.id.0,
            creative: shown.0.id.0,
            variant: shown.1.id.0,
            size: shown.0.size,
            price: price.bid as i64,
            currency,
            rate: price.rate as i64,
            campaign_price: price.campaign,
            fees: price.fees,
            segment: price.segment.map(|segment| segment.0),
            arm: self.arm(campaign),
            caps: caps.collect(),
        }
    }

    fn compete(&self, campaign: &Campaign, imp: usize, currency: Currency) -> Result<Price, NoBidReason> {
        let (Some(from), Some(to)) = (self.dollars(campaign.advertiser.currency), self.dollars(currency)) else {
            return Err(NoBidReason::Currency);
        };
        if self.world.stopped.contains(&campaign.id) {
            return Err(NoBidReason::Stopped);
        }
        if self.ask.now < campaign.flight.from || self.ask.now >= campaign.flight.until {
            return Err(NoBidReason::NotInFlight);
        }
        if !self.might_be_met(campaign, imp) {
            return Err(NoBidReason::Targeting);
        }
        if self.ask.person.is_none() {
            let contextual = self.holds(&campaign.targeting, imp, &|_, _| false);
            let needs = !contextual || !campaign.caps.is_empty();
            let bids_anyway = campaign.when_audience_unknown == WhenAudienceUnknown::Bid;
            if excludes(&campaign.targeting, false) || (needs && !bids_anyway) {
                return Err(NoBidReason::AudienceUnknown);
            }
        }
        self.blocked(campaign)?;
        if self.reached(campaign, CapSubject::Advertiser, 0, None) {
            return Err(NoBidReason::AdvertiserCap);
        }
        if self.reached(campaign, CapSubject::Campaign, 0, None) {
            return Err(NoBidReason::CampaignCap);
        }
        let (full_price, least, rule) = self.price(campaign).ok_or(NoBidReason::NoPrice)?;
        let segment = rule.map(|rule| rule.segment);
        if segment.is_some() && self.reached(campaign, CapSubject::EachSegment, 0, segment) {
            return Err(NoBidReason::SegmentCap);
        }
        let pace = if campaign.pacing == Pacing::Asap { None } else { self.world.paces.get(&campaign.id) };
        let paced = i128::from(full_price) * i128::from(pace.copied().unwrap_or(1_000_000)) / 1_000_000;
        let campaign_price = if pace.is_some() { (paced as i64).max(least) } else { full_price };
        let rate = from * BILLION / to;
        let data = rule.map_or(0, |rule| rule.data_cpm.get());
        let fees = (self.ask.exchange_fee_ppm, data, campaign.strategy.margin_ppm);
        let bid = net(campaign_price, fees) * rate / BILLION;
        // In dollars, so that nothing is rounded.
        let floor = &self.ask.imps[imp];
        let floor_worth = floor.floor_currency.and_then(|currency| self.dollars(currency)).expect("checked before");
        if bid <= 0 || bid * to < i128::from(floor.floor.get()) * floor_worth {
            return Err(NoBidReason::BelowFloor);
        }
        // Offered at its least in paced/least of the cases: lot / 2^64 < paced / least.
        let lot = i128::from(self.lot(!self.ask.seed, campaign.id.0));
        if pace.is_some() && lot * i128::from(campaign_price) >= paced << 64 && paced < i128::from(campaign_price) {
            return Err(NoBidReason::Paced);
        }
        Ok(Price { bid, rate, campaign: campaign_price, fees, segment })
    }

    fn is_in(&self, segment: SegmentId, confidence_min: u8) -> bool {
        let now = self.ask.now.0.div_euclid(1_000_000);
        self.ask.person.as_ref().is_some_and(|person| {
            let mut memberships = person.memberships.iter();
            memberships.any(|m| m.segment == segment && i64::from(m.until.0) > now && m.confidence >= confidence_min)
        })
    }

    /// Whether targeting is true, or for an unknown person would be if memberships were as the campaign wants them.
    fn might_be_met(&self, campaign: &Campaign, imp: usize) -> bool {
        match self.ask.person {
            Some(_) => {
                self.holds(&campaign.targeting, imp, &|segment, confidence_min| self.is_in(segment, confidence_min))
            }
            None => self.hoped(&campaign.targeting, imp, true),
        }
    }

    fn holds(&self, targeting: &Targeting, imp: usize, is_in: &dyn Fn(SegmentId, u8) -> bool) -> bool {
        match targeting {
            Targeting::All(parts) => parts.iter().all(|part| self.holds(part, imp, is_in)),
            Targeting::Any(parts) => parts.iter().any(|part| self.holds(part, imp, is_in)),
            Targeting::None(parts) => !parts.iter().any(|part| self.holds(part, imp, is_in)),
            Targeting::Is(fact) => self.fact(fact, imp, is_in),
        }
    }

    /// As [`Self::holds`], with each segment there where that helps and absent where that helps.
    fn hoped(&self, targeting: &Targeting, imp: usize, helps: bool) -> bool {
        match targeting {
            Targeting::All(parts) => parts.iter().all(|part| self.hoped(part, imp, helps)),
            Targeting::Any(parts) => parts.iter().any(|part| self.hoped(part, imp, helps)),
            Targeting::None(parts) => !parts.iter().any(|part| self.hoped(part, imp, !helps)),
            Targeting::Is(fact) => self.fact(fact, imp, &|_, _| helps),
        }
    }

    fn fact(&self, fact: &Fact, imp: usize, is_in: &dyn Fn(SegmentId, u8) -> bool) -> bool {
        let ask = self.ask;
        match *fact {
            Fact::Segment { segment, confidence_min } => is_in(segment, confidence_min),
            Fact::Exchange(exchange) => exchange == ask.exchange,
            Fact::Country(country) => Some(country) == ask.country,
            Fact::Region(country, region) => Some(country) == ask.country && Some(region) == ask.region,
            Fact::Device(device) => device == ask.device,
            Fact::Size(size) => ask.imps[imp].sizes.iter().any(|there| there.w == size.w && there.h == size.h),
        }
    }

    fn blocked(&self, campaign: &Campaign) -> Result<(), NoBidReason> {
        let domain = campaign.advertiser.domain.to_lowercase();
        for blocked in self.ask.blocked_domains.iter().map(|name| name.to_lowercase()) {
            if domain == blocked || domain.ends_with(&format!(".{blocked}")) {
                return Err(NoBidReason::BlockedDomain);
            }
        }
        for category in campaign.advertiser.categories.iter().map(|name| name.to_lowercase()) {
            for blocked in self.ask.blocked_categories.iter().map(|name| name.to_lowercase()) {
                if category == blocked || category.starts_with(&format!("{blocked}-")) {
                    return Err(NoBidReason::BlockedCategory);
                }
            }
        }
        Ok(())
    }

    fn creative<'c>(&self, campaign: &'c Campaign, imp: usize) -> Result<(&'c Creative, &'c Variant), NoBidReason> {
        let offer = &self.ask.imps[imp];
        let mut rotated: Vec<&Creative> = campaign.creatives.iter().collect();
        let count = rotated.len();
        rotated.rotate_left((self.lot(self.ask.seed, campaign.id.0) % count as u64) as usize);
        rotated.rotate_left(imp % count);
        rotated.retain(|creative| offer.sizes.contains(&creative.size));
        if rotated.is_empty() {
            return Err(NoBidReason::NoCreativeOfSize);
        }
        let usable = |creative: &'c Creative| -> Vec<&'c Variant> {
            let insecure = |variant: &Variant| variant.markup.to_lowercase().contains("http://");
            creative.variants.iter().filter(|variant| !offer.secure || !insecure(variant)).collect()
        };
        rotated.retain(|creative| !usable(creative).is_empty());
        if rotated.is_empty() {
            return Err(NoBidReason::NotSecure);
        }
        let for_person = |creative: &'c Creative| -> Option<&'c Variant> {
            let variants = usable(creative);
            let own = variants.iter().find(|variant| variant.segments.iter().any(|segment| self.is_in(*segment, 0)));
            own.or(variants.iter().find(|variant| variant.segments.is_empty())).copied()
        };
        rotated.retain(|creative| for_person(creative).is_some());
        if rotated.is_empty() {
            return Err(NoBidReason::NoVariant);
        }
        rotated.retain(|creative| !self.reached(campaign, CapSubject::EachCreative, creative.id.0, None));
        let creative = rotated.first().ok_or(NoBidReason::CreativeCap)?;
        Ok((creative, for_person(creative).expect("the others were dropped")))
    }

    fn reached(&self, campaign: &Campaign, subject: CapSubject, creative: u32, segment: Option<SegmentId>) -> bool {
        let mut caps = campaign.caps.iter().filter(|cap| cap.scope == subject);
        caps.any(|cap| self.count(campaign, cap, creative, segment) >= u32::from(cap.count))
    }

    /// Impressions in the window, bids of this request included; of somebody held out, ghost bids of the campaign too.
    fn count(&self, campaign: &Campaign, cap: &FrequencyCap, creative: u32, segment: Option<SegmentId>) -> u32 {
        let held_out = self.arm(campaign) == Arm::HeldOut;
        let segment = segment.map(|segment| segment.0);
        let (id, advertiser) = (campaign.id.0, campaign.advertiser.id.0);
        let seen = self.history(cap.window_s).filter(|scope| match (cap.scope, *scope) {
            (CapSubject::Campaign, CapScope::Campaign(seen)) => seen.0 == id,
            (CapSubject::EachCreative, CapScope::Creative(seen)) => seen.0 == creative,
            (CapSubject::Advertiser, CapScope::Advertiser(seen)) => seen.0 == advertiser,
            (CapSubject::EachSegment, CapScope::Segment(seen)) => Some(seen.0) == segment,
            (CapSubject::Campaign | CapSubject::Advertiser, CapScope::Ghosts(seen, GhostScope::Campaign)) => {
                held_out && seen.0 == id
            }
            (CapSubject::EachCreative, CapScope::Ghosts(seen, GhostScope::Creative(ghost))) => {
                held_out && seen.0 == id && ghost.0 == creative
            }
            (CapSubject::EachSegment, CapScope::Ghosts(seen, GhostScope::Segment(ghost))) => {
                held_out && seen.0 == id && Some(ghost.0) == segment
            }
            _ => false,
        });
        let bids = self.bids.iter().filter(|bid| match cap.scope {
            CapSubject::Campaign => bid.campaign == id,
            CapSubject::EachCreative => bid.creative == creative,
            CapSubject::Advertiser => bid.advertiser == advertiser,
            CapSubject::EachSegment => bid.segment == segment,
        });
        let ghosts = self.ghosts.iter().filter(|ghost| {
            let counts = match cap.scope {
                CapSubject::Campaign | CapSubject::Advertiser => true,
                CapSubject::EachCreative => ghost.creative == creative,
                CapSubject::EachSegment => ghost.segment == segment,
            };
            held_out && ghost.campaign == id && counts
        });
        (seen.count() + bids.count() + ghosts.count()) as u32
    }

    /// What counts that the person saw in the window.
    fn history(&self, window_s: u32) -> impl Iterator<Item = CapScope> {
        let now = self.ask.now.0.div_euclid(1_000_000);
        let impressions = self.ask.person.iter().flat_map(|person| &person.impressions);
        impressions.filter(move |seen| i64::from(seen.at.0) > now - i64::from(window_s)).map(|seen| seen.scope)
    }

    /// The price in the campaign's currency, the least that its limits allow, and the rule that set it.
    fn price<'c>(&self, campaign: &'c Campaign) -> Option<(i64, i64, Option<&'c SegmentPrice>)> {
        let strategy = &campaign.strategy;
        let default = strategy.default_cpm.map(|cpm| cpm.get());
        let (mut price, mut least, mut applied) = (default, 0, None);
        for rule in &strategy.segments {
            if self.is_in(rule.segment, 0) {
                applied = Some(rule);
                price = match rule.price {
                    PriceRule::Fixed(cpm) => Some(cpm.get()),
                    PriceRule::Multiplier(ppm) => {
                        default.map(|cpm| (i128::from(cpm) * i128::from(ppm) / 1_000_000) as i64)
                    }
                };
                if let (Some(cpm), Some(min)) = (price, rule.min_cpm) {
                    price = Some(cpm.max(min.get()));
                }
                if let (Some(cpm), Some(max)) = (price, rule.max_cpm) {
                    price = Some(cpm.min(max.get()));
                }
                least = rule.min_cpm.map_or(0, |cpm| cpm.get()).min(rule.max_cpm.map_or(i64::MAX, |cpm| cpm.get()));
                break;
            }
        }
        let limited = |cpm: i64| cpm.max(strategy.min_cpm.get()).min(strategy.max_cpm.get());
        price.map(|cpm| (limited(cpm), limited(least), applied))
    }

    /// SplitMix64's finalizer of the seed and the golden-ratio multiple of the id.
    fn lot(&self, seed: u64, campaign: u32) -> u64 {
        let mixed = [(30, 0xbf58_476d_1ce4_e5b9), (27, 0x94d0_49bb_1331_11eb)].iter().fold(
            seed ^ (u128::from(campaign) * 0x9e37_79b9_7f4a_7c15) as u64,
            |lot: u64, (shift, factor): &(u32, u64)| (lot ^ lot >> shift).wrapping_mul(*factor),
        );
        mixed ^ mixed >> 31
    }

    fn arm(&self, campaign: &Campaign) -> Arm {
        let key = self.ask.person.as_ref().map(|person| person.key).unwrap_or_default();
        let Some(experiment) = &campaign.experiment else { return Arm::None };
        if key == PersonKey::default() {
            return Arm::None;
        }
        let salted = [&experiment.salt.to_le_bytes()[..], &key.0].concat();
        let hash = xxh3_64_with_seed(&salted, u64::from_be_bytes(*b"vernier1"));
        // hash / 2^64 < ppm / 10^6, without a division.
        if u128::from(hash) * 1_000_000 < (u128::from(experiment.holdout_ppm) << 64) {
            Arm::HeldOut
        } else {
            Arm::Treated
        }
    }
}

/// The most media that `price` pays for, found by trying: nothing where it does not even pay for none.
fn net(price: i64, (exchange, data, margin): (u32, i64, u32)) -> i128 {
    const MILLION: i128 = 1_000_000;
    let gross = |media: i128| {
        let (fee, part) = (media * i128::from(exchange), MILLION - i128::from(margin));
        let cost = media + fee / MILLION + i128::from(fee % MILLION > 0) + i128::from(data);
        cost * MILLION / part + i128::from(cost * MILLION % part > 0)
    };
    let (mut paid_for, mut too_much) = (-1, i128::from(price) + 1);
    while too_much - paid_for > 1 {
        let media = (paid_for + too_much).div_euclid(2);
        *(if gross(media) <= price.into() { &mut paid_for } else { &mut too_much }) = media;
    }
    paid_for.max(0)
}

/// Whether a segment stands under an odd number of `None`s.
fn excludes(targeting: &Targeting, odd: bool) -> bool {
    match targeting {
        Targeting::All(parts) | Targeting::Any(parts) => parts.iter().any(|part| excludes(part, odd)),
        Targeting::None(parts) => parts.iter().any(|part| excludes(part, !odd)),
        Targeting::Is(fact) => odd && matches!(fact, Fact::Segment { .. }),
    }
}
