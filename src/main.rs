//! `vernier`: a subcommand a role, `up` for all roles in one process, and what people ask of a running one.

use std::process::ExitCode;

use clap::Parser;

mod admin;
mod app;
mod cli;
mod client;
mod command;
mod config;
mod sample;
mod secrets;
mod signal;
mod summary;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    cli::run(cli::Cli::parse())
}
