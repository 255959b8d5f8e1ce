//! Takes what exchanges and advertisements send back: durable first, then acknowledged, then acted on.

use std::sync::atomic::Ordering;

use decision::ids::NodeId;
use decision::money::Nanos;
use decision::time::Micros;
use event_log::{AppendError, Stream};
use proto::record;
use proto::wire;
use segment_store::{CapChange, CapEvent, Keep};
use tracing::error;

use crate::bidder::Bidder;
use crate::exchange::dialect::Dialect;
use crate::lease::Reservations;
use crate::metrics::{CapOutcome, NoticeOutcome, SegmentCount};
use crate::token::{Claims, Forged, NoticeKind};

mod query;
#[cfg(test)]
mod tests;

use query::Query;

/// What the sender of a notice is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Win, billing and loss: taken. 204.
    Acknowledged,
    /// A view: taken. 200 with a transparent pixel.
    Pixel,
    /// A click: 302 to where the advertisement leads.
    Redirect(String),
    /// The token is not one of ours for this kind. 403.
    Forged,
    /// The token's time is over. 410.
    Expired,
    /// It is not durable, so it is not taken: come again. 503.
    Unavailable,
}

/// Takes one notice of `kind` whose URL carries `token` and `query`. It waits in one place only: for the log.
pub async fn take(bidder: &Bidder, kind: NoticeKind, token: &str, query: &str, now: Micros) -> Answer {
    let (opened, expired) = match bidder.keys.open(kind, token, now) {
        Ok(opened) => opened,
        Err(Forged) => {
            bidder.metrics.notice(kind, NoticeOutcome::Forged);
            return Answer::Forged;
        }
    };
    let claims = opened.claims();
    let Some(dialect) = bidder.exchanges.get(claims.exchange.as_str()) else {
        bidder.metrics.notice(kind, NoticeOutcome::Forged);
        return Answer::Forged;
    };
    let (notice, outcome) = notice(bidder.node, kind, &claims, dialect, query, now);
    let billable = notice.billable;
    let durable = bidder.log.append(Stream::Notices, claims.impression.0, record::encode(&notice));
    if expired {
        // Recorded so that people see it; the ledger books nothing for it, and nobody is told that it was taken.
        bidder.metrics.notice(kind, NoticeOutcome::Expired);
        return Answer::Expired;
    }
    if let Err(problem) = durable.await {
        bidder.metrics.notice(kind, NoticeOutcome::Unavailable);
        if let AppendError::Failed(_) = problem {
            bidder.deaf.store(true, Ordering::Relaxed);
        }
        error!(kind = kind.label(), impression = %claims.impression, %problem, "notice is not durable");
        // A person who clicked is led on all the same; nothing else is acknowledged.
        return if kind == NoticeKind::Click { redirect(&claims) } else { Answer::Unavailable };
    }
    bidder.metrics.notice(kind, outcome);
    if outcome == NoticeOutcome::Taken && !claims.test {
        act(bidder, kind, &claims, dialect, billable, now);
    }
    match kind {
        NoticeKind::Click => redirect(&claims),
        NoticeKind::View => Answer::Pixel,
        NoticeKind::Win | NoticeKind::Billing | NoticeKind::Loss => Answer::Acknowledged,
    }
}

fn redirect(claims: &Claims<'_>) -> Answer {
    Answer::Redirect(claims.landing_url.to_owned())
}

fn outcome(query: &Query<'_>, priced: bool) -> NoticeOutcome {
    if query.audit {
        NoticeOutcome::Audit
    } else if priced && query.price.is_none() {
        NoticeOutcome::Unpriced
    } else {
        NoticeOutcome::Taken
    }
}

/// The record of a notice that `node` takes at `now`, and what becomes of it once it is durable.
pub fn notice(
    node: NodeId,
    kind: NoticeKind,
    claims: &Claims<'_>,
    dialect: &Dialect,
    query: &str,
    now: Micros,
) -> (wire::Notice, NoticeOutcome) {
    let query = Query::read(query);
    let outcome = outcome(&query, dialect.priced(kind));
    let notice = wire::Notice {
        kind: wire_kind(kind) as i32,
        impression: claims.impression.0.to_vec(),
        at: now.0,
        node: node.0,
        query: query.raw.to_owned(),
        sealed: Some(sealed(claims)),
        price: query.price.map(Nanos::get),
        loss_reason: query.loss_reason,
        min_to_win: query.min_to_win.map(Nanos::get),
        billable: kind == dialect.billable.kind() && !claims.test,
        void: outcome != NoticeOutcome::Taken,
    };
    (notice, outcome)
}

