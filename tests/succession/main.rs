//! A new process takes over from the one that runs: real processes of the program itself, upgraded while
//! clients are about their requests.

#![allow(
    dead_code,
    unused_imports,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test may fail loudly, and what is borrowed from others has more than is used here"
)]

#[path = "../support/mod.rs"]
mod support;

#[path = "../http3/client.rs"]
mod http3;
#[path = "../life/scene.rs"]
mod scene;

mod activation;
mod connections;
mod failures;
mod knowledge;
mod load;
mod process;
