//! `vernier apply`, `vernier stop`, `vernier campaigns`.

use std::path::PathBuf;

use bytes::Bytes;
use control_plane::{Applied, Apply, Campaigns, FilesRead, Problem, Refused, Rejected, Stopped};
use http::{Method, StatusCode};

use super::encoded;
use crate::client::{AdminAddress, ask, read};

/// Publishes campaign files, all or nothing.
pub(crate) fn apply(admin: &AdminAddress, paths: &[PathBuf], dry_run: bool) -> Result<(), String> {
    let FilesRead { files, problems, .. } = control_plane::read_paths(paths);
    if !problems.is_empty() {
        // Nothing is applied, and what was published before is not known here.
        let others = control_plane::check_part(&files);
        return Err(lines(&[problems, others].concat()));
    }
    let body = serde_json::to_vec(&Apply { files, by: None }).map_err(|problem| problem.to_string())?;
    let path = if dry_run { "/campaigns/apply?dry_run=true" } else { "/campaigns/apply" };
    let (status, answer) = ask(admin, Method::POST, path, Bytes::from(body))?;
    match status {
        StatusCode::OK => {
            let applied: Applied = read(status, &answer)?;
            for change in &applied.changes {
                println!("{:<10} {:<10} {}", change.kind, change.change.label(), change.name);
            }
            let revision = applied.revision.map_or_else(|| "none".to_owned(), |revision| revision.to_string());
            println!("{} {revision}", if applied.dry_run { "dry run; revision stays" } else { "revision" });
            Ok(())
        }
        StatusCode::UNPROCESSABLE_ENTITY => Err(lines(&read::<Rejected>(status, &answer)?.problems)),
        _ => Err(refused(status, &answer)),
    }
}

/// Stops a campaign.
pub(crate) fn stop(admin: &AdminAddress, campaign: &str) -> Result<(), String> {
    let (status, answer) = ask(admin, Method::POST, &format!("/campaigns/{}/stop", encoded(campaign)), Bytes::new())?;
    if status != StatusCode::OK {
        return Err(refused(status, &answer));
    }
    let stopped: Stopped = read(status, &answer)?;
    println!("{} {}", stopped.name, stopped.change.label());
    Ok(())
}

/// Lists campaigns.
pub(crate) fn list(admin: &AdminAddress) -> Result<(), String> {
    let (status, answer) = ask(admin, Method::GET, "/campaigns", Bytes::new())?;
    if status != StatusCode::OK {
        return Err(refused(status, &answer));
    }
    let all: Campaigns = read(status, &answer)?;
    let width = all.campaigns.iter().map(|campaign| campaign.name.len()).max().unwrap_or(0).max(8);
    println!(
        "{:<width$}  {:>6}  {:<8}  {:>12}  {:>12}  {:<3}  flight",
        "campaign", "number", "state", "daily", "total", ""
    );
    for c in &all.campaigns {
        let flight = format!("{} to {}", c.from, c.until);
        println!(
            "{:<width$}  {:>6}  {:<8}  {:>12}  {:>12}  {:<3}  {flight}",
            c.name, c.number, c.state, c.daily_budget, c.total_budget, c.currency
        );
    }
    Ok(())
}

fn lines(problems: &[Problem]) -> String {
    problems.iter().map(Problem::to_string).collect::<Vec<_>>().join("\n")
}

fn refused(status: StatusCode, answer: &[u8]) -> String {
    read::<Refused>(status, answer).map_or_else(|said| said, |refused| refused.error)
}
