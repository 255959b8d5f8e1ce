//! A million notices of sealed bids: each comes up to seven times, in any order, to any node, with forged ones among them.
//! What is booked is what was bid, and nothing else.

use std::collections::BTreeMap;

use bidder::exchange::dialect::{Billable, Dialect};
use bidder::notice;
use bidder::token::{Claims, Forged, Ids, Key, Keys, NoticeKind};
use decision::ids::{
    AdvertiserId, CampaignId, CreativeId, Currency, ExchangeName, ImpressionId, LeaseId, NodeId, ShardId, VariantId,
};
use decision::money::{Fees, Nanos, Rate};
use decision::outcome::Arm;
use decision::profile::Keep;
use decision::time::Micros;
use ledger::{Charge, Ledger};
use proto::record::encode;
use proto::wire::{CampaignBudget, JournalEntry, LeaseAsk, journal_entry::Input, lease_record::Event};
use rand::rngs::SmallRng;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};

use crate::oracle::gross;
use crate::{DAY, SECOND, number};

/// How many notices come; `VERNIER_NOTICES` at compile time overrides it.
const NOTICES: u64 = number(option_env!("VERNIER_NOTICES"), 1_000_000);
const COPIES_MAX: u8 = 7;
const CAMPAIGNS: u32 = 8;
const NODES: u64 = 6;
/// One token in so many is also tried with a change.
const FORGED_ONE_IN: u32 = 8;
const BATCH: u64 = 1_000;
const BID_AT: i64 = 20_000 * DAY;
const LIFE_S: i64 = 3_600;

#[test]
fn a_million_notices_book_what_was_bid_and_nothing_else() {
    let place = Place::new();
    let (first, again, other) = (place.fold(1), place.fold(1), place.fold(2));
    let spent = |ledger: &Ledger| -> BTreeMap<u32, i128> {
        ledger.books(Micros(0)).campaigns.iter().map(|c| (c.campaign.0, c.sums.spent)).collect()
    };
    let expected = place.expected();
    assert_eq!(spent(&first), expected);
    assert_eq!(spent(&other), expected, "in another order");
    let bytes = |ledger: &Ledger| -> Vec<Vec<u8>> { ledger.snapshot(0).map(|part| encode(&part)).collect() };
    assert_eq!(bytes(&first), bytes(&again), "two rebuilds");
    for (charge, most) in [(Charge::Late, 0), (Charge::Overdrawn, 0), (Charge::Unmatched, 0), (Charge::Contradicted, 0)]
    {
        assert_eq!(first.tally().charges(charge), most, "{charge:?}");
    }
    for charge in [Charge::Made, Charge::Repeated, Charge::Expired] {
        let times = first.tally().charges(charge);
        assert!(times * 100 > NOTICES, "{charge:?} is hardly reached: {times}");
        assert_eq!(times > 0, other.tally().charges(charge) > 0);
    }
}

/// One notice that comes.
struct Arrival {
    kind: NoticeKind,
    node: NodeId,
    at: Micros,
    query: String,
}

struct Place {
    /// Who bids and opens, and one with another secret under the same number.
    keys: Keys,
    forger: Keys,
    /// One bills by `burl`, the other by the view.
    dialects: [Dialect; 2],
}

/// What is bid for an impression, and what is paid.
struct Bid {
    claims: Claims<'static>,
    paid: Nanos,
    copies: u8,
    billable: NoticeKind,
}

impl Place {
    fn new() -> Self {
        let keys = |secret: u8| Keys::new(Key::new(1, &[secret; 16]), None);
        let dialect = |name: &str, billable| Dialect { billable, ..Dialect::new(ExchangeName::new(name).unwrap()) };
        let dialects = [dialect("burl", Billable::Billing), dialect("pixel", Billable::View)];
        Self { keys: keys(7), forger: keys(8), dialects }
    }

    fn dialect(&self, claims: &Claims<'_>) -> &Dialect {
        self.dialects.iter().find(|dialect| dialect.name == claims.exchange).unwrap()
    }

