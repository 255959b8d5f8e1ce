//! `vernier reconcile`: an exchange's report against what we booked.

use std::fs::File;
use std::io::{BufWriter, ErrorKind, Read, Write, stdin, stdout};
use std::path::Path;

use event_log::{Offset, Offsets, ReadError, Record, Stream};
use ledger::reconcile::{Comparison, Corrections, Names, Options, Reconciliation, Report, ReportError};
use proto::record::{StreamRecord, decode};
use proto::wire::CampaignsRecord;

use super::streams::{Extent, Streams};
use crate::config::Config;

/// Compares the report in `file` with the stream `outcomes` and prints both, as JSON where `json`. Whether anything is
/// alarming.
pub(crate) fn run(config: &Config, file: &Path, options: Options, json: bool) -> Result<bool, String> {
    let streams = Streams::open(config)?;
    let mut names = Names::default();
    each(&streams, Stream::Campaigns, None, |record: &CampaignsRecord| {
        names.learn(record);
        Ok(())
    })?;
    let report = report(file, options, &names)?;
    let mut corrections = Corrections::default();
    let Extent { trimmed, ends } = each(&streams, Stream::Outcomes, None, |outcome| {
        corrections.learn(outcome);
        Ok(())
    })?;
    if trimmed {
        eprintln!("the oldest records of outcomes are no longer kept: what we booked in them is missing here");
    }
    let mut reconciliation = Reconciliation::new(report, corrections);
    // Not further than before: what was corrected since is not known to be.
    each(&streams, Stream::Outcomes, Some(&ends), |outcome| {
        reconciliation.take(outcome).map_err(|unreadable| unreadable.to_string())
    })?;
    let comparison = reconciliation.finish(&names);
    match print(&comparison, json) {
        // The reader of a pipe has seen enough.
        Err(problem) if problem.kind() != ErrorKind::BrokenPipe => Err(problem.to_string()),
        _ => Ok(comparison.alarming() > 0),
    }
}

/// Reads the report, and tells of columns that it reads nothing of.
fn report(file: &Path, options: Options, names: &Names) -> Result<Report, String> {
    let input: Box<dyn Read> = if file.as_os_str() == "-" {
        Box::new(stdin().lock())
    } else {
        Box::new(File::open(file).map_err(|problem| format!("{}: {problem}", file.display()))?)
    };
    let report = Report::read(input, options, names).map_err(|problem| match problem {
        ReportError::Unread(problem) => format!("{}: {problem}", file.display()),
        ReportError::Mistakes(mistakes) => format!("{}: nothing is compared\n{mistakes}", file.display()),
    })?;
    if !report.ignored().is_empty() {
        eprintln!("columns that are not read: {}", report.ignored().join(", "));
    }
    Ok(report)
}

fn print(comparison: &Comparison<'_>, json: bool) -> std::io::Result<()> {
    let mut out = BufWriter::new(stdout().lock());
    if json {
        comparison.json_lines().try_for_each(|line| writeln!(out, "{line}"))?;
    } else {
        write!(out, "{comparison}")?;
    }
    out.flush()
}

/// Reads a stream from its beginning to `to`, or to where it ends now.
fn each<M: StreamRecord>(
    streams: &Streams,
    stream: Stream,
    to: Option<&Offsets>,
    mut take: impl FnMut(&M) -> Result<(), String>,
) -> Result<Extent, String> {
    let read = streams.read(stream, Offset(0), to, |Record { offset, value, .. }| {
        let message = decode(value).map_err(|problem| problem.to_string());
        message
            .and_then(|message| take(&message))
            .map_err(|problem| Stopped(format!("{stream}, offset {offset}: {problem}")))
    });
    read.map_err(|Stopped(problem)| problem)
}

/// Why a stream was not read to its end.
struct Stopped(String);

impl From<ReadError> for Stopped {
    fn from(problem: ReadError) -> Self {
        Self(problem.to_string())
    }
}
