//! What is written of a run, so that it can be checked without any of its processes: a folder of lines of JSON.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Error};
use std::path::{Path, PathBuf};

use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use super::plan::Plan;
use super::stage::Happened;
use crate::exchange::audit::decimal_nanos;
use crate::exchange::journal::{self, Line};

/// The run: what was planned, what campaigns are called in bids, what happened when.
pub(super) const RUN: &str = "run.json";
/// What the exchange was promised.
pub(super) const JOURNAL: &str = "exchange.jsonl";
/// The ledger's books at the end.
pub(super) const BOOKS: &str = "books.json";
/// The streams, as `vernier events cat` prints them.
pub(super) const STREAMS: [&str; 4] = ["notices", "outcomes", "bids", "leases"];

/// Where a stream is in the folder of a history.
pub(super) fn stream_file(folder: &Path, stream: &str) -> PathBuf {
    folder.join(stream).with_extension("jsonl")
}

/// Writes a value as JSON.
pub(super) fn write(file: &Path, value: &impl Serialize) -> io::Result<()> {
    fs::write(file, serde_json::to_string_pretty(value)?)
}

/// What a run was.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Recorded {
    pub(super) plan: Plan,
    /// What campaigns are called in bids, by their names.
    pub(super) numbers: BTreeMap<String, String>,
    pub(super) happened: Vec<Happened>,
}

/// A record of `notices`.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Notice {
    pub(super) impression: String,
    pub(super) kind: String,
}

/// A record of `outcomes`. Amounts are nanos.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Outcome {
    pub(super) kind: String,
    pub(super) impression: String,
    /// When the notice arrived: RFC 3339, UTC.
    pub(super) at: String,
    pub(super) campaign: u32,
    pub(super) lease: Option<String>,
    /// Units of the bid's currency for one of the campaign's, in billionths.
    #[serde(deserialize_with = "amount")]
    pub(super) rate: i64,
    #[serde(deserialize_with = "amount")]
    pub(super) charged: i64,
    pub(super) late: bool,
}

/// A record of `bids`.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Bid {
    pub(super) impression: String,
    pub(super) campaign: u32,
    pub(super) price: Price,
}

/// What was bid.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Price {
    /// For a thousand impressions, in billionths.
    #[serde(deserialize_with = "amount")]
    pub(super) bid_cpm: i64,
}

/// A record of `leases` that lends or settles.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Lease {
    /// RFC 3339, UTC.
    pub(super) at: String,
    pub(super) grant: Option<Grant>,
    pub(super) settled: Option<Settled>,
}

/// Money that was lent.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Grant {
    pub(super) campaign: u32,
    /// `None`: it was refused.
    pub(super) lease: Option<String>,
    #[serde(deserialize_with = "amount")]
    pub(super) amount: i64,
}

/// What the ledger told a node of a lease.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Settled {
    pub(super) lease: String,
    /// Of the lease so far.
    #[serde(deserialize_with = "amount")]
    pub(super) charged: i64,
}

/// The ledger's books.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Books {
    pub(super) campaigns: Vec<Account>,
}

/// A campaign in the books. Amounts are nanos.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Account {
    pub(super) campaign: u32,
    #[serde(deserialize_with = "whole")]
    pub(super) granted_nanos: i128,
    #[serde(deserialize_with = "whole")]
    pub(super) charged_nanos: i128,
    #[serde(deserialize_with = "whole")]
    pub(super) returned_nanos: i128,
    #[serde(deserialize_with = "whole")]
    pub(super) outstanding_nanos: i128,
    #[serde(deserialize_with = "whole")]
    pub(super) late_nanos: i128,
    #[serde(deserialize_with = "whole")]
    pub(super) spent_nanos: i128,
}

/// A whole history.
#[derive(Clone, Debug)]
pub(super) struct History {
    pub(super) run: Recorded,
    pub(super) journal: Vec<Line>,
    pub(super) notices: Vec<Notice>,
    pub(super) outcomes: Vec<Outcome>,
    pub(super) bids: Vec<Bid>,
    pub(super) leases: Vec<Lease>,
    pub(super) books: Books,
}

impl History {
    /// Reads one.
    ///
    /// # Errors
    /// A file cannot be read, or holds something else.
    pub(super) fn read(folder: &Path) -> io::Result<Self> {
        Ok(Self {
            run: serde_json::from_str(&fs::read_to_string(folder.join(RUN))?)?,
            journal: journal::read(&folder.join(JOURNAL))?,
            notices: lines(folder, "notices")?,
            outcomes: with(&["impression"], lines(folder, "outcomes")?)?,
            bids: lines(folder, "bids")?,
            leases: with(&["grant", "settled"], lines(folder, "leases")?)?,
            books: serde_json::from_str(&fs::read_to_string(folder.join(BOOKS))?)?,
        })
    }
}

fn lines<T: DeserializeOwned>(folder: &Path, stream: &str) -> io::Result<Vec<T>> {
    let file = stream_file(folder, stream);
    let wrong = |at: usize, problem| Error::other(format!("{}: line {}: {problem}", file.display(), at + 1));
    let all = BufReader::new(File::open(&file)?).lines().enumerate();
    all.map(|(at, line)| serde_json::from_str(&line?).map_err(|problem| wrong(at, problem))).collect()
}

/// The records that have one of these fields; others say nothing of money, and may say anything else.
fn with<T: DeserializeOwned>(fields: &[&str], records: Vec<Value>) -> io::Result<Vec<T>> {
    let them = records.into_iter().filter(|record| fields.iter().any(|field| !record[*field].is_null()));
    them.map(|record| Ok(serde_json::from_value(record)?)).collect()
}

/// Billionths of a decimal text.
fn amount<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
    let text = String::deserialize(deserializer)?;
    decimal_nanos(&text).ok_or_else(|| D::Error::custom(format!("{text} is no amount")))
}

/// A whole number of a text.
fn whole<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i128, D::Error> {
    String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn records_that_say_nothing_of_money_are_passed_over() {
        let begun = json!({"at": null, "shard": 0, "grant": null, "settled": null, "read": {"notices_until": null}});
        let grant = json!({"campaign": 7, "lease": "9", "amount": "0.5"});
        let lent = json!({"at": "2026-03-01T12:00:00Z", "grant": grant, "settled": null});
        let leases: Vec<Lease> = with(&["grant", "settled"], vec![begun, lent]).unwrap();
        let [Lease { at, grant: Some(Grant { campaign: 7, amount: 500_000_000, .. }), .. }] = &leases[..] else {
            panic!("{leases:?}")
        };
        assert_eq!(at, "2026-03-01T12:00:00Z");
        let wrong = json!({"at": null, "grant": {"campaign": 7, "lease": "9", "amount": "0.5"}});
        assert!(with::<Lease>(&["grant", "settled"], vec![wrong]).is_err());
    }
}
