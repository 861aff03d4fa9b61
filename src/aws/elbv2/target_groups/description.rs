//! A target group of the document as AWS describes it.
//!
//! AWS knows whole seconds only: what the file says in milliseconds is rounded up, so that it is never 0.

use std::net::SocketAddr;
use std::time::Duration;

use serde::Serialize;

use crate::aws::catalogue::{Catalogue, Entry};
use crate::aws::place::VPC;
use crate::config::HealthTarget;
use crate::config::document::{
    Forward, LoadBalancer, LoadBalancerType, ProbeProtocol, ProtocolVersion, TargetGroup,
    TargetProtocol,
};
use crate::target_group;

/// AWS: TargetGroup.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct TargetGroupDescription {
    target_group_arn: String,
    target_group_name: String,
    protocol: &'static str,
    protocol_version: Option<&'static str>,
    port: u16,
    vpc_id: String,
    target_type: String,
    ip_address_type: String,
    health_check_enabled: bool,
    health_check_protocol: &'static str,
    health_check_port: String,
    health_check_path: Option<String>,
    health_check_interval_seconds: u64,
    health_check_timeout_seconds: u64,
    healthy_threshold_count: u32,
    unhealthy_threshold_count: u32,
    matcher: Option<MatcherDescription>,
    load_balancer_arns: Vec<String>,
}

/// AWS: Matcher.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
struct MatcherDescription {
    http_code: Option<String>,
    grpc_code: Option<String>,
}

/// What AWS says of it.
pub(super) fn described(
    catalogue: &Catalogue<'_>,
    group: &Entry<'_, TargetGroup>,
) -> TargetGroupDescription {
    let document = group.document;
    let check = &document.health_check;
    let noted = |name: &str| {
        group
            .notes
            .and_then(|notes| notes.parameters.get(name))
            .cloned()
    };
    let is_classic = is_classic(catalogue, &document.name);
    let is_grpc = document.protocol_version == ProtocolVersion::Grpc;
    let speaks_http = speaks_http(document);
    let Probe {
        protocol: probe,
        port,
        path,
    } = Probe::of(document, is_classic);
    let has_path = has_path(probe);
    let code = check.matcher.clone();
    TargetGroupDescription {
        target_group_arn: group.arn(catalogue.place),
        target_group_name: document.name.clone(),
        protocol: match document.protocol {
            TargetProtocol::Http => "HTTP",
            TargetProtocol::Https => "HTTPS",
            TargetProtocol::Tcp => "TCP",
            TargetProtocol::Tls => "TLS",
        },
        protocol_version: speaks_http.then_some(match document.protocol_version {
            ProtocolVersion::Http1 => "HTTP1",
            ProtocolVersion::Http2 => "HTTP2",
            ProtocolVersion::Grpc => "GRPC",
        }),
        port: catalogue.port(group),
        vpc_id: noted("VpcId").unwrap_or_else(|| VPC.to_owned()),
        target_type: noted("TargetType").unwrap_or_else(|| target_type(document).to_owned()),
        ip_address_type: noted("IpAddressType")
            .unwrap_or_else(|| ip_address_type(document).to_owned()),
        health_check_enabled: check.enabled,
        health_check_protocol: match probe {
            ProbeProtocol::Http => "HTTP",
            ProbeProtocol::Https => "HTTPS",
            ProbeProtocol::Tcp => "TCP",
            ProbeProtocol::Ssl => "TLS",
        },
        health_check_port: port.map_or_else(|| "traffic-port".to_owned(), |it| it.to_string()),
        health_check_path: has_path.then(|| {
            let default = if is_grpc { "/AWS.ALB/healthcheck" } else { "/" };
            path.unwrap_or(default).to_owned()
        }),
        health_check_interval_seconds: seconds(check.interval.into()),
        health_check_timeout_seconds: seconds(check.timeout.into()),
        healthy_threshold_count: check
            .healthy_threshold
            .unwrap_or(if is_classic { 10 } else { 5 }),
        unhealthy_threshold_count: check.unhealthy_threshold,
        matcher: has_path.then(|| MatcherDescription {
            http_code: (!is_grpc).then(|| code.clone().unwrap_or_else(|| "200".to_owned())),
            grpc_code: is_grpc.then(|| code.unwrap_or_else(|| "12".to_owned())),
        }),
        load_balancer_arns: users(catalogue, group),
    }
}

