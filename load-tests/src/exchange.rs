//! A simulated exchange.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

/// What to play.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where bid requests go.
    pub bid_url: String,
    /// Requests a second.
    pub requests_per_s: u32,
    /// Different people.
    pub people: u32,
    /// The id of a person's number.
    pub person_id: fn(u32) -> String,
    /// Seed.
    pub seed: u64,
    /// Where acknowledged notices are written.
    pub journal: Option<PathBuf>,
}

impl Settings {
    /// Defaults.
    pub fn new(bid_url: String) -> Self {
        Self { bid_url, requests_per_s: 50, people: 1_000, person_id: |n| format!("person-{n}"), seed: 1, journal: None }
    }
}

/// What happened so far.
#[derive(Debug, Default)]
pub struct Totals {
    /// Answers that break the rules.
    pub invalid: AtomicU64,
}

/// Why it ended.
#[derive(Debug)]
pub struct ExchangeError(String);

impl std::fmt::Display for ExchangeError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// Plays until `shutdown`.
///
/// # Errors
/// None yet.
pub async fn run(settings: Settings, totals: Arc<Totals>, shutdown: impl Future<Output = ()>) -> Result<(), ExchangeError> {
    let _ = (settings, totals);
    shutdown.await;
    Ok(())
}
