//! What a decision is made from, owned, and what came of it.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use decision::campaign::Campaign;
use decision::decide::{BidRequest, Decided, Scratch, decide};
use decision::ids::{CampaignId, Country, Currency, ExchangeName, PersonKey, Region};
use decision::index::CampaignIndex;
use decision::money::{Nanos, Rate, Rates};
use decision::opportunity::{Context, Opportunity};
use decision::outcome::{Arm, CapCount, Decision, NoBidReason, Offer, PriceSteps, Silent, Slot, Trace};
use decision::profile::{Audience, Impression, Membership, Profile, UnknownWhy};
use decision::targeting::{DeviceType, Fact, Size};
use decision::time::Micros;

/// What stands before any request.
#[derive(Clone, Debug, Default)]
pub(crate) struct World {
    pub(crate) campaigns: Vec<Campaign>,
    pub(crate) rates: Vec<(Currency, Rate)>,
    /// Money left; a campaign that is not named has none.
    pub(crate) money: BTreeMap<CampaignId, i64>,
    pub(crate) stopped: Vec<CampaignId>,
    /// What prices of paced campaigns are multiplied by, in millionths; one that is not named: nothing.
    pub(crate) paces: BTreeMap<CampaignId, u32>,
}

/// A bid request and what is known of its person.
#[derive(Clone, Debug)]
pub(crate) struct Ask {
    pub(crate) exchange: ExchangeName,
    pub(crate) country: Option<Country>,
    pub(crate) region: Option<Region>,
    pub(crate) device: DeviceType,
    pub(crate) currencies: Vec<Currency>,
    pub(crate) exchange_fee_ppm: u32,
    pub(crate) blocked_domains: Vec<String>,
    pub(crate) blocked_categories: Vec<String>,
    pub(crate) imps: Vec<Imp>,
    /// `None`: unknown.
    pub(crate) person: Option<Person>,
    pub(crate) now: Micros,
    pub(crate) seed: u64,
}

#[derive(Clone, Debug)]
pub(crate) struct Imp {
    pub(crate) sizes: Vec<Size>,
    pub(crate) floor: Nanos,
    pub(crate) floor_currency: Option<Currency>,
    pub(crate) secure: bool,
    pub(crate) private_auction: bool,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Person {
    pub(crate) key: PersonKey,
    pub(crate) memberships: Vec<Membership>,
    pub(crate) impressions: Vec<Impression>,
}

impl Ask {
    /// Lends the request in the form in which it is decided on.
    pub(crate) fn with<T>(&self, use_it: impl FnOnce(&BidRequest<'_>) -> T) -> T {
        let domains: Vec<&str> = self.blocked_domains.iter().map(String::as_str).collect();
        let categories: Vec<&str> = self.blocked_categories.iter().map(String::as_str).collect();
        let context = Context {
            exchange: self.exchange,
            country: self.country,
            region: self.region,
            device: self.device,
            currencies: &self.currencies,
            exchange_fee_ppm: self.exchange_fee_ppm,
            blocked_domains: &domains,
            blocked_categories: &categories,
        };
        let opportunities = self.imps.iter().map(|imp| Opportunity {
            sizes: &imp.sizes,
            floor: imp.floor,
            floor_currency: imp.floor_currency,
            secure: imp.secure,
            private_auction: imp.private_auction,
        });
        let opportunities: Vec<Opportunity<'_>> = opportunities.collect();
        let audience = match &self.person {
            None => Audience::Unknown(UnknownWhy::Late),
            Some(person) => Audience::Known(Profile {
                person: person.key,
                memberships: &person.memberships,
                impressions: &person.impressions,
            }),
        };
        let (now, seed) = (self.now, self.seed);
        use_it(&BidRequest { context: &context, opportunities: &opportunities, audience, now, seed })
    }
}

/// What comes of one opportunity, with its ids only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) decision: Result<Made, NoBidReason>,
    pub(crate) ghosts: Vec<Made>,
    /// Every campaign that competed.
    pub(crate) eligible: BTreeSet<CampaignId>,
}

/// A bid or ghost bid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Made {
    pub(crate) campaign: u32,
    pub(crate) creative: u32,
    pub(crate) variant: u32,
    pub(crate) size: Size,
    pub(crate) price: i64,
    pub(crate) currency: Currency,
    pub(crate) rate: i64,
    pub(crate) campaign_price: i64,
    /// Exchange, data, margin.
    pub(crate) fees: (u32, i64, u32),
    pub(crate) segment: Option<u32>,
    pub(crate) arm: Arm,
    pub(crate) caps: Vec<(u32, u32)>,
}

impl Made {
    fn of(offer: &Offer, steps: &PriceSteps, caps: &[CapCount]) -> Self {
        assert_eq!((steps.bid_cpm, steps.paced_cpm, steps.segment), (offer.price, offer.campaign_price, offer.segment));
        assert_eq!(steps.fees, offer.fees);
        let dearest = offer.fees.parts(offer.rate.invert_up(offer.price)).expect("an amount").gross();
        assert!(dearest <= offer.campaign_price, "more than what is set aside: {offer:?}");
        Self {
            campaign: offer.campaign.0,
            creative: offer.creative.0,
            variant: offer.variant.0,
            size: offer.size,
            price: offer.price.get(),
            currency: offer.currency,
            rate: offer.rate.get(),
            campaign_price: offer.campaign_price.get(),
            fees: (offer.fees.exchange_ppm(), offer.fees.data_cpm().get(), offer.fees.margin_ppm()),
            segment: offer.segment.map(|segment| segment.0),
            arm: offer.arm,
            caps: caps.iter().map(|cap| (cap.count, cap.limit)).collect(),
        }
    }
}

