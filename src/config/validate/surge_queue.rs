//! Who waits while all targets are full: how many, and how long.

use super::range;
use super::report::Report;
use crate::config::document::TargetGroup;
use crate::config::path::Path;
use crate::target_group::SurgeQueueLimits;

/// As many as wait at a node of a Classic load balancer (AWS: `SurgeQueueLength`).
const CLASSIC: u32 = 1024;

/// Checks the surge queue of the group at `path`; `classic` says whose it is.
pub(super) fn validate(
    group: &TargetGroup,
    classic: bool,
    path: &Path<'_>,
    report: &mut Report<'_>,
) -> SurgeQueueLimits {
    let queue = &group.surge_queue;
    if group.max_concurrency.is_none() && queue.length.is_some_and(|length| length > 0) {
        report.warn(
            path.key("surge_queue"),
            "nobody ever waits in this surge queue",
            "say with `max_concurrency` how many requests a target takes at a time",
        );
    }
    let path = path.key("surge_queue");
    if let Some(length) = queue.length {
        range::count(report, &path.key("length"), length, &range::SURGE_QUEUE);
    }
    let timeout = path.key("timeout");
    range::duration(report, &timeout, queue.timeout, &range::QUEUE_TIMEOUT);
    SurgeQueueLimits {
        length: queue.length.unwrap_or(if classic { CLASSIC } else { 0 }),
        timeout: queue.timeout.0,
    }
}
