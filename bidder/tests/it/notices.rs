//! What becomes of a notice, on a real log: by its token, its time and its price.

use std::sync::Arc;

use bidder::bid::{self, bid};
use bidder::bidder::Core;
use bidder::exchange::dialect::{Billable, Dialect};
use bidder::notice::{Answer, take};
use bidder::server::Moment;
use bidder::token::{Claims, Ids, NoticeKind};
use decision::ids::{
    AdvertiserId, CampaignId, CreativeId, Currency, ExchangeName, IdHash, ImpressionId, LeaseId, VariantId,
};
use decision::money::{Fees, Nanos, Rate};
use decision::outcome::Arm;
use decision::profile::Keep;
use decision::time::Micros;
use event_log::{Offsets, Stream};
use proto::record;
use proto::wire::{Notice, NoticeKind as WireKind};

use crate::place::{NODE, Place};

const BID_AT: Micros = Micros(1_800_000_000_000_000);
const LIFE_S: i64 = 3_600;

/// A bidder of two exchanges: `burl` bills by `burl`, `pixel` by the view.
fn place() -> Place {
    let [burl, pixel] = ["burl", "pixel"].map(|name| Dialect::new(ExchangeName::new(name).expect("a name")));
    Place::of([burl, Dialect { billable: Billable::View, ..pixel }])
}

fn claims(exchange: &str, test: bool) -> Claims<'static> {
    Claims {
        impression: ImpressionId([3; 16]),
        exchange: ExchangeName::new(exchange).expect("a name"),
        imp_id: "1",
        campaign: CampaignId(1),
        advertiser: AdvertiserId(1),
        creative: CreativeId(1),
        variant: VariantId(1),
        person: None,
        ids: Ids::new(&[IdHash([4; 16])]),
        keep: Keep { campaign: 2, ..Keep::default() },
        test,
        node: NODE,
        lease: LeaseId(1),
        price: Nanos::of_one_impression(2_000_000),
        currency: Currency::new("USD").expect("a code"),
        rate: Rate::ONE,
        fees: Fees::new(25_000, Nanos::of_one_impression(400_000), 150_000).expect("they can be"),
        segment: None,
        arm: Arm::None,
        index_version: 0,
        bid_at: BID_AT,
        expires_at: BID_AT.plus_seconds(LIFE_S),
        landing_url: "https://shop.example/",
    }
}

/// `check("billing burl p=1.5 60", "Acknowledged; billing billable 1500000")`: kind, exchange, query, seconds after the bid;
/// answer, and the record in the stream.
fn check(notice: &str, expected: &str) {
    let words: Vec<&str> = notice.split(' ').collect();
    let kind = NoticeKind::of_label(words[0]).expect("a kind");
    let test = words[1].ends_with("+test");
    let claims = claims(words[1].trim_end_matches("+test"), test);
    let place = place();
    let mut token = String::new();
    place.bidder.keys.seal(&claims).token(kind, &mut token);
    let now = BID_AT.plus_seconds(words[3].parse().expect("seconds"));
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let answer = runtime.block_on(take(&place.bidder, kind, &token, words[2], now));
    place.bidder.events.close();
    // Closing waits until everything that was appended is durable.
    place.bidder.log.clone().close();
    let records = place.bidder.log.read_from(Stream::Notices, &Offsets::default()).try_next().unwrap_or_default();
    let said: Vec<String> = records
        .iter()
        .map(|record| {
            let notice: Notice = record::decode(&record.value).expect("a notice");
            let kind =
                WireKind::try_from(notice.kind).expect("a kind").as_str_name().trim_start_matches("NOTICE_KIND_");
            let billable = if notice.billable { "billable" } else { "plain" };
            let price = notice.price.map_or_else(|| "no price".to_owned(), |price| price.to_string());
            let void = if notice.void { " void" } else { "" };
            format!("{} {billable} {price}{void}", kind.to_lowercase())
        })
        .collect();
    let answer = match answer {
        Answer::Redirect(to) => format!("Redirect {to}"),
        other => format!("{other:?}"),
    };
    assert_eq!(format!("{answer}; {}", said.join(", ")), expected, "{notice}");
}

