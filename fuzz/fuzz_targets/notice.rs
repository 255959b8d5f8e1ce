//! Any query of a notice: its record keeps what was sent within bounds, and says of price and reason what an independent
//! reading says.
#![no_main]

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use bidder::bidder::Bidder;
use bidder::campaigns::Campaigns;
use bidder::events::Events;
use bidder::exchange::dialect::Dialect;
use bidder::lease::Reservations;
use bidder::limits::NOTICE_QUERY_BYTES_MAX;
use bidder::metrics::Metrics;
use bidder::notice::{Answer, take};
use bidder::token::{Claims, Ids, Key, Keys, NoticeKind};
use decision::ids::{
    AdvertiserId, CampaignId, CreativeId, Currency, ExchangeName, ImpressionId, LeaseId, NodeId, VariantId,
};
use decision::money::{Fees, Nanos, Rate, Rates};
use decision::outcome::Arm;
use decision::profile::Keep;
use decision::time::Micros;
use event_log::{EventLog, LocalLog, LocalOptions, Offsets, Stream, Tail};
use proto::record;
use proto::wire::Notice;
use segment_store::{IdHasher, LocalProfiles, Profiles};

const NOW: Micros = Micros(1_800_000_000_000_000);
const LANDING: &str = "https://shop.example/";
/// Notices after which the log begins anew: it keeps all of them.
const NOTICES_MAX: u64 = 20_000;

/// A bidder on a real log, and who reads what it records.
struct Place {
    bidder: Bidder,
    notices: Tail,
    tokens: [String; NoticeKind::ALL.len()],
    runtime: tokio::runtime::Runtime,
    _dir: tempfile::TempDir,
}

thread_local! {
    static PLACE: RefCell<Place> = RefCell::new(Place::new());
}

impl Place {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let log = EventLog::from(LocalLog::open(LocalOptions::new(dir.path().join("events"))).expect("a log"));
        let profiles = LocalProfiles::open(&dir.path().join("profiles")).expect("profiles");
        let name = ExchangeName::new("demo").expect("a name");
        let keys = Keys::new(Key::new(1, &[9; 16]), None);
        let tokens = NoticeKind::ALL.map(|kind| {
            let mut token = String::new();
            keys.seal(&claims(name)).token(kind, &mut token);
            token
        });
        let bidder = Bidder {
            node: NodeId(7),
            exchanges: BTreeMap::from([(name.to_string(), Dialect::new(name))]),
            campaigns: Campaigns::new(Rates::default()),
            profiles: Profiles::Local(Arc::new(profiles)),
            hasher: IdHasher::new([1; 16]),
            keys,
            reservations: Arc::new(Reservations::default()),
            events: Events::start(log.clone()).expect("a thread").0,
            log: log.clone(),
            deaf: AtomicBool::new(false),
            metrics: Metrics::new(1),
            public_url: String::new(),
            seed_key: 1,
            sampled_one_in: 1,
        };
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        Self { bidder, notices: log.read_from(Stream::Notices, &Offsets::default()), tokens, runtime, _dir: dir }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.bidder.events.close();
    }
}

fn claims(exchange: ExchangeName) -> Claims<'static> {
    Claims {
        impression: ImpressionId([3; 16]),
        exchange,
        imp_id: "1",
        campaign: CampaignId(1),
        advertiser: AdvertiserId(1),
        creative: CreativeId(1),
        variant: VariantId(1),
        person: None,
        ids: Ids::default(),
        keep: Keep::default(),
        test: false,
        node: NodeId(7),
        lease: LeaseId(1),
        price: Nanos::of_one_impression(2_000_000),
        currency: Currency::new("USD").expect("a code"),
        rate: Rate::ONE,
        fees: Fees::NONE,
        segment: None,
        arm: Arm::None,
        index_version: 0,
        bid_at: NOW,
        expires_at: NOW.plus_seconds(3_600),
        landing_url: LANDING,
    }
}

/// The first value of a parameter, as the URL standard decodes it.
fn parameter(query: &str, name: &str) -> Option<String> {
    let value = query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))?;
    let (mut bytes, mut rest) = (Vec::new(), value.as_bytes());
    while let Some((&first, after)) = rest.split_first() {
        let digits = after.first_chunk::<2>().filter(|two| first == b'%' && two.iter().all(u8::is_ascii_hexdigit));
        let code = digits.map(|two| u8::from_str_radix(std::str::from_utf8(two).expect("ASCII"), 16).expect("digits"));
        bytes.push(code.unwrap_or(first));
        rest = if code.is_some() { &after[2..] } else { after };
    }
    String::from_utf8(bytes).ok()
}

/// A price in floating point is near the exact one, which is cut to whole nanos.
fn agree(exact: Option<i64>, said: Option<String>) {
    let float = said.as_deref().and_then(|said| said.parse::<f64>().ok());
    if let Some(exact) = exact {
        let micros = 1e6 * float.expect("a price is a number");
        assert!(exact >= 0 && (micros - exact as f64).abs() <= 1.0 + 1e-9 * micros, "{exact} of {said:?}");
    } else if let Some(said) = said {
        let plain = (1..=9).contains(&said.len()) && said.bytes().all(|byte| byte.is_ascii_digit());
        assert!(!plain, "{said} is a price");
    }
}

libfuzzer_sys::fuzz_target!(|data: (u8, &str)| {
    let (choice, query) = data;
    let kind = NoticeKind::ALL[usize::from(choice) % NoticeKind::ALL.len()];
    PLACE.with_borrow_mut(|place| {
        if place.notices.offsets().sum() >= NOTICES_MAX {
            *place = Place::new();
        }
        let answer = place.runtime.block_on(take(&place.bidder, kind, &place.tokens[kind as usize], query, NOW));
        match kind {
            NoticeKind::Click => assert_eq!(answer, Answer::Redirect(LANDING.into())),
            NoticeKind::View => assert_eq!(answer, Answer::Pixel),
            NoticeKind::Win | NoticeKind::Billing | NoticeKind::Loss => assert_eq!(answer, Answer::Acknowledged),
        }
        let records = place.notices.try_next().expect("what is acknowledged is durable");
        assert_eq!(records.len(), 1);
        let notice: Notice = record::decode(&records[0].value).expect("a notice");
        assert!(query.starts_with(&notice.query) && notice.query.len() <= NOTICE_QUERY_BYTES_MAX);
        assert!(notice.query.len() + 4 > query.len().min(NOTICE_QUERY_BYTES_MAX), "cut at no more than a character");
        assert_eq!(notice.billable, kind == NoticeKind::Billing);
        agree(notice.price, parameter(&notice.query, "p"));
        agree(notice.min_to_win, parameter(&notice.query, "m"));
        assert_eq!(notice.loss_reason, parameter(&notice.query, "r").and_then(|reason| reason.parse().ok()));
    });
});
