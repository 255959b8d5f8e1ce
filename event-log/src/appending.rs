//! The answer to an append.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::sync::oneshot;

use crate::error::{AppendError, Failure};
use crate::stream::{Offset, Stream};
use crate::wait::block_on;

/// Resolves to the offset of the (last) record once it is durable, on any async runtime.
///
/// Dropping it does not take the append back.
#[derive(Debug)]
#[must_use = "an append is acknowledged only by its answer"]
pub struct Appending(State);

#[derive(Debug)]
enum State {
    Refused(AppendError),
    Queued { stream: Stream, answer: oneshot::Receiver<Result<Offset, AppendError>> },
}

impl Appending {
    pub(crate) fn refused(error: AppendError) -> Self {
        Self(State::Refused(error))
    }

    pub(crate) fn queued(stream: Stream, answer: oneshot::Receiver<Result<Offset, AppendError>>) -> Self {
        Self(State::Queued { stream, answer })
    }

    /// Blocks the calling thread until the answer is there: not for async code.
    ///
    /// # Errors
    /// As the future.
    pub fn wait(self) -> Result<Offset, AppendError> {
        block_on(self)
    }
}

impl Future for Appending {
    type Output = Result<Offset, AppendError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Poll::Ready(match &mut self.0 {
            State::Refused(error) => Err(error.clone()),
            State::Queued { stream, answer } => ready!(Pin::new(answer).poll(context))
                .unwrap_or_else(|_| Err(Failure { stream: *stream, cause: "its writer panicked".into() }.into())),
        })
    }
}
