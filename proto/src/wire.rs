//! The generated messages of `schema/`, as they are on the wire. Nothing in them has been checked.
#![allow(missing_docs, clippy::all, clippy::pedantic)]

include!("wire/vernier.v1.rs");
