//! What stands between a connection and hyper on a busy core: requests wait here for their turn, and those that come too
//! late for it are answered here.
//!
//! To be turned away must cost little, or a core that gets twice what it can do spends its time on saying no. So where a
//! client that waits for nothing else sent a whole POST at once, it does not go through hyper until it is its turn.
//! Everything that is not as simple as that does, and waits behind it.

use std::io::{self, ErrorKind, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::connection::Core;
use super::post::{Post, no_content};
use super::turnstile::{Ticket, Turn};
use super::watch::Watch;
use super::{Fields, Handler, Moment};

/// A connection's I/O with a gate in front.
pub(super) struct Gated<'a, IO, H> {
    pub(super) io: IO,
    watch: &'a Watch,
    core: &'a Core<H>,
    held: Option<Held>,
}

/// A request that waits.
struct Held {
    bytes: Vec<u8>,
    /// How much of them hyper has got.
    passed: usize,
    ticket: Rc<Ticket>,
    /// What its answer has besides.
    fields: Fields,
}

impl<'a, IO, H: Handler> Gated<'a, IO, H> {
    pub(super) fn new(io: IO, watch: &'a Watch, core: &'a Core<H>) -> Self {
        Self { io, watch, core, held: None }
    }

    /// Holds these bytes back, where they have to wait and can.
    fn hold(&self, bytes: &[u8]) -> Option<Held> {
        if !self.core.turnstile.is_busy() || !self.watch.at_rest() {
            return None;
        }
        let post = Post::whole(bytes)?;
        let patience = self.core.handler.patience(&post)?;
        let ticket = self.core.turnstile.queue(Moment::now(), patience);
        self.watch.holds();
        let bytes = self.core.turnstile.keep(bytes);
        Some(Held { bytes, passed: 0, ticket, fields: self.core.handler.fields(post.path) })
    }
}

impl<IO: AsyncRead + AsyncWrite + Unpin, H: Handler> AsyncRead for Gated<'_, IO, H> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        loop {
            if let Some(mut held) = this.held.take() {
                let Poll::Ready(turn) = held.ticket.poll(cx) else {
                    this.held = Some(held);
                    return Poll::Pending;
                };
                // In a drain the answer ends the connection, which is for hyper to do.
                if turn == Turn::Begin || this.core.readiness.draining() {
                    // hyper may have room for a part only.
                    if held.passed == 0 {
                        this.watch.passes(held.ticket.arrived, turn);
                    }
                    if held.pass(buf) {
                        this.core.turnstile.give_back(held.bytes);
                    } else {
                        this.held = Some(held);
                    }
                    return Poll::Ready(Ok(()));
                }
                write(Pin::new(&mut this.io), cx, &no_content(held.fields))?;
                this.core.turned_away();
                this.watch.turned_away();
                this.core.turnstile.give_back(held.bytes);
            }
            let before = buf.filled().len();
            ready!(Pin::new(&mut this.io).poll_read(cx, buf))?;
            this.held = this.hold(&buf.filled()[before..]);
            if this.held.is_none() {
                return Poll::Ready(Ok(()));
            }
            buf.set_filled(before);
        }
    }
}

impl Held {
    /// Gives hyper what it has room for. Says whether that was the rest.
    fn pass(&mut self, buf: &mut ReadBuf<'_>) -> bool {
        let rest = &self.bytes[self.passed..];
        let now = &rest[..rest.len().min(buf.remaining())];
        buf.put_slice(now);
        self.passed += now.len();
        now.len() == rest.len()
    }
}

/// Writes a short answer to a client that waits for nothing else. It has room for it, or takes nothing any more.
fn write(io: Pin<&mut impl AsyncWrite>, cx: &mut Context<'_>, answer: &[u8]) -> io::Result<()> {
    match io.poll_write(cx, answer) {
        Poll::Ready(Ok(written)) if written == answer.len() => Ok(()),
        Poll::Ready(Err(error)) => Err(error),
        Poll::Ready(Ok(_)) | Poll::Pending => Err(ErrorKind::WriteZero.into()),
    }
}

impl<IO: AsyncWrite + Unpin, H> AsyncWrite for Gated<'_, IO, H> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}
