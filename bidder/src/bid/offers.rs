//! From decisions to an answer: money held, tokens sealed, caps told, telemetry recorded, bytes written.

use std::collections::VecDeque;
use std::fmt::Write;
use std::ops::Range;

use bytes::Bytes;
use decision::decide::{self, Evidence};
use decision::ids::{ImpressionId, LeaseId, PersonKey};
use decision::money::Nanos;
use decision::outcome::{Bid, Ghost, Grounds, NoBidReason, Offer, Slot};
use decision::profile::{Audience, Keep};
use decision::time::Seconds;
use proto::bid::{Names, Offered};
use rand::Rng;
use segment_store::{CapChange, CapEvent, ProfileBuffer};

use super::ids::PersonIds;
use super::sample::{Paces, Sample};
use crate::bidder::Core;
use crate::campaigns::Snapshot;
use crate::events::Telemetry;
use crate::exchange::dialect::Dialect;
use crate::exchange::request::BidRequest;
use crate::exchange::response::{self, Entry, Envelope, Urls};
use crate::limits::{TOKEN_LIFE_S, URLS_BYTES_EXPECTED, URLS_BYTES_KEPT_MAX};
use crate::metrics::{CapOutcome, SegmentCount};
use crate::token::{Claims, Ids, NoticeKind, Sealed};

/// The offers of one answer while they are made.
pub(super) struct Offers<'a> {
    core: &'a Core,
    dialect: &'a Dialect,
    snapshot: &'a Snapshot,
    view: &'a BidRequest<'a>,
    request: &'a decide::BidRequest<'a>,
    ids: PersonIds,
    /// What was read of the person.
    read: &'a ProfileBuffer,
    room: &'a mut Room,
    sample: Option<Sample>,
}

/// Room for the offers of one answer. Used again and again it stops allocating.
#[derive(Debug, Default)]
pub(crate) struct Room {
    /// The reservations that were granted and are not yet part of an offer, first one first.
    granted: VecDeque<Granted>,
    made: Vec<Made>,
    /// The ids and URLs of the offers.
    texts: String,
    /// What the caps are to be told.
    told: Vec<CapEvent>,
}

impl Room {
    fn clear(&mut self) {
        self.granted.clear();
        self.made.clear();
        self.texts.clear();
        self.texts.shrink_to(URLS_BYTES_KEPT_MAX);
        self.told.clear();
    }
}

/// A reservation: for which impression, and of which lease.
#[derive(Debug)]
struct Granted {
    impression: ImpressionId,
    lease: LeaseId,
}

/// An offer that is part of the answer. Its texts are ranges of [`Room::texts`].
#[derive(Debug)]
struct Made {
    imp: usize,
    offer: Offer,
    id: Range<usize>,
    /// Empty where a notice is not asked for.
    urls: [Range<usize>; NoticeKind::ALL.len()],
}

