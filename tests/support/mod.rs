//! What the in-process tests stand on: a daemon, scripted targets, raw clients, all on real sockets
//! of the loopback interface.
//!
//! Look at [`Elbow`], [`Target`], [`Client`] and [`eventually`]. Nothing here hides bytes: a test
//! says what goes over the wire, and sees what came.

#![allow(
    dead_code,
    unused_imports,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test may fail loudly, and not every test binary uses all of this"
)]

mod authority;
mod client;
mod elbow;
mod http2;
mod http2_target;
mod log;
mod target;
mod tls;
mod wire;

use std::time::Duration;

use tokio::time::{Instant, sleep};

pub(crate) use authority::{Authority, Identity};
pub(crate) use client::Client;
pub(crate) use elbow::Elbow;
pub(crate) use http2::{Http2Client, Http2Response, read, soon};
pub(crate) use http2_target::{Exchange, Http2Target, whole};
pub(crate) use log::LogLine;
pub(crate) use target::{Target, targets};
pub(crate) use tls::{Certificates, TlsClient, Visitor};
pub(crate) use wire::{Message, Wire};

/// How long anything may take that should happen at once: much, for the machine may be busy.
pub(crate) const SOON: Duration = Duration::from_secs(10);

/// Waits until `condition` holds.
pub(crate) async fn eventually(
    deadline: Duration,
    what: &str,
    mut condition: impl FnMut() -> bool,
) {
    let end = Instant::now() + deadline;
    while !condition() {
        assert!(Instant::now() < end, "not within {deadline:?}: {what}");
        sleep(Duration::from_millis(2)).await;
    }
}
