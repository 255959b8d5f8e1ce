//! What was booked for the impressions of a file, and what that comes to.

use std::collections::BTreeMap;

use decision::ids::ImpressionId;
use decision::money::Nanos;
use decision::time::Micros;
use event_log::{EventLog, Record, Stream, Tail};
use proto::record::decode;
use proto::wire::{Correction, Outcome, OutcomeKind};

use super::CorrectError;
use super::file::{Amount, Row};
use crate::ledger::{BidTerms, stands_for_money};
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

    /// Reads on until every impression comes to what its correction wants.
    pub(super) async fn until_as_wanted(&mut self, wanted: &[Wanted]) -> Result<(), CorrectError> {
        while !wanted.iter().all(|wanted| self.is_as_wanted(wanted)) {
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

    pub(super) fn is_as_wanted(&self, wanted: &Wanted) -> bool {
        self.impressions[&wanted.impression].present == wanted.correction.charged
    }

    /// The correction that a row asks for; `None`: it cannot be, which is noted.
    pub(super) fn check(&self, row: &Row, by: &str, now: Micros, mistakes: &mut Mistakes) -> Option<Wanted> {
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
        let charged = match charged(original, row) {
            Ok(charged) => charged,
            Err((column, message)) => {
                note(column, message);
                return None;
            }
        };
        let correction = Correction {
            original: Some(Box::new(original.clone())),
            before: impression.present,
            charged: charged.get(),
            price: match row.amount {
                Amount::Spend(price) => Some(price.get()),
                Amount::Charged(_) => None,
            },
            reason: row.reason.clone(),
            by: by.to_owned(),
            at: now.0,
        };
        Some(Wanted { line: row.line, impression: row.impression, correction })
    }
}

/// A correction that a line asks for.
pub(super) struct Wanted {
    pub(super) line: u64,
    pub(super) impression: ImpressionId,
    pub(super) correction: Correction,
}

/// What a row wants an impression to come to, gross and in the currency of its campaign, or what is wrong with which column.
pub(super) fn charged(original: &Outcome, row: &Row) -> Result<Nanos, (&'static str, String)> {
    let Some(terms) = BidTerms::of(original).filter(|terms| terms.lead_to(original)) else {
        return Err(("impression", "was booked by a program that says too little of it".to_owned()));
    };
    let (column, amount, most, currency) = match row.amount {
        Amount::Charged(amount) => ("charged", amount, terms.most(), &original.campaign_currency),
        Amount::Spend(amount) => ("spend", amount, Nanos::new(original.bid_price), &original.currency),
    };
    // Of a campaign that no ledger knew then, nobody knows it.
    if let Some(told) = row.currency.filter(|told| !currency.is_empty() && told.as_str() != currency) {
        return Err(("currency", format!("must be {currency}, that of what is in `{column}`, not `{told}`")));
    }
    if amount > most {
        return Err((column, format!("must be at most {most} {currency}, the whole bid, not `{amount}`")));
    }
    Ok(match row.amount {
        Amount::Charged(amount) => amount,
        // Whoever bills nothing gives all back; what data costs for a price of 0 is nobody's to keep then.
        Amount::Spend(Nanos::ZERO) => Nanos::ZERO,
        Amount::Spend(amount) => terms.charge(amount).gross(),
    })
}
