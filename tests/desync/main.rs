//! Desync mitigation: requests that depart from the grammar, as ALB's manual says what becomes of
//! them, held against the classifier that AWS publishes.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test may fail loudly"
)]

#[path = "../support/mod.rs"]
mod support;

mod cases;
mod manual;
mod oracle;
