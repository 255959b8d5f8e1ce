//! Why a request would or would not be bid on, for people: the same decision run again, watched, with no money held.

use std::collections::BTreeMap;

use decision::campaign::{Campaign, PriceRule};
use decision::decide::{self, Decided, Scratch};
use decision::ids::Currency;
use decision::money::{Cpm, Nanos, ONE_PPM, Percent};
use decision::outcome::{Decision, NoBidReason, Offer, PriceSteps, Trace};
use decision::profile::{Audience, Profile};
use decision::targeting::Fact;
use decision::time::Micros;
use segment_store::ProfileBuffer;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::bid::{look_up, seed};
use crate::bidder::Bidder;
use crate::campaigns::Snapshot;
use crate::exchange::request::{BidRequest, RequestBuffer};
use crate::lease::Losses;
use crate::limits::EXPLAIN_TIMEOUT;
use crate::privacy;

/// What a request would be answered, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Explanation {
    /// Offset of the last `campaigns` record in force.
    pub index_version: u64,
    /// The privacy signal that forbids the use of ids, if any does.
    pub restricted_by: Option<String>,
    /// Whether the person is `known`, or why not.
    pub audience: String,
    /// The person's micro-segments, by name.
    pub segments: Vec<String>,
    /// Why no impression at all can be bid on, if so.
    pub refused: Option<String>,
    /// Each impression that could be bid on.
    pub imps: Vec<ImpExplanation>,
}

/// What one impression would get.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImpExplanation {
    /// Its name in the request.
    pub imp: String,
    /// `bid`, or the reason of none.
    pub decision: String,
    /// Every campaign: the one that bids first, then by number.
    pub campaigns: Vec<CampaignExplanation>,
}

/// What one campaign does about one impression.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CampaignExplanation {
    /// Its name.
    pub campaign: String,
    /// `bid`, or why not.
    pub result: String,
    /// What is missing, each as a phrase: targeting that is not met, or money.
    pub missed: Vec<String>,
    /// How its price comes about, in order; empty where it did not come to a price.
    pub price: Vec<String>,
    /// What would be shown, where it bids.
    pub creative: Option<String>,
}

/// Explains a request of `exchange`. Nothing is held, counted towards caps, or sent.
///
/// # Errors
/// A sentence, where there is no such exchange or the bytes are no bid request.
pub async fn explain(bidder: &Bidder, exchange: &str, body: &[u8], now: Micros) -> Result<Explanation, String> {
    let names = || bidder.exchanges.keys().cloned().collect::<Vec<_>>().join(", ");
    let dialect =
        bidder.exchanges.get(exchange).ok_or_else(|| format!("no exchange \"{exchange}\"; there are: {}", names()))?;
    let (mut buffer, mut profile) = (RequestBuffer::default(), ProfileBuffer::new());
    let view = buffer.read(body, dialect).map_err(|problem| format!("not a bid request: {}", problem.label()))?;
    let restricted_by = privacy::permit(&view).restricted_by().map(|by| by.label().to_owned());
    let (_, _, audience) =
        look_up(bidder, &bidder.profiles, &view, &mut profile, now, Instant::now() + EXPLAIN_TIMEOUT).await;
    let snapshot = bidder.campaigns.load();
    let (audience_is, segments) = match &audience {
        Audience::Known(profile) => ("known".to_owned(), segments(&snapshot, profile, now)),
        Audience::Unknown(why) => (format!("unknown: {}", why.label()), Vec::new()),
    };
    let seat = (!view.seat_allowed(&dialect.seat)).then(|| "our seat is not allowed".to_owned());
    let refused = view.unbiddable.map(|why| why.label().to_owned()).or(seat);
    let imps =
        if refused.is_some() { Vec::new() } else { imps(bidder, &snapshot, &view, audience, dialect.losses(), now) };
    let index_version = snapshot.index.version();
    Ok(Explanation { index_version, restricted_by, audience: audience_is, segments, refused, imps })
}

