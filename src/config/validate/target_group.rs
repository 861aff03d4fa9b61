//! Target groups: name, settings, whether anything uses them.

use super::groups::Groups;
use super::name::Names;
use super::report::Report;
use super::zone_policy::{self, Surroundings};
use super::{
    active_standby, classic, health_check, range, response_timeout, slow_start, stickiness,
    surge_queue, target, target_group_health, target_tls,
};
use crate::balance;
use crate::config::document::{
    self, Algorithm, Config, Connections, ProtocolVersion, ProxyProtocolVersion, TargetGroup,
};
use crate::config::path::Path;
use crate::config::valid::ValidTargetGroup;
use crate::proxy_protocol::Version;
use crate::target_group::{self, Settings, TargetProtocol};

/// Checks all target groups; `groups` knows by now which are used, and by which load balancer.
pub(super) fn validate(
    config: &Config,
    groups: &Groups<'_>,
    report: &mut Report<'_>,
) -> Vec<ValidTargetGroup> {
    let path = Path::Root.key("target_group");
    let mut names = Names::of("target_group", "target groups");
    let mut valid = Vec::with_capacity(config.target_group.len());
    for (index, group) in config.target_group.iter().enumerate() {
        let path = path.index(index);
        names.add(&group.name, &path, report);
        valid.extend(one(config, group, groups, &path, report));
    }
    valid
}

fn one(
    config: &Config,
    group: &TargetGroup,
    groups: &Groups<'_>,
    path: &Path<'_>,
    report: &mut Report<'_>,
) -> Option<ValidTargetGroup> {
    let user = groups.user(&group.name);
    if user.is_none() {
        report.warn(
            path.key("name"),
            format!("no rule forwards to target group `{}`", group.name),
            "its targets are neither probed nor sent requests: they are `unused`",
        );
    }
    let is_classic = user.is_some_and(|user| user.is_classic);
    if is_classic {
        classic::group(group, path, report);
    }
    let algorithm = match is_classic && !protocol(group).is_relayed() {
        true => Algorithm::LeastOutstandingRequests,
        false => Algorithm::RoundRobin,
    };
    let surroundings = Surroundings::new(config, group, user);
    timeouts(group, path, report);
    let response_timeouts = response_timeout::validate(group, path, report);
    let tls = target_tls::validate(group, path, report);
    let slow_start = slow_start::validate(group, path, report);
    anomaly_mitigation(group, path, report);
    for_its_protocol(group, path, report);
    let zones = zone_policy::validate(group, &surroundings, path, report);
    let active_standby = active_standby::validate(group, zones.as_ref(), path, report);
    let nature = stickiness::Nature {
        is_classic,
        protocol: protocol(group),
        zones: zones.as_ref(),
    };
    let stickiness = stickiness::validate(group, &nature, path, report);
    let failover = target_group_health::validate(group, path, report);
    let health_check = health_check::validate(group, is_classic, path, report);
    let registrations = target::validate(group, &surroundings, zones.as_ref(), path, report);
    let surge_queue = surge_queue::validate(group, is_classic, path, report);
    let mut health_check = health_check?;
    let proxy_protocol = group.proxy_protocol.map(|version| match version {
        ProxyProtocolVersion::V1 => Version::V1,
        ProxyProtocolVersion::V2 => Version::V2,
    });
    // What listens on another port need not expect a header because the traffic port does.
    if health_check.port.is_none() {
        health_check.proxy_protocol = proxy_protocol;
    }
    let settings = Settings {
        name: group.name.as_str().into(),
        protocol: protocol(group),
        version: version(group),
        algorithm: match group.algorithm.unwrap_or(algorithm) {
            Algorithm::RoundRobin => balance::Algorithm::RoundRobin,
            Algorithm::LeastOutstandingRequests => balance::Algorithm::LeastOutstandingRequests,
            Algorithm::WeightedRandom => balance::Algorithm::WeightedRandom,
        },
        anomaly_mitigation: group.anomaly_mitigation,
        zones: zones?,
        fail_open: group.fail_open.unwrap_or(!is_classic),
        failover,
        health_checked: health_check.enabled,
        slow_start,
        stickiness,
        deregistration_delay: group.deregistration_delay.0,
        max_concurrency: group.max_concurrency,
        surge_queue,
        connect_timeout: group.connect_timeout.0,
        response_timeout: group.response_timeout.map(|span| span.0),
        response_timeouts,
        retries: group.retries,
        proxy_protocol,
        classic: is_classic,
        keeps_address: group.stale_ip_after_stop,
        cut_unhealthy: match active_standby {
            Some(active_standby) => active_standby.cut,
            None => on_unhealthy(group, is_classic) == Connections::Cut,
        },
        active_standby,
    };
    Some(ValidTargetGroup {
        settings,
        health_check,
        registrations,
        tls,
        security_groups: group
            .security_groups
            .iter()
            .map(|name| name.as_str().into())
            .collect(),
        load_balancer: user.map(|user| user.name.clone()),
    })
}

