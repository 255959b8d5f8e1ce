//! Routes for operators.
//!
//! `POST /segments/import?from_line=N` takes a file of memberships as [`import`](crate::import) describes it and
//! answers, while it reads, with one JSON object a line ([`Answer`]). Lines before `from_line` (1 by default) are
//! skipped, so an import that was cut off goes on when the same file is sent again from the line after the last
//! progress. A client has to read the answers while it sends: they wait for it, and so does the import.

mod figures;

use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::{Query, State};
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::post;
use decision::time::Micros;
use http_body_util::BodyExt;
use http_body_util::channel::{Channel, Sender};
use serde::{Deserialize, Serialize};

use crate::id_hash::IdHasher;
use crate::import::{Imported, Lines, Numbered, SegmentNames, parse};
use crate::limits::{IMPORT_ANSWERS_QUEUED_MAX, IMPORT_BATCH_LINES};
use crate::profiles::{Join, Profiles, StoreError};

pub use figures::{Figures, Imports};

/// What the routes work with.
#[derive(Clone)]
pub struct Admin {
    /// The store.
    pub profiles: Profiles,
    /// Hashes ids as those of bid requests are hashed.
    pub hasher: IdHasher,
    /// The segments there are.
    pub segments: Arc<SegmentNames>,
    /// Tells the time.
    pub clock: Arc<dyn Fn() -> Micros + Send + Sync>,
    /// What is counted.
    pub imports: Arc<Imports>,
}

impl Admin {
    /// What Prometheus reads of the store and its imports.
    pub fn figures(&self) -> Figures {
        Figures { profiles: self.profiles.clone(), imports: Arc::clone(&self.imports) }
    }
}

impl fmt::Debug for Admin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Admin").field("profiles", &self.profiles).finish_non_exhaustive()
    }
}

/// One line of the answer to an import.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Answer {
    /// A line was left out.
    Problem {
        /// Its number in the file, from 1.
        line: u64,
        /// What is wrong with it.
        problem: String,
    },
    /// Every line up to here is durable, or was reported.
    Progress(Progress),
    /// The whole file is done. The last line.
    Done {
        /// Always true.
        done: bool,
        /// How it ended.
        #[serde(flatten)]
        progress: Progress,
    },
    /// The import cannot go on. The last line; what came after the last progress has to be sent again.
    Failed {
        /// Why.
        failed: String,
    },
}

/// How far an import has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Progress {
    /// The number of the last line that was dealt with, skipped ones included.
    pub lines: u64,
    /// Lines of this import that went in.
    pub joined: u64,
    /// Lines of this import that were left out.
    pub rejected: u64,
}

/// The routes.
pub fn router(admin: Admin) -> axum::Router {
    axum::Router::new().route("/segments/import", post(import)).with_state(admin)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ImportQuery {
    #[serde(default)]
    from_line: u64,
}

async fn import(State(admin): State<Admin>, Query(query): Query<ImportQuery>, body: Body) -> impl IntoResponse {
    let (answers, answer) = Channel::<Bytes, Infallible>::new(IMPORT_ANSWERS_QUEUED_MAX);
    let import = Import {
        admin,
        from_line: query.from_line,
        answers,
        progress: Progress::default(),
        read: 0,
        batch: Vec::with_capacity(IMPORT_BATCH_LINES),
    };
    tokio::spawn(import.run(body));
    ([(CONTENT_TYPE, "application/jsonl")], Body::new(answer))
}

struct Import {
    admin: Admin,
    from_line: u64,
    answers: Sender<Bytes, Infallible>,
    progress: Progress,
    /// Lines read since the last progress.
    read: usize,
    batch: Vec<(u64, Imported)>,
}

/// Why an import ends before its file does.
enum Ended {
    /// The client does not listen any more.
    Unheard,
    /// The rest of the file does not come, or the store failed.
    Failed(String),
}

impl From<StoreError> for Ended {
    fn from(error: StoreError) -> Self {
        Self::Failed(error.to_string())
    }
}

impl Import {
    async fn run(mut self, body: Body) {
        let last = match self.lines(body).await {
            Ok(()) => Answer::Done { done: true, progress: self.progress },
            Err(Ended::Failed(failed)) => Answer::Failed { failed },
            Err(Ended::Unheard) => return,
        };
        // A client that has gone away is told nothing.
        let _gone = self.answer(&last).await;
    }

    async fn lines(&mut self, mut body: Body) -> Result<(), Ended> {
        let mut lines = Lines::default();
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| Ended::Failed(format!("the file was cut off: {error}")))?;
            let Ok(data) = frame.into_data() else { continue };
            let mut chunk = &*data;
            while let Some(line) = lines.next(&mut chunk) {
                self.line(line).await?;
            }
        }
        if let Some(line) = lines.last() {
            self.line(line).await?;
        }
        self.commit(lines.number()).await
    }

    async fn line(&mut self, (number, line): Numbered<'_>) -> Result<(), Ended> {
        if number < self.from_line {
            return Ok(());
        }
        let now = (self.admin.clock)();
        match line.and_then(|line| match line.trim_ascii() {
            [] => Ok(None),
            line => parse(line, &self.admin.hasher, &*self.admin.segments, now).map(Some),
        }) {
            Ok(imported) => self.batch.extend(imported.map(|imported| (number, imported))),
            Err(problem) => self.reject(number, problem).await?,
        }
        self.read += 1;
        if self.read >= IMPORT_BATCH_LINES {
            self.commit(number).await?;
            self.answer(&Answer::Progress(self.progress)).await?;
        }
        Ok(())
    }

    /// Makes everything up to line `number` durable.
    async fn commit(&mut self, number: u64) -> Result<(), Ended> {
        let batch = std::mem::take(&mut self.batch);
        let joins: Vec<_> = batch.iter().map(|(_, line)| line.join()).collect();
        let results = self.admin.profiles.join_all(&joins, (self.admin.clock)()).await?;
        for ((line, _), result) in batch.iter().zip(results) {
            match result {
                Ok(()) => {
                    self.progress.joined += 1;
                    self.admin.imports.joined();
                }
                Err(refusal) => self.reject(*line, refusal).await?,
            }
        }
        self.progress.lines = number;
        self.read = 0;
        Ok(())
    }

    async fn reject(&mut self, line: u64, problem: impl ToString) -> Result<(), Ended> {
        self.progress.rejected += 1;
        self.admin.imports.rejected();
        self.answer(&Answer::Problem { line, problem: problem.to_string() }).await
    }

    async fn answer(&mut self, answer: &Answer) -> Result<(), Ended> {
        let mut line = serde_json::to_vec(answer).map_err(|error| Ended::Failed(error.to_string()))?;
        line.push(b'\n');
        self.answers.send_data(line.into()).await.map_err(|_| Ended::Unheard)
    }
}

impl Imported {
    fn join(&self) -> Join<'_> {
        Join { ids: &self.ids, person: None, memberships: std::slice::from_ref(&self.membership) }
    }
}
