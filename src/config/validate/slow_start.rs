//! Slow start: how long, and with which algorithm.

use std::time::Duration;

use super::range;
use super::report::Report;
use crate::config::document::{Algorithm, TargetGroup};
use crate::config::path::Path;

/// Checks the duration; none is off.
pub(super) fn validate(
    group: &TargetGroup,
    path: &Path<'_>,
    report: &mut Report<'_>,
) -> Option<Duration> {
    let duration = group.slow_start;
    if duration.0.is_zero() {
        return None;
    }
    let place = path.key("slow_start");
    range::duration(report, &place, duration, &range::SLOW_START);
    let algorithm = match group.algorithm.unwrap_or_default() {
        Algorithm::RoundRobin => return Some(duration.0),
        Algorithm::LeastOutstandingRequests => "least_outstanding_requests",
        Algorithm::WeightedRandom => "weighted_random",
    };
    if report.is_untouched(path.key("algorithm")) {
        let message = format!("slow start does not go with the algorithm `{algorithm}`");
        let help = "take `algorithm = \"round_robin\"`, or `slow_start = \"0s\"`";
        report.refuse(place, message, help);
    }
    None
}
