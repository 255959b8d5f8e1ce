//! The control plane over HTTP, for the admin port.

use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{DefaultBodyLimit, Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use tokio::task::spawn_blocking;

use crate::answer::{Apply, Refused, Rejected};
use crate::control::{ApplyError, ControlPlane, StopError, StreamError};
use crate::limits::BODY_BYTES_MAX;

/// Who makes a change that names nobody.
const BY: &str = "unnamed";

/// `POST /campaigns/apply`, `POST /campaigns/{name}/stop`, `GET /campaigns`.
pub fn routes(control: ControlPlane) -> Router {
    Router::new()
        .route("/campaigns", get(campaigns))
        .route("/campaigns/apply", post(apply).layer(DefaultBodyLimit::max(BODY_BYTES_MAX)))
        .route("/campaigns/{name}/stop", post(stop))
        .with_state(control)
}

#[derive(Deserialize)]
struct ApplyQuery {
    #[serde(default)]
    dry_run: bool,
}

async fn apply(
    State(control): State<ControlPlane>,
    query: Result<Query<ApplyQuery>, QueryRejection>,
    body: Result<Json<Apply>, JsonRejection>,
) -> Response {
    let (Query(query), Json(Apply { files, by })) = match (query, body) {
        (Ok(query), Ok(body)) => (query, body),
        (Err(rejection), _) => return refuse(rejection.status(), rejection.body_text()),
        (_, Err(rejection)) => return refuse(rejection.status(), rejection.body_text()),
    };
    let by = by.unwrap_or_else(|| BY.to_owned());
    blocking(move || match control.apply(&files, &by, query.dry_run) {
        Ok(applied) => answer(StatusCode::OK, applied),
        Err(ApplyError::Problems(problems)) => answer(StatusCode::UNPROCESSABLE_ENTITY, Rejected { problems }),
        Err(error @ ApplyError::By) => refuse(StatusCode::BAD_REQUEST, error.to_string()),
        Err(ApplyError::Stream(error)) => unavailable(&error),
    })
    .await
}

#[derive(Deserialize)]
struct StopQuery {
    by: Option<String>,
}

async fn stop(
    State(control): State<ControlPlane>,
    Path(name): Path<String>,
    Query(query): Query<StopQuery>,
) -> Response {
    let by = query.by.unwrap_or_else(|| BY.to_owned());
    blocking(move || match control.stop(&name, &by) {
        Ok(stopped) => answer(StatusCode::OK, stopped),
        Err(error @ StopError::Unknown { .. }) => refuse(StatusCode::NOT_FOUND, error.to_string()),
        Err(error @ StopError::By) => refuse(StatusCode::BAD_REQUEST, error.to_string()),
        Err(StopError::Stream(error)) => unavailable(&error),
    })
    .await
}

async fn campaigns(State(control): State<ControlPlane>) -> Response {
    blocking(move || match control.campaigns() {
        Ok(campaigns) => answer(StatusCode::OK, campaigns),
        Err(error) => unavailable(&error),
    })
    .await
}

/// Runs `work`, which waits for a disk, off the threads that serve requests.
async fn blocking(work: impl FnOnce() -> Response + Send + 'static) -> Response {
    match spawn_blocking(work).await {
        Ok(response) => response,
        Err(error) => {
            tracing::error!(%error, "a request to the control plane failed");
            refuse(StatusCode::INTERNAL_SERVER_ERROR, "the request failed; the log says why".to_owned())
        }
    }
}

fn unavailable(error: &StreamError) -> Response {
    tracing::error!(%error, "the stream campaigns does not answer");
    refuse(StatusCode::SERVICE_UNAVAILABLE, error.to_string())
}

fn refuse(status: StatusCode, error: String) -> Response {
    answer(status, Refused { error })
}

fn answer(status: StatusCode, body: impl Serialize) -> Response {
    (status, Json(body)).into_response()
}
