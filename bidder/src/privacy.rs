//! What a bid request permits us to use, and how much of it may be kept.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use decision::privacy::{Flag, Permit, Restriction, Signals};

use crate::exchange::request::{BidRequest, Signal};

/// What may be used of `request`.
pub fn permit(request: &BidRequest<'_>) -> Permit {
    Permit::of(&signals(request))
}

/// The privacy signals of `request` from their OpenRTB 2.5 and 2.6 places. Where both speak, the stricter one counts.
pub fn signals(request: &BidRequest<'_>) -> Signals {
    let (here, ext) = (&request.regs.here, &request.regs.ext);
    Signals {
        coppa: request.regs.coppa,
        gpc: stricter(here.gpc, ext.gpc),
        limit_ad_tracking: request.device.limit_ad_tracking,
        gdpr: stricter(here.gdpr, ext.gdpr) != Flag::Absent || request.user.consent.is_there(),
        gpp: [here.gpp, here.gpp_sid, ext.gpp, ext.gpp_sid].into_iter().any(Signal::is_there),
        us_privacy: [here.us_privacy, ext.us_privacy].into_iter().any(Signal::is_there),
    }
}

fn stricter(a: Flag, b: Flag) -> Flag {
    match (a, b) {
        (Flag::On, _) | (_, Flag::On) => Flag::On,
        (Flag::Unreadable, _) | (_, Flag::Unreadable) => Flag::Unreadable,
        (Flag::Off, _) | (_, Flag::Off) => Flag::Off,
        (Flag::Absent, Flag::Absent) => Flag::Absent,
    }
}

/// What may be kept of where a person is.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Kept {
    /// The address of the device; where the request is restricted, that of its network: 24 bits of IPv4, 56 of IPv6.
    pub ip: Option<IpAddr>,
    /// Latitude and longitude in degrees; where the request is restricted, to two decimals (about a kilometre), and for
    /// children none at all.
    pub position: Option<(f64, f64)>,
}

/// What may be kept of `request` in any stream or log. Ids are kept by [`Permit::ids`] alone.
pub fn kept(request: &BidRequest<'_>, permit: &Permit) -> Kept {
    let ip = [request.device.ip, request.device.ipv6].into_iter().find_map(|ip| ip.parse().ok());
    let position = request.device.position;
    match permit.restricted_by() {
        None => Kept { ip, position },
        Some(Restriction::Coppa) => Kept { ip: ip.map(network), position: None },
        Some(_) => Kept { ip: ip.map(network), position: position.map(|(lat, lon)| (coarse(lat), coarse(lon))) },
    }
}

/// The network of an address. An IPv4 address in an IPv6 one is an IPv4 address.
fn network(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V4(ip) => Ipv4Addr::from_bits(ip.to_bits() & (!0 << 8)).into(),
        IpAddr::V6(ip) => Ipv6Addr::from_bits(ip.to_bits() & (!0 << 72)).into(),
    }
}

fn coarse(degrees: f64) -> f64 {
    (degrees * 100.0).round() / 100.0
}

#[cfg(test)]
mod tests;
