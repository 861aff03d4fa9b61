//! What a Classic load balancer cannot do, and its target groups, which it calls instances.

use std::time::Duration;

use super::report::Report;
use super::target_group::protocol;
use crate::config::document::{
    self, Algorithm, Listener, LoadBalancer, LoadBalancerType, ProtocolVersion, TargetGroup,
};
use crate::config::path::Path;

const HELP: &str = "an application load balancer can: leave `type` out";

/// Checks the listeners of a load balancer, if it is a Classic one.
pub(super) fn listeners(load_balancer: &LoadBalancer, path: &Path<'_>, report: &mut Report<'_>) {
    if load_balancer.kind != LoadBalancerType::Classic {
        return;
    }
    let path = path.key("listener");
    for (index, listener) in load_balancer.listener.iter().enumerate() {
        one(listener, &path.index(index), report);
    }
}

fn one(listener: &Listener, path: &Path<'_>, report: &mut Report<'_>) {
    if !listener.rule.is_empty() {
        let message = "a classic load balancer has no rules";
        report.refuse(path.key("rule"), message, HELP);
    }
    let default = path.key("default");
    let forward = listener.default.forward.as_ref();
    if listener.default.redirect.is_some() || listener.default.fixed_response.is_some() {
        let message = "a classic load balancer answers nothing by itself";
        report.refuse(default, message, HELP);
    } else if forward.is_some_and(|forward| forward.shares().len() > 1) {
        let message = "a classic load balancer forwards to one target group";
        report.refuse(default, message, HELP);
    }
    if listener.certificates.len() > 1 {
        let message = "a classic load balancer shows one certificate: it knows no names (SNI)";
        report.refuse(path.key("certificates"), message, HELP);
    }
}

/// Checks a group that a Classic load balancer uses.
pub(super) fn group(group: &TargetGroup, path: &Path<'_>, report: &mut Report<'_>) {
    let delay = group.deregistration_delay.0;
    for (key, is_odd, message) in [
        (
            "protocol_version",
            group.protocol_version != ProtocolVersion::Http1,
            "a classic load balancer asks its targets in HTTP/1.1",
        ),
        (
            "algorithm",
            group.algorithm == Some(Algorithm::WeightedRandom),
            "a classic load balancer does not draw lots",
        ),
        (
            "slow_start",
            !group.slow_start.0.is_zero(),
            "a classic load balancer knows no slow start",
        ),
        (
            "active_standby",
            group.active_standby.is_some(),
            "a classic load balancer has no targets that stand by",
        ),
        (
            "proxy_protocol",
            group.proxy_protocol == Some(document::ProxyProtocolVersion::V2),
            "a classic load balancer knows version 1 of the PROXY protocol",
        ),
        (
            "proxy_protocol",
            group.proxy_protocol.is_some() && !protocol(group).is_relayed(),
            "a classic load balancer sends PROXY protocol headers for TCP and SSL listeners only",
        ),
    ] {
        if is_odd {
            report.refuse(path.key(key), message, HELP);
        }
    }
    if report.is_strict() && !delay.is_zero() && delay < Duration::from_secs(1) {
        let message = "connection draining lasts 1s to 3600s, or is off (0s)";
        report.error(path.key("deregistration_delay"), message);
    }
    let check = path.key("health_check");
    if group
        .health_check
        .matcher
        .as_deref()
        .is_some_and(|matcher| matcher.trim() != "200")
    {
        let message = "only the status 200 passes the health check of a classic load balancer";
        report.refuse(check.key("matcher"), message, HELP);
    }
}
