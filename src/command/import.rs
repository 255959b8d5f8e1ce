//! `vernier segments import`: memberships from a file, through the admin port of the process that owns the profiles.

use std::io::{BufRead, BufReader, IsTerminal};
use std::path::Path;

use bytes::{Buf, Bytes, BytesMut};
use http::{Method, StatusCode};
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;
use indicatif::{HumanCount, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};
use serde::Deserialize;
use tokio::io::AsyncReadExt;
use tokio::sync::mpsc;

use crate::client::{AdminAddress, block_on, send};
use crate::signal::told_to_end;

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

/// Imports `file` from line `from_line` on; how many lines were left out.
pub(crate) fn run(admin: &AdminAddress, file: &Path, from_line: u64) -> Result<u64, String> {
    let bar = ProgressBar::with_draw_target(lines_of(file).map_err(at(file))?, target());
    let style = ProgressStyle::with_template("{bar:40} {human_pos}/{human_len} lines, {rate}, {eta} left{msg}");
    let style = style.map_err(|problem| problem.to_string())?;
    bar.set_style(style.with_key("rate", |state: &ProgressState, out: &mut dyn std::fmt::Write| {
        // A terminal that takes nothing more shows no bar.
        let _unseen = out.write_str(&rate(state.per_sec()));
    }));
    let mut safe = from_line.saturating_sub(1);
    let ended = block_on(async {
        tokio::select! {
            ended = import(admin, file, from_line, &bar, &mut safe) => ended,
            () = told_to_end() => Err("interrupted".to_owned()),
        }
    });
    bar.finish_and_clear();
    ended.map_err(|problem| format!("{problem}\n{}", so_far(from_line, safe)))
}

/// What is in after an import that began with line `from` and was told of all lines up to `safe`.
fn so_far(from: u64, safe: u64) -> String {
    match from.max(1) {
        1 if safe == 0 => "no line is in".to_owned(),
        from if safe < from => format!("no line is in; go on with --from-line {from}"),
        from => format!("lines {from} to {safe} are in; go on with --from-line {}", safe + 1),
    }
}

/// Lines a second, for people.
fn rate(per_second: f64) -> String {
    format!("{}/s", HumanCount(per_second.round() as u64))
}

/// How many lines `file` has; `None` for a pipe, which can be read only once.
fn lines_of(file: &Path) -> std::io::Result<Option<u64>> {
    if !std::fs::metadata(file)?.is_file() {
        return Ok(None);
    }
    Ok(Some(BufReader::new(std::fs::File::open(file)?).split(b'\n').count() as u64))
}

fn at(file: &Path) -> impl Fn(std::io::Error) -> String {
    move |problem| format!("{}: {problem}", file.display())
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
) -> Result<u64, String> {
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
    let mut done = None;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|problem| format!("the answer broke off: {problem}"))?;
        pending.extend_from_slice(&frame.into_data().unwrap_or_default());
        while let Some(end) = pending.iter().position(|byte| *byte == b'\n') {
            let line = pending.split_to(end);
            pending.advance(1);
            done = hear(&line, bar, safe)?.or(done);
        }
    }
    reader.await.map_err(|problem| problem.to_string())??;
    done.ok_or_else(|| "the answer broke off".to_owned())
}

/// Acts on one line of the answer. The last one says how many lines were left out.
fn hear(line: &[u8], bar: &ProgressBar, safe: &mut u64) -> Result<Option<u64>, String> {
    if line.is_empty() {
        return Ok(None);
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
    Ok(said.rejected.filter(|_| said.done))
}

async fn read(file: std::path::PathBuf, chunks: mpsc::Sender<Bytes>) -> Result<(), String> {
    let mut file_in = tokio::fs::File::open(&file).await.map_err(at(&file))?;
    loop {
        let mut chunk = BytesMut::with_capacity(CHUNK_BYTES);
        if file_in.read_buf(&mut chunk).await.map_err(at(&file))? == 0 {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_whole() {
        assert_eq!([105_199.487_5, 0.4].map(rate), ["105,199/s", "0/s"]);
    }

    #[test]
    fn what_is_in_is_said_with_where_to_go_on() {
        assert_eq!(so_far(1, 0), "no line is in");
        assert_eq!(so_far(0, 0), "no line is in");
        assert_eq!(so_far(1, 2_000), "lines 1 to 2000 are in; go on with --from-line 2001");
        assert_eq!(so_far(2_001, 2_000), "no line is in; go on with --from-line 2001");
        assert_eq!(so_far(2_001, 3_000), "lines 2001 to 3000 are in; go on with --from-line 3001");
    }
}
