//! Targets that come from elsewhere than the file: a container engine that tests script, and a DNS
//! server of their own, both on this machine.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test may fail loudly"
)]

#[path = "../support/mod.rs"]
mod support;

mod dns;
mod docker;
mod engine;
mod name_server;
mod scene;