    /// The bid for impression `number`; the same each time.
    fn bid(&self, number: u32) -> Bid {
        let mut random = SmallRng::seed_from_u64(u64::from(number));
        let mut impression = [0; 16];
        random.fill(impression.as_mut_slice());
        let dialect = &self.dialects[random.random_range(0..2)];
        let campaign = random.random_range(1..=CAMPAIGNS);
        let price = random.random_range(1..10_000_000);
        let rate = [1_000_000_000, 1_084_500_001, 333_333_333][random.random_range(0..3)];
        // Half of them cost more than media.
        let fees = [(0, 0, 0), (0, 0, 0), (25_000, 400_000, 150_000), (0, 0, 333_333)][random.random_range(0..4)];
        let claims = Claims {
            impression: ImpressionId(impression),
            exchange: dialect.name,
            imp_id: "1",
            campaign: CampaignId(campaign),
            advertiser: AdvertiserId(1),
            creative: CreativeId(1),
            variant: VariantId(1),
            person: None,
            ids: Ids::default(),
            keep: Keep::default(),
            test: random.random_bool(0.01),
            node: NodeId(random.random_range(1..=NODES)),
            // The leases are what the entries after the budgets granted.
            lease: LeaseId(u64::from(CAMPAIGNS + campaign)),
            price: Nanos::new(price),
            currency: Currency::new("USD").unwrap(),
            rate: Rate::new(rate).unwrap(),
            fees: Fees::new(fees.0, Nanos::new(fees.1), fees.2).unwrap(),
            segment: None,
            arm: Arm::None,
            index_version: 1,
            bid_at: Micros(BID_AT),
            expires_at: Micros(BID_AT + random.random_range(1..LIFE_S) * SECOND),
            landing_url: "https://shop.example/",
        };
        // Some exchanges ask for more than was bid.
        let paid = Nanos::new(price * random.random_range(50..102) / 100);
        let copies = random.random_range(1..=COPIES_MAX);
        Bid { claims, paid, copies, billable: dialect.billable.kind() }
    }

    /// A delivery of a notice of that bid; the same each time.
    fn arrival(number: u32, copy: u8, bid: &Bid) -> Arrival {
        let mut random = SmallRng::seed_from_u64(u64::from(number) << 8 | u64::from(copy) | 1 << 63);
        let kind = if random.random_bool(0.7) { bid.billable } else { NoticeKind::ALL[random.random_range(0..5)] };
        let (whole, millionths) = (bid.paid.get() / 1_000_000, bid.paid.get() % 1_000_000);
        let query = match random.random_range(0..50) {
            0 => "p=${AUCTION_PRICE}".to_owned(),
            1 => "p=AUDIT".to_owned(),
            _ => format!("p={whole}.{millionths:06}"),
        };
        let (node, at) = (random.random_range(1..=NODES), BID_AT + random.random_range(0..LIFE_S * SECOND));
        Arrival { kind, node: NodeId(node), at: Micros(at), query }
    }

    /// Every delivery there is: the impression and which of its copies.
    fn arrivals(&self) -> Vec<(u32, u8)> {
        let mut all = Vec::new();
        for number in 0.. {
            if all.len() as u64 >= NOTICES {
                break;
            }
            all.extend((0..self.bid(number).copies).map(|copy| (number, copy)));
        }
        all
    }

    /// What each campaign spends: the price of every impression of which a valid notice comes in time.
    fn expected(&self) -> BTreeMap<u32, i128> {
        let mut billed = BTreeMap::new();
        for (number, copy) in self.arrivals() {
            let bid = self.bid(number);
            let Arrival { kind, at, query, .. } = Self::arrival(number, copy, &bid);
            let is_priced = query.as_bytes()[2].is_ascii_digit();
            if kind == bid.billable && is_priced && at <= bid.claims.expires_at && !bid.claims.test {
                let (price, rate) = (bid.paid.min(bid.claims.price).get(), i128::from(bid.claims.rate.get()));
                let media = (i128::from(price) * 1_000_000_000 + rate - 1) / rate;
                let amount = proto::fees::record(bid.claims.fees).map_or(media, |fees| gross(media, &fees));
                billed.insert(number, (bid.claims.campaign.0, amount));
            }
        }
        let mut spent: BTreeMap<u32, i128> = (1..=CAMPAIGNS).map(|campaign| (campaign, 0)).collect();
        billed.values().for_each(|(campaign, amount)| *spent.get_mut(campaign).unwrap() += amount);
        spent
    }

