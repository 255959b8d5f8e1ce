//! Money: what campaigns may spend, what nodes were lent, what was charged.
//!
//! [`Ledger`] is a pure fold of the stream `ledger-journal`. [`serve`] journals what arrives in the streams
//! `campaigns`, `leases` and `notices`, folds it, and publishes what follows in `outcomes` and `leases`, each effect
//! once however often it is killed. [`reconcile`] holds an exchange's report against what came of it.
//!
//! Invariant: nothing follows from an input that is not durable in the journal, and money is neither lost nor made:
//! `granted = charged + returned + outstanding`, `spent = charged + late + corrected`.

mod books;
pub mod correct;
mod ledger;
pub mod limits;
mod pacing;
pub mod reconcile;
mod serve;
mod table;
mod tally;

pub use books::{Books, CampaignBooks, LedgerHandle};
pub use ledger::{Effects, JournalError, Ledger, LedgerPolicy, SnapshotError, Sums};
pub use serve::{Figures, LedgerSettings, ServeError, serve};
pub use tally::{Charge, Oddity, Tally};