#[test]
fn notices_are_recorded_and_only_the_billable_one_is_billable() {
    check("billing burl p=1.5 60", "Acknowledged; billing billable 1500000");
    check("win burl p=1.5 60", "Acknowledged; win plain 1500000");
    check("loss burl r=102 60", "Acknowledged; loss plain no price");
    check("view burl p=1.5 60", "Pixel; view plain 1500000");
    check("view pixel p=1.5 60", "Pixel; view billable 1500000");
    check("billing pixel p=1.5 60", "Acknowledged; billing plain 1500000");
    check("click burl x=1 60", "Redirect https://shop.example/; click plain no price");
}

#[test]
fn audits_and_prices_that_cannot_be_read_carry_no_price() {
    check("billing burl p=AUDIT 60", "Acknowledged; billing billable no price void");
    check("billing burl p= 60", "Acknowledged; billing billable no price void");
    check("billing burl p=${AUCTION_PRICE} 60", "Acknowledged; billing billable no price void");
    check("billing burl p=-1 60", "Acknowledged; billing billable no price void");
    check("win burl p= 60", "Acknowledged; win plain no price void");
    check("win pixel p=AUDIT 60", "Acknowledged; win plain no price void");
    check("view burl x=1 60", "Pixel; view plain no price");
    check("view pixel x=1 60", "Pixel; view billable no price void");
    check("loss burl r=AUDIT&m=AUDIT 60", "Acknowledged; loss plain no price void");
    check("loss burl r=&m= 60", "Acknowledged; loss plain no price");
    check("click burl x=AUDIT 60", "Redirect https://shop.example/; click plain no price");
}

#[test]
fn after_its_time_a_notice_is_refused_and_still_recorded() {
    check("billing burl p=1.5 3599", "Acknowledged; billing billable 1500000");
    check("billing burl p=1.5 3600", "Acknowledged; billing billable 1500000");
    check("billing burl p=1.5 3601", "Expired; billing billable 1500000");
    check("click burl x=1 3601", "Expired; click plain no price");
}

#[test]
fn nothing_of_a_test_auction_is_billable() {
    check("billing burl+test p=1.5 60", "Acknowledged; billing plain 1500000");
}

#[test]
fn a_token_of_an_exchange_that_is_gone_is_refused() {
    check("billing elsewhere p=1.5 60", "Forged; ");
}

#[test]
fn without_a_durable_log_nothing_but_a_click_is_answered() {
    for (kind, expected) in [
        (NoticeKind::Billing, Answer::Unavailable),
        (NoticeKind::Win, Answer::Unavailable),
        (NoticeKind::View, Answer::Unavailable),
        (NoticeKind::Click, Answer::Redirect("https://shop.example/".into())),
    ] {
        let place = place();
        place.bidder.log.clone().close();
        let mut token = String::new();
        place.bidder.keys.seal(&claims("burl", false)).token(kind, &mut token);
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        assert_eq!(runtime.block_on(take(&place.bidder, kind, &token, "p=1", BID_AT)), expected);
        place.bidder.events.close();
    }
}

#[tokio::test]
async fn who_cannot_take_notices_any_more_does_not_bid() {
    let place = place();
    let core = Core::new(Arc::clone(&place.bidder), 0);
    let mut token = String::new();
    place.bidder.keys.seal(&claims("burl", false)).token(NoticeKind::Billing, &mut token);
    let request = br#"{"id":"r","imp":[{"id":"1","banner":{"w":300,"h":250}}]}"#;
    place.break_notices();
    let mut taken = 0;
    while take(&place.bidder, NoticeKind::Billing, &token, "p=1", BID_AT).await == Answer::Acknowledged {
        assert_eq!(bid(&core, "burl", request, Moment::now()).await, bid::Answer::NoBid);
        taken += 1;
    }
    assert!(taken > 0, "the file that was open takes some");
    assert_eq!(bid(&core, "burl", request, Moment::now()).await, bid::Answer::Deaf);
    assert_eq!(take(&place.bidder, NoticeKind::Billing, &token, "p=1", BID_AT).await, Answer::Unavailable);
    place.bidder.events.close();
}
