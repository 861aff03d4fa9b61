//! Stickiness: how long, and what it does not go with.

use std::time::Duration;

use super::range;
use super::report::Report;
use crate::config::document::TargetGroup;
use crate::config::path::Path;
use crate::target_group::{TargetProtocol, ZonePolicy};

/// Checks the duration; none is off.
pub(super) fn validate(
    group: &TargetGroup,
    (protocol, zones): (TargetProtocol, Option<&ZonePolicy>),
    path: &Path<'_>,
    report: &mut Report<'_>,
) -> Option<Duration> {
    let path = path.key("stickiness");
    let stickiness = &group.stickiness;
    let duration = path.key("duration");
    range::duration(report, &duration, stickiness.duration, &range::STICKINESS);
    if !stickiness.enabled {
        return None;
    }
    let place = path.key("enabled");
    let help = "leave `stickiness` out";
    if zones == Some(&ZonePolicy::OwnZone) {
        let message = "stickiness needs cross-zone load balancing";
        report.refuse(place, message, "take `cross_zone = true`, or no stickiness");
    } else if group.active_standby.is_some() {
        report.refuse(
            place,
            "all clients of an active/standby group have one target",
            help,
        );
    } else if protocol.is_relayed() {
        report.refuse(place, "stickiness rests on cookies, which need HTTP", help);
    }
    Some(stickiness.duration.0)
}
