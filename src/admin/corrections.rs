//! Where an operator hands over corrections: `POST /corrections?by=NAME` with the CSV file as the body.

use axum::extract::rejection::{BytesRejection, QueryRejection};
use axum::extract::{DefaultBodyLimit, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use bytes::Bytes;
use ledger::correct::{self, CorrectError, Corrected, Corrector, State as Progress};
use ledger::limits::CORRECTIONS_BYTES_MAX;
use serde::{Deserialize, Serialize};

use crate::app::clock;

/// Whose corrections they are where nobody says.
const BY: &str = "unnamed";

/// What became of a file: `corrections` where it was accepted, and `error` where nothing was asked for, or nobody knows
/// (`unknown`).
#[derive(Debug, Default, Deserialize, Serialize)]
pub(crate) struct Answer {
    #[serde(default)]
    pub(crate) corrections: Vec<Row>,
    /// Columns that were not read.
    #[serde(default)]
    pub(crate) ignored: Vec<String>,
    pub(crate) error: Option<String>,
    #[serde(default)]
    pub(crate) unknown: bool,
}

/// What became of a line. Amounts are decimal text.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Row {
    pub(crate) line: u64,
    pub(crate) impression: String,
    pub(crate) campaign: u32,
    pub(crate) currency: String,
    pub(crate) before: String,
    pub(crate) charged: String,
    pub(crate) state: Said,
}

/// How far a correction is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Said {
    Booked,
    Unchanged,
    Asked,
}

impl From<Corrected> for Row {
    fn from(corrected: Corrected) -> Self {
        let Corrected { line, impression, campaign, currency, before, charged, state } = corrected;
        Self {
            line,
            impression: impression.to_string(),
            campaign,
            currency,
            before: before.to_string(),
            charged: charged.to_string(),
            state: match state {
                Progress::Booked => Said::Booked,
                Progress::Unchanged => Said::Unchanged,
                Progress::Asked => Said::Asked,
            },
        }
    }
}

#[derive(Debug, Deserialize)]
struct Asked {
    by: Option<String>,
}

pub(super) fn routes(corrector: Corrector) -> Router {
    let limit = DefaultBodyLimit::max(CORRECTIONS_BYTES_MAX);
    Router::new().route("/corrections", post(correct).layer(limit)).with_state(corrector)
}

async fn correct(
    State(corrector): State<Corrector>,
    query: Result<Query<Asked>, QueryRejection>,
    file: Result<Bytes, BytesRejection>,
) -> Response {
    let (Query(Asked { by }), file) = match (query, file) {
        (Ok(query), Ok(file)) => (query, file),
        (Err(rejection), _) => return refuse(rejection.status(), rejection.body_text()),
        (_, Err(rejection)) if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE => {
            let most = CORRECTIONS_BYTES_MAX / 1_024 / 1_024;
            return refuse(rejection.status(), format!("the file must be at most {most} MiB: split it"));
        }
        (_, Err(rejection)) => return refuse(rejection.status(), rejection.body_text()),
    };
    let by = by.unwrap_or_else(|| BY.to_owned());
    // It reads and decodes all outcomes, which must not keep the admin port waiting; who no longer waits for the answer
    // changes nothing.
    let work = move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
        runtime.map(|runtime| runtime.block_on(corrector.correct(&file, &by, clock())))
    };
    match tokio::task::spawn_blocking(work).await {
        Ok(Ok(Ok(correct::Answer { corrected, ignored }))) => {
            let corrections = corrected.into_iter().map(Row::from).collect();
            Json(Answer { corrections, ignored, ..Answer::default() }).into_response()
        }
        Ok(Ok(Err(problem))) => {
            let unknown = matches!(problem, CorrectError::Unknown(_));
            let answer = Answer { error: Some(problem.to_string()), unknown, ..Answer::default() };
            (status(&problem), Json(answer)).into_response()
        }
        Ok(Err(problem)) => refuse(StatusCode::INTERNAL_SERVER_ERROR, problem.to_string()),
        // It broke off, whatever it had done.
        Err(problem) => {
            let answer = Answer { error: Some(problem.to_string()), unknown: true, ..Answer::default() };
            (StatusCode::INTERNAL_SERVER_ERROR, Json(answer)).into_response()
        }
    }
}

fn status(problem: &CorrectError) -> StatusCode {
    match problem {
        CorrectError::Mistakes(_) | CorrectError::Unread(_) | CorrectError::By => StatusCode::UNPROCESSABLE_ENTITY,
        CorrectError::Overtaken => StatusCode::CONFLICT,
        CorrectError::Outcome(_) => StatusCode::INTERNAL_SERVER_ERROR,
        CorrectError::Read(_) | CorrectError::Open(_) | CorrectError::Unknown(_) => StatusCode::SERVICE_UNAVAILABLE,
    }
}

fn refuse(status: StatusCode, error: String) -> Response {
    (status, Json(Answer { error: Some(error), ..Answer::default() })).into_response()
}
