//! Snapshots for tests, from the text of a configuration.
#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use prometheus::Registry;
use tokio::time::Instant;

use super::Snapshot;
use crate::config;
use crate::metrics::Metrics;
use crate::tls::Terminators;

/// A configuration without load balancers; an empty text would be a mistake.
pub(super) const NOTHING: &str = "load_balancer = []";

/// Compiles a text on top of `last`.
pub(super) fn compile(text: &str, last: &Snapshot) -> Snapshot {
    compile_at(text, last, Instant::now())
}

/// The same at another time.
pub(super) fn compile_at(text: &str, last: &Snapshot, now: Instant) -> Snapshot {
    let report = config::check_text(text, "test");
    let problems = report.problems.to_string();
    let valid = report.config;
    assert!(valid.is_some(), "{problems}");
    let metrics = Metrics::new(&Registry::new()).unwrap();
    Snapshot::compile(
        &valid.unwrap(),
        &Terminators::default(),
        last,
        &metrics,
        now,
    )
}
