//! Tests of the schemas as their users see them.

mod generated;
mod golden;
mod record;
