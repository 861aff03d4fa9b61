//! AWS's own API over a real socket, in process: what tools ask, what they are answered, and what becomes of requests
//! through the load balancers that were made.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test may fail loudly"
)]

#[path = "../support/mod.rs"]
mod support;

mod classic;
mod listeners;
mod load_balancers;
mod network;
mod rules;
mod scene;
mod tags;
mod target_groups;
mod targets;
