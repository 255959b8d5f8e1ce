//! Decisions from outside: examples as text, and random ones against an independent oracle.

mod examples;
mod expressions;
mod forest;
mod generator;
mod language;
mod oracle;
mod properties;
mod world;
