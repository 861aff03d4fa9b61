//! How many healthy targets a group needs: ranges, and which threshold comes first.

use super::range;
use super::report::Report;
use crate::config::document::{MinimumHealthyTargets, TargetGroup};
use crate::config::path::Path;
use crate::target_group::{Failover, Minimum};

/// Checks both thresholds.
pub(super) fn validate(group: &TargetGroup, path: &Path<'_>, report: &mut Report<'_>) -> Failover {
    let health = &group.target_group_health;
    let path = path.key("target_group_health");
    let (dns, routing) = (
        path.key("dns_failover"),
        path.key("unhealthy_state_routing"),
    );
    let (dns, routing) = (
        dns.key("minimum_healthy_targets"),
        routing.key("minimum_healthy_targets"),
    );
    let failover = Failover {
        dns: minimum(&health.dns_failover.minimum_healthy_targets, &dns, report),
        routing: minimum(
            &health.unhealthy_state_routing.minimum_healthy_targets,
            &routing,
            report,
        ),
    };
    if failover.routing.count.is_none() {
        let help = "write 1 or more; `fail_open = false` keeps requests from unhealthy targets";
        report.refuse(routing.key("count"), "this count cannot be off", help);
    }
    order(&failover, &dns, report);
    if group.fail_open == Some(false) && failover.routing != Minimum::default() {
        let message = "with `fail_open = false` no request goes to an unhealthy target";
        let help = "keep one of the two";
        report.refuse(routing, message, help);
    }
    failover
}

fn minimum(targets: &MinimumHealthyTargets, path: &Path<'_>, report: &mut Report<'_>) -> Minimum {
    let minimum = Minimum {
        count: targets.count.number(),
        percentage: targets.percentage.number(),
    };
    if let Some(count) = minimum.count {
        range::number(report, &path.key("count"), count, 1..=1000);
    }
    if let Some(percentage) = minimum.percentage {
        range::number(report, &path.key("percentage"), percentage, 1..=100);
    }
    minimum
}

/// A zone is given up before its unhealthy targets are asked, not after.
fn order(failover: &Failover, dns: &Path<'_>, report: &mut Report<'_>) {
    let kinds = [
        ("count", failover.dns.count, failover.routing.count),
        (
            "percentage",
            failover.dns.percentage,
            failover.routing.percentage,
        ),
    ];
    for (key, dns_number, routing) in kinds {
        if let (Some(number), Some(routing)) = (dns_number, routing)
            && number < routing
        {
            let message = format!(
                "{number} is less than the {key} of unhealthy_state_routing, which is {routing}"
            );
            let help = format!("write {routing} or more, or \"off\"");
            report.refuse(dns.key(key), message, help);
        }
    }
}
