//! Ports for servers of one's own.

use std::collections::BTreeSet;
use std::io::{self, Error};
use std::net::{SocketAddr, TcpListener};
use std::sync::{Mutex, PoisonError};

/// Ports below those that systems give to clients (`net.ipv4.ip_local_port_range`) and above those of most services.
const PORTS: std::ops::Range<u16> = 18_000..32_000;
/// Ports that are looked at until so many are free as are wanted.
const TRIES_MAX: usize = 1_000;

/// Ports that were handed out: who got one may not listen yet, or be about to listen again.
static GIVEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());

/// Addresses of the loopback that are free at this moment, each another one. Nobody is given their ports unasked, so they
/// stay free until whoever asked has started to listen.
///
/// # Errors
/// There are not as many free ports.
pub fn free_addresses<const N: usize>() -> io::Result<[SocketAddr; N]> {
    let mut given = GIVEN.lock().unwrap_or_else(PoisonError::into_inner);
    let mut listeners = Vec::new();
    for _ in 0..TRIES_MAX {
        if listeners.len() == N {
            break;
        }
        let port = rand::random_range(PORTS);
        if let Ok(listener) = TcpListener::bind(("127.0.0.1", port))
            && given.insert(port)
        {
            listeners.push(listener);
        }
    }
    let addresses: Vec<_> = listeners.iter().map(TcpListener::local_addr).collect::<io::Result<_>>()?;
    addresses.try_into().map_err(|_| Error::other("ports are missing"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_given_once_also_where_nobody_listens_on_it_yet() {
        let given: BTreeSet<_> =
            (0..500).flat_map(|_| free_addresses::<2>().unwrap()).map(|address| address.port()).collect();
        assert_eq!(given.len(), 1_000);
        assert!(given.iter().all(|port| PORTS.contains(port)));
    }
}