/// What is probed, with the defaults that depend on the group.
struct Probe<'a> {
    protocol: ProbeProtocol,
    port: Option<u16>,
    path: Option<&'a str>,
}

impl<'a> Probe<'a> {
    /// `is_classic`: the group belongs to a Classic load balancer.
    fn of(group: &'a TargetGroup, is_classic: bool) -> Self {
        let check = &group.health_check;
        let target = check.target.as_deref();
        if let Some(target) = target.and_then(|target| HealthTarget::parse(target).ok()) {
            return Self {
                protocol: match target.protocol {
                    target_group::ProbeProtocol::Http => ProbeProtocol::Http,
                    target_group::ProbeProtocol::Https => ProbeProtocol::Https,
                    target_group::ProbeProtocol::Tcp => ProbeProtocol::Tcp,
                    target_group::ProbeProtocol::Ssl => ProbeProtocol::Ssl,
                },
                port: Some(target.port),
                path: Some(target.path).filter(|path| !path.is_empty()),
            };
        }
        Self {
            protocol: match check.protocol {
                None if is_classic => ProbeProtocol::Tcp,
                _ => probe_protocol(group),
            },
            port: check.port,
            path: check.path.as_deref(),
        }
    }
}

/// Whether a Classic load balancer forwards to it, which has other defaults.
fn is_classic(catalogue: &Catalogue<'_>, name: &str) -> bool {
    let mut load_balancers = catalogue.standing.config.load_balancer.iter();
    load_balancers.any(|it| it.kind == LoadBalancerType::Classic && !forwards(it, name).is_empty())
}

/// What it is probed with, if it does not say so in one word.
pub(super) fn probe_protocol(group: &TargetGroup) -> ProbeProtocol {
    group.health_check.protocol.unwrap_or(match group.protocol {
        TargetProtocol::Http | TargetProtocol::Https => ProbeProtocol::Http,
        TargetProtocol::Tcp => ProbeProtocol::Tcp,
        TargetProtocol::Tls => ProbeProtocol::Ssl,
    })
}

/// Whether such a probe asks for something, and looks at what is answered.
pub(super) fn has_path(probe: ProbeProtocol) -> bool {
    matches!(probe, ProbeProtocol::Http | ProbeProtocol::Https)
}

/// Whether its targets are sent requests; else they get connections.
pub(in crate::aws::elbv2) fn speaks_http(group: &TargetGroup) -> bool {
    matches!(group.protocol, TargetProtocol::Http | TargetProtocol::Https)
}

/// Of a group of the file: `instance` if one of its targets has a name.
fn target_type(group: &TargetGroup) -> &'static str {
    let mut addresses = group.targets.iter().map(|target| &target.address);
    match addresses.all(|address| address.parse::<SocketAddr>().is_ok()) {
        true => "ip",
        false => "instance",
    }
}

/// Of a group of the file: that of its first target.
fn ip_address_type(group: &TargetGroup) -> &'static str {
    let first = group.targets.first();
    match first.is_some_and(|target| target.address.starts_with('[')) {
        true => "ipv6",
        false => "ipv4",
    }
}

/// Whole seconds, and not fewer than it has.
pub(in crate::aws) fn seconds(duration: Duration) -> u64 {
    duration.as_secs() + u64::from(duration.subsec_nanos() > 0)
}

/// The load balancers whose listeners forward to the group.
pub(super) fn users(catalogue: &Catalogue<'_>, group: &Entry<'_, TargetGroup>) -> Vec<String> {
    let name = &group.document.name;
    let load_balancers = catalogue.load_balancers();
    let using = load_balancers.filter(|it| !forwards(it.document, name).is_empty());
    using.map(|it| it.arn(catalogue.place)).collect()
}

