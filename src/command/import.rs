//! `vernier segments import`: memberships from a file, through the admin port of the process that owns the profiles.

use std::io::{BufRead, BufReader, IsTerminal};
use std::path::Path;

use bytes::{Buf, Bytes, BytesMut};
use http::{Method, StatusCode};
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Deserialize;
use tokio::io::AsyncReadExt;
use tokio::sync::mpsc;

use crate::cli::AdminAddress;
use crate::client::{block_on, send};

/// Bytes sent at once.
const CHUNK_BYTES: usize = 64 * 1024;
/// Chunks that wait to be sent.
const CHUNKS_WAITING_MAX: usize = 4;

/// One line of the answer.
#[derive(Debug, Deserialize)]
struct Said {
    line: Option<u64>,
    problem: Option<String>,
    lines: Option<u64>,
    joined: Option<u64>,
    rejected: Option<u64>,
    #[serde(default)]
    done: bool,
    failed: Option<String>,
}

/// Imports `file` from line `from_line` on.
pub(crate) fn run(admin: &AdminAddress, file: &Path, from_line: u64) -> Result<(), String> {
    let at = |problem: std::io::Error| format!("{}: {problem}", file.display());
    let total = BufReader::new(std::fs::File::open(file).map_err(at)?).split(b'\n').count() as u64;
    let bar = ProgressBar::with_draw_target(Some(total), target());
    let style = ProgressStyle::with_template("{bar:40} {human_pos}/{human_len} lines, {per_sec}, {eta} left{msg}");
    bar.set_style(style.map_err(|problem| problem.to_string())?);
    let mut safe = from_line.saturating_sub(1);
    let ended = block_on(import(admin, file, from_line, &bar, &mut safe));
    bar.finish_and_clear();
    ended.map_err(|problem| format!("{problem}\nlines 1 to {safe} are in; go on with --from-line {}", safe + 1))
}

/// A bar for people; nothing in a log.
fn target() -> ProgressDrawTarget {
    if std::io::stderr().is_terminal() { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() }
}

async fn import(
    admin: &AdminAddress,
    file: &Path,
    from_line: u64,
    bar: &ProgressBar,
    safe: &mut u64,
) -> Result<(), String> {
    let (chunks, waiting) = mpsc::channel(CHUNKS_WAITING_MAX);
    let reader = tokio::spawn(read(file.to_owned(), chunks));
    let body = StreamBody::new(Chunks(waiting));
    let answer = send(admin, Method::POST, &format!("/segments/import?from_line={from_line}"), body).await?;
    if answer.status() != StatusCode::OK {
        let status = answer.status();
        let said = answer.into_body().collect().await.map(|body| body.to_bytes()).unwrap_or_default();
        return Err(format!("answered {status}: {}", String::from_utf8_lossy(&said)));
    }
    let mut body = answer.into_body();
    let mut pending = BytesMut::new();
    let mut done = false;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|problem| format!("the answer broke off: {problem}"))?;
        pending.extend_from_slice(&frame.into_data().unwrap_or_default());
        while let Some(end) = pending.iter().position(|byte| *byte == b'\n') {
            let line = pending.split_to(end);
            pending.advance(1);
            done |= hear(&line, bar, safe)?;
        }
    }
    reader.await.map_err(|problem| problem.to_string())??;
    if done { Ok(()) } else { Err("the answer broke off".to_owned()) }
}

/// Acts on one line of the answer; whether it was the last one.
fn hear(line: &[u8], bar: &ProgressBar, safe: &mut u64) -> Result<bool, String> {
    if line.is_empty() {
        return Ok(false);
    }
    let said: Said =
        serde_json::from_slice(line).map_err(|_| format!("not understood: {}", String::from_utf8_lossy(line)))?;
    if let Some(failed) = said.failed {
        return Err(failed);
    }
    if let (Some(line), Some(problem)) = (said.line, said.problem) {
        bar.suspend(|| eprintln!("line {line}: {problem}"));
    }
    if let (Some(lines), Some(joined), Some(rejected)) = (said.lines, said.joined, said.rejected) {
        *safe = lines;
        bar.set_position(lines);
        if rejected > 0 {
            bar.set_message(format!(", {rejected} rejected"));
        }
        if said.done {
            bar.suspend(|| println!("{lines} lines: {joined} imported, {rejected} left out"));
        }
    }
    Ok(said.done)
}

async fn read(file: std::path::PathBuf, chunks: mpsc::Sender<Bytes>) -> Result<(), String> {
    let at = |problem: std::io::Error| format!("{}: {problem}", file.display());
    let mut file_in = tokio::fs::File::open(&file).await.map_err(at)?;
    loop {
        let mut chunk = BytesMut::with_capacity(CHUNK_BYTES);
        if file_in.read_buf(&mut chunk).await.map_err(at)? == 0 {
            return Ok(());
        }
        if chunks.send(chunk.freeze()).await.is_err() {
            // Nobody reads any more: the answer says why.
            return Ok(());
        }
    }
}

/// The chunks of a body as they come.
struct Chunks(mpsc::Receiver<Bytes>);

impl futures_core::Stream for Chunks {
    type Item = Result<Frame<Bytes>, std::convert::Infallible>;

    fn poll_next(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Self::Item>> {
        self.0.poll_recv(context).map(|chunk| chunk.map(|chunk| Ok(Frame::data(chunk))))
    }
}
