use decision::ids::ExchangeName;

use super::*;
use crate::exchange::dialect::Dialect;
use crate::exchange::request::RequestBuffer;

/// Reads a request with these members and hands its view to `look`.
fn with<T>(members: &str, look: impl FnOnce(&BidRequest<'_>) -> T) -> T {
    let dialect = Dialect::new(ExchangeName::new("demo").expect("a short name"));
    let mut buffer = RequestBuffer::default();
    let body = format!(r#"{{"id":"r","imp":[{{"id":"1"}}],{members}}}"#);
    look(&buffer.read(body.as_bytes(), &dialect).expect("a bid request"))
}

fn restricted_by(members: &str) -> Option<Restriction> {
    with(members, |request| permit(request).restricted_by())
}

/// Every place of every signal that is read as 0 or 1.
const FLAGS: &[(&str, Restriction)] = &[
    (r#""regs":{"coppa":@}"#, Restriction::Coppa),
    (r#""regs":{"gpc":@}"#, Restriction::Gpc),
    (r#""regs":{"ext":{"gpc":@}}"#, Restriction::Gpc),
    (r#""device":{"lmt":@}"#, Restriction::LimitAdTracking),
];

/// Every place of every signal that restricts by being there.
const PRESENT: &[(&str, Restriction)] = &[
    (r#""regs":{"gdpr":@}"#, Restriction::Gdpr),
    (r#""regs":{"ext":{"gdpr":@}}"#, Restriction::Gdpr),
    (r#""user":{"consent":@}"#, Restriction::Gdpr),
    (r#""user":{"ext":{"consent":@}}"#, Restriction::Gdpr),
    (r#""regs":{"gpp":@}"#, Restriction::Gpp),
    (r#""regs":{"gpp_sid":@}"#, Restriction::Gpp),
    (r#""regs":{"ext":{"gpp":@}}"#, Restriction::Gpp),
    (r#""regs":{"ext":{"gpp_sid":@}}"#, Restriction::Gpp),
    (r#""regs":{"us_privacy":@}"#, Restriction::UsPrivacy),
    (r#""regs":{"ext":{"us_privacy":@}}"#, Restriction::UsPrivacy),
];

#[test]
fn flags_restrict_unless_they_say_no() {
    for (place, by) in FLAGS {
        for open in ["null", "0", "0.0", "-0", r#""0""#] {
            assert_eq!(restricted_by(&place.replace('@', open)), None, "{place} {open}");
        }
        for on in ["1", "1.0", "1e0", r#""1""#, r#""\u0031""#] {
            assert_eq!(restricted_by(&place.replace('@', on)), Some(*by), "{place} {on}");
        }
        for odd in ["2", "-1", "0.5", "true", "false", r#""""#, r#""no""#, "[]", "[0]", "{}", "1e400"] {
            assert_eq!(restricted_by(&place.replace('@', odd)), Some(*by), "{place} {odd}");
        }
    }
}

#[test]
fn other_signals_restrict_by_being_there() {
    for (place, by) in PRESENT {
        assert_eq!(restricted_by(&place.replace('@', "null")), None, "{place}");
        for there in ["0", "1", "false", r#""""#, r#""1---""#, "[]", "[7]", "{}"] {
            assert_eq!(restricted_by(&place.replace('@', there)), Some(*by), "{place} {there}");
        }
    }
}

#[test]
fn what_should_hold_signals_and_is_no_object_restricts() {
    for (place, by) in [
        (r#""regs":@"#, Restriction::Coppa),
        (r#""regs":{"ext":@}"#, Restriction::Gpc),
        (r#""device":@"#, Restriction::LimitAdTracking),
        (r#""user":@"#, Restriction::Gdpr),
        (r#""user":{"ext":@}"#, Restriction::Gdpr),
    ] {
        assert_eq!(restricted_by(&place.replace('@', "null")), None, "{place}");
        assert_eq!(restricted_by(&place.replace('@', "{}")), None, "{place}");
        for odd in ["[]", r#""""#, "0", "true", r#""{\"coppa\":0}""#] {
            assert_eq!(restricted_by(&place.replace('@', odd)), Some(by), "{place} {odd}");
        }
    }
}

#[test]
fn the_stricter_of_two_places_counts() {
    let gpc = |here: &str, ext: &str| {
        with(&format!(r#""regs":{{"gpc":{here},"ext":{{"gpc":{ext}}}}}"#), |request| signals(request).gpc)
    };
    assert_eq!(gpc("0", "1"), Flag::On);
    assert_eq!(gpc("1", "0"), Flag::On);
    assert_eq!(gpc("2", "0"), Flag::Unreadable);
    assert_eq!(gpc("null", "0"), Flag::Off);
    assert_eq!(gpc("null", "null"), Flag::Absent);
}

#[test]
fn obsolete_and_unknown_signals_do_not_restrict() {
    assert_eq!(
        restricted_by(r#""device":{"dnt":1},"regs":{"ext":{"dsa":{"dsarequired":1}}},"user":{"yob":1980}"#),
        None
    );
}

#[test]
fn what_is_kept_of_a_restricted_request_is_coarse() {
    let place = r#""ip":"203.0.113.77","geo":{"lat":52.520008,"lon":-13.404954}"#;
    let kept = |members: &str| with(members, |request| kept(request, &permit(request)));
    let ip = |text: &str| Some(text.parse::<IpAddr>().expect("an address"));
    let exact = Kept { ip: ip("203.0.113.77"), position: Some((52.520008, -13.404954)) };
    let coarse = Kept { ip: ip("203.0.113.0"), position: Some((52.52, -13.4)) };
    assert_eq!(kept(&format!(r#""device":{{{place}}}"#)), exact);
    assert_eq!(kept(&format!(r#""device":{{{place},"lmt":1}}"#)), coarse);
    assert_eq!(kept(&format!(r#""device":{{{place}}},"regs":{{"gdpr":0}}"#)), coarse);
    assert_eq!(kept(&format!(r#""device":{{{place}}},"regs":{{"coppa":1}}"#)), Kept { position: None, ..coarse });
    for (address, network) in
        [("2001:db8:1:23ff:3:4:5:6", "2001:db8:1:2300::"), ("::ffff:203.0.113.77", "203.0.113.0"), ("::1", "::")]
    {
        let members = format!(r#""device":{{"ipv6":"{address}","lmt":1}}"#);
        assert_eq!(kept(&members).ip, ip(network), "{address}");
    }
    assert_eq!(kept(r#""device":{"ip":"203.0.113","lmt":1}"#), Kept::default());
}
