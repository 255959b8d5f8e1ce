//! What an exchange demands of an answer.

use std::fmt;

use openrtb2::{Bid, BidResponse};

use super::request::Asked;

/// A bid that may take part in the auction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// Its id.
    pub id: String,
    /// The impression, by its place in the request.
    pub imp: usize,
    /// The request's id.
    pub request_id: String,
    /// The impression's id.
    pub imp_id: String,
    /// CPM in micros of US dollars.
    pub price_cpm: i64,
    /// The creative.
    pub crid: String,
    /// The campaign.
    pub cid: String,
    /// The win notice's URL.
    pub nurl: String,
    /// The billing notice's URL.
    pub burl: String,
    /// The loss notice's URL.
    pub lurl: String,
    /// The markup.
    pub adm: String,
}

/// What is wrong with an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Neither 200 nor 204.
    Status(u16),
    /// 204 with a body.
    BodyOfNoBid,
    /// No OpenRTB bid response.
    NotAResponse(String),
    /// Another request's id.
    WrongId,
    /// A currency that was not asked for.
    Currency(String),
    /// A bid on nothing that was asked for.
    UnknownImp(String),
    /// Two bids on one impression.
    Repeated(String),
    /// A field that is missing or empty.
    Missing(&'static str),
    /// Below the floor.
    BelowFloor,
    /// A size that does not fit.
    Size,
    /// Plain http in markup where https is asked for, or a relative URL.
    Url(&'static str),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status(status) => write!(f, "status {status}"),
            Self::BodyOfNoBid => f.write_str("204 with a body"),
            Self::NotAResponse(problem) => write!(f, "no bid response: {problem}"),
            Self::WrongId => f.write_str("wrong id"),
            Self::Currency(currency) => write!(f, "currency {currency}"),
            Self::UnknownImp(imp) => write!(f, "unknown imp {imp}"),
            Self::Repeated(imp) => write!(f, "two bids on imp {imp}"),
            Self::Missing(field) => write!(f, "no {field}"),
            Self::BelowFloor => f.write_str("below the floor"),
            Self::Size => f.write_str("wrong size"),
            Self::Url(field) => write!(f, "{field} is no absolute URL"),
        }
    }
}

/// The bids of an answer that keep to the rules, and everything that breaks one.
pub fn check(asked: &Asked, status: u16, body: &[u8]) -> (Vec<Offer>, Vec<Fault>) {
    match status {
        204 if body.is_empty() => return (Vec::new(), Vec::new()),
        204 => return (Vec::new(), vec![Fault::BodyOfNoBid]),
        200 => {}
        other => return (Vec::new(), vec![Fault::Status(other)]),
    }
    let response: BidResponse = match serde_json::from_slice(body) {
        Ok(response) => response,
        Err(problem) => return (Vec::new(), vec![Fault::NotAResponse(problem.to_string())]),
    };
    let mut faults = Vec::new();
    if response.id != asked.id {
        faults.push(Fault::WrongId);
    }
    if response.cur != "USD" {
        faults.push(Fault::Currency(response.cur.clone()));
    }
    let mut offers: Vec<Offer> = Vec::new();
    for bid in response.seatbid.into_iter().flatten().flat_map(|seat| seat.bid) {
        match offer(asked, bid) {
            Err(fault) => faults.push(fault),
            Ok(offer) if offers.iter().any(|other| other.imp == offer.imp) => {
                faults.push(Fault::Repeated(offer.imp_id))
            }
            Ok(offer) => offers.push(offer),
        }
    }
    if offers.is_empty() && faults.is_empty() {
        faults.push(Fault::Missing("bid"));
    }
    (if faults.is_empty() { offers } else { Vec::new() }, faults)
}

