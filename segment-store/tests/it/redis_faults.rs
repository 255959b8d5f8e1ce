//! What a Redis can do wrong, on servers of the test's own where others would mind.

use ::redis::Client;
use futures_util::future::join_all;
use segment_store::{RedisOptions, RedisProfiles, StoreError, limits};

use super::*;
use crate::redis::{open, single};
use crate::server::Server;
use decision::profile::UnknownWhy;
use segment_store::Join;

pub(crate) fn options(server: &Server) -> RedisOptions {
    RedisOptions { urls: vec![server.url()], ..single() }
}

/// Sends a command to a server: words, apart by spaces.
pub(crate) async fn send(server: &Server, command: &str) {
    let client = Client::open(server.url()).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    let mut words = ::redis::Cmd::new();
    for word in command.split(' ') {
        words.arg(word);
    }
    words.exec_async(&mut connection).await.unwrap();
}

async fn read(profiles: &Profiles, ids: &[IdHash]) -> Result<(), UnknownWhy> {
    profiles.read(Permit::of(&Signals::default()), ids, NOW, soon(), &mut ProfileBuffer::new()).await
}

#[tokio::test]
async fn a_part_of_a_cluster_that_answers_is_not_given_up_with_one_that_does_not() {
    let servers = Server::cluster();
    let lookup_timeout = Duration::from_millis(500);
    let profiles = open(RedisOptions { cluster: true, lookup_timeout, ..options(&servers[0]) }).await;
    let id_of = |half: u16| {
        let slot = |id: &IdHash| crc16::State::<crc16::XMODEM>::calculate(&id.0) % 16_384;
        (1..).map(id).find(|id| slot(id) / 8_192 == half).unwrap()
    };
    let (here, there) = (id_of(0), id_of(1));
    assert_eq!(read(&profiles, &[here, there]).await, Ok(()));
    send(&servers[1], "CLIENT PAUSE 600000 ALL").await;
    let both = [here, there];
    let reads = (0..limits::REDIS_FAILURES_MAX).map(|_| read(&profiles, &both));
    assert_eq!(join_all(reads).await, vec![Err(UnknownWhy::Late); limits::REDIS_FAILURES_MAX as usize]);
    assert_eq!(read(&profiles, &[there]).await, Err(UnknownWhy::Late), "one pause fails all that are under way");
    assert_eq!(read(&profiles, &[there]).await, Err(UnknownWhy::Failed), "given up");
    assert_eq!(read(&profiles, &[here]).await, Ok(()));
}

#[tokio::test]
async fn a_record_that_is_none_says_nothing_of_redis() {
    let server = Server::start(&[]);
    let profiles = open(options(&server)).await;
    let client = Client::open(server.url()).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    ::redis::cmd("SADD").arg(&id(1).0).arg("not ours").exec_async(&mut connection).await.unwrap();
    for _ in 0..=limits::REDIS_FAILURES_MAX {
        assert_eq!(read(&profiles, &[id(1)]).await, Err(UnknownWhy::Failed));
    }
    assert_eq!(read(&profiles, &[id(2)]).await, Ok(()));
}

#[tokio::test]
async fn a_write_that_redis_refuses_is_not_taken_for_made() {
    let server = Server::start(&[]);
    let profiles = open(options(&server)).await;
    send(&server, "CONFIG SET maxmemory 1").await;
    let join = Join { ids: &[id(1)], person: None, memberships: &[membership(1, 2_000_000)] };
    assert!(matches!(profiles.join(&join, NOW).await, Err(StoreError::Unavailable(_))));
    profiles.count(&[id(1)], &event(1, CapChange::Won { until: at(2_000_000) }), NOW);
    assert!(matches!(profiles.flush().await, Err(StoreError::Unavailable(_))));
    send(&server, "CONFIG SET maxmemory 0").await;
    profiles.join(&join, NOW).await.unwrap();
    profiles.flush().await.unwrap();
    let (campaign, creative) = ("Campaign(CampaignId(1))@1000000", "Creative(CreativeId(2))@1000000");
    assert_eq!(shown(&profiles, &[id(1)]).await, format!("1:2000000 {campaign} {creative}"));
}

#[tokio::test]
async fn what_is_forgotten_for_want_of_room_is_counted_once_however_many_write() {
    let server = Server::start(&[]);
    let profiles = open(options(&server)).await;
    let ids = [id(1)];
    let pending = |number: usize| CapEvent {
        impression: ImpressionId((number as u128).to_le_bytes()),
        ..event(0, CapChange::Pending { until: at(2_000_000) })
    };
    (0..limits::OPEN_IMPRESSIONS_MAX).for_each(|number| profiles.count(&ids, &pending(number), NOW));
    profiles.flush().await.unwrap();
    assert_eq!(profiles.stats().forgotten_impressions, 0);
    // Each has a thread of its own that counts.
    let (writers, events) = (8, 20);
    let forgotten = (1..=writers).map(async |writer: usize| {
        let profiles = Profiles::Redis(RedisProfiles::open(options(&server)).await.unwrap());
        for number in 0..events {
            profiles.count(&ids, &pending(1_000 * writer + number), NOW);
            profiles.flush().await.unwrap();
        }
        profiles.stats().forgotten_impressions
    });
    assert_eq!(join_all(forgotten).await.iter().sum::<u64>(), (writers * events) as u64);
}
