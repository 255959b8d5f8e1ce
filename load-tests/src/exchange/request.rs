//! Bid requests as exchanges send them: OpenRTB 2.5 types, with the privacy signals that some of them carry.

use bytes::Bytes;
use openrtb2::{
    App, AuctionType, Banner, BidRequest, Device, DistributionChannel, Format, Geo, Imp, Publisher, Regs, Site, User,
};
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use serde_json::json;

/// A request and what is needed to judge its answer.
#[derive(Clone, Debug)]
pub struct Asked {
    /// Its id.
    pub id: String,
    /// The bytes.
    pub body: Bytes,
    /// Whether the bytes are to be sent compressed.
    pub gzip: bool,
    /// What may be bid on.
    pub imps: Vec<AskedImp>,
    /// Whether the winner pays the second price.
    pub second_price: bool,
    /// Milliseconds until an answer is late.
    pub tmax_ms: u64,
    /// The number of the person it names, where no privacy signal speaks against looking them up.
    pub person: Option<u32>,
}

/// One impression that was asked for.
#[derive(Clone, Debug)]
pub struct AskedImp {
    /// Its id.
    pub id: String,
    /// Sizes that fit.
    pub sizes: Vec<(i32, i32)>,
    /// The floor, CPM in micros of US dollars.
    pub floor_cpm: i64,
}

/// An endless supply of requests, the same for the same seed.
#[derive(Debug)]
pub struct Requests {
    random: SmallRng,
    people: u32,
    person_id: fn(u32) -> String,
    tmax_ms: Option<u32>,
    number: u64,
}

const SIZES: [(i32, i32); 4] = [(300, 250), (728, 90), (320, 50), (160, 600)];
const COUNTRIES: [&str; 5] = ["USA", "USA", "DEU", "FRA", "GBR"];
const DOMAINS: [&str; 4] = ["news.example", "weather.example", "recipes.example", "trails.example"];

impl Requests {
    /// Requests for `people` different people, each with its own `tmax`.
    pub fn new(seed: u64, people: u32, person_id: fn(u32) -> String) -> Self {
        Self { random: SmallRng::seed_from_u64(seed), people: people.max(1), person_id, tmax_ms: None, number: 0 }
    }

    /// The same requests with one `tmax` for all, where there is one.
    #[must_use]
    pub fn with_tmax(self, tmax_ms: Option<u32>) -> Self {
        Self { tmax_ms, ..self }
    }

    /// The next request.
    pub fn next_request(&mut self) -> Asked {
        self.number += 1;
        let id = format!("{:016x}-{}", self.random.random::<u64>(), self.number);
        let imps: Vec<AskedImp> = (0..self.imp_count()).map(|at| self.imp(at)).collect();
        let second_price = self.random.random_bool(0.3);
        let own_tmax_ms = self.random.random_range(80..=150);
        let tmax_ms = self.tmax_ms.unwrap_or(own_tmax_ms);
        let in_app = self.random.random_bool(0.4);
        let mut request = BidRequest {
            id: id.clone(),
            imp: imps.iter().map(|imp| self.offered(imp)).collect(),
            channel: Some(self.channel(in_app)),
            device: Some(self.device(in_app)),
            at: if second_price { AuctionType::SecondPricePlus } else { AuctionType::FirstPrice },
            tmax: Some(tmax_ms as i32),
            cur: Some(vec!["USD".into()]),
            ..BidRequest::default()
        };
        let person = self.person();
        request.user = person.map(|number| User { id: Some((self.person_id)(number)), ..User::default() });
        request.regs = self.regs();
        let person = person.filter(|_| !is_restricted(&request));
        let body = serde_json::to_vec(&request).expect("the request is made of texts and numbers");
        let gzip = self.random.random_bool(0.3);
        Asked { id, body: Bytes::from(body), gzip, imps, second_price, tmax_ms: tmax_ms.into(), person }
    }

    fn imp_count(&mut self) -> usize {
        if self.random.random_bool(0.25) { 2 } else { 1 }
    }

