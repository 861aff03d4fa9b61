//! One row an attribute. The order matters where one decides what another means: that one comes first.

use crate::aws::elbv2::target_groups::{seconds, speaks_http};
use crate::config::Span;
use crate::config::document::{
    Algorithm, Connections, CrossZone, FromLoadBalancer, MinimumHealthyTargets, Off,
    ProtocolVersion, ProxyProtocolVersion, StickinessType, TargetGroup, Threshold,
};

/// One attribute.
#[derive(Debug)]
pub(super) struct Row {
    /// AWS's name.
    pub(super) key: &'static str,
    /// What it is where nobody says it.
    pub(super) default: &'static str,
    /// Which groups have it.
    pub(super) has: fn(&TargetGroup) -> bool,
    /// What a group says of it. None: the document has no place for it, or not in such a group.
    pub(super) read: fn(&TargetGroup) -> Option<String>,
    /// Writes it; else says what it should have been.
    pub(super) write: fn(&mut TargetGroup, &str) -> Result<Place, &'static str>,
}

/// Where an attribute is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// In the group.
    Document,
    /// It only has to be kept.
    Beside,
}

use Place::{Beside, Document};

const TRUE_OR_FALSE: &str = "true or false";
const NUMBER: &str = "a whole number";
const THRESHOLD: &str = "a whole number, or off";
const CROSS_ZONE: &str = "true, false or use_load_balancer_configuration";
const ALGORITHM: &str = "round_robin, least_outstanding_requests or weighted_random";

/// All of them.
pub(super) const TABLE: &[Row] = &[
    Row {
        key: "deregistration_delay.timeout_seconds",
        default: "300",
        has: any,
        read: |group| said(seconds(group.deregistration_delay.into())),
        write: |group, value| {
            group.deregistration_delay = span(value)?;
            Ok(Document)
        },
    },
    Row {
        key: "stickiness.enabled",
        default: "false",
        has: any,
        read: |group| said(group.stickiness.enabled),
        write: |group, value| {
            group.stickiness.enabled = truth(value)?;
            Ok(Document)
        },
    },
    Row {
        key: "stickiness.type",
        default: "lb_cookie",
        has: speaks_http,
        read: |group| {
            said(match group.stickiness.kind {
                StickinessType::LbCookie => "lb_cookie",
                StickinessType::AppCookie => "app_cookie",
            })
        },
        write: |group, value| {
            group.stickiness.kind = match value {
                "lb_cookie" => StickinessType::LbCookie,
                "app_cookie" => StickinessType::AppCookie,
                _ => return Err("lb_cookie or app_cookie"),
            };
            Ok(Document)
        },
    },
    Row {
        key: "stickiness.type",
        default: "source_ip",
        has: is_relayed,
        read: |_| None,
        write: |_, value| match value {
            "source_ip" => Ok(Beside),
            _ => Err("source_ip"),
        },
    },
    Row {
        key: "stickiness.lb_cookie.duration_seconds",
        default: "86400",
        has: speaks_http,
        read: |group| duration(group, StickinessType::LbCookie),
        write: |group, value| set_duration(group, StickinessType::LbCookie, value),
    },
    Row {
        key: "stickiness.app_cookie.duration_seconds",
        default: "86400",
        has: speaks_http,
        read: |group| duration(group, StickinessType::AppCookie),
        write: |group, value| set_duration(group, StickinessType::AppCookie, value),
    },
    Row {
        key: "stickiness.app_cookie.cookie_name",
        default: "",
        has: speaks_http,
        read: |group| group.stickiness.cookie_name.clone(),
        write: |group, value| {
            let follows = group.stickiness.kind == StickinessType::AppCookie && !value.is_empty();
            group.stickiness.cookie_name = follows.then(|| value.to_owned());
            Ok(if follows { Document } else { Beside })
        },
    },
    Row {
        key: "slow_start.duration_seconds",
        default: "0",
        has: speaks_http,
        read: |group| said(seconds(group.slow_start.into())),
        write: |group, value| {
            group.slow_start = span(value)?;
            Ok(Document)
        },
    },
    Row {
        key: "load_balancing.algorithm.type",
        default: "round_robin",
        has: speaks_http,
        read: |group| {
            group.algorithm.map(|algorithm| {
                let word = match algorithm {
                    Algorithm::RoundRobin => "round_robin",
                    Algorithm::LeastOutstandingRequests => "least_outstanding_requests",
                    Algorithm::WeightedRandom => "weighted_random",
                };
                word.to_owned()
            })
        },
        write: |group, value| {
            group.algorithm = Some(match value {
                "round_robin" => Algorithm::RoundRobin,
                "least_outstanding_requests" => Algorithm::LeastOutstandingRequests,
                "weighted_random" => Algorithm::WeightedRandom,
                _ => return Err(ALGORITHM),
            });
            Ok(Document)
        },
    },
    Row {
        key: "load_balancing.algorithm.anomaly_mitigation",
        default: "off",
        has: speaks_http,
        read: |group| {
            said(if group.anomaly_mitigation {
                "on"
            } else {
                "off"
            })
        },
        write: |group, value| {
            group.anomaly_mitigation = match value {
                "on" => true,
                "off" => false,
                _ => return Err("on or off"),
            };
            Ok(Document)
        },
    },
    Row {
        key: "load_balancing.cross_zone.enabled",
        default: "use_load_balancer_configuration",
        has: any,
        read: |group| {
            said(match group.cross_zone {
                CrossZone::Enabled(true) => "true",
                CrossZone::Enabled(false) => "false",
                CrossZone::Inherited(_) => "use_load_balancer_configuration",
            })
        },
        write: |group, value| {
            group.cross_zone = match value {
                "true" => CrossZone::Enabled(true),
                "false" => CrossZone::Enabled(false),
                "use_load_balancer_configuration" => {
                    CrossZone::Inherited(FromLoadBalancer::LoadBalancer)
                }
                _ => return Err(CROSS_ZONE),
            };
            Ok(Document)
        },
    },
    Row {
        key: "target_group_health.dns_failover.minimum_healthy_targets.count",
        default: "1",
        has: any,
        read: |group| said(written(dns(group).count)),
        write: |group, value| {
            dns_mut(group).count = threshold(value)?;
            Ok(Document)
        },
    },
    Row {
        key: "target_group_health.dns_failover.minimum_healthy_targets.percentage",
        default: "off",
        has: any,
        read: |group| said(written(dns(group).percentage)),
        write: |group, value| {
            dns_mut(group).percentage = threshold(value)?;
            Ok(Document)
        },
    },
    Row {
        key: "target_group_health.unhealthy_state_routing.minimum_healthy_targets.count",
        default: "1",
        has: any,
        read: |group| said(written(routing(group).count)),
        write: |group, value| {
            routing_mut(group).count = threshold(value)?;
            Ok(Document)
        },
    },
    Row {
        key: "target_group_health.unhealthy_state_routing.minimum_healthy_targets.percentage",
        default: "off",
        has: any,
        read: |group| said(written(routing(group).percentage)),
        write: |group, value| {
            routing_mut(group).percentage = threshold(value)?;
            Ok(Document)
        },
    },
    Row {
        key: "routing.http2.rst_stream_error_forwarding.enabled",
        default: "false",
        has: is_http2,
        read: |_| None,
        write: |_, value| truth(value).map(|_| Beside),
    },
    Row {
        key: "proxy_protocol_v2.enabled",
        default: "false",
        has: is_relayed,
        read: |group| said(group.proxy_protocol == Some(ProxyProtocolVersion::V2)),
        write: |group, value| {
            group.proxy_protocol = truth(value)?.then_some(ProxyProtocolVersion::V2);
            Ok(Document)
        },
    },
    Row {
        key: "preserve_client_ip.enabled",
        default: "false",
        has: is_relayed,
        read: |_| None,
        write: |_, value| truth(value).map(|_| Beside),
    },
    Row {
        key: "deregistration_delay.connection_termination.enabled",
        default: "false",
        has: is_relayed,
        read: |_| None,
        write: |_, value| truth(value).map(|_| Beside),
    },
    Row {
        key: "target_health_state.unhealthy.connection_termination.enabled",
        default: "true",
        has: is_relayed,
        read: |group| said(group.on_unhealthy.unwrap_or_default() == Connections::Cut),
        write: |group, value| {
            group.on_unhealthy = (!truth(value)?).then_some(Connections::Keep);
            Ok(Document)
        },
    },
    Row {
        key: "target_health_state.unhealthy.draining_interval_seconds",
        default: "0",
        has: is_relayed,
        read: |_| None,
        write: |_, value| span(value).map(|_| Beside),
    },
];

