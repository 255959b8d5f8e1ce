//! The naive count: every sale is looked at anew, each time.

use std::collections::BTreeMap;

use decision::campaign::{Campaign, CapSubject, FrequencyCap};
use decision::experiment::arm;
use decision::index::CampaignIndex;
use decision::outcome::{Arm, Offer};

use super::market::{Human, Request};

/// A bid or ghost bid, and when it was shown.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sale {
    person: usize,
    campaign: u32,
    advertiser: u32,
    creative: u32,
    segment: Option<u32>,
    shown: Option<u32>,
    ghost: bool,
}

impl Sale {
    pub(super) fn of(person: usize, offer: &Offer, shown: Option<u32>, ghost: bool) -> Self {
        Self {
            person,
            campaign: offer.campaign.0,
            advertiser: offer.advertiser.0,
            creative: offer.creative.0,
            segment: offer.segment.map(|segment| segment.0),
            shown,
            ghost,
        }
    }

    /// Whether a cap on `self` counts the earlier sale to the same person.
    fn is_counted_with(&self, cap: &FrequencyCap, earlier: &Self) -> bool {
        // Ghost bids count for ghost bids of their campaign alone.
        if earlier.ghost && !(self.ghost && self.campaign == earlier.campaign) {
            return false;
        }
        match cap.scope {
            CapSubject::Campaign => earlier.campaign == self.campaign,
            CapSubject::EachCreative => earlier.creative == self.creative,
            CapSubject::Advertiser => earlier.advertiser == self.advertiser,
            CapSubject::EachSegment => self.segment.is_some() && earlier.segment == self.segment,
        }
    }

    /// The first cap of the campaign that is full at `second`, of what was sold to the same person `before`: also of what
    /// is shown later.
    fn full_cap<'c>(&self, campaign: &'c Campaign, before: &[Self], second: u32) -> Option<&'c FrequencyCap> {
        campaign.caps.iter().find(|cap| {
            let inside = |earlier: &&Self| earlier.shown.is_some_and(|at| at + cap.window_s > second);
            let counted = before.iter().filter(inside).filter(|earlier| self.is_counted_with(cap, earlier));
            counted.count() >= usize::from(cap.count)
        })
    }
}

/// What came of a simulation.
#[derive(Debug, Default)]
pub(super) struct Figures {
    /// Impressions, those of them that a cap forbade, and those of a buyer who knows what will be shown.
    pub(super) shown: usize,
    pub(super) above: usize,
    pub(super) allowed: usize,
    /// The same of ghost bids.
    pub(super) ghosts: usize,
    pub(super) ghosts_above: usize,
    pub(super) ghosts_allowed: usize,
    /// How often each cap kept that buyer from buying: campaign and place of the cap.
    pub(super) by_cap: BTreeMap<(u32, usize), usize>,
}

pub(super) fn judge(
    index: &CampaignIndex,
    people: &[Human],
    requests: &BTreeMap<u32, Vec<Request>>,
    sales: &[Sale],
) -> Figures {
    let mut figures = Figures::default();
    for person in 0..people.len() {
        let shown: Vec<Sale> = sales.iter().filter(|it| it.person == person && it.shown.is_some()).copied().collect();
        for (at, sale) in shown.iter().enumerate() {
            let campaign = index.campaigns().iter().find(|it| it.id.0 == sale.campaign).unwrap();
            let above = sale.full_cap(campaign, &shown[..at], sale.shown.unwrap()).is_some();
            let (count, over) = if sale.ghost {
                (&mut figures.ghosts, &mut figures.ghosts_above)
            } else {
                (&mut figures.shown, &mut figures.above)
            };
            *count += 1;
            *over += usize::from(above);
        }
    }
    let mut bought = vec![Vec::new(); people.len()];
    for (second, requests) in requests {
        for request in requests {
            let human = &people[request.person];
            buy(index, human, *second, request, &mut bought[request.person], &mut figures);
        }
    }
    let count = |ghost| bought.iter().flatten().filter(|sale: &&Sale| sale.ghost == ghost).count();
    (figures.allowed, figures.ghosts_allowed) = (count(false), count(true));
    figures
}

/// What is bought of a request by one who knows what was shown, and what will be.
fn buy(
    index: &CampaignIndex,
    human: &Human,
    second: u32,
    request: &Request,
    bought: &mut Vec<Sale>,
    figures: &mut Figures,
) {
    for luck in &request.luck {
        let mut offers: Vec<_> = index.campaigns().iter().filter_map(|it| Some((price(it, human)?, it))).collect();
        offers.sort_by_key(|((cpm, _), _)| std::cmp::Reverse(*cpm));
        for ((_, segment), campaign) in offers {
            let ghost = arm(campaign.experiment.as_ref(), Some(human.key)) == Arm::HeldOut;
            let sale = |creative| Sale {
                person: request.person,
                campaign: campaign.id.0,
                advertiser: campaign.advertiser.id.0,
                creative,
                segment,
                shown: if ghost { Some(second) } else { luck.shown_s.map(|delay| second + delay) },
                ghost,
            };
            let mut sales = campaign.creatives.iter().map(|creative| sale(creative.id.0));
            let free = sales.find(|sale| match sale.full_cap(campaign, bought, second) {
                Some(cap) => {
                    let place = campaign.caps.iter().position(|it| it == cap).unwrap();
                    *figures.by_cap.entry((campaign.id.0, place)).or_default() += 1;
                    false
                }
                None => true,
            });
            bought.extend(free.filter(|sale| sale.shown.is_some()));
            if free.is_some() && !ghost {
                break;
            }
        }
    }
}

/// What a campaign pays for a person, and for which segment.
fn price(campaign: &Campaign, human: &Human) -> Option<(i64, Option<u32>)> {
    use decision::campaign::PriceRule::{Fixed, Multiplier};
    let is_in = |segment| human.memberships.iter().any(|membership| membership.segment == segment);
    let rule = campaign.strategy.segments.iter().find(|rule| is_in(rule.segment));
    match rule.map(|rule| (rule.price, rule.segment)) {
        Some((Fixed(cpm), segment)) => Some((cpm.get(), Some(segment.0))),
        Some((Multiplier(_), _)) => None,
        None => campaign.strategy.default_cpm.map(|cpm| (cpm.get(), None)),
    }
}