    fn one<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.random.random_range(0..of.len())]
    }

    fn imp(&mut self, at: usize) -> AskedImp {
        let mut sizes = vec![self.one(&SIZES)];
        if self.random.random_bool(0.3) {
            sizes.push((300, 250));
        }
        sizes.dedup();
        AskedImp { id: (at + 1).to_string(), sizes, floor_cpm: self.random.random_range(10..=150) * 10_000 }
    }

    fn offered(&mut self, imp: &AskedImp) -> Imp {
        let (w, h) = imp.sizes[0];
        let formats = imp.sizes.iter().map(|(w, h)| Format { w: Some(*w), h: Some(*h), ..Format::default() });
        let banner = Banner { w: Some(w), h: Some(h), format: Some(formats.collect()), ..Banner::default() };
        Imp {
            id: imp.id.clone(),
            banner: Some(banner),
            bidfloor: imp.floor_cpm as f64 / 1e6,
            bidfloorcur: "USD".into(),
            secure: Some(self.random.random_bool(0.8)),
            ..Imp::default()
        }
    }

    fn channel(&mut self, in_app: bool) -> DistributionChannel {
        if in_app { DistributionChannel::App(self.app()) } else { DistributionChannel::Site(self.site()) }
    }

    fn site(&mut self) -> Site {
        let domain = self.one(&DOMAINS);
        Site {
            id: Some(format!("site-{domain}")),
            domain: Some(domain.into()),
            page: Some(format!("https://{domain}/{}", self.random.random_range(0..10_000))),
            publisher: Some(Publisher { id: Some(format!("pub-{domain}")), ..Publisher::default() }),
            ..Site::default()
        }
    }

    fn app(&mut self) -> App {
        let number = self.random.random_range(0..50);
        App { id: Some(format!("app-{number}")), bundle: Some(format!("com.example.app{number}")), ..App::default() }
    }

    fn device(&mut self, in_app: bool) -> Device {
        let types = if in_app { [4, 5] } else { [2, 4] };
        let chosen = self.one(&types);
        let mut device: Device = serde_json::from_value(json!({
            "ua": "Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36", "language": "en",
            "ip": format!("198.51.100.{}", self.random.random_range(1..255)),
        }))
        .expect("a device of texts");
        device.devicetype = serde_json::from_value(json!(chosen)).ok();
        device.geo = Some(Geo { country: Some(self.one(&COUNTRIES).into()), ..Geo::default() });
        device.lmt = self.random.random_bool(0.05).then_some(true);
        device
    }

    /// The square of a uniform number makes some people far more active than others.
    fn person(&mut self) -> Option<u32> {
        let place = self.random.random::<f64>().powi(2);
        let number = (place * f64::from(self.people)) as u32;
        self.random.random_bool(0.9).then_some(number)
    }

    fn regs(&mut self) -> Option<Regs> {
        let ext = |value: serde_json::Value| value.as_object().cloned();
        match self.random.random_range(0..40) {
            0 => Some(Regs { coppa: Some(true), ..Regs::default() }),
            1 => Some(Regs { ext: ext(json!({ "gdpr": 1 })), ..Regs::default() }),
            2 => Some(Regs { ext: ext(json!({ "us_privacy": "1YNN" })), ..Regs::default() }),
            3 => Some(Regs { ext: ext(json!({ "gpc": "1" })), ..Regs::default() }),
            4..=9 => Some(Regs { coppa: Some(false), ..Regs::default() }),
            _ => None,
        }
    }
}

/// Whether a request carries any signal of privacy.
fn is_restricted(request: &BidRequest) -> bool {
    let regs = request.regs.as_ref().is_some_and(|regs| regs.coppa == Some(true) || regs.ext.is_some());
    regs || request.device.as_ref().is_some_and(|device| device.lmt == Some(true))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn requests(seed: u64) -> Vec<Asked> {
        let mut requests = Requests::new(seed, 100, |number| format!("person-{number}"));
        (0..2_000).map(|_| requests.next_request()).collect()
    }

    #[test]
    fn every_request_is_openrtb_and_small() {
        for asked in requests(7) {
            let parsed: BidRequest = serde_json::from_slice(&asked.body).expect("OpenRTB 2.5");
            assert_eq!(parsed.imp.len(), asked.imps.len());
            assert!(asked.body.len() <= 8 * 1_024);
        }
    }

    #[test]
    fn a_seed_asks_the_same_again_and_another_something_else() {
        let bodies = |seed| requests(seed).into_iter().map(|asked| asked.body).collect::<Vec<_>>();
        assert_eq!(bodies(7), bodies(7));
        assert_ne!(bodies(7), bodies(8));
    }

    #[test]
    fn a_person_is_told_where_a_request_names_them_without_restriction() {
        for asked in requests(7) {
            let text = String::from_utf8(asked.body.to_vec()).expect("text");
            let restricted =
                ["coppa\":1", "gdpr", "us_privacy", "gpc", "\"lmt\":1"].iter().any(|part| text.contains(part));
            let named = asked.person.map(|number| format!("\"person-{number}\""));
            assert_eq!(named.is_some(), text.contains("\"user\":") && !restricted, "{text}");
            assert!(named.is_none_or(|id| text.contains(&id)), "{text}");
        }
    }

    #[test]
    fn one_tmax_for_all_changes_nothing_else() {
        let ask = |tmax| Requests::new(7, 100, |number| format!("person-{number}")).with_tmax(tmax).next_request();
        let (own, given) = (ask(None), ask(Some(99)));
        let text = |asked: &Asked| String::from_utf8(asked.body.to_vec()).expect("text");
        assert_eq!(given.tmax_ms, 99);
        assert_eq!(text(&own).replace(&format!("\"tmax\":{}", own.tmax_ms), "\"tmax\":99"), text(&given));
    }

    #[test]
    fn every_kind_of_request_occurs() {
        let texts: Vec<String> =
            requests(7).iter().map(|asked| String::from_utf8(asked.body.to_vec()).expect("text")).collect();
        for part in ["\"app\":", "\"site\":", "coppa\":1", "\"gdpr\":1", "us_privacy", "\"lmt\":1", "\"at\":1"] {
            assert!(texts.iter().any(|text| text.contains(part)), "{part}");
        }
        // The second-price auction is OpenRTB's default, and the types leave defaults out.
        for absent in ["\"user\":", "\"at\":"] {
            assert!(texts.iter().any(|text| !text.contains(absent)), "{absent}");
        }
    }
}
