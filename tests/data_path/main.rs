//! The data path over real sockets: what a target sees, what a client sees, and what becomes of
//! both when something goes wrong.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test may fail loudly"
)]

#[path = "../support/mod.rs"]
mod support;

mod athena;
mod connections;
mod forwarding;
mod framing;
mod header_settings;
mod noise;
mod pipelining;
mod proxy_protocol;
mod refusals;
mod responses;
mod timeouts;
mod transforms;
mod trusted_proxies;
mod upgrade;
