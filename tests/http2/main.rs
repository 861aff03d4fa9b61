//! HTTP/2 over real sockets, on both sides.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test may fail loudly"
)]

#[path = "../support/mod.rs"]
mod support;

mod clients;
mod floods;
mod frames;
mod targets;