    /// Delivers everything in an order of its own, and folds what nodes take.
    fn fold(&self, order: u64) -> Ledger {
        let mut ledger = lent();
        let mut random = SmallRng::seed_from_u64(order);
        let mut arrivals = self.arrivals();
        arrivals.shuffle(&mut random);
        for (number, copy) in arrivals {
            let bid = self.bid(number);
            let Arrival { kind, node, at, query } = Self::arrival(number, copy, &bid);
            let mut token = String::new();
            self.keys.seal(&bid.claims).token(kind, &mut token);
            if random.random_ratio(1, FORGED_ONE_IN) {
                let (kind, forged) = self.forge(&mut random, kind, &token, &bid.claims);
                assert_eq!(self.keys.open(kind, &forged, at).err(), Some(Forged), "{kind:?} {forged}");
            }
            let (opened, expired) = self.keys.open(kind, &token, at).unwrap();
            let claims = opened.claims();
            assert_eq!(expired, at > bid.claims.expires_at);
            let (record, _) = notice::notice(node, kind, &claims, self.dialect(&claims), &query, at);
            fold(&mut ledger, Input::Notice(proto::wire::Notice { query: String::new(), ..record }));
        }
        ledger.audit();
        ledger
    }

    /// Something that is not the token of this bid for this kind.
    fn forge(&self, random: &mut SmallRng, kind: NoticeKind, token: &str, claims: &Claims<'_>) -> (NoticeKind, String) {
        let mut forged = token.to_owned();
        match random.random_range(0..5) {
            // A click that is to bill, and the like.
            0 => {
                let other = (NoticeKind::ALL.iter().position(|k| *k == kind).unwrap() + random.random_range(1..5)) % 5;
                return (NoticeKind::ALL[other], forged);
            }
            1 => {
                forged.clear();
                self.forger.seal(claims).token(kind, &mut forged);
            }
            2 => forged.truncate(random.random_range(0..token.len())),
            3 => {
                forged.clear();
                let dearer = Claims { price: claims.price.saturating_add(Nanos::new(1)), ..*claims };
                self.keys.seal(&dearer).token(kind, &mut forged);
                // The body of one token and the mark of another.
                forged.replace_range(..40, &token[..40]);
            }
            _ => {
                let at = random.random_range(0..token.len());
                let mut bytes = forged.into_bytes();
                bytes[at] ^= 1 << random.random_range(0..7);
                forged = String::from_utf8(bytes).unwrap();
            }
        }
        (kind, forged)
    }
}

/// Books with one lease of each campaign that holds enough for all.
fn lent() -> Ledger {
    let mut ledger = Ledger::new(ShardId(0));
    let most = 10_000_000 * 5 * i64::try_from(NOTICES).unwrap();
    for campaign in 1..=CAMPAIGNS {
        let budget = CampaignBudget {
            campaign,
            advertiser: 1,
            currency: "EUR".to_owned(),
            daily: most,
            total: most,
            until: i64::MAX,
            ..CampaignBudget::default()
        };
        fold(&mut ledger, Input::Budget(budget));
    }
    for campaign in 1..=CAMPAIGNS {
        fold(&mut ledger, Input::Ask(LeaseAsk { node: 1, campaign, ask: 1, amount: most, demand: 0, demand_us: 0 }));
    }
    ledger
}

fn fold(ledger: &mut Ledger, input: Input) {
    let sequence = ledger.sequence() + 1;
    let settle = sequence.is_multiple_of(BATCH);
    let input = Some(input);
    let effects = ledger
        .apply(&JournalEntry { sequence, epoch: 1, at: BID_AT, input, settle, ..JournalEntry::default() })
        .unwrap();
    for record in &effects.leases {
        if let Some(Event::Grant(grant)) = &record.event {
            assert_eq!(grant.lease, u64::from(CAMPAIGNS + grant.campaign));
        }
    }
}
