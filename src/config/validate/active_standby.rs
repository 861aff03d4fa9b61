//! Active/standby groups: priorities, and what does not go with them.

use std::collections::BTreeSet;

use super::range;
use super::report::Report;
use super::target_group::protocol;
use crate::config::document::{self, Connections, TargetGroup};
use crate::config::path::Path;
use crate::target_group::{ActiveStandby, FailBack, ZonePolicy};

/// Checks what a group says of active and standby targets.
pub(super) fn validate(
    group: &TargetGroup,
    zones: Option<&ZonePolicy>,
    path: &Path<'_>,
    report: &mut Report<'_>,
) -> Option<ActiveStandby> {
    priorities(group, path, report);
    let settings = group.active_standby?;
    let path = path.key("active_standby");
    if let Some(ZonePolicy::OwnZone | ZonePolicy::Weighted(_)) = zones {
        let message = "active targets take the traffic of all nodes";
        let help = "set `cross_zone = true` without `zone_weights`, or leave `active_standby` out";
        report.refuse(path, message, help);
    }
    if group.on_unhealthy.is_some() {
        let message = "`on_unhealthy` means nothing in an active/standby group";
        let help = "leave it out: `active_standby.on_failover` says what becomes of connections";
        report.refuse(path, message, help);
    }
    let keeps = match protocol(group).is_relayed() {
        true => Connections::Cut,
        false => Connections::Keep,
    };
    Some(ActiveStandby {
        fail_back: match settings.fail_back {
            document::FailBack::Automatic => FailBack::Automatic,
            document::FailBack::Manual => FailBack::Manual,
        },
        cut: settings.on_failover.unwrap_or(keeps) == Connections::Cut,
    })
}

fn priorities(group: &TargetGroup, path: &Path<'_>, report: &mut Report<'_>) {
    let targets = path.key("targets");
    let mut seen = BTreeSet::new();
    for (index, target) in group.targets.iter().enumerate() {
        let key = targets.index(index);
        let key = key.key("priority");
        seen.insert(target.priority.unwrap_or(1));
        let Some(priority) = target.priority else {
            continue;
        };
        range::number(report, &key, priority, 1..=999);
        if group.active_standby.is_none() {
            let message = "a priority means nothing where all targets share the traffic";
            let help = "add `active_standby = {}` to the group, or use `weight`";
            report.refuse(key, message, help);
        }
    }
    if group.active_standby.is_some() && group.targets.len() > 1 && seen.len() == 1 {
        report.warn(
            path.key("active_standby"),
            "all targets have the same priority: none stands by",
            "give those that stand by a higher `priority`",
        );
    }
}
