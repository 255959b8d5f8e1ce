//! The admin port: what each role answers there, and the figures of all of them together.

use std::net::TcpListener;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderName, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use bidder::campaigns::Campaigns;
use bidder::role::Running;
use control_plane::ControlPlane;
use ledger::correct::Corrector;
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;

use crate::app::{Roles, Shared, clock};

mod books;
pub(crate) mod corrections;

/// What ends the figures of a process, and stands nowhere else in them.
const END: &str = "# EOF\n";

/// The form of the figures.
const OPENMETRICS: [(HeaderName, &str); 1] =
    [(header::CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")];

/// Everything that the roles of this process answer.
pub(crate) fn routes(
    shared: &Shared,
    roles: Roles,
    control: Option<&ControlPlane>,
    bidder: Option<&Running>,
    names: &Campaigns,
) -> Router {
    let mut figures = Registry::with_prefix("vernier");
    let mut routes = match bidder {
        Some(running) => bidder::admin::routes(running.admin.clone()),
        None => alone(shared, roles),
    };
    if roles.ledger {
        let of_ledger = ledger::Figures { books: shared.books.clone(), clock };
        figures.register_collector(Box::new(of_ledger));
        let books = shared.books.clone();
        routes = routes.route("/books", get(async move || Json(books::Page::from(books.books(clock())))));
        routes = routes.merge(corrections::routes(Corrector::new(shared.log.clone())));
    }
    if roles.segments {
        let names = names.clone();
        let admin = segment_store::admin::Admin {
            profiles: shared.profiles().clone(),
            hasher: shared.hasher,
            segments: Arc::new(move |name: &str| names.load().segment_named(name)),
            clock: Arc::new(clock),
            imports: Arc::default(),
        };
        figures.register_collector(Box::new(admin.figures()));
        routes = routes.merge(segment_store::admin::router(admin));
    }
    if let Some(control) = control {
        routes = routes.merge(control_plane::admin::routes(control.clone()));
    }
    routes.layer(middleware::from_fn_with_state(Arc::new(figures), with_figures))
}

/// Health of a role that has no bidder beside it, and the place of its figures.
fn alone(shared: &Shared, roles: Roles) -> Router {
    let (log, books) = (shared.log.clone(), shared.books.clone());
    let ready = async move || {
        let ready = log.health().is_ok() && (!roles.ledger || books.caught_up(clock()));
        let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
        (status, Json(serde_json::json!({ "ready": ready })))
    };
    Router::new()
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(ready))
        .route("/metrics", get(async || (OPENMETRICS, END)))
}

/// Puts the figures of the other roles behind those that `/metrics` has already.
async fn with_figures(State(figures): State<Arc<Registry>>, request: Request, next: Next) -> Response {
    let asked = request.uri().path() == "/metrics";
    let answer = next.run(request).await;
    if !asked || answer.status() != StatusCode::OK {
        return answer;
    }
    match axum::body::to_bytes(answer.into_body(), usize::MAX).await {
        Ok(before) => {
            let mut text = String::from_utf8_lossy(&before).trim_end_matches(END).to_owned();
            match encode(&mut text, &figures) {
                Ok(()) => (OPENMETRICS, text).into_response(),
                Err(problem) => (StatusCode::INTERNAL_SERVER_ERROR, problem.to_string()).into_response(),
            }
        }
        Err(problem) => (StatusCode::INTERNAL_SERVER_ERROR, problem.to_string()).into_response(),
    }
}

/// Health and metrics are answered through the drain; the task ends with the process.
pub(crate) fn serve(listener: TcpListener, routes: Router) -> Result<tokio::task::JoinHandle<()>, String> {
    listener.set_nonblocking(true).map_err(|problem| problem.to_string())?;
    let listener = tokio::net::TcpListener::from_std(listener).map_err(|problem| problem.to_string())?;
    Ok(tokio::spawn(async move {
        if let Err(problem) = axum::serve(listener, routes).await {
            tracing::error!(%problem, "the admin port failed");
        }
    }))
}
