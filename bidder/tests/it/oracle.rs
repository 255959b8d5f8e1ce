//! The independent walk: what a view must say, found on a plain JSON value by the rules as they are documented. Shares
//! nothing with the bidder's reader but the names of what it finds.

use serde_json::{Map, Value, json};

/// What reading a body must come to: a view in the form of [`crate::view::render`], or the reason for a refusal. `None`
/// where a number is too large for a plain JSON value, so that nothing can be said.
pub(crate) fn read(body: &[u8], user_ids_ours: bool, secure_required: bool) -> Option<Result<Value, &'static str>> {
    let request = match serde_json::from_slice::<Value>(body) {
        Ok(request) => request,
        Err(error) if error.to_string().starts_with("number out of range") => return None,
        Err(_) => return Some(Err("not_json")),
    };
    let Some(request) = request.as_object() else { return Some(Err("not_an_object")) };
    let Some(imps) = request.get("imp").and_then(Value::as_array) else { return Some(Err("no_imp")) };
    Some(Ok(view(request, imps, user_ids_ours, secure_required)))
}

fn view(request: &Map<String, Value>, imps: &[Value], user_ids_ours: bool, secure_required: bool) -> Value {
    let device = object(request, "device");
    let geo = object(&device, "geo");
    let mut seen: Vec<&str> = Vec::new();
    let mut offered = Vec::new();
    for imp in imps {
        let Some(id) = imp.get("id").and_then(Value::as_str) else { continue };
        if seen.len() < 64 {
            seen.push(id);
            offered.push(self::imp(imp, secure_required));
        }
    }
    let id = request.get("id").and_then(Value::as_str);
    let unbiddable = unbiddable(request, id, &seen);
    if unbiddable.is_some() {
        offered.clear();
    }
    let (restricted_by, signals) = privacy(request, &device);
    json!({
        "id": id.unwrap_or_default(),
        "unbiddable": unbiddable,
        "imps": offered,
        "context": {
            "country": code(geo.get("country"), 3),
            "region": code(geo.get("region"), 8).map(|region| without_country(&region)),
            "device": device_type(device.get("devicetype")),
            "currencies": currencies(request).unwrap_or_else(|| vec!["USD".into()]),
            "blocked_domains": texts(request.get("badv")),
            "blocked_categories": texts(request.get("bcat")),
        },
        "wanted_seats": texts(request.get("wseat")),
        "blocked_seats": texts(request.get("bseat")),
        "auction": match whole(request.get("at")) {
            Some(1) | None => "first",
            Some(2) => "second",
            Some(_) => "other",
        },
        "tmax_ms": positive(request.get("tmax")).unwrap_or(100).min(10_000),
        "test": whole(request.get("test")) == Some(1),
        "site": place(&object(request, "site")),
        "app": place(&object(request, "app")),
        "device": {
            "user_agent": text(&device, "ua"),
            "ip": text(&device, "ip"),
            "ipv6": text(&device, "ipv6"),
            "ifa": ifa(&device),
            "language": text(&device, "language"),
            "os": text(&device, "os"),
            "position": position(&geo),
        },
        "user": { "id": text(&object(request, "user"), "id"), "buyeruid": text(&object(request, "user"), "buyeruid") },
        "signals": signals,
        "restricted_by": restricted_by,
        "person_ids": if restricted_by.is_none() { person_ids(request, &device, user_ids_ours) } else { Vec::new() },
    })
}

fn unbiddable(request: &Map<String, Value>, id: Option<&str>, imp_ids: &[&str]) -> Option<&'static str> {
    let unreadable = |name| match request.get(name) {
        None | Some(Value::Null) => false,
        Some(Value::Array(entries)) => entries.len() > 8_192,
        Some(_) => true,
    };
    if id.is_none() {
        Some("no_request_id")
    } else if imp_ids.is_empty() {
        Some("no_imp_id")
    } else if imp_ids.iter().enumerate().any(|(at, id)| imp_ids[..at].contains(id)) {
        Some("repeated_imp_id")
    } else if currencies(request).is_some_and(|currencies| currencies.is_empty()) {
        Some("no_currency")
    } else if ["badv", "bcat", "wseat", "bseat"].into_iter().any(unreadable) {
        Some("unreadable_list")
    } else if privacy_unreadable(request) {
        Some("unreadable_privacy")
    } else {
        None
    }
}

/// Whether a privacy signal, or something that can hold one, is another kind of value than OpenRTB has there.
fn privacy_unreadable(request: &Map<String, Value>) -> bool {
    let is_flag = |value: &Value| matches!(whole(Some(value)), Some(0 | 1));
    let odd = |place: &str, is: &dyn Fn(&Value) -> bool| {
        let mut names = place.split('.');
        let first = request.get(names.next().expect("a name"));
        let found = names.try_fold(first, |holder, name| Some(holder?.get(name)));
        found.flatten().is_some_and(|value| !value.is_null() && !is(value))
    };
    ["regs", "user", "device", "regs.ext", "user.ext"].into_iter().any(|place| odd(place, &Value::is_object))
        || ["regs.coppa", "regs.gpc", "regs.ext.gpc", "regs.gdpr", "regs.ext.gdpr", "device.lmt"]
            .into_iter()
            .any(|place| odd(place, &is_flag))
        || ["user.consent", "user.ext.consent", "regs.gpp", "regs.ext.gpp", "regs.us_privacy", "regs.ext.us_privacy"]
            .into_iter()
            .any(|place| odd(place, &Value::is_string))
        || ["regs.gpp_sid", "regs.ext.gpp_sid"].into_iter().any(|place| odd(place, &Value::is_array))
}

