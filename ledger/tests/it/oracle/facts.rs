//! What the ledger published, as far as the oracle has an opinion on it.

use ledger::Effects;
use proto::wire::{LeaseRefusal, OutcomeKind, lease_record::Event};

/// What follows from an entry, as far as the oracle has an opinion on it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Fact {
    Outcome {
        kind: OutcomeKind,
        impression: Vec<u8>,
        charged: i64,
        /// Media, exchange, data, margin.
        parts: Option<[i64; 4]>,
        late: bool,
        overdrawn: bool,
        above_bid: bool,
        day: i64,
    },
    Grant {
        node: u64,
        campaign: u32,
        ask: u64,
        lease: u64,
        amount: i64,
        until: i64,
        refusal: LeaseRefusal,
    },
    Settled {
        node: u64,
        campaign: u32,
        lease: u64,
        charged: i64,
        impressions: Vec<Vec<u8>>,
        closed: bool,
    },
    DayClosed {
        campaign: u32,
        day: i64,
        charges: u64,
        charged: i64,
    },
}

/// The facts that the ledger published.
pub(crate) fn facts(effects: &Effects) -> Vec<Fact> {
    let outcomes = effects.outcomes.iter().map(|o| match o.closed {
        Some(closed) => {
            let (day, charges, charged) = (o.day.into(), closed.charges, closed.charged);
            Fact::DayClosed { campaign: o.campaign, day, charges, charged }
        }
        None => Fact::Outcome {
            kind: o.kind(),
            impression: o.impression.clone(),
            charged: o.charged,
            parts: o.parts.map(|parts| [parts.media, parts.exchange_fee, parts.data_fee, parts.margin]),
            late: o.late,
            overdrawn: o.overdrawn,
            above_bid: o.above_bid,
            day: o.day.into(),
        },
    });
    let leases = effects.leases.iter().filter_map(|record| match record.event.clone().unwrap() {
        Event::Grant(g) => Some(Fact::Grant {
            node: g.node,
            campaign: g.campaign,
            ask: g.ask,
            lease: g.lease,
            amount: g.amount,
            until: g.until,
            refusal: g.refusal(),
        }),
        Event::Settled(s) => Some(Fact::Settled {
            node: s.node,
            campaign: s.campaign,
            lease: s.lease,
            charged: s.charged,
            impressions: s.impressions,
            closed: s.closed,
        }),
        // Nothing is booked by it.
        Event::Pace(_) => None,
        other => panic!("the ledger publishes no {other:?}"),
    });
    outcomes.chain(leases).collect()
}