impl<'a> Offers<'a> {
    pub(super) fn new(
        core: &'a Core,
        dialect: &'a Dialect,
        snapshot: &'a Snapshot,
        view: &'a BidRequest<'a>,
        request: &'a decide::BidRequest<'a>,
        (ids, read): (PersonIds, &'a ProfileBuffer),
        room: &'a mut Room,
    ) -> Self {
        let sample = Sample::start(&core.bidder, person(request), request.seed, snapshot);
        room.clear();
        Self { core, dialect, snapshot, view, request, ids, read, room, sample }
    }

    /// Whether the request is recorded whole.
    pub(super) fn is_sampled(&self) -> bool {
        self.sample.is_some()
    }

    /// The multipliers that the decisions were made with, where the request is recorded whole.
    pub(super) fn paced(&mut self, paces: Option<Paces>) {
        if let Some((sample, paces)) = self.sample.as_mut().zip(paces) {
            sample.paced(paces, self.snapshot);
        }
    }

    /// Sets money aside for a bid that is ready otherwise. Nothing is ever spent on a test.
    pub(super) fn reserve(&mut self, slot: Slot, amount: Nanos) -> bool {
        let impression = self.impression();
        let lease = if self.view.test { Some(LeaseId(0)) } else { self.hold(slot, amount, impression) };
        let granted = lease.is_some();
        if let Some(sample) = &mut self.sample {
            sample.reserved(self.snapshot.index.campaign(slot).id, amount, granted);
        }
        self.room.granted.extend(lease.map(|lease| Granted { impression, lease }));
        granted
    }

    /// Holds money of the campaign's lease, which is named, until the auction must be over.
    fn hold(&self, slot: Slot, amount: Nanos, impression: ImpressionId) -> Option<LeaseId> {
        let now = self.request.now;
        let taken = self.snapshot.accounts.get(slot.0 as usize)?.reserve(amount, self.dialect.losses(), now)?;
        let id = taken.lease.id;
        self.core.bidder.reservations.hold(impression, taken, self.dialect.windows(now)).then_some(id)
    }

    /// An impression gets a bid.
    pub(super) fn add(&mut self, imp: usize, bid: Bid, evidence: &Evidence<'_>) {
        let Bid { offer, grounds, .. } = bid;
        let Granted { impression, lease } = self.room.granted.pop_front().expect("a bid's reservation was granted");
        let keep = self.snapshot.index.keep(&offer);
        let (id, urls) = self.texts(imp, &offer, impression, lease, keep);
        if !self.view.test {
            let change = CapChange::Pending { until: self.auction_end() };
            self.tell_caps(CapOutcome::Pending, &offer, impression, keep, change);
            self.core.bidder.metrics.segment(SegmentCount::Bids, offer.segment);
        }
        self.record(imp, &offer, &grounds, evidence, impression, lease);
        if let Some(sample) = &mut self.sample {
            sample.bid(imp, &offer, impression);
        }
        self.room.made.push(Made { imp, offer, id, urls });
    }

    /// An impression gets none.
    pub(super) fn none(&mut self, imp: usize, reason: NoBidReason) {
        self.core.bidder.metrics.no_bid(reason);
        if let Some(sample) = &mut self.sample {
            sample.none(imp, reason);
        }
    }

    /// A held-out person would have got this bid. Nobody can tell whether it would have been won: for the caps it was shown.
    pub(super) fn ghost(&mut self, ghost: &Ghost, evidence: &Evidence<'_>) {
        let Ghost { imp, offer, grounds } = ghost;
        let impression = self.impression();
        if !self.view.test {
            let keep = Keep::of(&self.snapshot.index.campaign(offer.slot).caps);
            // It is told once, and remembered for so long that a write that is made again counts it once.
            let change = CapChange::Confirmed { at: self.request.now.seconds(), until: self.auction_end() };
            self.tell_caps(CapOutcome::Ghost, offer, impression, keep, change);
            self.core.bidder.metrics.segment(SegmentCount::Ghosts, offer.segment);
        }
        self.record(*imp, offer, grounds, evidence, impression, LeaseId(0));
        if let Some(sample) = &mut self.sample {
            sample.ghost(*imp, offer);
        }
    }

    fn record(
        &self,
        imp: usize,
        offer: &Offer,
        grounds: &Grounds,
        evidence: &Evidence<'_>,
        impression: ImpressionId,
        lease: LeaseId,
    ) {
        let (request, index) = (self.request, &self.snapshot.index);
        let names = Names {
            impression,
            request_id: self.view.id.text,
            imp_id: self.view.imps[imp].id.text,
            node: self.core.bidder.node,
            lease,
            test: self.view.test,
        };
        let offered = Offered { request, index, imp, offer, grounds, evidence: *evidence, names };
        let record = proto::bid::encode(&offered);
        self.core.bidder.events.record(person(request), Telemetry::Bid(impression, record));
    }

    /// The bytes of the answer, if there is any offer.
    pub(super) fn finish(mut self) -> Option<Bytes> {
        self.core.bidder.profiles.count_after(self.read, self.ids.as_slice(), &self.room.told, self.request.now);
        let sample = self.sample.take();
        if let Some(record) = sample.and_then(|it| it.finish(self.core, self.view, self.request, self.snapshot)) {
            self.core.bidder.events.record(person(self.request), Telemetry::Opportunity(Box::new(record)));
        }
        let first = self.room.made.first()?;
        let envelope = Envelope {
            request_id: self.view.id,
            seat: &self.dialect.seat,
            currency: first.offer.currency,
            version: self.dialect.version,
        };
        let entries: Vec<Entry<'_>> = self.room.made.iter().map(|made| self.entry(made)).collect();
        let mut bytes = Vec::new();
        response::write(&mut bytes, &envelope, &entries);
        Some(Bytes::from(bytes))
    }

    fn entry<'m>(&'m self, made: &'m Made) -> Entry<'m> {
        let text = |range: &Range<usize>| &self.room.texts[range.clone()];
        let url = |kind: NoticeKind| Some(text(&made.urls[kind as usize])).filter(|url| !url.is_empty());
        let urls = Urls {
            click: url(NoticeKind::Click).unwrap_or_default(),
            view: url(NoticeKind::View).unwrap_or_default(),
            win: url(NoticeKind::Win),
            billing: url(NoticeKind::Billing),
            loss: url(NoticeKind::Loss),
        };
        Entry {
            id: text(&made.id),
            imp: self.view.imps[made.imp].id,
            price: made.offer.price,
            ad: &self.snapshot.ads[made.offer.variant_slot as usize],
            urls,
            exp_s: Some(self.dialect.auction_window_s + self.dialect.billing_window_s),
        }
    }

    fn impression(&self) -> ImpressionId {
        let mut impression = ImpressionId::default();
        self.core.random.borrow_mut().fill_bytes(&mut impression.0);
        impression
    }

    /// Appends the id and the URLs of an offer to the texts.
    fn texts(
        &mut self,
        imp: usize,
        offer: &Offer,
        impression: ImpressionId,
        lease: LeaseId,
        keep: Keep,
    ) -> (Range<usize>, [Range<usize>; NoticeKind::ALL.len()]) {
        let now = self.request.now;
        let claims = Claims {
            impression,
            exchange: self.dialect.name,
            imp_id: self.view.imps[imp].id.text,
            campaign: offer.campaign,
            advertiser: offer.advertiser,
            creative: offer.creative,
            variant: offer.variant,
            person: person(self.request),
            ids: Ids::new(self.ids.as_slice()),
            keep,
            test: self.view.test,
            node: self.core.bidder.node,
            lease,
            price: offer.price,
            currency: offer.currency,
            rate: offer.rate,
            fees: offer.fees,
            segment: offer.segment,
            arm: offer.arm,
            index_version: self.snapshot.index.version(),
            bid_at: now,
            expires_at: now.plus_seconds(TOKEN_LIFE_S),
            landing_url: &self.snapshot.landing_urls[offer.variant_slot as usize],
        };
        let sealed = self.core.bidder.keys.seal(&claims);
        self.room.texts.reserve(URLS_BYTES_EXPECTED);
        let start = self.room.texts.len();
        let _infallible = write!(self.room.texts, "{impression}");
        let id = start..self.room.texts.len();
        (id, NoticeKind::ALL.map(|kind| self.url(kind, &sealed)))
    }

    /// Appends the URL for a kind of notice, where the exchange sends it.
    fn url(&mut self, kind: NoticeKind, sealed: &Sealed<'_>) -> Range<usize> {
        let (dialect, texts) = (self.dialect, &mut self.room.texts);
        let start = texts.len();
        if dialect.sends(kind) {
            texts.extend([&self.core.bidder.public_url, "/n/", kind.label(), "/"]);
            sealed.token(kind, texts);
            let macros = &dialect.macros;
            if dialect.priced(kind) {
                texts.extend(["?p=", &macros.price]);
            } else if kind == NoticeKind::Loss {
                texts.extend(["?r=", &macros.loss, "&m=", &macros.min_to_win]);
            }
        }
        start..texts.len()
    }

    /// When the auction must be over.
    fn auction_end(&self) -> Seconds {
        self.request.now.plus_seconds(i64::from(self.dialect.auction_window_s)).seconds()
    }

    fn tell_caps(
        &mut self,
        outcome: CapOutcome,
        offer: &Offer,
        impression: ImpressionId,
        keep: Keep,
        change: CapChange,
    ) {
        if keep == Keep::default() || self.ids.as_slice().is_empty() {
            return;
        }
        let event = CapEvent {
            impression,
            campaign: offer.campaign,
            creative: offer.creative,
            advertiser: offer.advertiser,
            segment: offer.segment,
            ghost: outcome == CapOutcome::Ghost,
            keep,
            change,
        };
        self.core.bidder.metrics.cap_event(outcome);
        self.room.told.push(event);
    }
}

/// Whom the request is for, where that may be known.
fn person(request: &decide::BidRequest<'_>) -> Option<PersonKey> {
    match request.audience {
        Audience::Known(profile) => Some(profile.person),
        Audience::Unknown(_) => None,
    }
}
