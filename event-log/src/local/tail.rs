//! Reading a stream of this process as it grows.

use std::fmt;

use tokio::sync::watch;

use super::cursor::Cursor;
use super::disk::Directory;
use super::writer::{Over, View};
use crate::error::ReadError;
use crate::stream::{Offsets, Record};

/// A reader's place in a stream of files.
pub struct LocalTail {
    cursor: Cursor<Directory>,
    view: watch::Receiver<View>,
}

impl LocalTail {
    pub(crate) fn new(cursor: Cursor<Directory>, view: watch::Receiver<View>) -> Self {
        Self { cursor, view }
    }

    pub(crate) fn offsets(&self) -> Offsets {
        self.cursor.offset().into()
    }

    pub(crate) async fn next(&mut self) -> Result<Vec<Record>, ReadError> {
        let offset = self.cursor.offset();
        let ready = |view: &View| view.end != offset || view.over.is_some();
        // The writer leaves a last view behind before it goes, so there is one either way.
        let _ = self.view.wait_for(ready).await;
        let view = self.view.borrow().clone();
        match view.over {
            Some(over) if view.end == offset => Err(match over {
                Over::Failed(failure) => ReadError::Failed(failure),
                Over::Closed => ReadError::Closed,
            }),
            _ => self.read(&view),
        }
    }

    pub(crate) fn try_next(&mut self) -> Result<Vec<Record>, ReadError> {
        let view = self.view.borrow_and_update().clone();
        if view.end == self.cursor.offset() { Ok(Vec::new()) } else { self.read(&view) }
    }

    fn read(&mut self, view: &View) -> Result<Vec<Record>, ReadError> {
        let asked = self.cursor.offset();
        if asked > view.end {
            return Err(ReadError::Beyond { asked, end: view.end });
        }
        if asked < view.start {
            return Err(ReadError::Trimmed { asked, start: view.start });
        }
        self.cursor.read(view.end)
    }
}

impl fmt::Debug for LocalTail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalTail").field("offset", &self.cursor.offset()).finish_non_exhaustive()
    }
}
