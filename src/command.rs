//! What people ask of a running process, and of files.

pub(crate) mod campaigns;
pub(crate) mod check;
pub(crate) mod events;
pub(crate) mod explain;
pub(crate) mod import;
pub(crate) mod reconcile;
mod streams;
