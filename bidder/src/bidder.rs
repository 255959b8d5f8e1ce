//! What the cores of one bidder share, and what each core has to itself.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use decision::decide::Scratch;
use decision::ids::NodeId;
use event_log::EventLog;
use rand::rngs::StdRng;
use segment_store::{IdHasher, ProfileBuffer, Profiles};

use crate::bid::Room;
use crate::campaigns::Campaigns;
use crate::events::Events;
use crate::exchange::dialect::Dialect;
use crate::exchange::request::RequestBuffer;
use crate::lease::Reservations;
use crate::limits::BUFFERS_KEPT_MAX;
use crate::metrics::Metrics;
use crate::own_time::OwnTime;
use crate::token::Keys;

/// What all cores of a bidder share. Everything in it can be read while requests are answered.
#[derive(Debug)]
pub struct Bidder {
    /// This process, new at every start.
    pub node: NodeId,
    /// The exchanges it answers, by the name in `/bid/{exchange}`.
    pub exchanges: BTreeMap<String, Dialect>,
    /// Campaigns in force.
    pub campaigns: Campaigns,
    /// The profiles.
    pub profiles: Profiles,
    /// How ids become keys of profiles.
    pub hasher: IdHasher,
    /// What seals and opens notice URLs.
    pub keys: Keys,
    /// Money held for bids in flight.
    pub reservations: Arc<Reservations>,
    /// Where telemetry goes.
    pub events: Events,
    /// Where notices go.
    pub log: EventLog,
    /// Whether the log takes no more notices: who cannot hear what a bid costs must not bid. Only a new start mends that.
    pub deaf: AtomicBool,
    /// What is counted.
    pub metrics: Metrics,
    /// Where exchanges and browsers reach this bidder, without a final slash.
    pub public_url: String,
    /// What request ids are hashed with to seed decisions.
    pub seed_key: u64,
    /// One request in so many is recorded whole in `opportunities`, by person.
    pub sampled_one_in: u32,
}

/// What one core has to itself.
#[derive(Debug)]
pub struct Core {
    /// What it shares with the others.
    pub bidder: Arc<Bidder>,
    /// Its number.
    pub number: usize,
    /// Where it looks profiles up.
    pub profiles: Profiles,
    /// How long its answers to bid requests take.
    pub own_time: OwnTime,
    /// Room for a decision; never held across an await.
    pub scratch: RefCell<Scratch>,
    /// Where impression ids come from: cryptographically strong, since they must not be guessed.
    pub random: RefCell<StdRng>,
    /// Boxed: they are large, and moved on each request.
    #[expect(clippy::vec_box, reason = "a move of the box is cheap, one of the buffers is not")]
    buffers: RefCell<Vec<Box<Buffers>>>,
}

/// Room for one request, from its arrival to its answer.
#[derive(Debug, Default)]
pub struct Buffers {
    /// For the view of the request.
    pub request: RequestBuffer,
    /// For the profile.
    pub profile: ProfileBuffer,
    /// For what is offered.
    pub(crate) offers: Room,
}

impl Core {
    /// A core of `bidder`.
    pub fn new(bidder: Arc<Bidder>, number: usize) -> Self {
        let (random, profiles) = (RefCell::new(rand::make_rng()), bidder.profiles.for_core());
        let (own_time, scratch, buffers) = (OwnTime::default(), RefCell::default(), RefCell::default());
        Self { bidder, number, profiles, own_time, scratch, random, buffers }
    }

    /// Room for one request: used before, where there is any. Give it back with [`Core::give_back`].
    pub fn take_buffers(&self) -> Box<Buffers> {
        self.buffers.borrow_mut().pop().unwrap_or_default()
    }

    /// Keeps the room of a finished request for the next one.
    pub fn give_back(&self, buffers: Box<Buffers>) {
        let mut kept = self.buffers.borrow_mut();
        if kept.len() < BUFFERS_KEPT_MAX {
            kept.push(buffers);
        }
    }
}
