//! What is recorded of a request that is answered too late.

use std::sync::Arc;
use std::time::Duration;

use bidder::bid::{Answer, bid};
use bidder::bidder::Core;
use bidder::server::Moment;
use event_log::{Offsets, Stream};
use proto::record;
use proto::wire::OpportunityRecord;
use tokio::time::Instant;

use crate::place::Place;

/// Answers a request that was accepted at that time; how many decisions the stream has of it.
async fn check(clock: Instant, expected: (Answer, usize)) {
    let place = Place::new();
    let core = Core::new(Arc::clone(&place.bidder), 0);
    let accepted = Moment { clock, ..Moment::now() };
    let body = br#"{"id":"r","imp":[{"id":"1","banner":{"w":300,"h":250}}],"user":{"id":"u"}}"#;
    let answer = bid(&core, "new", body, accepted).await;
    let recorded =
        place.bidder.log.read_from(Stream::Opportunities, &Offsets::default()).next().await.expect("a log that works");
    let [record] = &recorded[..] else { panic!("{recorded:?}") };
    let record: OpportunityRecord = record::decode(&record.value).expect("an opportunity");
    assert_eq!((record.request_id.as_str(), record.opportunities.len()), ("r", 1));
    assert_eq!((answer, record.decisions.len()), expected);
    place.bidder.events.close();
}

#[tokio::test]
async fn a_late_request_is_recorded_as_one_without_a_decision() {
    let (now, minute) = (Instant::now(), Duration::from_secs(60));
    check(now - minute, (Answer::Late, 0)).await;
    check(now + minute, (Answer::NoBid, 1)).await;
}