/// Connection draining of a Classic load balancer spares the instances that turn unhealthy, too.
fn on_unhealthy(group: &TargetGroup, is_classic: bool) -> Connections {
    let spares = is_classic && !group.deregistration_delay.0.is_zero();
    let usual = match spares {
        true => Connections::Keep,
        false => Connections::default(),
    };
    group.on_unhealthy.unwrap_or(usual)
}

/// What the targets are spoken to in.
pub(super) fn protocol(group: &TargetGroup) -> TargetProtocol {
    match group.protocol {
        document::TargetProtocol::Http => TargetProtocol::Http,
        document::TargetProtocol::Https => TargetProtocol::Https,
        document::TargetProtocol::Tcp => TargetProtocol::Tcp,
        document::TargetProtocol::Tls => TargetProtocol::Tls,
    }
}

/// The version of HTTP that its targets are asked in.
pub(super) fn version(group: &TargetGroup) -> target_group::ProtocolVersion {
    match group.protocol_version {
        ProtocolVersion::Http1 => target_group::ProtocolVersion::Http1,
        ProtocolVersion::Http2 => target_group::ProtocolVersion::Http2,
        ProtocolVersion::Grpc => target_group::ProtocolVersion::Grpc,
    }
}

/// What means something only for requests, or only for connections.
fn for_its_protocol(group: &TargetGroup, path: &Path<'_>, report: &mut Report<'_>) {
    let protocol = protocol(group);
    let name = protocol.as_str();
    for (key, is_there) in [
        ("response_timeout", group.response_timeout.is_some()),
        ("response_timeouts", !group.response_timeouts.is_empty()),
    ] {
        if !protocol.is_relayed() || !is_there {
            continue;
        }
        let message = format!("a target group of protocol {name} knows no responses");
        let help = "leave it out: `idle_timeout` of the listener ends a connection that is silent";
        report.refuse(path.key(key), message, help);
    }
    if !protocol.is_relayed() && group.on_unhealthy.is_some() {
        let message = format!("a target group of protocol {name} has no connections to cut");
        let help = "leave it out: a request that may be repeated goes to another target by itself";
        report.refuse(path.key("on_unhealthy"), message, help);
    }
}

fn anomaly_mitigation(group: &TargetGroup, path: &Path<'_>, report: &mut Report<'_>) {
    let algorithm = path.key("algorithm");
    if group.anomaly_mitigation
        && group.algorithm != Some(Algorithm::WeightedRandom)
        && report.is_untouched(algorithm)
    {
        let message = "anomaly mitigation goes with the algorithm `weighted_random` only";
        let help = "take `algorithm = \"weighted_random\"`, or leave anomaly_mitigation out";
        report.refuse(path.key("anomaly_mitigation"), message, help);
    }
}

fn timeouts(group: &TargetGroup, path: &Path<'_>, report: &mut Report<'_>) {
    let delay = path.key("deregistration_delay");
    range::duration(
        report,
        &delay,
        group.deregistration_delay,
        &range::DEREGISTRATION_DELAY,
    );
    let connect = path.key("connect_timeout");
    range::duration(
        report,
        &connect,
        group.connect_timeout,
        &range::CONNECT_TIMEOUT,
    );
    range::number(report, &path.key("retries"), group.retries, 0..=10);
}
