//! What the exchange was promised: one JSON object a line, handed to the system when it is written, so that it outlives both
//! the bidder and this process.

use std::cell::RefCell;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use super::answer::Offer;

/// One line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Line {
    /// A bid took part in an auction.
    Bid {
        /// Its id, which is the impression's in the bidder's streams.
        bid: String,
        /// CPM in micros.
        price_cpm: i64,
        /// The campaign.
        cid: String,
        /// The node that bid, counted from zero.
        node: usize,
        /// When the answer was read: milliseconds since 1970.
        at_ms: u64,
    },
    /// A notice was acknowledged: 2xx, or 302 for a click.
    Acknowledged {
        /// The bid's id.
        bid: String,
        /// What kind of notice.
        notice: Notice,
        /// What was paid, CPM in micros, where the notice says so.
        price_cpm: Option<i64>,
        /// The status it got.
        status: u16,
        /// The node that took it, counted from zero.
        node: usize,
        /// When that was known: milliseconds since 1970.
        at_ms: u64,
    },
    /// A notice was sent that was not acknowledged, or had been before.
    Sent {
        /// The bid's id.
        bid: String,
        /// What kind of notice.
        notice: Notice,
        /// What was paid, CPM in micros, where the notice says so.
        price_cpm: Option<i64>,
        /// The status it got; `None`: no answer, so nobody knows whether it was taken.
        status: Option<u16>,
        /// The node it was sent to, counted from zero.
        node: usize,
        /// When its answer was there or waited for no longer: milliseconds since 1970.
        at_ms: u64,
    },
}

/// Kinds of notices.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Notice {
    /// `nurl`.
    Win,
    /// `burl`.
    Billing,
    /// `lurl`.
    Loss,
    /// The pixel in the markup.
    View,
    /// The link in the markup.
    Click,
}

impl Notice {
    /// The name in lines and in the bidder's streams.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Win => "win",
            Self::Billing => "billing",
            Self::Loss => "loss",
            Self::View => "view",
            Self::Click => "click",
        }
    }
}

/// What became of a notice that was sent once.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sent {
    /// The node it was sent to.
    pub(super) node: usize,
    /// The status it got, if it was answered.
    pub(super) status: Option<u16>,
    /// Whether that acknowledges it.
    pub(super) taken: bool,
}

/// Milliseconds since 1970, by the clock of this machine.
pub(crate) fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
}

/// The journal while it is written.
pub(super) struct Journal(Option<RefCell<File>>);

impl Journal {
    pub(super) fn open(path: Option<&Path>) -> io::Result<Self> {
        let open = |path: &Path| OpenOptions::new().create(true).append(true).open(path);
        Ok(Self(path.map(open).transpose()?.map(RefCell::new)))
    }

    pub(super) fn bid(&self, offer: &Offer, node: usize) {
        let (bid, cid, at_ms) = (offer.id.clone(), offer.cid.clone(), now_ms());
        self.write(&Line::Bid { bid, price_cpm: offer.price_cpm, cid, node, at_ms });
    }

    pub(super) fn acknowledged(&self, offer: &Offer, notice: Notice, price_cpm: Option<i64>, sent: Sent) {
        let Sent { node, status, .. } = sent;
        let (bid, status, at_ms) = (offer.id.clone(), status.unwrap_or_default(), now_ms());
        self.write(&Line::Acknowledged { bid, notice, price_cpm, status, node, at_ms });
    }

    pub(super) fn sent(&self, offer: &Offer, notice: Notice, price_cpm: Option<i64>, sent: Sent) {
        let Sent { node, status, .. } = sent;
        let (bid, at_ms) = (offer.id.clone(), now_ms());
        self.write(&Line::Sent { bid, notice, price_cpm, status, node, at_ms });
    }

    /// # Panics
    /// Where a line cannot be written: an incomplete journal must not be taken for a whole one.
    fn write(&self, line: &Line) {
        if let Some(file) = &self.0 {
            let mut text = serde_json::to_string(line).expect("a line is made of texts and numbers");
            text.push('\n');
            file.borrow_mut().write_all(text.as_bytes()).expect("the journal can be written");
        }
    }
}

/// Reads a journal.
///
/// # Errors
/// Where the file cannot be read or a line is no line of a journal.
pub fn read(path: &Path) -> io::Result<Vec<Line>> {
    let text = std::fs::read_to_string(path)?;
    text.lines().map(|line| serde_json::from_str(line).map_err(io::Error::from)).collect()
}