fn imp(imp: &Value, secure_required: bool) -> Value {
    let imp = imp.as_object().expect("it has an id");
    let banner = object(imp, "banner");
    let size = |of: &Map<String, Value>| {
        let side = |name| positive(of.get(name)).filter(|pixels| *pixels <= 65_535);
        Some(format!("{}x{}", side("w")?, side("h")?))
    };
    let mut sizes: Vec<String> = Vec::new();
    for format in array(banner.get("format")).iter().filter_map(Value::as_object).filter_map(size) {
        if !sizes.contains(&format) && sizes.len() < 64 {
            sizes.push(format);
        }
    }
    if sizes.is_empty() {
        sizes.extend(size(&banner));
    }
    let pmp = object(imp, "pmp");
    let mut deals = ids(pmp.get("deals"));
    deals.truncate(64);
    json!({
        "id": text(imp, "id"),
        "sizes": sizes,
        "floor": floor(imp.get("bidfloor")),
        "floor_currency": match imp.get("bidfloorcur") {
            None | Some(Value::Null) => "USD".to_owned(),
            Some(Value::String(empty)) if empty.is_empty() => "USD".to_owned(),
            present => currency(present).unwrap_or_else(|| "unreadable".to_owned()),
        },
        "secure": secure_required || demanded(imp.get("secure")),
        "private_auction": demanded(pmp.get("private_auction")),
        "interstitial": whole(imp.get("instl")) == Some(1),
        "exp_s": positive(imp.get("exp")),
        "video": present(imp.get("video")),
        "audio": present(imp.get("audio")),
        "native": present(imp.get("native")),
        "deals": deals,
    })
}

/// Millionths of a CPM price, rounded up.
fn floor(floor: Option<&Value>) -> i64 {
    match floor {
        None | Some(Value::Null) => 0,
        Some(Value::String(empty)) if empty.is_empty() => 0,
        present => float(present).map_or(i64::MAX, |floor| (floor * 1e6).ceil().max(0.0) as i64),
    }
}

fn privacy(request: &Map<String, Value>, device: &Map<String, Value>) -> (Option<&'static str>, Value) {
    let broken =
        |holder: &Map<String, Value>, name: &str| holder.get(name).is_some_and(|v| !v.is_null() && !v.is_object());
    let (regs, user) = (object(request, "regs"), object(request, "user"));
    let (regs_ext, user_ext) = (object(&regs, "ext"), object(&user, "ext"));
    let regs_broken = broken(request, "regs");
    let unread = regs_broken || broken(&regs, "ext");
    let either = |name: &str| unread || present(regs.get(name)) || present(regs_ext.get(name));
    let flag = |value: Option<&Value>, broken: bool| match value {
        _ if broken => "unreadable",
        None | Some(Value::Null) => "absent",
        value => match whole(value) {
            Some(0) => "off",
            Some(1) => "on",
            _ => "unreadable",
        },
    };
    let coppa = flag(regs.get("coppa"), regs_broken);
    let places = [flag(regs.get("gpc"), regs_broken), flag(regs_ext.get("gpc"), unread)];
    let gpc = ["on", "unreadable", "off"].into_iter().find(|gpc| places.contains(gpc)).unwrap_or("absent");
    let lmt = flag(device.get("lmt"), broken(request, "device"));
    let no_user = broken(request, "user") || broken(&user, "ext");
    let gdpr = either("gdpr") || no_user || present(user.get("consent")) || present(user_ext.get("consent"));
    let (gpp, us_privacy) = (either("gpp") || either("gpp_sid"), either("us_privacy"));
    let restricts = |flag| flag == "on" || flag == "unreadable";
    let restricted_by = [
        (restricts(coppa), "coppa"),
        (restricts(gpc), "gpc"),
        (restricts(lmt), "lmt"),
        (gdpr, "gdpr"),
        (gpp, "gpp"),
        (us_privacy, "us_privacy"),
    ]
    .into_iter()
    .find_map(|(restricts, by)| restricts.then_some(by));
    (
        restricted_by,
        json!({ "coppa": coppa, "gpc": gpc, "lmt": lmt, "gdpr": gdpr, "gpp": gpp, "us_privacy": us_privacy }),
    )
}

