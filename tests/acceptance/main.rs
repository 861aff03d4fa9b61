//! What ALB promises, sentence by sentence: each is proved by a run over real sockets.
//!
//! `sentences` lists them with the tests that prove them; where another suite proves one already, it
//! is named there and not run twice. The modules of this suite have one subject each, and their tests
//! are named after the sentences. A few take as long as ALB's defaults say (a minute at most); they
//! mostly wait, and run beside the others.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test may fail loudly"
)]

#[path = "../life/scene.rs"]
#[allow(dead_code, reason = "the scene has more than this suite needs")]
mod scene;
#[path = "../support/mod.rs"]
mod support;

mod anomalies;
mod failover;
mod forwarded;
mod health_counts;
mod keep_alive;
mod sentences;
mod slow_start;
mod stale_address;
mod statuses;
mod sticky;
mod timeouts;
mod trace;
mod weighted_random;
mod zonal_shift;