fn offer(asked: &Asked, bid: Bid) -> Result<Offer, Fault> {
    let imp = asked.imps.iter().position(|imp| imp.id == bid.impid).ok_or(Fault::UnknownImp(bid.impid.clone()))?;
    let text =
        |text: Option<String>, field: &'static str| text.filter(|text| !text.is_empty()).ok_or(Fault::Missing(field));
    let url = |value: Option<String>, field: &'static str| {
        let url = text(value, field)?;
        let absolute = url.starts_with("http://") || url.starts_with("https://");
        if absolute { Ok(url) } else { Err(Fault::Url(field)) }
    };
    let size = bid.w.zip(bid.h).ok_or(Fault::Missing("w and h"))?;
    if !asked.imps[imp].sizes.contains(&size) {
        return Err(Fault::Size);
    }
    let price_cpm = (bid.price * 1e6).round() as i64;
    if price_cpm < asked.imps[imp].floor_cpm {
        return Err(Fault::BelowFloor);
    }
    if bid.adomain.is_none_or(|domains| domains.is_empty()) {
        return Err(Fault::Missing("adomain"));
    }
    Ok(Offer {
        id: text(Some(bid.id), "id")?,
        imp,
        request_id: asked.id.clone(),
        imp_id: bid.impid,
        price_cpm,
        crid: text(bid.crid, "crid")?,
        cid: text(bid.cid, "cid")?,
        nurl: url(bid.nurl, "nurl")?,
        burl: url(bid.burl, "burl")?,
        lurl: url(bid.lurl, "lurl")?,
        adm: text(bid.adm, "adm")?,
    })
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use serde_json::{Value, json};

    use super::super::request::AskedImp;
    use super::*;

    fn asked() -> Asked {
        let imp = AskedImp { id: "1".into(), sizes: vec![(300, 250)], floor_cpm: 500_000 };
        let (id, body, imps) = ("r".into(), Bytes::new(), vec![imp]);
        Asked { id, body, gzip: false, imps, second_price: false, tmax_ms: 100, person: None }
    }

    fn good() -> Value {
        json!({"id": "r", "cur": "USD", "seatbid": [{"bid": [{
            "id": "b", "impid": "1", "price": 0.5, "w": 300, "h": 250, "crid": "c", "cid": "7", "adomain": ["a.example"],
            "adm": "<a>", "nurl": "http://x/n", "burl": "http://x/b", "lurl": "http://x/l"}]}]})
    }

    fn check_change(pointer: &str, value: Value, fault: &str) {
        let mut response = good();
        *response.pointer_mut(pointer).expect("a field") = value;
        let (offers, faults) = check(&asked(), 200, response.to_string().as_bytes());
        assert_eq!(faults.iter().map(Fault::to_string).collect::<Vec<_>>(), [fault]);
        assert!(offers.is_empty());
    }

    #[test]
    fn a_good_answer_is_taken() {
        let (offers, faults) = check(&asked(), 200, good().to_string().as_bytes());
        assert_eq!((offers.len(), faults.len()), (1, 0));
        assert_eq!(offers[0].price_cpm, 500_000);
        assert_eq!(check(&asked(), 204, b""), (Vec::new(), Vec::new()));
    }

    #[test]
    fn every_fault_is_found() {
        let bid = "/seatbid/0/bid/0";
        check_change("/id", json!("x"), "wrong id");
        check_change("/cur", json!("EUR"), "currency EUR");
        check_change(&format!("{bid}/impid"), json!("9"), "unknown imp 9");
        check_change(&format!("{bid}/price"), json!(0.49), "below the floor");
        check_change(&format!("{bid}/w"), json!(301), "wrong size");
        check_change(&format!("{bid}/h"), json!(null), "no w and h");
        check_change(&format!("{bid}/crid"), json!(""), "no crid");
        check_change(&format!("{bid}/adomain"), json!([]), "no adomain");
        check_change(&format!("{bid}/adm"), json!(null), "no adm");
        check_change(&format!("{bid}/burl"), json!("/b"), "burl is no absolute URL");
        check_change("/seatbid", json!([]), "no bid");
        let twice = json!([good()["seatbid"][0], good()["seatbid"][0]]);
        check_change("/seatbid", twice, "two bids on imp 1");
        assert_eq!(check(&asked(), 500, b"").1, [Fault::Status(500)]);
        assert_eq!(check(&asked(), 204, b"x").1, [Fault::BodyOfNoBid]);
        assert!(matches!(check(&asked(), 200, b"{").1[0], Fault::NotAResponse(_)));
    }
}
