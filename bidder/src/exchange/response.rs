//! Writes bid responses (OpenRTB 2.5 and 2.6 section 4). What a bid says of its advertisement is the same in every bid,
//! so it is written once, when campaigns are compiled, and copied from then on.

use decision::ids::Currency;
use decision::money::Nanos;
use decision::targeting::Size;

use crate::exchange::dialect::Version;
use crate::exchange::request::Id;

mod markup;
mod text;

use markup::Markup;
use text::{json_string, list, number, stands_in_json};

pub use markup::{CLICK_URL, VIEW_URL};
pub use text::is_plain_url;

/// What a bid says of its advertisement.
#[derive(Clone, Copy, Debug)]
pub struct AdFacts<'a> {
    /// `adid`: our name for what is shown.
    pub adid: &'a str,
    /// `crid`: our name for what is reviewed. At most 128 bytes, another one for each notable difference.
    pub crid: &'a str,
    /// `cid`: our name for the campaign.
    pub cid: &'a str,
    /// `adomain`.
    pub domain: &'a str,
    /// `cat`.
    pub categories: &'a [String],
    /// `w` and `h`.
    pub size: Size,
    /// HTML with holes for URLs; macros of the exchange stay in it as they are.
    pub markup: &'a str,
}

/// An advertisement, ready to be copied into bids.
#[derive(Debug)]
pub struct Ad {
    /// The members of the bid that say what it is.
    facts: Box<[u8]>,
    markup: Markup,
}

impl Ad {
    /// Prepares an advertisement.
    pub fn compile(facts: &AdFacts<'_>) -> Self {
        let mut out = Vec::new();
        for (name, text) in [(r#","adid":"#, facts.adid), (r#","cid":"#, facts.cid), (r#","crid":"#, facts.crid)] {
            out.extend_from_slice(name.as_bytes());
            json_string(&mut out, text);
        }
        out.extend_from_slice(br#","adomain":"#);
        list(&mut out, [facts.domain]);
        if !facts.categories.is_empty() {
            out.extend_from_slice(br#","cat":"#);
            list(&mut out, facts.categories.iter().map(String::as_str));
        }
        number(&mut out, r#","w":"#, facts.size.w);
        number(&mut out, r#","h":"#, facts.size.h);
        Self { facts: out.into(), markup: Markup::compile(facts.markup) }
    }
}

/// What is the same for all bids of a response.
#[derive(Clone, Copy, Debug)]
pub struct Envelope<'a> {
    /// The request that is answered.
    pub request_id: Id<'a>,
    /// Our seat at the exchange.
    pub seat: &'a str,
    /// The currency of every price.
    pub currency: Currency,
    /// What the exchange understands.
    pub version: Version,
}

/// One bid.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a> {
    /// `id`: our name for the bid, of characters that stand in JSON as they are.
    pub id: &'a str,
    /// The impression it is for.
    pub imp: Id<'a>,
    /// The price of the impression.
    pub price: Nanos,
    /// What is shown.
    pub ad: &'a Ad,
    /// Where its notices and events go.
    pub urls: Urls<'a>,
    /// The seconds for which the price is offered (`exp`).
    pub exp_s: Option<u32>,
}

/// The URLs of one bid. They stand in JSON as they are, so they are visible ASCII without quotes and backslashes; those of
/// view and click stand in HTML as well, so they are plain (see [`is_plain_url`]).
#[derive(Clone, Copy, Debug)]
pub struct Urls<'a> {
    /// Where a click goes.
    pub click: &'a str,
    /// What a view loads.
    pub view: &'a str,
    /// `nurl`.
    pub win: Option<&'a str>,
    /// `burl`.
    pub billing: Option<&'a str>,
    /// `lurl`.
    pub loss: Option<&'a str>,
}

/// Bytes of a response besides its markup, URLs, seat and id: room that is set aside for it.
const ENTRY_BYTES: usize = 256;

/// Appends the response with these bids.
///
/// # Panics
/// Where a URL would end the string or the attribute it stands in.
pub fn write(out: &mut Vec<u8>, envelope: &Envelope<'_>, bids: &[Entry<'_>]) {
    out.reserve(ENTRY_BYTES + bids.iter().map(Entry::bytes).sum::<usize>());
    out.extend_from_slice(br#"{"id":""#);
    out.extend_from_slice(envelope.request_id.json.as_bytes());
    out.extend_from_slice(br#"","cur":""#);
    out.extend_from_slice(envelope.currency.as_str().as_bytes());
    out.extend_from_slice(br#"","seatbid":[{"seat":"#);
    json_string(out, envelope.seat);
    out.extend_from_slice(br#","bid":["#);
    for (at, bid) in bids.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        bid.write(out, envelope.version);
    }
    out.extend_from_slice(b"]}]}");
}

impl Entry<'_> {
    fn bytes(&self) -> usize {
        let urls = [self.urls.win, self.urls.billing, self.urls.loss].into_iter().flatten().map(str::len);
        ENTRY_BYTES + self.ad.facts.len() + self.ad.markup.bytes(&self.urls) + urls.sum::<usize>()
    }

    fn write(&self, out: &mut Vec<u8>, version: Version) {
        out.extend_from_slice(br#"{"id":""#);
        out.extend_from_slice(self.id.as_bytes());
        out.extend_from_slice(br#"","impid":""#);
        out.extend_from_slice(self.imp.json.as_bytes());
        out.extend_from_slice(br#"","price":"#);
        text::cpm(out, self.price);
        out.extend_from_slice(&self.ad.facts);
        if version == Version::V2_6 {
            // 1: banner (AdCOM 1.0, list "Creative Subtypes"; OpenRTB 2.6 section 4.2.3).
            out.extend_from_slice(br#","mtype":1"#);
        }
        if let Some(exp_s) = self.exp_s {
            number(out, r#","exp":"#, exp_s);
        }
        let notices =
            [(r#","nurl":""#, self.urls.win), (r#","burl":""#, self.urls.billing), (r#","lurl":""#, self.urls.loss)];
        for (name, url) in notices {
            if let Some(url) = url {
                assert!(stands_in_json(url), "a notice URL must stand in JSON as it is");
                out.extend_from_slice(name.as_bytes());
                out.extend_from_slice(url.as_bytes());
                out.push(b'"');
            }
        }
        out.extend_from_slice(br#","adm":""#);
        self.ad.markup.write(out, &self.urls);
        out.extend_from_slice(b"\"}");
    }
}

#[cfg(test)]
mod tests;
