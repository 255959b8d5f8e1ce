//! Old and new nodes side by side on one Redis: bytes that were once written are read forever, and what a newer node wrote is
//! neither taken for something else nor written over.

use ::redis::{Client, cmd};
use decision::profile::{CapScope, Impression, UnknownWhy};
use segment_store::{Join, RedisProfiles, Refusal, StoreError};

use super::*;
use crate::redis_faults::options;
use crate::server::Server;

/// Form 1 of memberships: segment 7 until 1,795,000,000; 300 until 1,794,999,000 with a confidence of 85 percent.
const MEMBERSHIPS: &str = "01 0807060504030201 000102030405060708090a0b0c0d0e0f 02 0e809becaf0d cb04cf0f55";
/// Form 1 of caps: campaign 300 twice at 1,795,000,000, an impression of campaign 300 that was won.
const CAPS: &str = "01 01 00ac020302c086fd6a00 01 020000000000000001ac02070300d094fd6a";

const THEN: Seconds = Seconds(1_795_000_000);

fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<u32> = hex.chars().filter_map(|digit| digit.to_digit(16)).collect();
    digits.chunks(2).map(|pair| (pair[0] << 4 | pair[1]) as u8).collect()
}

/// A record in its form 1.
fn record(memberships: &[u8], caps: &[u8]) -> Vec<u8> {
    [&[1, memberships.len() as u8], memberships, caps].concat()
}

struct Store {
    profiles: Profiles,
    client: Client,
    _server: Server,
}

impl Store {
    async fn with(record: &[u8]) -> Self {
        let server = Server::start(&[]);
        let profiles = Profiles::Redis(RedisProfiles::open(options(&server)).await.unwrap());
        let store = Self { profiles, client: Client::open(server.url()).unwrap(), _server: server };
        let mut connection = store.client.get_multiplexed_async_connection().await.unwrap();
        cmd("SET").arg(&id(1).0).arg(record).exec_async(&mut connection).await.unwrap();
        store
    }

    async fn stored(&self) -> Vec<u8> {
        let mut connection = self.client.get_multiplexed_async_connection().await.unwrap();
        cmd("GET").arg(&id(1).0).query_async(&mut connection).await.unwrap()
    }

    async fn read(&self, buffer: &mut ProfileBuffer) -> Result<(), UnknownWhy> {
        let now = Micros(i64::from(THEN.0) * 1_000_000);
        self.profiles.read(Permit::of(&Signals::default()), &[id(1)], now, soon(), buffer).await
    }

    /// Changes memberships in every way there is; what became of each.
    async fn change_memberships(&self) -> [Result<(), StoreError>; 3] {
        let (ids, memberships) = ([id(1)], [membership(1, 2_000_000)]);
        let joined = self.profiles.join(&Join { ids: &ids, person: None, memberships: &memberships }, NOW).await;
        let left = self.profiles.leave(&ids, &[SegmentId(7)], NOW).await;
        [joined, left, self.profiles.put(&ids, u64::MAX, PersonKey([1; 16]), &memberships).await.map(drop)]
    }

    async fn count(&self) {
        self.profiles.count(&[id(1)], &event(1, CapChange::Won { until: at(2_000_000) }), NOW);
        self.profiles.flush().await.unwrap();
    }
}

#[tokio::test]
async fn the_first_form_is_read_forever() {
    let store = Store::with(&record(&bytes(MEMBERSHIPS), &bytes(CAPS))).await;
    let mut buffer = ProfileBuffer::new();
    assert_eq!(store.read(&mut buffer).await, Ok(()));
    let profile = buffer.profile();
    let membership = |segment, until, confidence| Membership { segment: SegmentId(segment), until, confidence };
    assert_eq!(profile.person, PersonKey(std::array::from_fn(|at| at as u8)));
    assert_eq!(profile.memberships, [membership(7, THEN, 100), membership(300, Seconds(THEN.0 - 1_000), 85)]);
    assert_eq!(profile.impressions, [Impression { scope: CapScope::Campaign(CampaignId(300)), at: THEN }; 3]);
}

/// A record with a part of a newer form: the person is unknown, and what this node writes leaves that part as it is.
async fn check_newer(record: &[u8], part: &[u8], memberships: &Result<(), StoreError>) {
    let store = Store::with(record).await;
    assert_eq!(store.read(&mut ProfileBuffer::new()).await, Err(UnknownWhy::Failed));
    assert_eq!(store.change_memberships().await, [memberships; 3].map(Clone::clone));
    store.count().await;
    assert_eq!(store.read(&mut ProfileBuffer::new()).await, Err(UnknownWhy::Failed));
    assert!(store.profiles.stats().corrupt >= 2);
    let stored = store.stored().await;
    assert!(stored.windows(part.len()).any(|window| window == part), "{stored:?}");
    // Who must be forgotten is forgotten by any node.
    store.profiles.remove(&[id(1)]).await.unwrap();
    assert_eq!(store.read(&mut ProfileBuffer::new()).await, Ok(()));
}

#[tokio::test]
async fn what_a_newer_node_wrote_stays() {
    let newer = |hex: &str| [&[2], &bytes(hex)[1..]].concat();
    let refused = Err(StoreError::Refused(Refusal::Unreadable));
    let (memberships, caps) = (newer(MEMBERSHIPS), newer(CAPS));
    check_newer(&record(&memberships, &[]), &record(&memberships, &[]), &refused).await;
    check_newer(&record(&[], &caps), &caps, &Ok(())).await;
    let whole = [&[2], &record(&bytes(MEMBERSHIPS), &bytes(CAPS))[1..]].concat();
    check_newer(&whole, &whole, &refused).await;
}
