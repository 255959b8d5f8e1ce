//! What a request costs at the edge: reading it, and writing the response.

use bidder::exchange::dialect::{Dialect, Version};
use bidder::exchange::request::{BidRequest, Id, RequestBuffer};
use bidder::exchange::response::{self, Ad, AdFacts, Entry, Envelope, Urls};
use bidder::privacy;
use decision::ids::{Currency, ExchangeName};
use decision::money::Nanos;
use decision::targeting::Size;
use divan::{AllocProfiler, Bencher, black_box, counter::BytesCount};
use serde_json::{Value, json};

#[global_allocator]
static ALLOC: AllocProfiler<std::alloc::System> = AllocProfiler::system();

fn main() {
    divan::main();
}

fn dialect() -> Dialect {
    Dialect::new(ExchangeName::new("demo").expect("a short name"))
}

fn imp(id: u32) -> Value {
    json!({
        "id": id.to_string(),
        "tagid": format!("/21775744923/news/article/slot-{id}"),
        "banner": {
            "w": 300, "h": 250, "pos": 1, "topframe": 1, "btype": [4], "battr": [1, 2, 5, 8, 9, 14, 17], "api": [5, 6, 7],
            "format": [{ "w": 300, "h": 250 }, { "w": 300, "h": 600 }, { "w": 336, "h": 280 }, { "w": 320, "h": 50 }],
            "mimes": ["image/gif", "image/jpeg", "image/png", "text/html"],
        },
        "bidfloor": 0.8500000238418579, "bidfloorcur": "USD", "secure": 1, "instl": 0, "exp": 300,
        "displaymanager": "prebid.js", "displaymanagerver": "9.12.0",
        "pmp": { "private_auction": 0, "deals": [{ "id": "deal-7781-contextual", "bidfloor": 1.2, "bidfloorcur": "USD", "at": 1 }] },
        "ext": { "gpid": format!("/21775744923/news/article/slot-{id}#top"), "tid": "6b2b0d0a-7b6e-4a7e-9f0a-2f4a51c5b6d1", "dfp_ad_unit_code": "/21775744923/news/article" },
    })
}

fn device() -> Value {
    json!({
        "ua": "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Mobile Safari/537.36",
        "ip": "203.0.113.77", "ifa": "3f2504e0-4f89-41d3-9a0c-0305e82c3301", "language": "en", "os": "Android", "osv": "14",
        "make": "Google", "model": "Pixel 8", "devicetype": 4, "connectiontype": 2, "js": 1, "lmt": 0, "dnt": 0, "w": 412, "h": 915, "pxratio": 2.625,
        "geo": { "lat": 40.7127, "lon": -74.0059, "type": 2, "country": "USA", "region": "NY", "city": "New York", "zip": "10007", "utcoffset": -240, "ipservice": 3 },
        "sua": { "browsers": [{ "brand": "Chromium", "version": ["126", "0", "6478", "71"] }], "platform": { "brand": "Android", "version": ["14"] }, "mobile": 1, "source": 2 },
    })
}

fn site() -> Value {
    json!({
        "id": "site-88213", "domain": "news.example", "cat": ["IAB12", "IAB12-2"], "mobile": 1,
        "page": "https://news.example/2026/11/23/world/a-long-headline-with-many-words-in-it?utm_source=feed&utm_medium=social",
        "ref": "https://search.example/", "publisher": { "id": "publisher-4471", "name": "News Example", "domain": "news.example" },
        "content": { "language": "en", "keywords": "world,economy,travel" },
    })
}

/// Two impressions, extended ids, deals, place, supply chain and extensions: about 3 KB.
fn large() -> String {
    let request = json!({
        "id": "0b5f3b1e-62c5-4c39-9d21-6b9d0f6d3a9f", "imp": [imp(1), imp(2)], "site": site(), "device": device(),
        "user": {
            "id": "exchange-user-2f6a51c5b6d1", "buyeruid": "b3c1f7d2-9a44-4a57-8a51-2d9c7e2a0f13",
            "ext": { "eids": [
                { "source": "id5-sync.com", "uids": [{ "id": "ID5-ZHMOxF2a9bXvZqkQ3m7hYw8vLr5tN0pKcJdEfGhI", "atype": 1 }] },
                { "source": "liveramp.com", "uids": [{ "id": "XY1000bIVBVah9ium-sZ3ykhPiXQbEcUpn4GjCtxrrw2BRDGM", "atype": 3 }] },
            ] },
        },
        "regs": { "coppa": 0, "ext": {} }, "at": 1, "tmax": 120, "cur": ["USD"], "test": 0,
        "bcat": ["IAB7-39", "IAB8-18", "IAB8-5", "IAB9-9", "IAB25", "IAB26"], "badv": ["competitor.example", "other.example"],
        "source": { "fd": 1, "tid": "0b5f3b1e-62c5-4c39-9d21-6b9d0f6d3a9f", "ext": { "schain": { "ver": "1.0", "complete": 1, "nodes": [{ "asi": "exchange.example", "sid": "1234", "hp": 1 }] } } },
    });
    request.to_string()
}

