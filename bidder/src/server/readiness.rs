//! Whether new traffic should come here.

use std::sync::atomic::{AtomicBool, Ordering};

/// Whether new traffic should come here: shared by what warms up, the server, and the admin port.
#[derive(Debug, Default)]
pub struct Readiness {
    warm: AtomicBool,
    draining: AtomicBool,
}

impl Readiness {
    /// Caches are warm: traffic may come. Without effect on a server that drains.
    pub fn warmed(&self) {
        self.warm.store(true, Ordering::Release);
    }

    /// Whether traffic should come: warm, and not draining.
    pub fn ready(&self) -> bool {
        self.warm.load(Ordering::Acquire) && !self.draining()
    }

    /// Whether the server is on its way out. There is no way back.
    pub fn draining(&self) -> bool {
        self.draining.load(Ordering::Acquire)
    }

    pub(super) fn drain(&self) {
        self.draining.store(true, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_warm_server_that_does_not_drain_is_ready() {
        let readiness = Readiness::default();
        assert!(!readiness.ready());
        readiness.warmed();
        assert!(readiness.ready());
        readiness.drain();
        assert!(!readiness.ready());
        readiness.warmed();
        assert!(!readiness.ready() && readiness.draining());
    }
}
