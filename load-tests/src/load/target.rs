//! Whom a load is for.

use std::net::{SocketAddr, ToSocketAddrs};

/// A bidder, by the URL that takes its bid requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Where it is: an address of this machine.
    pub(super) address: SocketAddr,
    /// What its URL calls it.
    pub(super) host: String,
    /// The path of bid requests.
    pub(super) path: String,
}

impl Target {
    /// The bidder behind a URL such as `http://127.0.0.1:8080/bid/demo`.
    ///
    /// # Errors
    /// It is no such URL, or not of this machine: a load is never sent anywhere else.
    pub fn new(url: &str) -> Result<Self, String> {
        let rest = url.strip_prefix("http://").ok_or_else(|| format!("{url}: must begin with http://"))?;
        let (host, path) = rest.find('/').map_or((rest, "/"), |slash| rest.split_at(slash));
        let mut addresses = host.to_socket_addrs().map_err(|problem| format!("{url}: {problem}"))?;
        let address = addresses.next().ok_or_else(|| format!("{url}: has no address"))?;
        if !address.ip().is_loopback() {
            return Err(format!("{url}: is not on this machine: a load is sent to its loopback only"));
        }
        Ok(Self { address, host: host.to_owned(), path: path.to_owned() })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// Its name, as requests say it.
    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    /// The path of a URL of the same server; `None` for anybody else's.
    pub(super) fn path_of<'u>(&self, url: &'u str) -> Option<&'u str> {
        url.strip_prefix("http://")?.strip_prefix(&self.host).filter(|path| path.starts_with('/'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_loaded() {
        let target = Target::new("http://127.0.0.1:80/bid/x").unwrap();
        assert_eq!((target.host.as_str(), target.path.as_str()), ("127.0.0.1:80", "/bid/x"));
        assert_eq!(target.path_of("http://127.0.0.1:80/n/win/x?p=1"), Some("/n/win/x?p=1"));
        assert_eq!(target.path_of("http://127.0.0.1:8080/n"), None);
        for bad in ["https://127.0.0.1:1/", "http://192.0.2.1:80/", "http://127.0.0.1/"] {
            assert!(Target::new(bad).is_err(), "{bad}");
        }
    }
}