/// One impression of a website: about 1 KB.
fn small() -> String {
    let mut device = device();
    device.as_object_mut().expect("an object").remove("sua");
    let request = json!({
        "id": "0b5f3b1e-62c5-4c39-9d21-6b9d0f6d3a9f", "at": 1, "tmax": 120, "cur": ["USD"],
        "imp": [{ "id": "1", "banner": { "w": 300, "h": 250, "format": [{ "w": 300, "h": 250 }] }, "bidfloor": 0.85, "secure": 1 }],
        "site": { "id": "site-88213", "domain": "news.example", "page": "https://news.example/2026/11/23/world", "publisher": { "id": "publisher-4471" } },
        "device": device, "user": { "id": "exchange-user-2f6a51c5b6d1", "buyeruid": "b3c1f7d2-9a44-4a57-8a51-2d9c7e2a0f13" }, "regs": { "coppa": 0 },
    });
    request.to_string()
}

fn body(size: usize) -> String {
    let body = if size == 3_000 { large() } else { small() };
    assert!(body.len().abs_diff(size) < size / 8, "{} bytes are not about {size}", body.len());
    body
}

/// Reads a request and finds what it permits.
#[divan::bench(args = [1_000, 3_000])]
fn parse(bencher: Bencher<'_, '_>, size: usize) {
    let (body, dialect) = (body(size), dialect());
    let mut buffer = RequestBuffer::default();
    bencher.counter(BytesCount::of_str(&body)).bench_local(|| {
        let request: BidRequest<'_> = buffer.read(black_box(body.as_bytes()), &dialect).expect("a bid request");
        let permit = privacy::permit(&request);
        assert!(permit.ids());
        request.imps.len()
    });
}

/// What a plain JSON value of the same bodies costs, for comparison.
#[divan::bench(args = [1_000, 3_000])]
fn parse_serde_json_value(bencher: Bencher<'_, '_>, size: usize) {
    let body = body(size);
    bencher.counter(BytesCount::of_str(&body)).bench_local(|| serde_json::from_str::<Value>(black_box(&body)).is_ok());
}

/// Writes a response with bids of 1 KB of markup each.
#[divan::bench(args = [1, 2])]
fn respond(bencher: Bencher<'_, '_>, bids: usize) {
    let picture =
        "<img src=\"https://cdn.vernier.example/creatives/shoes-300x250.jpg\" width=\"300\" height=\"250\" alt=\"\">\n";
    let markup = format!("<a href=\"${{CLICK_URL}}\" target=\"_blank\">{}</a>", picture.repeat(9));
    let facts = AdFacts {
        adid: "7001",
        crid: "vernier-7001-2",
        cid: "42",
        domain: "shop.example",
        categories: &["IAB18".into(), "IAB22".into()],
        size: Size { w: 300, h: 250 },
        markup: &markup,
    };
    let ad = Ad::compile(&facts);
    let url = |kind| format!("https://bid.vernier.example/{kind}/{}?p=${{AUCTION_PRICE}}", "A".repeat(240));
    let [click, view, win, billing, loss] = ["click", "view", "win", "billing", "loss"].map(url);
    let envelope = Envelope {
        request_id: Id { json: "0b5f3b1e-62c5-4c39-9d21-6b9d0f6d3a9f", text: "0b5f3b1e-62c5-4c39-9d21-6b9d0f6d3a9f" },
        seat: "vernier",
        currency: Currency::new("USD").expect("a currency"),
        version: Version::V2_6,
    };
    let urls = Urls { click: &click, view: &view, win: Some(&win), billing: Some(&billing), loss: Some(&loss) };
    let entry = Entry {
        id: "00112233445566778899aabbccddeeff",
        imp: Id { json: "1", text: "1" },
        price: Nanos::of_one_impression(2_345_600),
        ad: &ad,
        urls,
        exp_s: Some(300),
    };
    let entries = vec![entry; bids];
    let mut out = Vec::new();
    bencher.bench_local(|| {
        out.clear();
        response::write(black_box(&mut out), black_box(&envelope), black_box(&entries));
        out.len()
    });
}