/// The system under test: an index with its scratch, which is used again and again.
pub(crate) struct Bidder<'w> {
    pub(crate) world: &'w World,
    pub(crate) index: CampaignIndex,
    scratch: Scratch,
}

impl<'w> Bidder<'w> {
    pub(crate) fn new(world: &'w World) -> Self {
        let index = CampaignIndex::compile(world.campaigns.clone(), Rates::new(world.rates.iter().copied()), 1);
        Self { world, index, scratch: Scratch::default() }
    }

    /// Decides, with all the world's money to spend.
    pub(crate) fn decide(&mut self, ask: &Ask) -> Vec<Outcome> {
        self.decide_watched(ask, &mut Silent)
    }

    /// Breaks off where money is first to be set aside.
    pub(crate) fn break_off(&mut self, ask: &Ask) {
        let Self { index, scratch, .. } = self;
        // A panic that nobody has to read of.
        let reserve = |_: Slot, _: Nanos| -> bool { resume_unwind(Box::new("broken off")) };
        let pace = |_| 1_000_000;
        let decide =
            || ask.with(|request| drop(decide(index, request, scratch, |_| false, pace, reserve, &mut Silent)));
        let _broken_off_or_nobody_bids = catch_unwind(AssertUnwindSafe(decide));
    }

    pub(crate) fn decide_watched(&mut self, ask: &Ask, trace: &mut impl Trace) -> Vec<Outcome> {
        let Self { world, index, scratch } = self;
        let mut money = world.money.clone();
        let stopped = |slot: Slot| world.stopped.contains(&index.campaign(slot).id);
        let pace = |slot: Slot| world.paces.get(&index.campaign(slot).id).copied().unwrap_or(1_000_000);
        let mut granted = Vec::new();
        let reserve = |slot: Slot, amount: Nanos| {
            let left = money.entry(index.campaign(slot).id).or_default();
            let grants = *left >= amount.get();
            *left -= if grants { amount.get() } else { 0 };
            granted.extend(grants.then_some((slot, amount)));
            grants
        };
        let (outcomes, held) =
            ask.with(|request| outcomes(decide(index, request, scratch, stopped, pace, reserve, trace), index));
        assert_eq!(held, granted, "every amount granted is held by a bid, and no bid holds another");
        outcomes
    }
}

fn outcomes(decided: Decided<'_>, index: &CampaignIndex) -> (Vec<Outcome>, Vec<(Slot, Nanos)>) {
    let Decided { decisions, ghosts, evidence } = decided;
    let mut held = Vec::new();
    let outcome = |(imp, decision)| Outcome {
        decision: match decision {
            Decision::NoBid(reason) => Err(reason),
            Decision::Bid(bid) => {
                held.push((bid.reservation.slot(), bid.reservation.amount()));
                assert_eq!(index.slot_of(bid.offer.campaign), Some(bid.offer.slot));
                let (_, campaign, creative, variant) =
                    index.variants().nth(bid.offer.variant_slot as usize).expect("the variant is in the render table");
                assert_eq!((campaign.id, creative.id), (bid.offer.campaign, bid.offer.creative));
                assert_eq!((variant.id, creative.size), (bid.offer.variant, bid.offer.size));
                Ok(Made::of(&bid.offer, &bid.grounds.price, evidence.caps(&bid.grounds)))
            }
        },
        ghosts: ghosts
            .iter()
            .filter(|ghost| ghost.imp == imp)
            .map(|ghost| Made::of(&ghost.offer, &ghost.grounds.price, evidence.caps(&ghost.grounds)))
            .collect(),
        eligible: evidence.eligible(imp).iter().copied().collect(),
    };
    (decisions.enumerate().map(outcome).collect(), held)
}

/// Notes what it is told.
#[derive(Default)]
pub(crate) struct Notes {
    /// By opportunity and campaign: why not.
    pub(crate) refused: Vec<(usize, CampaignId, NoBidReason)>,
    /// By opportunity and campaign: the facts in the way.
    pub(crate) missed: Vec<(usize, CampaignId, Fact, bool)>,
    /// By opportunity and campaign: the price.
    pub(crate) priced: Vec<(usize, CampaignId, PriceSteps)>,
}

impl Trace for Notes {
    const EXPLAINS: bool = true;

    fn missed(&mut self, imp: usize, campaign: &Campaign, fact: Fact, wanted: bool) {
        self.missed.push((imp, campaign.id, fact, wanted));
    }

    fn refused(&mut self, imp: usize, campaign: &Campaign, reason: NoBidReason) {
        self.refused.push((imp, campaign.id, reason));
    }

    fn priced(&mut self, imp: usize, campaign: &Campaign, steps: PriceSteps) {
        self.priced.push((imp, campaign.id, steps));
    }
}
