//! `vernier correct`: other money for impressions than was booked, through the admin port of a ledger.

use std::io::Read;
use std::path::Path;

use bytes::Bytes;
use http::{Method, StatusCode};

use super::encoded;
use crate::admin::corrections::{Answer, Row, Said};
use crate::client::{AdminAddress, Unanswered, ask, read};

/// Corrects what `file` names, all or nothing. Whether all of it is booked.
pub(crate) fn run(admin: &AdminAddress, file: &Path, by: Option<&str>) -> Result<bool, String> {
    let mut corrections = Vec::new();
    let at = |problem: std::io::Error| format!("{}: nothing is corrected\n{problem}", file.display());
    if file.as_os_str() == "-" {
        std::io::stdin().lock().read_to_end(&mut corrections).map_err(at)?;
    } else {
        corrections = std::fs::read(file).map_err(at)?;
    }
    let path = by.map_or_else(|| "/corrections".to_owned(), |by| format!("/corrections?by={}", encoded(by)));
    // An answer that broke off leaves open what became of it.
    let unknown = |why: &str| {
        eprintln!("{}: nobody knows what is corrected; the same file again tells\n{why}", file.display());
        Ok(false)
    };
    let (status, answer) = match ask(admin, Method::POST, &path, Bytes::from(corrections)) {
        Ok(answered) => answered,
        Err(Unanswered::BrokeOff(problem)) => return unknown(&problem),
        Err(Unanswered::Unreachable(problem)) => {
            return Err(format!("{}: nothing is corrected\n{problem}", file.display()));
        }
    };
    let answer: Answer = match read(status, &answer) {
        Ok(answer) => answer,
        Err(problem) => return unknown(&problem),
    };
    if !answer.ignored.is_empty() {
        eprintln!("columns that are not read: {}", answer.ignored.join(", "));
    }
    match (status, answer.error) {
        (StatusCode::OK, None) => {
            print!("{}", told(&answer.corrections));
            Ok(answer.corrections.iter().all(|row| row.state != Said::Asked))
        }
        (_, Some(error)) if answer.unknown => unknown(&error),
        (_, error) => {
            let error = error.unwrap_or_else(|| format!("answered {status}"));
            Err(format!("{}: nothing is corrected\n{error}", file.display()))
        }
    }
}

/// A line for each correction, and one for all.
fn told(rows: &[Row]) -> String {
    let mut text = String::new();
    for Row { impression, campaign, currency, before, charged, state, .. } in rows {
        let change = match state {
            Said::Booked => format!("{before} -> {charged} {currency}  booked"),
            Said::Unchanged => format!("{charged} {currency}  unchanged"),
            Said::Asked => format!("{before} -> {charged} {currency}  asked for, not booked yet"),
        };
        text.push_str(&format!("{impression}  campaign {campaign}  {change}\n"));
    }
    let count = |of: Said| rows.iter().filter(|row| row.state == of).count();
    let asked = match count(Said::Asked) {
        0 => String::new(),
        asked => format!(
            ", {asked} asked for and not booked yet: is every shard kept, and did nobody correct the same? The same file \
             again tells"
        ),
    };
    text + &format!("{} booked, {} unchanged{asked}\n", count(Said::Booked), count(Said::Unchanged))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_became_of_each_line_is_told() {
        let row = |campaign, before: &str, charged: &str, state| Row {
            line: 2,
            impression: "ab".repeat(16),
            campaign,
            currency: "EUR".to_owned(),
            before: before.to_owned(),
            charged: charged.to_owned(),
            state,
        };
        let rows = [row(7, "0.0015", "0.00", Said::Booked), row(8, "0.001", "0.001", Said::Unchanged)];
        let id = "ab".repeat(16);
        let expected = format!(
            "{id}  campaign 7  0.0015 -> 0.00 EUR  booked\n{id}  campaign 8  0.001 EUR  unchanged\n1 booked, 1 unchanged\n"
        );
        assert_eq!(told(&rows), expected);
        let waiting = told(&[row(7, "0.0015", "0.00", Said::Asked)]);
        assert!(waiting.contains("asked for, not booked yet\n0 booked, 0 unchanged, 1 asked for and"), "{waiting}");
    }
}
