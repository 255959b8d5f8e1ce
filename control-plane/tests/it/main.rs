//! The control plane from outside: files in, problems or records out.

mod control;
mod files;
mod golden;
mod http;
mod sample;
