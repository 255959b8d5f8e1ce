//! What an operator asks for: other money for impressions than was booked, all of a file or nothing.
//!
//! Amounts are not taken on trust: [`Corrector`] finds in the stream `outcomes` what was booked and what that came to since,
//! by impression, since an impression is booked once. The requests go to the stream `leases`, which every shard reads, so that
//! it does not matter who keeps the shard that has to book them; whoever asked is told when their outcomes are there. The same
//! file again books nothing: what an impression comes to already is not asked for.

use std::sync::Arc;

use decision::ids::ImpressionId;
use decision::money::Nanos;
use decision::time::Micros;
use event_log::{AppendError, EventLog, OpenError, ReadError, Stream};
use proto::record::RecordError;
use proto::wire::{LeaseRecord, lease_record::Event};
use thiserror::Error;
use tokio::sync::Mutex;
use tracing::{info, warn};

use crate::limits::{BY_BYTES_MAX, CORRECTIONS_TIME_MAX};
use crate::serve::{ServeError, append_batch, lease_record};
use crate::table::Mistakes;
use booked::{Booked, Wanted};
use file::File;

mod booked;
mod file;
#[cfg(test)]
mod tests;

/// What became of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Line by line.
    pub corrected: Vec<Corrected>,
    /// Names of columns that were not read, as they may be shown.
    pub ignored: Vec<String>,
}

/// What became of one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Corrected {
    /// The line of the file.
    pub line: u64,
    /// The impression.
    pub impression: ImpressionId,
    /// The number of its campaign.
    pub campaign: u32,
    /// That of the campaign; empty where the ledger had not heard of it when the impression was booked.
    pub currency: String,
    /// What it came to before.
    pub before: Nanos,
    /// What it is to come to.
    pub charged: Nanos,
    /// Whether it does.
    pub state: State,
}

/// How far a correction is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It was booked.
    Booked,
    /// The impression came to that already.
    Unchanged,
    /// It was asked for and is not booked yet: nobody keeps its shard, or the impression was corrected at the same time, and
    /// this is refused.
    Asked,
}

/// Why no correction was asked for.
#[derive(Debug, Error)]
pub enum CorrectError {
    /// The file is wrong, or asks for what cannot be.
    #[error("{0}")]
    Mistakes(Mistakes),
    /// Its bytes are not CSV.
    #[error(transparent)]
    Unread(#[from] csv::Error),
    /// `by` is no name.
    #[error("who asks must have a name of 1 to {BY_BYTES_MAX} bytes without control characters")]
    By,
    /// A record of `outcomes` is not understood.
    #[error("a record of outcomes is not understood: {0}")]
    Outcome(#[from] RecordError),
    /// The stream `outcomes` cannot be read.
    #[error("cannot read outcomes: {0}")]
    Read(#[from] ReadError),
    /// Nothing can be written.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// Another process asks for corrections as well.
    #[error("another process asks for corrections at the same time: nothing was asked for, try again")]
    Overtaken,
    /// Nobody knows whether the requests are in the stream. It does no harm to ask again.
    #[error("{0}; ask again: what is booked by then is not booked twice")]
    Unknown(ServeError),
}

/// Asks for corrections, one file after the other. Clones wait for each other.
#[derive(Clone, Debug)]
pub struct Corrector {
    log: EventLog,
    turn: Arc<Mutex<()>>,
}

impl Corrector {
    /// On these streams.
    pub fn new(log: EventLog) -> Self {
        Self { log, turn: Arc::default() }
    }

    /// Checks all of `file`, asks for its corrections in the name of `by` at `now`, and waits until they are booked, for a
    /// while. It reads all of `outcomes`, which may take long: not on a thread that serves others. It needs a runtime that
    /// tells the time.
    ///
    /// # Errors
    /// Nothing was asked for, unless nobody knows ([`CorrectError::Unknown`]).
    pub async fn correct(&self, file: &[u8], by: &str, now: Micros) -> Result<Answer, CorrectError> {
        if by.is_empty() || by.len() > BY_BYTES_MAX || by.chars().any(char::is_control) {
            return Err(CorrectError::By);
        }
        let File { rows, ignored } = file::read(file)?;
        let _turn = self.turn.lock().await;
        let mut booked = Booked::find(&self.log, &rows).await?;
        let mut mistakes = Mistakes::default();
        let wanted = rows.iter().filter_map(|row| booked.check(row, by, now, &mut mistakes));
        let wanted: Vec<Wanted> = wanted.collect();
        if !mistakes.are_none() {
            return Err(CorrectError::Mistakes(mistakes));
        }
        let news = wanted.iter().map(|wanted| &wanted.correction).filter(|it| it.before != it.charged);
        let news: Vec<LeaseRecord> = news
            .map(|correction| {
                let event = Some(Event::Correction(correction.clone()));
                LeaseRecord { at: now.0, event, ..LeaseRecord::default() }
            })
            .collect();
        if !news.is_empty() {
            self.ask(&news).await?;
            info!(by, corrections = news.len(), "corrections asked for");
            // What is asked for is booked whether it can be read or not.
            let waited = tokio::time::timeout(CORRECTIONS_TIME_MAX, booked.until_as_wanted(&wanted)).await;
            if let Ok(Err(problem)) = waited {
                warn!(%problem, "nobody knows which corrections are booked");
            }
        }
        Ok(Answer { corrected: wanted.iter().map(|wanted| corrected(wanted, &booked)).collect(), ignored })
    }

    /// All of them or none.
    async fn ask(&self, wanted: &[LeaseRecord]) -> Result<(), CorrectError> {
        let writer = self.log.writer("ledger-corrections").await?;
        let records = wanted.iter().map(lease_record).collect();
        append_batch(&writer, Stream::Leases, records).await.map_err(|problem| match problem {
            ServeError::Append { source: AppendError::Fenced { .. }, .. } => CorrectError::Overtaken,
            problem => CorrectError::Unknown(problem),
        })
    }
}

fn corrected(wanted: &Wanted, booked: &Booked) -> Corrected {
    let Wanted { line, impression, correction } = wanted;
    let original = correction.original.as_deref().cloned().unwrap_or_default();
    Corrected {
        line: *line,
        impression: *impression,
        campaign: original.campaign,
        currency: original.campaign_currency,
        before: Nanos::new(correction.before),
        charged: Nanos::new(correction.charged),
        state: match booked.is_as_wanted(wanted) {
            _ if correction.before == correction.charged => State::Unchanged,
            true => State::Booked,
            false => State::Asked,
        },
    }
}
