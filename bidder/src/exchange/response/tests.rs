use decision::targeting::Size;
use serde_json::Value;

use super::*;

const CLICK: &str = "https://bid.example/n/click/abc-_";
const VIEW: &str = "https://bid.example/n/view/abc-_?p=${AUCTION_PRICE}";

fn facts(markup: &str) -> AdFacts<'_> {
    let size = Size { w: 300, h: 250 };
    AdFacts { adid: "7", crid: "7-1", cid: "42", domain: "shop.example", categories: &[], size, markup }
}

fn urls<'a>() -> Urls<'a> {
    Urls { click: CLICK, view: VIEW, win: None, billing: None, loss: None }
}

fn envelope<'a>() -> Envelope<'a> {
    let request_id = Id { json: r"r\/\u0031", text: "r/1" };
    Envelope {
        request_id,
        seat: "seat \"1\"",
        currency: Currency::new("EUR").expect("a currency"),
        version: Version::V2_5,
    }
}

fn entry(ad: &Ad) -> Entry<'_> {
    let (imp, price) = (Id { json: "1", text: "1" }, Nanos::of_one_impression(1_250_000));
    Entry { id: "00ff", imp, price, ad, urls: urls(), exp_s: None }
}

fn written(envelope: &Envelope<'_>, bids: &[Entry<'_>]) -> String {
    let mut out = Vec::new();
    write(&mut out, envelope, bids);
    String::from_utf8(out).expect("text")
}

/// The `adm` of a bid with this markup, as the exchange decodes it.
fn adm(markup: &str) -> String {
    let ad = Ad::compile(&facts(markup));
    let response: Value = serde_json::from_str(&written(&envelope(), &[entry(&ad)])).expect("JSON");
    response["seatbid"][0]["bid"][0]["adm"].as_str().expect("markup").to_owned()
}

#[test]
fn a_response_is_written_to_the_letter() {
    let ad = Ad::compile(&facts("<b>${VIEW_URL}</b>"));
    assert_eq!(
        written(&envelope(), &[entry(&ad)]),
        concat!(
            r#"{"id":"r\/\u0031","cur":"EUR","seatbid":[{"seat":"seat \"1\"","bid":[{"id":"00ff","impid":"1","price":1.25,"#,
            r#""adid":"7","cid":"42","crid":"7-1","adomain":["shop.example"],"w":300,"h":250,"#,
            r#""adm":"<b>https://bid.example/n/view/abc-_?p=${AUCTION_PRICE}</b>"}]}]}"#,
        )
    );
}

#[test]
fn optional_members_stand_where_they_are_given() {
    let categories = ["IAB18".into(), "IAB22".into()];
    let ad = Ad::compile(&AdFacts { categories: &categories, ..facts("") });
    let urls = Urls { win: Some("https://w/?a=1&b=2"), billing: Some("https://b"), loss: Some("https://l"), ..urls() };
    let bid = Entry { urls, exp_s: Some(300), ..entry(&ad) };
    let response = written(&Envelope { version: Version::V2_6, ..envelope() }, &[bid, bid]);
    let response: Value = serde_json::from_str(&response).expect("JSON");
    let bids = response["seatbid"][0]["bid"].as_array().expect("bids");
    assert_eq!(bids.len(), 2);
    assert_eq!(bids[0]["cat"], serde_json::json!(["IAB18", "IAB22"]));
    assert_eq!(bids[0]["nurl"], "https://w/?a=1&b=2");
    assert_eq!(bids[0]["burl"], "https://b");
    assert_eq!(bids[0]["lurl"], "https://l");
    assert_eq!(bids[0]["mtype"], 1);
    assert_eq!(bids[0]["exp"], 300);
}

#[test]
fn prices_are_exact_decimals() {
    for (micros, price) in [
        (0, "0.00"),
        (1, "0.000001"),
        (1_250_000, "1.25"),
        (1_200_000, "1.20"),
        (12_000_000, "12.00"),
        (100_100, "0.1001"),
        (i64::MAX, "9223372036854.775807"),
    ] {
        let mut out = Vec::new();
        text::cpm(&mut out, Nanos::of_one_impression(micros));
        assert_eq!(String::from_utf8(out).expect("text"), price);
    }
}

#[test]
fn holes_are_filled_and_macros_of_the_exchange_stay() {
    let pixel = format!(r#"<img src="{VIEW}" width="1" height="1" alt="" style="display:none">"#);
    for (markup, shown) in [
        ("<a href=\"${CLICK_URL}\">${VIEW_URL}</a>", format!("<a href=\"{CLICK}\">{VIEW}</a>")),
        ("${VIEW_URL}${VIEW_URL}", format!("{VIEW}{VIEW}")),
        ("${CLICK_URL}", format!("{CLICK}{pixel}")),
        ("", pixel.clone()),
        ("${AUCTION_PRICE} ${ ${CLICK_URL ${} $", format!("${{AUCTION_PRICE}} ${{ ${{CLICK_URL ${{}} ${pixel}")),
        ("${${CLICK_URL}}", format!("${{{CLICK}}}{pixel}")),
        (
            "\"\\\n\r\t\u{0}\u{1f}\u{7f}é\u{2028}😀</script>",
            format!("\"\\\n\r\t\u{0}\u{1f}\u{7f}é\u{2028}😀</script>{pixel}"),
        ),
    ] {
        assert_eq!(adm(markup), shown, "{markup:?}");
    }
}

#[test]
fn a_plain_url_ends_nothing_it_stands_in() {
    assert!(is_plain_url(VIEW) && is_plain_url(CLICK) && is_plain_url(""));
    for odd in ["\"", "'", "<", ">", "&", "`", "\\", " ", "\n", "\u{0}", "\u{7f}", "é"] {
        for long in [0, 40] {
            assert!(!is_plain_url(&format!("{VIEW}{odd}{}", "x".repeat(long))), "{odd:?}");
        }
    }
}

#[test]
#[should_panic(expected = "a URL in markup must be plain")]
fn a_url_that_would_end_an_attribute_is_not_written() {
    let ad = Ad::compile(&facts(""));
    written(&envelope(), &[Entry { urls: Urls { click: "https://x/\"><script>", ..urls() }, ..entry(&ad) }]);
}

#[test]
#[should_panic(expected = "a notice URL must stand in JSON as it is")]
fn a_url_that_would_end_a_string_is_not_written() {
    let ad = Ad::compile(&facts(""));
    written(&envelope(), &[Entry { urls: Urls { win: Some("https://x/\","), ..urls() }, ..entry(&ad) }]);
}

#[test]
fn the_room_that_is_set_aside_is_enough() {
    let markup = "<a href=\"${CLICK_URL}\">".repeat(100);
    let ad = Ad::compile(&facts(&markup));
    let mut out = Vec::new();
    write(&mut out, &envelope(), &[entry(&ad); 3]);
    let (len, room) = (out.len(), out.capacity());
    assert!(room >= len && room < len + 4 * ENTRY_BYTES + 64, "{len} of {room} bytes");
}
