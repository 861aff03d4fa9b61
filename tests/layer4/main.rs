//! Connections that are forwarded whole, over real sockets: what a target and a client see of each
//! other, and what becomes of both when something goes wrong or changes.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test may fail loudly"
)]

#[path = "../support/mod.rs"]
mod support;

mod bytes;
mod classic;
mod ends;
mod scene;
mod standby;
mod targets;
mod tls;
