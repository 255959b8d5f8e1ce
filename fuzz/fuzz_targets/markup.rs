//! Any markup: the response is JSON, and the exchange decodes the markup with its holes filled, byte for byte.
#![no_main]

use bidder::exchange::dialect::Version;
use bidder::exchange::request::Id;
use bidder::exchange::response::{self, Ad, AdFacts, CLICK_URL, Entry, Envelope, Urls, VIEW_URL};
use decision::ids::Currency;
use decision::money::Nanos;
use decision::targeting::Size;
use serde_json::Value;

const CLICK: &str = "https://bid.example/n/click/token";
const VIEW: &str = "https://bid.example/n/view/token?p=${AUCTION_PRICE}";

libfuzzer_sys::fuzz_target!(|markup: &str| {
    // Every text of a campaign is as free as its markup.
    let categories = [markup.to_owned()];
    let size = Size { w: 300, h: 250 };
    let ad = Ad::compile(&AdFacts {
        adid: markup,
        crid: markup,
        cid: markup,
        domain: markup,
        categories: &categories,
        size,
        markup,
    });
    let urls = Urls { click: CLICK, view: VIEW, win: Some(VIEW), billing: None, loss: None };
    let id = Id { json: "1", text: "1" };
    let currency = Currency::new("USD").expect("a currency");
    let envelope = Envelope { request_id: id, seat: markup, currency, version: Version::V2_6 };
    let price = Nanos::of_one_impression(markup.len() as i64);
    let mut out = Vec::new();
    response::write(&mut out, &envelope, &[Entry { id: "00ff", imp: id, price, ad: &ad, urls, exp_s: None }]);
    let response: Value = serde_json::from_slice(&out).expect("JSON");
    let seat = &response["seatbid"][0];
    let bid = &seat["bid"][0];
    for text in [&seat["seat"], &bid["adid"], &bid["crid"], &bid["cid"], &bid["adomain"][0], &bid["cat"][0]] {
        assert_eq!(text, markup);
    }
    let filled = markup.replace(CLICK_URL, CLICK).replace(VIEW_URL, VIEW);
    let shown = bid["adm"].as_str().expect("markup");
    let added = shown.strip_prefix(&filled).expect("the markup with its holes filled");
    assert_eq!(added.is_empty(), markup.contains(VIEW_URL));
    assert!(shown.contains(VIEW));
    assert_eq!(bid["price"].as_f64(), Some(markup.len() as f64 / 1e6));
});