fn segments(snapshot: &Snapshot, profile: &Profile<'_>, now: Micros) -> Vec<String> {
    let live = profile.memberships.iter().filter(|membership| membership.until > now.seconds());
    live.map(|membership| snapshot.segment_name(membership.segment)).collect()
}

fn imps(
    bidder: &Bidder,
    snapshot: &Snapshot,
    view: &BidRequest<'_>,
    audience: Audience<'_>,
    losses: Losses,
    now: Micros,
) -> Vec<ImpExplanation> {
    let seed = seed(bidder, view);
    let request = decide::BidRequest { context: &view.context, opportunities: view.opportunities, audience, now, seed };
    let mut watch = Watch { snapshot, losses, now, seen: BTreeMap::new() };
    let mut scratch = Scratch::default();
    let stopped = |slot| snapshot.is_stopped(slot);
    let pace = |slot| snapshot.pace_ppm(slot);
    let reserve = |slot: decision::outcome::Slot, amount| {
        snapshot.accounts.get(slot.0 as usize).is_some_and(|account| account.shortage(amount, losses, now).is_none())
    };
    let Decided { decisions, .. } =
        decide::decide(&snapshot.index, &request, &mut scratch, stopped, pace, reserve, &mut watch);
    let decisions: Vec<Decision> = decisions.collect();
    let explained = decisions.iter().enumerate().map(|(at, decision)| {
        let winner = match decision {
            Decision::Bid(bid) => Some(bid.offer),
            Decision::NoBid(_) => None,
        };
        ImpExplanation {
            imp: view.imps[at].id.text.to_owned(),
            decision: match decision {
                Decision::Bid(_) => "bid".to_owned(),
                Decision::NoBid(reason) => reason.label().to_owned(),
            },
            campaigns: watch.campaigns(at, winner.as_ref()),
        }
    });
    explained.collect()
}

/// What is seen of a decision: by impression and campaign.
struct Watch<'a> {
    snapshot: &'a Snapshot,
    losses: Losses,
    now: Micros,
    seen: BTreeMap<(usize, u32), Seen>,
}

#[derive(Default)]
struct Seen {
    reason: Option<NoBidReason>,
    missed: Vec<String>,
    price: Vec<String>,
}

impl Watch<'_> {
    fn seen(&mut self, imp: usize, campaign: &Campaign) -> &mut Seen {
        self.seen.entry((imp, campaign.id.0)).or_default()
    }

    /// Why there is no money for a bid: a spent budget is not a silent ledger.
    fn short_of(&self, campaign: &Campaign) -> Option<String> {
        let slot = self.snapshot.index.slot_of(campaign.id)?;
        let shortage = self.snapshot.accounts[slot.0 as usize].shortage(Nanos::MAX, self.losses, self.now)?;
        Some(shortage.phrase().to_owned())
    }

    fn campaigns(&mut self, imp: usize, winner: Option<&Offer>) -> Vec<CampaignExplanation> {
        let mut all: Vec<CampaignExplanation> = Vec::new();
        for campaign in self.snapshot.index.campaigns() {
            let seen = self.seen.remove(&(imp, campaign.id.0)).unwrap_or_default();
            let wins = winner.filter(|offer| offer.campaign == campaign.id);
            let why_not = seen.reason.map_or("not considered", NoBidReason::label);
            let explained = CampaignExplanation {
                campaign: campaign.name.clone(),
                result: if wins.is_some() { "bid" } else { why_not }.to_owned(),
                missed: seen.missed,
                price: seen.price,
                creative: wins.map(|offer| shown(campaign, offer)),
            };
            all.insert(if wins.is_some() { 0 } else { all.len() }, explained);
        }
        all
    }
}

fn shown(campaign: &Campaign, offer: &Offer) -> String {
    let creative = campaign.creatives.iter().find(|creative| creative.id == offer.creative);
    let variant = creative.and_then(|creative| creative.variants.iter().find(|v| v.id == offer.variant));
    let (creative, variant) = (creative.map_or("", |c| &c.name), variant.map_or("", |v| &v.name));
    format!("{creative} / {variant}, {}x{}", offer.size.w, offer.size.h)
}

