//! The books as bytes, so that a restart need not fold the whole journal. Canonical: equal books have equal parts, however
//! they came about, so two rebuilds can be held against each other.
//!
//! What follows from the rest is not in them: sums of sums, when leases close, and what nodes are still to be told, which is
//! nothing at the end of a batch.

use thiserror::Error;

use super::Ledger;
use proto::wire::LedgerSnapshot;

mod convert;
mod read;
mod write;

/// Why parts are no snapshot that these books can go on from. The journal says the same as a snapshot, so nothing is lost.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SnapshotError {
    /// It is a state of another fold: another version of the program wrote it.
    #[error("it is of fold {found}, and this program's is {expected}")]
    OtherFold {
        /// That of this program.
        expected: u32,
        /// That of the snapshot.
        found: u32,
    },
    /// A part is missing or damaged.
    #[error("{0}")]
    Damaged(&'static str),
    /// Its sums do not agree.
    #[error("its sums do not agree: {0}")]
    Disagrees(String),
}

impl Ledger {
    /// Whether the books are between two batches, so that nothing would be missing in a snapshot.
    pub fn is_settled(&self) -> bool {
        self.unsettled.is_empty()
    }

    /// The books in parts that fit a record each, in order. `journal_offset` is where the journal goes on behind them.
    pub fn snapshot(&self, journal_offset: u64) -> impl Iterator<Item = LedgerSnapshot> + '_ {
        write::parts(self, journal_offset)
    }

    /// The books of all parts of a snapshot, and where the journal goes on behind them.
    ///
    /// # Errors
    /// They are none of this program's, not whole, or their sums do not agree.
    pub fn restore(parts: impl IntoIterator<Item = LedgerSnapshot>) -> Result<(Self, u64), SnapshotError> {
        read::ledger(parts)
    }
}