fn wire_kind(kind: NoticeKind) -> wire::NoticeKind {
    match kind {
        NoticeKind::Win => wire::NoticeKind::Win,
        NoticeKind::Billing => wire::NoticeKind::Billing,
        NoticeKind::Loss => wire::NoticeKind::Loss,
        NoticeKind::View => wire::NoticeKind::View,
        NoticeKind::Click => wire::NoticeKind::Click,
    }
}

fn sealed(claims: &Claims<'_>) -> wire::Sealed {
    wire::Sealed {
        exchange: claims.exchange.to_string(),
        imp_id: claims.imp_id.to_owned(),
        campaign: claims.campaign.0,
        advertiser: claims.advertiser.0,
        creative: claims.creative.0,
        variant: claims.variant.0,
        person: claims.person.map(|person| person.0.to_vec()).unwrap_or_default(),
        node: claims.node.0,
        lease: claims.lease.0,
        price: claims.price.get(),
        currency: claims.currency.to_string(),
        rate: claims.rate.get(),
        segment: claims.segment.map_or(0, |segment| segment.0),
        arm: wire::Arm::from(claims.arm) as i32,
        index_version: claims.index_version,
        bid_at: claims.bid_at.0,
        expires_at: claims.expires_at.0,
        test: claims.test,
        fees: proto::fees::record(claims.fees),
    }
}

/// What a notice that is durable changes on this node: how long money is held, what the caps count, what is shown.
/// Money is charged by the ledger alone.
fn act(bidder: &Bidder, kind: NoticeKind, claims: &Claims<'_>, dialect: &Dialect, billed: bool, now: Micros) {
    let expiry = claims.expires_at.seconds();
    hold(&bidder.reservations, kind, claims, billed);
    match kind {
        NoticeKind::Win => bidder.metrics.segment(SegmentCount::Wins, claims.segment),
        NoticeKind::View => bidder.metrics.segment(SegmentCount::Views, claims.segment),
        NoticeKind::Click => bidder.metrics.segment(SegmentCount::Clicks, claims.segment),
        NoticeKind::Billing | NoticeKind::Loss => {}
    }
    if billed {
        count(bidder, claims, CapOutcome::Confirmed, CapChange::Confirmed { at: now.seconds(), until: expiry }, now);
    } else if kind == NoticeKind::Win {
        // A notice that is late, or comes again, does not keep the impression open for longer.
        let won = now.min(claims.bid_at.plus_seconds(i64::from(dialect.auction_window_s)));
        let until = won.plus_seconds(i64::from(dialect.billing_window_s)).seconds();
        count(bidder, claims, CapOutcome::Won, CapChange::Won { until }, now);
    } else if kind == NoticeKind::Loss {
        count(bidder, claims, CapOutcome::Released, CapChange::Released { until: expiry }, now);
    }
}

/// How long the money of a bid is held on this node, after a notice of it that is durable.
pub fn hold(reservations: &Reservations, kind: NoticeKind, claims: &Claims<'_>, billed: bool) {
    if billed {
        // Held until the ledger has charged it, and by then at the latest the token has expired.
        reservations.bill(claims.impression, claims.expires_at);
    } else if kind == NoticeKind::Win {
        reservations.win(claims.impression);
    } else if kind == NoticeKind::Loss {
        reservations.release(claims.impression);
    }
}

fn count(bidder: &Bidder, claims: &Claims<'_>, outcome: CapOutcome, change: CapChange, now: Micros) {
    if claims.keep == Keep::default() || claims.ids.as_slice().is_empty() {
        return;
    }
    bidder.metrics.cap_event(outcome);
    let event = CapEvent {
        impression: claims.impression,
        campaign: claims.campaign,
        creative: claims.creative,
        advertiser: claims.advertiser,
        segment: claims.segment,
        // A ghost bid is not sent, so there are no notices of it.
        ghost: false,
        keep: claims.keep,
        change,
    };
    bidder.profiles.count(claims.ids.as_slice(), &event, now);
}
