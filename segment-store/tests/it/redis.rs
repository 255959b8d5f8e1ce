//! The suite on a real Redis and on a real cluster, and what only they can do wrong.

use std::collections::BTreeSet;

use decision::profile::UnknownWhy;
use segment_store::{Join, RedisOptions, RedisProfiles, StoreError};

use super::*;
use crate::contract::{fill, judge};

/// The addresses of `deploy/local/services`, or those in the environment.
#[expect(clippy::disallowed_methods, reason = "tests are told where the servers are")]
fn urls(variable: &str, default: &str) -> Vec<String> {
    let given = std::env::var(variable).unwrap_or_else(|_| default.to_owned());
    given.split(',').map(str::to_owned).collect()
}

pub(crate) fn single() -> RedisOptions {
    let urls = urls("REDIS_URL", "redis://127.0.0.1:17379");
    RedisOptions { urls, cluster: false, authority: None, lookup_timeout: Duration::from_secs(10) }
}

fn cluster() -> RedisOptions {
    let default = "redis://127.0.0.1:17381,redis://127.0.0.1:17382,redis://127.0.0.1:17383";
    RedisOptions { urls: urls("REDIS_CLUSTER_URL", default), cluster: true, ..single() }
}

pub(crate) async fn open(options: RedisOptions) -> Profiles {
    SALT.set(rand::random());
    let opened = RedisProfiles::open(options).await;
    Profiles::Redis(opened.unwrap_or_else(|error| panic!("{error}: run deploy/local/services up")))
}

async fn check(options: RedisOptions) {
    let profiles = open(options.clone()).await;
    fill(&profiles).await;
    judge(&profiles).await;
    judge(&profiles.for_core()).await;
    judge(&Profiles::Redis(RedisProfiles::open(options).await.unwrap())).await;
}

#[tokio::test]
async fn one_redis() {
    check(single()).await;
}

#[tokio::test]
async fn a_cluster() {
    check(cluster()).await;
}

/// Many writers of one person at once: nobody's change is lost, under any of the ids.
async fn check_writers(options: RedisOptions) {
    let profiles = open(options.clone()).await;
    let ids = [id(1), id(2), id(3)];
    let mut writers = tokio::task::JoinSet::new();
    for segment in 0..24 {
        let profiles = profiles.for_core();
        writers.spawn(async move {
            let memberships = [membership(segment, 2_000_000)];
            profiles.join(&Join { ids: &ids, person: None, memberships: &memberships }, NOW).await.unwrap();
            let event = event(segment as u8, CapChange::Confirmed { at: at(999_000 + segment), until: at(2_000_000) });
            profiles.count(
                &ids,
                &CapEvent { keep: Keep { campaign: 64, creative: 0, ..Keep::default() }, ..event },
                NOW,
            );
        });
    }
    writers.join_all().await;
    profiles.flush().await.unwrap();
    let expected: Vec<_> = (0..24).map(|segment| format!("{segment}:2000000")).collect();
    let times = (0..24).rev().map(|segment| format!("Campaign(CampaignId(1))@{}", 999_000 + segment));
    let expected = expected.into_iter().chain(times).collect::<Vec<_>>().join(" ");
    for known in [&ids[..1], &ids[1..2], &ids[2..], &ids[..]] {
        assert_eq!(shown(&profiles, known).await, expected);
    }
}

#[tokio::test]
async fn writers_of_one_redis_lose_nothing_of_one_another() {
    check_writers(single()).await;
}

#[tokio::test]
async fn writers_of_a_cluster_lose_nothing_of_one_another() {
    check_writers(cluster()).await;
}

#[tokio::test]
async fn a_batch_is_joined_in_order_also_where_people_come_twice() {
    let profiles = open(single()).await;
    let people: Vec<[IdHash; 2]> = (0..300).map(|number| [id(number % 100), id(1_000 + number % 70)]).collect();
    let memberships: Vec<_> = (0..300).map(|number| [membership(1, 2_000_000 + number)]).collect();
    let join = |(ids, memberships)| Join { ids, person: None, memberships };
    let joins: Vec<_> = people.iter().map(|ids| &ids[..]).zip(memberships.iter().map(|it| &it[..])).map(join).collect();
    assert_eq!(profiles.join_all(&joins, NOW).await.unwrap(), vec![Ok(()); 300]);
    assert_eq!(shown(&profiles, &[id(99)]).await, "1:2000299");
    let people: BTreeSet<_> = people.iter().flatten().collect();
    assert_eq!(people.len(), 170);
}

#[tokio::test]
async fn nobody_is_found_in_a_redis_that_is_not_there() {
    let nowhere = RedisOptions { urls: vec!["redis://127.0.0.1:1".into()], ..single() };
    assert!(matches!(RedisProfiles::open(nowhere).await, Err(StoreError::Unavailable(_))));
    let wrong = RedisOptions { urls: vec!["http://127.0.0.1".into()], ..single() };
    assert!(matches!(RedisProfiles::open(wrong).await, Err(StoreError::Unavailable(_))));
}

#[tokio::test]
async fn a_look_up_ends_at_its_deadline() {
    let profiles = open(single()).await;
    let mut buffer = ProfileBuffer::new();
    let permit = Permit::of(&Signals::default());
    let read = profiles.read(permit, &[id(1)], NOW, Instant::now(), &mut buffer).await;
    assert_eq!(read, Err(UnknownWhy::Late));
}
