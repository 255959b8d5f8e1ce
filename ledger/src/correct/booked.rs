//! What was booked for the impressions of a file, and what that comes to.

use std::collections::BTreeMap;

use decision::ids::ImpressionId;
use decision::money::Nanos;
use decision::time::Micros;
use event_log::{EventLog, Record, Stream, Tail};
use proto::record::decode;
use proto::wire::{Correction, Outcome, OutcomeKind};

use super::CorrectError;
use super::file::Row;
use crate::ledger::{most, stands_for_money};
use crate::table::Mistakes;

/// The impressions, and a place in `outcomes` behind what is known of them. Memory grows with the file alone.
pub(super) struct Booked {
    tail: Tail,
    impressions: BTreeMap<ImpressionId, Impression>,
    /// Whether older outcomes are no longer kept.
    trimmed: bool,
}

/// What is known of one.
#[derive(Default)]
struct Impression {
    original: Option<Outcome>,
    /// More than one, which no ledger writes: whoever corrects one of them would not know which.
    is_ambiguous: bool,
    /// What all outcomes of it come to.
    present: i64,
}

impl Booked {
    /// Reads `outcomes` from what is kept of it to where it ends.
    pub(super) async fn find(log: &EventLog, rows: &[Row]) -> Result<Self, CorrectError> {
        let (starts, ends) = (log.starts(Stream::Outcomes).await?, log.ends(Stream::Outcomes).await?);
        let impressions = rows.iter().map(|row| (row.impression, Impression::default())).collect();
        let tail = log.read_from(Stream::Outcomes, &starts);
        let mut booked = Self { tail, impressions, trimmed: starts.sum() > 0 };
        booked.tail.aim(&ends);
        while !booked.tail.offsets().reached(&ends) {
            booked.read().await?;
        }
        Ok(booked)
    }

    /// Reads on until every impression comes to what its row wants.
    pub(super) async fn until_as_wanted(&mut self, rows: &[Row]) -> Result<(), CorrectError> {
        while !rows.iter().all(|row| self.is_as_wanted(row)) {
            self.read().await?;
        }
        Ok(())
    }

    async fn read(&mut self) -> Result<(), CorrectError> {
        let records = self.tail.next().await?;
        records.iter().try_for_each(|record| self.take(record))
    }

    fn take(&mut self, record: &Record) -> Result<(), CorrectError> {
        let outcome: Outcome = decode(&record.value)?;
        let id = proto::ids::impression(&outcome.impression);
        let Some(impression) = id.and_then(|id| self.impressions.get_mut(&id)) else { return Ok(()) };
        let books = stands_for_money(&outcome);
        if books || outcome.kind() == OutcomeKind::Correction {
            impression.present = impression.present.saturating_add(outcome.charged);
        }
        if books {
            impression.is_ambiguous = impression.original.replace(outcome).is_some();
        }
        Ok(())
    }

    pub(super) fn is_as_wanted(&self, row: &Row) -> bool {
        self.impressions[&row.impression].present == row.charged.get()
    }

    /// The correction that a row asks for; `None`: it cannot be, which is noted.
    pub(super) fn check(&self, row: &Row, by: &str, now: Micros, mistakes: &mut Mistakes) -> Option<Correction> {
        let impression = &self.impressions[&row.impression];
        let mut note = |column, message| mistakes.note(row.line, Some(column), message);
        let Some(original) = &impression.original else {
            let older = if self.trimmed { ", or so long ago that its outcome is no longer kept" } else { "" };
            note("impression", format!("nothing was booked for it{older}"));
            return None;
        };
        if impression.is_ambiguous {
            note("impression", "was booked more than once: nobody can tell which is meant".to_owned());
            return None;
        }
        let most = most(original).unwrap_or(Nanos::ZERO);
        if row.charged > most {
            let currency = &original.campaign_currency;
            note("charged", format!("must be at most {most} {currency}, which was bid, not `{}`", row.charged));
            return None;
        }
        Some(Correction {
            original: Some(Box::new(original.clone())),
            before: impression.present,
            charged: row.charged.get(),
            reason: row.reason.clone(),
            by: by.to_owned(),
            at: now.0,
        })
    }
}