/// Where a load balancer forwards to the group of that name: "its listener on port 80", "rule 5 of ...".
pub(super) fn forwards(load_balancer: &LoadBalancer, name: &str) -> Vec<String> {
    let names = |forward: Option<&Forward>| {
        forward.is_some_and(|forward| forward.names().any(|group| group == name))
    };
    let mut found = Vec::new();
    for listener in &load_balancer.listener {
        let port = listener.port;
        let rules = listener.rule.iter();
        for rule in rules.filter(|rule| names(rule.forward.as_ref())) {
            let priority = rule.priority;
            found.push(format!("rule {priority} of the listener on port {port}"));
        }
        if names(listener.default.forward.as_ref()) {
            found.push(format!("the listener on port {port}"));
        }
    }
    found
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may fail loudly")]
mod tests {
    use super::*;
    use crate::aws::place::Place;
    use crate::config::parse;
    use crate::reload::Standing;

    fn described_of(text: &str) -> TargetGroupDescription {
        let standing = Standing {
            config: parse(
                &format!("[[target_group]]\nname = \"site\"\n{text}"),
                "file",
            )
            .unwrap(),
            ..Standing::default()
        };
        let place = Place {
            region: "r".to_owned(),
            account: "a",
        };
        let catalogue = Catalogue::new(&standing, &place);
        let group = catalogue.target_group_named("site").unwrap();
        described(&catalogue, &group)
    }

    #[test]
    fn a_group_of_the_file_has_albs_defaults() {
        let group = described_of("targets = [{ address = \"10.0.0.6:8080\" }]\n");
        assert_eq!((group.protocol, group.port), ("HTTP", 8080));
        assert_eq!(group.protocol_version, Some("HTTP1"));
        assert_eq!(
            (group.target_type.as_str(), group.ip_address_type.as_str()),
            ("ip", "ipv4")
        );
        assert_eq!(group.health_check_protocol, "HTTP");
        assert_eq!(group.health_check_port, "traffic-port");
        assert_eq!(group.health_check_path.as_deref(), Some("/"));
        let times = (
            group.health_check_interval_seconds,
            group.health_check_timeout_seconds,
        );
        assert_eq!(times, (30, 5));
        let thresholds = (
            group.healthy_threshold_count,
            group.unhealthy_threshold_count,
        );
        assert_eq!(thresholds, (5, 2));
        assert_eq!(group.matcher.unwrap().http_code.as_deref(), Some("200"));
    }

    #[test]
    fn what_the_file_says_in_milliseconds_is_never_no_time() {
        let group = described_of("health_check = { interval = \"2s\", timeout = \"500ms\" }\n");
        assert_eq!(group.health_check_timeout_seconds, 1);
        assert_eq!(group.health_check_interval_seconds, 2);
    }

    #[test]
    fn a_probe_of_connections_asks_for_nothing() {
        let group =
            described_of("protocol = \"TLS\"\ntargets = [{ address = \"[fd00::1]:443\" }]\n");
        assert_eq!((group.protocol, group.protocol_version), ("TLS", None));
        assert_eq!(group.health_check_protocol, "TLS");
        assert_eq!(group.ip_address_type, "ipv6");
        assert_eq!((group.health_check_path, group.matcher), (None, None));
    }

    #[test]
    fn a_health_target_in_one_word_is_told_in_its_parts() {
        let group = described_of(
            "health_check = { target = \"HTTPS:8443/ping\" }\ntargets = [{ address = \"web:80\" }]\n",
        );
        assert_eq!(group.health_check_protocol, "HTTPS");
        assert_eq!(group.health_check_port, "8443");
        assert_eq!(group.health_check_path.as_deref(), Some("/ping"));
        assert_eq!(group.target_type, "instance");
    }

    #[test]
    fn a_group_of_a_classic_load_balancer_has_its_defaults() {
        let group = described_of(
            "[[load_balancer]]\nname = \"old\"\ntype = \"classic\"\n\
             listener = [{ port = 80, default = { forward = \"site\" } }]\n",
        );
        assert_eq!(group.health_check_protocol, "TCP");
        assert_eq!(group.healthy_threshold_count, 10);
        assert!(group.load_balancer_arns.is_empty(), "it has no ARN here");
    }

    #[test]
    fn a_grpc_group_has_grpcs_codes() {
        let group = described_of("protocol_version = \"GRPC\"\n");
        assert_eq!(
            group.health_check_path.as_deref(),
            Some("/AWS.ALB/healthcheck")
        );
        let matcher = group.matcher.unwrap();
        assert_eq!(
            (matcher.http_code, matcher.grpc_code.as_deref()),
            (None, Some("12"))
        );
    }
}