fn person_ids(request: &Map<String, Value>, device: &Map<String, Value>, user_ids_ours: bool) -> Vec<String> {
    let user = object(request, "user");
    let mut extended: Vec<String> = Vec::new();
    for place in [user.get("eids"), object(&user, "ext").get("eids")] {
        let mut here: Vec<String> = Vec::new();
        for eid in array(place).iter().filter_map(Value::as_object) {
            let source = text(eid, "source");
            let uids = ids(eid.get("uids")).into_iter().take(8);
            for id in uids.map(|uid| format!("{source}/{uid}")).filter(|_| !source.is_empty()) {
                if !here.contains(&id) && here.len() < 8 {
                    here.push(id);
                }
            }
        }
        for id in here {
            if !extended.contains(&id) && extended.len() < 8 {
                extended.push(id);
            }
        }
    }
    let id = text(&user, "id");
    let user_id = if user_ids_ours || id.is_empty() { id } else { format!("demo/{id}") };
    let mut ids = vec![text(&user, "buyeruid"), ifa(device), user_id];
    ids.retain(|id| !id.is_empty());
    ids.extend(extended);
    ids.truncate(8);
    ids
}

fn ifa(device: &Map<String, Value>) -> String {
    let ifa = text(device, "ifa").to_ascii_lowercase();
    if ifa.chars().all(|c| c == '0' || c == '-') { String::new() } else { ifa }
}

fn place(place: &Map<String, Value>) -> Value {
    json!({
        "id": text(place, "id"),
        "domain": text(place, "domain"),
        "bundle": text(place, "bundle"),
        "page": text(place, "page"),
        "publisher": text(&object(place, "publisher"), "id"),
    })
}

fn position(geo: &Map<String, Value>) -> Option<[f64; 2]> {
    let lat = float(geo.get("lat")).filter(|lat| (-90.0..=90.0).contains(lat))?;
    let lon = float(geo.get("lon")).filter(|lon| (-180.0..=180.0).contains(lon))?;
    Some([lat, lon])
}

fn device_type(kind: Option<&Value>) -> &'static str {
    match whole(kind) {
        None => "unknown",
        Some(1) => "mobile",
        Some(2) => "pc",
        Some(3) => "ctv",
        Some(4) => "phone",
        Some(5) => "tablet",
        Some(6) => "connected",
        Some(7) => "set-top-box",
        Some(8) => "ooh",
        Some(_) => "other",
    }
}

/// The readable currencies, where some are named.
fn currencies(request: &Map<String, Value>) -> Option<Vec<String>> {
    match request.get("cur")? {
        Value::Null => None,
        Value::Array(named) if named.is_empty() => None,
        Value::Array(named) => Some(named.iter().filter_map(|cur| currency(Some(cur))).take(32).collect()),
        _ => Some(Vec::new()),
    }
}

fn currency(value: Option<&Value>) -> Option<String> {
    let code = value?.as_str()?;
    (code.len() == 3 && code.chars().all(|c| c.is_ascii_alphabetic())).then(|| code.to_ascii_uppercase())
}

fn code(value: Option<&Value>, most: usize) -> Option<String> {
    let code = value?.as_str()?;
    ((1..=most).contains(&code.len()) && code.chars().all(|c| c.is_ascii_graphic())).then(|| code.to_ascii_uppercase())
}

fn without_country(region: &str) -> Option<String> {
    let letters = region.chars().take(2).filter(char::is_ascii_uppercase).count();
    let region = if letters == 2 && region[2..].starts_with('-') { &region[3..] } else { region };
    (!region.is_empty()).then(|| region.to_owned())
}

fn texts(list: Option<&Value>) -> Vec<&str> {
    array(list).iter().take(8_192).map(|entry| entry.as_str().unwrap_or_default()).collect()
}

fn ids(list: Option<&Value>) -> Vec<String> {
    let ids = array(list).iter().filter_map(|entry| entry.get("id")?.as_str());
    ids.filter(|id| !id.is_empty()).map(str::to_owned).collect()
}

fn demanded(value: Option<&Value>) -> bool {
    present(value) && whole(value) != Some(0)
}

fn present(value: Option<&Value>) -> bool {
    value.is_some_and(|value| !value.is_null())
}

fn positive(value: Option<&Value>) -> Option<i64> {
    whole(value).filter(|number| *number > 0).map(|number| number.min(i64::from(u32::MAX)))
}

fn whole(value: Option<&Value>) -> Option<i64> {
    let exact = match value? {
        Value::Number(number) => number.as_i64(),
        Value::String(text) => text.parse().ok(),
        _ => None,
    };
    exact.or_else(|| {
        let float = float(value)?;
        (float.trunc() == float && float.abs() <= 2_f64.powi(53)).then_some(float as i64)
    })
}

fn float(value: Option<&Value>) -> Option<f64> {
    match value? {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.parse().ok(),
        _ => None,
    }
    .filter(|float: &f64| float.is_finite())
}

fn text(holder: &Map<String, Value>, name: &str) -> String {
    holder.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn array(value: Option<&Value>) -> &[Value] {
    value.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

fn object(holder: &Map<String, Value>, name: &str) -> Map<String, Value> {
    holder.get(name).and_then(Value::as_object).cloned().unwrap_or_default()
}