fn any(_: &TargetGroup) -> bool {
    true
}

fn is_relayed(group: &TargetGroup) -> bool {
    !speaks_http(group)
}

fn is_http2(group: &TargetGroup) -> bool {
    speaks_http(group) && group.protocol_version != ProtocolVersion::Http1
}

fn said(value: impl ToString) -> Option<String> {
    Some(value.to_string())
}

fn truth(value: &str) -> Result<bool, &'static str> {
    value.parse().map_err(|_| TRUE_OR_FALSE)
}

fn span(value: &str) -> Result<Span, &'static str> {
    value.parse().map(Span::from_secs).map_err(|_| NUMBER)
}

/// That of the kind in force is the document's.
fn duration(group: &TargetGroup, kind: StickinessType) -> Option<String> {
    let stickiness = &group.stickiness;
    let duration = stickiness.duration.filter(|_| stickiness.kind == kind)?;
    said(seconds(duration.into()))
}

fn set_duration(
    group: &mut TargetGroup,
    kind: StickinessType,
    value: &str,
) -> Result<Place, &'static str> {
    let duration = span(value)?;
    if group.stickiness.kind != kind {
        return Ok(Beside);
    }
    group.stickiness.duration = Some(duration);
    Ok(Document)
}

fn threshold(value: &str) -> Result<Threshold, &'static str> {
    match value {
        "off" => Ok(Threshold::Off(Off::Off)),
        number => number.parse().map(Threshold::Number).map_err(|_| THRESHOLD),
    }
}

fn written(threshold: Threshold) -> String {
    threshold
        .number()
        .map_or_else(|| "off".to_owned(), |number| number.to_string())
}

fn dns(group: &TargetGroup) -> &MinimumHealthyTargets {
    &group
        .target_group_health
        .dns_failover
        .minimum_healthy_targets
}

fn dns_mut(group: &mut TargetGroup) -> &mut MinimumHealthyTargets {
    &mut group
        .target_group_health
        .dns_failover
        .minimum_healthy_targets
}

fn routing(group: &TargetGroup) -> &MinimumHealthyTargets {
    &group
        .target_group_health
        .unhealthy_state_routing
        .minimum_healthy_targets
}

fn routing_mut(group: &mut TargetGroup) -> &mut MinimumHealthyTargets {
    &mut group
        .target_group_health
        .unhealthy_state_routing
        .minimum_healthy_targets
}
