//! One bid request, top to bottom: bytes in, bytes out. It waits in one place only, for the profile.

use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use decision::decide::{self, Decided};
use decision::outcome::{Decision, Silent};
use decision::profile::Audience;
use decision::time::Micros;
use segment_store::{ProfileBuffer, Profiles};
use tokio::time::Instant;
use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::bidder::{Bidder, Buffers, Core};
use crate::exchange::dialect::Dialect;
use crate::exchange::glance;
use crate::exchange::request::BidRequest;
use crate::limits::DECISION_SHARE;
use crate::metrics::{LookUp, RequestOutcome};
use crate::privacy;
use crate::server::{Moment, Post};

mod ids;
mod offers;
mod sample;

pub use ids::{PersonIds, person_ids};
use offers::Offers;
pub(crate) use offers::Room;
use sample::Paces;

/// What an exchange is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// 200 with a bid response.
    Bids(Bytes),
    /// 204.
    NoBid,
    /// 204: no time is left. In the stream `opportunities` it is a request without a decision.
    Late,
    /// 204: the log of notices failed, so what a bid would cost could not be heard.
    Deaf,
    /// 400, empty: these bytes are no bid request.
    Malformed,
    /// 404: no such exchange.
    UnknownExchange,
}

impl Answer {
    /// How it is counted.
    pub fn outcome(&self) -> RequestOutcome {
        match self {
            Self::Bids(_) => RequestOutcome::Bid,
            Self::NoBid => RequestOutcome::NoBid,
            Self::Late => RequestOutcome::Late,
            Self::Deaf => RequestOutcome::Deaf,
            Self::Malformed => RequestOutcome::Malformed,
            Self::UnknownExchange => RequestOutcome::UnknownExchange,
        }
    }
}

/// How long an exchange waits for the answer to a request that is not read yet, less the part in which nobody is looked up any
/// more; `None`: it is none of ours. Where it is compressed, it is taken to leave as much time as the exchange mostly does: to
/// inflate it would cost more than to say no.
pub fn patience(core: &Core, exchange: &str, post: &Post<'_>) -> Option<Duration> {
    let dialect = core.bidder.exchanges.get(exchange)?;
    let tmax_ms = if post.encoded { 0 } else { glance::tmax_ms(post.body) };
    let time = Duration::from_millis(dialect.deadline_ms(tmax_ms).into());
    Some(time - time / DECISION_SHARE)
}

/// Answers one bid request.
pub async fn bid(core: &Core, exchange: &str, body: &[u8], accepted: Moment) -> Answer {
    let Some(dialect) = core.bidder.exchanges.get(exchange) else { return Answer::UnknownExchange };
    if core.bidder.deaf.load(Ordering::Relaxed) {
        return Answer::Deaf;
    }
    let mut buffers = core.take_buffers();
    let answer = answer(core, dialect, body, &mut buffers, accepted).await;
    core.give_back(buffers);
    answer
}

async fn answer(core: &Core, dialect: &Dialect, body: &[u8], buffers: &mut Buffers, accepted: Moment) -> Answer {
    let Buffers { request, profile, offers: room } = buffers;
    let now = accepted.wall;
    let Ok(view) = request.read(body, dialect) else { return Answer::Malformed };
    if view.imps.is_empty() || !view.seat_allowed(&dialect.seat) {
        return Answer::NoBid;
    }
    let time = Duration::from_millis(dialect.deadline_ms(view.tmax_ms).into());
    let deadline = accepted.clock + time;
    let known_by = deadline - time / DECISION_SHARE;
    let (read, ids, audience) = look_up(&core.bidder, &core.profiles, &view, profile, now, known_by).await;
    let snapshot = core.bidder.campaigns.load();
    let seed = seed(&core.bidder, &view);
    let request = decide::BidRequest { context: &view.context, opportunities: view.opportunities, audience, now, seed };
    let mut offers = Offers::new(core, dialect, &snapshot, &view, &request, (ids, read), room);
    // Nobody would take the bid, so nothing is decided, and no money is held. What is left to do takes microseconds.
    if Instant::now() >= deadline {
        offers.finish();
        return Answer::Late;
    }
    let mut scratch = core.scratch.borrow_mut();
    let stopped = |slot| snapshot.is_stopped(slot);
    let paces = offers.is_sampled().then(Paces::default);
    let pace = |slot| paces.as_ref().map_or_else(|| snapshot.pace_ppm(slot), |paces| paces.read(&snapshot, slot));
    let reserve = |slot, amount| offers.reserve(slot, amount);
    let Decided { decisions, ghosts, evidence } =
        decide::decide(&snapshot.index, &request, &mut scratch, stopped, pace, reserve, &mut Silent);
    for (imp, decision) in decisions.enumerate() {
        match decision {
            Decision::Bid(bid) => offers.add(imp, bid, &evidence),
            Decision::NoBid(reason) => offers.none(imp, reason),
        }
    }
    ghosts.iter().for_each(|ghost| offers.ghost(ghost, &evidence));
    offers.paced(paces);
    offers.finish().map_or(Answer::NoBid, Answer::Bids)
}

/// Looks the person up, as far as the request permits it, and leaves what was read in `profile`. A stranger can still be bid on; a late answer to the exchange
/// cannot be.
pub async fn look_up<'p>(
    bidder: &Bidder,
    profiles: &Profiles,
    view: &BidRequest<'_>,
    profile: &'p mut ProfileBuffer,
    now: Micros,
    deadline: Instant,
) -> (&'p ProfileBuffer, PersonIds, Audience<'p>) {
    let permit = privacy::permit(view);
    if let Some(by) = permit.restricted_by() {
        bidder.metrics.restricted(by);
    }
    let ids = person_ids(&bidder.hasher, view, &permit);
    let found = profiles.read(permit, ids.as_slice(), now, deadline, profile).await;
    let profile: &ProfileBuffer = profile;
    let audience = found.map_or_else(Audience::Unknown, |()| Audience::Known(profile.profile()));
    bidder.metrics.looked_up(match audience {
        Audience::Known(known) if known.memberships.is_empty() => LookUp::Stranger,
        Audience::Known(_) => LookUp::Member,
        Audience::Unknown(why) => LookUp::Unknown(why),
    });
    (profile, ids, audience)
}

/// A keyed hash of the request's id: a replay has the same one, and no sender can choose it.
pub fn seed(bidder: &Bidder, view: &BidRequest<'_>) -> u64 {
    xxh3_64_with_seed(view.id.text.as_bytes(), bidder.seed_key)
}