impl Trace for Watch<'_> {
    const EXPLAINS: bool = true;

    fn refused(&mut self, imp: usize, campaign: &Campaign, reason: NoBidReason) {
        let short = if reason == NoBidReason::NoLease { self.short_of(campaign) } else { None };
        let seen = self.seen(imp, campaign);
        seen.reason = Some(reason);
        seen.missed.extend(short);
    }

    fn missed(&mut self, imp: usize, campaign: &Campaign, fact: Fact, wanted: bool) {
        let phrase = phrase(self.snapshot, fact);
        let phrase = if wanted { format!("wants {phrase}") } else { format!("excludes {phrase}") };
        self.seen(imp, campaign).missed.push(phrase);
    }

    fn priced(&mut self, imp: usize, campaign: &Campaign, steps: PriceSteps) {
        let currency = campaign.advertiser.currency;
        let ruled = format!("{} {currency}", Cpm(steps.ruled_cpm));
        let mut price = vec![match steps.segment {
            Some(segment) => {
                let by = factor(campaign, &steps).map(|factor| format!("{factor} = ")).unwrap_or_default();
                format!("{by}{ruled} for segment {}", self.snapshot.segment_name(segment))
            }
            None => format!("{ruled} by default"),
        }];
        if steps.limited_cpm != steps.ruled_cpm {
            price.push(format!("{} {currency} within the limits", Cpm(steps.limited_cpm)));
        }
        if steps.pace_ppm < ONE_PPM {
            let (factor, paced) = (f64::from(steps.pace_ppm) / 1e6, Cpm(steps.paced_cpm));
            price.push(format!("{paced} {currency} by pacing, x {factor}"));
        }
        if !steps.fees.is_none() {
            let media = match steps.media_cpm {
                left if left > Nanos::ZERO => format!("{} {currency}", Cpm(left)),
                _ => "nothing".to_owned(),
            };
            price.push(format!("{media} for media: {}", besides(&steps, currency)));
        }
        if steps.bid_cpm != steps.media_cpm && steps.media_cpm > Nanos::ZERO {
            price.push(format!("{} in the currency of the bid", Cpm(steps.bid_cpm)));
        }
        self.seen(imp, campaign).price = price;
    }
}

/// What of a price is not for media.
fn besides(steps: &PriceSteps, currency: Currency) -> String {
    let fees = steps.fees;
    let parts = [
        (fees.margin_ppm() > 0).then(|| format!("without a margin of {}", Percent(fees.margin_ppm()))),
        (fees.data_cpm() > Nanos::ZERO).then(|| format!("without {} {currency} for data", Cpm(fees.data_cpm()))),
        (fees.exchange_ppm() > 0).then(|| format!("the exchange bills {} besides", Percent(fees.exchange_ppm()))),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// What a rule makes of the default price, where it is a multiplier.
fn factor(campaign: &Campaign, steps: &PriceSteps) -> Option<String> {
    let rule = campaign.strategy.segments.iter().find(|rule| Some(rule.segment) == steps.segment)?;
    let PriceRule::Multiplier(ppm) = rule.price else { return None };
    let (default_cpm, currency) = (Cpm(steps.default_cpm?), campaign.advertiser.currency);
    Some(format!("{default_cpm} {currency} default x {}", f64::from(ppm) / 1e6))
}

fn phrase(snapshot: &Snapshot, fact: Fact) -> String {
    match fact {
        Fact::Segment { segment, confidence_min: 0 } => format!("segment {}", snapshot.segment_name(segment)),
        Fact::Segment { segment, confidence_min } => {
            format!("segment {} with at least {confidence_min} % confidence", snapshot.segment_name(segment))
        }
        Fact::Exchange(exchange) => format!("exchange {exchange}"),
        Fact::Country(country) => format!("country {country}"),
        Fact::Region(country, region) => format!("region {country}/{region}"),
        Fact::Device(device) => format!("device {}", device.name()),
        Fact::Size(size) => format!("size {}x{}", size.w, size.h),
    }
}
