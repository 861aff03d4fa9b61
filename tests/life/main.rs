//! The daemon's life over real sockets: what becomes of clients and targets while health, the
//! configuration and the process itself change.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test may fail loudly"
)]

#[path = "../support/mod.rs"]
mod support;

mod balancing;
mod classic;
mod draining;
mod file;
mod health;
mod listeners;
mod load;
mod reload;
mod rules;
mod scene;
mod shutdown;
mod start;
mod sticky;
mod sticky_application;
mod sticky_classic;
mod sticky_company;
mod sticky_groups;
mod surge_queue;
