//! A view as a JSON value, so that it can be compared with what a golden or the independent walk says.

use bidder::exchange::dialect::{Auction, Dialect};
use bidder::exchange::request::{BidRequest, Place, RequestBuffer};
use bidder::privacy;
use decision::ids::ExchangeName;
use decision::opportunity::Opportunity;
use decision::privacy::Flag;
use serde_json::{Value, json};

/// The exchange of the tests.
pub(crate) fn dialect() -> Dialect {
    Dialect::new(ExchangeName::new("demo").expect("a short name"))
}

/// The view of `body`, or the reason for the refusal.
pub(crate) fn read(body: &[u8], dialect: &Dialect) -> Result<Value, &'static str> {
    RequestBuffer::default().read(body, dialect).map(|request| render(&request)).map_err(|refusal| refusal.label())
}

/// Everything that a view says.
pub(crate) fn render(request: &BidRequest<'_>) -> Value {
    let permit = privacy::permit(request);
    let signals = privacy::signals(request);
    let context = &request.context;
    assert_eq!(request.imps.len(), request.opportunities.len());
    json!({
        "id": request.id.text,
        "unbiddable": request.unbiddable.map(|why| why.label()),
        "imps": request.imps.iter().zip(request.opportunities).map(imp).collect::<Vec<_>>(),
        "context": {
            "country": context.country.map(|country| country.to_string()),
            "region": context.region.map(|region| region.to_string()),
            "device": context.device.name(),
            "currencies": context.currencies.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "blocked_domains": context.blocked_domains,
            "blocked_categories": context.blocked_categories,
        },
        "wanted_seats": request.wanted_seats,
        "blocked_seats": request.blocked_seats,
        "auction": match request.auction {
            Auction::First => "first",
            Auction::Second => "second",
            Auction::Other => "other",
        },
        "tmax_ms": request.tmax_ms,
        "test": request.test,
        "site": place(&request.site),
        "app": place(&request.app),
        "device": {
            "user_agent": request.device.user_agent,
            "ip": request.device.ip,
            "ipv6": request.device.ipv6,
            "ifa": request.device.ifa,
            "language": request.device.language,
            "os": request.device.os,
            "position": request.device.position,
        },
        "user": { "id": request.user.id, "buyeruid": request.user.buyeruid },
        "signals": {
            "coppa": flag(signals.coppa),
            "gpc": flag(signals.gpc),
            "lmt": flag(signals.limit_ad_tracking),
            "gdpr": signals.gdpr,
            "gpp": signals.gpp,
            "us_privacy": signals.us_privacy,
        },
        "restricted_by": permit.restricted_by().map(|by| by.label()),
        "person_ids": request.person_ids(&permit).map(|parts| parts.concat()).collect::<Vec<_>>(),
    })
}

fn imp((imp, offer): (&bidder::exchange::request::Imp<'_>, &Opportunity<'_>)) -> Value {
    json!({
        "id": imp.id.text,
        "sizes": offer.sizes.iter().map(|size| format!("{}x{}", size.w, size.h)).collect::<Vec<_>>(),
        "floor": offer.floor.cpm_micros(),
        "floor_currency": offer.floor_currency.map_or("unreadable".into(), |currency| currency.to_string()),
        "secure": offer.secure,
        "private_auction": offer.private_auction,
        "interstitial": imp.interstitial,
        "exp_s": imp.exp_s,
        "video": imp.video,
        "audio": imp.audio,
        "native": imp.native,
        "deals": imp.deals,
    })
}

fn place(place: &Place<'_>) -> Value {
    json!({
        "id": place.id,
        "domain": place.domain,
        "bundle": place.bundle,
        "page": place.page,
        "publisher": place.publisher,
    })
}

fn flag(flag: Flag) -> &'static str {
    match flag {
        Flag::Absent => "absent",
        Flag::Off => "off",
        Flag::On => "on",
        Flag::Unreadable => "unreadable",
    }
}

/// Whether a view says what the independent walk says. The walk has numbers as floats, which are not always the decimals
/// that were written: coordinates may differ by a billionth of themselves, and floors, which are rounded up, by a micro
/// besides. A floor whose exponent we do not read is out of reach for us.
pub(crate) fn agree(ours: &Value, walked: &Value) -> bool {
    match (ours, walked) {
        (Value::Number(a), Value::Number(b)) => close(a.as_f64(), b.as_f64(), 0.0),
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| agree(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            let same = |name: &str, a: &Value, b: &Value| match (name, a.as_i64(), b.as_f64()) {
                ("floor", Some(i64::MAX), Some(0.0)) => true,
                ("floor", Some(_), Some(_)) => close(a.as_f64(), b.as_f64(), 1.0),
                _ => agree(a, b),
            };
            a.len() == b.len() && a.iter().all(|(name, a)| b.get(name).is_some_and(|b| same(name, a, b)))
        }
        _ => ours == walked,
    }
}

fn close(a: Option<f64>, b: Option<f64>, slack: f64) -> bool {
    a.zip(b).is_some_and(|(a, b)| (a - b).abs() <= slack + 1e-9 * a.abs().max(b.abs()))
}
