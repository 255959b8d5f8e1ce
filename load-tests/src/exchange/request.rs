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
    number: u64,
}

const SIZES: [(i32, i32); 4] = [(300, 250), (728, 90), (320, 50), (160, 600)];
const COUNTRIES: [&str; 5] = ["USA", "USA", "DEU", "FRA", "GBR"];
const DOMAINS: [&str; 4] = ["news.example", "weather.example", "recipes.example", "trails.example"];

impl Requests {
    /// Requests for `people` different people.
    pub fn new(seed: u64, people: u32, person_id: fn(u32) -> String) -> Self {
        Self { random: SmallRng::seed_from_u64(seed), people: people.max(1), person_id, number: 0 }
    }

    /// The next request.
    pub fn next_request(&mut self) -> Asked {
        self.number += 1;
        let id = format!("{:016x}-{}", self.random.random::<u64>(), self.number);
        let imps: Vec<AskedImp> = (0..self.imp_count()).map(|at| self.imp(at)).collect();
        let second_price = self.random.random_bool(0.3);
        let tmax_ms = self.random.random_range(80..=150);
        let in_app = self.random.random_bool(0.4);
        let request = BidRequest {
            id: id.clone(),
            imp: imps.iter().map(|imp| self.offered(imp)).collect(),
            channel: Some(self.channel(in_app)),
            device: Some(self.device(in_app)),
            user: self.user(),
            at: if second_price { AuctionType::SecondPricePlus } else { AuctionType::FirstPrice },
            tmax: Some(tmax_ms),
            cur: Some(vec!["USD".into()]),
            regs: self.regs(),
            ..BidRequest::default()
        };
        let body = serde_json::to_vec(&request).expect("the request is made of texts and numbers");
        let gzip = self.random.random_bool(0.3);
        Asked { id, body: Bytes::from(body), gzip, imps, second_price, tmax_ms: u64::from(tmax_ms.unsigned_abs()) }
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
    fn user(&mut self) -> Option<User> {
        let place = self.random.random::<f64>().powi(2);
        let number = (place * f64::from(self.people)) as u32;
        let named = self.random.random_bool(0.9);
        named.then(|| User { id: Some((self.person_id)(number)), ..User::default() })
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
